-- Gives: operational_metrics, what the edge function `metrics` hands to Prometheus.
-- Keeps: a scrape reads accounts, open jobs and events, and the last 24 hours, never the whole ledger.
-- Needs: every chapter before.

create function credits.metrics_of_accounts()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with totals as (
    select count(*) as accounts, coalesce(sum(balance), 0) as outstanding,
      coalesce(sum(overdraft_used), 0) as overdraft, coalesce(sum(debt), 0) as debt,
      coalesce(sum(last_seq), 0) as entries
    from public.credit_accounts
  )
  select line.name, '{}'::jsonb, line.value from totals as t
  cross join lateral (values
    ('accounts', t.accounts::numeric),
    ('outstanding_credits', t.outstanding),
    ('overdraft_credits', t.overdraft),
    ('debt_credits', t.debt),
    ('ledger_entries_total', t.entries)
  ) as line (name, value);
$$;
comment on function credits.metrics_of_accounts() is
  'Metrics of the accounts: how many, and what they hold and owe, in whole credits.';

create function credits.metrics_of_ledger()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select 'moved_credits', jsonb_build_object('kind', kind, 'direction', direction, 'window', '24h'), sum(abs(delta))
  from (
    select kind, case when delta > 0 then 'in' else 'out' end as direction, delta
    from public.credit_ledger where created_at > now() - interval '24 hours'
  ) as entries
  group by kind, direction;
$$;
comment on function credits.metrics_of_ledger() is
  'Metrics of the ledger: whole credits that moved in the last 24 hours, by kind and direction.';

create function credits.metrics_of_open_jobs()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with totals as (
    select count(*) as jobs, count(*) filter (where deadline_at < now() - credits.sweep_grace()) as overdue,
      coalesce(greatest(extract(epoch from now() - min(created_at)), 0), 0) as oldest_age
    from public.generation_jobs where status in ('pending', 'running')
  )
  select line.name, '{}'::jsonb, line.value from totals as t
  cross join lateral (values
    ('open_jobs', t.jobs::numeric),
    ('overdue_jobs', t.overdue),
    ('oldest_open_job_age_seconds', t.oldest_age)
  ) as line (name, value)
  union all
  select 'late_provider_jobs', jsonb_build_object('provider', j.provider), count(*)
  from public.generation_provider_jobs as p
  join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
  where p.expected_by < now() and j.status in ('pending', 'running')
  group by j.provider;
$$;
comment on function credits.metrics_of_open_jobs() is
  'Metrics of the jobs that have not ended: how many, how many for five minutes beyond their deadline, the oldest '
  'one''s age, and how many a provider that calls back has beyond their time limit.';

create function credits.metrics_of_recent_jobs()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with recent as materialized (
    select status, model, provider, ended_at > now() - interval '1 hour' as just_ended
    from public.generation_jobs where created_at > now() - interval '24 hours'
  )
  select 'jobs', jsonb_build_object('status', status, 'model', model, 'window', '24h'), count(*)::numeric
  from recent group by status, model
  union all
  select 'ended_jobs', jsonb_build_object('status', status, 'provider', provider, 'window', '1h'), count(*)
  from recent where just_ended group by status, provider
  union all
  -- Without jobs there is no ratio: a quiet hour is neither good nor bad. Truncated, not rounded, as in the alert.
  select 'success_ratio', jsonb_build_object('window', '1h'),
    trunc(avg(case when status = 'succeeded' then 1 else 0 end), 4)
  from recent where just_ended and status <> 'canceled' having count(*) > 0;
$$;
comment on function credits.metrics_of_recent_jobs() is
  'Metrics of the jobs of the last 24 hours, those that ended within the last hour, and how many of these succeeded '
  '(0 to 1; canceled ones left out).';

create function credits.metrics_of_requests()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with recent as materialized (
    select code, status, created_at from public.credit_request_events where created_at > now() - interval '24 hours'
  )
  select 'denials', jsonb_build_object('code', code, 'window', '24h'), count(*)::numeric from recent where status >= 400
  group by code
  union all
  select 'rate_limit_hits', '{"window": "1h"}'::jsonb, count(*) from recent
  where status = 429 and created_at > now() - interval '1 hour';
$$;
comment on function credits.metrics_of_requests() is
  'Metrics of the requests that were denied: by code in the last 24 hours, and by a limit (429) in the last hour.';

create function credits.metrics_of_events()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with pending as (
    select count(*) as events, coalesce(greatest(extract(epoch from now() - min(created_at)), 0), 0) as oldest_age
    from public.credit_events where next_attempt_at is not null
  )
  select line.name, '{}'::jsonb, line.value from pending as p
  cross join lateral (values
    ('events_pending', p.events::numeric),
    ('oldest_pending_event_age_seconds', p.oldest_age)
  ) as line (name, value)
  union all
  select 'events_given_up', '{"window": "144h"}', count(*) from public.credit_events
  where next_attempt_at is null and delivered_at is null and created_at > now() - interval '144 hours';
$$;
comment on function credits.metrics_of_events() is
  'Metrics of the outbox: events that wait, the oldest one''s age, and events of the last 144 hours whose delivery '
  'was given up.';

create function credits.metrics_of_payments()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with waiting as (
    select count(*) as payments,
      coalesce(greatest(extract(epoch from now() - min(coalesce(paid_at, created_at))), 0), 0) as oldest_age
    from public.payments where state = 'waiting'
  )
  select line.name, '{}'::jsonb, line.value from waiting as w
  cross join lateral (values
    ('payments_waiting', w.payments::numeric),
    ('oldest_waiting_payment_age_seconds', w.oldest_age),
    ('open_disputes', (select count(*) from public.payment_disputes where ended_at is null))
  ) as line (name, value)
  union all
  select 'paid_minor_units', jsonb_build_object('currency', currency, 'livemode', livemode::text, 'window', '24h'),
    sum(amount)
  from public.payments where status = 'paid' and paid_at > now() - interval '24 hours' group by currency, livemode;
$$;
comment on function credits.metrics_of_payments() is
  'Metrics of payments: how many wait to be booked and for how long, open disputes, and what was paid in the last 24 '
  'hours, in minor units by currency.';

create function credits.metrics_of_transfers()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, '{}'::jsonb, line.value
  from (
    select count(*) as transfers, coalesce(sum(amount), 0) as amount,
      coalesce(greatest(extract(epoch from now() - min(sent_at)), 0), 0) as oldest_age
    from public.credit_transfers_sent where next_attempt_at is not null
  ) as t
  cross join lateral (values
    ('transfers_in_flight', t.transfers::numeric),
    ('in_flight_credits', t.amount),
    ('oldest_transfer_in_flight_age_seconds', t.oldest_age)
  ) as line (name, value);
$$;
comment on function credits.metrics_of_transfers() is
  'Metrics of transfers to other shards that are on their way: how many, their credits, and the oldest one''s age.';

create function credits.metrics_of_files()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, '{}'::jsonb, line.value
  from credits.file_counts() as c
  cross join lateral (values
    ('stored_files', c.files::numeric, c.measured_at),
    ('stored_bytes', c.bytes, c.measured_at),
    ('oldest_stored_file_age_seconds', coalesce(greatest(extract(epoch from now() - c.oldest_at), 0), 0),
      c.measured_at),
    ('unneeded_files', c.unneeded, c.measured_at),
    ('files_measured_age_seconds', greatest(extract(epoch from now() - c.measured_at), 0), c.measured_at),
    ('files_to_delete', c.to_delete, now()),
    ('oldest_file_to_delete_age_seconds',
      coalesce(greatest(extract(epoch from now() - c.to_delete_since), 0), 0), now()),
    ('outputs_to_move', c.to_move, now())
  ) as line (name, value, known_at)
  where line.known_at is not null;
$$;
comment on function credits.metrics_of_files() is
  'Metrics of the files in Storage: how many, how large and how old they are and how many nobody needs, as the sweep '
  'counted them last, and how long ago that was (none before its first round); and the queues of files to delete and '
  'of outputs to move.';

create function credits.metrics_of_reconciliation()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, jsonb_build_object('deep', r.deep::text), line.value from public.reconciliation_latest as r
  cross join lateral (values
    ('reconciliation_discrepancies', r.discrepancies::numeric),
    ('reconciliation_broken_accounts', r.accounts_broken)
  ) as line (name, value)
  union all
  select 'reconciliation_age_seconds', jsonb_build_object('deep', deep::text),
    greatest(extract(epoch from now() - max(finished_at)), 0)
  from public.reconciliation_runs group by deep;
$$;
comment on function credits.metrics_of_reconciliation() is
  'Metrics of reconciliation: what the runs that count now found (reconciliation_latest), and how long ago the last '
  'of each depth was.';

create function credits.metrics_of_alerts()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  -- Starts from the rules, so that a severity without alerts shows 0.
  select 'alerts_firing', jsonb_build_object('severity', r.severity), count(a.id)::numeric
  from public.credit_alert_rules as r
  left join public.credit_alerts as a on a.rule = r.name and a.resolved_at is null
    and coalesce(r.muted_until, '-infinity') <= now()
  group by r.severity;
$$;
comment on function credits.metrics_of_alerts() is
  'Metrics of the alerts that are not resolved, by the severity of their rules; those of muted rules are left out.';

create function credits.metrics_of_tasks()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, jsonb_build_object('task', t.name), line.value
  from public.credit_scheduled_tasks as t
  cross join lateral (
    select greatest(extract(epoch from now() - coalesce(max(finished_at), t.created_at)), 0) as age
    from public.credit_task_runs where task = t.name and ok
  ) as success
  cross join lateral (values
    ('task_last_success_age_seconds', success.age),
    ('task_max_age_seconds', extract(epoch from t.max_age))
  ) as line (name, value)
  where t.enabled;
$$;
comment on function credits.metrics_of_tasks() is
  'Metrics of the enabled scheduled tasks: seconds since the last success (before the first one, since the task was '
  'created), and the most that these may be.';

create function credits.metrics_of_shard()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select 'shard', jsonb_build_object('shard', name, 'slot_groups', array_to_string(slot_groups, ',')), 1::numeric
  from credits.shard;
$$;
comment on function credits.metrics_of_shard() is
  'Which shard this is, in the labels of a value that is always 1; none where it is no shard.';

create function public.operational_metrics()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select credits.caller_check('operational_metrics');
  select 'atomic_credits_' || m.metric, m.labels, m.value
  from (
    select * from credits.metrics_of_accounts()
    union all select * from credits.metrics_of_ledger()
    union all select * from credits.metrics_of_open_jobs()
    union all select * from credits.metrics_of_recent_jobs()
    union all select * from credits.metrics_of_requests()
    union all select * from credits.metrics_of_events()
    union all select * from credits.metrics_of_payments()
    union all select * from credits.metrics_of_transfers()
    union all select * from credits.metrics_of_files()
    union all select * from credits.metrics_of_reconciliation()
    union all select * from credits.metrics_of_alerts()
    union all select * from credits.metrics_of_tasks()
    union all select * from credits.metrics_of_shard()
    union all select * from credits.metrics_of_handovers()
  ) as m;
$$;
comment on function public.operational_metrics() is
  'What Prometheus scrapes: one row per value, with the metric''s name (its unit is in the name: credits, seconds, '
  'ratio 0 to 1, else a count) and its labels. The label window names the span of time, up to now, that is counted. '
  'Reads accounts, open jobs and events, and the last 24 hours, so it may be called every minute.';
