-- Gives: get_generation_stats, whether generations went well over a span of hours.
-- Keeps: nothing; the alert rule success_rate alone says how many must succeed.
-- Needs: jobs, request events, alert rules.

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
  'Generations of the last hours. completed: succeeded; failed: failed or expired. success_rate: completed / '
  '(completed + failed), null when none has ended. Percentiles: seconds from charge to success. Amounts in whole '
  'credits; credits_refunded: what came back in all, released and refunded. healthy: the alert rule success_rate '
  'would not fire (it fires below its threshold, if at least its minimum has ended).';

create function public.get_generation_stats(p_hours integer default 24)
returns public.generation_stats
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  stats public.generation_stats;
  since timestamptz := credits.hours_ago(p_hours);
begin
  perform credits.caller_check('get_generation_stats');
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
  into strict stats.hours, stats.total_jobs, stats.completed_jobs, stats.failed_jobs, stats.canceled_jobs,
    stats.open_jobs, stats.success_rate, stats.p50_seconds, stats.p95_seconds, stats.p99_seconds,
    stats.credits_charged, stats.credits_refunded
  from (select status, cost, refunded, round(extract(epoch from ended_at - created_at), 3) as seconds
    from public.generation_jobs where created_at >= since) as jobs;
  select count(*) filter (where status >= 400), count(*) filter (where status = 429)
  into strict stats.denials, stats.rate_limit_hits
  from public.credit_request_events where created_at >= since;
  stats.healthy := not exists (
    select from public.credit_alert_rules
    where name = 'success_rate' and stats.completed_jobs + stats.failed_jobs >= greatest(minimum, 1)
      and stats.completed_jobs < threshold * (stats.completed_jobs + stats.failed_jobs));
  return stats;
end;
$$;
comment on function public.get_generation_stats(integer) is
  'How generations went in the last p_hours (1 to 8760). Raises 22023 outside of that.';
