begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from verify_ledger('00000000-0000-4000-8000-0000000000a1');
select from archive_ledger(clock_timestamp());

-- What a statement says where nothing can be written; the setting goes with the exception.
create function pg_temp.read_only(p_statement text) returns text language plpgsql as $$
begin
  perform set_config('transaction_read_only', 'on', true);
  execute p_statement;
  raise exception using errcode = 'UNDO0';
exception
  when sqlstate 'UNDO0' then return 'done';
  when others then return sqlstate || ' ' || sqlerrm;
end;
$$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true), set_config(
  'request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}', true);
create temp table calls (function name, call text);
insert into calls values
  ('ledger_seq_as_of', $$ledger_seq_as_of('00000000-0000-4000-8000-0000000000a1', now())$$),
  ('balance_as_of', $$balance_as_of('00000000-0000-4000-8000-0000000000a1', now())$$),
  ('account_statement_json',
    $$account_statement_json('00000000-0000-4000-8000-0000000000a1', '-infinity', 'infinity')$$),
  ('account_statement', $$account_statement('00000000-0000-4000-8000-0000000000a1', '-infinity', 'infinity')$$),
  ('account_expiring_grants', $$account_expiring_grants('00000000-0000-4000-8000-0000000000a1')$$),
  ('get_generation_stats', 'get_generation_stats(24)'),
  ('detect_anomalies', 'detect_anomalies(24)'),
  ('find_payment', $$find_payment('stripe', 'cs_1')$$),
  ('payment_status', $$payment_status('00000000-0000-4000-8000-0000000000a1', 'stripe:cs:cs_1')$$),
  ('prepare_checkout',
    $$prepare_checkout(null, '00000000-0000-4000-8000-0000000000a1', 'starter', 1, 'stripe', true)$$),
  ('prepare_portal', $$prepare_portal(null, '00000000-0000-4000-8000-0000000000a1', 'stripe', true)$$),
  ('list_app_keys', $$list_app_keys('00000000-0000-4000-8000-0000000000a1', null)$$),
  ('account_models', $$account_models('00000000-0000-4000-8000-0000000000a1')$$),
  ('text_terms', $$text_terms(null, '00000000-0000-4000-8000-0000000000a1', null, 'standard-text')$$),
  ('quote_text', $$quote_text('standard-text', '{"input_tokens": 9}')$$),
  ('operator_abilities', 'operator_abilities()'),
  ('operator_search', 'operator_search(''ann@example.com'')'),
  ('operator_people', 'operator_people(null)'),
  ('operator_timeline', $$operator_timeline('00000000-0000-4000-8000-0000000000a1')$$),
  ('operator_request_trail', 'operator_request_trail(''request-1'')'),
  ('operator_accounts_page', 'operator_accounts_page()'), ('operator_jobs_page', 'operator_jobs_page()'),
  ('operator_payments_page', 'operator_payments_page()'),
  ('verify_operator_actions', $$verify_operator_actions('00000000-0000-4000-8000-0000000000e1')$$),
  ('operational_metrics', 'operational_metrics()'), ('function_calls_due', 'function_calls_due()'),
  ('has_external_ref', $$has_external_ref('00000000-0000-4000-8000-0000000000a1', 'grant', 'order-1')$$),
  ('quote_generation', $$quote_generation('standard-image', '{"prompt": "a cat"}')$$);
create temp view objects as select oid, relname, relkind, relpersistence from pg_class
  where relnamespace = 'public'::regnamespace
    and not exists (select from pg_depend as d
      where d.classid = 'pg_class'::regclass and d.objid = pg_class.oid and d.deptype = 'e');

select is_empty($$select relname,
  pg_temp.read_only(format('select count(*) from (select * from public.%I offset 0) as rows', relname)) from objects
  where relkind = 'v'
    and pg_temp.read_only(format('select count(*) from (select * from public.%I offset 0) as rows',
      relname)) <> 'done'$$, 'every view');
select is_empty('select function, pg_temp.read_only(''select * from '' || call) from calls
  where pg_temp.read_only(''select * from '' || call) <> ''done''',
  'and every function that reads can be asked where nothing can be written');
select set_eq('select function from calls',
  $$select p.proname from pg_proc as p where p.pronamespace = 'public'::regnamespace and p.provolatile <> 'v'
  and not exists (select from pg_depend as d
    where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')$$, 'which are these');
-- A replica has no unlogged table's rows and refuses to read it.
select is_empty($$select p.oid::regprocedure::text from pg_proc as p
  join objects as o on o.relpersistence = 'u' and o.relkind = 'r'
    where p.pronamespace in ('public'::regnamespace, 'credits'::regnamespace) and p.provolatile <> 'v'
      and p.prosrc ~ ('\m' || o.relname || '\M')
  union all
  select v.relname from objects as v join pg_rewrite as r on r.ev_class = v.oid
  join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    join objects as o on o.oid = d.refobjid where o.relpersistence = 'u'$$, 'and none of them reads an unlogged table');

select * from finish();
rollback;
