-- Gives: refund_credits, and the one rule by which a job's credits go back.
-- Keeps: 0 <= refunded <= cost (invariant 3); credits return to the grants that they came from, last consumed
--   first, and are never lost when such a grant has expired.
-- Needs: granting, events, members.

create function credits.refund_detour(p_reason text, p_source_grant_id bigint)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return concat_ws('; ', left(p_reason, 400), case when p_source_grant_id <> 0
    then format('refund to grant %s, which has expired', p_source_grant_id)
    else 'refund of overdraft that has been filled up' end);
end;
$$;
comment on function credits.refund_detour(text, bigint) is 'The reason of a refund, and why it went elsewhere than it came from (0: the overdraft).';
revoke all on function credits.refund_detour(text, bigint) from public, anon, authenticated, service_role;

create function credits.refund_life(p_job public.generation_jobs, p_source_grant_id bigint)
returns interval
language sql
stable
set search_path = '', pg_temp
as $$
  -- A grace period once: what came back already gets the time that it had left, or it could be renewed for ever. An hour at
  -- least, which is the shortest grace period that can be set: nothing is lost because a provider failed late.
  select case when g.kind = 'refund' then greatest(g.expires_at - p_job.created_at, interval '1 hour')
    else make_interval(secs => s.refund_grace_seconds) end
  from public.credit_settings as s
  left join public.credit_grants as g on g.account_id = p_job.account_id and g.id = p_source_grant_id;
$$;
comment on function credits.refund_life(public.generation_jobs, bigint) is
  'How long credits live that are refunded in place of a grant that has expired: the grace period, and the second time as long as they '
  'had left when they were charged, an hour at least.';
revoke all on function credits.refund_life(public.generation_jobs, bigint) from public, anon, authenticated, service_role;

create function credits.refund_target(p_job public.generation_jobs, p_source_grant_id bigint, p_amount bigint)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
declare
  target bigint;
begin
  insert into public.credit_grants (account_id, kind, amount, expires_at, reason)
  -- The wall clock, not the transaction's: the caller may have waited for its lock.
  values (p_job.account_id, 'refund', p_amount,
    case when p_source_grant_id <> 0 then clock_timestamp() + credits.refund_life(p_job, p_source_grant_id) end,
    credits.refund_detour(null, p_source_grant_id))
  returning id into strict target;
  return target;
end;
$$;
comment on function credits.refund_target(public.generation_jobs, bigint, bigint) is
  'Where a job''s refund goes that cannot go back: a new grant, which expires where its source has (0: the overdraft).';
revoke all on function credits.refund_target(public.generation_jobs, bigint, bigint) from public, anon, authenticated, service_role;

create function credits.refund_book(
  p_job public.generation_jobs, p_amount bigint, p_reason text, p_refund_key text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  source record;
  part bigint;
  target bigint;
  repaid bigint;
  rest bigint := p_amount;
  details jsonb;
begin
  select * into strict account from public.credit_accounts where id = p_job.account_id;
  for source in
    -- The grants that paid (0: the overdraft) and what each is still owed, last consumed first. A refund that
    -- went elsewhere than it came from names its source, so it counts against that.
    select e.grant_id, -sum(e.delta)::bigint as outstanding, exists (
      select from public.credit_grants as g
      where g.account_id = p_job.account_id and g.id = e.grant_id and (g.expires_at is null or g.expires_at > clock_timestamp())
    ) as is_spendable
    from (
      select delta, seq, coalesce((metadata ->> 'source_grant_id')::bigint, l.grant_id, 0) as grant_id
      from public.credit_ledger as l where account_id = p_job.account_id and job_id = p_job.id
    ) as e
    group by e.grant_id having sum(e.delta) < 0
    order by max(e.seq) filter (where e.delta < 0) desc
  loop
    exit when rest = 0;
    part := least(source.outstanding, rest);
    rest := rest - part;
    details := jsonb_strip_nulls(jsonb_build_object('refund_key', p_refund_key));
    repaid := least(account.overdraft_used, part);
    if repaid > 0 then
      account := credits.entry_append(account, repaid, 'refund', null, p_job.id, p_reason,
        details || jsonb_build_object('source_grant_id', source.grant_id));
      account := credits.credit_limit_lower(account);
    end if;
    continue when repaid = part;
    target := case when source.is_spendable then source.grant_id
      else credits.refund_target(p_job, source.grant_id, part - repaid) end;
    account := credits.entry_append(account, part - repaid, 'refund', target, p_job.id,
      case when target = source.grant_id then p_reason else credits.refund_detour(p_reason, source.grant_id) end,
      nullif(details || case when target <> source.grant_id
        then jsonb_build_object('source_grant_id', source.grant_id) else '{}' end, '{}'));
    account := credits.debt_collect(account, target);
  end loop;
  perform credits.member_spend(p_job.account_id, p_job.member_id, -p_amount, p_job.created_at);
  if rest <> 0 then
    perform credits.raise_misuse('XX001', format('job %s has %s credits less in the ledger than it should', p_job.id, rest),
      'The ledger and the job disagree: look at reconciliation_discrepancies.');
  end if;
end;
$$;
comment on function credits.refund_book(public.generation_jobs, bigint, text, text) is
  'Books a refund in the ledger, source by source, filling the overdraft first. The caller holds the locks and updates the job.';
revoke all on function credits.refund_book(public.generation_jobs, bigint, text, text)
  from public, anon, authenticated, service_role;

create function credits.refund_announce(p_job public.generation_jobs, p_credits bigint, p_reason text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.event_emit(p_job.account_id, 'job.refunded',
    jsonb_build_object('job_id', p_job.id, 'credits', p_credits, 'reason', p_reason));
end;
$$;
comment on function credits.refund_announce(public.generation_jobs, bigint, text) is
  'Announces a refund (event job.refunded). What a settled job did not use goes back without: that is its price.';
revoke all on function credits.refund_announce(public.generation_jobs, bigint, text) from public, anon, authenticated, service_role;

create function credits.refund_was_booked(p_job public.generation_jobs, p_refund_key text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from public.credit_ledger
    where account_id = p_job.account_id and job_id = p_job.id and metadata ->> 'refund_key' = p_refund_key);
end;
$$;
comment on function credits.refund_was_booked(public.generation_jobs, text) is
  'Whether a part of a job with this key was refunded before.';
revoke all on function credits.refund_was_booked(public.generation_jobs, text) from public, anon, authenticated, service_role;

create function public.refund_credits(
  p_job_id uuid,
  p_amount bigint default null,
  p_reason text default null
)
returns public.job_verdict
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  refund_key text := format('%s:%s', p_amount, coalesce(p_reason, ''));
  amount bigint;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('refund_credits');
  end if;
  job := credits.job_lock(p_job_id);
  amount := least(coalesce(p_amount, job.cost), job.cost - job.refunded);
  if p_amount < 1 then
    perform credits.raise_misuse('22023', 'amount must be at least 1 credit', 'Leave it out to refund all that is left.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  if amount = 0 or (p_amount is not null and credits.refund_was_booked(job, refund_key)) then
    return credits.job_result(job, 'unchanged');
  end if;
  perform credits.refund_book(job, amount, p_reason, case when p_amount is not null then refund_key end);
  perform credits.refund_announce(job, amount, p_reason);
  update public.generation_jobs
  set refunded = refunded + amount,
      status = case when status in ('pending', 'running') and refunded + amount = cost then 'canceled' else status end,
      ended_at = case when status in ('pending', 'running') and refunded + amount = cost then clock_timestamp() else ended_at end
  where id = job.id and account_id = job.account_id
  returning * into strict job;
  return credits.job_result(job, 'refunded');
end;
$$;
comment on function public.refund_credits(uuid, bigint, text) is
  'Refunds a job, in whole credits: all that is left (p_amount null), or a part, never more than was charged and not yet '
  'refunded. Idempotent: a second full refund moves nothing, and a part with the same amount and reason counts once (give '
  'another reason for another refund). A job that is still open and refunded whole ends as canceled. Raises PT404 for an unknown job, 22023 for an amount below 1.';
revoke all on function public.refund_credits(uuid, bigint, text) from public, anon, authenticated, service_role;
grant execute on function public.refund_credits(uuid, bigint, text) to service_role;
