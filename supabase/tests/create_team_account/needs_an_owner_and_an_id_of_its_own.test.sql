begin;
select plan(7);

select throws_ok('select create_team_account(null)', '22023', null, 'no owner');
select throws_ok($$select create_team_account('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000a1')$$, '22023', null, 'the owner''s own account');
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select throws_ok($$select create_team_account('00000000-0000-4000-8000-0000000000b2',
  '00000000-0000-4000-8000-0000000000c3')$$, 'PT409', null, 'another''s team');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1);
select throws_ok($$select create_team_account('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2')$$, 'PT409', null, 'another''s own account');
update credit_settings set sign_up_credits = 0;
insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000d4', 'd@example.com');
delete from credit_accounts where id = '00000000-0000-4000-8000-0000000000d4';
select throws_ok($$select create_team_account('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000d4')$$, 'PT409', null, 'a user''s id, also before they have an account');
select is((select status || ' ' || code
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000d4', 'standard-image', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000d4')), '402 insufficient_credits', 'whose account is theirs');
select results_eq('select account_id, user_id, role from account_members',
  $$values ('00000000-0000-4000-8000-0000000000c3'::uuid, '00000000-0000-4000-8000-0000000000a1'::uuid, 'owner')$$,
  'the one team has the one member');

select * from finish();
rollback;
