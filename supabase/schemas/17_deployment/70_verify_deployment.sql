-- Gives: verify_deployment, the checklist after a deployment: one row per check, with a remedy.
-- Keeps: nothing that it reads changes; the trial is undone.
-- Needs: every chapter before; when called: privileges.

create function credits.installed_release()
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if to_regclass('credits.installation') is null then
    return null;
  end if;
  return (select i.release from credits.installation as i order by i.applied_at desc limit 1);
end;
$$;
comment on function credits.installed_release() is 'The release that was applied last; null if nothing says which.';

create function credits.check_installation()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  again constant text := 'As the owner: select public.repair_deployment();';
  release constant text := credits.installed_release();
begin
  return next row('the installed release is on record', release is not null,
    coalesce(release, 'credits.installation is missing or empty'),
    case when release is null then 'Restore credits.installation from a backup: upgrades and the roll back go by it.'
    end)::credits.deployment_check;
  return next credits.check_none('tables, views, functions and types exist',
    (select array_agg(format('%s %s', o.kind, o.identity) order by o.identity) from credits.delivered_objects() as o
     where case o.kind when 'type' then to_regtype(o.identity)::oid
       when 'function' then to_regprocedure(o.identity)::oid
       else to_regclass(o.identity)::oid end is null),
    'These are missing. Restore them from a dump of the schema; or run scripts/rollback.sql, which keeps the data '
    'apart, and apply again.');
  return next credits.check_none('every trigger is there, also on auth.users',
    (select array_agg(format('%s on %s', part_name, table_name)) from credits.part_differences('trigger')), again);
  return next credits.check_none('every policy is there',
    (select array_agg(format('%s on %s', part_name, table_name)) from credits.part_differences('policy')), again);
  return next credits.check_none('no policy lets through more',
    (select array_agg(format('%s on %s', f.part_name, f.table_name)) from credits.deployed_parts() as f
     where f.kind = 'policy' and f.table_name in (select r.oid::regclass::text from credits.deployed_relations() as r)
       and not exists (
         select from credits.delivered_parts() as w
         where w.kind = f.kind and w.table_name = f.table_name and w.part_name = f.part_name
           and regexp_replace(w.definition, '[\s()]| AS \w+', '', 'g')
             = regexp_replace(f.definition, '[\s()]| AS \w+', '', 'g'))
       and not credits.policy_is_of_services(f.table_name::regclass, f.part_name)),
    'These are not delivered, or have another condition: drop policy … on …; then as the owner: select '
    'public.repair_deployment();');
  return next credits.check_none('users see their jobs change',
    case when not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime')
      then array['there is no publication supabase_realtime']
      else nullif(array(select credits.repair_statements('publication')), '{}') end,
    'If there is no such publication: create publication supabase_realtime; then as the owner: select '
    'public.repair_deployment();');
  return next credits.check_none('privileges are the delivered ones',
    (select array_agg(format('%s %s %s%s on %s', grantee, case when too_much then 'has' else 'lacks' end, privilege,
       ' (' || column_name || ')', identity) order by too_much desc, grantee, identity)
       from credits.privilege_differences()), again);
end;
$$;
comment on function credits.check_installation() is
  'Checks that everything delivered exists, and is open to nobody else.';

create function credits.policy_is_of_services(p_table regclass, p_name text)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from pg_catalog.pg_policy as p where p.polrelid = p_table and p.polname = p_name
    and 0 <> all (p.polroles)
    and not exists (select from unnest(p.polroles) as r (id) where not pg_has_role(r.id, 'service_role', 'member')))
$$;
comment on function credits.policy_is_of_services(regclass, text) is
  'Whether a policy is for roles alone that may become service_role, which reads all rows without it.';

create function credits.check_functions()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('every function has one signature',
    (select array_agg(twice.name) from (
      select format('%s.%s', pronamespace::regnamespace, proname) as name from credits.deployed_functions()
      group by pronamespace, proname having count(*) > 1) as twice),
    'An overload can bypass the guards of the other: drop the function that is not delivered.');
  return next credits.check_none('security definer functions have an empty search_path',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where prosecdef and not coalesce(proconfig @> array['search_path="", pg_temp'], false)),
    'alter function … set search_path = '''', pg_temp;');
  -- Except the function that the price book's policy calls, in a schema that anon cannot use.
  return next credits.check_none('no function is executable by PUBLIC or anon',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where oid is distinct from to_regprocedure('credits.is_price_in_force(text, timestamptz)')
       and has_function_privilege('anon', oid, 'execute')),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('users execute only functions that read',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where provolatile = 'v' and has_function_privilege('authenticated', oid, 'execute')
       -- These ask first whether the user is an operator.
       and oid::regprocedure::text !~ format('^(public\.)?operator_(reconcile|%s)\(',
         (select string_agg(action, '|') from credits.operator_rights()))),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('schema credits is closed',
    (select array_agg(r.name) from unnest(array['anon', 'authenticated', 'service_role']) as r (name)
     where has_schema_privilege(r.name, 'credits', 'usage, create')),
    'As the owner: select public.repair_deployment();');
end;
$$;
comment on function credits.check_functions() is 'Checks signatures, search paths and execute privileges.';

create function credits.check_tables()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('every table has row level security',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
      where relkind in ('r', 'p') and not relrowsecurity),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('every view runs with its reader''s rights',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
       and not credits.is_operator_view(oid)),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('views of operators show nothing before their gate',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where credits.is_operator_view(oid) and not credits.has_barrier(reloptions)),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('anon reads the price book and nothing else',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where oid is distinct from to_regclass('public.generation_models')
       and oid is distinct from to_regclass('public.generation_model_rates')
       and has_any_column_privilege('anon', oid, 'select')),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('users write no table',
    (select array_agg(distinct oid::regclass::text)
      from credits.deployed_relations(), unnest(array['anon', 'authenticated']) as r (name)
     where has_any_column_privilege(r.name, oid, 'insert, update, references')
       or has_table_privilege(r.name, oid, 'delete, truncate, trigger')),
    'As the owner: select public.repair_deployment();');
end;
$$;
comment on function credits.check_tables() is 'Checks row level security and privileges of tables and views.';

create function credits.check_ledger()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ledger constant regclass := to_regclass('public.credit_ledger');
  archive constant regclass := to_regclass('public.credit_ledger_archive');
  again constant text := 'Create it again as its chapter does (supabase/schemas, 03_ledger and 12_books).';
begin
  return next credits.check_none('credit_ledger.delta is not null',
    case when not exists (select from pg_catalog.pg_attribute
      where attrelid = ledger and attname = 'delta' and attnotnull)
      then array['delta may be null'] end,
    'alter table public.credit_ledger alter column delta set not null;');
  return next credits.check_none('the ledger''s rules are in place and loud',
    (select array_agg(wanted.name)
     from unnest(array['credit_ledger_no_update', 'credit_ledger_no_delete', 'credit_ledger_archive_no_update',
       'credit_ledger_archive_no_delete']) as wanted (name)
     where not exists (select from pg_catalog.pg_rewrite where ev_class in (ledger, archive) and rulename = wanted.name
       and ev_enabled in ('O', 'A') and pg_get_ruledef(oid) ~ 'INSTEAD +SELECT credits\.ledger_is_append_only')),
    again);
  return next credits.check_none('the ledger''s triggers are always enabled',
    (select array_agg(wanted.name)
     from unnest(array['credit_ledger_refuse_change', 'credit_ledger_refuse_truncate',
       'credit_ledger_archive_refuse_change', 'credit_ledger_archive_refuse_truncate']) as wanted (name)
     where not exists (select from pg_catalog.pg_trigger
       where tgrelid in (ledger, archive) and tgname = wanted.name and tgenabled = 'A')),
    again || ' Then: alter table … enable always trigger …;');
end;
$$;
comment on function credits.check_ledger() is
  'Checks in the catalog what keeps the ledger append-only; the trial tries it.';

create function credits.check_books()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('no job is overdue',
    (select array_agg(id::text) from (
      select id from public.generation_jobs
      where status in ('pending', 'running') and deadline_at < now() - credits.sweep_grace() limit 10) as overdue),
    'The sweep does not run, or fails: select public.sweep_overdue_jobs(); then repair its schedule.');
  return next credits.check_none('every credit is accounted for',
    (select array_agg(format('%s of %s', invariant, coalesce('account ' || account_id, payment_key))) from (
      select * from public.reconciliation_discrepancies limit 10) as discrepancies),
    'select * from reconciliation_discrepancies; and public.verify_ledger(account) name what is wrong.');
end;
$$;
comment on function credits.check_books() is 'Checks that the books balance and that the sweep is not behind.';

create function credits.check_success_rate()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  stats public.generation_stats := public.get_generation_stats(24);
begin
  return next row('generations succeed', stats.healthy,
    format('%s of %s that ended in the last 24 hours', stats.completed_jobs, stats.completed_jobs + stats.failed_jobs),
    case when not stats.healthy then 'Which provider, and why: '
      'select * from generation_stats_hourly order by hour desc; and the functions'' logs.'
    end)::credits.deployment_check;
end;
$$;
comment on function credits.check_success_rate() is 'Checks the last day''s jobs by the alert rule success_rate.';

create function credits.check_models()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  settings public.credit_settings := (select s from public.credit_settings as s);
begin
  return next credits.check_none('models that answer in the request do so in time',
    (select array_agg(format('%s: %s s', m.name, m.timeout_seconds) order by m.name)
     from public.generation_models as m
     where m.enabled and (m.effective_from > now() or credits.is_price_in_force(m.name, m.effective_from))
       and m.provider <> all (settings.callback_providers)
       and m.timeout_seconds > settings.request_timeout_seconds),
    format('The platform may end such a request before its provider has answered; the job is refunded at its deadline. '
      'select set_model_price(…, p_settings => ''{"timeout_seconds": %s}''); or, where the platform''s plan allows '
      'more, update credit_settings set request_timeout_seconds = …;', settings.request_timeout_seconds));
  return next credits.check_none('providers that call back say how their jobs stand',
    (select array_agg(f.detail order by f.subject) from credits.provider_findings_now() as f),
    'select job_id, asks, asked_at, last_answer, last_error from generation_provider_jobs; does the task ask-providers '
      'run, and do the functions reach the provider? The jobs are refunded at their model''s hard_timeout_seconds.');
end;
$$;
comment on function credits.check_models() is
  'Checks that no model on sale whose provider answers within the request may take longer than such a request, and '
  'that providers which call back say how their jobs stand.';

create function credits.check_defaults()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  current_price text := (
    select string_agg(format('%s a %s', trim_scale(r.price / r.per), r.meter), ', ' order by r.meter)
    from public.generation_model_rates as r
    where r.model = 'standard-image' and r.effective_from = (
      select max(effective_from) from public.generation_models
      where name = 'standard-image' and effective_from <= now()));
begin
  return next credits.check_none('standard-image was delivered at 500 credits',
    case when not exists (
      select from public.generation_model_rates
      where model = 'standard-image' and effective_from = '2026-01-01' and meter = 'image' and price = 500 and per = 1)
    then array[format('its first price version is not 500 any more; the current price is %s',
      coalesce(current_price, 'none'))] end,
    'A new price is a new version, by set_model_price; set the rate of 2026-01-01 back to 500.');
  return query
    select 'the default plan has a rate limit', true,
      format('%s requests in %s s (delivered: 10 in 60 s)', rate_limit_requests, rate_limit_window_seconds), null::text
    from public.credit_plans where name = 'default';
end;
$$;
comment on function credits.check_defaults() is
  'Checks the delivered price version, which later prices must not overwrite, and reports the default plan''s limit, '
  'which may be changed.';

create function public.verify_deployment()
returns table (check_name text, ok boolean, detail text, remedy text)
language plpgsql
security definer
set search_path = '', pg_temp
-- The most that the Data API allows, instead of its 8 seconds.
set statement_timeout = '60s'
as $$
begin
  perform credits.caller_check('verify_deployment');
  return query select * from credits.check_installation();
  return query select * from credits.check_functions();
  return query select * from credits.check_tables();
  return query select * from credits.check_ledger();
  begin
    return query select * from credits.check_shard();
    return query select * from credits.check_storage();
    return query select * from credits.check_broadcast();
    return query select * from credits.check_schedule();
    return query select * from credits.check_books();
    return query select * from credits.check_success_rate();
    return query select * from credits.check_models();
    return query select * from credits.check_defaults();
    return query select * from credits.check_trial();
  exception when others then
    return query select 'every check can run', false, format('%s (%s)', sqlerrm, sqlstate),
      'A failed check above is usually the cause: repair that first.';
  end;
end;
$$;
comment on function public.verify_deployment() is
  'The checklist after a deployment, one row per check: ok, what was found, and the remedy where it is not ok. Reads '
  'the catalog and the books, then charges and refunds a trial account in a subtransaction that is undone. Safe during '
  'traffic; reads the whole ledger once.';
