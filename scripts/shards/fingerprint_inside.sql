-- What a caller cannot see of a shard, and what decides what a call does. The router's are others. Brackets that say
-- nothing are left out of expressions, as pg_dump leaves them out. Months of a table are each shard's own.
with tables as (
  select oid, relkind, reloptions, oid::regclass::text as name from pg_class
  where relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and not relispartition
    and relkind in ('r', 'p', 'v', 'm')
)
select 'body of' as kind, f.oid::regprocedure::text as name,
  md5(concat_ws(' ', f.prosrc, pg_get_expr(f.proargdefaults, 0), f.prosecdef, f.proconfig)) as is
from pg_proc as f
where f.pronamespace in ('public'::regnamespace, 'credits'::regnamespace)
  and not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = f.oid and deptype = 'e')
union all
select 'trigger', format('%s on %s', t.tgname, c.name),
  concat_ws(' ', translate(pg_get_triggerdef(t.oid), '()', ''),
    case t.tgenabled when 'D' then 'disabled' else t.tgenabled::text end)
from pg_trigger as t join tables as c on c.oid = t.tgrelid
where not t.tgisinternal
union all
select 'column', format('%s.%I', c.name, a.attname),
  concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
    case a.attidentity when 'a' then 'always identity' when 'd' then 'identity' end,
    case a.attgenerated when '' then 'default ' else 'generated ' end
      || translate(pg_get_expr(d.adbin, d.adrelid), '()', ''))
from pg_attribute as a join tables as c on c.oid = a.attrelid
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p')
union all
select 'constraint', format('%s on %s', o.conname, coalesce(c.name, o.contypid::regtype::text)),
  translate(pg_get_constraintdef(o.oid), '()', '')
from pg_constraint as o left join tables as c on c.oid = o.conrelid left join pg_type as t on t.oid = o.contypid
where (c.oid is not null or t.typnamespace in ('public'::regnamespace, 'credits'::regnamespace))
  and o.conparentid = 0 and o.contype not in ('n', 't')
union all
select 'index', format('%s on %s', i.indexrelid::regclass, c.name),
  concat_ws(' ', translate(pg_get_indexdef(i.indexrelid), '()', ''), case when not i.indisvalid then 'invalid' end)
from pg_index as i join tables as c on c.oid = i.indrelid
union all
-- A column that is null has a name after it was restored.
select 'view', c.name, concat_ws(' ', array_to_string(c.reloptions, ' '),
    md5(regexp_replace(translate(pg_get_viewdef(c.oid), '()', ''), '(NULL::[^,\nA-Z]+) AS \w+', '\1', 'g')))
from tables as c where c.relkind in ('v', 'm')
union all
-- A server has pg_cron in one database alone.
select 'extension', e.extname, format('%s in %s', e.extversion, e.extnamespace::regnamespace)
from pg_extension as e where e.extname <> 'pg_cron'
union all
select 'locale', 'of texts', concat_ws(' ', pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
  to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale')
from pg_database as d where d.datname = current_database()
order by 1, 2
