-- Gives: alerts, which fire once, follow their cause and resolve by themselves.
-- Keeps: one open alert per rule and subject; each is announced at least once, and again when it becomes twice as bad,
-- unless its rule is muted.
-- Needs: departure, tasks, delivery.

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
  ('task_not_running', 'critical', 0, 0,
    'Tasks whose last good run is longer ago than their max_age; seconds since then.'),
  ('task_failed', 'warning', 0, 0, 'Tasks whose latest run failed.'),
  ('teams_without_owner', 'warning', 0, 0,
    'Teams that are frozen: they lost their last owner and nobody can take over.'),
  ('events_undelivered', 'warning', 0, 0,
    'Events that were given up in the last six days (17 tries over three days, or 410), and events that wait for an '
    'address that answered 410, asked for a pause, or has failed for an hour.'),
  ('alerts_undelivered', 'critical', 900, 0,
    'Seconds that an alert has waited for deliver-events, which is called each minute and does not run.');

create type credits.alert_finding as (rule text, subject text, value numeric, detail text);

create function credits.reconciliation_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  with worst as (
    select max(discrepancies) as discrepancies,
      max(accounts_broken::numeric / greatest(accounts_checked, 1)) as share, max(accounts_broken) as broken
    from public.reconciliation_latest
  )
  select 'discrepancies', '', discrepancies::numeric,
    format('%s discrepancies: select * from reconciliation_discrepancies', discrepancies) from worst
  union all
  select 'discrepancy_share', '', round(share, 4), format('%s accounts are broken', broken) from worst;
$$;
comment on function credits.reconciliation_findings_now() is 'What the latest reconciliations say, by alert rule.';

create function credits.traffic_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  with ended as (
    select count(*) filter (where status = 'succeeded') as succeeded, count(*) as total
    from public.generation_jobs
    where created_at > now() - interval '1 day' and ended_at > now() - interval '1 hour'
      and status in ('succeeded', 'failed', 'expired')
  ),
  denials as (
    select count(*) filter (where created_at > now() - interval '1 hour') as latest,
      count(*) filter (where created_at <= now() - interval '1 hour') / 168.0 as usual
    from public.credit_request_events where status = 429 and created_at > now() - interval '169 hours'
  ),
  overdue as (
    select count(*) as jobs from public.credit_unsettled_jobs where deadline_at < now() - credits.sweep_grace()
  )
  -- Truncated, not rounded: a value below the threshold must not round up to it.
  select 'success_rate', '', trunc(e.succeeded::numeric / e.total, 4),
    format('%s of %s jobs succeeded in the last hour', e.succeeded, e.total)
  from ended as e join public.credit_alert_rules as r on r.name = 'success_rate' where e.total >= greatest(r.minimum, 1)
  union all
  select 'rate_limit_spike', '', round(d.latest / greatest(d.usual, 1), 2),
    format('%s denials with 429 in the last hour, usually %s', d.latest, round(d.usual, 1))
  from denials as d join public.credit_alert_rules as r on r.name = 'rate_limit_spike' where d.latest >= r.minimum
  union all
  select 'overdue_jobs', '', o.jobs,
    format('%s jobs are open after their deadline: select * from credit_unsettled_jobs where overdue', o.jobs)
  from overdue as o;
$$;
comment on function credits.traffic_findings_now() is 'What the last hour''s jobs and denials say, by alert rule.';

create function credits.operation_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'suspicious_activity', f.rule, count(*)::numeric,
    left(format('%s: %s', f.rule, string_agg(coalesce(f.account_id::text || ' ', '') || f.detail, '; ')), 1000)
  from (
    select * from public.credit_anomaly_findings
    where found_at = (select max(found_at) from public.credit_anomaly_findings)
      and found_at > now() - interval '90 minutes'
  ) as f
  group by f.rule
  union all
  select 'task_not_running', t.name, round(extract(epoch from now() - greatest(t.created_at, good.latest))),
    format('last good run of %s: %s', t.name,
      coalesce(to_char(good.latest at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'never'))
  from public.credit_scheduled_tasks as t
  left join lateral (select max(started_at) as latest from public.credit_task_runs where task = t.name and ok) as good
    on true
  where t.enabled and now() - greatest(t.created_at, good.latest) > t.max_age
  union all
  select 'task_failed', t.name, 1, format('%s: %s', t.name, latest.detail)
  from public.credit_scheduled_tasks as t
  cross join lateral (select * from public.credit_task_runs where task = t.name order by started_at desc
    limit 1) as latest
  where t.enabled and not latest.ok
  union all
  select 'teams_without_owner', '', count(*),
    format('%s teams are frozen with %s credits: select * from account_teams_without_owner', count(*), sum(balance))
  from public.account_teams_without_owner
  having count(*) > 0;
$$;
comment on function credits.operation_findings_now() is 'What anomalies, tasks and teams say, by alert rule.';

create function credits.delivery_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'events_undelivered', 'given_up', count(*)::numeric,
    format('%s events were given up: select * from credit_events '
      'where next_attempt_at is null and delivered_at is null', count(*))
  from public.credit_events
  where next_attempt_at is null and delivered_at is null and created_at > now() - interval '6 days'
  having count(*) > 0
  union all
  -- An address counts while deliver-events asks for it: one that was replaced or removed holds nothing up. Seven tries
  -- take an hour.
  select 'events_undelivered', 'waiting', count(*),
    format('%s events wait for an address that answered 410, asked for a pause or fails: '
      'select * from credit_event_endpoints; select * from credit_events where next_attempt_at is not null', count(*))
  from public.credit_events as e
  where e.next_attempt_at is not null
    and (e.attempts >= 7 or e.next_attempt_at < now() - interval '15 minutes' and exists (
      select from public.credit_event_endpoints as n
      where (n.ended_at is not null or n.not_before > now())
        and case when e.type like 'alert.%' then n.alerts_asked_at
          else n.others_asked_at end > now() - interval '15 minutes'))
  having count(*) > 0
  union all
  -- Only alerts: if they go to a chat and there is no webhook, other events are never fetched.
  select 'alerts_undelivered', '', round(extract(epoch from now() - min(next_attempt_at))),
    format('%s alerts wait since %s: does deliver-events answer? net._http_response has what pg_net got from it',
      count(*), to_char(min(next_attempt_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from public.credit_events
  where next_attempt_at <= now() and type like 'alert.%' and credits.can_request_delivery()
  having count(*) > 0;
$$;
comment on function credits.delivery_findings_now() is 'What the outbox says, by alert rule.';

create function credits.alert_announce(p_type text, p_alert public.credit_alerts)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_events (type, payload)
  values (p_type, jsonb_build_object('alert_id', p_alert.id, 'rule', p_alert.rule, 'severity', p_alert.severity,
    'subject', p_alert.subject, 'value', p_alert.value, 'threshold', p_alert.threshold, 'detail', p_alert.detail,
    'fired_at', p_alert.fired_at, 'resolved_at', p_alert.resolved_at));
$$;
comment on function credits.alert_announce(text, public.credit_alerts) is 'Puts an alert into the outbox.';

create function public.evaluate_alerts()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  started timestamptz := clock_timestamp();
  alert public.credit_alerts;
begin
  perform credits.caller_check('evaluate_alerts');
  -- One evaluation at a time: two would announce twice.
  lock table public.credit_alert_rules in share row exclusive mode;
  insert into public.credit_alerts as a (rule, severity, subject, value, threshold, detail, fired_at, updated_at)
  select r.name, r.severity, f.subject, f.value, r.threshold, f.detail, started, started
  from (
    select * from credits.reconciliation_findings_now()
    union all select * from credits.traffic_findings_now()
    union all select * from credits.operation_findings_now()
    union all select * from credits.delivery_findings_now()
  ) as f
  join public.credit_alert_rules as r on r.name = f.rule and r.enabled
  where case r.name when 'success_rate' then f.value < r.threshold else f.value > r.threshold end
  on conflict (rule, subject) where resolved_at is null do update
  set severity = excluded.severity, value = excluded.value, threshold = excluded.threshold, detail = excluded.detail,
      updated_at = excluded.updated_at;

  for alert in
    update public.credit_alerts as a set announced_at = started, announced_value = a.value
    from public.credit_alert_rules as r
    where r.name = a.rule and a.resolved_at is null and a.updated_at = started
      and coalesce(r.muted_until, '-infinity') <= now()
      and (a.announced_at is null
        or case a.rule when 'success_rate' then a.value < a.announced_value / 2
          else a.value >= a.announced_value * 2 end)
    returning a.*
  loop
    perform credits.alert_announce('alert.fired', alert);
  end loop;
  for alert in
    update public.credit_alerts set resolved_at = started where resolved_at is null and updated_at < started returning *
  loop
    if alert.announced_at is not null then
      perform credits.alert_announce('alert.resolved', alert);
    end if;
  end loop;
  return (select count(*) from public.credit_alerts where resolved_at is null);
end;
$$;
comment on function public.evaluate_alerts() is
  'Evaluates every enabled rule: opens an alert where a value is beyond the threshold, updates open alerts, resolves '
  'those whose cause is gone, and puts alert.fired and alert.resolved into the outbox: each once, and alert.fired '
  'again when the value becomes twice as bad. Returns how many are firing. Meant to run every two minutes.';

create function public.acknowledge_alert(p_alert_id uuid, p_by text)
returns public.credit_alerts
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  alert public.credit_alerts;
begin
  perform credits.caller_check('acknowledge_alert');
  perform credits.check_length('by', coalesce(p_by, ''), 1, 200);
  update public.credit_alerts
  set acknowledged_at = coalesce(acknowledged_at, now()), acknowledged_by = coalesce(acknowledged_by, p_by)
  where id = p_alert_id
  returning * into alert;
  if not found then
    perform credits.raise_misuse('PT404', 'no such alert', 'The table credit_alerts lists them.');
  end if;
  return alert;
end;
$$;
comment on function public.acknowledge_alert(uuid, text) is
  'Records who handles an alert; the first one counts. The alert stays open until its cause is gone. Raises 22023 for '
  'a p_by of other than 1 to 200 characters and PT404 for an unknown alert.';

create function public.mute_alert_rule(p_rule text, p_until timestamptz)
returns public.credit_alert_rules
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  rule public.credit_alert_rules;
begin
  perform credits.caller_check('mute_alert_rule');
  update public.credit_alert_rules set muted_until = p_until where name = p_rule returning * into rule;
  if not found then
    perform credits.raise_misuse('PT404', 'no such alert rule', 'The table credit_alert_rules lists them.');
  end if;
  return rule;
end;
$$;
comment on function public.mute_alert_rule(text, timestamptz) is
  'Keeps a rule''s alerts unannounced until p_until (null: unmutes it); alerts that still fire then are announced. '
  'Raises PT404 for an unknown rule.';
