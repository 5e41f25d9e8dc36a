-- Gives: become_shard, which makes this database one of several that share the accounts, and what keeps it to its own.
-- Keeps: a shard opens no account that another shard holds. A database that is no shard opens any.
-- Needs: foundation, accounts; when called: external refs.

create table credits.shard (
  only_row boolean primary key default true check (only_row),
  name text not null check (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
  slot_groups integer[] not null
    check (cardinality(slot_groups) <= 16 and array_position(slot_groups, null) is null
      and slot_groups <@ '{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'),
  since timestamptz not null default now()
);
comment on table credits.shard is
  'Which shard this database is, written by credits.become_shard, or that it is their router (credits.become_router); '
  'no row: it holds all accounts.';
comment on column credits.shard.name is 'The shard''s name, as checks and metrics show it.';
comment on column credits.shard.slot_groups is
  'The groups of slots that it holds, out of 16: an account''s group is the low 4 bits of credits.slot. None: it is '
  'the router, which has auth.users and no account.';

alter table credits.shard enable row level security;

create function credits.slot_group(p_account_id uuid)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return credits.slot(p_account_id) & 15;
end;
$$;
comment on function credits.slot_group(uuid) is
  'The group of an account''s slot, 0 to 15. A group is never divided: it is what moves from one shard to another.';

create function credits.is_own_account(p_account_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return not exists (select from credits.shard where credits.slot_group(p_account_id) <> all (slot_groups));
end;
$$;
comment on function credits.is_own_account(uuid) is
  'Whether this database is where an account of this id lives; true for each where it is no shard.';

create function credits.other_slot_groups()
returns integer[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return array(select g from credits.shard cross join generate_series(0, 15) as g where g <> all (slot_groups));
end;
$$;
comment on function credits.other_slot_groups() is
  'The slot groups whose accounts are on other databases; none where it is no shard.';

create function credits.is_router()
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (select from credits.shard where slot_groups = '{}');
end;
$$;
comment on function credits.is_router() is
  'Whether this database has auth.users and no account: the shards have those.';

create function credits.own_account_check(p_account_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if not credits.is_own_account(p_account_id) then
    perform credits.raise_misuse('PT421',
      format('account %s lives on another shard: its slot group is %s, and this one holds %s', p_account_id,
        credits.slot_group(p_account_id), (select array_to_string(slot_groups, ', ') from credits.shard)),
      'Send the call to the shard that holds this slot group.');
  end if;
end;
$$;
comment on function credits.own_account_check(uuid) is 'Raises PT421 for an account of another shard.';

create function credits.own_accounts(p_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return array(select i.id from unnest(p_ids) as i (id) where credits.is_own_account(i.id));
end;
$$;
comment on function credits.own_accounts(uuid[]) is
  'Those of these ids whose accounts live here. A person of another shard may be a member of a team here.';

create function credits.own_account_id()
returns uuid
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account_id uuid := gen_random_uuid();
begin
  while not credits.is_own_account(account_id) loop
    account_id := gen_random_uuid();
  end loop;
  return account_id;
end;
$$;
comment on function credits.own_account_id() is 'A new id for an account that lives here.';

create function credits.account_opened()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.own_account_check(new.id);
  return new;
end;
$$;
comment on function credits.account_opened() is 'Lets a shard open its own accounts only.';
-- A trigger, not a CHECK: a charge updates the row, and would evaluate a CHECK each time. This runs once per account.
create trigger account_opened before insert or update of id on public.credit_accounts
  for each row execute function credits.account_opened();

create function credits.shard_note(p_name text, p_slot_groups integer[])
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into credits.shard as s (name, slot_groups) values (p_name, p_slot_groups)
  on conflict (only_row) do update set name = excluded.name, slot_groups = excluded.slot_groups,
    since = case when (s.name, s.slot_groups) = (excluded.name, excluded.slot_groups) then s.since
      else excluded.since end;
$$;
comment on function credits.shard_note(text, integer[]) is 'Writes which shard this is.';

create function credits.has_accounts_here()
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- On a router that is in use the table shows what the shards have.
  if (select relkind from pg_catalog.pg_class where oid = 'public.credit_accounts'::regclass) <> 'r' then
    return false;
  end if;
  return exists (select from public.credit_accounts);
end;
$$;
comment on function credits.has_accounts_here() is 'Whether this very database stores accounts.';

create function credits.become_router(p_name text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if credits.has_accounts_here() then
    perform credits.raise_misuse('55000', 'a router holds no account, and this database does',
      'Begin with an empty database.');
  end if;
  perform credits.shard_note(p_name, '{}');
end;
$$;
comment on function credits.become_router(text) is
  'Makes this database the router of shards: it has auth.users, and opens no account. What the sign-up and deletion of '
  'users ask for waits in credits.handovers. For the owner. Raises 55000 where it has accounts. Undone by '
  'credits.cease_shard().';

create function credits.become_shard(p_name text, p_slot_groups integer[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  groups integer[] := array(select distinct g from unnest(p_slot_groups) as g order by g);
  foreign_account uuid;
begin
  if p_name is null or p_name !~ '^[a-z][a-z0-9_-]{0,31}$' or cardinality(groups) = 0
    or array_position(groups, null) is not null or not groups <@ array(select generate_series(0, 15)) then
    perform credits.raise_misuse('22023', 'a shard needs a name and slot groups from 0 to 15',
      'For the second of four: select credits.become_shard(''s1'', ''{1,5,9,13}'');');
  end if;
  -- Nobody opens an account meanwhile. Charges wait as long as this reads the accounts' ids.
  lock table public.credit_accounts in share row exclusive mode;
  select id into foreign_account from public.credit_accounts where credits.slot_group(id) <> all (groups) limit 1;
  if found then
    perform credits.raise_misuse('55000',
      format('account %s is of slot group %s, which this shard would not hold', foreign_account,
        credits.slot_group(foreign_account)),
      'Name its group too, or begin with an empty database: accounts move with their whole group.');
  end if;
  perform credits.external_refs_list();
  perform credits.shard_note(p_name, groups);
end;
$$;
comment on function credits.become_shard(text, integer[]) is
  'Makes this database a shard: from now on it opens accounts of these slot groups only, and refuses a call for '
  'another (PT421). For the owner. Called again, it changes name and groups. Raises 22023 for a bad argument, 55000 '
  'where it has an account of another group. Undone by credits.cease_shard().';

create function credits.cease_shard()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  delete from credits.shard;
end;
$$;
comment on function credits.cease_shard() is
  'Makes this database one that opens any account again. For the owner. Idempotent.';
