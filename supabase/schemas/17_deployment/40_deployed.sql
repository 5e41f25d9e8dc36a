-- Gives: which of the delivered objects exist, how their triggers and policies differ, and the type of a check.
-- Keeps: nothing depends on the migration history, which a restore may leave out.
-- Needs: delivered.

create type credits.deployment_check as (
  check_name text,
  ok boolean,
  detail text,
  remedy text
);

create function credits.deployed_objects()
returns table (kind text, schema_name text, object_name text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select o.kind, split_part(o.identity, '.', 1), substring(o.identity from '^\w+\.(\w+)')
    from credits.delivered_objects() as o;
$$;
comment on function credits.deployed_objects() is
  'Every delivered table, view, function and type by its name, whether it exists or not.';

create function credits.deployed_relations()
returns setof pg_catalog.pg_class
language sql
stable
set search_path = '', pg_temp
as $$
  with made as (
    select c.oid from credits.deployed_objects() as o
    join pg_catalog.pg_namespace as n on n.nspname = o.schema_name
    join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = o.object_name
    where o.kind in ('table', 'view')
  )
  select c from pg_catalog.pg_class as c
  where c.oid in (
    select m.oid from made as m
    union all
    select p.relid from made as m cross join lateral pg_partition_tree(m.oid) as p);
$$;
comment on function credits.deployed_relations() is
  'The delivered tables and views that exist, with every partition, as it can be queried by its own name.';

create function credits.deployed_functions()
returns setof pg_catalog.pg_proc
language sql
stable
set search_path = '', pg_temp
as $$
  select p from credits.deployed_objects() as o
  join pg_catalog.pg_namespace as n on n.nspname = o.schema_name
  join pg_catalog.pg_proc as p on p.pronamespace = n.oid and p.proname = o.object_name
  where o.kind = 'function';
$$;
comment on function credits.deployed_functions() is
  'The delivered functions that exist, with every function that shares a name with one: an overload would be a second '
  'way in.';

create function credits.deployed_parts()
returns table (kind text, table_name text, part_name text, definition text)
language sql
stable
set search_path = '', pg_temp
as $$
  select 'trigger', t.tgrelid::regclass::text, t.tgname::text,
    replace(pg_get_triggerdef(t.oid), 'CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER') || case t.tgenabled
      when 'O' then '' else format('; ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass,
        case t.tgenabled when 'A' then 'ENABLE ALWAYS' when 'R' then 'ENABLE REPLICA' else 'DISABLE' end, t.tgname) end
  from pg_catalog.pg_trigger as t where not t.tgisinternal
  union all
  select 'policy', p.polrelid::regclass::text, p.polname::text,
    format('CREATE POLICY %I ON %s AS %s FOR %s TO %s USING (%s)', p.polname, p.polrelid::regclass,
      case when p.polpermissive then 'PERMISSIVE' else 'RESTRICTIVE' end,
      case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE'
        else 'ALL' end,
      (select string_agg(coalesce(quote_ident(r.rolname), 'public'), ', ' order by r.rolname)
       from unnest(p.polroles) as u (id) left join pg_catalog.pg_roles as r on r.oid = u.id),
      pg_get_expr(p.polqual, p.polrelid))
      || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
  from pg_catalog.pg_policy as p;
$$;
comment on function credits.deployed_parts() is
  'Every trigger and policy of this database, as a statement that makes it.';

create function credits.part_differences(p_kind text)
returns table (table_name text, part_name text, definition text)
language sql
stable
set search_path = '', pg_temp
as $$
  select w.table_name, w.part_name, w.definition from credits.delivered_parts() as w
  where w.kind = p_kind and not exists (
    select from credits.deployed_parts() as f
    where f.kind = w.kind and f.table_name = w.table_name and f.part_name = w.part_name
      -- Without the conditions: Postgres versions and dumps print them differently.
      and regexp_replace(f.definition, ' USING .*| WHEN .*(?= EXECUTE )', '')
        = regexp_replace(w.definition, ' USING .*| WHEN .*(?= EXECUTE )', ''));
$$;
comment on function credits.part_differences(text) is
  'The delivered triggers, or policies, that are missing or differ; their conditions (WHEN, USING) are not compared.';

create function credits.check_none(p_check text, p_found text[], p_remedy text)
returns credits.deployment_check
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return row(
    p_check, p_found is null, coalesce(left(array_to_string(p_found, ', '), 2000), 'as it should be'),
    case when p_found is not null then p_remedy end)::credits.deployment_check;
end;
$$;
comment on function credits.check_none(text, text[], text) is 'A check that holds when nothing was found (null).';

create function credits.check_equal(p_check text, p_expected text, p_actual text, p_remedy text)
returns credits.deployment_check
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_actual = p_expected then
    return row(p_check, true, p_actual, null)::credits.deployment_check;
  end if;
  return row(p_check, false, format('%s, where %s is right', coalesce(p_actual, 'nothing'), p_expected),
    p_remedy)::credits.deployment_check;
end;
$$;
comment on function credits.check_equal(text, text, text, text) is
  'A check that holds when a text is the expected one.';
