begin;
select plan(9);

select is((select array_agg(ok) from credit_scheduled_tasks, lateral (select (run_task(name)).ok) as run),
  (select array_agg(true) from credit_scheduled_tasks), 'every task runs');
select is((select count(distinct task) from credit_task_runs), (select count(*) from credit_scheduled_tasks),
  'and leaves its outcome');
update credit_scheduled_tasks set command = 'select 1 / 0' where name = 'reconcile';
select is(row(ok, detail), row(false, '22012 division by zero'::text), 'an error is an outcome')
  from run_task('reconcile');
select throws_ok($$select run_task('none')$$, 'PT404');
select throws_ok($$update credit_scheduled_tasks set schedule = 'every minute'$$, '23514');
select is(apply_schedule(),
  case when to_regclass('cron.job') is not null then (select count(*)::integer from credit_scheduled_tasks
    where enabled) end, 'where there is no pg_cron there is nothing to apply');

set local role service_role;
select lives_ok($$update credit_scheduled_tasks set schedule = '0 5 * * *', enabled = false where name = 'reconcile'$$,
  'the service changes when a task runs');
select throws_ok($$update credit_scheduled_tasks set command = 'drop table credit_ledger'$$, '42501');
select throws_ok($$insert into credit_scheduled_tasks (name, schedule, command, max_age, description)
  values ('mine', '* * * * *', 'select 1', '1 hour', '')$$, '42501');

select * from finish();
rollback;
