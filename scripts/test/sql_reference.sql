-- Everything of schema public that belongs to no extension, with its comment, columns and readers.
with roles (name) as (values ('anon'), ('authenticated'), ('service_role'), ('credits_auditor')),
functions as (
  select 'Functions' as section, p.proname::text as name,
    format('%s(%s)%s  returns %s', p.proname,
      replace(pg_get_function_arguments(p.oid), ', ', E',\n  ') ,
      E'\n', pg_get_function_result(p.oid)) as signature,
    array(select r.name from roles as r where has_function_privilege(r.name, p.oid, 'execute')) as roles,
    obj_description(p.oid, 'pg_proc') as comment, '[]'::jsonb as columns
  from pg_proc as p
  where p.pronamespace = 'public'::regnamespace
    and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
),
relations as (
  select case c.relkind when 'v' then 'Views' when 'c' then 'Types' else 'Tables' end as section,
    c.relname::text as name, '' as signature,
    case when c.relkind = 'c' then '{}' else
      array(select r.name from roles as r where has_any_column_privilege(r.name, c.oid, 'select')) end as roles,
    case when c.relkind = 'c' then obj_description(c.reltype, 'pg_type') else obj_description(c.oid, 'pg_class') end as comment,
    (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'comment', col_description(c.oid, a.attnum)) order by a.attnum)
     from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class as c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'c') and not c.relispartition
    and not exists (select from pg_depend as d where d.objid in (c.oid, c.reltype) and d.deptype = 'e')
),
enums as (
  select 'Types' as section, t.typname::text as name,
    (select string_agg(e.enumlabel, ' | ' order by e.enumsortorder) from pg_enum as e where e.enumtypid = t.oid) as signature,
    '{}'::text[] as roles, obj_description(t.oid, 'pg_type') as comment, '[]'::jsonb as columns
  from pg_type as t where t.typnamespace = 'public'::regnamespace and t.typtype = 'e'
)
select * from functions union all select * from relations union all select * from enums
order by section, name
