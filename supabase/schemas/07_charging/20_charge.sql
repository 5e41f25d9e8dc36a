-- Gives: atomic_charge_credits, the charge: one call, one round trip, one account lock.
-- Keeps: a denial counts towards the rate limit, unless its reason is the account, the member or the key; no charge
--   without a job, and no job without a charge unless it is free (invariant 3).
-- Needs: refill periods, events, members, burn down, charge answers; when called: due.
--
-- A charge locks optimistically. It reads without a lock, decides, and takes the account's lock only if
-- credit_accounts.version is still the one that it read: each change of something that a charge reads raises the
-- version in its own transaction. If the lock is not free or the version has changed, the charge waits for the lock,
-- reads again and decides again.

create view credits.charge_terms
with (security_invoker = true)
as
select a.id as account_id, a.version, a.user_id, a.closed_at, a.balance, a.credit_limit, a.overdraft_used, a.debt,
  a.last_seq, a.last_hash, a.last_entry_at, p.max_concurrent_jobs, p.allowed_models,
  -- A month lasts 28 days at least, so that mostly two dates are enough to know.
  p.scheduled_credits > 0 and case when a.refilled_for >= current_date - 25 then false
    else credits.refill_is_due(a.id) end as refill_is_due,
  p.rate_limit_requests, p.rate_limit_window_seconds, p.rate_window, p.rate_step, a.rate_full_at,
  s.settle_margin_seconds, s.low_balance_credits,
  g.id as grant_id, coalesce(g.remaining, 0) as grant_remaining,
  -- Counted up to the limit only: an account may have thousands.
  (select count(*) from (
    select from public.generation_jobs as j where j.account_id = a.id and j.status in ('pending', 'running')
    limit p.max_concurrent_jobs
  ) as o) as open_jobs
from public.credit_accounts as a
join public.credit_plans as p on p.name = a.plan
join public.credit_settings as s on s.only_row
left join lateral (
  select id, remaining from credits.spendable_grants where account_id = a.id order by priority, expires_at, id limit 1
) as g on true;
comment on view credits.charge_terms is
  'What a charge depends on, read at one moment: account, plan, settings, the grant that is spent first, open jobs.';

create function credits.grants_use_up(
  p_account_id uuid, p_job_id uuid, inout amount bigint, inout last_seq bigint, inout last_hash bytea,
  inout last_entry_at timestamptz, inout balance bigint, out grant_id bigint, out remaining bigint
)
language plpgsql
set search_path = '', pg_temp
as $$
declare
  paying record;
begin
  for paying in
    select g.id, g.remaining from credits.spendable_grants as g where g.account_id = p_account_id
    order by g.priority, g.expires_at, g.id
  loop
    if paying.remaining >= amount then
      grant_id := paying.id;
      remaining := paying.remaining;
      return;
    end if;
    amount := amount - paying.remaining;
    balance := balance - paying.remaining;
    last_seq := last_seq + 1;
    last_entry_at := greatest(clock_timestamp(), last_entry_at);
    last_hash := credits.entry_hash(last_hash, p_account_id, last_seq, -paying.remaining, balance, 'charge',
      paying.id, p_job_id, null, null, last_entry_at);
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, created_at, hash)
    values (p_account_id, last_seq, -paying.remaining, balance, 'charge', paying.id, p_job_id,
      last_entry_at, last_hash);
    update public.credit_grants set remaining = 0, is_open = false where account_id = p_account_id and id = paying.id;
  end loop;
end;
$$;
comment on function credits.grants_use_up(uuid, uuid, bigint, bigint, bytea, timestamptz, bigint) is
  'Books a charge that one grant cannot pay, up to its last entry: one entry per grant that it uses up. Returns the '
  'rest to pay, the account''s seq, hash, time and balance after those entries, and the grant that pays the rest '
  '(null: the overdraft). The caller holds the account''s lock.';

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
  seen_at timestamptz;
  due_is_booked boolean := false;
  asking_member uuid;
  denial text;
  rate_used interval;
  spendable bigint;
  part bigint;
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

  <<attempt>>
  for attempts in 1 .. 10 loop
    if attempts = 10 then
      perform credits.raise_misuse('XX001', 'the settings that a charge needs cannot be read',
        'Restore the row of credit_settings.');
    end if;
    denial := null;
    rate_used := null;
    seen_at := clock_timestamp();
    select t.*, (
      select id from public.generation_jobs where id in (job_ids[1], job_ids[2]) and account_id = p_account_id limit 1
    ) as known_job_id
    into seen from credits.charge_terms as t where t.account_id = p_account_id;
    if not found and (p_member_id <> p_account_id) is not true then
      perform credits.account_lock(p_account_id); -- opens it
      continue attempt;
    end if;
    asking_member := case when p_member_id is distinct from seen.user_id then p_member_id end;
    if asking_member is not null then
      denial := credits.member_denial(p_account_id, asking_member, priced.cost, seen.closed_at is not null);
    end if;

    -- A due refill is booked before a charge may be denied; then everything is read again.
    if seen.refill_is_due and not due_is_booked and denial is distinct from 'not_a_member' then
      due_is_booked := true;
      perform credits.account_lock(p_account_id);
      perform credits.account_refill_due(p_account_id);
      continue attempt;
    end if;

    -- Denials because of the account, the member or the key count towards no limit: a stranger, or a member who may not
    -- spend, must not use up the account's limit.
    if denial is distinct from 'not_a_member' then
      denial := case
        when seen.closed_at is not null then 'account_closed'
        when length(p_idempotency_key) not between 1 and 255 then 'invalid_key'
        when seen.known_job_id is not null then 'known'
        else denial end;
    end if;
    exit attempt when denial <> 'known';
    if denial = 'known' then
      exit attempt when not credits.repeats_are_many(p_account_id,
        greatest(seen.rate_limit_requests, seen.rate_limit_window_seconds), seen_at - seen.rate_window);
    end if;

    -- The rate limit (GCRA): each request takes a step of the window, which comes back as time passes. A time beyond
    -- the window is left over from a longer window. Every denial from here on counts except this one, and so does a
    -- repeat beyond the free ones.
    rate_used := case
      when seen.rate_full_at between seen_at and seen_at + seen.rate_window then seen.rate_full_at - seen_at
      else interval '0' end;
    if rate_used + seen.rate_step > seen.rate_window then
      denial := 'rate_limited';
      result.retry_after_seconds :=
        greatest(1, ceil(extract(epoch from rate_used + seen.rate_step - seen.rate_window)));
      exit attempt;
    end if;
    rate_used := rate_used + seen.rate_step;

    if denial = 'known' then
      null;
    elsif priced.status <> 200 then
      denial := 'not_priced';
    elsif seen.allowed_models is not null and (p_model = any (seen.allowed_models)) is not true then
      denial := 'model_not_in_plan';
    elsif seen.open_jobs >= seen.max_concurrent_jobs then
      denial := 'too_many_jobs';
    elsif priced.cost > seen.grant_remaining or (seen.debt > 0 and priced.cost > 0) then
      select coalesce(sum(remaining), 0) into spendable from credits.spendable_grants where account_id = p_account_id;
      if seen.debt > 0 or priced.cost > spendable + seen.credit_limit - seen.overdraft_used then
        if seen.balance > spendable - seen.overdraft_used and not due_is_booked then
          due_is_booked := true;
          perform credits.account_lock(p_account_id);
          perform credits.account_expire(p_account_id);
          continue attempt;
        end if;
        denial := 'insufficient_credits';
      end if;
    end if;

    part := priced.cost;
    if denial is null and part > 0 then
      if part > seen.grant_remaining then
        -- More than the first grant can pay: the grants before the last one are used up, under the lock.
        perform from public.credit_accounts where id = p_account_id and version = seen.version for update skip locked;
        if not found then
          perform credits.account_lock(p_account_id);
          continue attempt;
        end if;
        select u.amount, u.last_seq, u.last_hash, u.last_entry_at, u.balance, u.grant_id, u.remaining
        into part, seen.last_seq, seen.last_hash, seen.last_entry_at, seen.balance, seen.grant_id, seen.grant_remaining
        from credits.grants_use_up(p_account_id, job_ids[1], part, seen.last_seq, seen.last_hash,
          seen.last_entry_at, seen.balance) as u;
      end if;
      seen.balance := seen.balance - part;
      seen.last_seq := seen.last_seq + 1;
      -- Never earlier than the previous entry, even if the clock goes back: history is searched by time.
      seen.last_entry_at := greatest(seen_at, seen.last_entry_at);
      seen.last_hash := credits.entry_hash(seen.last_hash, p_account_id, seen.last_seq, -part, seen.balance, 'charge',
        seen.grant_id, job_ids[1], null, null, seen.last_entry_at);
    end if;
    -- One statement locks the account, compares its version and writes. It also writes a denial that counts.
    update public.credit_accounts
    set version = version + 1, rate_full_at = seen_at + rate_used, balance = seen.balance, last_seq = seen.last_seq,
        last_hash = seen.last_hash, last_entry_at = seen.last_entry_at,
        overdraft_used = overdraft_used + case when denial is null and seen.grant_id is null then part else 0 end
    where ctid = (
      select ctid from public.credit_accounts
      where id = p_account_id and version = seen.version for update skip locked);
    exit attempt when found;
    perform credits.account_lock(p_account_id);
  end loop;

  result.status := 201;
  result.code := coalesce(denial, 'charged');
  result.account_id := p_account_id;
  result.job_id := coalesce(seen.known_job_id, job_ids[1]);
  result.cost := priced.cost;
  result.balance := seen.balance;
  result.rate_limit := seen.rate_limit_requests;
  result.rate_window_seconds := seen.rate_limit_window_seconds;
  result.rate_remaining := floor(extract(epoch from seen.rate_window - rate_used) / extract(epoch from seen.rate_step));
  result.rate_reset_seconds := ceil(extract(epoch from rate_used));
  if denial = 'known' then
    return credits.charge_replayed(result, request_hash, asking_member, p_request_id, p_model);
  elsif denial is not null then
    return credits.charge_denied(result, priced, spendable - seen.overdraft_used, seen.debt, seen.max_concurrent_jobs,
      p_member_id, p_request_id, p_model);
  end if;

  insert into public.generation_jobs (id, account_id, member_id, status, model, price_effective_from, provider,
    cost, input, idempotency_key, request_hash, request_id, started_at, deadline_at)
  values (job_ids[1], p_account_id, asking_member,
    case when p_start then 'running' else 'pending' end::public.generation_job_status, priced.model,
    priced.effective_from, priced.provider, priced.cost, priced.input, p_idempotency_key, request_hash, p_request_id,
    case when p_start then now() end,
    clock_timestamp() + make_interval(secs => priced.timeout_seconds + seen.settle_margin_seconds));
  if priced.cost > 0 then
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, created_at, hash)
    values (p_account_id, seen.last_seq, -part, seen.balance, 'charge', seen.grant_id, job_ids[1], seen.last_entry_at,
      seen.last_hash);
    update public.credit_grants set remaining = seen.grant_remaining - part, is_open = (seen.grant_remaining > part)
    where account_id = p_account_id and id = seen.grant_id;
    if asking_member is not null then
      perform credits.member_spend(p_account_id, asking_member, priced.cost, 'infinity');
    end if;
    if seen.balance < greatest(seen.low_balance_credits, 1) then
      perform credits.balance_announce(p_account_id, seen.balance + priced.cost, seen.balance,
        seen.low_balance_credits);
    end if;
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
