import { dashboard, series, table } from "./panels.ts";

/** How well generations go, by provider and model, and who is held back. */
export const jobsAndProviders = dashboard({
  uid: "atomic-credits-jobs",
  title: "Atomic Credits: jobs and providers",
  description: "How well generations go, by provider and model.",
  from: "now-24h",
  refresh: "1m",
  panels: [
    series({
      title: "Success rate by provider",
      description:
        "Share of the jobs that succeeded, of those that succeeded or failed.",
      unit: "percentunit",
      sql: `
      select hour as time, provider as metric,
        sum(succeeded) / nullif(sum(succeeded + failed), 0) as value
      from generation_stats_hourly where $__timeFilter(hour)
      group by 1, 2 order by 1
      `,
    }),
    series({
      title: "Jobs an hour, by model",
      description: "Jobs that were charged.",
      sql: `
      select hour as time, model as metric, sum(jobs) as value
      from generation_stats_hourly where $__timeFilter(hour)
      group by 1, 2 order by 1
      `,
    }),
    series({
      title: "Duration",
      description:
        "From charge to end: half of the jobs were faster than p50, 95 % faster than p95.",
      unit: "s",
      sql: `
      select s.hour as time, s.provider || ' ' || s.model || ' ' || part.name as metric, part.value
      from generation_stats_hourly as s
      cross join lateral (values
        ('p50', s.p50_seconds), ('p95', s.p95_seconds), ('p99', s.p99_seconds)
      ) as part (name, value)
      where $__timeFilter(s.hour) and part.value is not null order by 1
      `,
    }),
    series({
      title: "Requests refused with 429 an hour",
      description:
        "rate_limited: too many in the plan's window. too_many_jobs: too many at a time.",
      sql: `
      select hour as time, code as metric, sum(hits) as value
      from credit_rate_limit_hits where $__timeFilter(hour)
      group by 1, 2 order by 1
      `,
    }),
    table({
      title: "Providers and models",
      description: "In the time that is shown; credits are whole credits.",
      sql: `
      select provider, model, sum(jobs) as jobs, sum(succeeded) as succeeded, sum(failed) as failed,
        round(sum(succeeded) / nullif(sum(succeeded + failed), 0), 4) as success_rate,
        max(p95_seconds) as slowest_p95_seconds,
        sum(credits_charged) as charged, sum(credits_refunded) as refunded
      from generation_stats_hourly where $__timeFilter(hour)
      group by 1, 2 order by jobs desc
      `,
    }),
    table({
      title: "Files in Storage",
      description:
        "As the task delete-objects counted them at measured_at; unneeded ones are deleted next.",
      sql: `
      select files, bytes, oldest_at, unneeded, to_delete, to_delete_since, to_move, measured_at
      from generation_files
      `,
    }),
    table({
      title: "Open jobs",
      description: "Those that are overdue first, then the oldest.",
      sql: `
      select overdue, deadline_at, created_at, status, provider, model, account_id, job_id
      from credit_unsettled_jobs order by overdue desc, created_at limit 100
      `,
    }),
    table({
      title: "Open jobs at providers that call back",
      description:
        "By what was heard last. Late ones are beyond their model's time limit, and refunded at its hard timeout.",
      sql: `
      select j.provider, coalesce(p.last_answer, 'nothing') as last_answer, count(*) as jobs,
        count(*) filter (where p.expected_by < now()) as late, max(p.asks) as most_asks,
        max(p.asked_at) as last_asked_at, min(j.created_at) as oldest
      from generation_provider_jobs as p
      join generation_jobs as j on j.account_id = p.account_id and j.id = p.job_id
      where j.status in ('pending', 'running')
      group by 1, 2 order by late desc, jobs desc
      `,
    }),
    table({
      title: "Accounts by refusals",
      description: "Who was refused with 429 most in the time that is shown.",
      sql: `
      select account_id, code, sum(hits) as hits
      from credit_rate_limit_hits where $__timeFilter(hour)
      group by 1, 2 order by hits desc limit 20
      `,
    }),
  ],
});
