begin;
select plan(3);

-- A table of pg_cron's shape, where pg_cron itself is not there.
create schema if not exists cron;
create table if not exists cron.job (jobid bigint, command text, active boolean);
delete from cron.job;
select ok(not credits.sweep_is_scheduled(), 'no job');
insert into cron.job (jobid, command, active) values (1, 'select public.sweep_overdue_jobs()', false);
select ok(not credits.sweep_is_scheduled(), 'a job that is turned off');
update cron.job set active = true;
select is((select detail from credits.check_schedule()), 'by pg_cron', 'an active job');

select * from finish();
rollback;
