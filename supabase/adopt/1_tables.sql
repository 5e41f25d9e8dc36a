-- Gives: schema adopted, where npm run adopt keeps a taken-over ledger, its decisions and where each old row went.
-- Keeps: every old row is in adopted.entries exactly once: with a position, or with what it was set aside for.
-- Needs: nothing of Atomic Credits: it is applied before the chapters, in a dry run without them. No migration: a
-- database that never adopts never sees it, and scripts/rollback.sql removes it.

create schema adopted;
comment on schema adopted is
  'A ledger that Atomic Credits took over: the old table, unchanged and read-only, and the way of each of its rows.';
revoke all on schema adopted from public, anon, authenticated, service_role;

create table adopted.adoption (
  only_row boolean primary key default true check (only_row),
  source jsonb not null,
  decisions jsonb not null,
  planned_at timestamptz not null default clock_timestamp(),
  moved regclass,
  left_view regclass,
  finished_at timestamptz,
  proof jsonb
);
comment on table adopted.adoption is 'The adoption of this database: one row, there since the old table was moved.';
comment on column adopted.adoption.source is
  'Where the history comes from: ledger, its columns id, user, delta, reason and created; balances (table), balances_user and '
  'balances_credits (columns); scale, by which every amount is multiplied.';
comment on column adopted.adoption.decisions is 'What a person decided, by class of finding; kinds: patterns of reasons with their kind of entry.';
comment on column adopted.adoption.planned_at is 'When the old table was moved and the plan made: no old row is later.';
comment on column adopted.adoption.moved is 'The old ledger, under the name that it has by now.';
comment on column adopted.adoption.left_view is 'The view that reads the old ledger for the roles that could.';
comment on column adopted.adoption.finished_at is 'When every account was imported and proven; null until then.';

create table adopted.accounts (
  account_id uuid primary key,
  since timestamptz not null,
  old_rows bigint not null,
  rows bigint not null,
  incoming numeric not null,
  history numeric not null,
  stated numeric,
  classes text[] not null,
  set_aside text,
  target numeric,
  final numeric,
  entries bigint not null default 0,
  batch bigint,
  base_seq bigint,
  base_limit bigint
);
comment on table adopted.accounts is 'The plan and the progress by account. Amounts are whole credits.';
comment on column adopted.accounts.since is 'When the user signed up, or their first old row.';
comment on column adopted.accounts.old_rows is 'Old rows of this user.';
comment on column adopted.accounts.rows is 'Old rows of this user that become entries.';
comment on column adopted.accounts.incoming is 'Sum of the rows above 0.';
comment on column adopted.accounts.history is 'Sum of the rows.';
comment on column adopted.accounts.stated is 'What the table of balances says; null where it says nothing.';
comment on column adopted.accounts.target is 'The balance that was decided on: history or stated.';
comment on column adopted.accounts.final is 'What the adoption adds to the account''s balance: target, or 0 where a negative one is not carried on.';
comment on column adopted.accounts.entries is 'Ledger entries to write: rows, and the adjustments that lead to target and final.';
comment on column adopted.accounts.batch is 'Which transaction imports it; null: nothing to import.';
comment on column adopted.accounts.base_seq is 'last_seq of the account before its import; null: not imported yet.';
comment on column adopted.accounts.base_limit is 'credit_limit of the account before its import.';

create table adopted.entries (
  old_id text,
  account_id uuid,
  position bigint,
  delta bigint,
  kind text,
  reason text,
  created_at timestamptz,
  as_was jsonb,
  classes text[],
  set_aside text
);
comment on table adopted.entries is
  'Every old row, and the adjustments beside them (old_id null). A row has a position, or it is set aside.';
comment on column adopted.entries.position is 'Place among the account''s adopted entries, from 1: its seq is base_seq + position.';
comment on column adopted.entries.delta is 'Whole credits, scaled and rounded; null where the old row has no usable amount.';
comment on column adopted.entries.as_was is 'adopted_delta, adopted_created_at: the old value, where the entry has another.';
comment on column adopted.entries.classes is 'Classes of findings that the row belongs to; null: none.';
comment on column adopted.entries.set_aside is 'The class for which the row becomes no entry.';

create table adopted.objects (
  identity text primary key,
  catalog regclass not null
);
comment on table adopted.objects is 'The tables, views and functions of schema adopted that the adoption made: all else there is yours.';

create view adopted.mapping with (security_invoker = true) as
select e.old_id, e.account_id, a.base_seq + e.position as seq
from adopted.entries as e join adopted.accounts as a on a.account_id = e.account_id
where e.old_id is not null and e.position is not null;
comment on view adopted.mapping is
  'Where each old row is in credit_ledger (account_id, seq). seq is null until its account is imported.';

create view adopted.set_aside with (security_invoker = true) as
select old_id, account_id, set_aside, delta, reason, created_at
from adopted.entries where set_aside is not null;
comment on view adopted.set_aside is 'Old rows that became no entry, and the class for which. They stay in the old table.';

alter table adopted.adoption enable row level security;
alter table adopted.accounts enable row level security;
alter table adopted.entries enable row level security;
alter table adopted.objects enable row level security;
revoke all on table adopted.adoption, adopted.accounts, adopted.entries, adopted.objects, adopted.mapping, adopted.set_aside
  from public, anon, authenticated, service_role;

create function adopted.decided(p_class text)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select decisions ->> p_class from adopted.adoption;
$$;
comment on function adopted.decided(text) is 'What was decided about a class of findings; null: nothing yet.';

create function adopted.source(p_name text)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select source ->> p_name from adopted.adoption;
$$;
comment on function adopted.source(text) is 'The name of a table or column of the old ledger, as it was given.';

create function adopted.table_name(p_name text)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select (parse_ident(p_name))[cardinality(parse_ident(p_name))];
$$;
comment on function adopted.table_name(text) is 'A table''s name without its schema.';

create function adopted.refuse(p_message text, p_hint text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  raise exception using message = p_message, hint = p_hint;
end;
$$;
comment on function adopted.refuse(text, text) is 'Ends the adoption with its cause and the remedy; the transaction changes nothing.';
