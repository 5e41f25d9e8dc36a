begin;
select plan(13);

select is(create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3'),
  '00000000-0000-4000-8000-0000000000c3'::uuid, 'a team has an account');
select is(create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3'),
  '00000000-0000-4000-8000-0000000000c3'::uuid, 'opened once');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create temp view charge as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1');
select is((select row(status, code) from charge), row(403, 'not_a_member'::text), 'a stranger may not spend');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000a1', 'viewer');
select is((select row(status, code) from charge), row(403, 'not_allowed_to_spend'::text), 'nor a viewer');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1',
  'member', 900);
create temp table job as select * from charge;
select is((select row(status, balance) from job), row(201, 4500::bigint), 'a member may');
select is((select row(status, code) from charge), row(402, 'member_cap_reached'::text), 'up to the cap');
select from fail_generation((select job_id from job));
select is((select status from charge), 201, 'a refund frees the cap');
select throws_ok($$select from remove_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2')$$, 'PT409', null, 'the last owner stays');
select ok(remove_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1'),
  'a member can be removed');
select is((select code from charge), 'not_a_member', 'and is a stranger then');
select is((select count(*) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 0::bigint,
  'a stranger opens no account');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
create temp table own as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1');
select is((select status from own), 201, 'whose own account it is needs no membership');
select is((select member_id from generation_jobs where id = (select job_id from own)), null, 'and counts as no member');

select * from finish();
rollback;
