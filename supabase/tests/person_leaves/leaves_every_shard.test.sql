begin;
select plan(25);
set local client_min_messages = error;

-- An id of each slot group; a team of this shard, and a person of another who is a member of it.
create temp table ids as
  select distinct on (credits.slot_group(id)) credits.slot_group(id) as slot_group, id
  from (select md5(n::text)::uuid as id from generate_series(1, 1000) as n) as made
  order by 1, 2;
create function pg_temp.id_of(p_group integer) returns uuid language sql as $$
  select id from ids where slot_group = p_group $$;
update credit_plans set rate_limit_requests = 100;
delete from credit_accounts;
select credits.become_shard('s1', '{1,5}');
select from create_team_account(pg_temp.id_of(2), pg_temp.id_of(1));
select from unnest(array[pg_temp.id_of(3), pg_temp.id_of(5)]) as m, set_account_member(pg_temp.id_of(1), m, 'admin');
select from grant_credits(pg_temp.id_of(1), 2000);
select from grant_credits(pg_temp.id_of(5), 300);
create function pg_temp.charge(p_member uuid) returns uuid language sql as $$
  select job_id from atomic_charge_credits(pg_temp.id_of(1), 'standard-image', '{"prompt": "a secret"}',
    p_member_id => p_member) $$;
create function pg_temp.members() returns uuid[] language sql as $$
  select array_agg(user_id order by user_id) from account_members where account_id = pg_temp.id_of(1) $$;

-- Deleted where they signed up, which is not here.
select from create_app_key(pg_temp.id_of(1), pg_temp.id_of(3), 'a key');
create temp table jobs as select pg_temp.charge(pg_temp.id_of(3)) as id;
select is((select count(*) from jobs where id is not null), 1::bigint, 'a person of another shard spends here');
select ok(person_leaves(pg_temp.id_of(3)), 'a person who is deleted leaves the shard');
select ok(not pg_temp.id_of(3) = any (pg_temp.members()), 'is in none of its teams');
select is((select count(*) from credit_accounts where id = pg_temp.id_of(3)), 0::bigint, 'and no account is opened');
select is((select count(*) from account_erasures), 0::bigint, 'and nothing is left to do');
select ok(person_leaves(pg_temp.id_of(3)), 'also when it is asked again');
select is((select count(*) from account_erasures), 0::bigint, 'which leaves nothing either');
select is(finish_erasures(), 0, 'nor to the task');

-- Of this shard: their account is closed as well.
select ok(person_leaves(pg_temp.id_of(5)), 'a person of this shard leaves');
select is((select row(user_id, closed_at is not null, balance) from credit_accounts where id = pg_temp.id_of(5)),
  row(null::uuid, true, 300::bigint), 'their account is closed with its credits');
select ok(not pg_temp.id_of(5) = any (pg_temp.members()), 'and they are in no team');

-- Erased: at once, or by the task.
update credit_settings set erase_on_user_deletion = true;
select from set_account_member(pg_temp.id_of(1), pg_temp.id_of(4), 'member');
update jobs set id = pg_temp.charge(pg_temp.id_of(4));
select ok(person_leaves(pg_temp.id_of(4)), 'the setting erases whom another shard has');
select is((select row(member_id, input ? 'prompt') from generation_jobs where id = (select id from jobs)),
  row(null::uuid, false), 'with what they asked for here');
select is((select count(*) from credit_accounts where id = pg_temp.id_of(4)), 0::bigint, 'without an account');

select from set_account_member(pg_temp.id_of(1), pg_temp.id_of(6), 'member');
update jobs set id = pg_temp.charge(pg_temp.id_of(6));
select is(erase_account(pg_temp.id_of(6)), 1, 'so does erase_account');
select is(erase_account(pg_temp.id_of(6)), 0, 'once');
select from set_account_member(pg_temp.id_of(1), pg_temp.id_of(7), 'member');
insert into account_erasures (account_id) values (pg_temp.id_of(7));
select is(finish_erasures(), 0, 'and the task, of what was noted');
select ok(not pg_temp.id_of(7) = any (pg_temp.members()), 'as the member is gone');

-- Denied before, and a member no more: nothing but that is left of them here.
select from atomic_charge_credits(pg_temp.id_of(1), 'standard-image', '{"prompt": "a"}',
  p_member_id => pg_temp.id_of(8), p_request_id => 'a request of theirs');
select is((select count(*) from credit_request_events where request_id = 'a request of theirs'), 1::bigint,
  'a stranger is denied');
select is(erase_account(pg_temp.id_of(8)), 0, 'and erased');
select is((select count(*) from credit_request_events where request_id = 'a request of theirs'), 0::bigint,
  'with what they were denied');
select from erase_account(pg_temp.id_of(9));
select is((select count(*) from account_erasures where account_id = pg_temp.id_of(9)), 0::bigint,
  'somebody who was never here leaves no row');

select throws_ok('select person_leaves(null)', '22023', null, 'nobody cannot leave');
insert into auth.users (id, email) select id, 'new@example.com' from ids where slot_group = 1;
select lives_ok(format('select person_leaves(%L)', pg_temp.id_of(1)),
  'of users a shard knows nothing, also if it had them once');
select credits.cease_shard();
select throws_ok(format('select person_leaves(%L)', pg_temp.id_of(1)), 'PT409', null,
  'nor one who is signed up here');

select * from finish();
rollback;
