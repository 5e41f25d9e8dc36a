begin;
select plan(6);

select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select throws_ok($$select set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000a1', 'member')$$, 'PT409', null, 'the last owner stays one');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2', 'owner');
select is((set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1',
  'viewer')).role, 'viewer', 'unless there is another');
select throws_ok($$select set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000a1', 'guest')$$, '23514', null, 'a role that there is not');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1);
select throws_ok($$select set_account_member('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2')$$, 'PT404', null, 'a user''s own account takes no members');
select throws_ok($$select remove_account_member('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2')$$, 'PT404', null, 'and has none to lose');
select is((select count(*) from account_members), 2::bigint, 'the team has its two');

select * from finish();
rollback;
