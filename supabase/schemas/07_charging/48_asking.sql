-- Gives: the note that a provider has a job, and the asks about jobs of which nothing was heard.
-- Keeps: a job that its provider has is refunded by a definite word, or after hard_timeout_seconds (invariant 4).
-- Needs: settings, price book, jobs, provider jobs.

create function credits.ask_after(p_asks integer, p_expected_by timestamptz, p_deadline_at timestamptz)
returns timestamptz
language plpgsql
set search_path = '', pg_temp
as $$
declare
  asked_at constant timestamptz := clock_timestamp();
begin
  return (
    select min(a.at)
    from (values (asked_at + make_interval(secs => 60 * least(2 ^ least(p_asks, 8), 15))), (p_expected_by),
      (p_deadline_at - interval '90 seconds')) as a (at)
    where a.at >= asked_at + interval '60 seconds');
end;
$$;
comment on function credits.ask_after(integer, timestamptz, timestamptz) is
  'When to ask about a job after so many asks: in 1, 2, 4, 8 and then 15 minutes, but also when it should have ended, '
  'and before its deadline.';

create function credits.provider_job_note(
  p_job public.generation_jobs, p_provider_job_id text, p_urls jsonb default null
)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expected_by constant timestamptz := p_job.deadline_at;
  hard_timeout integer := (
    select m.hard_timeout_seconds
    from public.credit_settings as s
    join public.generation_models as m on m.name = p_job.model and m.effective_from = p_job.price_effective_from
    where p_provider_job_id is not null and p_job.provider = any (s.callback_providers));
begin
  update public.generation_jobs
  set status = 'running', started_at = coalesce(started_at, clock_timestamp()), provider_job_id = p_provider_job_id,
    deadline_at = greatest(deadline_at, created_at + make_interval(secs => coalesce(hard_timeout, 0)))
  where id = p_job.id and account_id = p_job.account_id
  returning * into strict p_job;
  if hard_timeout is not null then
    insert into public.generation_provider_jobs as p (account_id, job_id, urls, expected_by, next_ask_at)
    values (p_job.account_id, p_job.id, p_urls, expected_by, credits.ask_after(0, expected_by, p_job.deadline_at))
    on conflict (account_id, job_id) do update set urls = coalesce(p.urls, excluded.urls);
  end if;
  return p_job;
end;
$$;
comment on function credits.provider_job_note(public.generation_jobs, text, jsonb) is
  'Notes that a provider has an open job, under its own id. Where that provider calls back, the job''s deadline '
  'becomes that of its model''s hard_timeout_seconds: until then the provider can be asked. The caller holds the '
  'job''s lock.';

create function credits.output_limit(p_model text, p_price_effective_from timestamptz)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select m.max_output_bytes from public.generation_models as m
  where m.name = p_model and m.effective_from = p_price_effective_from;
$$;
comment on function credits.output_limit(text, timestamptz) is
  'How many bytes one file of a job may have, by the price version that it was charged by.';

create type public.generation_provider_ask as (
  job_id uuid,
  account_id uuid,
  provider text,
  provider_job_id text,
  urls jsonb,
  cancel_requested boolean,
  input jsonb,
  max_output_bytes bigint
);
comment on type public.generation_provider_ask is
  'A job to ask its provider about. urls: the provider''s addresses, where it gave some. cancel_requested: its user '
  'wants it stopped. input: its request; max_output_bytes: how large one of its files may be.';

create function credits.provider_asks_due()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (
    select from public.generation_provider_jobs as p
    join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
    where p.next_ask_at <= clock_timestamp() and j.status in ('pending', 'running')
      and j.provider_job_id is not null);
$$;
comment on function credits.provider_asks_due() is 'Whether claim_provider_asks has something to give.';

create function public.claim_provider_asks(p_limit integer default 50)
returns setof public.generation_provider_ask
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('claim_provider_asks');
  return query
  with due as (
    select p.account_id, p.job_id, j.provider, j.provider_job_id, j.input, j.deadline_at, j.model,
      j.price_effective_from
    from public.generation_provider_jobs as p
    join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
    where p.next_ask_at <= clock_timestamp() and j.status in ('pending', 'running') and j.provider_job_id is not null
    order by p.next_ask_at limit least(greatest(p_limit, 0), 1000) for update of p skip locked
  ),
  asked as (
    update public.generation_provider_jobs as p
    set asks = p.asks + 1, asked_at = clock_timestamp(),
      next_ask_at = credits.ask_after(p.asks + 1, p.expected_by, d.deadline_at)
    from due as d where p.account_id = d.account_id and p.job_id = d.job_id
    returning p.job_id, p.account_id, d.provider, d.provider_job_id, p.urls, p.cancel_requested_at, d.input, d.model,
      d.price_effective_from
  )
  select a.job_id, a.account_id, a.provider, a.provider_job_id, a.urls, a.cancel_requested_at is not null, a.input,
    credits.output_limit(a.model, a.price_effective_from)
  from asked as a;
end;
$$;
comment on function public.claim_provider_asks(integer) is
  'Takes up to p_limit open jobs of which nothing was heard for their time, to ask their providers about, the longest '
  'due first: after a minute, then 2, 4, 8 and each 15 minutes, and once when a job should have ended. What comes of '
  'it goes to provider_answered. Two callers never get the same job; one that dies loses a turn. Takes no lock on an '
  'account or job.';
