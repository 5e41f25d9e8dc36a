begin;
select plan(13);

-- A value by its metric's name and some of its labels.
create function pg_temp.metric(p_name text, p_labels jsonb default '{}') returns numeric language sql as
  $$select value from operational_metrics() where metric = 'atomic_credits_' || p_name and labels @> p_labels$$;
delete from reconciliation_runs;
update credit_alerts set resolved_at = now() where resolved_at is null;
select is(pg_temp.metric('reconciliation_discrepancies'), null, 'before the first run there is nothing to tell');
insert into reconciliation_runs (deep, started_at, finished_at, accounts_checked, accounts_broken, discrepancies)
values (true, now() - interval '3 days', now() - interval '2 days', 5, 2, 7),
  (false, now() - interval '3 hours', now() - interval '2 hours', 5, 4, 9),
  (false, now() - interval '2 hours', now() - interval '1 hour', 5, 1, 3);
select is(pg_temp.metric('reconciliation_discrepancies', '{"deep": "false"}'), 3::numeric, 'the last run');
select is(pg_temp.metric('reconciliation_discrepancies', '{"deep": "true"}'), 7::numeric, 'and the last deep one');
select is(pg_temp.metric('reconciliation_broken_accounts', '{"deep": "false"}'), 1::numeric,
  'three discrepancies in one account');
select is(pg_temp.metric('reconciliation_age_seconds', '{"deep": "false"}'), 3600::numeric, 'an hour ago');
insert into reconciliation_runs (deep, started_at, finished_at) values (true, now() - interval '1 minute', now());
select set_eq($$select labels ->> 'deep', value from operational_metrics()
  where metric = 'atomic_credits_reconciliation_discrepancies'$$,
  $$values ('true', 0::numeric)$$, 'a deep run that finds nothing ends what came before it, as the alert ends');
select is(pg_temp.metric('reconciliation_age_seconds', '{"deep": "false"}'), 3600::numeric,
  'whose age is told all the same');
insert into credit_alert_rules (name, severity, threshold, description) select 'metrics test', severity, 1, 'a test'
  from credit_alert_rules limit 1;
select is((select sum(value) from operational_metrics() where metric = 'atomic_credits_alerts_firing'), 0::numeric,
  'nothing fires');
insert into credit_alerts (rule, severity, subject, value, threshold, detail, fired_at, updated_at)
select name, severity, 'a', 2, 1, 'a test', now(), now() from credit_alert_rules where name = 'metrics test';
select is((select value from operational_metrics()
  where metric = 'atomic_credits_alerts_firing'
    and labels ->> 'severity' = (select severity from credit_alert_rules where name = 'metrics test')),
  1::numeric, 'an alert by its severity');
select mute_alert_rule('metrics test', now() + interval '1 hour');
select is((select sum(value) from operational_metrics() where metric = 'atomic_credits_alerts_firing'), 0::numeric,
  'unless its rule is muted');
delete from credit_task_runs;
create temp table task as select min(name) as name from credit_scheduled_tasks where enabled;
insert into credit_task_runs (task, started_at, finished_at, ok)
select name, now() - interval '61 seconds', now() - interval '60 seconds', true from task;
insert into credit_task_runs (task, started_at, finished_at, ok) select name, now(), now(), false
  from credit_scheduled_tasks;
update credit_scheduled_tasks set created_at = now() - interval '2 days';
select is(pg_temp.metric('task_last_success_age_seconds', jsonb_build_object('task', name)), 60::numeric,
  'a minute since a task succeeded') from task;
select set_eq($$select distinct value from operational_metrics()
  where metric = 'atomic_credits_task_last_success_age_seconds' and value > 60$$,
  'values (172800::numeric)', 'failures do not count: what never succeeded is as old as the task');
select is((select count(*) from operational_metrics() where metric = 'atomic_credits_task_max_age_seconds'),
  (select count(*) from credit_scheduled_tasks where enabled), 'and how long each may take');

select * from finish();
rollback;
