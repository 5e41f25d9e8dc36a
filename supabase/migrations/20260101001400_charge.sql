-- Gives: atomic_charge_credits, the charge: one call, one round trip, one account lock.
-- Keeps: a denial counts towards the rate limit; no charge without a job and no job without a charge (invariant 3).
-- Needs: charge judgement.
--
-- A charge is two statements: one locks the account and reads all that the charge depends on, one writes. What lies between
-- is computed in memory, for one request or a thousand, so that a batch writes all of its rows at once.

create function credits.job_new(
  p_id uuid, p_account_id uuid, p_request credits.charge_request, p_priced credits.priced_request, p_settle_margin_seconds integer
)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  model public.generation_models := p_priced.model;
  job public.generation_jobs;
begin
  job.id := p_id;
  job.account_id := p_account_id;
  job.member_id := p_request.member_id;
  job.status := 'pending';
  job.model := model.name;
  job.price_effective_from := model.effective_from;
  job.provider := model.provider;
  job.cost := p_priced.cost;
  job.refunded := 0;
  job.input := p_priced.input;
  job.idempotency_key := p_request.idempotency_key;
  job.request_hash := credits.request_hash(p_request);
  job.request_id := p_request.request_id;
  job.created_at := now();
  job.deadline_at := clock_timestamp() + make_interval(secs => model.timeout_seconds + p_settle_margin_seconds);
  return job;
end;
$$;
comment on function credits.job_new(uuid, uuid, credits.charge_request, credits.priced_request, integer) is 'The job of a charge. Writes nothing.';
revoke all on function credits.job_new(uuid, uuid, credits.charge_request, credits.priced_request, integer) from public, anon, authenticated, service_role;

create function credits.charged(p_verdict public.charge_verdict, p_job public.generation_jobs, p_model public.generation_models, p_balance bigint)
returns public.charge_verdict
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  p_verdict.status := 201;
  p_verdict.code := 'charged';
  p_verdict.job_id := p_job.id;
  p_verdict.cost := p_job.cost;
  p_verdict.balance := p_balance;
  p_verdict.job := credits.charged_job(p_job, p_model);
  return p_verdict;
end;
$$;
comment on function credits.charged(public.charge_verdict, public.generation_jobs, public.generation_models, bigint) is 'The verdict of a charge.';
revoke all on function credits.charged(public.charge_verdict, public.generation_jobs, public.generation_models, bigint) from public, anon, authenticated, service_role;

create function credits.charge_stranger(p_account_id uuid, p_request credits.charge_request)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
declare
  verdict public.charge_verdict;
begin
  verdict.account_id := p_account_id;
  verdict := credits.charge_denied(verdict, 403, 'not_a_member', 'You are not a member of this account.');
  perform credits.request_record(verdict, p_request);
  return verdict;
end;
$$;
comment on function credits.charge_stranger(uuid, credits.charge_request) is 'Denies a request for an account that is none of theirs who ask, without its lock.';
revoke all on function credits.charge_stranger(uuid, credits.charge_request) from public, anon, authenticated, service_role;

create function credits.charge_undone(p_verdict public.charge_verdict, p_balance bigint, p_jobs public.generation_jobs[])
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
begin
  p_verdict.balance := p_balance;
  p_verdict.job := null;
  -- The job that a key repeats may be one of those that there will not be.
  if exists (select from unnest(p_jobs) as j where j.id = p_verdict.job_id) then
    p_verdict.job_id := null;
  end if;
  if p_verdict.code = 'insufficient_credits' then
    p_verdict.message := format('The batch costs more than the %s credits that are there. Nothing was charged.', p_balance);
  end if;
  return p_verdict;
end;
$$;
comment on function credits.charge_undone(public.charge_verdict, bigint, public.generation_jobs[]) is
  'The denial that ends a batch of all or nothing, as things stand without the batch.';
revoke all on function credits.charge_undone(public.charge_verdict, bigint, public.generation_jobs[]) from public, anon, authenticated, service_role;

create function credits.charge_book(
  p_account public.credit_accounts, p_terms credits.charge_terms, p_jobs public.generation_jobs[], p_entries public.credit_ledger[], p_purse credits.purse
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  balance bigint := (p_terms.account).balance;
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
  foreach job in array p_jobs loop
    if job.member_id is not null then
      perform credits.member_spend(p_account.id, job.member_id, job.cost, job.created_at);
    end if;
    if balance - job.cost < greatest(p_terms.low_balance_credits, 1) then
      perform credits.balance_announce(p_account.id, balance, balance - job.cost, p_terms.low_balance_credits);
    end if;
    balance := balance - job.cost;
  end loop;
end;
$$;
comment on function credits.charge_book(public.credit_accounts, credits.charge_terms, public.generation_jobs[], public.credit_ledger[], credits.purse) is
  'Writes new jobs and the entries of their charges. p_account and p_purse are as they are after them.';
revoke all on function credits.charge_book(public.credit_accounts, credits.charge_terms, public.generation_jobs[], public.credit_ledger[], credits.purse) from public, anon, authenticated, service_role;

create function credits.charge(p_account_id uuid, p_requests credits.charge_request[], p_all_or_nothing boolean)
returns public.charge_verdict[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  terms credits.charge_terms;
  account public.credit_accounts;
  purse credits.purse;
  request credits.charge_request;
  judgement credits.charge_judgement;
  verdict public.charge_verdict;
  verdicts public.charge_verdict[];
  job public.generation_jobs;
  jobs public.generation_jobs[] := array[]::public.generation_jobs[];
  job_ids uuid[];
  entry public.credit_ledger;
  entries public.credit_ledger[];
  unpaid bigint;
  place integer := 0;
begin
  foreach request in array p_requests loop
    job_ids := job_ids || credits.job_id(p_account_id, request.idempotency_key);
  end loop;
  terms := credits.charge_terms(p_account_id, job_ids, p_requests[1].model);
  account := terms.account;
  purse := terms.purse;

  foreach request in array p_requests loop
    place := place + 1;
    request.member_id := nullif(request.member_id, account.user_id);
    judgement := credits.charge_judge(account, terms, request, job_ids[place], jobs);
    verdict := judgement.verdict;
    account.rate_full_at := judgement.rate_full_at;
    if verdict.status is null then
      unpaid := (judgement.priced).cost;
      if purse.total < unpaid then
        purse := credits.purse_fill(purse, account.id, unpaid);
      end if;
      verdict := credits.charge_fund(verdict, unpaid, purse.total, account);
    end if;
    if verdict.status is null then
      job := credits.job_new(job_ids[place], account.id, request, judgement.priced, terms.settle_margin_seconds);
      jobs := jobs || job;
      while unpaid > 0 loop
        -- Beyond the last grant only the overdraft is left.
        entry := credits.entry_next(account, -least(unpaid, purse.remaining[purse.place]), 'charge', purse.grant_ids[purse.place], job.id, null, null);
        entries := entries || entry;
        account := credits.account_after(account, entry);
        purse := credits.purse_after(purse, entry.delta);
        unpaid := unpaid + entry.delta;
      end loop;
      verdict := credits.charged(verdict, job, (judgement.priced).model, account.balance);
    elsif verdict.status >= 400 and p_all_or_nothing then
      verdict := credits.charge_undone(verdict, (terms.account).balance, jobs);
      perform credits.request_record(verdict, request);
      return array[verdict];
    end if;
    verdicts := verdicts || verdict;
  end loop;

  if entries is not null then
    perform credits.charge_book(account, terms, jobs, entries, purse);
  elsif account.rate_full_at <> (terms.account).rate_full_at then
    -- Denied, and counted all the same.
    update public.credit_accounts set rate_full_at = account.rate_full_at where id = account.id;
  end if;
  for place in 1 .. cardinality(verdicts) loop
    if (verdicts[place]).code <> 'charged' then
      perform credits.request_record(verdicts[place], p_requests[place]);
    end if;
  end loop;
  return verdicts;
end;
$$;
comment on function credits.charge(uuid, credits.charge_request[], boolean) is
  'Charges an account for requests, each judged in its turn, under the account''s lock. p_all_or_nothing: the first denial is the '
  'only verdict, and nothing else has happened. What atomic_charge_credits and its batch share.';
revoke all on function credits.charge(uuid, credits.charge_request[], boolean) from public, anon, authenticated, service_role;

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
-- Planned once a connection: 800 µs each time else, for a list of keys makes Postgres doubt its generic plan.
set plan_cache_mode = force_generic_plan
as $$
declare
  request credits.charge_request;
  verdicts public.charge_verdict[];
begin
  if length(p_request_id) > 128 then
    perform credits.check_length('request_id', p_request_id, 0, 128);
  end if;
  request := row(p_model, p_input, p_idempotency_key, p_request_id, p_member_id, credits.rate_decided(p_rate_decision));
  -- Asked before the lock: a stranger neither opens an account nor holds up its members.
  if p_member_id <> p_account_id and credits.is_stranger(p_account_id, p_member_id) then
    return credits.charge_stranger(p_account_id, request);
  end if;
  verdicts := credits.charge(p_account_id, array[request], false);
  return verdicts[1];
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
