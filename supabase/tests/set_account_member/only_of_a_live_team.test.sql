begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
select from erase_account('00000000-0000-4000-8000-0000000000a1');
select throws_ok($$select set_account_member('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 'owner')$$, 'PT404', null, 'an erased account takes no owner');
create temp table team as select create_team_account('00000000-0000-4000-8000-0000000000b2', null) as id;
select isnt(id, null, 'a team''s id is made where none is given') from team;
select throws_ok('select set_account_member((select id from team), null)', '22023', null, 'nobody');
update credit_accounts set closed_at = now() where id = (select id from team);
select throws_ok($$select set_account_member((select id from team), '00000000-0000-4000-8000-0000000000a1')$$, 'PT403',
  null, 'nor does a closed team');

select * from finish();
rollback;
