-- Gives: how generations go by the hour, who is denied, and the trail of one request.
-- Keeps: nothing; reads a bounded span of time by its index.
-- Needs: ledger, jobs, request events.

create view public.generation_stats_hourly
with (security_invoker = true)
as
select date_trunc('hour', created_at, 'utc') as hour, model, provider,
  count(*) as jobs,
  count(*) filter (where status = 'succeeded') as succeeded,
  count(*) filter (where status in ('failed', 'expired')) as failed,
  count(*) filter (where status = 'canceled') as canceled,
  count(*) filter (where status in ('pending', 'running')) as open,
  round(count(*) filter (where status = 'succeeded')::numeric
    / nullif(count(*) filter (where status in ('succeeded', 'failed', 'expired')), 0), 4) as success_rate,
  percentile_disc(0.5) within group (order by round(extract(epoch from ended_at - created_at), 3))
    filter (where status = 'succeeded') as p50_seconds,
  percentile_disc(0.95) within group (order by round(extract(epoch from ended_at - created_at), 3))
    filter (where status = 'succeeded') as p95_seconds,
  percentile_disc(0.99) within group (order by round(extract(epoch from ended_at - created_at), 3))
    filter (where status = 'succeeded') as p99_seconds,
  sum(cost)::bigint as credits_charged,
  sum(refunded)::bigint as credits_refunded
from public.generation_jobs
group by 1, 2, 3;
comment on view public.generation_stats_hourly is
  'Generations by the hour (UTC) that they were charged in, by model and provider. success_rate: succeeded / '
  '(succeeded + failed), null before any has ended; canceled ones count neither way. Percentiles: seconds from '
  'charge to success. Amounts in whole credits; credits_refunded: what came back in all, released and refunded.';

create view public.credit_rate_limit_hits
with (security_invoker = true)
as
select date_trunc('hour', created_at, 'utc') as hour, account_id, code, count(*) as hits
from public.credit_request_events
where status = 429
group by 1, 2, 3;
comment on view public.credit_rate_limit_hits is
  'Requests that were denied with 429, by hour (UTC), account and code (rate_limited, too_many_jobs).';

create function credits.failure_code(p_job_id uuid)
returns text
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select error ->> 'code' from public.generation_jobs where id = p_job_id;
$$;
comment on function credits.failure_code(uuid) is
  'Why a job failed, as a code: what an auditor may read of its error, whose message may quote a prompt.';

create function credits.job_asker(p_job_id uuid)
returns text
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select ', asked by server' from public.generation_jobs where id = p_job_id and input ->> 'asked_by' = 'server';
$$;
comment on function credits.job_asker(uuid) is
  'Says of a job that the app''s own server asked for it; null where a user did. An auditor may know that, and not '
  'read the input.';

create view public.credit_request_trail
with (security_invoker = true)
as
select request_id, created_at as at, account_id, case when status < 400 then 'answered' else 'denied' end as step,
  status::text || ' ' || code as detail, job_id, null::bigint as credits
from public.credit_request_events
union all
select request_id, created_at, account_id, 'charged', model || coalesce(credits.job_asker(id), ''), id, -cost
from public.generation_jobs
union all
select request_id, ended_at, account_id, status::text, coalesce(credits.failure_code(id), provider), id, null
from public.generation_jobs where ended_at is not null
union all
select j.request_id, l.created_at, l.account_id, 'entry ' || l.seq, l.kind || coalesce(': ' || l.reason, ''),
  l.job_id, l.delta
from public.generation_jobs as j
join public.credit_ledger as l on l.account_id = j.account_id and l.job_id = j.id;
comment on view public.credit_request_trail is
  'What became of a request, by the x-request-id of its answer: denial or repeated answer, or charge, end and ledger '
  'entries (credits: what came in or went out). Ask for one: where request_id = ''…'' order by at. A trail without '
  'an end is of a job that still runs.';
