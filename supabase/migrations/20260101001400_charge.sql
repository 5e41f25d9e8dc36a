-- Gives: atomic_charge_credits, the charge: one call, one round trip, one account lock.
-- Keeps: a denial counts towards the rate limit, but for members who may not spend; no charge without a job, and no job without
--   a charge unless it is free (invariant 3).
-- Needs: events, members, charge judgement; when called: due.
--
-- A charge is two statements: one locks the account and reads all that the charge depends on, one writes. What lies between
-- is computed in memory, for one request or a thousand, so that a batch writes all of its rows at once. It is one function,
-- long as it is: another would be handed account, grants and rates, and hand them back, for each request.

create function credits.charge_undone(
  p_verdict public.charge_verdict, p_request credits.charge_request, p_jobs public.generation_jobs[]
)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Null stays null: not every denial tells the balance.
  p_verdict.balance := p_verdict.balance + (select coalesce(sum(cost), 0) from unnest(p_jobs));
  p_verdict.job := null;
  -- The job that a key repeats may be one of those that there will not be.
  if exists (select from unnest(p_jobs) as j where j.id = p_verdict.job_id) then
    p_verdict.job_id := null;
  end if;
  if p_verdict.code = 'insufficient_credits' and p_verdict.debt is null then
    p_verdict.message := format('The batch costs more than the %s credits that are there. Nothing was charged.', p_verdict.balance);
  end if;
  perform credits.request_record(p_verdict, p_request);
  return p_verdict;
end;
$$;
comment on function credits.charge_undone(public.charge_verdict, credits.charge_request, public.generation_jobs[]) is
  'The denial that ends a batch of all or nothing, as things stand without the batch.';
revoke all on function credits.charge_undone(public.charge_verdict, credits.charge_request, public.generation_jobs[]) from public, anon, authenticated, service_role;

create function credits.charge_announce(p_account public.credit_accounts, p_low_balance bigint, p_jobs public.generation_jobs[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  foreach job in array p_jobs loop
    perform credits.member_spend(p_account.id, job.member_id, job.cost, 'infinity');
    perform credits.balance_announce(p_account.id, p_account.balance, p_account.balance - job.cost, p_low_balance);
    p_account.balance := p_account.balance - job.cost;
  end loop;
end;
$$;
comment on function credits.charge_announce(public.credit_accounts, bigint, public.generation_jobs[]) is
  'Counts charges towards their members'' months and announces where they took the balance. p_account is as it was before them.';
revoke all on function credits.charge_announce(public.credit_accounts, bigint, public.generation_jobs[]) from public, anon, authenticated, service_role;

create function credits.charge_book(
  p_account public.credit_accounts, p_jobs public.generation_jobs[], p_entries public.credit_ledger[], p_purse credits.purse
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- One statement: 15 µs less than one a table.
  with new_jobs as (
    insert into public.generation_jobs select j.* from unnest(p_jobs) as j
  ),
  new_entries as (
    insert into public.credit_ledger select e.* from unnest(p_entries) as e
  ),
  spent as (
    update public.credit_grants set remaining = p_purse.remaining[1], is_open = (p_purse.remaining[1] > 0)
    where account_id = p_account.id and id = p_purse.grant_ids[1]
  )
  update public.credit_accounts
  set balance = p_account.balance, last_seq = p_account.last_seq, last_hash = p_account.last_hash, last_entry_at = p_account.last_entry_at,
      overdraft_used = p_account.overdraft_used, rate_full_at = p_account.rate_full_at
  where id = p_account.id;
  -- By its whole key, each by itself: joined to a list, Postgres would read all grants that the account ever had.
  for place in 2 .. least(p_purse.place, cardinality(p_purse.grant_ids)) loop
    update public.credit_grants set remaining = p_purse.remaining[place], is_open = (p_purse.remaining[place] > 0)
    where account_id = p_account.id and id = p_purse.grant_ids[place];
  end loop;
end;
$$;
comment on function credits.charge_book(public.credit_accounts, public.generation_jobs[], public.credit_ledger[], credits.purse) is
  'Writes new jobs and the entries of their charges. p_account and p_purse are as they are after them.';
revoke all on function credits.charge_book(public.credit_accounts, public.generation_jobs[], public.credit_ledger[], credits.purse) from public, anon, authenticated, service_role;

create function credits.charge(p_account_id uuid, p_job_ids uuid[], p_requests credits.charge_request[], p_all_or_nothing boolean)
returns public.charge_verdict[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  terms credits.charge_terms := credits.charge_terms(p_account_id, p_job_ids, p_requests[1].model);
  account public.credit_accounts := terms.account;
  model public.generation_models := terms.model;
  purse credits.purse := terms.purse;
  request credits.charge_request;
  earlier public.generation_jobs;
  rate credits.rate_decision;
  priced credits.priced_request;
  denial text;
  verdict public.charge_verdict;
  verdicts public.charge_verdict[];
  jobs public.generation_jobs[] := array[]::public.generation_jobs[];
  entry public.credit_ledger;
  entries public.credit_ledger[];
  unpaid bigint;
  place integer := 0;
begin
  -- A rule a branch: Postgres prepares all that an expression may call, 1 µs a function or operator, in each transaction anew.
  foreach request in array p_requests loop
    place := place + 1;
    denial := null;
    rate := null;
    -- Before anything counts: a stranger must not use up the account's limit.
    if request.member_id is not null then
      -- The mark of a server is not a user's to set, whatever an app's own function hands on.
      request.input := case when jsonb_typeof(request.input) = 'object' then request.input - 'asked_by' else request.input end;
      request.member_id := nullif(request.member_id, account.user_id);
      denial := case when credits.is_stranger(account.id, request.member_id) then 'not_a_member' end;
    end if;
    if denial is not null then
      null;
    elsif account.closed_at is not null then
      denial := 'account_closed';
    elsif length(request.idempotency_key) not between 1 and 255 then
      denial := 'invalid_key';
    elsif terms.earlier_jobs is not null or array_position(p_job_ids, p_job_ids[place]) < place then
      earlier := credits.charge_earlier(p_job_ids[place], terms.earlier_jobs || jobs);
      denial := case when earlier.id is not null then 'known' end;
    end if;

    if denial is null then
      if model.name is distinct from request.model then
        model := credits.model_current(request.model);
      end if;
      priced := credits.request_price(model, request.input);
      -- Before the limit: who may not spend a team's credits must not use up its requests either.
      if request.member_id is not null then
        denial := credits.member_denial(account, request.member_id, priced.cost, jobs);
      end if;
    end if;
    if denial is null then
      rate := credits.rate_limit_take(account.rate_full_at, terms.rate_limit_requests, terms.rate_limit_window_seconds);
      account.rate_full_at := rate.full_at;
      if not rate.allowed then
        denial := 'rate_limited';
      end if;
    end if;
    if denial is null then
      if priced.status <> 200 then
        denial := 'not_priced';
      elsif terms.allowed_models is not null and (request.model = any (terms.allowed_models)) is not true then
        denial := 'model_not_in_plan';
      elsif terms.open_jobs >= terms.max_concurrent_jobs then
        denial := 'too_many_jobs';
      elsif priced.cost > purse.total or (account.debt > 0 and priced.cost > 0) then
        purse := credits.purse_fill(purse, account.id, priced.cost);
        if account.debt > 0 or priced.cost > purse.total + account.credit_limit - account.overdraft_used then
          if account.balance > purse.total - account.overdraft_used and credits.account_lapse(account.id) then
            return credits.charge(p_account_id, p_job_ids, p_requests, p_all_or_nothing);
          end if;
          denial := 'insufficient_credits';
        end if;
      end if;
    end if;

    if denial is null then
      terms.open_jobs := terms.open_jobs + 1;
      jobs := jobs || row(
        p_job_ids[place], account.id, request.member_id, case when request.starts then 'running' else 'pending' end,
        model.name, model.effective_from, model.provider, null, priced.cost, 0,
        priced.input, null, null, request.idempotency_key, credits.request_hash(request.model, request.input), request.request_id, now(),
        case when request.starts then now() end, null, null, null, null,
        clock_timestamp() + make_interval(secs => model.timeout_seconds + terms.settle_margin_seconds), null
      )::public.generation_jobs;
      unpaid := priced.cost;
      while unpaid > 0 loop
        -- Beyond the last grant only the overdraft is left.
        entry := credits.entry_next(
          account, -least(unpaid, purse.remaining[purse.place]), 'charge', purse.grant_ids[purse.place], p_job_ids[place], null, null);
        entries := entries || entry;
        account := credits.account_after(account, entry);
        purse := credits.purse_after(purse, entry.delta);
        unpaid := unpaid + entry.delta;
      end loop;
      verdict := row(201, 'charged', null::text, account.id, p_job_ids[place], priced.cost, account.balance, null::bigint, null::integer,
        terms.rate_limit_requests, terms.rate_limit_window_seconds, rate.remaining, rate.reset_seconds, null::jsonb,
        credits.charged_job(p_job_ids[place], model, priced.input, now()), null::bigint);
    else
      verdict := credits.charge_denied(denial, account, purse, terms, rate, priced);
      if denial = 'known' then
        verdict := credits.charge_replayed(verdict, request, earlier);
      end if;
      if p_all_or_nothing and verdict.status >= 400 then
        return array[credits.charge_undone(verdict, request, jobs)];
      end if;
    end if;
    verdicts := verdicts || verdict;
  end loop;

  if cardinality(jobs) > 0 then
    perform credits.charge_book(account, jobs, entries, purse);
    if account.balance < greatest(terms.low_balance_credits, 1) or p_requests[1].member_id is not null or place > 1 then
      perform credits.charge_announce(terms.account, terms.low_balance_credits, jobs);
    end if;
  elsif account.rate_full_at <> (terms.account).rate_full_at then
    -- Denied, and counted all the same.
    update public.credit_accounts set rate_full_at = account.rate_full_at where id = account.id;
  end if;
  if cardinality(jobs) < place then
    perform credits.requests_record(verdicts, p_requests);
  end if;
  return verdicts;
end;
$$;
comment on function credits.charge(uuid, uuid[], credits.charge_request[], boolean) is
  'Charges an account for requests, each judged in its turn, under the account''s lock. p_all_or_nothing: the first denial is the '
  'only verdict, and nothing else has happened. Begins again where it has booked what had expired. What atomic_charge_credits and its batch share.';
revoke all on function credits.charge(uuid, uuid[], credits.charge_request[], boolean) from public, anon, authenticated, service_role;

create function public.atomic_charge_credits(
  p_account_id uuid,
  p_model text,
  p_input jsonb,
  p_idempotency_key text default null,
  p_request_id text default null,
  p_member_id uuid default null,
  p_start boolean default false
)
returns public.charge_verdict
language plpgsql
security definer
set search_path = '', pg_temp
-- A scan that is off counts as dear, and Postgres would compile the plan: half a second a charge.
set jit = off
-- Planned once a connection: 800 µs each time else, for a list of keys makes Postgres doubt its generic plan.
set plan_cache_mode = force_generic_plan
-- A connection may make its plans while the tables are small, and keep them when they no longer are.
set enable_seqscan = off
as $$
declare
  request credits.charge_request;
begin
  -- Asked here first, since charges are many: the call takes 10 µs, this takes 1.
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('atomic_charge_credits');
  end if;
  -- A call less for every charge whose id is not too long.
  if length(p_request_id) > 128 then
    perform credits.check_length('request_id', p_request_id, 0, 128);
  end if;
  request := row(p_model, p_input, p_idempotency_key, p_request_id, p_member_id, p_start);
  if p_member_id is not null and credits.is_stranger(p_account_id, p_member_id) then
    return credits.charge_stranger(p_account_id, request);
  end if;
  return (credits.charge(p_account_id, array[credits.job_id(p_account_id, p_member_id, p_idempotency_key, p_input)], array[request], false))[1];
end;
$$;
comment on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, boolean) is
  'Charges an account for a generation and creates its job, in one transaction under the account''s lock: member, '
  'idempotency, role and cap, rate limit, model and parameters, concurrency, balance, in this order. p_member_id: the team member who '
  'asks, whose idempotency keys are their own; null or the account''s own user: no check. p_start: true when the caller has the job made '
  'at once: it is running from its charge on, and can be canceled only where its provider calls back. Expected outcomes are returned (see type charge_verdict), so that the '
  'rate-limit count and the record of a denial stay. p_request_id: up to 128 characters, found again in generation_jobs or '
  'request_events. Call it in FROM: "(f(…)).*" would call it once a column. Raises 22023 without an account or with a longer '
  'request id.';
revoke all on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, boolean)
  from public, anon, authenticated, service_role;
grant execute on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, boolean) to service_role;
