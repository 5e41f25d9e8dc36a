-- Views that neither users nor visitors read: each shard computes them, and the router shows the rows of all. One that
-- reads no table and calls no function, such as a list of constants, is the same everywhere, and is made on the router.
select c.relname as name, n.nspname as schema,
  (select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
    from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'v' and n.nspname in ('public', 'credits')
  and not exists (
    select from aclexplode(c.relacl) as p join pg_roles as r on r.oid = p.grantee
    where r.rolname in ('anon', 'authenticated'))
  and exists (
    select from pg_rewrite as w join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
    where w.ev_class = c.oid and (d.refclassid = 'pg_proc'::regclass
      or d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid))
order by 2, 1
