-- What everything is measured against: the least SQL that could do the same, without a check, a limit, a
-- price, a grant or a chain. And how the bench opens its accounts.
create schema floor;

create table floor.accounts (
  id uuid primary key,
  balance bigint not null,
  denied_at timestamptz
);
create table floor.jobs (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null,
  status text not null default 'pending',
  cost bigint not null,
  idempotency_key text,
  output jsonb,
  created_at timestamptz not null default now(),
  unique (account_id, idempotency_key)
);
create table floor.entries (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  job_id uuid,
  delta bigint not null,
  created_at timestamptz not null default now()
);
create table floor.denials (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  code text not null,
  created_at timestamptz not null default now()
);
-- What one UPDATE of as many rows is measured on.
create table floor.due (
  id bigint primary key,
  account_id uuid not null,
  done_at timestamptz
);

create function floor.account(p_number integer)
returns uuid
language sql
immutable
as $$
  select ('00000000-0000-4000-8000-' || lpad(to_hex(p_number), 12, '0'))::uuid;
$$;

create function floor.charge(p_account_id uuid, p_cost bigint, p_key text)
returns uuid
language plpgsql
as $$
declare
  job uuid;
begin
  update floor.accounts set balance = balance - p_cost where id = p_account_id;
  insert into floor.jobs (account_id, cost, idempotency_key) values (p_account_id, p_cost, p_key) returning id into job;
  insert into floor.entries (account_id, job_id, delta) values (p_account_id, job, -p_cost);
  return job;
end;
$$;

create function floor.settle(p_job_id uuid, p_output jsonb)
returns void
language plpgsql
as $$
begin
  update floor.jobs set status = 'succeeded', output = p_output where id = p_job_id;
end;
$$;

create function floor.fail(p_job_id uuid)
returns void
language plpgsql
as $$
declare
  job floor.jobs;
begin
  update floor.jobs set status = 'failed' where id = p_job_id returning * into job;
  update floor.accounts set balance = balance + job.cost where id = job.account_id;
  insert into floor.entries (account_id, job_id, delta) values (job.account_id, job.id, job.cost);
end;
$$;

create function floor.deny(p_account_id uuid, p_code text)
returns void
language plpgsql
as $$
begin
  update floor.accounts set denied_at = clock_timestamp() where id = p_account_id;
  insert into floor.denials (account_id, code) values (p_account_id, p_code);
end;
$$;

create procedure floor.open_accounts(p_first integer, p_last integer, p_plan text, p_grants bigint[])
language plpgsql
as $$
begin
  for number in p_first .. p_last loop
    perform public.set_account_plan(floor.account(number), p_plan);
    for place in 1 .. coalesce(cardinality(p_grants), 0) loop
      perform public.grant_credits(floor.account(number), p_grants[place]);
    end loop;
    insert into floor.accounts (id, balance) values (floor.account(number), 0);
  end loop;
end;
$$;

-- Limits so wide that they never bite.
insert into public.credit_plans (name, rate_limit_requests, rate_limit_window_seconds, max_concurrent_jobs)
values ('bench', 1000000, 1, 10000);

-- What the tasks and the checks are measured against: as many rows written and as many SHA-256 made, a statement
-- for all of them, and nothing else. No rule, no lock, no search for what is due or wrong.
--
-- floor.credit_ledger and its like hold the same rows as the real tables, in the same shape and with the same indexes.
create procedure floor.copy_books()
language plpgsql
as $$
declare
  book record;
begin
  for book in
    select relname as name, 'with (' || array_to_string(reloptions, ', ') || ')' as options from pg_class
    where oid in ('public.credit_accounts'::regclass, 'public.credit_grants'::regclass, 'public.credit_ledger'::regclass,
      'public.generation_jobs'::regclass, 'public.credit_events'::regclass)
  loop
    execute format('create table floor.%1$I (like public.%1$I including all excluding constraints) %2$s', book.name, book.options);
    execute format('insert into floor.%1$I overriding system value select * from only public.%1$I', book.name);
  end loop;
end;
$$;

-- The hash of an entry, written out where it is needed: a call for each entry would be more than the least.
-- Each job's entry, event and end; each account and grant once.
create function floor.sweep()
returns bigint
language plpgsql
set enable_nestloop = off
set enable_mergejoin = off
as $$
declare
  swept bigint;
begin
  with recursive due as materialized (
    select j.account_id, j.id as job_id, j.cost, g.id as grant_id, row_number() over (partition by j.account_id order by j.deadline_at, j.id) as place
    from floor.generation_jobs as j join floor.credit_grants as g on g.account_id = j.account_id
    where j.status in ('pending', 'running') and j.deadline_at <= now()
  ),
  chain as (
    select 0::bigint as place, a.id as account_id, a.last_seq as seq, a.balance, 0::bigint as cost, null::bigint as grant_id, null::uuid as job_id, a.last_hash as hash
    from floor.credit_accounts as a
    union all
    select d.place, c.account_id, c.seq + 1, c.balance + d.cost, d.cost, d.grant_id, d.job_id,
      sha256(c.hash || record_send(row(c.account_id, c.seq + 1, d.cost, c.balance + d.cost, 'refund'::text, d.grant_id, d.job_id, now(),
        convert_to('deadline exceeded', 'UTF8'), null::bytea)))
    from chain as c join due as d on d.account_id = c.account_id and d.place = c.place + 1
  ),
  entries as (
    insert into floor.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason, created_at, hash)
    select account_id, seq, cost, balance, 'refund', grant_id, job_id, 'deadline exceeded', now(), hash from chain where place > 0
  ),
  events as (
    insert into floor.credit_events (account_id, type, payload)
    select account_id, 'job.refunded', jsonb_build_object('account_id', account_id, 'job_id', job_id, 'credits', cost, 'reason', 'deadline exceeded')
    from due
  ),
  grants as (
    update floor.credit_grants as g set remaining = g.remaining + d.cost
    from (select account_id, grant_id, sum(cost) as cost from due group by 1, 2) as d where g.account_id = d.account_id and g.id = d.grant_id
  ),
  accounts as (
    update floor.credit_accounts as a set balance = e.balance, last_seq = e.seq, last_hash = e.hash, last_entry_at = now()
    from (select distinct on (account_id) * from chain order by account_id, place desc) as e where a.id = e.account_id
  )
  update floor.generation_jobs as j set status = 'expired', refunded = j.cost, ended_at = now(),
    error = '{"code": "deadline_exceeded", "message": "The generation did not end by its deadline."}'
  from due as d where j.id = d.job_id and j.account_id = d.account_id;
  get diagnostics swept = row_count;
  return swept;
end;
$$;

create function floor.expire()
returns bigint
language plpgsql
set enable_nestloop = off
set enable_mergejoin = off
as $$
declare
  booked bigint;
begin
  with recursive due as materialized (
    select account_id, id as grant_id, remaining, row_number() over (partition by account_id order by id) as place
    from floor.credit_grants where is_open and expires_at <= now()
  ),
  chain as (
    select 0::bigint as place, a.id as account_id, a.last_seq as seq, a.balance, 0::bigint as breakage, null::bigint as grant_id, a.last_hash as hash
    from floor.credit_accounts as a
    union all
    select d.place, c.account_id, c.seq + 1, c.balance - d.remaining, d.remaining, d.grant_id,
      sha256(c.hash || record_send(row(c.account_id, c.seq + 1, -d.remaining, c.balance - d.remaining, 'expiry'::text, d.grant_id,
        null::uuid, now(), convert_to('grant expired', 'UTF8'), null::bytea)))
    from chain as c join due as d on d.account_id = c.account_id and d.place = c.place + 1
  ),
  entries as (
    insert into floor.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, reason, created_at, hash)
    select account_id, seq, -breakage, balance, 'expiry', grant_id, 'grant expired', now(), hash from chain where place > 0
  ),
  grants as (
    update floor.credit_grants as g set remaining = 0, is_open = false, breakage = g.breakage + d.remaining
    from due as d where g.account_id = d.account_id and g.id = d.grant_id returning g.id
  ),
  accounts as (
    update floor.credit_accounts as a set balance = e.balance, last_seq = e.seq, last_hash = e.hash, last_entry_at = now()
    from (select distinct on (account_id) * from chain order by account_id, place desc) as e where a.id = e.account_id
    returning a.id, a.balance
  ),
  events as (
    insert into floor.credit_events (account_id, type, payload)
    select id, 'balance.exhausted', jsonb_build_object('account_id', id, 'balance', balance) from accounts where balance <= 0
  )
  select count(*) into booked from grants;
  return booked;
end;
$$;

-- Two hashes an account: the grant's seal and the entry's.
create function floor.refill()
returns bigint
language plpgsql
as $$
declare
  refilled bigint;
begin
  with granted as (
    insert into floor.credit_grants (account_id, kind, amount, remaining, is_open, expires_at, external_ref, reason, seal)
    select id, 'refill', 1000, 1000, true, now() + interval '1 month', 'refill:' || id || ':2026-01', 'plan bench, 2026-01', sha256(record_send(row(
      id, 1::bigint, 'refill'::text, 1000::bigint, 100::smallint, now() + interval '1 month', null::bigint, now(),
      convert_to('refill:' || id || ':2026-01', 'UTF8'), convert_to('plan bench, 2026-01', 'UTF8'))))
    from floor.credit_accounts
    returning account_id, id, amount, reason
  ),
  entries as (
    insert into floor.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, reason, created_at, hash)
    select a.id, a.last_seq + 1, g.amount, a.balance + g.amount, 'refill', g.id, g.reason, now(), sha256(a.last_hash || record_send(row(
      a.id, a.last_seq + 1, g.amount, a.balance + g.amount, 'refill'::text, g.id, null::uuid, now(), convert_to(g.reason, 'UTF8'), null::bytea)))
    from floor.credit_accounts as a join granted as g on g.account_id = a.id
    returning account_id, seq, balance_after, created_at, hash
  )
  update floor.credit_accounts as a
  set balance = e.balance_after, last_seq = e.seq, last_hash = e.hash, last_entry_at = e.created_at, refilled_for = date '2026-01-01'
  from entries as e where a.id = e.account_id;
  get diagnostics refilled = row_count;
  return refilled;
end;
$$;

-- As many SHA-256 over rows of the same size as there are entries. Each reads the ledger itself, with a second
-- process where Postgres would use one for the check.
create function floor.chain_check()
returns setof bigint
language plpgsql
stable
set jit = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  return query
  select count(*) filter (where sha256(e.hash || record_send(row(e.account_id, e.seq, e.delta, e.balance_after, e.kind::text, e.grant_id,
    e.job_id, e.created_at, convert_to(e.reason, 'UTF8'), convert_to(e.metadata::text, 'UTF8')))) is not null)
  from only public.credit_ledger as e;
end;
$$;

-- The same, and every grant's seal, and every job read once.
create function floor.deep_check()
returns setof bigint
language plpgsql
stable
set jit = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  return query select * from floor.chain_check();
  return query
  select count(*) filter (where sha256(record_send(row(g.account_id, g.id, g.kind::text, g.amount, g.priority, g.expires_at, g.makes_good,
    g.created_at, convert_to(g.external_ref, 'UTF8'), convert_to(g.reason, 'UTF8')))) is not null)
  from public.credit_grants as g;
  return query select count(j.deadline_at) from public.generation_jobs as j;
end;
$$;
