-- Gives: refund_credits, and the one rule by which a job's credits go back: refunds, and what a job did not use.
-- Keeps: 0 <= refunded <= cost (invariant 3); credits return to the grants that they came from, last consumed
-- first. Where such a grant has expired, a failure of ours costs the user nothing, once; no refund makes credits live
-- on otherwise.
-- Needs: granting, events, members, app keys; when called: generation, roll over.

create function credits.grace_end(p_source public.credit_grants)
returns timestamptz
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- The wall clock, not the transaction's: the caller may have waited for its lock.
  ends timestamptz := coalesce(p_source.grace_ends_at, clock_timestamp() + make_interval(secs => (
    select refund_grace_seconds from public.credit_settings)));
begin
  if p_source.grace_ends_at is null then
    update public.credit_grants set grace_ends_at = ends, seal = credits.grace_seal(seal, ends)
    where account_id = p_source.account_id and id = p_source.id;
  end if;
  return ends;
end;
$$;
comment on function credits.grace_end(public.credit_grants) is
  'When the grace period of an expired grant ends, which begins with the first that asks. The caller holds the '
  'account''s lock.';

create function credits.grace_grant(p_source public.credit_grants, p_amount bigint, p_ends_at timestamptz)
returns bigint
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_grants (account_id, kind, amount, priority, expires_at, grace_ends_at, makes_good, reason)
  values (p_source.account_id, 'refund', p_amount, p_source.priority, p_ends_at, '-infinity', p_source.id,
    format('refund to grant %s, which has expired', p_source.id))
  returning id;
$$;
comment on function credits.grace_grant(public.credit_grants, bigint, timestamptz) is
  'The grant in which credits of an expired one come back for its grace period, still empty.';

create function credits.refund_return(
  p_account public.credit_accounts, p_kind public.credit_entry_kind, p_job_id uuid, p_source public.credit_grants,
  p_amount bigint,
  p_reason text, p_details jsonb, p_grace boolean
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expired boolean;
  grace_ends_at timestamptz;
  in_grace boolean;
  lost bigint;
  repaid bigint;
  target bigint := p_source.id;
begin
  expired := coalesce(p_source.expires_at <= clock_timestamp(), false);
  grace_ends_at := case when expired and p_grace then credits.grace_end(p_source) end;
  in_grace := coalesce(grace_ends_at > clock_timestamp(), false);
  lost := case when expired and not in_grace then p_amount when p_grace then 0
    else credits.roll_over_excess(p_account, p_source, p_amount, p_job_id) end;
  repaid := least(p_account.overdraft_used, p_amount - lost);
  if repaid > 0 then
    p_account := credits.overdraft_fill(p_account, p_source.id, repaid, p_kind, p_job_id, p_reason,
      jsonb_build_object('source_grant_id', p_source.id) || p_details);
  end if;
  if repaid = p_amount then
    return p_account;
  end if;
  if in_grace then
    target := credits.grace_grant(p_source, p_amount - repaid, grace_ends_at);
    p_reason := concat_ws('; ', left(p_reason, 400), format('refund to grant %s, which has expired', p_source.id));
    p_details := jsonb_build_object('source_grant_id', p_source.id) || p_details;
  end if;
  p_account := credits.entry_append(p_account.id, p_amount - repaid, p_kind, target, p_job_id, p_reason,
    nullif(p_details, '{}'));
  if exists (select from credits.debts_owed where account_id = p_account.id and grant_id = p_source.id) then
    -- What was taken back of this very grant is owed no more: its credits have come back, expired or not.
    p_account := credits.debt_collect(p_account, target);
    lost := least(lost, (select remaining from public.credit_grants where account_id = p_account.id and id = target));
  end if;
  if lost > 0 then
    -- Back where they came from, and gone as they would be by now: both are to be seen.
    p_account := credits.grant_expire(p_account, target, lost, 'expiry',
      case when expired then 'grant expired before the refund' else 'beyond the roll-over cap' end);
  end if;
  return credits.debt_collect(p_account, target);
end;
$$;
comment on function credits.refund_return(public.credit_accounts, public.credit_entry_kind, uuid, public.credit_grants,
  bigint, text, jsonb, boolean) is
  'Gives credits back to the grant that they came from, filling the overdraft first. Where it has expired they '
  'expire at once, or with p_grace come back in a grant of their own until its grace period ends. Takes and returns '
  'the locked account.';

create function credits.refund_overdrawn(
  p_account public.credit_accounts, p_kind public.credit_entry_kind, p_job_id uuid, p_amount bigint, p_reason text,
  p_details jsonb, p_grace boolean
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  filler public.credit_grants;
  part bigint := least(p_account.overdraft_used, p_amount);
  rest bigint := p_amount - part;
begin
  p_details := p_details || '{"source_grant_id": 0}';
  if part > 0 then
    p_account := credits.overdraft_fill(p_account, null, part, p_kind, p_job_id, p_reason, p_details);
  end if;
  for filler in
    select * from public.credit_grants where account_id = p_account.id and repaid > 0 and rest > 0 order by id desc
  loop
    exit when rest = 0;
    part := least(filler.repaid, rest);
    rest := rest - part;
    update public.credit_grants set repaid = repaid - part where account_id = p_account.id and id = filler.id;
    p_account := credits.refund_return(p_account, p_kind, p_job_id, filler, part, p_reason,
      p_details || jsonb_build_object('repaid_to_grant_id', filler.id), p_grace);
  end loop;
  if rest > 0 then
    perform credits.raise_misuse('XX001',
      format('account %s was overdrawn by %s credits less than job %s says', p_account.id, rest, p_job_id),
      'The ledger and the grants disagree: look at reconciliation_discrepancies.');
  end if;
  return p_account;
end;
$$;
comment on function credits.refund_overdrawn(public.credit_accounts, public.credit_entry_kind, uuid, bigint, text,
  jsonb, boolean) is
  'Gives back what a job took out of the overdraft: to the overdraft, and what has been filled up since to the '
  'grants that filled it, the newest first. Takes and returns the locked account.';

create function credits.refund_book(
  p_account_id uuid, p_kind public.credit_entry_kind, p_job_id uuid, p_amount bigint, p_reason text, p_refund_key text,
  p_grace boolean,
  p_member_id uuid, p_charged_at timestamptz
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  home public.credit_grants;
  source record;
  part bigint;
  rest bigint := p_amount;
  details jsonb := case when p_refund_key is not null then jsonb_build_object('refund_key', p_refund_key) end;
begin
  for source in
    -- The grants that paid (0: the overdraft) and what each is still owed, last consumed first. A refund that
    -- went elsewhere than it came from names its source, so it counts against that.
    select coalesce((metadata ->> 'source_grant_id')::bigint, l.grant_id, 0) as grant_id,
      -sum(delta)::bigint as outstanding
    from public.credit_ledger as l where account_id = p_account_id and job_id = p_job_id
    group by 1 having sum(delta) < 0
    order by max(seq) filter (where delta < 0) desc
  loop
    exit when rest = 0;
    part := least(source.outstanding, rest);
    rest := rest - part;
    if exists (
      select from public.credit_accounts as a join public.credit_grants as g on g.account_id = a.id
        and g.id = source.grant_id
      where a.id = p_account_id and a.overdraft_used = 0 and a.debt = 0
        and (g.expires_at is null or g.expires_at > clock_timestamp()) and (p_grace or g.kind <> 'refill')) then
      -- As nearly always: nothing is overdrawn or owed, nothing has expired or rolled over.
      perform credits.entry_append(p_account_id, part, p_kind, source.grant_id, p_job_id, p_reason, details);
      continue;
    end if;
    select * into strict account from public.credit_accounts where id = p_account_id;
    if source.grant_id = 0 then
      perform credits.refund_overdrawn(account, p_kind, p_job_id, part, p_reason, coalesce(details, '{}'), p_grace);
    else
      select * into strict home from public.credit_grants where account_id = p_account_id and id = source.grant_id;
      perform credits.refund_return(account, p_kind, p_job_id, home, part, p_reason, coalesce(details, '{}'), p_grace);
    end if;
  end loop;
  if p_member_id is not null then
    perform credits.member_spend(p_account_id, p_member_id, -p_amount, p_charged_at);
  end if;
  perform credits.app_key_spend(p_account_id, p_job_id, -p_amount, p_charged_at);
  if rest <> 0 then
    perform credits.raise_misuse('XX001',
      format('job %s has %s credits less in the ledger than it should', p_job_id, rest),
      'The ledger and the job disagree: look at reconciliation_discrepancies.');
  end if;
end;
$$;
comment on function credits.refund_book(uuid, public.credit_entry_kind, uuid, bigint, text, text, boolean, uuid,
  timestamptz) is
  'Books in the ledger, source by source, what goes back of a charge. p_kind: release for what a job did not use, '
  'else refund. p_grace: the user is not to lose by it what has expired meanwhile, as the failure was none of '
  'theirs. p_member_id: who asked for the job, charged at p_charged_at. The caller holds the locks and updates the '
  'job.';

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

create function public.refund_credits(
  p_job_id uuid,
  p_amount bigint default null,
  p_reason text default null
)
returns public.generation_job_result
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
    perform credits.raise_misuse('22023', 'amount must be at least 1 credit',
      'Leave it out to refund all that is left.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  if amount = 0 and p_amount is null and job.status in ('pending', 'running') then
    -- A free model's, or one that was refunded in parts: it ends.
    return credits.job_end_refunded(job.id, 'canceled', null, p_reason);
  end if;
  if amount = 0 or (p_amount is not null and credits.refund_was_booked(job, refund_key)) then
    return credits.job_result(job, 'unchanged');
  end if;
  perform credits.refund_book(job.account_id, 'refund', job.id, amount, p_reason,
    case when p_amount is not null then refund_key end, true,
    job.member_id, job.created_at);
  perform credits.event_emit(job.account_id, 'job.refunded',
    jsonb_build_object('job_id', job.id, 'credits', amount, 'reason', p_reason));
  update public.generation_jobs
  set refunded = refunded + amount,
      status = case when status in ('pending', 'running') and refunded + amount = cost then 'canceled' else status end,
      ended_at = case when status in ('pending', 'running') and refunded + amount = cost then clock_timestamp()
        else ended_at end
  where id = job.id and account_id = job.account_id
  returning * into strict job;
  return credits.job_result(job, 'refunded');
end;
$$;
comment on function public.refund_credits(uuid, bigint, text) is
  'Refunds a job, in whole credits: all that is left (p_amount null), or a part, never more than was charged and not '
  'yet refunded. Idempotent: a second full refund moves nothing, and a part with the same amount and reason counts '
  'once (give another reason for another refund). A job that is still open and refunded whole ends as canceled. What '
  'has expired meanwhile comes back for its grace period: where a user changes their mind, call cancel_generation. '
  'Raises PT404 for an unknown job, 22023 for an amount below 1.';
