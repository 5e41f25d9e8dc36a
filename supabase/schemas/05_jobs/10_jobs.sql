-- Gives: jobs, one per charge, from the charge to its end.
-- Keeps: 0 <= refunded <= cost; a job that ended without a result is refunded in full, a succeeded job has an output
--   (invariant 3); one idempotency key, one job (invariant 5).
-- Needs: accounts.

create function credits.job_ids(p_account_id uuid, p_member_id uuid, p_idempotency_key text, p_input jsonb)
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- UTF-8 text has no byte ff or fe, so no key of the account's own user can look like a member's id and key, or like a
  -- server's key. The two 8s mark a UUID of version 8, whose other bits are free to choose.
  id_of_key text := left(overlay(overlay(encode(sha256(
    uuid_send(p_account_id)
      || case when p_member_id <> p_account_id then '\xff'::bytea || uuid_send(p_member_id)
        when p_member_id is null and p_input ->> 'asked_by' = 'server' then '\xfe' else '' end
      || convert_to(p_idempotency_key, 'UTF8')), 'hex') placing '8' from 13) placing '8' from 17), 32);
begin
  -- Version 8 also without a key: the first 16 bits are not random.
  return array[
    (right(to_hex(65536 + credits.slot(p_account_id)), 4)
      || right(coalesce(id_of_key, overlay(gen_random_uuid()::text placing '8' from 15)), -4))::uuid,
    id_of_key::uuid];
end;
$$;
comment on function credits.job_ids(uuid, uuid, text, jsonb) is
  'The ids that a request''s job can have: that of a new one, and that of an older one, null without an idempotency '
  'key. The first 4 hex digits of a new one are credits.slot(account), so that the id alone says where the job lives; '
  'an older one has other digits there. The rest comes from the account, who asks and the key, so that the primary '
  'key lets a key count once (an index by key would be one more entry per charge); it is random without a key. Each '
  'member, and the app''s own server, has keys of their own.';

create function credits.job_provenance(p_input jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_input ->> 'asked_by' = 'server' then '{"asked_by": "server"}'::jsonb else '{}' end;
$$;
comment on function credits.job_provenance(jsonb) is
  'The part of a job''s input that stays when it is erased: that the app''s own server asked for it.';

create table public.generation_jobs (
  id uuid not null default gen_random_uuid(),
  account_id uuid not null,
  member_id uuid,
  status public.generation_job_status not null default 'pending',
  model text not null,
  price_effective_from timestamptz not null,
  provider text not null,
  provider_job_id text,
  cost bigint not null,
  refunded bigint not null default 0,
  input jsonb not null,
  output jsonb,
  error jsonb,
  idempotency_key text,
  request_hash bytea not null,
  request_id text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  late_settled_at timestamptz,
  actual_cost bigint,
  erased_at timestamptz,
  output_deleted_at timestamptz,
  deadline_at timestamptz not null,
  seal bytea,
  primary key (id, account_id),
  -- Postgres parses a CHECK anew for each statement, so it is short. That a succeeded job has an output, and that one
  -- without a result is refunded in full, is up to the functions that end jobs; reconciliation compares it.
  constraint job_is_sound check (refunded between 0 and cost)
);

-- The open jobs of an account, which a charge counts, and those past their deadline, which the sweep ends.
create index generation_jobs_open
  on public.generation_jobs (account_id, deadline_at) where status in ('pending', 'running');
-- An account's newest jobs, as GET jobs shows them page by page.
create index generation_jobs_newest on public.generation_jobs (account_id, created_at desc);
-- For statistics over time: a few bytes per hundred pages, almost no cost for a charge.
create index generation_jobs_by_time on public.generation_jobs using brin (created_at);
-- Only whole ids are looked up, for which a hash index takes half the space of a B-tree.
create index generation_jobs_request on public.generation_jobs using hash (request_id);

comment on table public.generation_jobs is
  'Generations: each is charged when it is created, and settled or refunded by its deadline.';
comment on column public.generation_jobs.member_id is
  'The member of a team''s account who asked for it; null for the account''s own user.';
comment on column public.generation_jobs.actual_cost is
  'What the actual usage cost, in credits; differs from cost - refunded if the model''s overage caps it.';
comment on column public.generation_jobs.erased_at is 'When prompt, input, output and error were erased.';
comment on column public.generation_jobs.output_deleted_at is
  'When its files were deleted, or queued to be: by the user, or after credit_plans.keep_outputs_days. Its output '
  'still says what they were.';
comment on column public.generation_jobs.provider_job_id is 'The provider''s own id of the job. Users cannot read it.';
comment on column public.generation_jobs.started_at is
  'When its provider was first known to have it. Equal to created_at: the caller that charged it started it at once.';
comment on column public.generation_jobs.model is 'The model by its name in the price book.';
comment on column public.generation_jobs.price_effective_from is 'The price version that it was charged by.';
comment on column public.generation_jobs.cost is 'Credits charged; 0 if the model was free: then there is no entry.';
comment on column public.generation_jobs.refunded is
  'Credits given back in all, released and refunded; its user paid cost - refunded.';
comment on column public.generation_jobs.input is
  'The request with its defaults filled in. asked_by "server": the app''s own server asked, with the secret key; it '
  'has idempotency keys of its own.';
comment on column public.generation_jobs.output is
  'The result, once succeeded: {"outputs": [{"path", "media_type", "bytes", "width", "height", "seconds"}]}. The files '
  'are in Storage, in bucket generations under these paths. Also one that came after the refund and is kept by '
  'credit_settings.late_outputs.';
comment on column public.generation_jobs.error is 'Why it ended without a result: {"code", "message"}.';
comment on column public.generation_jobs.id is
  'Begins with the slot of its account (see credits.job_ids). With an idempotency key the rest follows from the '
  'account, who asked and the key, so that a key counts once.';
comment on column public.generation_jobs.idempotency_key is
  'The caller''s key, a random UUID or another text that nobody can guess: a repeated request with it finds this job '
  'instead of charging again. Users cannot read it.';
comment on column public.generation_jobs.request_hash is
  'First half of the SHA-256 of the request, to tell a retry from another request with the same key. Users cannot '
  'read it.';
comment on column public.generation_jobs.request_id is
  'The x-request-id of the answer that the caller got. Users cannot read it.';
comment on column public.generation_jobs.late_settled_at is
  'When a result arrived after the refund. It is not charged again, and kept only by credit_settings.late_outputs.';
comment on column public.generation_jobs.deadline_at is
  'When the job is refunded if it has not ended by then: after its model''s timeout_seconds and a margin, or, once a '
  'provider that calls back has it, after hard_timeout_seconds.';
comment on column public.generation_jobs.seal is
  'First half of the SHA-256 of account, id and actual_cost. Only where actual_cost differs from cost: no entry shows '
  'it then, and reconciliation finds a change by hand. Users cannot read it.';

create function credits.job_seal(p_account_id uuid, p_id uuid, p_actual_cost bigint)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return substr(sha256(uuid_send(p_account_id) || uuid_send(p_id) || int8send(p_actual_cost)), 1, 16);
end;
$$;
comment on function credits.job_seal(uuid, uuid, bigint) is
  'The seal of a job whose actual cost differs from its cost.';

alter table public.generation_jobs enable row level security;
create policy generation_jobs_read_own on public.generation_jobs
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create type public.generation_job_result as (
  job_id uuid,
  account_id uuid,
  code text,
  status public.generation_job_status,
  cost bigint,
  refunded bigint,
  balance bigint
);
comment on type public.generation_job_result is
  'What a call did to a job. code: started, settled, failed, canceled, refunded, corrected; unchanged (it had already '
  'ended this way, or there was nothing to do); late (a result came after the refund: recorded, not charged); '
  'cancel_requested, job_running and cancels_used_up (the job goes on: see cancel_generation).';

create function credits.raise_no_such_job()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.raise_misuse('PT404', 'no such job', 'Pass the job_id that atomic_charge_credits returned.');
end;
$$;
comment on function credits.raise_no_such_job() is 'Raises PT404 for a job id that no job has.';

create function credits.job_lock(p_job_id uuid)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  -- The account before the job, as everywhere: one lock order, so that no two calls wait for each other.
  select j.* into job
  from public.credit_accounts as a join public.generation_jobs as j on j.account_id = a.id
  where j.id = p_job_id
  for update of a, j;
  if not found then
    perform credits.raise_no_such_job();
  end if;
  return job;
end;
$$;
comment on function credits.job_lock(uuid) is
  'Locks a job''s account, then the job, and returns the job as it is under the lock. Raises PT404 for an unknown job.';

create function credits.job_result(p_job public.generation_jobs, p_code text)
returns public.generation_job_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.generation_job_result;
begin
  result.job_id := p_job.id;
  result.account_id := p_job.account_id;
  result.code := p_code;
  result.status := p_job.status;
  result.cost := p_job.cost;
  result.refunded := p_job.refunded;
  select balance into result.balance from public.credit_accounts where id = p_job.account_id;
  return result;
end;
$$;
comment on function credits.job_result(public.generation_jobs, text) is
  'A job with its account''s balance, both as they are now.';
