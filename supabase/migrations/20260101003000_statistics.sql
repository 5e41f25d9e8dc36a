-- Gives: how generations go, who is denied, and the trail of one request.
-- Keeps: nothing; reads a bounded span of time by its index.
-- Needs: jobs, request events.

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
  'Generations by the hour (UTC) that they were charged in, by model and provider. success_rate: succeeded / (succeeded + failed), '
  'null before any has ended; canceled ones count neither way. Percentiles: seconds from charge to success. Amounts in whole credits.';
revoke all on table public.generation_stats_hourly from public, anon, authenticated, service_role;
grant select on table public.generation_stats_hourly to service_role;

create view public.rate_limit_hits
with (security_invoker = true)
as
select date_trunc('hour', created_at, 'utc') as hour, account_id, code, count(*) as hits
from public.request_events
where status = 429
group by 1, 2, 3;
comment on view public.rate_limit_hits is
  'Requests that were denied with 429, by hour (UTC), account and code (rate_limited, too_many_jobs).';
revoke all on table public.rate_limit_hits from public, anon, authenticated, service_role;
grant select on table public.rate_limit_hits to service_role;

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
revoke all on function credits.failure_code(uuid) from public, anon, authenticated, service_role;
grant execute on function credits.failure_code(uuid) to service_role;

create view public.request_trail
with (security_invoker = true)
as
select request_id, created_at as at, account_id, case when status < 400 then 'answered' else 'denied' end as step, status::text || ' ' || code as detail, job_id, null::bigint as credits
from public.request_events
union all
select request_id, created_at, account_id, 'charged', model, id, -cost from public.generation_jobs
union all
select request_id, ended_at, account_id, status::text, coalesce(credits.failure_code(id), provider), id, null
from public.generation_jobs where ended_at is not null
union all
select j.request_id, l.created_at, l.account_id, 'entry ' || l.seq, l.kind || coalesce(': ' || l.reason, ''), l.job_id, l.delta
from public.generation_jobs as j
join public.credit_ledger as l on l.account_id = j.account_id and l.job_id = j.id;
comment on view public.request_trail is
  'What became of a request, by the x-request-id of its answer: denial or repeated answer, or charge, end and ledger entries (credits: what came in or '
  'went out). Ask for one: where request_id = ''…'' order by at. A trail without an end is of a job that still runs.';
revoke all on table public.request_trail from public, anon, authenticated, service_role;
grant select on table public.request_trail to service_role;

create type public.generation_stats as (
  hours integer,
  total_jobs bigint,
  completed_jobs bigint,
  failed_jobs bigint,
  canceled_jobs bigint,
  open_jobs bigint,
  success_rate numeric,
  p50_seconds numeric,
  p95_seconds numeric,
  p99_seconds numeric,
  credits_charged bigint,
  credits_refunded bigint,
  denials bigint,
  rate_limit_hits bigint,
  healthy boolean
);
comment on type public.generation_stats is
  'Generations of the last hours. completed: succeeded; failed: failed or expired. success_rate: completed / (completed + failed), '
  'null when none has ended. Percentiles: seconds from charge to success. Amounts in whole credits. healthy: at least 90 % of those '
  'that ended were completed, or fewer than 20 have ended.';

create function public.get_generation_stats(p_hours integer default 24)
returns public.generation_stats
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  stats public.generation_stats;
  since timestamptz;
begin
  if p_hours is null or p_hours not between 1 and 8760 then
    perform credits.raise_misuse('22023', 'hours must be 1 to 8760', 'A year has 8760.');
  end if;
  since := now() - make_interval(hours => p_hours);
  select p_hours, count(*),
    count(*) filter (where status = 'succeeded'),
    count(*) filter (where status in ('failed', 'expired')),
    count(*) filter (where status = 'canceled'),
    count(*) filter (where status in ('pending', 'running')),
    round(count(*) filter (where status = 'succeeded')::numeric
      / nullif(count(*) filter (where status in ('succeeded', 'failed', 'expired')), 0), 4),
    percentile_disc(0.5) within group (order by seconds) filter (where status = 'succeeded'),
    percentile_disc(0.95) within group (order by seconds) filter (where status = 'succeeded'),
    percentile_disc(0.99) within group (order by seconds) filter (where status = 'succeeded'),
    coalesce(sum(cost), 0), coalesce(sum(refunded), 0)
  into strict stats.hours, stats.total_jobs, stats.completed_jobs, stats.failed_jobs, stats.canceled_jobs, stats.open_jobs,
    stats.success_rate, stats.p50_seconds, stats.p95_seconds, stats.p99_seconds, stats.credits_charged, stats.credits_refunded
  from (select status, cost, refunded, round(extract(epoch from ended_at - created_at), 3) as seconds
    from public.generation_jobs where created_at >= since) as jobs;
  select count(*) filter (where status >= 400), count(*) filter (where status = 429) into strict stats.denials, stats.rate_limit_hits
  from public.request_events where created_at >= since;
  stats.healthy := stats.completed_jobs + stats.failed_jobs < 20 or stats.completed_jobs >= 0.9 * (stats.completed_jobs + stats.failed_jobs);
  return stats;
end;
$$;
comment on function public.get_generation_stats(integer) is
  'How generations went in the last p_hours (1 to 8760). Raises 22023 outside of that.';
revoke all on function public.get_generation_stats(integer) from public, anon, authenticated, service_role;
grant execute on function public.get_generation_stats(integer) to service_role;
