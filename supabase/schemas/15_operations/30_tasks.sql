-- Gives: the table of scheduled tasks, how one is run, and how pg_cron learns of them.
-- Keeps: every run records its outcome; a changed schedule leaves no duplicate.
-- Needs: departure, reconciliation runs, anomalies, subscriptions; when called: function calls, alerts, retention.

create table public.credit_scheduled_tasks (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  schedule text not null check (length(schedule) <= 100 and schedule ~ '^([-0-9*,/]+ ){4}[-0-9*,/]+$'),
  command text not null,
  max_age interval not null check (max_age >= interval '1 minute'),
  repeats boolean not null default false,
  enabled boolean not null default true,
  description text not null,
  created_at timestamptz not null default now()
);
comment on table public.credit_scheduled_tasks is
  'What runs on a schedule. pg_cron follows this table where the server has it; else npm start''s scheduler does.';
comment on column public.credit_scheduled_tasks.schedule is 'Cron expression of five fields, in UTC.';
comment on column public.credit_scheduled_tasks.command is
  'SQL statement. Only the owner may change it: it runs with the owner''s rights.';
comment on column public.credit_scheduled_tasks.repeats is
  'Whether it runs again, each time in a transaction of its own, until its command returns 0 or 50 seconds have '
  'passed.';
comment on column public.credit_scheduled_tasks.max_age is
  'How long ago the last good run may be; beyond that the alert task_not_running fires.';

create table public.credit_task_runs (
  id bigint generated always as identity primary key,
  task text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  ok boolean not null,
  detail text,
  done bigint
);
-- A task's last runs: alerts, metrics, retention.
create index credit_task_runs_newest on public.credit_task_runs (task, started_at desc);
comment on table public.credit_task_runs is
  'Every run of a scheduled task. detail: the SQLSTATE and message of the error, when it was not ok.';

comment on column public.credit_task_runs.done is 'How much a repeating task did: the value that its command returned.';

alter table public.credit_scheduled_tasks enable row level security;
alter table public.credit_task_runs enable row level security;

create function public.run_task(p_name text)
returns public.credit_task_runs
language plpgsql
security definer
set search_path = '', pg_temp
set statement_timeout = '60s'
as $$
declare
  task public.credit_scheduled_tasks;
  run public.credit_task_runs;
begin
  perform credits.caller_check('run_task');
  select * into task from public.credit_scheduled_tasks where name = p_name;
  if not found then
    perform credits.raise_misuse('PT404', 'no such task', 'The table credit_scheduled_tasks lists the tasks.');
  end if;
  run.task := task.name;
  run.started_at := clock_timestamp();
  begin
    if task.repeats then
      execute task.command into run.done;
    else
      execute task.command;
    end if;
    run.ok := true;
  -- "others" does not include a statement's timeout, and a task that always times out must be recorded too.
  exception when query_canceled or others then
    run.ok := false;
    run.detail := left(sqlstate || ' ' || sqlerrm, 500);
  end;
  insert into public.credit_task_runs (task, started_at, finished_at, ok, detail, done)
  values (run.task, run.started_at, clock_timestamp(), run.ok, run.detail, run.done)
  returning * into run;
  return run;
end;
$$;
comment on function public.run_task(text) is
  'Runs a scheduled task now and records the outcome; an error or a timeout is recorded (ok false), not raised. Over '
  'the Data API it may take 60 seconds. Run a task that repeats again while done is above 0. Raises PT404 for an '
  'unknown task.';

create function credits.cron_command(p_task public.credit_scheduled_tasks)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- One statement, which commits after each run: a refilled account is unlocked at once, not after all the others.
  select format('do $task$ begin loop exit when (select ok and done > 0 '
    'and clock_timestamp() < statement_timestamp() + interval ''50 seconds'' from public.run_task(%L)) '
    'is not true; commit; end loop; end $task$', p_task.name)
  where p_task.repeats
  union all
  -- A role's timeout (2 minutes on a hosted project) would cancel every long check; beyond max_age its alert fires
  -- anyway.
  select format('set statement_timeout = %s; select from public.run_task(%L)',
    least(extract(epoch from p_task.max_age) * 1000, 2147483647)::integer, p_task.name)
  where not p_task.repeats;
$$;
comment on function credits.cron_command(public.credit_scheduled_tasks) is
  'The command that pg_cron executes for a task. It may take as long as the task''s max_age; a task that repeats, as '
  'long as the role''s statement_timeout, which should exceed its 50 seconds.';

create function public.apply_schedule()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  -- Looked up by name, as pg_cron may be missing.
  cron_jobs regclass := to_regclass('cron.job');
  job_name text;
  task public.credit_scheduled_tasks;
  applied integer := 0;
begin
  perform credits.caller_check('apply_schedule');
  if cron_jobs is null then
    return null;
  end if;
  for job_name in execute format('select jobname from %s where jobname like %L', cron_jobs, 'atomic-credits:%') loop
    if not exists (select from public.credit_scheduled_tasks
      where enabled and 'atomic-credits:' || name = job_name) then
      execute format('select cron.unschedule(%L)', job_name);
    end if;
  end loop;
  for task in select * from public.credit_scheduled_tasks where enabled order by name loop
    -- By name: pg_cron replaces a job of the same name.
    execute format('select cron.schedule(%L, %L, %L)', 'atomic-credits:' || task.name, task.schedule,
      credits.cron_command(task));
    applied := applied + 1;
  end loop;
  return applied;
end;
$$;
comment on function public.apply_schedule() is
  'Makes pg_cron''s jobs (atomic-credits:<task>) match credit_scheduled_tasks, and returns how many there are; null '
  'without pg_cron. Idempotent. A trigger calls it when the table changes; call it yourself after you have enabled '
  'pg_cron. A job may take as long as its task''s max_age; where pg_cron runs in background workers, as long as its '
  'role''s statement_timeout.';

create function credits.schedule_changed()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform public.apply_schedule();
  return null;
end;
$$;
comment on function credits.schedule_changed() is 'Hands a changed schedule to pg_cron.';

create trigger credit_scheduled_tasks_apply after insert or update or delete or truncate
  on public.credit_scheduled_tasks
  for each statement execute function credits.schedule_changed();

insert into public.credit_scheduled_tasks (name, schedule, max_age, repeats, command, description) values
  ('expire-grants', '* * * * *', '30 minutes', true, 'select public.expire_grants(2000)',
    'Books grants that have expired.'),
  ('refill-plans', '* * * * *', '3 hours', true, 'select public.refill_plans(2000)', 'Grants monthly credits.');
insert into public.credit_scheduled_tasks (name, schedule, max_age, command, description) values
  ('sweep-overdue-jobs', '* * * * *', '10 minutes', 'select public.sweep_overdue_jobs()',
    'Refunds jobs that have not ended by their deadline.'),
  ('evaluate-alerts', '*/2 * * * *', '20 minutes', 'select public.evaluate_alerts()', 'Fires and resolves alerts.'),
  ('announce-expiring-grants', '17 * * * *', '3 hours', 'select public.announce_expiring_grants()',
    'Announces grants that expire soon.'),
  ('detect-anomalies', '27 * * * *', '3 hours', 'select public.record_anomalies()', 'Looks for suspicious activity.'),
  ('reconcile', '37 3 * * *', '26 hours', 'select public.reconcile_credit_ledger()',
    'Checks what is new in the books.'),
  ('reconcile-deep', '47 4 * * 0', '8 days', 'select public.reconcile_credit_ledger(true)', 'Checks all of the books.'),
  ('deliver-events', '* * * * *', '20 minutes', 'select public.request_function(''deliver-events'')',
    'Calls the edge function that delivers events.'),
  ('ask-providers', '* * * * *', '20 minutes', 'select public.request_function(''tasks/ask-providers'')',
    'Calls the edge function that asks providers about jobs without a word.'),
  ('delete-objects', '*/5 * * * *', '1 hour', 'select public.request_function(''tasks/delete-objects'')',
    'Calls the edge function that deletes files that nobody needs.'),
  ('move-outputs', '* * * * *', '1 hour', 'select public.request_function(''tasks/move-outputs'')',
    'Calls the edge function that moves outputs from the database to Storage.'),
  ('finish-erasures', '*/5 * * * *', '1 hour', 'select public.finish_erasures()',
    'Continues unfinished erasures.'),
  ('grant-due-sign-ups', '* * * * *', '1 hour', 'select public.grant_due_sign_ups()',
    'Gives the sign-up grant to users who came beyond the hour''s limit.'),
  ('retry-payments', '*/5 * * * *', '1 hour', 'select public.retry_payments()',
    'Books payments that wait, once their cause is gone.'),
  ('follow-subscriptions', '*/5 * * * *', '1 hour', 'select public.follow_subscriptions()',
    'Ends the plans of subscriptions whose time is over.'),
  ('retention', '57 2 * * *', '26 hours', 'select public.apply_retention()',
    'Drops old months of credit_request_events and old history.');
