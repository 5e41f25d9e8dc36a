-- Gives: atomic_charge_credits, the charge: one call, one round trip, one account lock.
-- Keeps: a denial counts towards the rate limit; no charge without a job and no job without a charge (invariant 3).
-- Needs: charge verdict, quote, members, burn-down.

create type credits.charge_terms as (
  rate_limit_requests integer,
  rate_limit_window_seconds integer,
  max_concurrent_jobs integer,
  allowed_models text[],
  settle_margin_seconds integer,
  low_balance_credits bigint,
  open_jobs bigint,
  earlier_job public.generation_jobs
);

create function credits.charge_terms(p_account public.credit_accounts, p_idempotency_key text)
returns credits.charge_terms
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  terms credits.charge_terms;
begin
  -- One statement for all there is to know: 22 µs; asked one by one it was 45.
  select p.rate_limit_requests, p.rate_limit_window_seconds, p.max_concurrent_jobs, p.allowed_models,
    s.settle_margin_seconds, s.low_balance_credits,
    (select count(*) from public.generation_jobs where account_id = p_account.id and status in ('pending', 'running')),
    (select j from public.generation_jobs as j where j.account_id = p_account.id and j.idempotency_key = p_idempotency_key)
  into strict terms
  from public.credit_plans as p cross join public.credit_settings as s where p.name = p_account.plan;
  return terms;
end;
$$;
comment on function credits.charge_terms(public.credit_accounts, text) is
  'What a charge of an account depends on: its plan, the settings, its open jobs, and the job that has the idempotency key already.';
revoke all on function credits.charge_terms(public.credit_accounts, text) from public, anon, authenticated, service_role;

create function credits.charge_book(
  p_verdict public.charge_verdict, p_request credits.charge_request, p_terms credits.charge_terms,
  p_account public.credit_accounts, p_priced credits.priced_request, p_plan credits.burn_plan
)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
declare
  model public.generation_models := p_priced.model;
  job public.generation_jobs;
begin
  insert into public.generation_jobs
    (account_id, member_id, model, price_effective_from, provider, cost, input,
     idempotency_key, request_hash, request_id, deadline_at)
  values (p_account.id, p_request.member_id, model.name, model.effective_from, model.provider, p_priced.cost,
    p_priced.input, p_request.idempotency_key, p_request.request_hash, p_request.request_id,
    clock_timestamp() + make_interval(secs => model.timeout_seconds + p_terms.settle_margin_seconds))
  returning * into strict job;
  p_account := credits.burn(p_account, p_plan, 'charge', job.id, null);
  perform credits.member_spend(p_account.id, p_request.member_id, p_priced.cost, job.created_at);
  perform credits.balance_announce(p_account.id, p_verdict.balance, p_account.balance, p_terms.low_balance_credits);
  p_verdict.status := 201;
  p_verdict.code := 'charged';
  p_verdict.job_id := job.id;
  p_verdict.cost := p_priced.cost;
  p_verdict.balance := p_account.balance;
  p_verdict.job := credits.charged_job(job, model);
  return p_verdict;
end;
$$;
comment on function credits.charge_book(
  public.charge_verdict, credits.charge_request, credits.charge_terms, public.credit_accounts, credits.priced_request, credits.burn_plan) is
  'Creates the job and books its charge. The caller holds the account''s lock and has checked that the plan suffices.';
revoke all on function credits.charge_book(
  public.charge_verdict, credits.charge_request, credits.charge_terms, public.credit_accounts, credits.priced_request, credits.burn_plan)
  from public, anon, authenticated, service_role;

create function credits.charge_admit(
  p_verdict public.charge_verdict, p_request credits.charge_request, p_account public.credit_accounts, p_earlier_job public.generation_jobs
)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_account.closed_at is not null then
    return credits.charge_denied(p_verdict, p_request, 403, 'account_closed', 'The account is closed.');
  end if;
  if length(p_request.idempotency_key) not between 1 and 255 then
    p_verdict.errors := '[{"field": "idempotency_key", "message": "must be text of 1 to 255 characters"}]';
    return credits.charge_denied(p_verdict, p_request, 400, 'invalid_request', 'The idempotency key is empty or too long.');
  end if;
  if p_earlier_job.id is not null then
    return credits.charge_replayed(p_verdict, p_request, p_earlier_job);
  end if;
  return p_verdict;
end;
$$;
comment on function credits.charge_admit(public.charge_verdict, credits.charge_request, public.credit_accounts, public.generation_jobs) is
  'The checks before anything counts: open account, idempotency. The verdict has a status when it ends here.';
revoke all on function credits.charge_admit(public.charge_verdict, credits.charge_request, public.credit_accounts, public.generation_jobs)
  from public, anon, authenticated, service_role;

create function credits.charge_rate(p_verdict public.charge_verdict, p_request credits.charge_request, p_terms credits.charge_terms)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
declare
  rate credits.rate_decision := p_request.rate;
begin
  if rate is null then
    rate := credits.rate_limit_take(p_verdict.account_id, p_terms.rate_limit_requests, p_terms.rate_limit_window_seconds);
  end if;
  p_verdict.rate_limit := p_terms.rate_limit_requests;
  p_verdict.rate_window_seconds := p_terms.rate_limit_window_seconds;
  p_verdict.rate_remaining := rate.remaining;
  p_verdict.rate_reset_seconds := rate.reset_seconds;
  if not rate.allowed then
    p_verdict.retry_after_seconds := rate.retry_after_seconds;
    return credits.charge_denied(p_verdict, p_request, 429, 'rate_limited',
      format('At most %s requests in %s seconds. Repeat in %s seconds.',
        p_terms.rate_limit_requests, p_terms.rate_limit_window_seconds, rate.retry_after_seconds));
  end if;
  return p_verdict;
end;
$$;
comment on function credits.charge_rate(public.charge_verdict, credits.charge_request, credits.charge_terms) is
  'Counts the request towards the plan''s rate limit. The verdict has a status when it ends here.';
revoke all on function credits.charge_rate(public.charge_verdict, credits.charge_request, credits.charge_terms)
  from public, anon, authenticated, service_role;

create function credits.charge_member(
  p_verdict public.charge_verdict, p_request credits.charge_request, p_account public.credit_accounts, p_cost bigint
)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
declare
  denial text := credits.member_denial(p_account, p_request.member_id, p_cost);
begin
  case denial
    when 'not_a_member' then
      return credits.charge_denied(p_verdict, p_request, 403, denial, 'You are not a member of this account.');
    when 'not_allowed_to_spend' then
      return credits.charge_denied(p_verdict, p_request, 403, denial, 'Your role on this account may look but not spend.');
    when 'member_cap_reached' then
      return credits.charge_denied(p_verdict, p_request, 402, denial,
        'This is more than your monthly cap on this account leaves. Nothing was charged.');
    else
      return p_verdict;
  end case;
end;
$$;
comment on function credits.charge_member(public.charge_verdict, credits.charge_request, public.credit_accounts, bigint) is
  'Whether the member who asks may spend this much. The verdict has a status when it ends here.';
revoke all on function credits.charge_member(public.charge_verdict, credits.charge_request, public.credit_accounts, bigint)
  from public, anon, authenticated, service_role;

create function credits.charge(p_account_id uuid, p_request credits.charge_request)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  terms credits.charge_terms;
  verdict public.charge_verdict;
  priced credits.priced_request;
  burn credits.burn_plan;
begin
  if p_request.member_id is not null and credits.is_stranger(p_account_id, p_request.member_id) then
    verdict.account_id := p_account_id;
    return credits.charge_denied(verdict, p_request, 403, 'not_a_member', 'You are not a member of this account.');
  end if;
  account := credits.account_lock(p_account_id);
  p_request.request_hash := sha256(convert_to(concat_ws(E'\n', p_request.model, p_request.input::text), 'UTF8'));
  p_request.member_id := nullif(p_request.member_id, account.user_id);
  verdict.account_id := account.id;
  verdict.balance := account.balance;

  terms := credits.charge_terms(account, p_request.idempotency_key);
  verdict := credits.charge_admit(verdict, p_request, account, terms.earlier_job);
  if verdict.status is not null then
    return verdict;
  end if;
  verdict := credits.charge_rate(verdict, p_request, terms);
  if verdict.status is not null then
    return verdict;
  end if;

  priced := credits.request_price(p_request.model, p_request.input);
  if priced.status <> 200 then
    verdict.errors := priced.errors;
    return credits.charge_denied(verdict, p_request, priced.status, priced.code, priced.message);
  end if;
  if not coalesce(p_request.model = any (terms.allowed_models), terms.allowed_models is null) then
    return credits.charge_denied(verdict, p_request, 403, 'model_not_in_plan', 'Your plan does not include this model.');
  end if;
  if terms.open_jobs >= terms.max_concurrent_jobs then
    verdict.retry_after_seconds := 1;
    return credits.charge_denied(verdict, p_request, 429, 'too_many_jobs',
      format('At most %s jobs at a time. Repeat when one has ended.', terms.max_concurrent_jobs));
  end if;
  if p_request.member_id is not null then
    verdict := credits.charge_member(verdict, p_request, account, priced.cost);
    if verdict.status is not null then
      return verdict;
    end if;
  end if;

  burn := credits.burn_plan(account.id, priced.cost);
  if burn.shortfall > account.credit_limit - account.overdraft_used then
    verdict.balance := priced.cost - burn.shortfall - account.overdraft_used;
    verdict.required := priced.cost;
    return credits.charge_denied(verdict, p_request, 402, 'insufficient_credits',
      format('This costs %s credits and %s are there. Nothing was charged.', priced.cost, verdict.balance));
  end if;
  return credits.charge_book(verdict, p_request, terms, account, priced, burn);
end;
$$;
comment on function credits.charge(uuid, credits.charge_request) is
  'One charge under the account''s lock, from the checks to the booking. What atomic_charge_credits and its batch share.';
revoke all on function credits.charge(uuid, credits.charge_request)
  from public, anon, authenticated, service_role;

create function public.atomic_charge_credits(
  p_account_id uuid,
  p_model text,
  p_input jsonb,
  p_idempotency_key text default null,
  p_request_id text default null,
  p_member_id uuid default null,
  p_rate_decision jsonb default null
)
returns public.charge_verdict
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.check_length('request_id', p_request_id, 0, 128);
  return credits.charge(p_account_id,
    row(p_model, p_input, p_idempotency_key, p_request_id, p_member_id, credits.rate_decided(p_rate_decision), null)
      ::credits.charge_request);
end;
$$;
comment on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, jsonb) is
  'Charges an account for a generation and creates its job, in one transaction under the account''s lock: member, '
  'idempotency, rate limit, model and parameters, concurrency, cap, balance, in this order. p_member_id: the team member who '
  'asks; null or the account''s own user: no check. Expected outcomes are returned (see type charge_verdict), so that the '
  'rate-limit count and the record of a denial stay. p_request_id: up to 128 characters, found again in generation_jobs or '
  'request_events. p_rate_decision: {"allowed", "remaining", "reset_seconds"} of a counter elsewhere that keeps to '
  'account_rate_limit; null: the limit is counted here. Call it in FROM: "(f(…)).*" would call it once a column. Raises 22023 '
  'without an account, with a longer request id or with what is no rate decision.';
revoke all on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, jsonb) to service_role;

create function public.account_rate_limit(p_account_id uuid, p_member_id uuid default null)
returns table (requests integer, window_seconds integer)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select p.rate_limit_requests, p.rate_limit_window_seconds
  from public.credit_plans as p
  where p.name = coalesce((select a.plan from public.credit_accounts as a where a.id = p_account_id), 'default')
    -- A stranger must not use up the account's limit.
    and not credits.is_stranger(p_account_id, p_member_id);
$$;
comment on function public.account_rate_limit(uuid, uuid) is
  'How many charges an account may ask for in how many seconds, for a counter elsewhere (p_rate_decision of atomic_charge_credits). '
  'No row for a user who is not a member: such a request does not count.';
revoke all on function public.account_rate_limit(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.account_rate_limit(uuid, uuid) to service_role;
