begin;
select plan(7);

create temp table rows_before as select (select count(*) from credit_accounts) as accounts,
  (select count(*) from credit_ledger) as entries,
  (select count(*) from generation_jobs) as jobs, (select count(*) from credit_plans) as plans,
  (select count(*) from generation_models) as models,
  (select count(*) from credit_request_events where code = 'rate_limited') as limits,
  (select count(*) from credit_request_events) as events;
-- pg_cron's first minute may not be over.
create temp view not_ok as select check_name, detail, remedy from verify_deployment()
  where not ok and check_name <> 'pg_cron has begun';
update credit_scheduled_tasks set created_at = now();
select sweep_overdue_jobs();
select is_empty('select check_name, detail from not_ok', 'everything is ok');
select is_empty('select check_name from verify_deployment() where (remedy is null) <> ok',
  'a remedy where it is not, and only there');
select results_eq($$select (select count(*) from credit_accounts), (select count(*) from credit_ledger),
  (select count(*) from generation_jobs), (select count(*) from credit_plans),
  (select count(*) from generation_models), (select count(*) from credit_request_events where code = 'rate_limited'),
  (select count(*) from credit_request_events)$$, 'table rows_before', 'nothing stays of the trial');
select set_eq($$select format('%s %s.%s', kind, schema_name, object_name) from credits.deployed_objects()$$,
  $$select format('%s %s.%s', case c.relkind when 'v' then 'view' when 'c' then 'type' else 'table' end,
    n.nspname, c.relname)
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace and n.nspname in ('public', 'credits')
    where c.relkind in ('r', 'p', 'v', 'c') and not (c.relispartition and c.relname ~ '\d{4}_\d{2}$')
      and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype = 'e')
    union select format('type %s.%s', n.nspname, t.typname) from pg_type as t
    join pg_namespace as n on n.oid = t.typnamespace and n.nspname in ('public', 'credits')
    where t.typtype in ('e', 'd') and not exists (select from pg_depend as d where d.objid = t.oid and d.deptype = 'e')
    union select format('function %s.%s', n.nspname, p.proname) from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace and n.nspname in ('public', 'credits')
    where not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')$$,
  'no object escapes the checks');
update credit_plans set rate_limit_requests = 99 where name = 'default';
update generation_models set enabled = false;
select from set_model_price('standard-image', '{"image": 700}', p_settings => '{"enabled": true}');
select is_empty('select check_name, detail from not_ok',
  'limits, models and new prices are the operator''s to change');

drop schema supabase_migrations cascade;
create role reporter;
grant select on credit_ledger to reporter;
select is_empty('select check_name, detail from not_ok',
  'so it is without a migration history, and where you let a role of your own read');
grant service_role to reporter;
create policy reporter_reads on credit_ledger for select to reporter using (true);
select is_empty('select check_name, detail from not_ok',
  'a policy for a role that may become the service lets through nothing more');

select * from finish();
rollback;
