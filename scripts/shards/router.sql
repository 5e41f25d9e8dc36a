create table credits_router.groups (
  number integer primary key,
  shard text not null
);
comment on table credits_router.groups is 'The shard of each group of slots; a group is the low 4 bits of a slot.';

create view credits_router.shards as
  select shard, min(number) as slot, array_agg(number order by number) as groups from credits_router.groups group by shard;
comment on view credits_router.shards is 'The shards, and a slot by which each is reached.';

create table credits_router.memberships (
  user_id uuid not null,
  account_id uuid not null,
  primary key (user_id, account_id)
);
comment on table credits_router.memberships is
  'Where to ask for a user''s teams. The shard of a team decides whether they still belong to it.';

create table credits_router.references_waiting (
  kind text not null,
  external_ref text not null,
  account_id uuid not null,
  noted_at timestamptz not null default now(),
  primary key (kind, external_ref)
);
comment on table credits_router.references_waiting is
  'Whose an external_ref is, where the shard that lists it did not answer: a task tells it.';

create table credits_router.moves (
  shard text primary key,
  target text not null,
  step text not null check (step in ('begun', 'copied', 'switched'))
);
comment on table credits_router.moves is 'A shard on its way to another database, for npm run shards -- move and add.';

-- What the router's functions call. They belong to credits_router, which alone may use the shards' connections.
create function credits_router.account_slot(p_account_id uuid)
returns integer
language sql
stable
as $$ select coalesce(credits.slot(p_account_id), 0) $$;
comment on function credits_router.account_slot(uuid) is
  'credits.slot; 0 for null, so that a shard refuses it in its own words.';

create function credits_router.job_slot(p_job_id uuid)
returns integer
language sql
stable
as $$ select coalesce(('x' || left(p_job_id::text, 4))::bit(16)::integer, 0) $$;
comment on function credits_router.job_slot(uuid) is
  'The slot of a job''s account: the first 4 digits of its id.';

create function credits_router.text_slot(p_text text)
returns integer
language sql
stable
as $$ select coalesce(hashtext(p_text) & 65535, 0) $$;
comment on function credits_router.text_slot(text) is 'Some shard, always the same for one text.';

create function credits_router.shard_of(p_account_id uuid)
returns text
language sql
stable
as $$ select shard from credits_router.groups where number = credits_router.account_slot(p_account_id) & 15 $$;
comment on function credits_router.shard_of(uuid) is 'The name of the shard on which an account lives.';

create function credits_router.is_outage(p_state text, p_message text)
returns boolean
language sql
immutable
as $$
  -- XX000: PL/Proxy has no answer. 57P01 to 57P05: the shard's server ends or starts. 25006: it takes no writes now.
  select p_state like '08%' or p_state ~ '^57P0[1-5]$' or p_state = 'XX000' and p_message like 'PL/Proxy function %'
    or p_state = '25006' and p_message ~ '^[^ ]+\(\d+\): \[[^]]*\] REMOTE ERROR: '
$$;
comment on function credits_router.is_outage(text, text) is
  'Whether an error says that a shard did not answer, rather than what it answered.';

create function credits_router.silent_with(p_silent text[], p_shard text, p_state text, p_message text)
returns text[]
language sql
immutable
as $$
  select case when credits_router.is_outage(p_state, p_message) then p_silent || p_shard else p_silent end
$$;
comment on function credits_router.silent_with(text[], text, text, text) is
  'The shards that a task calls no more in this run: with this one, if the error says that it did not answer. Each call of '
  'one that is gone takes seconds.';

create function credits_router.silent_shards()
returns text[]
language sql
stable
as $$ select coalesce(string_to_array(nullif(current_setting('credits_router.silent', true), ''), ' '), '{}') $$;
comment on function credits_router.silent_shards() is
  'The shards that did not answer when run_tasks asked them all: PL/Proxy alone would wait for them until the task is '
  'canceled, and all that it had done is undone.';

create function credits_router.silent_check(p_shard text)
returns void
language plpgsql
stable
as $$
begin
  if p_shard = any (credits_router.silent_shards()) then
    perform credits_router.raise_outage();
  end if;
end;
$$;
comment on function credits_router.silent_check(text) is 'Raises 08006 for a shard that did not answer run_tasks.';

create function credits_router.is_late(p_began timestamptz)
returns boolean
language sql
volatile
as $$ select clock_timestamp() > p_began + interval '1 minute' $$;
comment on function credits_router.is_late(timestamptz) is
  'Whether a task has run for so long that the rest has to wait for its next run: what it has done counts once it ends.';

create function credits_router.raise_outage()
returns void
language plpgsql
as $$
begin
  raise exception using errcode = '08006', message = 'the database of this account cannot be reached',
    hint = 'Repeat the call with the same arguments.';
end;
$$;
comment on function credits_router.raise_outage() is 'Raises 08006, which the Data API and the functions answer with 503.';

create function credits_router.raise_again(p_state text, p_message text, p_detail text, p_hint text)
returns void
language plpgsql
as $$
declare
  said constant text := regexp_replace(p_message, '^[^ ]+\(\d+\): \[[^]]*\] REMOTE ERROR: ', '');
  cause constant text := regexp_replace(p_detail, '^Remote detail: ', '');
  remedy constant text := regexp_replace(p_hint, '^Remote hint: ', '');
begin
  if credits_router.is_outage(p_state, p_message) and p_message not like 'no answer from %' then
    perform credits_router.raise_outage();
  -- An empty detail or hint is said as one; only an option that is left out is none.
  elsif cause = '' and remedy = '' then
    raise exception using errcode = p_state, message = said;
  elsif cause = '' then
    raise exception using errcode = p_state, message = said, hint = remedy;
  elsif remedy = '' then
    raise exception using errcode = p_state, message = said, detail = cause;
  end if;
  raise exception using errcode = p_state, message = said, detail = cause, hint = remedy;
end;
$$;
comment on function credits_router.raise_again(text, text, text, text) is
  'Raises what a shard raised as if it had happened here; 08006 where the shard did not answer, and what names others '
  'that did not, as it is.';

create function credits_router.write_check(p_function text)
returns void
language plpgsql
stable
as $$
begin
  if current_setting('transaction_read_only')::boolean then
    raise exception using errcode = '25006',
      message = format('cannot execute %s in a read-only transaction', p_function);
  end if;
end;
$$;
comment on function credits_router.write_check(text) is
  'A shard would write, as its transaction is another: a GET must not, here as on one database.';

create function credits_router.slot_of_row(p_table text, p_column text, p_value text)
returns integer
language plpgsql
as $$
declare
  shard text;
  slot integer;
  is_here boolean;
  unreachable boolean := false;
begin
  for shard, slot in select s.shard, s.slot from credits_router.shards as s order by s.slot loop
    begin
      execute format('select exists (select from credits_router.%I where %I = %L)', shard || '_' || p_table, p_column,
        p_value) into is_here;
      if is_here then
        return slot;
      end if;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      unreachable := true;
    end;
  end loop;
  if unreachable then
    perform credits_router.raise_outage();
  end if;
  return 0;
end;
$$;
comment on function credits_router.slot_of_row(text, text, text) is
  'A slot of the shard that has a row; 0 where none has it. Raises 08006 where a shard that may have it does not answer.';

create function credits_router.key_slot(p_key_hash text, p_account_id uuid)
returns integer
language plpgsql
as $$
begin
  if p_key_hash is null or p_key_hash !~ '^[0-9a-f]{64}$' then
    return credits_router.account_slot(p_account_id);
  end if;
  return credits_router.slot_of_row('credit_app_keys', 'hash', '\x' || p_key_hash);
end;
$$;
comment on function credits_router.key_slot(text, uuid) is 'The slot of an app key''s account, or of the account.';

create function credits_router.payment_slot(p_state jsonb)
returns integer
language plpgsql
as $$
declare
  payment text := coalesce(p_state ->> 'key', '');
  customer text := coalesce(p_state ->> 'customer', '');
begin
  if p_state ->> 'account_id' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    perform credits_router.tell_first((p_state ->> 'account_id')::uuid);
    return credits_router.account_slot((p_state ->> 'account_id')::uuid);
  elsif customer <> '' then
    return credits_router.slot_of_row('payment_customers', 'customer_id', customer);
  end if;
  return credits_router.slot_of_row('payments', 'key', payment);
end;
$$;
comment on function credits_router.payment_slot(jsonb) is
  'The slot of the account that a payment''s state names, else of its customer''s; 0 for a payment that is nobody''s.';

create function credits_router.membership_note(p_user_id uuid, p_account_id uuid)
returns void
language sql
security definer
set search_path = '', pg_temp
as $$
  insert into credits_router.memberships (user_id, account_id)
  select p_user_id, p_account_id where p_user_id is not null and p_account_id is not null
  on conflict do nothing
$$;
comment on function credits_router.membership_note(uuid, uuid) is 'Notes where to ask for a user''s teams.';
