-- Gives: the sweeper, which ends and refunds what nobody ended.
-- Keeps: every charge ends, settled or refunded by its deadline (invariant 4), even if the function or the provider dies in between.
-- Needs: generation.

create function credits.sweep_grace()
returns interval
language sql
immutable
set search_path = '', pg_temp
as $$
  select interval '5 minutes';
$$;
comment on function credits.sweep_grace() is
  'How long after its deadline a job may still be open, with a sweep a minute; beyond that alerts, metrics, checks and reconciliation name it.';

create function credits.deadline_exceeded()
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select '{"code": "deadline_exceeded", "message": "The generation did not end by its deadline."}'::jsonb;
$$;
comment on function credits.deadline_exceeded() is 'The error of a job that was swept.';

create function credits.job_sweep(p_account_id uuid, p_job_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform from public.credit_accounts where id = p_account_id for update skip locked;
  if not found then
    return false;
  end if;
  -- A settlement as charged has its job's lock alone: it is not waited for either.
  perform from public.generation_jobs
  where id = p_job_id and account_id = p_account_id and status in ('pending', 'running') for update skip locked;
  if not found then
    return false;
  end if;
  perform credits.job_end_refunded(p_job_id, 'expired', credits.deadline_exceeded(), 'deadline exceeded');
  return true;
end;
$$;
comment on function credits.job_sweep(uuid, uuid) is
  'Expires and refunds one overdue job. False when its account or the job is busy (the next sweep takes it) or it has ended meanwhile.';

create function public.sweep_overdue_jobs(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- For what a refund may wait for beside its account and its job: a grant that is being announced, say.
set lock_timeout = '1s'
as $$
declare
  -- The accounts stay locked until the run ends, and their charges wait: the next run goes on.
  ends_at constant timestamptz := clock_timestamp() + interval '10 seconds';
  salt constant bigint := extract(epoch from clock_timestamp()) * 1000;
  due record;
  swept integer := 0;
begin
  perform credits.caller_check('sweep_overdue_jobs');
  -- In another order of accounts each time: one whose refund takes all of a run's time does not always hold up the same others.
  for due in
    select account_id, id from public.generation_jobs
    where status in ('pending', 'running') and deadline_at <= now()
    order by uuid_hash_extended(account_id, salt), account_id, deadline_at, id limit least(greatest(p_limit, 0), 100000)
  loop
    exit when clock_timestamp() > ends_at;
    begin
      swept := swept + credits.job_sweep(due.account_id, due.id)::integer;
    exception
      when query_canceled then
        -- The statement's time is up, or somebody ends it. What was refunded before stays refunded.
        raise warning 'job % was not refunded in time, and the run ends', due.id using errcode = sqlstate;
        exit;
      when others then
        -- A job whose books are wrong stays open, where alerts and reconciliation see it; the others go on.
        raise warning 'job % cannot be refunded: %', due.id, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return swept;
end;
$$;
comment on function public.sweep_overdue_jobs(integer) is
  'Expires and refunds up to p_limit jobs that are past their deadline, for ten seconds at most; returns how many. Each is ended by '
  'itself: one that cannot be refunded, or not within a second''s wait for a lock, is left open with a warning, and so is one during which '
  'the statement''s time ends; the others stay refunded. Safe beside traffic and beside itself: it never waits for a busy account. Meant to run every minute.';
