-- What a caller can notice of a database: kind, name, and what it is like. Owners have all privileges, and are left out.
with roles as (
  select oid, rolname from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'credits_auditor')
), added as (
  -- To ask fewer shards.
  select '\((.*) AND \(\w+ = ANY \(credits_router\.my_places\(\)\)\) AND '
    || '\( SELECT credits_router\.planned_for\(.*?\) AS planned_for\)\)' as by_router
)
select 'function' as kind, f.oid::regprocedure::text as name,
  concat_ws(' ', format('(%s)', pg_get_function_arguments(f.oid)), 'returns', pg_get_function_result(f.oid),
    case f.provolatile when 'v' then 'volatile' when 's' then 'stable' else 'immutable' end,
    'to', coalesce((
      select string_agg(coalesce(r.rolname, 'public'), ', ' order by r.rolname)
      from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as p left join roles as r on r.oid = p.grantee
      where p.privilege_type = 'EXECUTE' and (p.grantee = 0 or r.oid is not null)), 'nobody')) as is
from pg_proc as f
where f.pronamespace = 'public'::regnamespace and f.prorettype <> 'trigger'::regtype
union all
select 'table', c.oid::regclass::text,
  concat_ws(' ', (
    select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
    from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    case when c.relrowsecurity then 'rls' end, case when c.relforcerowsecurity then 'also of its owner' end,
    (select string_agg(concat_ws(' ', o.polname, case when not o.polpermissive then 'restrictive' end,
      'for', o.polcmd, 'to', o.polroles::regrole[],
      'using ' || regexp_replace(pg_get_expr(o.polqual, o.polrelid), added.by_router, '\1'),
      'with check ' || regexp_replace(pg_get_expr(o.polwithcheck, o.polrelid), added.by_router, '\1')),
      ', ' order by o.polname) from pg_policy as o where o.polrelid = c.oid),
    'to', coalesce((
      select string_agg(format('%s %s', r.rolname, p.privilege_type), ', ' order by r.rolname, p.privilege_type)
      from aclexplode(c.relacl) as p join roles as r on r.oid = p.grantee), 'nobody'),
    (select string_agg(format('%s %s %I', r.rolname, p.privilege_type, a.attname), ', '
        order by r.rolname, p.privilege_type, a.attname)
      from pg_attribute as a cross join lateral aclexplode(a.attacl) as p join roles as r on r.oid = p.grantee
      where a.attrelid = c.oid and not a.attisdropped))
from pg_class as c cross join added
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
union all
select 'type', t.oid::regtype::text, coalesce(
  (select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
    from pg_attribute as a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped),
  (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum as e where e.enumtypid = t.oid))
from pg_type as t left join pg_class as c on c.oid = t.typrelid
where t.typnamespace = 'public'::regnamespace and (t.typtype = 'e' or c.relkind = 'c')
order by 1, 2
