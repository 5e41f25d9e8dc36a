begin;
select plan(5);

-- What pg_cron writes meanwhile waits until the end of this test.
lock table credit_task_runs, reconciliation_runs in share row exclusive mode;
delete from reconciliation_runs;
insert into reconciliation_runs (deep, started_at, finished_at, discrepancies) values
  (true, now() - interval '200 days', now() - interval '200 days', 3),
  (true, now() - interval '120 days', now() - interval '120 days', 0),
  (true, now() - interval '100 days', now() - interval '100 days', 0),
  (false, now() - interval '110 days', now() - interval '110 days', 0);
delete from credit_task_runs;
insert into credit_task_runs (task, started_at, finished_at, ok) values
  ('reconcile', now() - interval '140 days', now(), true), ('reconcile', now() - interval '130 days', now(), true),
  ('reconcile', now() - interval '120 days', now(), false), ('reconcile', now() - interval '110 days', now(), false);
update credit_scheduled_tasks set created_at = now() - interval '1 year' where name = 'reconcile';
create temp view told as select rule, value, detail from credits.operation_findings_now() where subject = 'reconcile';
create temp table before as select * from told;
select set_eq('select rule from before', array['task_not_running', 'task_failed'],
  'a task that failed, and has not run since');
select apply_retention();
select results_eq('select deep, (now() - started_at)::text from reconciliation_runs order by started_at',
  $$values (true, '200 days'), (false, '110 days'), (true, '100 days')$$,
  'the last run of each depth stays, also where it found nothing');
select results_eq('select ok, (now() - started_at)::text from credit_task_runs order by started_at',
  $$values (true, '130 days'), (false, '110 days')$$, 'and so do a task''s last good run and its last run');
select set_eq('table told', 'table before', 'so that what is told of the task is what it was');
select evaluate_alerts();
select is_empty($$select from credit_alerts where rule = 'discrepancies' and resolved_at is null$$,
  'no alert of damage that was repaired comes back');

select * from finish();
rollback;
