begin;
select plan(12);

-- Postgres' own placement, to compare with.
create temp table placed (id uuid primary key) partition by hash (id);
do $$
begin
  for n in 0 .. 15 loop
    execute format('create temp table placed_%s partition of placed for values with (modulus 16, remainder %s)', n, n);
  end loop;
end;
$$;
insert into placed select gen_random_uuid() from generate_series(1, 2000);
select is((select count(distinct tableoid) from placed), 16::bigint, 'ids in each of 16 partitions');
select is_empty($$select id, tableoid::regclass from placed
  where tableoid::regclass::text <> 'placed_' || (credits.slot(id) & 15)$$,
  'an account''s slot names the partition that Postgres puts its rows in');
select ok(min(credits.slot(id)) >= 0 and max(credits.slot(id)) between 60000 and 65535, 'a slot has 16 bits')
  from placed;

update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 1000;
create temp table accounts as
  select ('00000000-0000-4000-8000-0000000000a' || n)::uuid as id from generate_series(1, 8) as n;
select from accounts, grant_credits(id, 5000);
create temp table charged as
  select a.id as account_id, key, c.job_id
  from accounts as a cross join (values (null), ('one'), ('two')) as k (key),
    atomic_charge_credits(a.id, 'standard-image', '{"prompt": "a cat"}', key) as c;
select is((select count(distinct job_id) from charged), 24::bigint,
  'each job has an id of its own: by account, by key, and without a key');
select is_empty($$select * from charged where left(job_id::text, 4) <> lpad(to_hex(credits.slot(account_id)), 4, '0')$$,
  'which begins with its account''s slot, with a key and without one');
select is_empty($$select * from charged where job_id::text !~ '^.{8}-.{4}-8.{3}-[89ab].{3}-.{12}$'$$,
  'and is a UUID of version 8');
select is((select count(distinct right(job_id::text, 32)) from charged), 24::bigint,
  'the slot is not all that differs');

select is(c.job_id, (select job_id from charged as o where o.account_id = a.id and key = 'one'),
  'the same key gives the same id')
from (select id from accounts limit 1) as a,
  atomic_charge_credits(a.id, 'standard-image', '{"prompt": "a cat"}', 'one') as c;
create temp table rule as
  select asks, credits.job_ids('00000000-0000-4000-8000-0000000000a1', member_id, 'one', input) as ids
  from (values ('user', '00000000-0000-4000-8000-0000000000a1'::uuid, '{}'::jsonb), ('nobody else', null, '{}'),
    ('member', '00000000-0000-4000-8000-0000000000b2', '{}'), ('server', null, '{"asked_by": "server"}')
  ) as v (asks, member_id, input);
select is(ids[1], 'dfef991c-a5f2-8774-8917-4dca81934bdf', 'the id of a key, in figures') from rule where asks = 'user';
select is((select ids from rule where asks = 'user'), (select ids from rule where asks = 'nobody else'),
  'the account''s own user has the account''s keys');
select is((select count(distinct ids) from rule), 3::bigint, 'a member''s and the server''s are their own');
select is_empty($$select from rule
  where left(ids[1]::text, 4) <> 'dfef' or right(ids[1]::text, 32) <> right(ids[2]::text, 32)$$,
  'a job of each of them lives where the account does');

select * from finish();
rollback;
