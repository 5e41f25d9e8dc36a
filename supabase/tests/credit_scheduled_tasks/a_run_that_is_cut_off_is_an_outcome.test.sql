begin;
select plan(3);

update credit_scheduled_tasks set command = 'select pg_sleep(60)' where name = 'reconcile';
set local statement_timeout = '100ms';
create temporary table outcome as select * from run_task('reconcile');
set local statement_timeout = 0;
select is(row(ok, detail), row(false, '57014 canceling statement due to statement timeout'::text),
  'a task that takes longer than a statement may is told') from outcome;
select isnt_empty($$select from credit_task_runs where task = 'reconcile' and not ok$$, 'and kept');
select evaluate_alerts();
select isnt_empty($$select from credit_alerts
  where rule = 'task_failed' and subject = 'reconcile' and resolved_at is null$$, 'so that its alert fires');

select * from finish();
rollback;
