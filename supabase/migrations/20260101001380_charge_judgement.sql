-- Gives: whether a charge may be: everything that it depends on, read under the account's lock, and the rules in their order.
-- Keeps: one idempotency key, one charge (invariant 5); a stranger, a limit or a full plan stops it before anything is written.
-- Needs: charge verdict, quote, members, burn-down.

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
  seen_seq bigint
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
      array(select j from public.generation_jobs as j where j.id = any (p_job_ids)),
      (select m from public.generation_models as m where m.name = p_model and m.effective_from <= now() order by m.effective_from desc limit 1),
      (select row(array[g.id], array[g.remaining], g.remaining, false, 1)::credits.purse from credits.spendable_grants as g
       where g.account_id = p_account_id order by g.priority, g.expires_at, g.id limit 1),
      (select last_seq from public.credit_accounts where id = p_account_id)
    into terms
    from public.credit_accounts as a
    join public.credit_plans as p on p.name = a.plan
    cross join public.credit_settings as s
    where a.id = p_account_id
    for update of a skip locked;
    -- Read before a wait for the lock, a grant might have been spent or have expired by its end: so this never waits, and is
    -- repeated under the lock where it was not free, where the plan has changed (no row), or where somebody moved
    -- credits in the instant between (another last_seq).
    exit when (terms.account).last_seq = terms.seen_seq;
    terms.account := credits.account_lock(p_account_id);
  end loop;
  terms.purse := coalesce(terms.purse, row('{}', '{}', 0, true, 1)::credits.purse);
  return terms;
end;
$$;
comment on function credits.charge_terms(uuid, uuid[], text) is
  'Locks an account, creating it on first use, and reads what charges of it depend on: plan, settings, open jobs, jobs that have '
  'these ids already, a model, and the grant that is spent first.';
revoke all on function credits.charge_terms(uuid, uuid[], text) from public, anon, authenticated, service_role;

create function credits.charge_admit(
  p_verdict public.charge_verdict, p_request credits.charge_request, p_account public.credit_accounts, p_earlier_job public.generation_jobs
)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_request.member_id is not null and credits.is_stranger(p_account.id, p_request.member_id) then
    -- Before anything counts: a stranger must not use up the account's limit, nor learn its balance.
    p_verdict.balance := null;
    return credits.charge_denied(p_verdict, 403, 'not_a_member', 'You are not a member of this account.');
  elsif p_account.closed_at is not null then
    return credits.charge_denied(p_verdict, 403, 'account_closed', 'The account is closed.');
  elsif length(p_request.idempotency_key) not between 1 and 255 then
    p_verdict.errors := '[{"field": "idempotency_key", "message": "must be text of 1 to 255 characters"}]'::jsonb;
    return credits.charge_denied(p_verdict, 400, 'invalid_request', 'The idempotency key is empty or too long.');
  elsif p_earlier_job.id is not null then
    return credits.charge_replayed(p_verdict, p_request, p_earlier_job);
  end if;
  return p_verdict;
end;
$$;
comment on function credits.charge_admit(public.charge_verdict, credits.charge_request, public.credit_accounts, public.generation_jobs) is
  'The checks before anything counts: member, open account, idempotency. The verdict has a status when it ends here.';
revoke all on function credits.charge_admit(public.charge_verdict, credits.charge_request, public.credit_accounts, public.generation_jobs) from public, anon, authenticated, service_role;

create function credits.charge_rate(p_verdict public.charge_verdict, p_terms credits.charge_terms, p_rate credits.rate_decision)
returns public.charge_verdict
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  p_verdict.rate_limit := p_terms.rate_limit_requests;
  p_verdict.rate_window_seconds := p_terms.rate_limit_window_seconds;
  p_verdict.rate_remaining := p_rate.remaining;
  p_verdict.rate_reset_seconds := p_rate.reset_seconds;
  if p_rate.allowed then
    return p_verdict;
  end if;
  p_verdict.retry_after_seconds := p_rate.retry_after_seconds;
  return credits.charge_denied(p_verdict, 429, 'rate_limited', format('At most %s requests in %s seconds. Repeat in %s seconds.',
    p_terms.rate_limit_requests, p_terms.rate_limit_window_seconds, p_rate.retry_after_seconds));
end;
$$;
comment on function credits.charge_rate(public.charge_verdict, credits.charge_terms, credits.rate_decision) is
  'Notes what the rate limit said to a request. The verdict has a status when it ends here.';
revoke all on function credits.charge_rate(public.charge_verdict, credits.charge_terms, credits.rate_decision) from public, anon, authenticated, service_role;

create function credits.charge_member(p_verdict public.charge_verdict, p_account public.credit_accounts, p_member_id uuid, p_cost bigint)
returns public.charge_verdict
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  denial text := credits.member_denial(p_account, p_member_id, p_cost);
begin
  case denial
    when 'not_a_member' then
      return credits.charge_denied(p_verdict, 403, denial, 'You are not a member of this account.');
    when 'not_allowed_to_spend' then
      return credits.charge_denied(p_verdict, 403, denial, 'Your role on this account may look but not spend.');
    when 'member_cap_reached' then
      return credits.charge_denied(p_verdict, 402, denial,
        'This is more than your monthly cap on this account leaves. Nothing was charged.');
    else
      return p_verdict;
  end case;
end;
$$;
comment on function credits.charge_member(public.charge_verdict, public.credit_accounts, uuid, bigint) is
  'Whether the member who asks may spend this much. The verdict has a status when it ends here.';
revoke all on function credits.charge_member(public.charge_verdict, public.credit_accounts, uuid, bigint) from public, anon, authenticated, service_role;

create function credits.charge_allow(
  p_verdict public.charge_verdict, p_request credits.charge_request, p_terms credits.charge_terms,
  p_priced credits.priced_request, p_account public.credit_accounts, p_new_jobs public.generation_jobs[]
)
returns public.charge_verdict
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_priced.status <> 200 then
    p_verdict.errors := p_priced.errors;
    return credits.charge_denied(p_verdict, p_priced.status, p_priced.code, p_priced.message);
  elsif not coalesce(p_request.model = any (p_terms.allowed_models), p_terms.allowed_models is null) then
    return credits.charge_denied(p_verdict, 403, 'model_not_in_plan', 'Your plan does not include this model.');
  elsif p_terms.open_jobs + cardinality(p_new_jobs) >= p_terms.max_concurrent_jobs then
    p_verdict.retry_after_seconds := 1;
    return credits.charge_denied(p_verdict, 429, 'too_many_jobs',
      format('At most %s jobs at a time. Repeat when one has ended.', p_terms.max_concurrent_jobs));
  elsif p_request.member_id is not null then
    return credits.charge_member(p_verdict, p_account, p_request.member_id, p_priced.cost + (
      select coalesce(sum(j.cost), 0)::bigint from unnest(p_new_jobs) as j where j.member_id = p_request.member_id));
  end if;
  return p_verdict;
end;
$$;
comment on function credits.charge_allow(public.charge_verdict, credits.charge_request, credits.charge_terms, credits.priced_request, public.credit_accounts, public.generation_jobs[]) is
  'Whether model, plan, concurrency and member''s cap allow a request, beside the jobs that this call makes. The verdict has a status when it ends here.';
revoke all on function credits.charge_allow(public.charge_verdict, credits.charge_request, credits.charge_terms, credits.priced_request, public.credit_accounts, public.generation_jobs[]) from public, anon, authenticated, service_role;

create function credits.charge_earlier(p_job_id uuid, p_earlier_jobs public.generation_jobs[], p_new_jobs public.generation_jobs[])
returns public.generation_jobs
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  foreach job in array p_earlier_jobs || p_new_jobs loop
    if job.id = p_job_id then
      return job;
    end if;
  end loop;
  return null;
end;
$$;
comment on function credits.charge_earlier(uuid, public.generation_jobs[], public.generation_jobs[]) is
  'The job that an idempotency key has already, from before or out of this call; null when it is new.';
revoke all on function credits.charge_earlier(uuid, public.generation_jobs[], public.generation_jobs[]) from public, anon, authenticated, service_role;

create type credits.charge_judgement as (
  verdict public.charge_verdict,
  priced credits.priced_request,
  rate_full_at timestamptz
);

create function credits.charge_judge(
  p_account public.credit_accounts, p_terms credits.charge_terms, p_request credits.charge_request, p_job_id uuid, p_new_jobs public.generation_jobs[]
)
returns credits.charge_judgement
language plpgsql
set search_path = '', pg_temp
as $$
declare
  judgement credits.charge_judgement;
  verdict public.charge_verdict;
  rate credits.rate_decision := p_request.rate;
  model public.generation_models := p_terms.model;
begin
  verdict.account_id := p_account.id;
  verdict.balance := p_account.balance;
  judgement.rate_full_at := p_account.rate_full_at;
  verdict := credits.charge_admit(verdict, p_request, p_account, credits.charge_earlier(p_job_id, p_terms.earlier_jobs, p_new_jobs));
  if verdict.status is null then
    if rate is null then
      rate := credits.rate_limit_take(p_account.rate_full_at, p_terms.rate_limit_requests, p_terms.rate_limit_window_seconds);
      judgement.rate_full_at := rate.full_at;
    end if;
    verdict := credits.charge_rate(verdict, p_terms, rate);
  end if;
  if verdict.status is null then
    if model.name is distinct from p_request.model then
      model := credits.model_current(p_request.model);
    end if;
    judgement.priced := credits.request_price(model, p_request.input);
    verdict := credits.charge_allow(verdict, p_request, p_terms, judgement.priced, p_account, p_new_jobs);
  end if;
  judgement.verdict := verdict;
  return judgement;
end;
$$;
comment on function credits.charge_judge(public.credit_accounts, credits.charge_terms, credits.charge_request, uuid, public.generation_jobs[]) is
  'Everything about a request but the credits: account, idempotency, rate limit, model and parameters, plan, concurrency, member, '
  'in this order, beside the jobs that this call makes. The verdict has a status when it ends here.';
revoke all on function credits.charge_judge(public.credit_accounts, credits.charge_terms, credits.charge_request, uuid, public.generation_jobs[]) from public, anon, authenticated, service_role;

create function credits.charge_fund(p_verdict public.charge_verdict, p_cost bigint, p_in_grants bigint, p_account public.credit_accounts)
returns public.charge_verdict
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_cost <= p_in_grants + p_account.credit_limit - p_account.overdraft_used then
    return p_verdict;
  end if;
  p_verdict.balance := p_in_grants - p_account.overdraft_used;
  p_verdict.required := p_cost;
  return credits.charge_denied(p_verdict, 402, 'insufficient_credits',
    format('This costs %s credits and %s are there. Nothing was charged.', p_cost, p_verdict.balance));
end;
$$;
comment on function credits.charge_fund(public.charge_verdict, bigint, bigint, public.credit_accounts) is
  'Whether what is in the grants and the overdraft pay a cost. The verdict has a status when it ends here.';
revoke all on function credits.charge_fund(public.charge_verdict, bigint, bigint, public.credit_accounts) from public, anon, authenticated, service_role;
