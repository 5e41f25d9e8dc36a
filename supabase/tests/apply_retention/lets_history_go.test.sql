begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp view kept as select
  (select array_agg(task order by task) from credit_task_runs) as runs,
  (select array_agg(discrepancies order by discrepancies) from reconciliation_runs) as reconciliations,
  (select array_agg(detail order by detail) from credit_anomaly_findings) as anomalies,
  (select array_agg(detail order by detail) from credit_alerts) as alerts,
  (select count(*) from credit_events) as events;
-- What pg_cron writes meanwhile waits until the end of this test.
lock table credit_task_runs, reconciliation_runs in share row exclusive mode;
delete from credit_task_runs;
delete from reconciliation_runs;
delete from credit_events;
insert into credit_task_runs (task, started_at, finished_at, ok)
  values ('new', now() - interval '91 days', now(), true), ('new', now() - interval '89 days', now(), true);
insert into reconciliation_runs (deep, started_at, finished_at, discrepancies)
values (false, now() - interval '91 days', now(), 0), (false, now() - interval '91 days', now(), 3),
  (false, now(), now(), 0);
insert into credit_anomaly_findings (rule, account_id, observed, threshold, detail, since, found_at)
  values ('r', null, 1, 0, 'old', now(), now() - interval '91 days'), ('r', null, 1, 0, 'new', now(), now());
insert into credit_alerts (rule, severity, value, threshold, detail, subject, resolved_at) values
  ('discrepancies', 'warning', 1, 0, 'old', '', now() - interval '91 days'),
  ('discrepancies', 'warning', 1, 0, 'open', 'a', null);
insert into credit_events (type, payload, delivered_at, next_attempt_at) values
  ('alert.fired', '{}', now() - interval '91 days', null), ('alert.fired', '{}', null, now() - interval '91 days');
insert into credit_events (type, payload, created_at, next_attempt_at) values
  ('alert.fired', '{"given": "up"}', now() - interval '91 days', null),
  ('alert.fired', '{}', now() - interval '91 days', now()),
  ('alert.fired', '{"given": "up"}', now() - interval '89 days', null);

select is(apply_retention(), 7, 'what is older than the retention goes');
select is((select kept from kept),
  row('{new}'::text[], '{0,3}'::bigint[], '{new}'::text[], '{open}'::text[], 2::bigint)::text::kept,
  'and nothing that is open, new or evidence');
select is((select count(*) from credit_ledger), 2::bigint, 'entries stay');
select is((select count(*) from generation_jobs), 1::bigint, 'jobs stay');

select * from finish();
rollback;
