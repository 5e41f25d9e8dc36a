begin;
select plan(7);

create function pg_temp.shard_check() returns setof text language sql as $$
  select format('%s %s', ok, detail) from verify_deployment()
  where check_name = 'the shard has its own accounts alone' $$;
select is_empty('select pg_temp.shard_check()', 'verify says nothing of it on one database');
select is_empty($$select from operational_metrics() where metric = 'atomic_credits_shard'$$, 'nor do metrics');

delete from credit_accounts;
select credits.become_shard('s1', '{1}');
select results_eq('select pg_temp.shard_check()', $$values ('t shard s1, slot groups 1, 0 accounts of others')$$,
  'verify names the shard and its groups');
select is_empty($$select check_name, detail from verify_deployment()
  where not ok and check_name in ('every check can run', 'a charge is booked', 'a failed job is refunded')$$,
  'its trial account is one of the shard''s own');
select results_eq($$select labels, value from operational_metrics() where metric = 'atomic_credits_shard'$$,
  $$values ('{"shard": "s1", "slot_groups": "1"}'::jsonb, 1::numeric)$$, 'metrics name it too');

-- As a dump of another shard would bring it.
alter table credit_accounts disable trigger account_opened;
insert into credit_accounts (id)
select id from (select md5(n::text)::uuid as id from generate_series(1, 99) as n) as made
where credits.slot_group(id) = 2 limit 1;
select results_eq('select pg_temp.shard_check()', $$values ('f shard s1, slot groups 1, 1 accounts of others')$$,
  'verify finds an account of another shard');
select isnt((select remedy from verify_deployment() where check_name = 'the shard has its own accounts alone'), null,
  'and says what to do');

select * from finish();
rollback;
