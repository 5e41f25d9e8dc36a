-- Gives: prices, plans, rules and settings that a shard takes from its router, and what has to happen when they arrive.
-- Keeps: all shards charge by the same terms, as one database publishes them.
-- Needs: shards, provider costs, products, plan change, reconciliation, anomalies, tasks, alert rules.
--
-- Rows arrive by logical replication, which fires row triggers alone, and of those only the ones that are enabled for
-- it. What decides whether a row may be written (price_is_kept, product_is_kept …) has decided on the router.
-- Broadcasts of balances do not follow: a shard has no Realtime, and an error here would hold up replication.

create function credits.terms_come_from_router()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  caller constant text := current_setting('role');
begin
  if exists (select from credits.shard where slot_groups <> '{}')
    -- Migrations write such rows on each shard, as the owner.
    and not pg_has_role(case caller when 'none' then session_user else caller end,
      (select relowner from pg_catalog.pg_class where oid = tg_relid), 'member') then
    perform credits.raise_misuse('PT409',
      format('this database is a shard, and %s comes from its router', tg_relid::regclass),
      'Change it on the router, which publishes it to all shards.');
  end if;
  return null;
end;
$$;
comment on function credits.terms_come_from_router() is
  'Refuses a change of prices, plans, rules or settings on a shard, but by the owner. Replication does not fire it.';

do $$
declare
  terms text;
begin
  foreach terms in array array['public.credit_alert_rules', 'public.credit_anomaly_rules', 'public.credit_plans',
    'public.credit_products', 'public.credit_settings', 'public.generation_models', 'public.generation_model_rates',
    'public.generation_model_costs', 'public.reconciliation_classes']
  loop
    execute format('create trigger terms_come_from_router before insert or update or delete or truncate on %s '
      'for each statement execute function credits.terms_come_from_router()', terms);
  end loop;
end;
$$;

create function credits.plan_arrived()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.refills_start(array[old], array[new]);
  return null;
end;
$$;
comment on function credits.plan_arrived() is
  'Does for a replicated plan what refills_start_now does for one changed here.';
create trigger plan_arrived after update on public.credit_plans
  for each row execute function credits.plan_arrived();
alter table public.credit_plans enable replica trigger plan_arrived;

create function credits.task_arrived()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A restore inserts rows, too, and must not begin to run their tasks.
  if tg_op <> 'INSERT' or exists (select from pg_catalog.pg_stat_activity
    where pid = pg_backend_pid() and backend_type like 'logical replication%') then
    perform public.apply_schedule();
  end if;
  return null;
end;
$$;
comment on function credits.task_arrived() is 'Hands a replicated schedule to pg_cron, as schedule_changed does.';
create trigger task_arrived after insert or update or delete on public.credit_scheduled_tasks
  for each row execute function credits.task_arrived();
alter table public.credit_scheduled_tasks enable replica trigger task_arrived;
