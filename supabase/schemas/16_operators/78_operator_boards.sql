-- Gives: the boards of operators: alerts, discrepancies, prices and margins, providers, and what operators did.
-- Keeps: opening a board checks nothing anew: discrepancies are those that the last runs recorded.
-- Needs: reconciliation runs, margins, alert rules, operator operation, operator reads.

create function credits.alert_remedies()
returns table (rule text, remedy text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  ('discrepancies', 'Look at the discrepancies: each has its cause and what to do.'),
  ('discrepancy_share', 'Many accounts at once: a restore, a migration or a script wrote by hand. Stop traffic, find '
    'the change, then go class by class.'),
  ('success_rate', 'Look at the providers: which one fails, and with what. Disable its models while it is down; every '
    'failed job has been refunded.'),
  ('rate_limit_spike', 'One account: a loop in a client, or abuse. Many: a plan''s limit is too low for a new '
    'feature.'),
  ('suspicious_activity', 'Look at the account''s timeline. Close it while you find out, if credits leave it.'),
  ('overdue_jobs', 'The sweeper is late or stands still: see the task''s last runs. It refunds these jobs once it '
    'runs.'),
  ('provider_unreachable', 'Do not refund by hand: a result may still come. The jobs are refunded at their hard '
    'timeout. Is the provider up, and its key valid?'),
  ('task_not_running', 'Something must run the schedule: pg_cron, or what calls run_task. It catches up by itself.'),
  ('task_failed', 'The task''s last run has the error; it is tried again at its next time.'),
  ('payments_waiting', 'Look at the payments that wait: each has its cause and what to do.'),
  ('transfers_in_flight', 'The credits are in no account yet, and not lost. Does the recipient''s shard answer, and '
    'does the router''s task run? They arrive by themselves once both do.'),
  ('handovers_waiting', 'A shard does not answer: start it. What it has not heard of is delivered by itself then.'),
  ('files_waiting', 'Does the function tasks answer, and Storage? The queue goes on by itself once they do.'),
  ('teams_without_owner', 'Find out whose the team is, open it and give it an owner; or erase it.'),
  ('events_undelivered', 'Repair the webhook''s receiver, or set its new address; then retry the events that were '
    'given up.'),
  ('alerts_undelivered', 'The function deliver-events does not answer: look at its log, its address and its secret.');
$$;
comment on function credits.alert_remedies() is
  'What to do when a rule fires, in a sentence or two; SECURITY_HARDENING.md says more.';

create view public.operator_alerts
with (security_barrier = true)
as
select a.id as alert_id, a.resolved_at is null as is_open, a.rule, a.severity, a.subject, a.value, a.threshold,
  a.detail, r.description, m.remedy, a.fired_at, a.updated_at, a.resolved_at, a.announced_at, a.acknowledged_at,
  a.acknowledged_by, r.muted_until
from public.credit_alerts as a
join public.credit_alert_rules as r on r.name = a.rule
left join credits.alert_remedies() as m on m.rule = a.rule
where (select credits.operator_role()) is not null;
comment on view public.operator_alerts is
  'Alerts, for operators: open ones (is_open) and resolved ones, with what to do (remedy).';

create function credits.runs_now()
returns setof public.reconciliation_runs
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from public.reconciliation_latest where (select credits.operator_role()) is not null;
$$;
comment on function credits.runs_now() is
  'The runs whose findings stand (reconciliation_latest), for operators alone: no row for anybody else.';

create view public.operator_discrepancies
with (security_barrier = true)
as
select f.id as finding_id, f.run_id, r.started_at as found_at, r.deep, f.invariant as class,
  coalesce(f.payment_key, f.job_id::text) as subject,
  nullif(f.account_id, '00000000-0000-0000-0000-000000000000') as account_id, f.job_id, f.grant_id, f.seq,
  f.payment_key, f.expected, f.actual, f.since, c.meaning, c.likely_cause as cause, c.remedy, x.fix
from public.reconciliation_findings as f
join credits.runs_now() as r on r.id = f.run_id
join public.reconciliation_classes as c on c.invariant = f.invariant
left join credits.operator_fixes() as x on x.invariant = f.invariant and coalesce(f.payment_key, f.job_id::text) <> ''
where (select credits.operator_role()) is not null;
comment on view public.operator_discrepancies is
  'What the last reconciliations found, for operators, with cause and remedy. fix: the function that '
  'operator_fix_discrepancy(class, subject, …) calls; null: none can. Stands until the next run: operator_reconcile.';

create view public.operator_reconciliations
with (security_barrier = true)
as
select r.id as run_id, r.deep, n.id is not null as is_latest, r.started_at, r.finished_at, r.accounts_checked,
  r.entries_checked, r.accounts_broken, r.discrepancies
from public.reconciliation_runs as r left join credits.runs_now() as n on n.id = r.id
where (select credits.operator_role()) is not null;
comment on view public.operator_reconciliations is
  'Runs of the reconciliation, for operators. is_latest: its findings stand (operator_discrepancies).';

create function public.operator_reconcile()
returns setof public.operator_reconciliations
language plpgsql
security definer
set search_path = '', pg_temp
-- As reconcile_credit_ledger, which this waits for.
set statement_timeout = '60s'
as $$
declare
  latest bigint;
begin
  perform credits.operator_reads();
  if credits.operator_role() < 'support' then
    perform credits.operator_refuse('42501', 'reconcile needs the role support, and this operator''s is viewer',
      'role_too_low', 'Ask an operator with that role.');
  end if;
  -- One at a time, so that two windows make one run.
  perform pg_advisory_xact_lock(hashtextextended('credits.operator_reconcile', 0));
  select r.id into latest from public.reconciliation_runs as r
  where r.started_at > clock_timestamp() - interval '1 minute' order by r.started_at desc limit 1;
  latest := coalesce(latest, (public.reconcile_credit_ledger()).id);
  return query select o.* from public.operator_reconciliations as o where o.run_id = latest;
end;
$$;
comment on function public.operator_reconcile() is
  'Checks what is new (reconcile_credit_ledger), for operators from support up; the run. Within a minute of another '
  'run it answers with that one. Raises 42501 for others.';

create function credits.margins_now()
returns setof public.generation_margins
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from public.generation_margins where (select credits.operator_role()) is not null;
$$;
comment on function credits.margins_now() is
  'generation_margins, for operators alone: no row for anybody else.';

create view public.operator_models
with (security_barrier = true)
as
select m.name as model, m.effective_from,
  case when m.effective_from > now() then 'future'
    when m.effective_from = max(m.effective_from) filter (where m.effective_from <= now()) over (partition by m.name)
      then 'in_force'
    else 'past' end as state,
  m.enabled, m.type, m.provider, m.provider_model, m.overage, coalesce(r.rates, '[]') as rates,
  r.least_margin_percent, r.credits_per_usd, m.created_at
from public.generation_models as m
left join (
  select p.model, p.effective_from, jsonb_agg(jsonb_build_object('meter', p.meter, 'price', p.price, 'per', p.per,
      'price_usd', g.price_usd, 'cost_usd', g.cost_usd, 'margin_percent', g.margin_percent) order by p.meter) as rates,
    min(g.margin_percent) as least_margin_percent, min(g.credits_per_usd) as credits_per_usd
  from public.generation_model_rates as p
  left join credits.margins_now() as g on g.model = p.model and g.effective_from = p.effective_from
    and g.meter = p.meter
  group by p.model, p.effective_from
) as r on r.model = m.name and r.effective_from = m.effective_from
where (select credits.operator_role()) is not null;
comment on view public.operator_models is
  'The price book, for operators: each price version with its rates ([{meter, price, per, price_usd, cost_usd, '
  'margin_percent}]; null where the provider''s cost is not known). state: in_force, past or future. '
  'least_margin_percent: of its meters, the worst.';

create view public.operator_providers
with (security_barrier = true)
as
select s.provider, s.model, s.jobs, s.succeeded, s.failed, s.canceled, s.open,
  round(s.succeeded::numeric / nullif(s.succeeded + s.failed, 0), 4) as success_rate, s.p50_seconds, s.p95_seconds,
  s.credits_charged, s.credits_refunded, s.last_failure_at, s.last_failure_code,
  s.succeeded + s.failed < greatest(w.minimum, 1) or s.succeeded >= w.threshold * (s.succeeded + s.failed) as healthy
from (
  select j.provider, j.model, count(*) as jobs,
    count(*) filter (where j.status = 'succeeded') as succeeded,
    count(*) filter (where j.status in ('failed', 'expired')) as failed,
    count(*) filter (where j.status = 'canceled') as canceled,
    count(*) filter (where j.status in ('pending', 'running')) as open,
    percentile_disc(0.5) within group (order by round(extract(epoch from j.ended_at - j.created_at), 3))
      filter (where j.status = 'succeeded') as p50_seconds,
    percentile_disc(0.95) within group (order by round(extract(epoch from j.ended_at - j.created_at), 3))
      filter (where j.status = 'succeeded') as p95_seconds,
    sum(j.cost)::bigint as credits_charged, sum(j.refunded)::bigint as credits_refunded,
    max(j.ended_at) filter (where j.status in ('failed', 'expired')) as last_failure_at,
    (array_agg(coalesce(j.error ->> 'code', j.status::text) order by j.ended_at desc)
      filter (where j.status in ('failed', 'expired')))[1] as last_failure_code
  from public.generation_jobs as j where j.created_at > now() - interval '24 hours'
  group by j.provider, j.model
) as s
cross join (
  select minimum, threshold from public.credit_alert_rules where name = 'success_rate'
) as w
where (select credits.operator_role()) is not null;
comment on view public.operator_providers is
  'How jobs of the last 24 hours went, by provider and model, for operators. success_rate: succeeded / (succeeded + '
  'failed), null before any has ended. Percentiles: seconds from charge to success. healthy: the alert rule '
  'success_rate would not fire.';

create view public.operator_log
with (security_barrier = true)
as
select a.operator_id, a.seq, a.action, a.account_id, a.subject, a.arguments, a.credits, a.first_seq, a.last_seq,
  a.before, a.after, a.reason, a.approval_id, a.created_at
from public.operator_actions as a
where (select credits.operator_role()) is not null;
comment on view public.operator_log is
  'What operators did, for operators: see operator_actions. The newest first by created_at; ask by account_id or '
  'operator_id.';

create view public.operator_waiting
with (security_barrier = true)
as
select p.id as approval_id, p.operator_id, p.action, p.account_id, p.subject, p.arguments, p.credits, p.reason,
  case when p.state = 'waiting' and p.expires_at <= now() then 'expired' else p.state end as state, p.created_at,
  p.expires_at, p.decided_by, p.decided_at, p.decision_reason, p.operator_id = (select auth.uid()) as is_mine
from public.operator_approvals as p
where (select credits.operator_role()) is not null;
comment on view public.operator_waiting is
  'Actions above a limit, for operators: waiting, approved, rejected or expired. is_mine: the calling operator asked '
  'for it, so another one decides.';

create view public.operator_team
with (security_barrier = true)
as
select o.user_id, o.role, o.max_per_action, o.max_per_day, o.used_today, o.note, o.created_at, o.disabled_at
from credits.operators_now() as o
where (select credits.operator_role()) is not null;
comment on view public.operator_team is
  'Operators, for operators: role, limits in credits (null: none), and what was given and taken today (UTC).';
