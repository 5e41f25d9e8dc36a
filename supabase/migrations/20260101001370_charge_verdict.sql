-- Gives: what a charge answers, what it says again to a repeated request, and the record of what was not charged.
-- Keeps: a denial moves no credit but is recorded; one idempotency key, one charge (invariant 5).
-- Needs: price book, jobs, request events.

create type public.charge_verdict as (
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
comment on type public.charge_verdict is
  'Answer to a charge, shaped for HTTP. status and code: 201 charged; 200 replayed (job: how it ended); 400 invalid_request '
  'or invalid_model (errors); 402 insufficient_credits (balance, required; debt: what the account owes, and has to pay first) or '
  'member_cap_reached; 403 account_closed, not_a_member, not_allowed_to_spend or model_not_in_plan; 409 request_in_flight or '
  'price_changed (required: what it costs now); '
  '422 idempotency_key_reused; 429 rate_limited or too_many_jobs (retry_after_seconds). Amounts are whole credits.';

create type credits.charge_request as (
  model text,
  input jsonb,
  idempotency_key text,
  request_id text,
  member_id uuid,
  -- Whether the caller has the job made at once.
  starts boolean
);

create function credits.request_hash(p_model text, p_input jsonb)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return substr(sha256(convert_to(concat_ws(E'\n', p_model, p_input::text), 'UTF8')), 1, 16);
end;
$$;
comment on function credits.request_hash(text, jsonb) is 'What tells the retry of a request from another request under the same key.';
revoke all on function credits.request_hash(text, jsonb) from public, anon, authenticated, service_role;

create function credits.request_record(p_verdict public.charge_verdict, p_request credits.charge_request)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A stranger's try is their own: counted to the account that they named, it would raise its owner's alerts.
  insert into public.request_events (account_id, member_id, request_id, status, code, model, job_id)
  select o.account_id, nullif(p_request.member_id, o.account_id), p_request.request_id, p_verdict.status, p_verdict.code,
    left(p_request.model, 63), p_verdict.job_id
  from (select case when p_verdict.code = 'not_a_member' then p_request.member_id else p_verdict.account_id end as account_id) as o;
end;
$$;
comment on function credits.request_record(public.charge_verdict, credits.charge_request) is 'Records a request that was not charged in request_events: denied, or a repetition of one that has ended.';
revoke all on function credits.request_record(public.charge_verdict, credits.charge_request) from public, anon, authenticated, service_role;

create function credits.requests_record(p_verdicts public.charge_verdict[], p_requests credits.charge_request[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  for place in 1 .. cardinality(p_verdicts) loop
    if (p_verdicts[place]).code <> 'charged' then
      perform credits.request_record(p_verdicts[place], p_requests[place]);
    end if;
  end loop;
end;
$$;
comment on function credits.requests_record(public.charge_verdict[], credits.charge_request[]) is 'Records those of a call''s requests that were not charged.';
revoke all on function credits.requests_record(public.charge_verdict[], credits.charge_request[]) from public, anon, authenticated, service_role;

create function credits.charged_job(p_id uuid, p_model public.generation_models, p_input jsonb, p_created_at timestamptz)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return jsonb_build_object(
    'id', p_id, 'model', p_model.name, 'provider', p_model.provider, 'provider_model', p_model.provider_model,
    'input', p_input, 'timeout_seconds', p_model.timeout_seconds, 'created_at', p_created_at);
end;
$$;
comment on function credits.charged_job(uuid, public.generation_models, jsonb, timestamptz) is
  'What whoever runs a job needs to know: id, model, provider, provider_model, input, timeout_seconds, created_at.';
revoke all on function credits.charged_job(uuid, public.generation_models, jsonb, timestamptz) from public, anon, authenticated, service_role;

create function credits.job_is_untouched(p_job public.generation_jobs)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return p_job.status = 'pending' or (
    p_job.status = 'running' and p_job.started_at = p_job.created_at and p_job.provider_job_id is null);
end;
$$;
comment on function credits.job_is_untouched(public.generation_jobs) is 'Whether nothing has happened to a job since its charge.';
revoke all on function credits.job_is_untouched(public.generation_jobs) from public, anon, authenticated, service_role;

create function credits.charge_replayed(
  p_verdict public.charge_verdict, p_request credits.charge_request, p_job public.generation_jobs
)
returns public.charge_verdict
language plpgsql
set search_path = '', pg_temp
as $$
declare
  model public.generation_models;
begin
  p_verdict.job_id := p_job.id;
  if p_job.request_hash <> credits.request_hash(p_request.model, p_request.input) then
    p_verdict.status := 422;
    p_verdict.code := 'idempotency_key_reused';
    p_verdict.message := 'This Idempotency-Key belongs to another request. Send a new key with a new request.';
    return p_verdict;
  end if;
  p_verdict.cost := p_job.cost;
  -- The same request asks again because the answer to its charge was lost: it gets that answer.
  if credits.job_is_untouched(p_job) and p_job.request_id = p_request.request_id then
    p_verdict.status := 201;
    p_verdict.code := 'charged';
    select * into strict model from public.generation_models
    where name = p_job.model and effective_from = p_job.price_effective_from;
    p_verdict.job := credits.charged_job(p_job.id, model, p_job.input, p_job.created_at);
    return p_verdict;
  end if;
  if p_job.status in ('pending', 'running') then
    p_verdict.retry_after_seconds := 1;
    p_verdict.status := 409;
    p_verdict.code := 'request_in_flight';
    p_verdict.message := 'The first request with this Idempotency-Key is still running. Repeat it in a moment; it is charged once.';
    return p_verdict;
  end if;
  p_verdict.status := 200;
  p_verdict.code := 'replayed';
  p_verdict.job := to_jsonb(p_job) - array['request_hash', 'account_id', 'idempotency_key', 'seal'];
  return p_verdict;
end;
$$;
comment on function credits.charge_replayed(public.charge_verdict, credits.charge_request, public.generation_jobs) is
  'The verdict for a request whose idempotency key has a job already.';
revoke all on function credits.charge_replayed(public.charge_verdict, credits.charge_request, public.generation_jobs) from public, anon, authenticated, service_role;
