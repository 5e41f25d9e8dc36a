-- Gives: the sweeper, which ends and refunds overdue jobs.
-- Keeps: every charge ends, settled or refunded by its deadline (invariant 4), even if the function or the provider
--   dies in between.
-- Needs: generation, text settle, bulk, usage, app keys, provider jobs.

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
declare
  settled public.generation_job_result;
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
  settled := credits.text_settle_by_progress(p_account_id, p_job_id, 'deadline');
  if settled.job_id is not null then
    return true;
  end if;
  perform credits.job_end_refunded(p_job_id, 'expired', credits.deadline_exceeded(), 'deadline exceeded');
  return true;
end;
$$;
comment on function credits.job_sweep(uuid, uuid) is
  'Ends one overdue job: a text of which something was delivered is settled by its progress, any other job expires '
  'and is refunded. False when its account or the job is busy (the next sweep takes it) or the '
  'job has ended meanwhile.';

create function credits.jobs_sweep(p_account_ids uuid[], p_job_ids uuid[])
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  free_ids uuid[];
  movements credits.movement[];
begin
  free_ids := array(select id from public.credit_accounts
    where id = any (p_account_ids) and overdraft_used = 0 and debt = 0 order by id for update skip locked);
  -- A statement of its own, so that it sees what the last holder of a lock has committed.
  with due as materialized (
    select j.account_id, j.id, j.cost, j.deadline_at
    from unnest(p_account_ids, p_job_ids) as d (account_id, id)
    join public.generation_jobs as j on j.id = d.id and j.account_id = d.account_id
      and j.status in ('pending', 'running') and j.refunded = 0
    where d.account_id = any (free_ids)
      -- What was delivered of a text is charged: one by one.
      and not exists (select from public.generation_usage as u
        where u.account_id = j.account_id and u.job_id = j.id and u.usage_source = 'progress')
    for update of j skip locked
  )
  select array_agg(row(d.account_id, d.place, d.cost, 'refund', d.grant_id, d.id,
    'deadline exceeded')::credits.movement)
  into movements
  from (
    select d.*, l.grant_id, row_number() over (partition by d.account_id order by d.deadline_at, d.id) as place
    from due as d
    cross join lateral (
      select min(e.grant_id) as grant_id, count(*) as entries, -sum(e.delta) as paid from public.credit_ledger as e
      where e.account_id = d.account_id and e.job_id = d.id) as l
    join public.credit_grants as g on g.account_id = d.account_id and g.id = l.grant_id
    where l.entries = 1 and l.paid = d.cost and (g.expires_at is null or g.expires_at > clock_timestamp())
  ) as d;
  if movements is null then
    return '{}'::uuid[];
  end if;
  update public.credit_grants as g set remaining = g.remaining + m.credits, is_open = true
  from (select account_id, grant_id, sum(delta) as credits from unnest(movements) group by 1, 2) as m
  where g.account_id = m.account_id and g.id = m.grant_id;
  perform from credits.movements_book(movements);
  perform credits.member_spend(j.account_id, j.member_id, -j.cost, j.created_at)
  from unnest(movements) as m join public.generation_jobs as j on j.id = m.job_id and j.account_id = m.account_id
  where j.member_id is not null;
  perform credits.app_key_spend(u.account_id, u.job_id, -m.delta, j.created_at)
  from unnest(movements) as m join public.generation_jobs as j on j.id = m.job_id and j.account_id = m.account_id
  join public.generation_usage as u on u.account_id = j.account_id and u.job_id = j.id and u.app_key_id is not null;
  insert into public.credit_events (account_id, type, payload)
  select m.account_id, 'job.refunded', jsonb_build_object('account_id', m.account_id, 'job_id', m.job_id,
    'credits', m.delta, 'reason', m.reason)
  from unnest(movements) as m;
  update public.generation_jobs as j
  set status = 'expired', refunded = j.cost, error = credits.deadline_exceeded(), ended_at = clock_timestamp()
  from unnest(movements) as m where j.id = m.job_id and j.account_id = m.account_id;
  perform credits.ended_files_delete(m.account_id, array_agg(m.job_id)) from unnest(movements) as m
  group by m.account_id;
  return array(select m.job_id from unnest(movements) as m);
end;
$$;
comment on function credits.jobs_sweep(uuid[], uuid[]) is
  'Expires and refunds, all together, the overdue jobs that one grant paid whole and nothing has happened to since, '
  'whose account is not busy and owes nothing; returns their ids.';

create function credits.jobs_overdue(p_limit integer, out account_ids uuid[], out job_ids uuid[])
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  salt constant bigint := extract(epoch from clock_timestamp()) * 1000;
begin
  -- The order of accounts changes with each run: an account whose refund takes the whole run does not always hold up
  -- the same others.
  select array_agg(d.account_id), array_agg(d.id) into account_ids, job_ids
  from (
    select account_id, id from public.generation_jobs
    where status in ('pending', 'running') and deadline_at <= now()
    order by uuid_hash_extended(account_id, salt), account_id, deadline_at, id
    limit least(greatest(p_limit, 0), 100000)) as d;
end;
$$;
comment on function credits.jobs_overdue(integer) is
  'Up to p_limit open jobs past their deadline, the accounts in random order, each one''s jobs together.';

create function credits.provider_jobs_clear(p_limit integer)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  delete from public.generation_provider_jobs
  where (account_id, job_id) in (
    select p.account_id, p.job_id from public.generation_provider_jobs as p
    where p.next_ask_at <= clock_timestamp() and not exists (select from public.generation_jobs as j
      where j.id = p.job_id and j.account_id = p.account_id and j.status in ('pending', 'running'))
    order by p.next_ask_at limit p_limit for update of p skip locked);
end;
$$;
comment on function credits.provider_jobs_clear(integer) is
  'Deletes what is known of jobs at their providers that have ended, once they would be due to be asked about.';

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
  account_ids uuid[];
  job_ids uuid[];
  done uuid[];
  due record;
  first integer := 1;
  last integer := 1;
  swept integer := 0;
begin
  perform credits.caller_check('sweep_overdue_jobs');
  select * into account_ids, job_ids from credits.jobs_overdue(p_limit);
  <<run>>
  while first <= cardinality(job_ids) and clock_timestamp() < ends_at loop
    -- Small batches first, so that a refund which takes the whole run does not undo all others; accounts whole.
    last := first + least(first, 256) - 1;
    while account_ids[last + 1] = account_ids[last] loop
      last := last + 1;
    end loop;
    begin
      done := credits.jobs_sweep(account_ids[first:last], job_ids[first:last]);
    exception
      when query_canceled then
        -- The statement timed out or was canceled. Earlier refunds stay.
        raise warning 'jobs % were not refunded in time, and the run ends', job_ids[first:last]
          using errcode = sqlstate;
        exit run;
      when others then
        done := '{}'::uuid[];
        raise notice 'jobs are refunded one by one: %', sqlerrm;
    end;
    swept := swept + cardinality(done);
    for due in
      select d.account_id, d.id from unnest(account_ids[first:last], job_ids[first:last]) as d (account_id, id)
      where d.id <> all (done)
    loop
      exit run when clock_timestamp() > ends_at;
      begin
        swept := swept + credits.job_sweep(due.account_id, due.id)::integer;
      exception
        when query_canceled then
          raise warning 'job % was not refunded in time, and the run ends', due.id using errcode = sqlstate;
          exit run;
        when others then
          -- A job whose books are wrong stays open, where alerts and reconciliation see it. The others go on.
          raise warning 'job % cannot be refunded: %', due.id, sqlerrm using errcode = sqlstate;
      end;
    end loop;
    first := last + 1;
  end loop;
  perform credits.provider_jobs_clear(10000);
  return swept;
end;
$$;
comment on function public.sweep_overdue_jobs(integer) is
  'Expires and refunds up to p_limit jobs past their deadline, for ten seconds at most; returns how many. A text of '
  'which something was delivered is settled by its progress instead. Plain ones '
  'are ended together, in batches; where a batch raises, and what is not plain, one by one. A job that cannot be '
  'refunded, or not within a second''s wait for a lock, stays open with a warning, and so does a batch during which '
  'the statement times out; the others stay refunded. Safe to run during traffic and more than once at a time: it '
  'never waits for a busy account. Meant to run every minute.';
