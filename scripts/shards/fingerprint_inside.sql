-- What a caller cannot see of a shard, and what decides what a call does: bodies and settings of functions, triggers.
-- The router's are others.
select 'body of' as kind, f.oid::regprocedure::text as name,
  md5(concat_ws(' ', f.prosrc, pg_get_expr(f.proargdefaults, 0), f.prosecdef, f.proconfig)) as is
from pg_proc as f
where f.pronamespace in ('public'::regnamespace, 'credits'::regnamespace)
  and not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = f.oid and deptype = 'e')
union all
select 'trigger', format('%s on %s', t.tgname, t.tgrelid::regclass),
  -- pg_dump leaves out brackets that say nothing.
  concat_ws(' ', translate(pg_get_triggerdef(t.oid), '()', ''), case t.tgenabled when 'D' then 'disabled' else t.tgenabled::text end)
from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
where c.relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and not t.tgisinternal
  and not c.relispartition
order by 1, 2
