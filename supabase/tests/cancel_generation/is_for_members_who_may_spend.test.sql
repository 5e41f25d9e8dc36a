begin;
select plan(5);

select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2', 'member');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000d4', 'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a cat"}', p_member_id => '00000000-0000-4000-8000-0000000000a1');

select throws_ok($$select cancel_generation((select job_id from job), '00000000-0000-4000-8000-0000000000e5')$$, 'PT403', null, 'a stranger may not');
select throws_ok($$select cancel_generation((select job_id from job), '00000000-0000-4000-8000-0000000000d4')$$, 'PT403', null, 'nor who may only look');
select is((select status from generation_jobs), 'pending'::job_status, 'the job goes on');
select is((cancel_generation((select job_id from job), '00000000-0000-4000-8000-0000000000b2')).code, 'canceled', 'another member may');
create temp table own as
  select c.* from grant_credits('00000000-0000-4000-8000-0000000000b2', 500) as g, atomic_charge_credits(g.account_id, 'standard-image', '{"prompt": "a cat"}') as c;
select is((cancel_generation((select job_id from own), '00000000-0000-4000-8000-0000000000b2')).code, 'canceled', 'and whoever''s own account it is');

select * from finish();
rollback;
