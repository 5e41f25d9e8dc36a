import { dashboard, series, stat, table } from "./panels.ts";

/** What to look at first: is anything wrong, and how much is going on. */
export const overview = dashboard({
  uid: "atomic-credits-overview",
  title: "Atomic Credits: overview",
  description: "Is anything wrong, and how much is going on?",
  from: "now-24h",
  refresh: "1m",
  panels: [
    stat({
      title: "Alerts firing",
      description: "Alerts that are not resolved; see below.",
      alarm: 1,
      sql: `
      select count(*) from credit_alerts where resolved_at is null
      `,
    }),
    stat({
      title: "Discrepancies",
      description:
        "What the latest runs found; 0 on a sound system. See the dashboard on reconciliation.",
      alarm: 1,
      sql: `
      select coalesce(max(discrepancies), 0) from reconciliation_latest
      `,
    }),
    stat({
      title: "Overdue jobs",
      description:
        "Charged, five minutes beyond their deadline and not refunded: the sweeper does that each minute.",
      alarm: 1,
      sql: `
      select count(*) from credit_unsettled_jobs where deadline_at < now() - interval '5 minutes'
      `,
    }),
    stat({
      title: "Open jobs",
      description: "Pending or running.",
      sql: `
      select count(*) from credit_unsettled_jobs
      `,
    }),
    stat({
      title: "Failed, last 24 hours",
      description:
        "Share of the jobs of the last 24 hours that failed; each was refunded. Red from 10 % on.",
      unit: "percentunit",
      alarm: 0.1,
      sql: `
      select coalesce(sum(failed) / nullif(sum(succeeded + failed), 0), 0)
      from generation_stats_hourly where hour > now() - interval '24 hours'
      `,
    }),
    stat({
      title: "Credits owed",
      description: "The sum of all balances, in whole credits.",
      sql: `
      select coalesce(sum(balance), 0) from credit_accounts
      `,
    }),
    series({
      title: "Jobs an hour",
      description: "By what came of them.",
      sql: `
      select s.hour as time, outcome.metric, sum(outcome.value) as value
      from generation_stats_hourly as s
      cross join lateral (values
        ('succeeded', s.succeeded), ('failed', s.failed), ('open', s.open)
      ) as outcome (metric, value)
      where $__timeFilter(s.hour)
      group by 1, 2 order by 1
      `,
    }),
    series({
      title: "Credits an hour",
      description: "Charged, and refunded of that, in whole credits.",
      sql: `
      select s.hour as time, side.metric, sum(side.value) as value
      from generation_stats_hourly as s
      cross join lateral (values
        ('charged', s.credits_charged), ('refunded', s.credits_refunded)
      ) as side (metric, value)
      where $__timeFilter(s.hour)
      group by 1, 2 order by 1
      `,
    }),
    table({
      title: "Alerts firing now",
      description: "The newest first.",
      sql: `
      select fired_at, severity, rule, subject, value, threshold, detail, acknowledged_at
      from credit_alerts where resolved_at is null order by fired_at desc limit 100
      `,
    }),
  ],
});
