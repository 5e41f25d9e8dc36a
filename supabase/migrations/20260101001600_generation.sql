-- Gives: the ways a job goes on and ends: start, settle, fail, cancel, and the sweeper for what nobody ended.
-- Keeps: every charge ends, settled or refunded by its deadline (invariant 4); a late result is never charged.
-- Needs: refund.

create function credits.job_end_refunded(
  p_job public.generation_jobs, p_status public.job_status, p_error jsonb, p_reason text
)
returns public.job_verdict
language plpgsql
set search_path = ''
as $$
begin
  if p_job.status not in ('pending', 'running') then
    return credits.job_result(p_job.id, p_job.account_id, 'unchanged');
  end if;
  if p_job.refunded < p_job.cost then
    perform credits.refund_book(p_job, p_job.cost - p_job.refunded, p_reason, null);
  end if;
  update public.generation_jobs
  set status = p_status, refunded = cost, error = p_error, ended_at = clock_timestamp()
  where id = p_job.id and account_id = p_job.account_id;
  return credits.job_result(p_job.id, p_job.account_id, p_status::text);
end;
$$;
comment on function credits.job_end_refunded(public.generation_jobs, public.job_status, jsonb, text) is
  'Ends an open job without a result and refunds what is left of its cost, in one. A job that has ended stays as it is.';
revoke all on function credits.job_end_refunded(public.generation_jobs, public.job_status, jsonb, text)
  from public, anon, authenticated, service_role;

create function public.start_generation(p_job_id uuid, p_provider_job_id text default null)
returns public.job_verdict
language plpgsql
security definer
set search_path = ''
as $$
declare
  job public.generation_jobs := credits.job_lock(p_job_id);
begin
  if job.status <> 'pending' then
    return credits.job_result(job.id, job.account_id, 'unchanged');
  end if;
  update public.generation_jobs
  set status = 'running', started_at = clock_timestamp(), provider_job_id = p_provider_job_id
  where id = job.id and account_id = job.account_id;
  return credits.job_result(job.id, job.account_id, 'started');
end;
$$;
comment on function public.start_generation(uuid, text) is
  'Marks a pending job as running at its provider, under the provider''s own id if it has one. Idempotent. '
  'Not needed before settle_generation. Raises PT404 for an unknown job.';
revoke all on function public.start_generation(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.start_generation(uuid, text) to service_role;

create function public.settle_generation(p_job_id uuid, p_output jsonb, p_actual_cost bigint default null)
returns public.job_verdict
language plpgsql
security definer
set search_path = ''
as $$
declare
  job public.generation_jobs := credits.job_lock(p_job_id);
  -- More than was charged is capped at the charge.
  unused bigint := job.cost - least(greatest(coalesce(p_actual_cost, job.cost), 0), job.cost) - job.refunded;
begin
  if p_output is null or p_output = 'null' then
    perform credits.raise_misuse('22023', 'a settled job needs an output', 'Call fail_generation for a job without a result.');
  end if;
  if job.status = 'succeeded' then
    return credits.job_result(job.id, job.account_id, 'unchanged');
  elsif job.status not in ('pending', 'running') then
    update public.generation_jobs set late_settled_at = coalesce(late_settled_at, clock_timestamp())
    where id = job.id and account_id = job.account_id;
    return credits.job_result(job.id, job.account_id, 'late');
  end if;
  if unused > 0 then
    perform credits.refund_book(job, unused, 'actual cost below the charge', null);
  end if;
  update public.generation_jobs
  set status = 'succeeded', output = p_output, refunded = refunded + greatest(unused, 0), ended_at = clock_timestamp()
  where id = job.id and account_id = job.account_id;
  return credits.job_result(job.id, job.account_id, 'settled');
end;
$$;
comment on function public.settle_generation(uuid, jsonb, bigint) is
  'Ends a job with its output. p_actual_cost, in whole credits: what is below the charge is refunded at once, what is above is '
  'capped at the charge. Idempotent: a second settle is unchanged; a settle after the refund is late: recorded, never charged. '
  'Raises PT404 for an unknown job, 22023 without an output.';
revoke all on function public.settle_generation(uuid, jsonb, bigint) from public, anon, authenticated, service_role;
grant execute on function public.settle_generation(uuid, jsonb, bigint) to service_role;

create function public.fail_generation(p_job_id uuid, p_error jsonb default null)
returns public.job_verdict
language plpgsql
security definer
set search_path = ''
as $$
begin
  return credits.job_end_refunded(
    credits.job_lock(p_job_id), 'failed', coalesce(p_error, '{"code": "provider_failed"}'), 'generation failed');
end;
$$;
comment on function public.fail_generation(uuid, jsonb) is
  'Ends a job as failed and refunds it whole. p_error: {"code", "message"}, shown to the user. '
  'Idempotent; a job that has ended is unchanged. Raises PT404 for an unknown job.';
revoke all on function public.fail_generation(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.fail_generation(uuid, jsonb) to service_role;

create function public.cancel_generation(p_job_id uuid)
returns public.job_verdict
language plpgsql
security definer
set search_path = ''
as $$
begin
  return credits.job_end_refunded(credits.job_lock(p_job_id), 'canceled', '{"code": "canceled"}', 'generation canceled');
end;
$$;
comment on function public.cancel_generation(uuid) is
  'Ends a job as canceled and refunds it whole. Idempotent; a job that has ended is unchanged. Raises PT404 for an unknown job.';
revoke all on function public.cancel_generation(uuid) from public, anon, authenticated, service_role;
grant execute on function public.cancel_generation(uuid) to service_role;

create function credits.job_sweep(p_account_id uuid, p_job_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
declare
  job public.generation_jobs;
begin
  perform from public.credit_accounts where id = p_account_id for update skip locked;
  if not found then
    return false;
  end if;
  select * into strict job from public.generation_jobs where id = p_job_id and account_id = p_account_id for update;
  if job.status not in ('pending', 'running') then
    return false;
  end if;
  perform credits.job_end_refunded(job, 'expired',
    '{"code": "deadline_exceeded", "message": "The generation did not end by its deadline."}', 'deadline exceeded');
  return true;
end;
$$;
comment on function credits.job_sweep(uuid, uuid) is
  'Expires and refunds one overdue job. False when its account is busy (the next sweep takes it) or the job has ended meanwhile.';
revoke all on function credits.job_sweep(uuid, uuid) from public, anon, authenticated, service_role;

create function public.sweep_overdue_jobs(p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = ''
as $$
declare
  overdue record;
  swept integer := 0;
begin
  -- By account: two sweeps at once, and a transfer, lock accounts in the same order.
  for overdue in
    select account_id, id from public.generation_jobs
    where status in ('pending', 'running') and deadline_at <= now()
    order by account_id, deadline_at limit least(greatest(p_limit, 0), 100000)
  loop
    swept := swept + credits.job_sweep(overdue.account_id, overdue.id)::integer;
  end loop;
  return swept;
end;
$$;
comment on function public.sweep_overdue_jobs(integer) is
  'Expires and refunds up to p_limit jobs that are past their deadline; returns how many. Safe beside traffic and beside '
  'itself: it never waits for a busy account. Meant to run every minute.';
revoke all on function public.sweep_overdue_jobs(integer) from public, anon, authenticated, service_role;
grant execute on function public.sweep_overdue_jobs(integer) to service_role;
