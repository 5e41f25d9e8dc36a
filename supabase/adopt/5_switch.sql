-- Gives: adopted.take_over, which moves the old ledger out of the way, read-only, and adopted.give_back, which undoes it.
-- Keeps: no old row and no privilege is changed; deleting a user still takes along what the old table wanted.
-- Needs: plan.

create function adopted.refuse_write()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- An UPDATE or DELETE deeper than 1 may be a foreign key's cascade after a user's deletion, which must not be blocked: its rows tell.
  if tg_level = 'STATEMENT' and tg_op in ('UPDATE', 'DELETE') and pg_trigger_depth() > 1 then
    return null;
  elsif tg_level = 'ROW' and tg_op = 'DELETE' and adopted.is_cascade(tg_relid, old, null) then
    return old;
  elsif tg_level = 'ROW' and tg_op = 'UPDATE' and adopted.is_cascade(tg_relid, old, to_jsonb(new)) then
    return new;
  end if;
  raise exception using errcode = 'PT405', message = format('%I was taken over by Atomic Credits and is read-only', tg_table_name),
    hint = 'Write with grant_credits, atomic_charge_credits, refund_credits; read credit_ledger and credit_accounts.balance.';
end;
$$;
comment on function adopted.refuse_write() is 'Refuses a write to the old ledger; called by its triggers.';

create function adopted.is_cascade(p_table oid, p_old anyelement, p_new jsonb)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  link record;
  gone boolean;
begin
  for link in
    select c.confrelid::regclass as parent, array_agg(a.attname::text) as columns,
      string_agg(format('p.%I = ($1).%I', f.attname, a.attname), ' and ') as same,
      string_agg(format('($1).%I is not null', a.attname), ' and ') as set
    from pg_catalog.pg_constraint as c
    cross join lateral unnest(c.conkey, c.confkey) as k (own, other)
    join pg_catalog.pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.own
    join pg_catalog.pg_attribute as f on f.attrelid = c.confrelid and f.attnum = k.other
    where c.conrelid = p_table and c.contype = 'f'
      and case when p_new is null then c.confdeltype = 'c' else c.confdeltype in ('n', 'd') or c.confupdtype in ('c', 'n', 'd') end
    group by c.oid, c.confrelid
  loop
    execute format('select %s and not exists (select from %s as p where %s)', link.set, link.parent, link.same) into gone using p_old;
    if gone and (p_new is null or p_new - link.columns = to_jsonb(p_old) - link.columns) then
      return true;
    end if;
  end loop;
  return false;
end;
$$;
comment on function adopted.is_cascade(oid, anyelement, jsonb) is
  'Whether a row goes (p_new null) or changes because what its foreign key led to is gone: then nothing else of it changes.';
revoke all on function adopted.is_cascade(oid, anyelement, jsonb) from public, anon, authenticated, service_role;

create function adopted.refuse_balance()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  raise exception using errcode = 'PT405', message = format('the balances of %I were taken over by Atomic Credits', tg_table_name),
    hint = 'Write with grant_credits, atomic_charge_credits, refund_credits; read credit_accounts.balance.';
end;
$$;
comment on function adopted.refuse_balance() is 'Refuses to change an old balance, so that no old code spends beside the ledger; called by its trigger.';

create function adopted.lock_source()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  execute format('lock table %s in access exclusive mode', to_regclass(adopted.source('ledger')));
  if adopted.source('balances') is not null then
    execute format('lock table %s in share row exclusive mode', to_regclass(adopted.source('balances')));
  end if;
  update adopted.adoption set planned_at = clock_timestamp();
end;
$$;
comment on function adopted.lock_source() is 'Lets nobody write to the old tables until the transaction ends.';

create function adopted.protect(p_part regclass)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  execute format('create trigger adopted_read_only before insert or update or delete or truncate on %s '
    'for each statement execute function adopted.refuse_write()', p_part);
  execute format('alter table %s enable always trigger adopted_read_only', p_part);
  -- A partition has its parent's, also one that is made later, and a write by way of a parent fires no other trigger of it.
  if not exists (select from pg_catalog.pg_trigger where tgrelid = p_part and tgname = 'adopted_cascades_only') then
    execute format('create trigger adopted_cascades_only before insert or update or delete on %s '
      'for each row execute function adopted.refuse_write()', p_part);
  end if;
  execute format('alter table %s enable always trigger adopted_cascades_only', p_part);
end;
$$;
comment on function adopted.protect(regclass) is 'Makes a table read-only, whichever way it is written to, but for the cascades of foreign keys.';

create function adopted.take_over()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  old_table constant regclass := to_regclass(adopted.source('ledger'));
begin
  if adopted.undecided() is not null then
    perform adopted.refuse('not decided: ' || array_to_string(adopted.undecided(), ', '), 'Decide each with its flag.');
  end if;
  update adopted.adoption set moved = old_table, source = source || jsonb_build_object('schema',
    (select relnamespace::regnamespace::text from pg_catalog.pg_class where oid = old_table));
  execute format('alter table %s set schema adopted', old_table);
  perform adopted.protect(part) from adopted.parts(old_table) as part;
  if adopted.source('balances') is not null then
    execute format('create trigger adopted_read_only before update on %1$s for each row '
      'when (old.%2$I is distinct from new.%2$I) execute function adopted.refuse_balance()',
      to_regclass(adopted.source('balances')), adopted.source('balances_credits'));
  end if;
end;
$$;
comment on function adopted.take_over() is 'Moves the old ledger into schema adopted and makes it read-only, with its partitions and the tables that inherit from it. The caller then applies the chapters.';

create function adopted.leave_view()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  name constant text := adopted.table_name(adopted.source('ledger'));
  moved constant text := format('adopted.%I', name);
  view_name text := format('%s.%I', adopted.source('schema'), name);
  reader record;
begin
  if to_regclass(view_name) is not null then
    view_name := format('%s.%I', adopted.source('schema'), name || '_before_adoption');
  end if;
  execute format('create view %s with (security_invoker = true) as select * from %s', view_name, moved);
  execute format('comment on view %s is %L', view_name, 'The ledger before Atomic Credits took it over; read-only. Reads with the old table''s policies.');
  execute format('revoke all on table %s from public, anon, authenticated, service_role', view_name);
  for reader in
    select distinct case when p.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(p.grantee)) end as name
    from pg_catalog.pg_class as c cross join lateral aclexplode(c.relacl) as p
    where c.oid = to_regclass(moved) and p.privilege_type = 'SELECT' and p.grantee <> c.relowner
  loop
    execute format('grant select on table %s to %s', view_name, reader.name);
  end loop;
  update adopted.adoption set left_view = view_name::regclass;
  insert into adopted.objects (identity, catalog)
  select oid::regclass::text, 'pg_class'::regclass from pg_catalog.pg_class
  where relnamespace = 'adopted'::regnamespace and relkind in ('r', 'v') and oid <> to_regclass(moved)
  union all
  select oid::regprocedure::text, 'pg_proc'::regclass from pg_catalog.pg_proc where pronamespace = 'adopted'::regnamespace;
end;
$$;
comment on function adopted.leave_view() is
  'Leaves a view under the old name, or beside it where credit_ledger itself has that name now, for who could read the old table.';

create function adopted.made()
returns table (classid oid, objid oid)
language sql
stable
set search_path = '', pg_temp
as $$
  select catalog::oid, case catalog when 'pg_class'::regclass then to_regclass(identity)::oid else to_regprocedure(identity)::oid end
  from adopted.objects
  union all
  select 'pg_class'::regclass, left_view from adopted.adoption
  union all
  select 'pg_namespace'::regclass, 'adopted'::regnamespace
  union all
  select 'pg_trigger'::regclass, oid from pg_catalog.pg_trigger
  where tgfoid in ('adopted.refuse_write()'::regprocedure, 'adopted.refuse_balance()'::regprocedure)
    and tgname in ('adopted_read_only', 'adopted_cascades_only');
$$;
comment on function adopted.made() is 'What the adoption made and a rollback removes, wherever it is by now.';

create function adopted.give_back()
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  home constant text := adopted.source('schema');
  adoption adopted.adoption;
  ours record;
  old_name text;
begin
  select * into strict adoption from adopted.adoption;
  for ours in
    select m.objid, t.tgname, t.tgrelid::regclass as holder
    from adopted.made() as m join pg_catalog.pg_trigger as t on m.classid = 'pg_trigger'::regclass and t.oid = m.objid
    where t.tgparentid = 0
  loop
    execute format('drop trigger %I on %s', ours.tgname, ours.holder);
  end loop;
  if exists (select from pg_catalog.pg_class where oid = adoption.left_view) then
    execute format('drop view %s', adoption.left_view);
  end if;
  select relname into old_name from pg_catalog.pg_class where oid = adoption.moved;
  if old_name is null then
    return null;
  elsif to_regnamespace(home) is null then
    perform adopted.refuse(format('schema %s, in which the old ledger was, is gone', home), 'Nothing was changed. Create it, then run this again.');
  elsif to_regclass(format('%s.%I', home, old_name)) <> adoption.moved then
    perform adopted.refuse(format('%s.%I has the place of the old ledger', home, old_name), 'Nothing was changed. Rename it, then run this again.');
  end if;
  execute format('alter table %s set schema %s', adoption.moved, home);
  return adoption.moved;
end;
$$;
comment on function adopted.give_back() is
  'Puts the old ledger back where it was, writable as it was; returns its name, null where it was dropped since. Called by '
  'scripts/rollback.sql when the name is free.';
