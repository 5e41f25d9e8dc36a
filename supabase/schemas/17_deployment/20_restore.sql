-- Gives: a way to restore the data of another installation onto migrations that have just been applied.
-- Keeps: outside of a restore nothing changes: these triggers fire only in session_replication_role replica.
-- Needs: settings, plans, price book, reconciliation runs, anomalies, tasks, file deletion and alert rules.

create function credits.restored_row_wins()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
declare
  same_key constant text := (
    select string_agg(format('seeded.%1$I = ($1).%1$I', a.attname), ' and ')
    from pg_catalog.pg_index as i
    join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = tg_relid and i.indisprimary);
begin
  execute format('delete from %s as seeded where %s', tg_relid::regclass, same_key) using new;
  if tg_relid = 'public.generation_model_rates'::regclass then
    -- A restored version has its own meters alone: those that the migrations gave it go.
    delete from public.generation_model_rates as seeded
    where seeded.model = new.model and seeded.effective_from = new.effective_from
      and seeded.xmin <> pg_current_xact_id()::xid;
  end if;
  return new;
end;
$$;
comment on function credits.restored_row_wins() is
  'A restored or replicated row replaces the row that the migrations inserted under the same key.';

-- Every table that the migrations fill, and those that scheduled tasks may have written to before the restore.
do $$
declare
  filled text;
begin
  foreach filled in array array['credits.installation', 'credits.secrets', 'credits.file_sweep',
    'public.credit_alert_rules', 'public.credit_anomaly_rules', 'public.credit_plans', 'public.credit_settings',
    'public.reconciliation_classes', 'public.generation_models', 'public.generation_model_rates',
    'public.reconciliation_runs', 'public.credit_scheduled_tasks', 'public.credit_task_runs']
  loop
    execute format('create trigger restored_row_wins before insert on %s '
      'for each row execute function credits.restored_row_wins()', filled);
    execute format('alter table %s enable replica trigger restored_row_wins', filled);
  end loop;
end;
$$;
