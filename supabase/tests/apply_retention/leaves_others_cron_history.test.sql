begin;
select plan(1);

-- Where there is no pg_cron: the table of it that is read.
do $$ begin
  if to_regclass('cron.job_run_details') is null then
    create schema cron;
    create table cron.job_run_details (
      jobid bigint, runid bigint primary key, job_pid integer, database text, username text, command text, status text,
      return_message text, start_time timestamptz, end_time timestamptz);
  end if;
end; $$;
insert into cron.job_run_details (runid, database, username, command, end_time)
select n, coalesce(d.database, current_database()), current_user, d.command, now() - d.age
from (values
  (1001, null, 'set statement_timeout = 600000; select from public.run_task(''reconcile'')', interval '8 days'),
  (1002, null, 'set statement_timeout = 600000; select from public.run_task(''reconcile'')', interval '6 days'),
  (1003, null, 'select from public.run_task(''reconcile'')', interval '8 days'),
  (1004, null, 'call shop.close_day()', interval '8 days'),
  (1005, 'another', 'select from public.run_task(''reconcile'')', interval '8 days'),
  (1006, null, (select credits.cron_command(t) from credit_scheduled_tasks as t where name = 'refill-plans'),
    interval '8 days')) as d (n, database, command, age);
select apply_retention();
select results_eq('select runid from cron.job_run_details where runid between 1001 and 1006 order by runid',
  'values (1002::bigint), (1004), (1005)',
  'only what this schedule ran goes, after a week');

select * from finish();
rollback;
