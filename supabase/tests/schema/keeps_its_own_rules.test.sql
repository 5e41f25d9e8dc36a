begin;
select plan(9);

create temp view tables as
  select c.oid, c.oid::regclass::text as name, c.relkind from pg_class as c
  where c.relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and c.relkind in ('r', 'p')
    and not exists (select from pg_depend as d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e');
create temp view columns as
  select t.name, a.attname, a.atttypid::regtype as type, a.atttypmod, a.attrelid, a.attnum from tables as t
  join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped;

-- Without one, nothing could be changed or deleted under a publication for all tables.
select is_empty($$select name from tables
  where not exists (select from pg_index where indrelid = oid and indisprimary)$$, 'every table has a primary key');
select is_empty($$select name, attname, type from columns
  where type in ('float4'::regtype, 'float8'::regtype, 'money'::regtype)$$, 'no float, no money');
select is_empty($$select name, attname, type from columns where type in ('timestamp'::regtype, 'timetz'::regtype)$$,
  'every time has its zone');
select is_empty($$select name, attname from columns
  where type in ('varchar'::regtype, 'bpchar'::regtype, 'json'::regtype)$$,
  'text with a check instead of varchar(n), jsonb instead of json');
select is_empty($$select name, attname from columns where pg_get_serial_sequence(name, attname) is not null
  and (select attidentity from pg_attribute as a
    where a.attrelid = columns.attrelid and a.attnum = columns.attnum) = ''$$, 'identity instead of serial');
select is_empty($$select conrelid::regclass, conname from pg_constraint as k join tables as t on t.oid = k.conrelid
  where contype = 'f' and not exists (select from pg_index as i where i.indrelid = k.conrelid
    and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
  -- Parents that are never deleted, and whose keys never change: nobody looks for their children.
  and confrelid not in ('credit_plans'::regclass, 'generation_models'::regclass, 'credit_alert_rules'::regclass,
    'credit_anomaly_rules'::regclass, 'reconciliation_classes'::regclass)$$,
  'every foreign key has an index that begins with it');
select is_empty($$select conrelid::regclass, conname from pg_constraint as k join tables as t on t.oid = k.conrelid
  where contype = 'f' and confdeltype = 'c'
    and k.conrelid in ('credit_ledger'::regclass, 'credit_grants'::regclass, 'generation_jobs'::regclass,
      'credit_accounts'::regclass)$$,
  'nothing that counts is deleted by cascade');
select is_empty($$select i.indexrelid::regclass, j.indexrelid::regclass from pg_index as i
  join pg_index as j on j.indrelid = i.indrelid and j.indexrelid > i.indexrelid
  join tables as t on t.oid = i.indrelid
  where i.indkey = j.indkey and i.indclass = j.indclass and i.indoption = j.indoption
    and coalesce(pg_get_expr(i.indpred, i.indrelid), '') = coalesce(pg_get_expr(j.indpred, j.indrelid), '')
    and coalesce(pg_get_expr(i.indexprs, i.indrelid), '') = coalesce(pg_get_expr(j.indexprs, j.indrelid), '')$$,
  'no index is there twice');
-- With one more column such a call would fail, or write values into their neighbours' columns.
select is_empty($$select p.oid::regprocedure, t.name from pg_proc as p cross join tables as t
  cross join lateral (select format('%I\.%I', c.relnamespace::regnamespace, c.relname) from pg_class as c
    where c.oid = t.oid) as q (name)
  where p.pronamespace in ('public'::regnamespace, 'credits'::regnamespace)
    and (p.prosrc ~ format('row\([^;]*\)::%s\M', q.name) or p.prosrc ~ format('%s := row\(', q.name)
      or p.prosrc ~ format('insert into %s( as \w+)?\s+(select|values)', q.name))
    and p.proname <> 'archive_account' -- an archive inherits its columns$$,
  'no function fills a row of a table by the place of its columns');

select * from finish();
rollback;
