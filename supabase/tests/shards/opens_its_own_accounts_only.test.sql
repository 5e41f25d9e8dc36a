begin;
select plan(19);

-- An id of each slot group.
create temp table ids as
  select distinct on (credits.slot_group(id)) credits.slot_group(id) as slot_group, id
  from (select md5(n::text)::uuid as id from generate_series(1, 1000) as n) as made
  order by 1, 2;
select is((select count(*) from ids), 16::bigint, 'there are 16 groups of slots');
create function pg_temp.id_of(p_group integer) returns uuid language sql as $$
  select id from ids where slot_group = p_group $$;

select lives_ok($$select grant_credits(id, 1) from ids where slot_group in (1, 5)$$,
  'one database opens any account');
select throws_ok($$select credits.become_shard('s1', '{1}')$$, '55000', null,
  'it becomes no shard that would not hold an account that it has');
select throws_ok(format('select credits.become_shard(''s1'', %L)', groups), '22023', null,
  'nor one of groups like ' || groups)
from (values ('{}'), ('{1,16}'), ('{-1}'), ('{1,null}')) as wrong (groups);
select throws_ok($$select credits.become_shard('S 1', '{1,5}')$$, '22023', null, 'nor one without a plain name');
select lives_ok($$select credits.become_shard('s1', '{5,1,5}')$$, 'it becomes one of its groups');

select lives_ok($$select grant_credits(id, 1) from ids where slot_group in (1, 5)$$, 'its accounts go on');
select throws_ok(format($$select grant_credits(%L, 1)$$, pg_temp.id_of(2)), 'PT421',
  format('account %s lives on another shard: its slot group is 2, and this one holds 1, 5', pg_temp.id_of(2)),
  'an account of another shard gets no credits');
select throws_ok(format($$select transfer_credits(%L, %L, 1, 'moved')$$, pg_temp.id_of(1), pg_temp.id_of(2)),
  'PT421', null, 'also not by a transfer');
select throws_ok(format($$select atomic_charge_credits(%L, 'standard-image', '{"prompt": "a"}')$$, pg_temp.id_of(3)),
  'PT421', null, 'and is not charged');
select throws_ok(format($$update credit_accounts set id = %L where id = %L$$, pg_temp.id_of(2), pg_temp.id_of(1)),
  'PT421', null, 'no account becomes one of another shard');
select is((select array_agg(distinct credits.slot_group(create_team_account(pg_temp.id_of(1))))
  <@ '{1,5}' from generate_series(1, 30)), true, 'a team that names no id gets one that lives here');

select lives_ok(format($$insert into auth.users (id, email) values (%L, 'x@example.com')$$, pg_temp.id_of(2)),
  'a sign-up of another shard''s user is not blocked');
select is((select count(*) from credit_accounts where id = pg_temp.id_of(2)), 0::bigint, 'and opens no account here');

select lives_ok($$select credits.cease_shard(), credits.cease_shard()$$, 'it ceases to be one, also twice');
select lives_ok(format($$select grant_credits(%L, 1)$$, pg_temp.id_of(2)), 'and opens any account again');

select * from finish();
rollback;
