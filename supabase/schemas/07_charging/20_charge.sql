-- Gives: atomic_charge_credits, the charge: one call, one round trip, one account lock.
-- Keeps: a denial counts towards the rate limit, unless its reason is the account, the member or the key; no charge
--   without a job, and no job without a charge unless it is free (invariant 3).
-- Needs: refill periods, events, members, burn down, charge answers; when called: due.
--
-- A charge locks optimistically. It reads without a lock, decides, and takes the account's lock only if
-- credit_accounts.version is still the one that it read: each change of something that a charge reads raises the
-- version in its own transaction. If the lock is not free or the version has changed, or monthly credits are due, the
-- charge waits for the lock, books what is due, reads again and decides again.

create view credits.charge_terms
with (security_invoker = true)
as
select a.id as account_id, a.version, a.user_id, a.closed_at, a.balance, a.credit_limit,
  a.overdraft_used, a.debt, a.last_seq, a.last_hash, a.last_entry_at, p.max_concurrent_jobs, p.allowed_models,
  -- A month lasts 28 days at least, so that mostly two dates are enough to know.
  p.scheduled_credits > 0 and case when a.refilled_for >= current_date - 25 then false
    else credits.refill_is_due(a.id) end as refill_is_due,
  p.rate_limit_requests, p.rate_limit_window_seconds, p.rate_window, p.rate_step, a.rate_full_at,
  s.settle_margin_seconds, s.low_balance_credits,
  g.id as grant_id, coalesce(g.remaining, 0) as grant_remaining,
  -- Counted up to the limit only: an account may have thousands.
  (select count(*) from (select from public.generation_jobs as j
    where j.account_id = a.id and j.status in ('pending', 'running') limit p.max_concurrent_jobs) as o) as open_jobs
from public.credit_accounts as a
join public.credit_plans as p on p.name = a.plan
left join public.credit_settings as s on s.only_row
left join lateral (
  select id, remaining from credits.spendable_grants where account_id = a.id order by priority, expires_at, id limit 1
) as g on true;
comment on view credits.charge_terms is
  'What a charge depends on, read at one moment: account, plan, settings, the grant that is spent first, open jobs.';

create function public.atomic_charge_credits(
  p_account_id uuid, p_model text, p_input jsonb, p_idempotency_key text default null, p_request_id text default null,
  p_member_id uuid default null, p_start boolean default false
)
returns public.credit_charge_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job_ids uuid[];
  request_hash bytea;
  priced credits.priced_request;
  seen record;
  asking_member uuid;
  denial text;
  rate_used interval;
  spendable bigint;
  paid bigint;
  result public.credit_charge_result;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('atomic_charge_credits');
  end if;
  if length(p_request_id) > 128 then
    perform credits.check_length('request_id', p_request_id, 0, 128);
  end if;
  if p_member_id is not null and jsonb_typeof(p_input) = 'object' then
    p_input := p_input - 'asked_by'; -- only the app's own server may set it
  end if;
  job_ids := credits.job_ids(p_account_id, p_member_id, p_idempotency_key, p_input);
  request_hash := substr(sha256(convert_to(concat_ws(E'\n', p_model, p_input::text), 'UTF8')), 1, 16);
  priced := credits.request_price(p_model, p_input);

  for attempt in 1 .. 3 loop
    if attempt > 1 then
      perform credits.account_lock(p_account_id); -- opens it
      perform credits.account_refill_due(p_account_id);
    end if;
    rate_used := null;
    select t.*, clock_timestamp() as read_at, (select id from public.generation_jobs
      where id in (job_ids[1], job_ids[2]) and account_id = p_account_id limit 1) as known_job_id
    into seen from credits.charge_terms as t where t.account_id = p_account_id;
    continue when not found and attempt = 1 and (p_member_id <> p_account_id) is not true;
    asking_member := case when p_member_id is distinct from seen.user_id then p_member_id end;
    denial := case when asking_member is not null
      then credits.member_denial(p_account_id, asking_member, priced.cost, seen.closed_at is not null) end;
    continue when seen.refill_is_due and attempt = 1 and denial is distinct from 'not_a_member';

    -- These count towards no limit: a stranger, or a member who may not spend, must not use up the account's.
    denial := case
      when denial = 'not_a_member' then denial
      when seen.closed_at is not null then 'account_closed'
      when length(p_idempotency_key) not between 1 and 255 then 'invalid_key'
      when seen.known_job_id is not null then 'known'
      else denial end;
    exit when denial is not null and (denial <> 'known' or not credits.repeats_are_many(p_account_id,
      greatest(seen.rate_limit_requests, seen.rate_limit_window_seconds), seen.read_at - seen.rate_window));

    -- The rate limit (GCRA): each request takes a step of the window, which comes back as time passes. A time beyond
    -- the window is left over from a longer window. Everything counts from here on, except its own denial.
    rate_used := case when seen.rate_full_at between seen.read_at and seen.read_at + seen.rate_window
      then seen.rate_full_at - seen.read_at else interval '0' end;
    if rate_used + seen.rate_step > seen.rate_window then
      denial := 'rate_limited';
      result.retry_after_seconds := ceil(extract(epoch from rate_used + seen.rate_step - seen.rate_window));
      exit;
    end if;
    rate_used := rate_used + seen.rate_step;

    denial := case
      when denial is not null then denial -- a repeat beyond the free ones
      when priced.status <> 200 then 'not_priced'
      when seen.allowed_models is not null and (p_model = any (seen.allowed_models)) is not true
        then 'model_not_in_plan'
      when seen.open_jobs >= seen.max_concurrent_jobs then 'too_many_jobs' end;
    if denial is null and (priced.cost > seen.grant_remaining or (seen.debt > 0 and priced.cost > 0)) then
      select coalesce(sum(remaining), 0) into spendable from credits.spendable_grants where account_id = p_account_id;
      if seen.debt > 0 or priced.cost > spendable + seen.credit_limit - seen.overdraft_used then
        continue when seen.balance > spendable - seen.overdraft_used and attempt < 3
          and credits.account_expire(p_account_id);
        denial := 'insufficient_credits';
      end if;
    end if;

    -- In one statement: locks the account if its version is the same, counts the request, moves what one grant pays.
    paid := case when denial is null and priced.cost <= seen.grant_remaining then priced.cost else 0 end;
    if paid > 0 then
      seen.last_seq := seen.last_seq + 1;
      seen.last_entry_at := greatest(seen.read_at, seen.last_entry_at);
      seen.last_hash := credits.entry_hash(seen.last_hash, p_account_id, seen.last_seq, -paid, seen.balance - paid,
        'charge', seen.grant_id, job_ids[1], null, null, seen.last_entry_at);
    end if;
    update public.credit_accounts
    set version = version + 1, rate_full_at = seen.read_at + rate_used, balance = seen.balance - paid,
        last_seq = seen.last_seq, last_entry_at = seen.last_entry_at, last_hash = seen.last_hash
    where ctid = (select ctid from public.credit_accounts
      where id = p_account_id and version = seen.version for update skip locked);
    exit when found;
  end loop;

  result.account_id := p_account_id;
  result.balance := seen.balance;
  if rate_used is not null then
    result.rate_limit := seen.rate_limit_requests;
    result.rate_window_seconds := seen.rate_limit_window_seconds;
    result.rate_reset_seconds := ceil(extract(epoch from rate_used));
    result.rate_remaining := div(extract(epoch from seen.rate_window - rate_used), extract(epoch from seen.rate_step));
  end if;
  if denial = 'known' then
    return credits.charge_replayed(result, seen.known_job_id, request_hash, asking_member, p_request_id, p_model);
  elsif denial is not null then
    return credits.charge_denied(denial, result, priced, spendable - seen.overdraft_used, seen.debt,
      seen.max_concurrent_jobs, asking_member, p_request_id, p_model);
  end if;

  insert into public.generation_jobs (id, account_id, member_id, model, price_effective_from, provider, cost, input,
    idempotency_key, request_hash, request_id, status, started_at, deadline_at)
  values (job_ids[1], p_account_id, asking_member, priced.model, priced.effective_from, priced.provider, priced.cost,
    priced.input, p_idempotency_key, request_hash, p_request_id,
    case when p_start then 'running' else 'pending' end::public.generation_job_status, case when p_start then now() end,
    clock_timestamp() + make_interval(secs => priced.timeout_seconds + seen.settle_margin_seconds));
  if priced.cost > seen.grant_remaining then
    perform credits.burn(credits.account_lock(p_account_id), credits.burn_plan(p_account_id, priced.cost), 'charge',
      job_ids[1], null);
  elsif paid > 0 then
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, created_at, hash)
    values (p_account_id, seen.last_seq, -paid, seen.balance - paid, 'charge', seen.grant_id, job_ids[1],
      seen.last_entry_at, seen.last_hash);
    update public.credit_grants set remaining = seen.grant_remaining - paid, is_open = (seen.grant_remaining > paid)
    where account_id = p_account_id and id = seen.grant_id;
  end if;
  if asking_member is not null then
    perform credits.member_spend(p_account_id, asking_member, priced.cost, 'infinity');
  end if;
  result.status := 201;
  result.code := 'charged';
  result.job_id := job_ids[1];
  result.cost := priced.cost;
  result.balance := seen.balance - priced.cost;
  if result.balance < greatest(seen.low_balance_credits, 1) then
    perform credits.balance_announce(p_account_id, seen.balance, result.balance, seen.low_balance_credits);
  end if;
  result.job := jsonb_build_object('id', job_ids[1], 'model', priced.model, 'provider', priced.provider,
    'provider_model', priced.provider_model, 'type', priced.type, 'input', priced.input,
    'timeout_seconds', priced.timeout_seconds, 'max_output_bytes', priced.max_output_bytes, 'created_at', now());
  return result;
end;
$$;
comment on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, boolean) is
  'Charges an account for a generation and creates its job, in one transaction. Checks, in this order: member, '
  'idempotency, role and cap, rate limit, model and parameters, concurrency, balance. p_member_id: the team member '
  'who asks, with idempotency keys of their own; null or the account''s own user: no check. p_start: true if the '
  'caller starts the job at once: it is running from its charge on, and can be canceled only if its provider calls '
  'back. Expected outcomes are returned (see type credit_charge_result), so that the rate-limit count and the record '
  'of a denial stay. p_request_id: up to 128 characters, stored in generation_jobs or credit_request_events. Call it '
  'in FROM: "(f(…)).*" would call it once per column. Raises 22023 without an account or with a longer request id.';
