-- Every attempt on every object of ours, out of the catalog, and the means to make it. Run as the owner in a
-- transaction that is rolled back; the actor then selects from pg_temp.attempts.
set local search_path = '';
set local lock_timeout = '10s';

create temp view objects as
select c.oid as relation, null::oid as function, n.nspname as schema, c.oid::regclass::text as call,
  -- A partition a month: its name would age.
  regexp_replace(c.oid::regclass::text, '\d{4}_\d{2}$', 'month') as name,
  case when c.relkind = 'S' then 'sequence' else 'relation' end as kind
from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname in ('public', 'credits') and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and not exists (select from pg_catalog.pg_depend as d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
union all
select null, p.oid, n.nspname,
  format('%I.%I(%s)', n.nspname, p.proname,
    (select string_agg(format('null::%s', format_type(t, null)), ', ' order by i) from unnest(p.proargtypes::oid[]) with ordinality as a (t, i))),
  p.oid::regprocedure::text, 'function'
from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('public', 'credits')
  and not exists (select from pg_catalog.pg_depend as d where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');

create temp view attempts as
select o.kind, o.name, o.call, a.verb, null as column_name, a.statement
from pg_temp.objects as o cross join lateral (values
  ('relation', 'insert', format('insert into %s default values', o.call)),
  ('relation', 'delete', format('delete from %s', o.call)),
  ('relation', 'truncate', format('truncate %s cascade', o.call)),
  ('sequence', 'select', format('select last_value from %s', o.call)),
  ('sequence', 'nextval', format('select nextval(%L)', o.call)),
  -- Out of bounds, because setval outlives a roll-back.
  ('sequence', 'setval', format('select setval(%L, 0)', o.call)),
  ('function', 'execute', format('select %s', o.call))
) as a (kind, verb, statement)
where a.kind = o.kind
union all
select o.kind, o.name, o.call, a.verb, c.attname, a.statement
from pg_temp.objects as o
join pg_catalog.pg_attribute as c on c.attrelid = o.relation and c.attnum > 0 and not c.attisdropped
cross join lateral (values
  ('select', format('select %I from %s limit 0', c.attname, o.call)),
  ('update', format('update %s set %I = default', o.call, c.attname))
) as a (verb, statement)
where o.kind = 'relation'
  -- An expression of a view takes no value from anybody.
  and (a.verb = 'select' or c.attgenerated = '' and (pg_relation_is_updatable(o.relation, true) = 0 or pg_column_is_updatable(o.relation, c.attnum, true)));

create function pg_temp.outcome(statement text)
returns text
language plpgsql
as $$
begin
  execute statement;
  -- Nothing that an attempt achieves may stay.
  raise exception using errcode = 'ZZ000';
exception when others then
  return case sqlstate when 'ZZ000' then 'done' else sqlstate end;
end;
$$;

-- Whose rows a reader sees. own and others: patterns of ids, null when there are none.
create function pg_temp.rows_seen(relation text, columns text, own text, others text)
returns text
language plpgsql
as $$
declare
  seen text;
begin
  execute format($query$
    select case
      when bool_or(r.others) then 'all'
      when bool_or(r.own) and bool_or(not r.own) then 'own and common'
      when bool_or(r.own) then 'own'
      when count(*) > 0 then 'common'
      else 'nothing'
    end
    from (
      select coalesce(t.row ~ $1, false) as own, not coalesce(t.row ~ $1, false) and coalesce(t.row ~ $2, false) as others
      from (select to_jsonb(s)::text as row from (select %s from %s) as s) as t
    ) as r$query$, columns, relation) into seen using own, others;
  return seen;
exception when others then
  return sqlstate;
end;
$$;

grant select on pg_temp.attempts, pg_temp.objects to public;
