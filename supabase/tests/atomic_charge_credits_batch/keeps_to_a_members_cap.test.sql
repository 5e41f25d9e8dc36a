begin;
select plan(3);

select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1',
  'member', 900);
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create temp table each as select * from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000c3', '[
  {"model": "standard-image", "input": {"prompt": "a"}, "member_id": "00000000-0000-4000-8000-0000000000a1"},
  {"model": "standard-image", "input": {"prompt": "b"}, "member_id": "00000000-0000-4000-8000-0000000000a1"},
  {"model": "standard-image", "input": {"prompt": "c"}, "member_id": "00000000-0000-4000-8000-0000000000b2"}]', false);

select results_eq('select status, code from each',
  $$values (201, 'charged'), (402, 'member_cap_reached'), (201, 'charged')$$,
  'what a batch has charged counts towards the cap of whom it was for');
select set_eq('select user_id, spent from account_members',
  $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 500::bigint), ('00000000-0000-4000-8000-0000000000b2', 500)$$,
  'and is booked so');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000c3'), 4000::bigint,
  'the team pays for two');

select * from finish();
rollback;
