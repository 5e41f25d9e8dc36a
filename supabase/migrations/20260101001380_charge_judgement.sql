-- Gives: what a charge depends on, read under the account's lock, and the denials that it may end with.
-- Keeps: one idempotency key, one charge (invariant 5); a stranger, a limit or a full plan stops it before anything is written.
-- Needs: rate limits, refill periods, quote, burn down, charge verdict; when called: due.

create type credits.charge_terms as (
  account public.credit_accounts,
  rate_limit_requests integer,
  rate_limit_window_seconds integer,
  max_concurrent_jobs integer,
  allowed_models text[],
  settle_margin_seconds integer,
  low_balance_credits bigint,
  open_jobs bigint,
  earlier_jobs public.generation_jobs[],
  model public.generation_models,
  purse credits.purse,
  seen_seq bigint,
  is_refill_due boolean
);

create function credits.charge_terms(p_account_id uuid, p_job_ids uuid[], p_model text)
returns credits.charge_terms
language plpgsql
set search_path = '', pg_temp
as $$
declare
  terms credits.charge_terms;
begin
  loop
    -- The lock and all there is to know in one statement: 80 µs; one by one they were 104.
    select a, p.rate_limit_requests, p.rate_limit_window_seconds, p.max_concurrent_jobs, p.allowed_models,
      s.settle_margin_seconds, s.low_balance_credits,
      (select count(*) from public.generation_jobs where account_id = p_account_id and status in ('pending', 'running')),
      (select array_agg(j) from public.generation_jobs as j where j.id = any (p_job_ids) and j.account_id = p_account_id),
      (select m from public.generation_models as m where m.name = p_model and m.effective_from <= now() order by m.effective_from desc limit 1),
      (select row(array[g.id], array[g.remaining], g.remaining, false, 1)::credits.purse from credits.spendable_grants as g
       where g.account_id = p_account_id order by g.priority, g.expires_at, g.id limit 1),
      (select last_seq from public.credit_accounts where id = p_account_id),
      -- Asked for the month only from 26 days after the last one's first day on, which is before any next one begins.
      p.monthly_credits > 0 and a.closed_at is null and (a.refilled_for is null or a.refilled_for < current_date - 25
        and a.refilled_for < credits.refill_month(p::public.credit_plans, a, clock_timestamp()))
    into terms
    from public.credit_accounts as a
    -- By its key (offset 0), where Postgres would sort and merge. The condition is asked again of a row that changed before its lock.
    join lateral (select * from public.credit_plans where name = a.plan offset 0) as p on p.name = a.plan
    cross join public.credit_settings as s
    where a.id = p_account_id
    for update of a skip locked;
    -- Read before a wait for the lock, a grant might have been spent or have expired by its end: so this never waits, and is
    -- repeated under the lock where it was not free, where the plan has changed (no row), or where somebody moved
    -- credits in the instant between (another last_seq).
    if (terms.account).last_seq = terms.seen_seq then
      -- What is due is booked before anything is judged, and all read again.
      exit when not terms.is_refill_due or not credits.account_refill_due(p_account_id);
    else
      terms.account := credits.account_lock(p_account_id);
    end if;
  end loop;
  if terms.purse is null then
    terms.purse := row('{}', '{}', 0, true, 1)::credits.purse;
  end if;
  return terms;
end;
$$;
comment on function credits.charge_terms(uuid, uuid[], text) is
  'Locks an account, creating it on first use, and reads what charges of it depend on: plan, settings, open jobs, jobs that have '
  'these ids already, a model, and the grant that is spent first. Books monthly credits that are due before.';
revoke all on function credits.charge_terms(uuid, uuid[], text) from public, anon, authenticated, service_role;

create function credits.charge_earlier(p_job_id uuid, p_jobs public.generation_jobs[])
returns public.generation_jobs
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  foreach job in array p_jobs loop
    if job.id = p_job_id then
      return job;
    end if;
  end loop;
  return null;
end;
$$;
comment on function credits.charge_earlier(uuid, public.generation_jobs[]) is
  'The job that an idempotency key has already, from before or out of this call; null when it is new.';
revoke all on function credits.charge_earlier(uuid, public.generation_jobs[]) from public, anon, authenticated, service_role;

create function credits.charge_denied(
  p_denial text, p_account public.credit_accounts, p_purse credits.purse, p_terms credits.charge_terms,
  p_rate credits.rate_decision, p_priced credits.priced_request
)
returns public.charge_verdict
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  verdict public.charge_verdict := row(
    case when p_denial in ('invalid_key', 'not_priced') then 400 when p_denial in ('rate_limited', 'too_many_jobs') then 429
      when p_denial in ('member_cap_reached', 'insufficient_credits') then 402 else 403 end,
    p_denial, null::text, p_account.id, null::uuid, null::bigint, p_account.balance, null::bigint, p_rate.retry_after_seconds,
    case when p_rate.allowed is not null then p_terms.rate_limit_requests end,
    case when p_rate.allowed is not null then p_terms.rate_limit_window_seconds end,
    p_rate.remaining, p_rate.reset_seconds, null::jsonb, null::jsonb, null::bigint);
begin
  case p_denial
    when 'known' then
      -- charge_replayed has the rest to say.
      null;
    when 'not_a_member' then
      verdict.message := 'You are not a member of this account.';
      -- Nor does a stranger learn the balance.
      verdict.balance := null;
    when 'account_closed' then
      verdict.message := 'The account is closed.';
    when 'invalid_key' then
      verdict.code := 'invalid_request';
      verdict.message := 'The idempotency key is empty or too long.';
      verdict.errors := '[{"field": "idempotency_key", "message": "must be text of 1 to 255 characters"}]'::jsonb;
    when 'rate_limited' then
      verdict.message := format('At most %s requests in %s seconds. Repeat in %s seconds.',
        p_terms.rate_limit_requests, p_terms.rate_limit_window_seconds, p_rate.retry_after_seconds);
    when 'not_priced' then
      verdict.status := p_priced.status;
      verdict.code := p_priced.code;
      verdict.required := p_priced.cost;
      verdict.message := p_priced.message;
      verdict.errors := p_priced.errors;
    when 'model_not_in_plan' then
      verdict.message := 'Your plan does not include this model.';
    when 'too_many_jobs' then
      verdict.message := format('At most %s jobs at a time. Repeat when one has ended.', p_terms.max_concurrent_jobs);
      verdict.retry_after_seconds := 1;
    when 'not_allowed_to_spend' then
      verdict.message := 'Your role on this account may look but not spend.';
    when 'member_cap_reached' then
      verdict.message := 'This is more than your monthly cap on this account leaves. Nothing was charged.';
    when 'insufficient_credits' then
      verdict.balance := p_purse.total - p_account.overdraft_used;
      verdict.required := p_priced.cost;
      verdict.debt := nullif(p_account.debt, 0);
      verdict.message := format(case when verdict.debt > 0
        then 'The account owes %3$s credits of a payment that was taken back; the next credits pay them. Nothing was charged.'
        else 'This costs %s credits and %s are there. Nothing was charged.' end, verdict.required, verdict.balance, verdict.debt);
  end case;
  return verdict;
end;
$$;
comment on function credits.charge_denied(text, public.credit_accounts, credits.purse, credits.charge_terms, credits.rate_decision, credits.priced_request) is
  'What a request is told that a rule denies.';
revoke all on function credits.charge_denied(text, public.credit_accounts, credits.purse, credits.charge_terms, credits.rate_decision, credits.priced_request) from public, anon, authenticated, service_role;

create function credits.charge_stranger(p_account_id uuid, p_request credits.charge_request)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  verdict public.charge_verdict;
begin
  account.id := p_account_id;
  verdict := credits.charge_denied('not_a_member', account, null, null, null, null);
  perform credits.request_record(verdict, p_request);
  return verdict;
end;
$$;
comment on function credits.charge_stranger(uuid, credits.charge_request) is 'Denies a request for an account that is none of theirs who ask, without its lock.';
revoke all on function credits.charge_stranger(uuid, credits.charge_request) from public, anon, authenticated, service_role;
