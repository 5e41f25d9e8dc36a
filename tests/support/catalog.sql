-- Everything that the catalogs say about the database's own objects, a row each; the order of creation aside.
with spaces as (
  select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'extensions')
),
member_of_extension as (
  select classid, objid from pg_depend where deptype = 'e'
)
select 'schema' as kind, n.nspname::text as name,
  concat_ws(' | ', pg_get_userbyid(n.nspowner), acl.text, obj_description(n.oid, 'pg_namespace')) as definition
from pg_namespace as n join spaces as s on s.oid = n.oid
cross join lateral (select string_agg(x::text, ',' order by x::text) as text from unnest(n.nspacl) as x) as acl
union all
select 'relation ' || c.relkind::text, c.oid::regclass::text,
  concat_ws(' | ', pg_get_userbyid(c.relowner), c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.reloptions::text,
    acl.text, obj_description(c.oid, 'pg_class'), case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
    case when c.relkind = 'i' then pg_get_indexdef(c.oid) end)
from pg_class as c join spaces as s on s.oid = c.relnamespace
cross join lateral (select string_agg(x::text, ',' order by x::text) as text from unnest(c.relacl) as x) as acl
union all
select 'column', format('%s.%I', a.attrelid::regclass, a.attname),
  concat_ws(' | ', row_number() over (partition by a.attrelid order by a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
    pg_get_expr(d.adbin, d.adrelid), a.attacl::text, col_description(a.attrelid, a.attnum), a.attstorage, a.attcollation::regcollation)
from pg_attribute as a join pg_class as c on c.oid = a.attrelid join spaces as s on s.oid = c.relnamespace
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attnum > 0 and not a.attisdropped
union all
select 'constraint', format('%s on %s', k.conname, coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text)),
  concat_ws(' | ', pg_get_constraintdef(k.oid), k.convalidated, k.condeferrable, obj_description(k.oid, 'pg_constraint'))
from pg_constraint as k join spaces as s on s.oid = k.connamespace
union all
select 'function', p.oid::regprocedure::text,
  concat_ws(' | ', pg_get_userbyid(p.proowner), acl.text, pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'))
from pg_proc as p join spaces as s on s.oid = p.pronamespace and p.prokind in ('f', 'p')
cross join lateral (select string_agg(x::text, ',' order by x::text) as text from unnest(p.proacl) as x) as acl
where not exists (select from member_of_extension as e where e.classid = 'pg_proc'::regclass and e.objid = p.oid)
union all
select 'type', t.oid::regtype::text,
  concat_ws(' | ', pg_get_userbyid(t.typowner), t.typtype, t.typacl::text, obj_description(t.oid, 'pg_type'),
    (select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum as e where e.enumtypid = t.oid))
from pg_type as t join spaces as s on s.oid = t.typnamespace
union all
select 'trigger', format('%s on %s', t.tgname, t.tgrelid::regclass),
  concat_ws(' | ', pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))
from pg_trigger as t join pg_class as c on c.oid = t.tgrelid join spaces as s on s.oid = c.relnamespace where not t.tgisinternal
union all
select 'rule', format('%s on %s', r.rulename, r.ev_class::regclass), concat_ws(' | ', pg_get_ruledef(r.oid), r.ev_enabled)
from pg_rewrite as r join pg_class as c on c.oid = r.ev_class join spaces as s on s.oid = c.relnamespace
union all
select 'policy', format('%s on %s', p.polname, p.polrelid::regclass),
  concat_ws(' | ', p.polcmd, p.polpermissive, (select string_agg(coalesce(r::regrole::text, 'public'), ',') from unnest(p.polroles) as r),
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
from pg_policy as p
union all
select 'publication', p.pubname, (select string_agg(r.prrelid::regclass::text, ',' order by r.prrelid::regclass::text)
  from pg_publication_rel as r where r.prpubid = p.oid)
from pg_publication as p
union all
select 'default privileges', format('%s %s %s', d.defaclrole::regrole, d.defaclnamespace::regnamespace, d.defaclobjtype), d.defaclacl::text
from pg_default_acl as d
union all
select 'extension', e.extname, e.extversion from pg_extension as e
union all
select 'event trigger', e.evtname, e.evtevent from pg_event_trigger as e
union all
select 'cast', format('%s as %s', c.castsource::regtype, c.casttarget::regtype), c.castmethod::text from pg_cast as c where c.oid >= 16384
union all
select 'operator', o.oid::regoperator::text, o.oprcode::text from pg_operator as o join spaces as s on s.oid = o.oprnamespace
order by 1, 2;
