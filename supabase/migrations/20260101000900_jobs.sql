-- Gives: jobs, one a charge, from the charge to its end.
-- Keeps: 0 <= refunded <= cost; what ended without a result is refunded whole; what succeeded has an
--   output (invariant 3); one idempotency key, one job (invariant 5).
-- Needs: foundation, accounts.

create table public.generation_jobs (
  id uuid not null default gen_random_uuid(),
  account_id uuid not null,
  member_id uuid,
  status public.job_status not null default 'pending',
  model text not null,
  price_effective_from timestamptz not null,
  provider text not null,
  provider_job_id text check (length(provider_job_id) between 1 and 255),
  cost bigint not null check (cost > 0),
  refunded bigint not null default 0,
  input jsonb not null,
  output jsonb,
  error jsonb,
  idempotency_key text check (length(idempotency_key) between 1 and 255),
  request_hash bytea not null check (octet_length(request_hash) = 32),
  request_id text check (length(request_id) between 1 and 128),
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  late_settled_at timestamptz,
  actual_cost bigint check (actual_cost >= 0),
  erased_at timestamptz,
  deadline_at timestamptz not null,
  primary key (id, account_id),
  constraint refunded_within_cost check (refunded between 0 and cost),
  constraint ended_without_result_is_refunded
    check (status not in ('failed', 'canceled', 'expired') or refunded = cost),
  constraint succeeded_has_output check (status <> 'succeeded' or output is not null),
  constraint ended_when_done check ((ended_at is not null) = (status not in ('pending', 'running')))
)
with (fillfactor = 80);

create unique index generation_jobs_idempotency_key
  on public.generation_jobs (account_id, idempotency_key) where idempotency_key is not null;
create index generation_jobs_open
  on public.generation_jobs (account_id, deadline_at) where status in ('pending', 'running');
create index generation_jobs_newest on public.generation_jobs (account_id, created_at desc, id desc);
-- For statistics over time: a few bytes a hundred pages, next to nothing for a charge.
create index generation_jobs_by_time on public.generation_jobs using brin (created_at);
create index generation_jobs_request on public.generation_jobs (request_id) where request_id is not null;

comment on table public.generation_jobs is
  'Generations: each was charged when it was created, and ends settled or refunded by its deadline.';
comment on column public.generation_jobs.member_id is 'The member of a team''s account who asked for it; null for the account''s own user.';
comment on column public.generation_jobs.actual_cost is
  'What the actual usage came to, in credits; differs from cost - refunded where the model''s overrun caps it.';
comment on column public.generation_jobs.erased_at is 'When prompt, input, output and error were erased.';
comment on column public.generation_jobs.model is 'The model by its name in the price book.';
comment on column public.generation_jobs.price_effective_from is 'The price version that it was charged by.';
comment on column public.generation_jobs.cost is 'Credits charged.';
comment on column public.generation_jobs.refunded is 'Credits given back; the job cost its user cost - refunded.';
comment on column public.generation_jobs.input is 'The request with its defaults filled in.';
comment on column public.generation_jobs.output is 'The result, once succeeded.';
comment on column public.generation_jobs.error is 'Why it ended without a result: {"code", "message"}.';
comment on column public.generation_jobs.idempotency_key is 'The caller''s key: a repeated request finds this job instead of charging again.';
comment on column public.generation_jobs.request_hash is 'SHA-256 of the request, to tell a retry from another request under the same key.';
comment on column public.generation_jobs.request_id is 'The x-request-id of the answer that the caller got.';
comment on column public.generation_jobs.late_settled_at is
  'When a result arrived after the refund. It is not charged again, and not kept.';
comment on column public.generation_jobs.deadline_at is 'When it is refunded if it has not ended by then.';

alter table public.generation_jobs enable row level security;
create policy generation_jobs_read_own on public.generation_jobs
  for select to authenticated
  using (account_id in (select credits.my_account_ids()));
revoke all on table public.generation_jobs from public, anon, authenticated, service_role;
grant select on table public.generation_jobs to authenticated, service_role;

create function credits.price_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if exists (
    select from public.generation_jobs as j
    join public.credit_accounts as a on a.id = j.account_id and a.closed_at is null
    where j.model = old.name and j.price_effective_from = old.effective_from
  ) then
    perform credits.raise_misuse('PT409', 'jobs were charged by this price', 'Set enabled to false: then it is not sold any more.');
  end if;
  return old;
end;
$$;
comment on function credits.price_is_kept() is
  'Refuses to delete a price that jobs of accounts that are not closed were charged by: they are settled and answered again by it.';
revoke all on function credits.price_is_kept() from public, anon, authenticated, service_role;
create trigger price_is_kept before delete on public.generation_models
  for each row execute function credits.price_is_kept();

create type public.job_verdict as (
  job_id uuid,
  account_id uuid,
  code text,
  status public.job_status,
  cost bigint,
  refunded bigint,
  balance bigint
);
comment on type public.job_verdict is
  'What a call did to a job. code: started, settled, failed, canceled, refunded; unchanged (it had already '
  'ended so, or nothing was left to do); late (a result that came after the refund: recorded, not charged).';

create function credits.job_lock(p_job_id uuid)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  select * into job from public.generation_jobs where id = p_job_id;
  if not found then
    perform credits.raise_misuse('PT404', 'no such job', 'Pass the job_id that atomic_charge_credits returned.');
  end if;
  -- The account before the job, as everywhere: one order, so that no two calls wait for each other.
  perform from public.credit_accounts where id = job.account_id for update;
  select * into strict job from public.generation_jobs
  where id = p_job_id and account_id = job.account_id for update;
  return job;
end;
$$;
comment on function credits.job_lock(uuid) is
  'Locks a job''s account, then the job, and returns the job as it is under the lock. Raises PT404 for an unknown job.';
revoke all on function credits.job_lock(uuid) from public, anon, authenticated, service_role;

create function credits.job_result(p_job_id uuid, p_account_id uuid, p_code text)
returns public.job_verdict
language sql
stable
set search_path = '', pg_temp
as $$
  select row(j.id, j.account_id, p_code, j.status, j.cost, j.refunded, a.balance)::public.job_verdict
  from public.generation_jobs as j
  join public.credit_accounts as a on a.id = j.account_id
  where j.id = p_job_id and j.account_id = p_account_id;
$$;
comment on function credits.job_result(uuid, uuid, text) is 'A job and its account''s balance as they stand now.';
revoke all on function credits.job_result(uuid, uuid, text) from public, anon, authenticated, service_role;

create function credits.open_jobs(p_account_id uuid)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (select count(*) from public.generation_jobs
    where account_id = p_account_id and status in ('pending', 'running'));
end;
$$;
comment on function credits.open_jobs(uuid) is 'How many of an account''s jobs are pending or running.';
revoke all on function credits.open_jobs(uuid) from public, anon, authenticated, service_role;
