-- Gives: apply_retention, which lets go of what is only history.
-- Keeps: accounts, grants, entries and jobs are never touched.
-- Needs: request events, tasks, alerts, reconciliation runs, events.

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
  select now() - make_interval(days => history_days) into strict oldest from public.credit_settings;
  delete from public.task_runs where started_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Runs that found something are evidence, and stay.
  delete from public.reconciliation_runs where started_at < oldest and discrepancies = 0;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.anomaly_findings where found_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.alerts where resolved_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Also what was given up, and what nobody ever fetched.
  delete from public.credit_events where delivered_at < oldest or (delivered_at is null and created_at < oldest);
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  if cron_runs is not null then
    execute format('delete from %s where end_time < %L', cron_runs, now() - interval '7 days');
  end if;
  perform public.maintain_request_events();
  return removed;
end;
$$;
comment on function public.apply_retention() is
  'Deletes task runs, clean reconciliation runs, anomaly findings, resolved alerts and events (delivered, or never) older than '
  'credit_settings.history_days, pg_cron''s own history after 7 days, and drops old partitions of request_events; returns how many '
  'rows went. Never touches accounts, grants, entries or jobs. Meant to run daily.';
revoke all on function public.apply_retention() from public, anon, authenticated, service_role;
grant execute on function public.apply_retention() to service_role;
