begin;
select plan(7);

-- A user with SQL who makes objects of the names that our functions use, first in every search path that they can
-- set. What of it runs with more rights than the user's own says so in test.trapped.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
select set_config('test.trapped', '', true);

create function pg_temp.shadow(statement text) returns boolean language plpgsql as $$
begin
  execute statement;
  return true;
exception when others then
  return false;
end;
$$;

-- Functions and operators cannot be shadowed from pg_temp, so the worst case is a schema that somebody left open.
create schema hostile;
grant usage, create on schema hostile to authenticated;
create temp table our_sources as
  select string_agg(prosrc, ' ') as text from pg_proc
  where pronamespace in ('public'::regnamespace, 'credits'::regnamespace);
grant select on our_sources to public;

set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000a1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000a1', true);

create function hostile.spring() returns boolean language plpgsql as $$
begin
  if current_user <> 'authenticated' then
    perform pg_catalog.set_config('test.trapped', current_user, true);
  end if;
  return true;
end;
$$;

select cmp_ok(count(*) filter (where pg_temp.shadow(
  format('create domain pg_temp.%I as pg_catalog.%1$I check (hostile.spring())', typname))), '>', 20::bigint, 'types')
  from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype = 'b' and typelem = 0;
select cmp_ok(count(*) filter (where pg_temp.shadow(
  format('create temp table %I (trap pg_catalog.bool check (hostile.spring()))', relname))), '>', 20::bigint,
  'tables and views')
  from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'p')
    and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e');
select cmp_ok(count(*) filter (where pg_temp.shadow(
  format('create function hostile.%I(%s) returns %s language plpgsql as %L',
    proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid),
    'begin perform hostile.spring(); return null; end'))), '>', 100::bigint, 'functions')
  from pg_proc as p, our_sources where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f'
    and our_sources.text ~ ('\m' || proname || '\(');
select cmp_ok(count(*) filter (where pg_temp.shadow(
  format('create operator hostile.%s (leftarg = %s, rightarg = %s, function = hostile.compare)', oprname, l, r))),
  '>', 50::bigint, 'operators')
  from (select o.oprname, 'pg_catalog.' || quote_ident(lt.typname) as l, 'pg_catalog.' || quote_ident(rt.typname) as r,
      pg_temp.shadow(format('create or replace function hostile.compare(pg_catalog.%I, pg_catalog.%I) returns %s '
        'language plpgsql as %L',
        lt.typname, rt.typname, o.oprresult::regtype, 'begin perform hostile.spring(); return null; end')) as made
    from pg_operator as o join pg_type as lt on lt.oid = o.oprleft join pg_type as rt on rt.oid = o.oprright
    where o.oprnamespace = 'pg_catalog'::regnamespace and o.oprresult = 'boolean'::regtype
      and lt.typname in ('int2', 'int4', 'int8', 'numeric', 'text', 'jsonb', 'uuid', 'timestamptz', 'bytea',
        'bool')) as candidates;

-- Every function that a user may execute, out of the catalog, and every table that they may read.
create temp view callable as
  select format('select * from %s.%I(%s)', p.pronamespace::regnamespace, p.proname,
    (select string_agg(case (select typname from pg_type where oid = t)
      when 'uuid' then '''00000000-0000-4000-8000-0000000000a1''' when 'text' then '''standard-image'''
       when 'jsonb' then '''{"prompt": "a", "input_tokens": 9}'''
       when 'int8' then '5' else '''2026-01-01''' end, ', ' order by i)
       from unnest(p.proargtypes::oid[]) with ordinality as a (t, i))) as call
  from pg_proc as p where p.pronamespace = 'public'::regnamespace and has_function_privilege(p.oid, 'execute')
    and not exists (select from pg_depend where objid = p.oid and deptype = 'e')
  union all
  select format('select %s from public.%I',
    (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
     where attrelid = pg_class.oid and attnum > 0 and not attisdropped
       and has_column_privilege(pg_class.oid, attnum, 'select')), relname) from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'p') and has_any_column_privilege(oid, 'select')
    and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e');
create temp table calls as select call from callable where call !~ 'public\.operator_';
create temp table operator_calls as select call from callable where call ~ 'public\.operator_';
set local search_path = pg_temp, hostile, pg_catalog, public, extensions;
create temp table failed as select c.call from pg_temp.calls as c where not pg_temp.shadow(c.call);
-- An operator's, who may do all; many refuse such arguments.
select pg_catalog.set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true),
  pg_catalog.set_config('request.jwt.claims',
    '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated", "aal": "aal2"}', true);
create temp table done as
  select c.call from pg_temp.operator_calls as c where pg_temp.shadow(c.call);
-- Before pgTAP itself steps on the types.
create temp table trapped as select pg_catalog.current_setting('test.trapped') as role;
set local search_path = pg_catalog, public, extensions, pg_temp;
select is_empty('select call from pg_temp.failed', 'every call works as before');
select cmp_ok((select count(*) from pg_temp.done), '>=', 2::bigint, 'also of an operator, where they make sense');
select is(role, '', 'and nothing of the user''s ran with the owner''s rights') from pg_temp.trapped;

select * from finish();
rollback;
