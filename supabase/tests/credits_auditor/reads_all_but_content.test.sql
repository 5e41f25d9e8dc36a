begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a secret cat"}', null, 'request');
-- Without the views of operators, which show their rows to operators alone.
create temp view ours as
  select c.oid, c.relname, c.relkind from pg_class as c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
    and not credits.is_operator_view(c.oid)
    and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype = 'e');
select is_empty($$select relname from ours where not has_any_column_privilege('credits_auditor', oid, 'select')$$,
  'every table and view');
select is_empty($$select relname from ours
  where has_table_privilege('credits_auditor', oid, 'insert, update, delete, truncate, references, trigger')$$,
  'writes none');
select is_empty($$select relname, attname from ours join pg_attribute on attrelid = oid
  where attnum > 0 and not attisdropped and not has_column_privilege('credits_auditor', oid, attnum, 'select')
  except values ('generation_jobs', 'input'), ('generation_jobs', 'output'), ('generation_jobs', 'error'),
  ('generation_jobs', 'idempotency_key'), ('generation_jobs', 'request_hash'), ('credit_events', 'payload'),
  ('credit_app_keys', 'name'), ('credit_app_keys', 'hash'),
  ('generation_provider_jobs', 'urls'), ('generation_provider_jobs', 'last_error')$$,
  'every column but content');
select is_empty($$select p.proname from pg_proc as p
  where p.pronamespace in ('public'::regnamespace, 'credits'::regnamespace)
  and has_function_privilege('credits_auditor', p.oid, 'execute') and p.provolatile = 'v'
  and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')$$,
  'and calls nothing that writes');
set local role credits_auditor;
select is(row(accounts, entries, discrepancies), row(1::bigint, 2::bigint, 0::bigint), 'the books')
  from reconciliation_summary;
select is((select sum(jobs) from generation_stats_hourly), 1::numeric, 'statistics');
select is((select count(*) from credit_request_trail where request_id = 'request'), 2::bigint, 'a request''s trail');
select is((select sum(outstanding) from credit_liability_daily), 4500::numeric, 'liability');
select throws_ok('select input from generation_jobs', '42501');

select * from finish();
rollback;
