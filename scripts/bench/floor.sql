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
