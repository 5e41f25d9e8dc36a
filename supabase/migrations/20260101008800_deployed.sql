-- Gives: what the chapters made in this database, as the migration history tells it; how a check is written down.
-- Keeps: no list by hand: a new chapter's objects are checked as soon as it is applied.
-- Needs: foundation; the history that supabase db push and the bundle keep (supabase_migrations.schema_migrations).

create type credits.deployment_check as (
  check_name text,
  ok boolean,
  detail text,
  remedy text
);

create function credits.deployed_objects()
returns table (kind text, schema_name text, object_name text)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if to_regclass('supabase_migrations.schema_migrations') is null then
    return;
  end if;
  -- The chapters are those of the migrations 20260101000000 to 20260101009999 that begin as ours do; their statements begin a line.
  return query
    select distinct made.parts[1], made.parts[2], made.parts[3]
    from supabase_migrations.schema_migrations as chapter
    cross join lateral regexp_matches(
      array_to_string(chapter.statements, E'\n'),
      '^create (?:or replace |unlogged )?(table|view|function|type) (public|credits)\.(\w+)', 'gn') as made (parts)
    where chapter.version ~ '^2026010100\d{4}$' and chapter.statements[1] ~ '^\s*-- Gives: ';
end;
$$;
comment on function credits.deployed_objects() is
  'Every table, view, function and type that the applied chapters create, whether it is still there or not. None without a '
  'migration history.';
revoke all on function credits.deployed_objects() from public, anon, authenticated, service_role;

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
  'The tables and views of the chapters that are there, with each partition: it can be reached by its own name.';
revoke all on function credits.deployed_relations() from public, anon, authenticated, service_role;

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
  'The functions of the chapters that are there, with every function that shares a name with one: an overload would be a second way in.';
revoke all on function credits.deployed_functions() from public, anon, authenticated, service_role;

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
revoke all on function credits.check_none(text, text[], text) from public, anon, authenticated, service_role;

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
  return row(p_check, false, format('%s, where %s is right', coalesce(p_actual, 'nothing'), p_expected), p_remedy)::credits.deployment_check;
end;
$$;
comment on function credits.check_equal(text, text, text, text) is 'A check that holds when a text is the expected one.';
revoke all on function credits.check_equal(text, text, text, text) from public, anon, authenticated, service_role;
