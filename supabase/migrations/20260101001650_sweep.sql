-- Gives: the sweeper, which ends and refunds what nobody ended.
-- Keeps: every charge ends, settled or refunded by its deadline (invariant 4), whatever dies in between.
-- Needs: generation, bulk.

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
revoke all on function credits.sweep_grace() from public, anon, authenticated, service_role;
-- The views run as their reader. Without usage on the schema nobody can call it by name.
grant execute on function credits.sweep_grace() to service_role;

create function credits.deadline_exceeded()
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select '{"code": "deadline_exceeded", "message": "The generation did not end by its deadline."}'::jsonb;
$$;
comment on function credits.deadline_exceeded() is 'The error of a job that was swept.';
revoke all on function credits.deadline_exceeded() from public, anon, authenticated, service_role;

create function credits.job_sweep(p_account_id uuid, p_job_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
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
  perform credits.job_end_refunded(job, 'expired', credits.deadline_exceeded(), 'deadline exceeded');
  return true;
end;
$$;
comment on function credits.job_sweep(uuid, uuid) is
  'Expires and refunds one overdue job. False when its account is busy (the next sweep takes it) or the job has ended meanwhile.';
revoke all on function credits.job_sweep(uuid, uuid) from public, anon, authenticated, service_role;

create function credits.sweep_plan(p_account_ids uuid[], p_job_ids uuid[])
returns credits.movement[]
language sql
stable
set search_path = '', pg_temp
as $$
  with due as (
    select j.account_id, j.id, j.cost, j.deadline_at
    from unnest(p_account_ids, p_job_ids) as d (account_id, id)
    join public.credit_accounts as a on a.id = d.account_id and a.overdraft_used = 0 and a.debt = 0
    join public.generation_jobs as j on j.id = d.id and j.account_id = d.account_id
    where j.status in ('pending', 'running') and j.refunded = 0 and j.member_id is null
  ),
  sources as (
    select d.account_id, d.id as job_id, d.cost, d.deadline_at, l.grant_id, -sum(l.delta) as amount, max(l.seq) as seq,
      bool_and(l.delta < 0 and g.id is not null) as plain
    from due as d
    join public.credit_ledger as l on l.account_id = d.account_id and l.job_id = d.id
    left join public.credit_grants as g on g.account_id = l.account_id and g.id = l.grant_id
      and (g.expires_at is null or g.expires_at > clock_timestamp())
    group by d.account_id, d.id, d.cost, d.deadline_at, l.grant_id
  ),
  jobs as (
    select s.*, bool_and(s.plain) over job and sum(s.amount) over job = s.cost as is_plain
    from sources as s window job as (partition by s.account_id, s.job_id)
  ),
  plan as (
    -- As refund_book does: the grant that paid last is refunded first.
    select row(account_id, row_number() over (partition by account_id order by deadline_at, job_id, seq desc),
      amount, 'refund', grant_id, job_id, 'deadline exceeded')::credits.movement as movement
    from jobs where is_plain
  )
  select array_agg(movement) from plan;
$$;
comment on function credits.sweep_plan(uuid[], uuid[]) is
  'The refunds of those of the jobs that are plain: charged to grants that are still live, nothing refunded, no member, overdraft or debt. '
  'The caller holds the accounts'' locks.';
revoke all on function credits.sweep_plan(uuid[], uuid[]) from public, anon, authenticated, service_role;

create function credits.jobs_sweep(p_account_ids uuid[], p_job_ids uuid[])
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  free_ids uuid[];
  open_ids uuid[];
  movements credits.movement[];
  swept uuid[];
begin
  free_ids := array(select id from public.credit_accounts where id = any (p_account_ids) order by id for update skip locked);
  -- Another statement, which sees what the last holder of a lock has done. A settlement as charged locks its job alone.
  open_ids := array(
    select id from public.generation_jobs
    where id = any (p_job_ids) and account_id = any (free_ids) and status in ('pending', 'running') order by id for update skip locked);
  select credits.sweep_plan(array_agg(d.account_id), array_agg(d.id)) into movements
  from unnest(p_account_ids, p_job_ids) as d (account_id, id) where d.id = any (open_ids);
  if movements is null then
    return '{}'::uuid[];
  end if;
  perform from credits.movements_book(movements);
  update public.credit_grants as g set remaining = g.remaining + m.amount, is_open = true
  from (select account_id, grant_id, sum(delta)::bigint as amount from unnest(movements) group by account_id, grant_id) as m
  where g.account_id = m.account_id and g.id = m.grant_id;
  with jobs as (
    select account_id, job_id, reason, sum(delta) as credits from unnest(movements) group by account_id, job_id, reason
  ),
  announced as (
    insert into public.credit_events (account_id, type, payload)
    select account_id, 'job.refunded',
      jsonb_build_object('account_id', account_id, 'job_id', job_id, 'credits', credits, 'reason', reason)
    from jobs
  ),
  ended as (
    update public.generation_jobs as j
    set status = 'expired', refunded = j.cost, error = credits.deadline_exceeded(), ended_at = clock_timestamp()
    from jobs as m where j.id = m.job_id and j.account_id = m.account_id
    returning j.id
  )
  select array_agg(id) into swept from ended;
  return swept;
end;
$$;
comment on function credits.jobs_sweep(uuid[], uuid[]) is
  'Expires and refunds those of the jobs that are plain and whose account is not busy, together; returns them.';
revoke all on function credits.jobs_sweep(uuid[], uuid[]) from public, anon, authenticated, service_role;

create function credits.batch_sweep(p_account_ids uuid[], p_job_ids uuid[])
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  swept uuid[] := '{}'::uuid[];
  others integer := 0;
  rest record;
begin
  begin
    swept := credits.jobs_sweep(p_account_ids, p_job_ids);
  exception when others then
    raise notice 'jobs are swept one by one: %', sqlerrm;
  end;
  for rest in
    select account_id, id from unnest(p_account_ids, p_job_ids) with ordinality as d (account_id, id, place)
    where id not in (select unnest(swept)) order by place
  loop
    begin
      others := others + credits.job_sweep(rest.account_id, rest.id)::integer;
    exception when others then
      -- A job whose books are wrong stays open, where alerts and reconciliation see it; the others go on.
      raise warning 'job % cannot be refunded: %', rest.id, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return cardinality(swept) + others;
end;
$$;
comment on function credits.batch_sweep(uuid[], uuid[]) is
  'Expires and refunds jobs: the plain ones together, the others one by one, and all of them so if anything raises.';
revoke all on function credits.batch_sweep(uuid[], uuid[]) from public, anon, authenticated, service_role;

create function public.sweep_overdue_jobs(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  batch record;
  swept integer := 0;
begin
  perform credits.caller_check('sweep_overdue_jobs');
  -- By account: two sweeps at once, and a transfer, lock accounts in the same order.
  for batch in
    select array_agg(o.account_id order by o.place) as account_ids, array_agg(o.id order by o.place) as job_ids
    from (
      select account_id, id, row_number() over (order by account_id, deadline_at, id) as place from public.generation_jobs
      where status in ('pending', 'running') and deadline_at <= now()
      order by account_id, deadline_at, id limit least(greatest(p_limit, 0), 100000)
    ) as o group by (o.place - 1) / 1000 order by (o.place - 1) / 1000
  loop
    swept := swept + credits.batch_sweep(batch.account_ids, batch.job_ids);
  end loop;
  return swept;
end;
$$;
comment on function public.sweep_overdue_jobs(integer) is
  'Expires and refunds up to p_limit jobs that are past their deadline; returns how many. Safe beside traffic and beside '
  'itself: it never waits for a busy account. A job that cannot be refunded is left open with a warning. Meant to run every minute.';
revoke all on function public.sweep_overdue_jobs(integer) from public, anon, authenticated, service_role;
grant execute on function public.sweep_overdue_jobs(integer) to service_role;
