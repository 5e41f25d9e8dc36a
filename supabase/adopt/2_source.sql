-- Gives: the old tables under one shape: the views adopted.old_rows and adopted.old_balances.
-- Keeps: the old tables are only read. The views follow the old table when it is moved.
-- Needs: tables.

create function adopted.column_type(p_table text, p_column text)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  found_type text;
begin
  if to_regclass(p_table) is null then
    perform adopted.refuse(format('there is no table %s', p_table), 'Name the old ledger with --ledger, and the balances with --balances.');
  end if;
  select t.typname into found_type
  from pg_catalog.pg_attribute as a join pg_catalog.pg_type as t on t.oid = a.atttypid
  where a.attrelid = to_regclass(p_table) and a.attname = p_column and a.attnum > 0 and not a.attisdropped;
  if found_type is null then
    perform adopted.refuse(format('table %s has no column %s', p_table, p_column),
      'Name the columns with --id, --user, --delta, --reason (or --reason none), --created, --balances and --balances-user.');
  end if;
  return found_type;
end;
$$;
comment on function adopted.column_type(text, text) is 'The type of a column of the old tables. Refuses what is not there.';

create function adopted.need_type(p_table text, p_column text, p_types text[])
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  found_type text := adopted.column_type(p_table, p_column);
begin
  if found_type <> all (p_types) then
    perform adopted.refuse(format('%s.%s is %s', p_table, p_column, found_type),
      format('Name a column of type %s.', array_to_string(p_types, ', ')));
  end if;
end;
$$;
comment on function adopted.need_type(text, text, text[]) is 'Refuses a column of a type that cannot be read.';

create function adopted.user_expression(p_table text, p_column text)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  perform adopted.need_type(p_table, p_column, array['uuid', 'text', 'varchar', 'bpchar']);
  if adopted.column_type(p_table, p_column) = 'uuid' then
    return format('t.%I', p_column);
  end if;
  return format('case when t.%1$I::text ~* %2$L then t.%1$I::text::uuid end', p_column,
    '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
end;
$$;
comment on function adopted.user_expression(text, text) is 'SQL that reads a column as a user''s id; null where it is none.';

create function adopted.view_rows(s jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  reason text := 'null::text';
begin
  perform adopted.column_type(s ->> 'ledger', s ->> 'id');
  perform adopted.need_type(s ->> 'ledger', s ->> 'delta', array['int2', 'int4', 'int8', 'numeric', 'float4', 'float8']);
  perform adopted.need_type(s ->> 'ledger', s ->> 'created', array['timestamptz', 'timestamp', 'date']);
  if s ->> 'reason' <> 'none' then
    perform adopted.column_type(s ->> 'ledger', s ->> 'reason');
    reason := format('t.%I::text', s ->> 'reason');
  end if;
  execute format(
    'create view adopted.old_rows with (security_invoker = true) as '
    'select t.%1$I as id, t.%1$I::text as old_id, %2$s as user_id, t.%3$I::numeric * %4$L::numeric as amount, '
    '%5$s as reason, t.%6$I::timestamptz as created_at from %7$s as t',
    s ->> 'id', adopted.user_expression(s ->> 'ledger', s ->> 'user'), s ->> 'delta', s ->> 'scale', reason, s ->> 'created',
    to_regclass(s ->> 'ledger'));
  comment on view adopted.old_rows is 'The old ledger under names of ours; amount is scaled.';
end;
$$;
comment on function adopted.view_rows(jsonb) is 'Makes adopted.old_rows of the old ledger.';

create function adopted.view_balances(s jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if s ->> 'balances' is null then
    create view adopted.old_balances with (security_invoker = true) as
    select null::uuid as user_id, null::numeric as credits where false;
  else
    perform adopted.need_type(s ->> 'balances', s ->> 'balances_credits', array['int2', 'int4', 'int8', 'numeric', 'float4', 'float8']);
    execute format(
      'create view adopted.old_balances with (security_invoker = true) as '
      'select %1$s as user_id, t.%2$I::numeric * %3$L::numeric as credits from %4$s as t',
      adopted.user_expression(s ->> 'balances', s ->> 'balances_user'), s ->> 'balances_credits', s ->> 'scale',
      to_regclass(s ->> 'balances'));
  end if;
  comment on view adopted.old_balances is 'What the old table of balances says of each user; empty where there is none.';
  if exists (select from adopted.old_balances where user_id is not null group by user_id having count(*) > 1) then
    perform adopted.refuse(format('%s has several rows for one user', s ->> 'balances'), 'Name the column that is unique with --balances-user.');
  end if;
end;
$$;
comment on function adopted.view_balances(jsonb) is 'Makes adopted.old_balances of the old table of balances.';

create function adopted.parts(p_table regclass)
returns setof regclass
language sql
stable
set search_path = '', pg_temp
as $$
  with recursive parts as (
    select p_table::oid as id, 0 as depth
    union
    select i.inhrelid, p.depth + 1 from parts as p join pg_catalog.pg_inherits as i on i.inhparent = p.id
  )
  select id::regclass from parts group by id order by max(depth), id;
$$;
comment on function adopted.parts(regclass) is 'A table, then its partitions and the tables that inherit from it: its rows are in them.';

create function adopted.begin(p_source jsonb, p_decisions jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if to_regclass(p_source ->> 'ledger') = to_regclass('public.credit_ledger') and to_regproc('credits.entry_append') is not null then
    perform adopted.refuse('public.credit_ledger is the ledger of Atomic Credits itself', 'Name the old one with --ledger schema.table.');
  end if;
  if exists (select from pg_catalog.pg_class where oid = to_regclass(p_source ->> 'ledger') and relkind not in ('r', 'p')) then
    perform adopted.refuse(format('%s is no table', p_source ->> 'ledger'), 'Name the table itself with --ledger.');
  end if;
  if exists (
    select from adopted.parts(to_regclass(p_source ->> 'ledger')) as part join pg_catalog.pg_class as c on c.oid = part
    where c.relkind = 'f') then
    perform adopted.refuse(format('a part of %s is a foreign table, which others can write to where it is', p_source ->> 'ledger'),
      'Copy its rows into a table of this database, and put that in its place.');
  end if;
  insert into adopted.adoption (source, decisions) values (p_source, p_decisions);
  perform adopted.view_rows(p_source);
  perform adopted.view_balances(p_source);
end;
$$;
comment on function adopted.begin(jsonb, jsonb) is
  'Opens the adoption of an old ledger with what was decided, and checks that its tables can be read.';
