-- Gives: apply_retention, which deletes operational history past its retention.
-- Keeps: accounts, grants, entries, jobs and payments are never touched.
-- Needs: payments, alert rules, tasks; when called: operator approvals.

create function public.apply_retention()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  cron_runs regclass := to_regclass('cron.job_run_details');
  oldest timestamptz;
  removed integer := 0;
  removed_now integer;
begin
  perform credits.caller_check('apply_retention');
  select now() - make_interval(days => history_days) into strict oldest from public.credit_settings;
  -- A task's last run and last good run show its state, so they stay however old they are.
  delete from public.credit_task_runs as r
  where r.started_at < oldest
    and exists (select from public.credit_task_runs as later
      where later.task = r.task and later.started_at > r.started_at)
    and (not r.ok or exists (
      select from public.credit_task_runs as later
      where later.task = r.task and later.started_at > r.started_at and later.ok));
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Runs that found something are evidence, and stay; so does the last run of each depth, which may show that the
  -- damage is repaired.
  delete from public.reconciliation_runs as r
  where r.started_at < oldest and r.discrepancies = 0 and exists (
    select from public.reconciliation_runs as later
    where later.deep = r.deep and later.started_at > r.started_at);
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.credit_anomaly_findings where found_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.credit_alerts where resolved_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Also events that were given up or never fetched.
  delete from public.credit_events where delivered_at < oldest or (delivered_at is null and created_at < oldest);
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- A payment's state counts, not its events: one that is sent again after its row has gone is handled anew.
  delete from public.payment_events where updated_at < oldest and outcome <> 'waiting';
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Kept: who asked for what is part of the trail.
  update public.operator_approvals set state = 'expired' where state = 'waiting' and expires_at <= now();
  if cron_runs is not null then
    -- The server's other jobs may share this history.
    execute format('delete from %s where end_time < %L and database = current_database() and command ~ %L',
      cron_runs, now() - interval '7 days',
      '^(set statement_timeout = \d+; )?select from public\.run_task\(|^do \$task\$ begin loop exit when \([^;]* from '
      'public\.run_task\(');
  end if;
  perform public.maintain_request_events();
  return removed;
end;
$$;
comment on function public.apply_retention() is
  'Deletes task runs, clean reconciliation runs, anomaly findings, resolved alerts, events (delivered, or never) and '
  'payment events that do not wait, older than credit_settings.history_days, pg_cron''s own history of this schedule '
  'after 7 days, and drops old partitions of credit_request_events; returns how many rows went. Marks operators'' '
  'requests that nobody decided on in time as expired. Each task''s last run '
  'and last good run stay, and the last reconciliation of each depth. Never touches accounts, grants, entries, jobs '
  'or payments. Meant to run daily.';
