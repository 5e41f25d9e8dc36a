-- Gives: the answers of a charge: its result type, the message of each denial, and the answer to a repeated request.
-- Keeps: a denial moves no credit but is recorded; one idempotency key, one charge (invariant 5).
-- Needs: denials, quote, jobs, request events.

create type public.credit_charge_result as (
  status integer,
  code text,
  message text,
  account_id uuid,
  job_id uuid,
  cost bigint,
  balance bigint,
  required bigint,
  retry_after_seconds integer,
  rate_limit integer,
  rate_window_seconds integer,
  rate_remaining integer,
  rate_reset_seconds integer,
  errors jsonb,
  job jsonb,
  debt bigint
);
-- The codes come from the one list of denials, so that docs/sql.md shows them.
do $$
begin
  execute format('comment on type public.credit_charge_result is %L',
    'Answer to a charge, shaped for HTTP. status and code: 201 charged; 200 replayed (job: how it ended); or a denial: '
    || (select string_agg(d.status || ' ' || d.codes, '; ' order by d.status) from (
      select l.status, string_agg(l.code, ', ' order by l.code) as codes
      from credits.denials as l where l.from_charge group by l.status
    ) as d)
    || '. With insufficient_credits: balance, required and debt (which the account owes and has to pay first); '
    'with price_changed: required (the cost now); with a 400: errors; with a 429 and request_in_flight: '
    'retry_after_seconds. Amounts are whole credits.');
end;
$$;

create function credits.request_record(
  p_result public.credit_charge_result, p_member_id uuid, p_request_id text, p_model text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- A stranger's counts for the stranger: counted for the account that they named, it would raise its owner's alerts.
  account_asked uuid := case when p_result.code = 'not_a_member' then p_member_id else p_result.account_id end;
begin
  insert into public.credit_request_events (account_id, member_id, request_id, status, code, model, job_id)
  values (account_asked, nullif(p_member_id, account_asked), p_request_id, p_result.status, p_result.code,
    left(p_model, 63), p_result.job_id);
end;
$$;
comment on function credits.request_record(public.credit_charge_result, uuid, text, text) is
  'Records in credit_request_events a request that was not charged: denied, or a repeat of one that has ended.';

create function credits.charge_denied(
  p_code text, p_result public.credit_charge_result, p_priced credits.priced_request, p_spendable bigint, p_debt bigint,
  p_max_concurrent_jobs integer, p_member_id uuid, p_request_id text, p_model text
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  p_result.code := case p_code when 'invalid_key' then 'invalid_request' when 'not_priced' then p_priced.code
    else p_code end;
  select d.status, d.message into strict p_result.status, p_result.message
  from credits.denials as d where d.code = p_result.code limit 1;
  if p_code = 'not_priced' then
    p_result.message := p_priced.message;
    p_result.errors := p_priced.errors;
    p_result.required := p_priced.cost;
  elsif p_code = 'invalid_key' then
    p_result.message := 'The idempotency key is empty or too long.';
    p_result.errors := '[{"field": "idempotency_key", "message": "must be text of 1 to 255 characters"}]';
  elsif p_code = 'not_a_member' then
    p_result.balance := null; -- a stranger does not learn it either
  elsif p_code = 'rate_limited' then
    p_result.message := format(p_result.message, p_result.rate_limit, p_result.rate_window_seconds,
      p_result.retry_after_seconds);
  elsif p_code = 'too_many_jobs' then
    p_result.message := format(p_result.message, p_max_concurrent_jobs);
    p_result.retry_after_seconds := 1;
  elsif p_code = 'insufficient_credits' then
    p_result.balance := p_spendable;
    p_result.required := p_priced.cost;
    p_result.debt := nullif(p_debt, 0);
    p_result.message := case when p_debt > 0
      then format('The account owes %s credits of a payment that was taken back; the next credits pay them. '
        'Nothing was charged.', p_debt)
      else format(p_result.message, p_result.required, p_result.balance) end;
  end if;
  perform credits.request_record(p_result, p_member_id, p_request_id, p_model);
  return p_result;
end;
$$;
comment on function credits.charge_denied(text, public.credit_charge_result, credits.priced_request, bigint, bigint,
  integer, uuid, text, text) is
  'Completes a denial with its status and message, and records it. p_code: its code; invalid_key; or not_priced, as '
  'p_priced says.';

create function credits.repeats_are_many(p_account_id uuid, p_most integer, p_since timestamptz)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select count(*) >= p_most
  from (
    select from public.credit_request_events
    where account_id = p_account_id and job_id is not null and created_at > p_since
    order by created_at desc limit p_most
  ) as repeats;
$$;
comment on function credits.repeats_are_many(uuid, integer, timestamptz) is
  'Whether an account has repeated ended or running requests p_most times since p_since: from then on a repeat counts '
  'like a new request. A client that heeds Retry-After repeats once per second. p_since is a parameter, so that the '
  'index is used: with a clock in the query every repeat ever kept would be read.';

create function credits.charge_replayed(
  p_result public.credit_charge_result, p_job_id uuid, p_request_hash bytea, p_member_id uuid, p_request_id text,
  p_model text
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job record;
begin
  -- Job and balance of one moment: the job may have been refunded since the charge read the account.
  -- Without the output, which may be megabytes: it is read only where it is the answer.
  select j.status, j.cost, j.request_hash, j.request_id, j.provider_job_id, j.started_at, j.created_at, j.model,
    j.price_effective_from, j.input, a.balance
  into strict job
  from public.generation_jobs as j join public.credit_accounts as a on a.id = j.account_id
  where j.id = p_job_id and j.account_id = p_result.account_id;
  p_result.job_id := p_job_id;
  p_result.balance := job.balance;
  p_result.cost := case when job.request_hash = p_request_hash then job.cost end;
  if job.request_hash <> p_request_hash then
    p_result.code := 'idempotency_key_reused';
  elsif job.request_id = p_request_id and (job.status = 'pending'
    or (job.status = 'running' and job.started_at = job.created_at and job.provider_job_id is null)) then
    -- Nothing has happened to the job since its charge: the same request asks again because its answer was lost.
    p_result.status := 201;
    p_result.code := 'charged';
    select jsonb_build_object('id', p_job_id, 'model', job.model, 'provider', m.provider,
      'provider_model', m.provider_model, 'type', m.type, 'input', job.input,
      'timeout_seconds', m.timeout_seconds, 'max_output_bytes', m.max_output_bytes, 'created_at', job.created_at)
    into strict p_result.job
    from public.generation_models as m where m.name = job.model and m.effective_from = job.price_effective_from;
    return p_result;
  elsif job.status in ('pending', 'running') then
    p_result.code := 'request_in_flight';
    p_result.retry_after_seconds := 1;
  else
    p_result.status := 200;
    p_result.code := 'replayed';
    select to_jsonb(j) - array['request_hash', 'account_id', 'idempotency_key', 'seal'], a.balance
    into strict p_result.job, p_result.balance
    from public.generation_jobs as j join public.credit_accounts as a on a.id = j.account_id
    where j.id = p_job_id and j.account_id = p_result.account_id;
  end if;
  if p_result.status is null then
    select d.status, d.message into strict p_result.status, p_result.message
    from credits.denials as d where d.code = p_result.code limit 1;
  end if;
  perform credits.request_record(p_result, p_member_id, p_request_id, p_model);
  return p_result;
end;
$$;
comment on function credits.charge_replayed(public.credit_charge_result, uuid, bytea, uuid, text, text) is
  'Answers a request whose idempotency key has a job already, and records it. Takes no lock.';
