-- Gives: the sweeper, which ends and refunds overdue jobs.
-- Keeps: every charge ends, settled or refunded by its deadline (invariant 4), even if the function or the provider
--   dies in between.
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
  'How long after its deadline a job may still be open, with a sweep every minute; after that alerts, metrics, checks '
  'and reconciliation report it.';

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
  -- A settlement of the charged amount locks only its job: do not wait for it either.
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
  'Expires and refunds one overdue job. False when its account or the job is busy (the next sweep takes it) or the '
  'job has ended meanwhile.';

create function public.sweep_overdue_jobs(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- For the other rows that a refund may wait for, such as a grant that is being announced.
set lock_timeout = '1s'
as $$
declare
  -- The accounts stay locked until the run ends, and their charges wait. The next run does the rest.
  ends_at constant timestamptz := clock_timestamp() + interval '10 seconds';
  salt constant bigint := extract(epoch from clock_timestamp()) * 1000;
  due record;
  swept integer := 0;
begin
  perform credits.caller_check('sweep_overdue_jobs');
  -- The order of accounts changes with each run: an account whose refund takes the whole run does not always hold up
  -- the same others.
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
        -- The statement timed out or was canceled. Earlier refunds stay.
        raise warning 'job % was not refunded in time, and the run ends', due.id using errcode = sqlstate;
        exit;
      when others then
        -- A job whose books are wrong stays open, where alerts and reconciliation see it. The others go on.
        raise warning 'job % cannot be refunded: %', due.id, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return swept;
end;
$$;
comment on function public.sweep_overdue_jobs(integer) is
  'Expires and refunds up to p_limit jobs past their deadline, for ten seconds at most; returns how many. Each is '
  'ended by itself. A job that cannot be refunded, or not within a second''s wait for a lock, stays open with a '
  'warning, and so does one during which the statement times out; the others stay refunded. Safe to run during '
  'traffic and more than once at a time: it never waits for a busy account. Meant to run every minute.';
