-- Gives: what is to be alerted now, in groups: books, traffic, providers, operation, payments, transfers between
--   shards, files, other shards, delivery.
-- Keeps: a finding goes by facts alone; thresholds are the alert rules'.
-- Needs: provider jobs, moving outputs, transfer between shards, departure, tasks, function calls, alert rules; when
--   called: handovers.

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

create function credits.provider_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'provider_unreachable', j.provider, count(*)::numeric,
    format('%s jobs at %s, the first of them charged at %s, have passed their time limit and it is not known how they '
      'stand, or their result cannot be fetched: select * from generation_provider_jobs', count(*), j.provider,
      to_char(min(j.created_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from public.generation_provider_jobs as p
  join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
  where p.expected_by < now() - interval '2 minutes' and j.status in ('pending', 'running')
    -- What has succeeded is fetched within a minute. A job that is due for long is not asked about.
    and (p.last_answer is distinct from 'running' or p.next_ask_at < now() - interval '5 minutes')
  group by j.provider;
$$;
comment on function credits.provider_findings_now() is
  'Which providers that call back cannot be asked, or are not, by alert rule.';

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

create function credits.payment_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'payments_waiting', '', count(*)::numeric,
    format('%s wait (%s): select * from payment_discrepancies', count(*), string_agg(distinct cause, ', '))
  from (
    select cause from public.payments where state = 'waiting'
    union all
    select cause from public.payment_subscriptions
    where cause is not null and status in ('active', 'trialing', 'past_due')
    union all
    -- One that waits for its payment or subscription is counted there.
    select coalesce(cause, 'event') from public.payment_events where outcome = 'waiting' and payment_key is null
  ) as waiting
  having count(*) > 0;
$$;
comment on function credits.payment_findings_now() is 'What payments say, by alert rule.';

create function credits.transfer_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'transfers_in_flight', '', round(extract(epoch from now() - min(sent_at))),
    format('%s transfers of %s credits in all are on their way, the first since %s: '
      'select * from credit_transfers_sent where next_attempt_at is not null', count(*), sum(amount),
      to_char(min(sent_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from public.credit_transfers_sent where next_attempt_at is not null
  having count(*) > 0;
$$;
comment on function credits.transfer_findings_now() is 'What transfers to other shards say, by alert rule.';

create function credits.file_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'files_waiting', 'delete', count(*)::numeric,
    format('%s files should have been deleted since %s: does the task delete-objects reach the function tasks?',
      count(*), to_char(min(created_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from credits.storage_deletions where created_at < now() - interval '1 day'
  having count(*) > 0
  union all
  select 'files_waiting', 'move', count(*),
    format('%s outputs could not be moved to Storage: does the task move-outputs reach the function tasks?', count(*))
  from credits.outputs_to_move where attempts >= 6
  having count(*) > 0;
$$;
comment on function credits.file_findings_now() is 'What the queues of files say, by alert rule.';

create function credits.handover_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'handovers_waiting', '', round(extract(epoch from clock_timestamp() - min(requested_at))),
    format('%s calls wait for other shards, of slot groups %s: select * from credits.handovers', count(*),
      string_agg(distinct slot_group::text, ', '))
  from credits.handovers
  having count(*) > 0;
$$;
comment on function credits.handover_findings_now() is 'What waits for other shards, by alert rule.';

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
  where next_attempt_at <= now() and type like 'alert.%' and credits.can_request_functions()
  having count(*) > 0;
$$;
comment on function credits.delivery_findings_now() is 'What the outbox says, by alert rule.';
