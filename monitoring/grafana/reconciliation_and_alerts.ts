import { dashboard, series, stat, table } from "./panels.ts";

/** Whether every credit is accounted for, what fires, and whether the schedule runs. */
export const reconciliationAndAlerts = dashboard({
  uid: "atomic-credits-reconciliation",
  title: "Atomic Credits: reconciliation and alerts",
  description:
    "Is every credit accounted for, what fires, and does the schedule run?",
  from: "now-7d",
  refresh: "5m",
  panels: [
    stat({
      title: "Discrepancies, last run",
      description: "0 on a sound system.",
      alarm: 1,
      span: 6,
      sql: `
      select discrepancies from reconciliation_runs order by started_at desc limit 1
      `,
    }),
    stat({
      title: "Discrepancies, last deep run",
      description: "A deep run follows every account's chain from its start.",
      alarm: 1,
      span: 6,
      sql: `
      select discrepancies from reconciliation_runs
      where deep order by started_at desc limit 1
      `,
    }),
    stat({
      title: "Since the last run",
      description: "Reconciliation is meant to run daily.",
      unit: "s",
      alarm: 90_000,
      span: 6,
      sql: `
      select extract(epoch from now() - max(finished_at)) from reconciliation_runs
      `,
    }),
    stat({
      title: "Tasks that are late",
      description:
        "Enabled tasks without a success for longer than they may; see below.",
      alarm: 1,
      span: 6,
      sql: `
      select count(*) from credit_scheduled_tasks as t
      where t.enabled and t.created_at < now() - t.max_age and not exists (
        select from credit_task_runs as r
        where r.task = t.name and r.ok and r.finished_at > now() - t.max_age)
      `,
    }),
    table({
      title: "Findings of the latest runs",
      description:
        "What the latest runs found, in whole credits; reconciliation_discrepancies tells cause and remedy.",
      sql: `
      select f.run_id, f.invariant, f.account_id, f.job_id, f.grant_id, f.seq, f.expected, f.actual, f.since
      from reconciliation_findings as f
      where f.run_id in (select id from reconciliation_latest)
      order by f.run_id desc, f.invariant, f.account_id limit 200
      `,
    }),
    series({
      title: "Discrepancies by run",
      description: "Of every run in the time that is shown.",
      sql: `
      select finished_at as time, case when deep then 'deep' else 'daily' end as metric, discrepancies as value
      from reconciliation_runs where $__timeFilter(finished_at) order by 1
      `,
    }),
    series({
      title: "Entries checked by run",
      description: "A daily run follows what is new since the one before.",
      sql: `
      select finished_at as time, case when deep then 'deep' else 'daily' end as metric, entries_checked as value
      from reconciliation_runs where $__timeFilter(finished_at) order by 1
      `,
    }),
    table({
      title: "Alerts",
      description: "Firing first, then those of the time that is shown.",
      sql: `
      select fired_at, resolved_at, severity, rule, subject, value, threshold, detail, acknowledged_at
      from credit_alerts where resolved_at is null or $__timeFilter(fired_at)
      order by resolved_at is not null, fired_at desc limit 200
      `,
    }),
    table({
      title: "Anomalies",
      description: "Accounts that behave unlike themselves or the others.",
      span: 12,
      sql: `
      select since, rule, account_id, observed, threshold, detail
      from credit_anomalies order by since desc limit 100
      `,
    }),
    table({
      title: "Alert rules",
      description: "What is watched, and what is turned off or muted.",
      span: 12,
      sql: `
      select name, severity, threshold, enabled, muted_until, description from credit_alert_rules order by name
      `,
    }),
    table({
      title: "Scheduled tasks",
      description: "When each succeeded last, and how long that may be ago.",
      span: 12,
      sql: `
      select t.name, t.schedule, t.enabled, last.success, t.max_age::text as max_age,
        t.enabled and greatest(t.created_at, last.success) < now() - t.max_age as late
      from credit_scheduled_tasks as t
      cross join lateral (
        select max(r.finished_at) as success from credit_task_runs as r where r.task = t.name and r.ok
      ) as last
      order by late desc, t.name
      `,
    }),
    table({
      title: "Task runs that failed",
      description: "In the time that is shown, the newest first.",
      span: 12,
      sql: `
      select started_at, task, detail from credit_task_runs
      where not ok and $__timeFilter(started_at) order by started_at desc limit 100
      `,
    }),
  ],
});
