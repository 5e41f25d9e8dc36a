-- The project's objects in a freshly migrated database, one row each: the list, what its members share, the member.
with schemas as (
  select oid, nspname from pg_namespace where nspname in ('public', 'credits')
),
ours as (
  select 'function' as kind, p.oid, 'pg_proc'::regclass as classid, p.oid::regprocedure::text as identity,
    p.pronamespace as schema
  from pg_proc as p
  union all
  select case c.relkind when 'v' then 'view' when 'c' then 'type' else 'table' end, c.oid, 'pg_class'::regclass,
    c.oid::regclass::text, c.relnamespace
  from pg_class as c where c.relkind in ('r', 'p', 'v', 'c') and c.relname !~ '_\d{4}_\d{2}$'
  union all
  select 'type', t.oid, 'pg_type'::regclass, t.oid::regtype::text, t.typnamespace
  from pg_type as t where t.typtype in ('e', 'd')
)
select 'object' as list, o.kind as common, o.identity as member, null::text as definition
from ours as o join schemas as s on s.oid = o.schema
where not exists (select from pg_depend as d where d.classid = o.classid and d.objid = o.oid and d.deptype = 'e')
union all
select 'part', concat_ws(' ', p.kind, p.table_name), p.part_name, p.definition
from credits.deployed_parts() as p
where p.kind = 'policy' and split_part(p.table_name, '.', 1) in (select nspname from schemas)
  or p.kind = 'trigger' and p.definition ~ 'EXECUTE FUNCTION credits\.'
order by 1, 2, 3
