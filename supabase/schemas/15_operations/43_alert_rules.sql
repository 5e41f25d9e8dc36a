-- Gives: the alert rules, and the alerts that they fire.
-- Keeps: one open alert per rule and subject.
-- Needs: foundation.

create table public.credit_alert_rules (
  name text primary key,
  severity text not null check (severity in ('warning', 'critical')),
  threshold numeric not null check (threshold >= 0),
  minimum numeric not null default 0 check (minimum >= 0),
  enabled boolean not null default true,
  muted_until timestamptz,
  description text not null
);
comment on table public.credit_alert_rules is 'When to wake somebody. evaluate_alerts looks at every enabled rule.';
comment on column public.credit_alert_rules.minimum is
  'Fewest observations before the rule can fire: jobs ended, denials.';
comment on column public.credit_alert_rules.muted_until is
  'Until then its alerts are kept but not announced; mute_alert_rule sets it.';

create table public.credit_alerts (
  id uuid primary key default gen_random_uuid(),
  rule text not null references public.credit_alert_rules (name),
  severity text not null,
  subject text not null default '',
  value numeric not null,
  threshold numeric not null,
  detail text not null,
  fired_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  resolved_at timestamptz,
  announced_at timestamptz,
  announced_value numeric,
  acknowledged_at timestamptz,
  acknowledged_by text check (length(acknowledged_by) between 1 and 200)
);
-- One open alert per rule and subject.
create unique index credit_alerts_open on public.credit_alerts (rule, subject) where resolved_at is null;
-- The latest alerts, as the dashboard shows them.
create index credit_alerts_newest on public.credit_alerts (fired_at desc);

comment on table public.credit_alerts is
  'Alerts: firing while resolved_at is null. A cause that returns is a new alert.';
comment on column public.credit_alerts.subject is
  'What the alert is about, if its rule has several subjects: a task, an anomaly''s rule.';
comment on column public.credit_alerts.announced_at is
  'When the event alert.fired was last put into the outbox; null while its rule is muted.';
comment on column public.credit_alerts.announced_value is
  'The value announced then; a value twice as bad is announced again.';

alter table public.credit_alert_rules enable row level security;
alter table public.credit_alerts enable row level security;

insert into public.credit_alert_rules (name, severity, threshold, minimum, description) values
  ('discrepancies', 'warning', 0, 0, 'Discrepancies that the latest reconciliations found.'),
  ('discrepancy_share', 'critical', 0.01, 0,
    'Share of the accounts checked that the latest reconciliations found broken.'),
  ('success_rate', 'critical', 0.9, 20,
    'Share of the jobs ended in the last hour that succeeded; fires below the threshold.'),
  ('rate_limit_spike', 'warning', 5, 100,
    'Denials with 429 in the last hour, in multiples of the hourly mean of the week before.'),
  ('suspicious_activity', 'warning', 0, 0, 'Findings of detect_anomalies in the last 90 minutes, by its rules.'),
  ('overdue_jobs', 'critical', 0, 0, 'Jobs that are open more than five minutes after their deadline.'),
  ('provider_unreachable', 'critical', 0, 0,
    'Jobs beyond their time limit of which it is not known how they stand: their provider does not answer, is not '
    'asked, or its result cannot be fetched. They are refunded at their hard timeout.'),
  ('task_not_running', 'critical', 0, 0,
    'Tasks whose last good run is longer ago than their max_age; seconds since then.'),
  ('task_failed', 'warning', 0, 0, 'Tasks whose latest run failed.'),
  ('payments_waiting', 'critical', 0, 0,
    'Payments that were paid and wait to be booked, subscriptions that wait, and events that could not be booked.'),
  ('transfers_in_flight', 'critical', 900, 0,
    'Seconds that the oldest transfer to another shard has been on its way: its credits are in no account.'),
  ('handovers_waiting', 'critical', 900, 0,
    'Seconds that another shard has not been told of a sign-up, a deletion or an erasure.'),
  ('files_waiting', 'warning', 0, 0,
    'Files that should have been deleted a day ago, and outputs that could not be moved to Storage in six tries.'),
  ('teams_without_owner', 'warning', 0, 0,
    'Teams that are frozen: they lost their last owner and nobody can take over.'),
  ('events_undelivered', 'warning', 0, 0,
    'Events that were given up in the last six days (17 tries over three days, or 410), and events that wait for an '
    'address that answered 410, asked for a pause, or has failed for an hour.'),
  ('alerts_undelivered', 'critical', 900, 0,
    'Seconds that an alert has waited for deliver-events, which is called each minute and does not run.');
