begin;
select plan(12);

create temp view ours as
  select p.oid, p.oid::regprocedure::text as name, n.nspname, p.proname, p.prosecdef, p.proconfig, p.provolatile
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  where n.nspname in ('public', 'credits')
    and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e');
create temp view tables as select c.oid, c.relname, c.relkind, c.relrowsecurity from pg_class as c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'p')
    and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype = 'e');
select set_eq($$select nspname || '.' || proname from ours where has_function_privilege('anon', oid, 'execute')$$,
  array['credits.is_price_in_force'],
  'anon executes what the policy of the price book asks, and nothing else');
select set_eq($$select proname from ours where has_function_privilege('authenticated', oid, 'execute')$$,
  array['quote_generation', 'quote_text', 'account_expiring_grants', 'ledger_seq_as_of', 'balance_as_of',
    'account_statement', 'account_statement_json', 'my_account_ids', 'is_price_in_force', 'balance_with_due',
    'is_product_in_force', 'my_paying_account_ids', 'operator_role', 'operator_abilities',
    'operator_accounts_page', 'operator_jobs_page', 'operator_payments_page', 'operator_people', 'operator_search',
    'operator_timeline', 'operator_request_trail', 'operator_reconcile', 'alert_remedies', 'margins_now',
    'operator_fixes', 'operators_now',
    'payment_remedy', 'runs_now']::name[] || array(
    select format('operator_%s', action)::name from credits.operator_rights()),
  'a user asks and reads, and executes nothing else but what asks first whether they are an operator');
select is_empty($$select name from ours where nspname = 'credits' and provolatile = 'v'
  and has_function_privilege('service_role', oid, 'execute')$$,
  'service_role executes internals of views, which read, and no other');
select is_empty($$select name from ours where not coalesce(proconfig @> array['search_path="", pg_temp'], false)$$,
  'every function has an empty search_path, with the caller''s temporary types last instead of first');
select is_empty($$select proname from ours group by nspname, proname having count(*) > 1$$,
  'every function has one signature');
select is_empty($$select name from ours where obj_description(oid, 'pg_proc') is null$$,
  'every function has a comment');
select is_empty($$select relname from tables where obj_description(oid, 'pg_class') is null$$,
  'every table and view has a comment');
select is_empty($$select relname from tables where relkind <> 'v' and not relrowsecurity$$,
  'every table has row level security');
select is_empty($$select relname, r from tables, unnest(array['anon', 'authenticated']) as r
  where has_table_privilege(r, oid, 'insert, update, delete, truncate, references, trigger')$$,
  'no user writes a table');
select is_empty($$select c.relname, r from pg_class as c, unnest(array['anon', 'authenticated', 'service_role']) as r
  where c.relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and c.relkind = 'S'
    and has_sequence_privilege(r, c.oid, 'usage, select, update')$$,
  'nobody moves a sequence, so nobody makes the next grant collide');
select is_empty($$select relname from tables
  where relname in ('credit_ledger', 'credit_grants', 'generation_jobs', 'credit_request_events')
    and has_table_privilege('service_role', oid, 'insert, update, delete, truncate')$$,
  'nor does service_role write what only functions write');
select is_empty($$select table_name, column_name from information_schema.columns
  where table_schema = 'public' and data_type in ('real', 'double precision', 'money')$$, 'no amount is a float');

select * from finish();
rollback;
