begin;
select plan(6);

-- Where there is no pg_cron: the tables of it that are read.
do $$ begin
  if to_regclass('cron.job') is null then
    create schema cron;
    create table cron.job (jobid bigint primary key, jobname text, schedule text, command text,
      database text default current_database(), username text default current_user, active boolean default true);
    create table cron.job_run_details (
      jobid bigint, runid bigint primary key, job_pid integer, database text, username text, command text, status text,
      return_message text, start_time timestamptz, end_time timestamptz);
    insert into cron.job (jobid, jobname, schedule)
    select row_number() over (), 'atomic-credits:' || name, schedule from credit_scheduled_tasks where enabled;
  end if;
end; $$;
-- pg_cron's own runs wait until the end of this test.
lock table cron.job_run_details in exclusive mode;
delete from cron.job_run_details;

create function pg_temp.verdict() returns table (ok boolean, detail text) language sql as $$
  select v.ok, v.detail from verify_deployment() as v where check_name = 'pg_cron has begun'
$$;
create function pg_temp.runs(p_run bigint, p_job bigint, p_status text, p_message text) returns void language sql as $$
  insert into cron.job_run_details (runid, jobid, username, status, return_message)
  values (-p_run, p_job, current_user, p_status, p_message)
$$;
create temp table jobs as select jobid, jobname from cron.job where jobname like 'atomic-credits:%';

select results_eq('select * from pg_temp.verdict()',
  $$select false, format('none of its %s jobs has run yet', count(*)) from jobs$$,
  'at once after the schedule was applied');
select pg_temp.runs(1, (select max(jobid) + 1 from cron.job), 'succeeded', '1 row');
select is((select ok from pg_temp.verdict()), false, 'a run of another job, or of one that is gone, is none of them');
select pg_temp.runs(2, jobid, 'failed', 'connection failed') from jobs where jobname = 'atomic-credits:retention';
select results_eq('select * from pg_temp.verdict()',
  $$values (false, 'every run failed, of atomic-credits:retention: connection failed')$$, 'runs that fail say why');
select pg_temp.runs(3, jobid, 'running', null) from jobs where jobname = 'atomic-credits:expire-grants';
select results_eq('select * from pg_temp.verdict()', $$values (true, 'as it should be')$$,
  'a run that has started is the first');

delete from cron.job_run_details;
select matches((select remedy from verify_deployment() where check_name = 'pg_cron has begun'),
  'select public.apply_schedule\(\);', 'the remedy is a transaction of its own');
delete from cron.job where jobname like 'atomic-credits:%';
select is((select ok from pg_temp.verdict()), true, 'without jobs there is nothing to wait for');

select * from finish();
rollback;
