-- Atomic Credits 0.10.0, from 0.9.0, made from supabase/schemas and supabase/upgrades by npm run regenerate.

set local lock_timeout = '5s';
set local statement_timeout = 0;
-- A function may come before what it calls.
set local check_function_bodies = off;

do $$
declare
  installed record;
  taken text;
begin
  perform pg_advisory_xact_lock(hashtextextended('atomic-credits', 0));
  select release, checksum into installed from credits.installation order by applied_at desc limit 1;
  if installed.checksum is distinct from '8dfa913f95f0f069e510df1d0400949e5ecf2c72e9597b156736dc2b30a3fcab' then
    raise exception using message = format('this leads from Atomic Credits 0.9.0 to 0.10.0, and %s is installed',
        coalesce(installed.release, 'none')),
      hint = 'Nothing was changed. Apply the releases in their order; docs/upgrade.md has the steps.';
  end if;
  taken := (select string_agg('public.' || name, ', ' order by name) from (
    select split_part(w.made, ' ', 1) as kind, split_part(w.made, ' ', 2) as name
    from unnest('{function claim_external_ref,function has_external_ref,function operator_abilities,function operator_accounts_page,function operator_acknowledge_alert,function operator_approve,function operator_book_payment,function operator_cancel_job,function operator_close_account,function operator_erase_account,function operator_fix_discrepancy,function operator_grant,function operator_jobs_page,function operator_mute_alert,function operator_payments_page,function operator_people,function operator_reconcile,function operator_refund_job,function operator_reject,function operator_remove,function operator_reopen_account,function operator_request_trail,function operator_retry_event,function operator_reverse_grant,function operator_search,function operator_set,function operator_set_overdraft,function operator_set_plan,function operator_timeline,function operator_withdraw,function person_joins,function person_leaves,function transfer_finish,function transfer_receive,function transfer_send,function transfer_send_batch,function transfers_in_flight,function verify_operator_actions,table credit_operators,table credit_transfers_received,table credit_transfers_sent,table operator_actions,table operator_approvals,type credit_operator_role,type credit_transfer_received,type credit_transfer_sent,type operator_chain_result,type operator_find,type operator_result,type operator_timeline_row,view credit_transfer_totals,view operator_account_grants,view operator_account_members,view operator_accounts,view operator_alerts,view operator_discrepancies,view operator_events,view operator_jobs,view operator_log,view operator_me,view operator_models,view operator_payments,view operator_providers,view operator_reconciliations,view operator_team,view operator_waiting}'::text[]) as w (made)
    where case split_part(w.made, ' ', 1)
      when 'function' then exists (select from pg_catalog.pg_proc
        where pronamespace = 'public'::regnamespace and proname = split_part(w.made, ' ', 2))
      else to_regclass('public.' || split_part(w.made, ' ', 2)) is not null
        or to_regtype('public.' || split_part(w.made, ' ', 2)) is not null end) as t);
  if taken is not null then
    raise exception using errcode = '42P07', message = 'names that Atomic Credits needs are in use: ' || taken,
      hint = 'Nothing was changed. Give what is yours other names first.';
  end if;
end;
$$;

do $$
declare
  dependents text;
begin
  set local lock_timeout = '100ms';
  for attempt in 1 .. 50 loop
    begin
      lock table public.credit_accounts, public.credit_plans, public.credit_scheduled_tasks in access exclusive mode;
      drop view public.reconciliation_summary;
      drop view public.reconciliation_discrepancies;
      drop view credits.transfers_booked;
      drop view public.credit_liability_daily;
      drop view public.credit_journal;
      drop function public.create_team_account;
      exit;
    exception when lock_not_available or deadlock_detected then
      if attempt = 50 then
        raise exception using errcode = '55P03', message = 'the tables of Atomic Credits are in use',
          hint = 'Nothing was changed. Run it again; if that does not help, end the transactions that use them (pg_stat_activity).';
      end if;
      perform pg_sleep(0.1);
    when dependent_objects_still_exist then
      get stacked diagnostics dependents = pg_exception_detail;
      raise exception using errcode = '2BP01', message = 'something of yours depends on what this changes: ' || dependents,
        hint = 'Nothing was changed. Drop yours, apply this, then make yours again.';
    end;
  end loop;
  set local lock_timeout = '5s';
end;
$$;

create type public.credit_transfer_sent as (
  transfer_id uuid,
  from_account_id uuid,
  to_account_id uuid,
  amount bigint,
  external_ref text,
  reason text,
  parts jsonb,
  from_balance bigint,
  arrived_at timestamptz,
  replayed boolean,
  to_balance bigint
);

create type public.credit_transfer_received as (
  transfer_id uuid,
  to_account_id uuid,
  amount bigint,
  to_balance bigint,
  refusal text,
  replayed boolean
);

create type public.credit_operator_role as enum ('viewer', 'support', 'finance', 'admin');

create type public.operator_chain_result as (
  operator_id uuid,
  sound boolean,
  checked bigint,
  broken_seq bigint,
  problem text
);

create type public.operator_result as (
  code text,
  operator_id uuid,
  action_seq bigint,
  approval_id uuid,
  replayed boolean,
  account_id uuid,
  balance bigint,
  details jsonb
);

create type credits.operator_request as (
  action text,
  account_id uuid,
  subject text,
  arguments jsonb,
  reason text,
  idempotency_key text,
  approval_id uuid
);

create type credits.operator_effect as (
  credits bigint,
  before jsonb,
  after jsonb
);

create type public.operator_find as (
  kind text,
  id text,
  account_id uuid,
  title text,
  detail text,
  at timestamptz
);

create type public.operator_timeline_row as (
  at timestamptz,
  key text,
  kind text,
  title text,
  credits bigint,
  balance bigint,
  job_id uuid,
  grant_id bigint,
  payment_id text,
  request_id text,
  operator_id uuid,
  action_seq bigint,
  detail jsonb
);

create type credits.account_thing as (
  first_seq bigint,
  last_seq bigint,
  at timestamptz,
  key text,
  kind public.credit_entry_kind,
  delta bigint,
  balance_after bigint,
  grant_id bigint,
  job_id uuid,
  reason text,
  metadata jsonb
);

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

comment on column public.credit_ledger.metadata is
  'Machine-readable details, up to 4 KiB. source_grant_id: the grant that a refund or release makes good, if it is '
  'not grant_id (0: the overdraft). refund_key: the key that makes a partial refund idempotent. reversed_grant_id: '
  'the grant that was taken back (0: a debt from before an import). withdrawal_ref: the reference that makes a '
  'withdrawal count once. operator_action: the action of an operator that caused it, <operator_id>:<seq> of '
  'operator_actions.';

create function credits.entry_origin()
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('operator_action', current_setting('credits.operator_action', true))
  where current_setting('credits.operator_action', true) <> '';
$$;

comment on function credits.entry_origin() is
  'What an entry''s metadata says of the operator''s action that this transaction is in; null outside of one.';

create or replace function credits.entry_append(
  p_account_id uuid, p_delta bigint, p_kind public.credit_entry_kind, p_grant_id bigint, p_job_id uuid, p_reason text,
  p_metadata jsonb
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  entry_at timestamptz := clock_timestamp();
begin
  -- The console sets it for the time of one action; nothing else does.
  if current_setting('credits.operator_action', true) <> '' then
    p_metadata := coalesce(p_metadata, '{}') || credits.entry_origin();
  end if;
  update public.credit_accounts as a
  set version = a.version + 1, balance = a.balance + p_delta, last_seq = a.last_seq + 1,
      -- Never earlier than the previous entry, even if the clock goes back: history is searched by time.
      last_entry_at = greatest(entry_at, a.last_entry_at),
      last_hash = credits.entry_hash(a.last_hash, a.id, a.last_seq + 1, p_delta, a.balance + p_delta, p_kind,
        p_grant_id, p_job_id, p_reason, p_metadata, greatest(entry_at, a.last_entry_at)),
      -- An entry without a grant takes from the overdraft (delta < 0) or fills it up.
      overdraft_used = a.overdraft_used - case when p_grant_id is null then p_delta else 0 end
  where a.id = p_account_id
  returning * into strict account;
  insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason, metadata,
    created_at, hash)
  values (p_account_id, account.last_seq, p_delta, account.balance, p_kind, p_grant_id, p_job_id, p_reason, p_metadata,
    account.last_entry_at, account.last_hash);
  update public.credit_grants set remaining = remaining + p_delta, is_open = (remaining + p_delta > 0)
  where account_id = p_account_id and id = p_grant_id;
  return account;
end;
$$;

create or replace function credits.price_change_check(p_model text, p_effective_from timestamptz, p_operation text)
returns void
language plpgsql
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
begin
  -- The jobs of other databases cannot be seen from here.
  if exists (select from credits.shard) then
    perform credits.raise_misuse('PT409', 'a price of shards is never changed or deleted',
      case p_operation when 'UPDATE' then 'Write a new version: select set_model_price(…).'
        else 'End it by a new version: select set_model_price(…, p_settings => ''{"enabled": false}'').' end);
  end if;
  -- A charge in flight has read its price, but its job is not visible yet: wait for such charges, and let new ones
  -- wait.
  begin
    lock table public.generation_models in access exclusive mode;
  exception when lock_not_available or deadlock_detected then
    perform credits.raise_misuse('PT409', 'something that reads this price has not ended for two seconds',
      'Repeat it in a moment. A dump, or a transaction that was left open, holds it up too: see pg_stat_activity.');
  end;
  if exists (
    select from public.generation_jobs as j
    join public.credit_accounts as a on a.id = j.account_id
    where j.model = p_model and j.price_effective_from = p_effective_from
      -- No job is older than the version that it was charged by; by this condition the index by time skips older jobs.
      and j.created_at >= p_effective_from
      and (p_operation = 'UPDATE' or a.closed_at is null or j.status in ('pending', 'running'))
  ) then
    perform credits.raise_misuse('PT409', 'jobs were charged by this price',
      case p_operation when 'UPDATE' then 'Write a new version: select set_model_price(…).'
        else 'Set enabled to false: then it is not sold any more.' end);
  end if;
end;
$$;

comment on function credits.price_change_check(text, timestamptz, text) is
  'Refuses to change a price version that a job was charged by, and to delete it while such a job is open or its '
  'account is not closed, because the job is settled and answered again by it. With shards, and on their router, it '
  'refuses each, as it sees no other shard''s jobs. Waits at most two seconds for charges '
  'in flight; new charges wait for the end of the change.';

create function credits.keeps_files()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from pg_catalog.pg_class where oid = to_regclass('storage.objects') and relkind <> 'f');
$$;

comment on function credits.keeps_files() is
  'Whether Storage keeps its files in this database; a shard has foreign tables, and sees those of the router.';

create or replace function credits.storage_statements()
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- The most that generation_models.max_output_bytes may be. Storage's own limit, where it is lower, holds as well.
  most_bytes constant bigint := 1073741824;
  bucket record;
begin
  if not credits.has_storage() or not credits.keeps_files() then
    return;
  end if;
  select b.public is false and b.file_size_limit <= most_bytes
    and b.allowed_mime_types <@ credits.file_types() as is_ours
  into bucket from storage.buckets as b where b.id = 'generations';
  if not found then
    return next format('insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values '
      '(''generations'', ''generations'', false, %s, %L)', most_bytes, credits.file_types());
  elsif bucket.is_ours is not true then
    return next format('update storage.buckets set public = false, file_size_limit = least(file_size_limit, %s), '
      'allowed_mime_types = %L where id = ''generations''', most_bytes, credits.file_types());
  end if;
  if not exists (
    select from credits.deployed_parts() as p
    where p.kind = 'policy' and p.table_name = 'storage.objects'
      and regexp_replace(p.definition, '[\s()]| AS \w+', '', 'g')
        = regexp_replace(credits.output_policy(), '[\s()]| AS \w+', '', 'g'))
  then
    return next 'drop policy if exists generations_read_own on storage.objects; ' || credits.output_policy();
  end if;
end;
$$;

comment on function credits.storage_statements() is
  'The statements that make the bucket and its policy what they have to be; none if they are, without Storage, or on a '
  'shard, where the router has them.';

create function credits.events_retry(p_event_ids uuid[])
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  retried integer;
begin
  delete from public.credit_event_endpoints;
  update public.credit_events set attempts = 0, next_attempt_at = now()
  where id = any (p_event_ids) and next_attempt_at is null and delivered_at is null;
  get diagnostics retried = row_count;
  return retried;
end;
$$;

comment on function credits.events_retry(uuid[]) is
  'Offers given-up events again, and tries addresses that answered 410 or asked for a pause; returns how many.';

create or replace function public.retry_events(p_since timestamptz, p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('retry_events');
  if p_since is null then
    perform credits.raise_misuse('22023', 'a time is needed',
      'Pass the beginning of the outage, or ''-infinity'' for every event that was given up.');
  end if;
  return credits.events_retry(array(
    select id from public.credit_events
    where next_attempt_at is null and delivered_at is null and created_at >= p_since
    order by created_at limit least(greatest(p_limit, 0), 100000)
    for update skip locked));
end;
$$;

create or replace function credits.burn(
  p_account public.credit_accounts, p_plan credits.burn_plan, p_kind public.credit_entry_kind, p_job_id uuid,
  p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
  origin constant jsonb := case when current_setting('credits.operator_action', true) <> ''
    then credits.entry_origin() end;
begin
  for part in
    select p.grant_id, p.amount
    from unnest(p_plan.grant_ids || null::bigint, p_plan.amounts || p_plan.shortfall) as p (grant_id, amount)
    where p.amount > 0
  loop
    p_account.balance := p_account.balance - part.amount;
    p_account.last_seq := p_account.last_seq + 1;
    p_account.last_entry_at := greatest(clock_timestamp(), p_account.last_entry_at);
    p_account.last_hash := credits.entry_hash(p_account.last_hash, p_account.id, p_account.last_seq, -part.amount,
      p_account.balance, p_kind, part.grant_id, p_job_id, p_reason, origin, p_account.last_entry_at);
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason,
      metadata, created_at, hash)
    values (p_account.id, p_account.last_seq, -part.amount, p_account.balance, p_kind, part.grant_id, p_job_id,
      p_reason, origin, p_account.last_entry_at, p_account.last_hash);
    update public.credit_grants set remaining = remaining - part.amount, is_open = (remaining > part.amount)
    where account_id = p_account.id and id = part.grant_id;
  end loop;
  -- Once, and not with each entry: every version of the row makes the next one slower to find.
  update public.credit_accounts
  set version = version + 1, balance = p_account.balance, last_seq = p_account.last_seq,
      last_hash = p_account.last_hash, last_entry_at = p_account.last_entry_at,
      overdraft_used = overdraft_used + p_plan.shortfall
  where id = p_account.id
  returning * into strict p_account;
  return p_account;
end;
$$;

create function credits.team_id_check(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Also a user without an account: theirs will be opened under this id.
  if exists (select from auth.users where id = p_account_id) then
    perform credits.raise_misuse('PT409', 'this id is a user''s', 'Leave the account''s id out to get a new one.');
  end if;
end;
$$;

comment on function credits.team_id_check(uuid) is
  'Raises PT409 for a team''s id that is a user''s. auth.users of a shard is empty: its router checks it.';

create function public.create_team_account(p_owner_id uuid, p_account_id uuid default null)
returns uuid
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('create_team_account');
  p_account_id := coalesce(p_account_id, credits.own_account_id());
  if p_owner_id is null or p_account_id = p_owner_id then
    perform credits.raise_misuse('22023', 'a team needs an owner and an id of its own',
      'Pass the owner''s user id; leave the account''s id out.');
  end if;
  perform credits.team_id_check(p_account_id);
  insert into public.credit_accounts (id, is_team) values (p_account_id, true) on conflict do nothing;
  if not found and not exists (
    select from public.account_members where account_id = p_account_id and user_id = p_owner_id and role = 'owner') then
    perform credits.raise_misuse('PT409', 'this account exists and has another owner',
      'Leave the account''s id out to get a new one.');
  end if;
  insert into public.account_members (account_id, user_id, role) values (p_account_id, p_owner_id, 'owner')
  on conflict do nothing;
  return p_account_id;
end;
$$;

comment on function public.create_team_account(uuid, uuid) is
  'Opens an account for a team and makes p_owner_id its owner; returns its id. Idempotent when the id is given. '
  'Raises 22023 without an owner or when the team would have the owner''s id, PT409 when the id is taken or a user''s.';

-- The codes come from the one list of denials, so that docs/sql.md shows them.
do $$
begin
  execute format('comment on type public.credit_charge_result is %L',
    'Answer to a charge, shaped for HTTP. status and code: 201 charged; 200 replayed (job: how it ended); or a denial: '
    || (select string_agg(d.status || ' ' || d.codes, '; ' order by d.status) from (
      select l.status, string_agg(l.code, ', ' order by l.code) as codes
      from credits.denials as l where l.from_charge group by l.status
    ) as d)
    || '. With insufficient_credits: balance, required and debt (which the account owes and has to pay first); '
    'with price_changed: required (the cost now); with a 400: errors; with a 429 and request_in_flight: '
    'retry_after_seconds. Amounts are whole credits.');
end;
$$;

create table credits.handovers (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('join', 'leave', 'erase')),
  person_id uuid not null,
  slot_group integer not null check (slot_group between 0 and 15),
  amount bigint check (amount > 0),
  code text,
  added_in xid8 not null default pg_current_xact_id(),
  requested_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  refusals integer not null default 0,
  next_try_at timestamptz not null default clock_timestamp(),
  last_error text
);

-- Whether a person's earlier row has still to be delivered.
create index handovers_by_person on credits.handovers (person_id, slot_group, id);

comment on table credits.handovers is
  'Calls that other shards have still to get, because auth.users is here: one row per call, deleted once the shard has '
  'answered. By slot group, so that a group that moves to another shard meanwhile is still told.';

comment on column credits.handovers.kind is
  'join: person_joins(person_id, amount, code) where the person''s account lives; leave: person_leaves(person_id), and '
  'erase: erase_account(person_id), on each shard.';

comment on column credits.handovers.amount is 'The sign-up grant, which is decided here; null: none.';

comment on column credits.handovers.code is
  'Why there is no sign-up grant, for credit_request_events; null: no reason.';

comment on column credits.handovers.added_in is 'The transaction, in which a sign-up may still fill in amount or code.';

comment on column credits.handovers.refusals is
  'How often its shard has answered with an error. From the third on it holds up no deletion and no erasure.';

comment on column credits.handovers.next_try_at is
  'When it is due again: after each attempt later, at most 10 minutes.';

alter table credits.handovers enable row level security;

create function credits.handover_add(
  p_kind text, p_person_id uuid, p_amount bigint default null, p_code text default null
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A sign-up first opens the account, then decides on the grant: one call for both.
  update credits.handovers as h set amount = coalesce(p_amount, h.amount), code = coalesce(p_code, h.code)
  where p_kind = 'join' and h.kind = 'join' and h.person_id = p_person_id and h.added_in = pg_current_xact_id()
    and not exists (select from credits.handovers as l where l.person_id = p_person_id and l.id > h.id);
  if found then
    return;
  end if;
  insert into credits.handovers (kind, person_id, slot_group, amount, code)
  select p_kind, p_person_id, g.slot_group, p_amount, p_code
  from unnest(credits.other_slot_groups()) as g (slot_group)
  where p_kind <> 'join' or g.slot_group = credits.slot_group(p_person_id);
end;
$$;

comment on function credits.handover_add(text, uuid, bigint, text) is
  'Notes a call for the shards that hold other slot groups than this database: for a join that of the person''s '
  'account, else each. Nothing where all accounts are here.';

create function credits.handovers_forget(p_person_id uuid)
returns void
language sql
set search_path = '', pg_temp
as $$
  delete from credits.handovers as h
  where h.id in (
    select j.id from credits.handovers as j
    where j.kind = 'join' and j.refusals >= 3 and (p_person_id is null or j.person_id = p_person_id)
      and exists (select from credits.handovers as l
        where l.person_id = j.person_id and l.slot_group = j.slot_group and l.id > j.id and l.kind <> 'join')
    for update skip locked);
$$;

comment on function credits.handovers_forget(uuid) is
  'Deletes joins (null: of all persons) that were refused three times, of a person who has left since or was erased: '
  'told after that, they would bring them back.';

create function credits.handovers_due(p_limit integer default 100)
returns setof credits.handovers
language sql
set search_path = '', pg_temp
as $$
  select credits.handovers_forget(null);
  update credits.handovers as h
  set attempts = h.attempts + 1,
    next_try_at = clock_timestamp()
      + least(interval '15 seconds' * power(2, least(h.attempts, 10)), interval '10 minutes')
  where h.id in (
    select w.id from credits.handovers as w
    where w.next_try_at <= clock_timestamp()
      and not exists (select from credits.handovers as e
        where e.person_id = w.person_id and e.slot_group = w.slot_group and e.id < w.id
          and (e.refusals < 3 or 'join' in (e.kind, w.kind)))
    -- Those of a shard that is down for long do not hold up the others.
    order by w.attempts, w.id limit least(greatest(p_limit, 0), 1000)
    for update skip locked)
  returning h.*;
$$;

comment on function credits.handovers_due(integer) is
  'Takes up to p_limit calls that are due, those that failed least first, and counts the attempt: of a person, for '
  'each slot group, the earliest. Others do not get them while the transaction lasts, nor before next_try_at. A '
  'deletion or an erasure does not wait for one that was refused three times; a join that was is then forgotten.';

create function credits.handover_delivered(p_ids bigint[])
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  delivered integer;
begin
  delete from credits.handovers where id = any (p_ids);
  get diagnostics delivered = row_count;
  return delivered;
end;
$$;

comment on function credits.handover_delivered(bigint[]) is 'Deletes calls that their shard has answered; how many.';

create function credits.handover_failed(p_id bigint, p_error text, p_refused boolean default false)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update credits.handovers set last_error = left(p_error, 500), refusals = refusals + p_refused::integer
  where id = p_id;
end;
$$;

comment on function credits.handover_failed(bigint, text, boolean) is
  'Notes why a call failed, and whether its shard has refused it, rather than not answered; handovers_due gives it out '
  'again at next_try_at.';

create function credits.metrics_of_handovers()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select m.metric, '{}'::jsonb, m.value
  from (
    select count(*)::numeric as waiting,
      coalesce(round(extract(epoch from clock_timestamp() - min(requested_at)), 3), 0) as age
    from credits.handovers
  ) as h
  cross join lateral (values ('handovers_waiting', h.waiting), ('handover_age_seconds', h.age)) as m (metric, value)
  where exists (select from credits.shard);
$$;

comment on function credits.metrics_of_handovers() is
  'How many calls wait for other shards, and for how long the oldest; none where all accounts are here.';

create or replace function credits.had_sign_up_grant(p_account_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from public.credit_sign_up_grants where account_id = p_account_id) then
    return true;
  end if;
  -- Of another database's every one that was given is in the table above; a router would ask all shards here.
  if not credits.is_own_account(p_account_id) then
    return false;
  end if;
  return exists (select from public.credit_grants where external_ref = 'sign-up:' || p_account_id);
end;
$$;

create function credits.sign_up_account(p_person_id uuid)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
begin
  if credits.is_own_account(p_person_id) then
    return credits.account_lock(p_person_id);
  end if;
  perform credits.handover_add('join', p_person_id);
  account.id := p_person_id;
  account.is_team := false;
  return account;
end;
$$;

comment on function credits.sign_up_account(uuid) is
  'Locks a user''s account, and creates it on first use. One of another database is noted to be opened there.';

create function credits.sign_up_denied(p_account_id uuid, p_code text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not credits.is_own_account(p_account_id) then
    perform credits.handover_add('join', p_account_id, p_code => p_code);
    return;
  end if;
  insert into public.credit_request_events (account_id, status, code) values (p_account_id, 403, p_code);
end;
$$;

comment on function credits.sign_up_denied(uuid, text) is
  'Leaves a row in credit_request_events, where the account lives: why a user has no sign-up grant.';

create function credits.sign_up_book(p_account_id uuid, p_credits bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if credits.is_own_account(p_account_id) then
    perform public.grant_credits(p_account_id, p_credits, 'sign-up grant',
      p_external_ref => 'sign-up:' || p_account_id);
  else
    perform credits.handover_add('join', p_account_id, p_credits);
  end if;
end;
$$;

comment on function credits.sign_up_book(uuid, bigint) is
  'Grants the sign-up credits: here, or by person_joins where the account lives.';

create or replace function credits.sign_up_give(p_account_id uuid, p_hashes bytea[], p_credits bigint)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  noted integer;
begin
  insert into public.credit_sign_up_grants (account_id) values (p_account_id);
  insert into credits.sign_up_addresses (address_hash, account_id)
  select a.hash, p_account_id from unnest(p_hashes) as a (hash) order by a.hash
  on conflict do nothing;
  get diagnostics noted = row_count;
  if noted < cardinality(p_hashes) then
    delete from public.credit_sign_up_grants where account_id = p_account_id;
    perform credits.sign_up_denied(p_account_id, 'sign_up_granted_before');
    return 'sign_up_granted_before';
  end if;
  perform credits.sign_up_book(p_account_id, p_credits);
  return null;
end;
$$;

create or replace function credits.person_sign_up(p_person jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts := credits.sign_up_account((p_person ->> 'id')::uuid);
  sign_up_credits bigint := (select s.sign_up_credits from public.credit_settings as s);
begin
  if sign_up_credits = 0 or account.closed_at is not null or account.is_team
    or credits.had_sign_up_grant(account.id) then
    return;
  end if;
  -- Users who wait come first: the grants left in this hour are theirs. Without a limit (null) nobody waits for them.
  if credits.sign_up_grants_left() <= (select count(*) from credits.sign_ups_due) then
    insert into credits.sign_ups_due (account_id) values (account.id) on conflict do nothing;
    perform credits.sign_up_denied(account.id, 'sign_up_grants_exhausted');
  elsif credits.has_identity_to_come(p_person) then
    -- Without the identity, one wallet, or one identity with another address each time, could get the sign-up grant
    -- again and again.
    insert into credits.sign_ups_due (account_id) values (account.id) on conflict do nothing;
  else
    perform credits.sign_up_give(account.id, credits.person_hashes(p_person), sign_up_credits);
  end if;
end;
$$;

create or replace function credits.sign_up_finish(p_account_id uuid, p_credits bigint)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  person jsonb := (select to_jsonb(u) from auth.users as u where u.id = p_account_id);
  account public.credit_accounts;
  denial text;
begin
  if credits.is_own_account(p_account_id) then
    select * into account from public.credit_accounts where id = p_account_id for update skip locked;
    -- A task never waits for a busy account: the next run takes it.
    if not found and exists (select from public.credit_accounts where id = p_account_id) then
      return false;
    end if;
  end if;
  delete from credits.sign_ups_due where account_id = p_account_id;
  if person is null or person ->> 'deleted_at' is not null or account.closed_at is not null or account.is_team
    or not credits.may_have_sign_up_grant(person) or credits.had_sign_up_grant(p_account_id) then
    return false;
  end if;
  denial := credits.sign_up_give(p_account_id, credits.person_hashes(person), p_credits);
  return denial is null;
end;
$$;

create or replace function credits.user_created()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  person jsonb := to_jsonb(new);
begin
  perform credits.person_return(new.id);
  begin
    if credits.may_have_sign_up_grant(person) then
      perform credits.person_sign_up(person);
    else
      perform credits.sign_up_account(new.id);
    end if;
  exception when others then
    raise warning 'no account for user % yet: % (%); it is created on first use', new.id, sqlerrm, sqlstate;
    perform credits.sign_up_later(new.id);
  end;
  return new;
exception when others then
  raise warning 'user % was not processed: % (%)', new.id, sqlerrm, sqlstate;
  return new;
end;
$$;

comment on function credits.user_created() is
  'Opens an account for a new auth user, or reopens that of a returning one, and gives the sign-up grant of '
  'credit_settings (on another shard: by credits.handovers) if the address is confirmed or needs no confirmation. A '
  'user who does not get it leaves a row in '
  'credit_request_events (sign_up_granted_before, sign_up_grants_exhausted). Warns instead of failing.';

create function credits.users_leave(p_user_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- In blocks of their own: what fails for the other shards happens here all the same.
  begin
    perform credits.handover_add('leave', u.id) from unnest(p_user_ids) as u (id);
  exception when others then
    raise warning 'the deletion of users is not noted for the other shards: % (%)', sqlerrm, sqlstate;
  end;
  if not credits.is_router() then
    perform credits.people_leave(p_user_ids);
    return;
  end if;
  begin
    perform credits.operators_forget(p_user_ids, true);
  exception when others then
    raise warning 'deleted users stay operators: % (%)', sqlerrm, sqlstate;
  end;
end;
$$;

comment on function credits.users_leave(uuid[]) is
  'Does what the deletion of users asks for: here, and by credits.handovers on the other shards. Warns instead of '
  'failing. p_user_ids in order.';

create or replace function credits.user_deleted()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
-- Longer than any movement of credits takes: an account that stays locked for longer must not block the deletion of its
-- user.
set lock_timeout = '2s'
as $$
begin
  perform credits.users_leave(array(select id from gone order by id));
  return null;
exception when others then
  raise warning 'the deletion of users was not processed: % (%)', sqlerrm, sqlstate;
  return null;
end;
$$;

create or replace function credits.user_updated()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  gone uuid[];
  changed record;
begin
  -- As JSON, because the platform decides which columns there are.
  gone := array(
    select n.id from users_before as b join users_now as n on n.id = b.id
    where to_jsonb(b) ->> 'deleted_at' is null and to_jsonb(n) ->> 'deleted_at' is not null order by n.id);
  if cardinality(gone) > 0 then
    perform credits.users_leave(gone);
  end if;
  for changed in
    select c.* from (
      select b.id, to_jsonb(b) as before, to_jsonb(n) as now from users_before as b join users_now as n on n.id = b.id
    ) as c
    where credits.user_facts(c.before) is distinct from credits.user_facts(c.now) order by c.id
  loop
    perform credits.user_changed(changed.before, changed.now);
  end loop;
  return null;
exception when others then
  raise warning 'a change of users was not processed: % (%)', sqlerrm, sqlstate;
  return null;
end;
$$;

-- Months without monthly credits, or on a closed account, are not made up for later. Security definer, because roles
-- that may change a plan or reopen an account may not set refilled_for.
create function credits.refills_start(p_before public.credit_plans[], p_now public.credit_plans[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  new_plans text[] := array(
    select n.name from unnest(p_now) as n join unnest(p_before) as b on b.name = n.name
    where n.scheduled_credits > 0 and (b.scheduled_credits = 0 or n.refill_day <> b.refill_day));
  -- Lower ids are locked first, as everywhere, also when several plans change at once.
  account_ids uuid[] := array(
    select id from public.credit_accounts where plan = any (new_plans) and refilled_for is not null
    order by id for update);
begin
  -- An account that was refilled by the calendar keeps that day: on another day it would wait for up to two months.
  update public.credit_accounts as a set refill_anchor = a.refilled_for
  from unnest(p_now) as n join unnest(p_before) as b on b.name = n.name
  where n.name = a.plan and a.id = any (account_ids)
    and n.refill_day = 'account' and b.refill_day = 'calendar_month' and b.scheduled_credits > 0;
  update public.credit_accounts as a set refilled_for = greatest(a.refilled_for, credits.refill_month_before(p, a))
  from unnest(p_before) as b join public.credit_plans as p on p.name = b.name
  where b.name = a.plan and a.id = any (account_ids) and b.scheduled_credits = 0
    and a.refilled_for < credits.refill_month_before(p, a);
end;
$$;

comment on function credits.refills_start(public.credit_plans[], public.credit_plans[]) is
  'Plans that get monthly credits grant them from this month on; accounts whose plan changes from the calendar to '
  'their own day keep the 1st. Takes the plans as they were and as they are.';

create or replace function credits.refills_start_now()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  -- The accounts are on the shards, which do it when the plan arrives.
  if credits.is_router() then
    return null;
  end if;
  perform credits.refills_start(array(select p::public.credit_plans from plans_before as p),
    array(select p::public.credit_plans from plans_now as p));
  return null;
end;
$$;

comment on function credits.refills_start_now() is 'Has the monthly credits of changed plans begin (refills_start).';

comment on function credits.transfer_plan(public.credit_accounts, public.credit_accounts, bigint) is
  'Which grants a transfer takes. p_to null: the recipient lives on another shard. Raises PT403 when an account is '
  'closed, PT402 when credits are missing or the sender is in debt.';

create function credits.transfer_is_local_check(p_transfer credits.transfer_order)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  elsewhere uuid;
begin
  select a.id into elsewhere
  from credits.shard, unnest(array[p_transfer.from_account_id, p_transfer.to_account_id]) as a (id)
  where not credits.is_own_account(a.id) limit 1;
  if found then
    perform credits.raise_misuse('PT421', format('account %s of this transfer lives on another shard', elsewhere),
      'Make it through the router, or in steps: transfer_send, transfer_receive, transfer_finish.');
  end if;
end;
$$;

comment on function credits.transfer_is_local_check(credits.transfer_order) is
  'Raises PT421 for a transfer of which an account lives on another shard.';

create or replace function credits.transfers_make(p_transfers credits.transfer_order[])
returns setof public.credit_transfer_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  transfer credits.transfer_order;
  sender public.credit_accounts;
  recipient public.credit_accounts;
  new_refs text[];
begin
  perform credits.transfer_check(t) from unnest(p_transfers) as t;
  perform credits.transfer_is_local_check(t) from unnest(p_transfers) as t;
  -- All accounts are locked before anything moves, lower ids first whichever way the credits go, so two calls never
  -- deadlock.
  perform credits.accounts_lock(array(select unnest(array[t.from_account_id, t.to_account_id])
    from unnest(p_transfers) as t));
  perform credits.account_refill_due(t.from_account_id) from unnest(p_transfers) as t;
  new_refs := credits.transfers_note(p_transfers);
  foreach transfer in array p_transfers loop
    if transfer.external_ref = any (new_refs) then
      select * into strict sender from public.credit_accounts where id = transfer.from_account_id;
      select * into strict recipient from public.credit_accounts where id = transfer.to_account_id;
      perform credits.transfer_book(sender, recipient, transfer.amount, transfer.reason, transfer.external_ref);
    else
      perform credits.transfer_return_check(transfer.from_account_id, transfer.external_ref);
    end if;
    return query select s.id, r.id, transfer.amount, s.balance, r.balance, transfer.external_ref <> all (new_refs)
      from public.credit_accounts as s, public.credit_accounts as r
      where s.id = transfer.from_account_id and r.id = transfer.to_account_id;
    new_refs := array_remove(new_refs, transfer.external_ref);
  end loop;
end;
$$;

comment on function public.transfer_credits(uuid, uuid, bigint, text, text) is
  'Moves whole credits between accounts; they keep their expiry and priority, and whether they had their grace period. '
  'Monthly credits under a roll-over cap, also of a plan that the account has left, expire at the end of the month. An '
  'overdraft cannot be transferred. A repeated call with the same external_ref moves nothing (replayed). The recipient '
  'can read external_ref and reason in their entries. Both accounts stay locked until the transaction ends: several '
  'transfers in one transaction can deadlock (40P01) with a transaction that makes them in another order; make them '
  'with transfer_credits_batch. Raises 22023 for a bad argument, PT402 when credits are missing or the sender owes '
  'credits of a revoked grant, PT403 for a closed account, PT409 when the external_ref was another transfer, PT421 on '
  'a shard when an account lives on another one.';

create table credits.external_refs (
  kind text not null check (kind in ('grant', 'withdrawal', 'transfer', 'customer')),
  external_ref text not null check (length(external_ref) between 1 and 255),
  account_id uuid not null,
  claimed_at timestamptz not null default clock_timestamp(),
  primary key (kind, external_ref)
);

comment on table credits.external_refs is
  'Which account an external_ref belongs to, written before the call that books it. Each is on the shards of '
  'credits.ref_groups(external_ref), where all callers meet.';

comment on column credits.external_refs.kind is
  'What it names there: customer is a provider''s customer (credits.customer_ref).';

comment on column credits.external_refs.account_id is 'The account; of a transfer, the sender''s.';

comment on column credits.external_refs.claimed_at is
  'When it was last claimed. Another account may have it 10 minutes later, if it was not booked: no call takes '
  'as long.';

alter table credits.external_refs enable row level security;

create function credits.ref_home(p_external_ref text)
returns uuid
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return md5(p_external_ref)::uuid;
end;
$$;

comment on function credits.ref_home(text) is
  'Where an external_ref is listed: on the shard of this id, by its slot, as if it were an account''s. Never '
  'change it.';

create function credits.customer_ref(p_provider text, p_livemode boolean, p_customer_id text)
returns text
language sql
stable
set search_path = '', pg_temp
as $$ select p_provider || ':' || p_livemode || ':' || p_customer_id $$;

comment on function credits.customer_ref(text, boolean, text) is
  'What a provider''s customer is listed as in credits.external_refs.';

create function credits.ref_groups(p_external_ref text)
returns integer[]
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  home constant integer := credits.slot_group(credits.ref_home(p_external_ref));
begin
  return array[home, home # 1];
end;
$$;

comment on function credits.ref_groups(text) is
  'The slot groups whose shards list an external_ref: that of credits.ref_home, and its neighbour, which is on another '
  'shard wherever there is one. While one of the two is down, the other knows. Never change it.';

create function public.claim_external_ref(
  p_kind text, p_external_ref text, p_account_id uuid, p_instead_of uuid default null
)
returns uuid
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  holder uuid;
begin
  perform credits.caller_check('claim_external_ref');
  if p_kind is null or p_kind not in ('grant', 'withdrawal', 'transfer', 'customer') or p_account_id is null then
    perform credits.raise_misuse('22023', 'an external_ref is claimed for an account, by its kind',
      'kind is grant, withdrawal, transfer or customer.');
  end if;
  perform credits.check_length('external_ref', coalesce(p_external_ref, ''), 1, 255);
  if exists (select from credits.shard where not slot_groups && credits.ref_groups(p_external_ref)) then
    perform credits.raise_misuse('PT421', 'this external_ref is listed on other shards',
      format('Send the call to those that hold slot group %s and %s.',
        (credits.ref_groups(p_external_ref))[1], (credits.ref_groups(p_external_ref))[2]));
  end if;
  insert into credits.external_refs as r (kind, external_ref, account_id)
  values (p_kind, p_external_ref, p_account_id)
  on conflict (kind, external_ref) do update
  set account_id = excluded.account_id, claimed_at = excluded.claimed_at
  where r.account_id = excluded.account_id
    or r.account_id = p_instead_of and r.claimed_at < clock_timestamp() - interval '10 minutes'
  returning account_id into holder;
  return coalesce(holder, (
    select account_id from credits.external_refs where kind = p_kind and external_ref = p_external_ref));
end;
$$;

comment on function public.claim_external_ref(text, text, uuid, uuid) is
  'Says whose an external_ref is, before it is sent to the account''s shard: p_account_id if nobody else has it, else '
  'the other account. p_instead_of: an account that was found not to have booked it (has_external_ref); it loses it '
  'once its claim is 10 minutes old. For a router of shards; called on both that hold credits.ref_groups. Idempotent. '
  'Raises 22023 for a bad argument, PT421 on another shard.';

create function public.has_external_ref(p_account_id uuid, p_kind text, p_external_ref text)
returns boolean
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('has_external_ref');
  return case p_kind
    when 'grant' then exists (select from public.credit_grants
        where account_id = p_account_id and external_ref = p_external_ref)
      or exists (select from public.payments
        where key = p_external_ref and coalesce(account_id, claimed_account_id) = p_account_id
          and state = 'waiting')
    when 'withdrawal' then exists (select from public.credit_withdrawals
      where account_id = p_account_id and external_ref = p_external_ref)
    when 'transfer' then exists (select from public.credit_transfers
      where from_account_id = p_account_id and external_ref = p_external_ref)
    when 'customer' then exists (select from public.payment_customers
      where account_id = p_account_id and credits.customer_ref(provider, livemode, customer_id) = p_external_ref)
    else false end;
end;
$$;

comment on function public.has_external_ref(uuid, text, text) is
  'Whether an account has a grant, a withdrawal or a transfer (p_kind) with this external_ref, or a payment of that '
  'key that waits to be granted, or is this customer. For a router of shards: asked of the account that holds a claim, '
  'before another account gets it.';

create function credits.external_refs_list()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into credits.external_refs (kind, external_ref, account_id)
  select 'grant', external_ref, account_id from public.credit_grants where external_ref is not null
  union all
  select 'withdrawal', external_ref, account_id from public.credit_withdrawals
  union all
  select 'transfer', external_ref, from_account_id from public.credit_transfers
  union all
  select 'customer', credits.customer_ref(provider, livemode, customer_id), account_id
  from public.payment_customers
  where length(credits.customer_ref(provider, livemode, customer_id)) <= 255
  on conflict do nothing;
end;
$$;

comment on function credits.external_refs_list() is
  'Lists the external_refs that were booked before there were shards. Done by credits.become_shard, while one '
  'database still holds every account.';

create table public.credit_transfers_sent (
  account_id uuid not null,
  transfer_id uuid not null,
  external_ref text not null,
  to_account_id uuid not null,
  amount bigint not null check (amount > 0),
  parts jsonb not null,
  sent_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  next_attempt_at timestamptz default clock_timestamp() + interval '10 seconds',
  arrived_at timestamptz,
  returned_at timestamptz,
  refusal text check (length(refusal) between 1 and 500),
  primary key (account_id, transfer_id),
  unique (account_id, external_ref),
  constraint transfer_ends_once check (num_nulls(arrived_at, returned_at) >= 1
    and (returned_at is null) = (refusal is null)
    and (next_attempt_at is null) = (num_nulls(arrived_at, returned_at) = 1))
);

-- What is in flight: transfers_in_flight, alerts, metrics.
create index credit_transfers_sent_due on public.credit_transfers_sent (next_attempt_at)
  where next_attempt_at is not null;

comment on table public.credit_transfers_sent is
  'Transfers to accounts of other shards, on the sender''s shard. Without arrived_at and returned_at one is in '
  'flight: its credits are in no account.';

comment on column public.credit_transfers_sent.account_id is 'The sender.';

comment on column public.credit_transfers_sent.transfer_id is
  'Names the transfer on the recipient''s shard. It follows from sender, recipient, amount and external_ref.';

comment on column public.credit_transfers_sent.parts is
  'Per grant that the credits came from: grant_id, amount, and the priority, expires_at and grace_ends_at that the '
  'recipient''s grant gets.';

comment on column public.credit_transfers_sent.attempts is 'How often transfers_in_flight has handed it out.';

comment on column public.credit_transfers_sent.next_attempt_at is
  'When transfers_in_flight hands it out next; null: it has ended.';

comment on column public.credit_transfers_sent.refusal is
  'Why the recipient''s shard did not take it; then the credits have come back.';

create table public.credit_transfers_received (
  account_id uuid not null,
  transfer_id uuid not null,
  external_ref text not null,
  from_account_id uuid not null,
  amount bigint not null check (amount > 0),
  received_at timestamptz not null default clock_timestamp(),
  refusal text check (length(refusal) between 1 and 500),
  primary key (account_id, transfer_id)
);

comment on table public.credit_transfers_received is
  'Transfers from accounts of other shards, on the recipient''s shard: each counts once.';

comment on column public.credit_transfers_received.account_id is 'The recipient.';

comment on column public.credit_transfers_received.refusal is
  'Why it was not taken: nothing was booked, and never will be. The credits go back to the sender.';

alter table public.credit_transfers_sent enable row level security;

alter table public.credit_transfers_received enable row level security;

comment on type public.credit_transfer_sent is
  'A transfer that the sender''s shard has sent: what transfer_receive needs to go on, and the sender''s balance now. '
  'arrived_at null: it is in flight. transfer_id null: it was made when both accounts lived on this database. '
  'replayed: this external_ref was sent before, so nothing moved. to_balance: the recipient''s, where it lives here.';

comment on type public.credit_transfer_received is
  'What the recipient''s shard did with a transfer, and the recipient''s balance now. refusal: why it was not taken; '
  'give it to transfer_finish. replayed: decided before, so nothing moved.';

create function credits.transfer_id(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text
)
returns uuid
language sql
immutable
set search_path = '', pg_temp
as $$
  -- The two 8s mark a UUID of version 8.
  select left(overlay(overlay(encode(sha256(uuid_send(p_from_account_id) || uuid_send(p_to_account_id)
    || int8send(p_amount) || convert_to(p_external_ref, 'UTF8')), 'hex') placing '8' from 13) placing '8' from 17),
    32)::uuid;
$$;

comment on function credits.transfer_id(uuid, uuid, bigint, text) is
  'The id of a transfer between shards. Not random: a sender''s shard that was restored from a backup sends the same '
  'transfer again under the same id, so that it counts once.';

create function credits.transfer_parts(p_sender public.credit_accounts, p_plan credits.burn_plan)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_agg(jsonb_build_object('grant_id', g.id, 'amount', p.amount, 'priority', g.priority,
    'expires_at', credits.transfer_expiry(p_sender, g), 'grace_ends_at', g.grace_ends_at) order by p.place)
  from unnest(p_plan.grant_ids, p_plan.amounts) with ordinality as p (grant_id, amount, place)
  join public.credit_grants as g on g.account_id = p_sender.id and g.id = p.grant_id;
$$;

comment on function credits.transfer_parts(public.credit_accounts, credits.burn_plan) is
  'What a transfer to another shard takes, per grant, with the terms that the recipient''s grant gets.';

create function credits.transfer_return_check(p_from_account_id uuid, p_external_ref text)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  cause text := (select s.refusal from public.credit_transfers_sent as s
    where s.account_id = p_from_account_id and s.external_ref = p_external_ref);
begin
  if cause is not null then
    perform credits.raise_misuse('PT403', 'this transfer came back: ' || cause,
      'Make it under another external_ref once the recipient can take it.');
  end if;
end;
$$;

comment on function credits.transfer_return_check(uuid, text) is
  'Raises PT403 for a transfer to another shard that was refused there, whenever it is repeated.';

create function credits.transfer_dispatch(
  p_sender public.credit_accounts, p_recipient public.credit_accounts, p_transfer credits.transfer_order
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  plan constant credits.burn_plan := credits.transfer_plan(p_sender, p_recipient, p_transfer.amount);
begin
  insert into public.credit_transfers_sent (account_id, transfer_id, external_ref, to_account_id, amount, parts)
  values (p_sender.id, credits.transfer_id(p_sender.id, p_transfer.to_account_id, p_transfer.amount,
      p_transfer.external_ref), p_transfer.external_ref, p_transfer.to_account_id, p_transfer.amount,
    credits.transfer_parts(p_sender, plan));
  perform credits.balance_announce(p_sender.id, p_sender.balance,
    (credits.burn(p_sender, plan, 'transfer', null, p_transfer.reason)).balance);
end;
$$;

comment on function credits.transfer_dispatch(
  public.credit_accounts, public.credit_accounts, credits.transfer_order
) is
  'Takes the credits of a transfer to another shard, and notes them as in flight. p_recipient: what is known of it; '
  'null: nothing. The caller holds the sender''s lock.';

create function credits.transfer_sent(p_external_ref text, p_is_new boolean)
returns public.credit_transfer_sent
language sql
stable
set search_path = '', pg_temp
as $$
  select row(s.transfer_id, t.from_account_id, t.to_account_id, t.amount, t.external_ref, t.reason, s.parts,
    a.balance, case when s.transfer_id is null then t.created_at else s.arrived_at end, not p_is_new, r.balance
    )::public.credit_transfer_sent
  from public.credit_transfers as t join public.credit_accounts as a on a.id = t.from_account_id
  left join public.credit_accounts as r on r.id = t.to_account_id
  left join public.credit_transfers_sent as s
    on s.account_id = t.from_account_id and s.external_ref = t.external_ref
  where t.external_ref = p_external_ref;
$$;

comment on function credits.transfer_sent(text, boolean) is 'What transfer_send answers of a transfer.';

create function public.transfer_send(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text, p_reason text default null
)
returns public.credit_transfer_sent
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  ordered credits.transfer_order := row(p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
  sender public.credit_accounts;
  is_new boolean;
begin
  perform credits.caller_check('transfer_send');
  perform credits.transfer_check(ordered);
  perform credits.own_account_check(p_from_account_id);
  sender := credits.account_lock(p_from_account_id);
  if credits.account_refill_due(sender.id) then
    sender := credits.account_lock(sender.id);
  end if;
  is_new := cardinality(credits.transfers_note(array[ordered])) > 0;
  if is_new then
    perform credits.transfer_dispatch(sender, null, ordered);
  end if;
  perform credits.transfer_return_check(sender.id, p_external_ref);
  return credits.transfer_sent(p_external_ref, is_new);
end;
$$;

comment on function public.transfer_send(uuid, uuid, bigint, text, text) is
  'The first step of a transfer to an account of another shard, on the sender''s shard: takes the credits as '
  'transfer_credits does and notes them as in flight. Go on with transfer_receive on the recipient''s shard, then '
  'transfer_finish here. If that breaks off, transfers_in_flight hands the transfer out again. A repeated call with '
  'the same external_ref takes nothing (replayed). Raises 22023 for a bad argument, PT402 when credits are missing or '
  'the sender owes credits of a revoked grant, PT403 for a closed account and for a transfer that has come back, '
  'PT409 when the external_ref was another transfer, PT421 when the sender lives on another shard.';

create function public.transfer_send_batch(p_transfers jsonb, p_closed uuid[] default '{}')
returns setof public.credit_transfer_sent
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  transfers constant credits.transfer_order[] := credits.transfers_read(p_transfers);
  transfer credits.transfer_order;
  sender public.credit_accounts;
  recipient public.credit_accounts;
  new_refs text[];
begin
  perform credits.caller_check('transfer_send_batch');
  perform credits.transfer_check(t) from unnest(transfers) as t;
  perform credits.own_account_check(t.from_account_id) from unnest(transfers) as t;
  -- As in transfers_make: all that live here, before anything moves.
  perform credits.accounts_lock(credits.own_accounts(array(
    select unnest(array[t.from_account_id, t.to_account_id]) from unnest(transfers) as t)));
  perform credits.account_refill_due(t.from_account_id) from unnest(transfers) as t;
  new_refs := credits.transfers_note(transfers);
  foreach transfer in array transfers loop
    if transfer.external_ref <> all (new_refs) then
      perform credits.transfer_return_check(transfer.from_account_id, transfer.external_ref);
    else
      select * into strict sender from public.credit_accounts where id = transfer.from_account_id;
      select * into recipient from public.credit_accounts where id = transfer.to_account_id;
      if found then
        perform credits.transfer_book(sender, recipient, transfer.amount, transfer.reason, transfer.external_ref);
      else
        recipient.closed_at := case when transfer.to_account_id = any (p_closed) then now() end;
        perform credits.transfer_dispatch(sender, recipient, transfer);
      end if;
    end if;
    return next credits.transfer_sent(transfer.external_ref, transfer.external_ref = any (new_refs));
    new_refs := array_remove(new_refs, transfer.external_ref);
  end loop;
end;
$$;

comment on function public.transfer_send_batch(jsonb, uuid[]) is
  'The first step of transfer_credits_batch where all senders live on this shard, and recipients on others: makes the '
  'transfers between accounts of this shard, and sends the others as transfer_send does, all or nothing, in their '
  'order. p_closed: accounts of other shards that are known to be closed. Go on with each transfer that has a '
  'transfer_id and has not arrived. Raises 22023 for a batch that is not an array of 1 to 1000 transfers, and '
  'otherwise what transfer_send raises.';

create function credits.transfer_arrival(
  p_account public.credit_accounts, p_from_account_id uuid, p_external_ref text, p_parts jsonb, p_reason text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
  arrival bigint;
begin
  for part in
    select p.* from jsonb_to_recordset(p_parts) as p (
      grant_id bigint, amount bigint, priority smallint, expires_at timestamptz, grace_ends_at timestamptz)
  loop
    insert into public.credit_grants (account_id, kind, amount, priority, expires_at, grace_ends_at, reason)
    values (p_account.id, 'transfer', part.amount, part.priority, part.expires_at, part.grace_ends_at, p_reason)
    returning id into arrival;
    p_account := credits.grant_fill(p_account, arrival, part.amount, 'transfer', null, p_reason,
      jsonb_build_object('from_account_id', p_from_account_id, 'from_grant_id', part.grant_id,
        'external_ref', p_external_ref));
  end loop;
end;
$$;

comment on function credits.transfer_arrival(public.credit_accounts, uuid, text, jsonb, text) is
  'Books a transfer from another shard: one grant per part, as transfer_book makes them. The caller holds the '
  'account''s lock.';

create function credits.transfer_amount(p_parts jsonb)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  amount bigint;
begin
  -- Read as transfer_arrival reads them, so that a part that cannot be read is an error and no refusal.
  select case when min(p.amount) > 0 and bool_and(p.priority is not null) then sum(p.amount)::bigint end into amount
  from jsonb_to_recordset(p_parts) as p (
    grant_id bigint, amount bigint, priority smallint, expires_at timestamptz, grace_ends_at timestamptz);
  return amount;
exception when data_exception then
  return null;
end;
$$;

comment on function credits.transfer_amount(jsonb) is 'The credits of a transfer''s parts; null if they are none.';

create function credits.transfer_take(
  p_account public.credit_accounts, p_from_account_id uuid, p_external_ref text, p_parts jsonb, p_reason text
)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_account.closed_at is not null then
    return 'the recipient''s account is closed';
  end if;
  perform credits.transfer_arrival(p_account, p_from_account_id, p_external_ref, p_parts, p_reason);
  return null;
-- What would be refused each time, and would have failed as a whole on one database: a balance out of range, a
-- constraint or trigger of the app. Locks, outages and the like are raised: the next attempt may succeed.
exception when data_exception or integrity_constraint_violation or raise_exception then
  return left('the recipient''s account cannot take it: ' || sqlerrm, 500);
end;
$$;

comment on function credits.transfer_take(public.credit_accounts, uuid, text, jsonb, text) is
  'Books a transfer from another shard, or says why it cannot be booked. The caller holds the account''s lock.';

create function public.transfer_receive(
  p_to_account_id uuid, p_transfer_id uuid, p_from_account_id uuid, p_external_ref text, p_parts jsonb,
  p_reason text default null
)
returns public.credit_transfer_received
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  amount bigint := credits.transfer_amount(p_parts);
  account public.credit_accounts;
  receipt public.credit_transfers_received;
  is_new boolean;
begin
  perform credits.caller_check('transfer_receive');
  perform credits.transfer_check(row(p_from_account_id, p_to_account_id, amount, p_external_ref, p_reason));
  if p_transfer_id is distinct from
    credits.transfer_id(p_from_account_id, p_to_account_id, amount, p_external_ref) then
    perform credits.raise_misuse('22023', 'this is not the transfer that was sent',
      'Pass what transfer_send or transfers_in_flight returned, unchanged.');
  end if;
  perform credits.own_account_check(p_to_account_id);
  account := credits.account_lock(p_to_account_id);
  select * into receipt from public.credit_transfers_received
  where account_id = account.id and transfer_id = p_transfer_id;
  is_new := not found;
  if is_new then
    receipt.refusal := credits.transfer_take(account, p_from_account_id, p_external_ref, p_parts, p_reason);
    insert into public.credit_transfers_received (account_id, transfer_id, external_ref, from_account_id, amount,
      refusal)
    values (account.id, p_transfer_id, p_external_ref, p_from_account_id, amount, receipt.refusal);
  end if;
  return row(p_transfer_id, account.id, amount, (select balance from public.credit_accounts where id = account.id),
    receipt.refusal, not is_new)::public.credit_transfer_received;
end;
$$;

comment on function public.transfer_receive(uuid, uuid, uuid, text, jsonb, text) is
  'The second step of a transfer between shards, on the recipient''s shard, with what transfer_send or '
  'transfers_in_flight returned: opens the recipient''s account if it has no row yet, and books the credits with '
  'their expiry and priority. Where they cannot be booked, as on a closed account, it refuses them for good '
  '(refusal). What it decided stays: a repeated call moves nothing (replayed). Raises 22023 for what is not the '
  'transfer that was sent, PT421 when the recipient lives on another shard.';

create function credits.transfer_return(p_sender public.credit_accounts, p_sent public.credit_transfers_sent)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
  home public.credit_grants;
begin
  for part in
    select (p.value ->> 'grant_id')::bigint as grant_id, (p.value ->> 'amount')::bigint as amount
    from jsonb_array_elements(p_sent.parts) with ordinality as p (value, place) order by p.place desc
  loop
    select * into strict home from public.credit_grants where account_id = p_sender.id and id = part.grant_id;
    -- No grace period: a refused transfer must not make credits live longer. And no roll-over cap, which would count
    -- what was sent in this very month.
    p_sender := credits.refund_return(p_sender, 'transfer', null, home, part.amount, 'transfer that came back',
      jsonb_build_object('from_account_id', p_sent.to_account_id, 'from_grant_id', home.id,
        'external_ref', p_sent.external_ref, 'returned', true),
      coalesce(home.expires_at > clock_timestamp(), true));
  end loop;
end;
$$;

comment on function credits.transfer_return(public.credit_accounts, public.credit_transfers_sent) is
  'Gives what a transfer took back to the grants that it came from, the last first; what has expired meanwhile '
  'expires. The caller holds the account''s lock.';

create function public.transfer_finish(
  p_from_account_id uuid, p_transfer_id uuid, p_refusal text default null
)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  sender public.credit_accounts;
  sent public.credit_transfers_sent;
begin
  perform credits.caller_check('transfer_finish');
  perform credits.check_length('refusal', p_refusal, 1, 500);
  select * into sender from public.credit_accounts where id = p_from_account_id for update;
  select * into sent from public.credit_transfers_sent
  where account_id = p_from_account_id and transfer_id = p_transfer_id for update;
  if not found then
    perform credits.raise_misuse('PT404', 'this account has sent no such transfer',
      'The table credit_transfers_sent of the sender''s shard lists them.');
  end if;
  if sent.next_attempt_at is null then
    if (p_refusal is null) <> (sent.refusal is null) then
      perform credits.raise_misuse('PT409', 'this transfer has ended otherwise',
        'Pass the refusal that transfer_receive returned, or null if it returned none.');
    end if;
    return false;
  end if;
  if p_refusal is not null then
    perform credits.transfer_return(sender, sent);
  end if;
  update public.credit_transfers_sent
  set next_attempt_at = null, refusal = p_refusal, arrived_at = case when p_refusal is null then clock_timestamp() end,
    returned_at = case when p_refusal is not null then clock_timestamp() end
  where account_id = sent.account_id and transfer_id = sent.transfer_id;
  return true;
end;
$$;

comment on function public.transfer_finish(uuid, uuid, text) is
  'The last step of a transfer between shards, on the sender''s shard: notes that it has arrived; or, with the '
  'refusal of transfer_receive, gives the credits back to the grants that they came from, also if the account is '
  'closed by now. Pass nothing but what transfer_receive returned. Returns whether this call did it: a repeated one '
  'does nothing. Raises 22023 for a refusal that is empty or above 500 characters, PT404 for an unknown transfer, '
  'PT409 for one that has ended otherwise.';

create function public.transfers_in_flight(p_limit integer default 100)
returns table (
  transfer_id uuid, from_account_id uuid, to_account_id uuid, amount bigint, external_ref text, reason text,
  parts jsonb, attempts integer, sent_at timestamptz
)
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('transfers_in_flight');
  return query
  with due as (
    select s.account_id, s.transfer_id from public.credit_transfers_sent as s where s.next_attempt_at <= now()
    order by s.next_attempt_at limit least(greatest(coalesce(p_limit, 100), 0), 1000)
    for update skip locked
  ),
  claimed as (
    update public.credit_transfers_sent as s
    set attempts = s.attempts + 1,
      next_attempt_at = now() + make_interval(secs => least(20 * 2 ^ least(s.attempts, 5), 600))
    from due as d where s.account_id = d.account_id and s.transfer_id = d.transfer_id
    returning s.*
  )
  select c.transfer_id, c.account_id, c.to_account_id, c.amount, c.external_ref, t.reason, c.parts, c.attempts,
    c.sent_at
  from claimed as c left join public.credit_transfers as t on t.external_ref = c.external_ref
  order by c.sent_at;
end;
$$;

comment on function public.transfers_in_flight(integer) is
  'Hands out up to p_limit transfers to other shards that have not ended, for transfer_receive and transfer_finish: '
  'first 10 seconds after they were sent, then after 20 seconds, and each time after twice as long, up to 10 minutes. '
  'No other call gets them meanwhile.';

create view public.credit_transfer_totals
with (security_invoker = true)
as
select s.sent, s.arrived, s.returned, s.in_flight, s.transfers_in_flight, r.received, l.moved
from (
  select coalesce(sum(amount), 0) as sent, coalesce(sum(amount) filter (where arrived_at is not null), 0) as arrived,
    coalesce(sum(amount) filter (where returned_at is not null), 0) as returned,
    coalesce(sum(amount) filter (where num_nulls(arrived_at, returned_at) = 2), 0) as in_flight,
    count(*) filter (where num_nulls(arrived_at, returned_at) = 2) as transfers_in_flight
  from public.credit_transfers_sent
) as s,
(select coalesce(sum(amount), 0) as received from public.credit_transfers_received where refusal is null) as r,
(select coalesce(sum(delta), 0) as moved from public.credit_ledger where kind = 'transfer') as l;

comment on view public.credit_transfer_totals is
  'Transfers between this shard and others in one row, in whole credits: sent = arrived + returned + in_flight. '
  'moved: the sum of all entries of kind transfer. Added up over all shards, moved + in_flight = 0 where nothing is '
  'on its way; while something is, moved + in_flight + arrived = received.';

create or replace function credits.product_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if tg_op = 'UPDATE' then
    -- These two say what may be bought, not what was.
    old.enabled := new.enabled;
    old.max_quantity := new.max_quantity;
    if old is not distinct from new then
      return new;
    end if;
  end if;
  -- The payments of other databases cannot be seen from here.
  if exists (select from credits.shard) then
    perform credits.raise_misuse('PT409', 'a product version of shards is never changed or deleted',
      'Write a new version: select set_product(…). Set enabled to false to sell it no more.');
  end if;
  -- Bookings in flight hold a share lock on the version, for which this statement has waited.
  if exists (select from public.payments as p cross join lateral jsonb_array_elements(p.lines) as l
    where p.provider = old.provider and p.livemode = old.livemode and p.status = 'paid'
      and l ->> 'price_id' = old.provider_price_id) then
    perform credits.raise_misuse('PT409', 'this version of the product was sold',
      'Write a new version: select set_product(…). Set enabled to false to sell it no more.');
  end if;
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;

comment on function credits.product_is_kept() is
  'Refuses to change or delete a version that was sold, because later states of its payments are booked by it. With '
  'shards each is refused, as the payments of the others cannot be seen.';

create view public.credit_journal
with (security_invoker = true)
as
select l.account_id, l.seq, l.created_at, l.kind, l.job_id, l.grant_id, side.book,
  greatest(side.amount, 0) as debit, greatest(-side.amount, 0) as credit, side.amount, null::bigint as debt_seq,
  null::uuid as transfer_id
from public.credit_ledger as l
cross join lateral (values
  (case when l.grant_id is null then 'overdraft' else 'customer credits' end, -l.delta),
  (credits.book_of(l.kind), l.delta)
) as side (book, amount)
union all
select d.account_id, null, d.created_at, 'revocation', null, d.grant_id, side.book,
  greatest(side.amount, 0), greatest(-side.amount, 0), side.amount, d.seq, null
from public.credit_debts as d
cross join lateral (values ('debts', d.delta), ('clearing', -d.delta)) as side (book, amount)
where d.delta <> 0
union all
-- What left this shard is owed on the way, until it has arrived or come back.
select s.account_id, null, way.at, 'transfer', null, null, side.book,
  greatest(side.amount, 0), greatest(-side.amount, 0), side.amount, null, s.transfer_id
from public.credit_transfers_sent as s
cross join lateral (values (s.sent_at, s.amount), (coalesce(s.arrived_at, s.returned_at), -s.amount))
  as way (at, amount)
cross join lateral (values ('clearing', way.amount), ('in flight', -way.amount)) as side (book, amount)
where way.at is not null;

comment on view public.credit_journal is
  'Every ledger entry as a debit and a credit, in whole credits: two rows per transaction (account_id, seq), amount '
  '= debit - credit, every change of a debt (debt_seq instead of seq), and every transfer to another shard '
  '(transfer_id instead), summing to zero by transaction, by day and overall. Customer credits are a liability: a '
  'credit there is owed to the customer. Debts are an asset, too: what is owed of grants that were taken back. In '
  'flight is a liability: credits that left for an account of another shard, until they arrive. Overdraft is an '
  'asset: a debit there is owed by the customer, who spent beyond their grants.';

create view public.credit_liability_daily
with (security_invoker = true)
as
select day, change, sum(change) over (order by day)::bigint as outstanding,
  sum(lent) over (order by day)::bigint as overdrawn, sum(away) over (order by day)::bigint as in_flight
from (
  select (created_at at time zone 'utc')::date as day,
    coalesce(sum(credit - debit) filter (where book = 'customer credits'), 0)::bigint as change,
    coalesce(sum(debit - credit) filter (where book = 'overdraft'), 0)::bigint as lent,
    coalesce(sum(credit - debit) filter (where book = 'in flight'), 0)::bigint as away
  from public.credit_journal where book in ('customer credits', 'overdraft', 'in flight') group by 1
) as days;

comment on view public.credit_liability_daily is
  'Credits owed to customers at the end of each day (UTC) on which something moved: change of the day, and '
  'outstanding. overdrawn: what customers owe at that time, having spent beyond their grants; outstanding - '
  'overdrawn is the sum of all balances. in_flight: owed besides, on the way to accounts of other shards.';

create function credits.has_left_traces(p_person_id uuid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select not credits.is_own_account(p_person_id) and (
    exists (select from public.credit_request_events where account_id = p_person_id or member_id = p_person_id)
    or exists (select from public.credit_app_keys where member_id = p_person_id));
$$;

comment on function credits.has_left_traces(uuid) is
  'Whether a person whose account is on another shard has denied requests or keys here, in no team any more.';

create or replace function public.erase_account(p_account_id uuid)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account_ids uuid[];
begin
  perform credits.caller_check('erase_account');
  perform credits.operators_forget(array[p_account_id], false);
  account_ids := array(select credits.person_accounts(array[p_account_id], true));
  if cardinality(account_ids) = 0 and not credits.has_left_traces(p_account_id) then
    return 0;
  end if;
  -- A member may have no account yet: the lock opens it, so that it can be closed. One of another shard has none here.
  return credits.person_erase_from(p_account_id,
    credits.accounts_lock(credits.own_accounts(array[p_account_id]) || account_ids));
end;
$$;

create or replace function credits.person_close(p_account_id uuid, p_locked_ids uuid[])
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  team_ids uuid[];
  team_id uuid;
begin
  update public.account_erasures set was_closed = true
  where account_id = p_account_id and exists (
    select from public.credit_accounts where id = p_account_id and id = any (p_locked_ids) and user_id is not null
      and closed_at is not null);
  update public.credit_accounts set user_id = null, closed_at = coalesce(closed_at, clock_timestamp())
  where id = p_account_id and id = any (p_locked_ids) and not is_team;
  with left_teams as (
    delete from public.account_members where user_id = p_account_id and account_id = any (p_locked_ids)
    returning account_id
  )
  select array_agg(account_id order by account_id) into team_ids from left_teams;
  foreach team_id in array coalesce(team_ids, '{}') loop
    perform credits.team_pass_on(team_id);
  end loop;
  return (exists (
      select from public.credit_accounts where id = p_account_id
        and (is_team or user_id is null and closed_at is not null))
    -- Theirs is on another shard, which closes it.
    or not credits.is_own_account(p_account_id))
    and not exists (select from public.account_members where user_id = p_account_id);
end;
$$;

create or replace function credits.person_leave(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  with_erasure boolean := (select erase_on_user_deletion from public.credit_settings);
  account_ids uuid[];
  locked_ids uuid[];
begin
  begin
    account_ids := array(select credits.person_accounts(array[p_account_id], with_erasure));
    -- The accounts that the caller has locked, and those that are free. Nothing waits here, so the lock order cannot be
    -- broken.
    locked_ids := array(select id from public.credit_accounts where id = any (account_ids)
      order by id for update skip locked);
    perform credits.team_spare(p_account_id);
    if credits.person_close(p_account_id, locked_ids) then
      perform credits.closing_note(p_account_id);
    end if;
  exception when others then
    raise warning 'the account of deleted user % is closed later: % (%)', p_account_id, sqlerrm, sqlstate;
    return;
  end;
  -- A block of its own: an erasure that fails leaves the account closed.
  begin
    if with_erasure and locked_ids = account_ids
      and (p_account_id = any (locked_ids) or not credits.is_own_account(p_account_id))
      and not exists (select from public.credit_accounts where id = p_account_id and is_team) then
      perform credits.person_erase_from(p_account_id, locked_ids);
    end if;
  exception when others then
    raise warning 'the account of deleted user % is erased later: % (%)', p_account_id, sqlerrm, sqlstate;
  end;
end;
$$;

create or replace function credits.people_leave(p_person_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  person uuid;
begin
  -- Noted before any wait, and in a block of its own: finish_erasures does what fails below.
  begin
    insert into public.account_erasures as e (account_id, erases)
    select p.id, s.erase_on_user_deletion from unnest(p_person_ids) as p (id), public.credit_settings as s
    on conflict (account_id) do update
    set erases = e.erases or excluded.erases, finished_at = case when e.of_team then e.finished_at end,
      returned_at = null;
  exception when others then
    raise warning 'the deletion of users is not noted: % (%)', sqlerrm, sqlstate;
  end;
  -- Before any account, as operators are locked first.
  begin
    perform credits.operators_forget(p_person_ids, true);
  exception when others then
    raise warning 'deleted users stay operators: % (%)', sqlerrm, sqlstate;
  end;
  begin
    perform credits.accounts_lock(credits.own_accounts(p_person_ids) || array(
      select credits.person_accounts(p_person_ids, erase_on_user_deletion) from public.credit_settings));
  exception when lock_not_available or deadlock_detected then
    raise notice 'some accounts of deleted users are busy, and are closed by finish_erasures: %', sqlerrm;
  when others then
    raise warning 'accounts of deleted users are closed by finish_erasures: % (%)', sqlerrm, sqlstate;
    return;
  end;
  foreach person in array p_person_ids loop
    perform credits.person_leave(person);
  end loop;
end;
$$;

create or replace function credits.person_return(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not credits.is_own_account(p_account_id) then
    perform credits.handover_add('join', p_account_id);
    return;
  end if;
  begin
    if exists (select from public.credit_accounts where id = p_account_id and is_team)
      or not exists (select from public.credit_accounts where id = p_account_id and user_id is null)
      and not exists (select from public.account_erasures where account_id = p_account_id) then
      return;
    end if;
  exception when others then
    raise notice 'finish_erasures finds out whether user % is back: %', p_account_id, sqlerrm;
  end;
  -- Noted in a block of its own, as a deletion is. A deletion that has not closed the account yet, and erases nothing,
  -- is canceled by this.
  begin
    insert into public.account_erasures as e (account_id, erases, finished_at, returned_at)
    values (p_account_id, false, clock_timestamp(), clock_timestamp())
    on conflict (account_id) do update
    set returned_at = excluded.returned_at,
      finished_at = case when e.erases then e.finished_at else excluded.finished_at end;
  exception when others then
    raise warning 'the return of user % is not noted: % (%)', p_account_id, sqlerrm, sqlstate;
  end;
  begin
    perform credits.account_lock(p_account_id);
    perform credits.person_reopen(p_account_id);
  exception when others then
    raise warning 'the account of user % is opened again by finish_erasures: % (%)', p_account_id, sqlerrm, sqlstate;
  end;
end;
$$;

create or replace function credits.departure_finish(p_due public.account_erasures)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account_ids uuid[];
  is_closed boolean;
begin
  if p_due.finished_at is null then
    -- If there is no account to close, a closed one is made, so that none can be opened.
    insert into public.credit_accounts (id, closed_at)
      select p_due.account_id, clock_timestamp() where credits.is_own_account(p_due.account_id) on conflict do nothing;
  end if;
  -- A task never waits for a busy account: the next run takes it.
  account_ids := array(
    select id from public.credit_accounts
    where id in (select credits.person_accounts(array[p_due.account_id], p_due.erases))
    order by id for update nowait);
  perform credits.team_spare(p_due.account_id);
  -- Under the locks: the person may have come back or left since the list was made.
  select * into p_due from public.account_erasures where account_id = p_due.account_id;
  if not found then
    return;
  end if;
  if p_due.finished_at is null then
    is_closed := credits.person_close(p_due.account_id, account_ids);
    if p_due.erases then
      perform credits.person_erase_from(p_due.account_id, account_ids);
    elsif is_closed then
      perform credits.closing_note(p_due.account_id);
    end if;
  end if;
  if p_due.returned_at is not null then
    perform credits.person_reopen(p_due.account_id);
  end if;
end;
$$;

create function credits.sign_up_note_denial(p_account_id uuid, p_code text)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_request_events (account_id, status, code)
  select p_account_id, 403, p_code where p_code is not null and not exists (
    select from public.credit_request_events where account_id = p_account_id and code = p_code);
$$;

comment on function credits.sign_up_note_denial(uuid, text) is
  'Leaves a row in credit_request_events: why a user has no sign-up grant; none for null, nor a second one.';

create function public.person_joins(p_person_id uuid, p_amount bigint default null, p_code text default null)
returns bigint
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  account public.credit_accounts;
begin
  perform credits.caller_check('person_joins');
  if p_person_id is null then
    perform credits.raise_misuse('22023', 'a person is needed', 'Pass the auth user''s id.');
  end if;
  if p_code is not null and p_code not in ('sign_up_granted_before', 'sign_up_grants_exhausted') then
    perform credits.raise_misuse('22023', 'this code says nothing of a sign-up grant',
      'sign_up_granted_before and sign_up_grants_exhausted do.');
  end if;
  perform credits.own_account_check(p_person_id);
  perform credits.person_return(p_person_id);
  account := credits.account_lock(p_person_id);
  perform credits.sign_up_note_denial(p_person_id, p_code);
  -- As on one database: no grant for an account that is closed, or a team's.
  if p_amount is not null and account.closed_at is null and not account.is_team then
    return (public.grant_credits(p_person_id, p_amount, 'sign-up grant',
      p_external_ref => 'sign-up:' || p_person_id)).balance;
  end if;
  return account.balance;
end;
$$;

comment on function public.person_joins(uuid, bigint, text) is
  'Does on the shard of a user''s account what their sign-up or return does on one database: opens it, or opens it '
  'again, and grants the sign-up credits that were decided where they signed up (null: none; p_code: why). '
  'Idempotent; returns the balance. Raises 22023 for a bad argument, PT421 on another shard, PT409 for another amount '
  'than before.';

create function credits.person_is_gone_check(p_person_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from auth.users where id = p_person_id and to_jsonb(users) ->> 'deleted_at' is null) then
    perform credits.raise_misuse('PT409', 'this user is not deleted',
      'Delete them in Auth: the rest follows from that.');
  end if;
end;
$$;

comment on function credits.person_is_gone_check(uuid) is
  'Raises PT409 for a user who is signed up here and not deleted.';

create function public.person_leaves(p_person_id uuid)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
begin
  perform credits.caller_check('person_leaves');
  if p_person_id is null then
    perform credits.raise_misuse('22023', 'a person is needed', 'Pass the auth user''s id.');
  end if;
  -- Who is signed up here leaves by Auth. A shard knows nobody: its own users were copied when the router was made.
  if not exists (select from credits.shard where slot_groups <> '{}') then
    perform credits.person_is_gone_check(p_person_id);
  end if;
  perform credits.people_leave(array[p_person_id]);
  if exists (select from public.account_erasures where account_id = p_person_id and finished_at is null) then
    return false;
  end if;
  if exists (select from public.account_members where user_id = p_person_id)
    or exists (select from public.credit_accounts
      where id = p_person_id and not is_team and (user_id is not null or closed_at is null)) then
    perform credits.raise_misuse('55P03', 'the person could not leave, nor be noted', 'Repeat the call.');
  end if;
  return true;
end;
$$;

comment on function public.person_leaves(uuid) is
  'Does on this shard what the deletion of a user does where they signed up: closes and unlinks their account, if it '
  'lives here, takes them out of the teams that live here, and erases them if credit_settings says so. Call it on '
  'every shard. Idempotent; returns whether all is done: finish_erasures does what is left. Raises 22023 without a '
  'person, PT409 for one whom Auth has here and has not deleted, 55P03 where not even a note of it could be made.';

create view credits.transfers_booked
with (security_invoker = true)
as
select m.account_id, m.external_ref, m.from_account_id, min(m.seq) as seq, sum(m.told) as told, sum(m.booked) as booked
from (
  select to_account_id as account_id, external_ref, from_account_id::text as from_account_id, null::bigint as seq,
    amount as told, 0 as booked
  from public.credit_transfers as t
  -- What was sent to another shard arrives there; after a shard was divided, one of the accounts may live elsewhere.
  where not exists (select from public.credit_transfers_sent as s
      where s.account_id = t.from_account_id and s.external_ref = t.external_ref)
    and not exists (select from public.credit_transfers_received as r
      where r.account_id = t.to_account_id and r.external_ref = t.external_ref
        and r.from_account_id = t.from_account_id)
    and ((select slot_groups from credits.shard) is null
      or credits.slot_group(to_account_id) = any ((select slot_groups from credits.shard)::integer[]))
  union all
  -- Sent transfers are compared in total: the sender's entries do not name the recipient.
  select from_account_id, null, null, null, amount, 0 from public.credit_transfers
  where (select slot_groups from credits.shard) is null
    or credits.slot_group(from_account_id) = any ((select slot_groups from credits.shard)::integer[])
  union all
  select account_id, external_ref, from_account_id::text, null, amount, 0
  from public.credit_transfers_received where refusal is null
  union all
  -- What has come back was received from the account that it had been sent to.
  select account_id, external_ref, to_account_id::text, null, amount, 0
  from public.credit_transfers_sent where returned_at is not null
  union all
  -- Imported transfers have no row in credit_transfers.
  select l.account_id, l.metadata ->> 'external_ref', l.metadata ->> 'from_account_id',
    case when l.delta > 0 then l.seq end, 0, abs(l.delta::numeric)
  from public.credit_ledger as l where l.kind = 'transfer' and (l.metadata is null or l.metadata ? 'from_account_id')
) as m
group by m.account_id, m.external_ref, m.from_account_id;

comment on view credits.transfers_booked is
  'Each transfer that an account received, and the total that it sent (external_ref null), by credit_transfers and '
  'what was sent to and received from other shards (told), and by its entries (booked; seq is the first).';

create view credits.transfers_noted
with (security_invoker = true)
as
select s.account_id, coalesce(t.amount, 0) as told,
  case when t.external_ref is null then s.amount
    -- Under another id it would be delivered as another transfer.
    when (t.to_account_id, t.amount) = (s.to_account_id, s.amount)
      and s.transfer_id = credits.transfer_id(s.account_id, s.to_account_id, s.amount, s.external_ref)
    then (select coalesce(sum((p ->> 'amount')::numeric), 0) from jsonb_array_elements(s.parts) as p)
    else 0 end as noted,
  s.sent_at as since
from public.credit_transfers_sent as s
left join public.credit_transfers as t on t.external_ref = s.external_ref and t.from_account_id = s.account_id
union all
select t.from_account_id, t.amount, 0, t.created_at
from credits.shard as d join public.credit_transfers as t on t.created_at > d.since
where credits.slot_group(t.from_account_id) = any (d.slot_groups)
  and credits.slot_group(t.to_account_id) <> all (d.slot_groups)
  and not exists (select from public.credit_transfers_sent as s
    where s.account_id = t.from_account_id and s.external_ref = t.external_ref);

comment on view credits.transfers_noted is
  'Each transfer to another shard, by credit_transfers (told) and by the parts that credit_transfers_sent has of it '
  '(noted). Without one of these rows credits would be lost on their way, or made.';

create or replace function credits.suspect_sums(p_seed bigint)
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
set enable_mergejoin = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  -- Checks that each job's entries equal its cost and refunds, without one group per job. Each run gives every job two
  -- random factors of 21 bits; an account's entries and its jobs, multiplied by them, must have the same two sums. A
  -- wrong job goes unseen once in 2^42 runs (2^21 if cost and refunded are wrong by the same amount). This takes a
  -- fifth of the time of one group per job.
  return query
  with moved as (
    select l.account_id, l.grant_id, sum(l.delta) as total,
      sum(l.delta) filter (
        where l.kind = 'expiry' and coalesce(l.metadata - 'operator_action', '{}') = '{}') as breakage,
      sum(m.delta * (h.bits & 2097151)) as sum1,
      -- A charge counts twice, so that cost and refunded changed by the same amount are found too.
      sum(m.delta * case l.kind when 'charge' then 2 else 1 end * (h.bits >> 21 & 2097151)) as sum2,
      bool_or(l.job_id is not null and m.delta is null) as odd
    from public.credit_ledger as l
    cross join lateral (select uuid_hash_extended(l.job_id, p_seed)) as h (bits)
    cross join lateral (select case when l.delta between -2199023255552 and 2199023255552 then l.delta end) as m (delta)
    group by l.account_id, l.grant_id
  ),
  entries as (
    select m.account_id, coalesce(sum(m.sum1), 0) as sum1, coalesce(sum(m.sum2), 0) as sum2,
      bool_or(m.odd) as odd, coalesce(sum(m.total) filter (where m.grant_id is null), 0) as without_grant
    from moved as m group by m.account_id
  ),
  jobs as (
    select j.account_id, sum(j.net * (h.bits & 2097151)) as sum1,
      sum((j.net + j.cost) * (h.bits >> 21 & 2097151)) as sum2, bool_or(j.net is null or j.odd) as odd
    from (
      select o.account_id, o.id, o.cost,
        case when o.cost between 0 and 2199023255552 and o.refunded between 0 and o.cost
          and (o.refunded = o.cost or o.status not in ('failed', 'canceled', 'expired'))
          and (o.output is not null or o.status <> 'succeeded') then o.cost - o.refunded end as net,
        (o.status = 'succeeded') <> (o.actual_cost is not null)
          or o.seal is distinct from case
            when o.actual_cost <> o.cost then credits.job_seal(o.account_id, o.id, o.actual_cost) end as odd
      from public.generation_jobs as o
      -- Otherwise net is computed again for each of its uses.
      offset 0
    ) as j
    cross join lateral (select uuid_hash_extended(j.id, p_seed)) as h (bits)
    group by j.account_id
  ),
  grants as (
    select coalesce(g.account_id, m.account_id) as account_id, sum(g.remaining) as remaining,
      -- Only a grant whose credits all repaid an overdraft has no entry; without a grant, one was deleted.
      bool_and(g.id is not null and (m.grant_id is not null or g.repaid = g.amount)
        and g.remaining = coalesce(m.total, 0) and g.breakage = -coalesce(m.breakage, 0)
        and g.remaining between 0 and g.amount and g.is_open = (g.remaining > 0)
        and g.seal is not distinct from credits.grant_seal(g)) as sound
    from public.credit_grants as g
    full join (select * from moved where grant_id is not null) as m on m.account_id = g.account_id and m.grant_id = g.id
    group by 1
  )
  select coalesce(a.id, e.account_id, j.account_id, g.account_id)
  from public.credit_accounts as a
  full join entries as e on e.account_id = a.id
  full join jobs as j on j.account_id = coalesce(a.id, e.account_id)
  full join grants as g on g.account_id = coalesce(a.id, e.account_id, j.account_id)
  where (a.balance::numeric + a.credit_limit >= 0 and a.overdraft_used = -coalesce(e.without_grant, 0)
    and a.balance = coalesce(g.remaining, 0) - a.overdraft_used and coalesce(g.sound, true)
    and not coalesce(e.odd, false) and not coalesce(j.odd, false) and coalesce(e.sum1, 0) = -coalesce(j.sum1, 0)
    and coalesce(e.sum2, 0) = -coalesce(j.sum2, 0)) is not true;
end;
$$;

create or replace function credits.suspect_counts()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
declare
  this_month date := date_trunc('month', credits.clock_bound() at time zone 'utc');
begin
  return query
  select t.account_id from credits.transfers_booked as t where t.told <> t.booked
  union all
  select n.account_id from credits.transfers_noted as n where n.told <> n.noted
  union all
  select w.account_id from credits.withdrawals_booked as w where w.told <> w.booked
  union all
  select r.account_id from credits.grants_repaid as r where r.told <> r.booked
  union all
  select m.account_id from credits.members_counted as m
  where m.told not between m.least and m.most or m.spent_month > this_month;
end;
$$;

create or replace function credits.grant_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- PL/pgSQL keeps the plan; a function in SQL would be planned again for each account.
  return query
  with totals as (
    select l.grant_id, sum(l.delta) as total,
      -coalesce(sum(l.delta) filter (
        where l.kind = 'expiry' and coalesce(l.metadata - 'operator_action', '{}') = '{}'), 0) as gone
    from public.credit_ledger as l where l.account_id = p_account.id group by l.grant_id
  ),
  grants as (
    select g.*, coalesce(t.total, 0) as total, coalesce(t.gone, 0) as gone, t.grant_id is not null as has_entry
    from public.credit_grants as g left join totals as t on t.grant_id = g.id where g.account_id = p_account.id
  )
  select (credits.discrepancy('grant', p_account.id, total, remaining, created_at, p_grant_id => id)).*
  from grants where remaining <> total
  union all
  select (credits.discrepancy('grant terms', p_account.id, 1, 0, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g where g.account_id = p_account.id and g.seal is distinct from credits.grant_seal(g)
  union all
  select (credits.discrepancy('grant breakage', p_account.id, gone, breakage, created_at, p_grant_id => id)).*
  from grants where breakage <> gone
  union all
  select (credits.discrepancy('grant bounds', p_account.id, amount, remaining, created_at, p_grant_id => id)).*
  from grants where remaining not between 0 and amount
  union all
  select (credits.discrepancy('grant open', p_account.id, (remaining > 0)::integer, is_open::integer, created_at,
    p_grant_id => id)).*
  from grants where is_open <> (remaining > 0)
  union all
  -- A grant that repaid an overdraft with all of its credits is named by the entries that say so.
  select (credits.discrepancy('grant without entry', p_account.id, 0, amount, created_at, p_grant_id => id)).*
  from grants as g
  where not g.has_entry and not exists (
    select from public.credit_ledger as l
    where l.account_id = p_account.id and l.metadata ->> 'repaid_from_grant_id' = g.id::text)
  union all
  select (credits.discrepancy('entry without grant', p_account.id, 0, t.total, p_account.last_entry_at,
    p_grant_id => t.grant_id)).*
  from totals as t
  where t.grant_id is not null
    and not exists (select from public.credit_grants as g where g.account_id = p_account.id and g.id = t.grant_id)
  union all
  select (credits.discrepancy('overdraft', p_account.id, -o.total, p_account.overdraft_used, p_account.last_entry_at)).*
  from (select coalesce(sum(total), 0) as total from totals where grant_id is null) as o
  where p_account.overdraft_used <> -o.total;
end;
$$;

create or replace function credits.count_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
declare
  this_month date := date_trunc('month', credits.clock_bound() at time zone 'utc');
begin
  return query
  select (credits.discrepancy('transfers', p_account.id, t.booked, t.told, p_account.last_entry_at, p_seq => t.seq)).*
  from credits.transfers_booked as t where t.account_id = p_account.id and t.told <> t.booked
  union all
  select (credits.discrepancy('transfer sent', p_account.id, n.told, n.noted, n.since)).*
  from credits.transfers_noted as n where n.account_id = p_account.id and n.told <> n.noted
  union all
  select (credits.discrepancy('withdrawals', p_account.id, w.booked, w.told, p_account.last_entry_at, p_seq => w.seq)).*
  from credits.withdrawals_booked as w where w.account_id = p_account.id and w.told <> w.booked
  union all
  select (credits.discrepancy('grant repaid', p_account.id, r.booked, r.told,
    coalesce(g.created_at, p_account.last_entry_at), p_grant_id => g.id)).*
  from credits.grants_repaid as r left join public.credit_grants as g on g.account_id = r.account_id
    and g.id::text = r.grant_id
  where r.account_id = p_account.id and r.told <> r.booked
  union all
  select (credits.discrepancy('member', p_account.id, m.least, m.told, m.created_at)).*
  from credits.members_counted as m
  where m.account_id = p_account.id and (m.told not between m.least and m.most or m.spent_month > this_month);
end;
$$;

comment on function credits.count_discrepancies(public.credit_accounts) is
  'Whether an account''s received transfers (each) and sent transfers (in total) match credit_transfers, what it sent '
  'to other shards is on its way as it was noted, its withdrawals credit_withdrawals, its grants'' repayments its '
  'entries, and its members'' spending their jobs.';

create or replace function credits.orphan_discrepancies(p_account_id uuid)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
begin
  return query
  select (credits.discrepancy('entry without account', p_account_id, 0, sum(delta), max(created_at),
    p_seq => max(seq))).*
  from public.credit_ledger where account_id = p_account_id having count(*) > 0
  union all
  select (credits.discrepancy('job without account', p_account_id, 0, cost::numeric - refunded, created_at, id)).*
  from public.generation_jobs where account_id = p_account_id
  union all
  select (credits.discrepancy('grant without account', p_account_id, 0, remaining, created_at, p_grant_id => id)).*
  from public.credit_grants where account_id = p_account_id
  union all
  select (credits.discrepancy('transfers', p_account_id, t.booked, t.told, null, p_seq => t.seq)).*
  from credits.transfers_booked as t where t.account_id = p_account_id and t.told <> t.booked
  union all
  select (credits.discrepancy('transfer sent', p_account_id, n.told, n.noted, n.since)).*
  from credits.transfers_noted as n where n.account_id = p_account_id and n.told <> n.noted
  union all
  select (credits.discrepancy('withdrawals', p_account_id, w.booked, w.told, null, p_seq => w.seq)).*
  from credits.withdrawals_booked as w where w.account_id = p_account_id and w.told <> w.booked;
end;
$$;

create function credits.operator_action_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with tally as (
    select l.operator_id, count(*) as actions, max(l.seq) as last_seq, bool_and(l.follows) as follows,
      (max(array[lpad(l.seq::text, 19, '0'), encode(l.hash, 'hex')]))[2] as last_hash
    from credits.action_links as l group by l.operator_id
  ),
  suspects as (
    select coalesce(o.user_id, t.operator_id) as operator_id
    from public.credit_operators as o full join tally as t on t.operator_id = o.user_id
    where (coalesce(t.follows, true) and o.last_seq = coalesce(t.last_seq, 0) and o.last_seq = coalesce(t.actions, 0)
      and encode(o.last_hash, 'hex') = coalesce(t.last_hash, repeat('00', 32))) is not true
    offset 0
  )
  select (credits.discrepancy('operator chain', v.operator_id, o.last_seq, v.broken_seq - 1,
    (select max(created_at) from public.operator_actions as a where a.operator_id = v.operator_id),
    p_seq => v.broken_seq)).*
  from suspects as s
  cross join lateral credits.action_chain(s.operator_id) as v
  left join public.credit_operators as o on o.user_id = s.operator_id
  where not v.sound;
  return query
  select (credits.discrepancy('operator action', a.account_id, e.named, e.found, a.created_at,
    p_seq => a.first_seq)).*
  from public.operator_actions as a
  cross join lateral (
    select count(*) as named, count(*) filter (
      where l.metadata ->> 'operator_action' = format('%s:%s', a.operator_id, a.seq)) as found
    from (values (a.first_seq), (a.last_seq)) as s (seq)
    left join public.credit_ledger as l on l.account_id = a.account_id and l.seq = s.seq
  ) as e
  where a.first_seq is not null and e.found < e.named;
end;
$$;

comment on function credits.operator_action_discrepancies() is
  'Operators whose chain is broken, and actions whose first or last ledger entry is gone or does not name them.';

create function credits.operator_entry_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with named as (
    select l.account_id, l.seq, l.created_at, l.metadata ->> 'operator_action' as name
    from public.credit_ledger as l where l.metadata ? 'operator_action'
  )
  select (credits.discrepancy('operator entry', n.account_id, 1, 0, n.created_at, p_seq => n.seq)).*
  from named as n
  left join public.operator_actions as a
    -- Of another text nothing is cast: it names nobody.
    on a.operator_id = case when n.name ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}:\d{1,18}$'
      then split_part(n.name, ':', 1)::uuid end
    and a.seq = case when n.name ~ ':\d{1,18}$' then substring(n.name from '\d{1,18}$')::bigint end
    -- An erasure also ends the person's jobs in their teams.
    and (a.account_id is distinct from n.account_id and a.action = 'erase_account'
      or a.account_id = n.account_id and n.seq between a.first_seq and a.last_seq)
  where a.operator_id is null;
end;
$$;

comment on function credits.operator_entry_discrepancies() is
  'Ledger entries that name an operator''s action which is not there, or which does not name them.';

create function credits.operator_discrepancies(p_with_entries boolean)
returns setof credits.discrepancy
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from credits.operator_action_discrepancies()
  union all select * from credits.operator_entry_discrepancies() where p_with_entries;
$$;

comment on function credits.operator_discrepancies(boolean) is
  'Everything in which operators'' actions and the ledger do not agree; p_with_entries also reads the whole ledger.';

insert into public.reconciliation_classes (invariant, meaning, likely_cause, remedy) values
('transfer sent',
    'A transfer to another shard (expected) is on its way otherwise, or without having been sent (actual): credits '
    'would be lost or made.',
    'A row of credit_transfers_sent or credit_transfers was written, changed or deleted by hand.',
    'Restore the rows from a backup, both of the same external_ref. Until then deliver nothing: stop the task that '
    'calls transfers_in_flight.'),
('operator chain', 'An operator''s actions do not follow from each other (seq); account_id is the operator''s.',
    'operator_actions or the end of the chain in credit_operators was changed by somebody who had turned rules and '
    'triggers off.',
    'verify_operator_actions(operator) names the problem. Compare the row with a backup and restore it. Until then '
    'trust neither it nor later actions of this operator.'),
('operator action', 'The ledger entries that an operator''s action names (seq is the first) are not there, or do not '
    'name it.',
    'Entries were deleted or changed, or the ledger restored from another time than operator_actions.',
    'See the rows chain and sequence of the same account, and restore its entries from a backup.'),
('operator entry', 'An entry (seq) names an operator''s action that is not there, or that does not name it.',
    'Somebody booked it by hand in an operator''s name, or operator_actions was restored from another time than the '
    'ledger.',
    'Find out who booked it; correct it by grant_credits or withdraw_credits. Or restore operator_actions from a '
    'backup.')
on conflict do nothing;

create view public.reconciliation_discrepancies
with (security_invoker = true)
as
select f.invariant, f.account_id, f.job_id, f.grant_id, f.seq, f.expected, f.actual, f.since, c.likely_cause, c.remedy,
  f.payment_key
from (
  select d.*, null::text as payment_key from credits.discrepancies_of(array(select credits.suspects())) as d
  union all
  select p.discrepancy, p.account_id, null, p.grant_id, null, p.expected, p.actual, p.since, p.payment_key
  from credits.payment_discrepancies() as p
  union all
  select o.*, null from credits.file_discrepancies() as o
  union all
  select a.*, null from credits.operator_discrepancies(true) as a
) as f
join public.reconciliation_classes as c on c.invariant = f.invariant;

comment on view public.reconciliation_discrepancies is
  'One row per broken invariant, with the account, job, grant or entry (seq) that it is about; no row on a sound '
  'system. expected and actual are whole credits, numbers of entries (sequence, entry in the future) or files, or the '
  'last entry and the last sound one (chain). since: the last regular change of the broken row. payment_key: the '
  'payment or subscription that it is about. reconciliation_classes says what each invariant means. Reads everything: '
  'reconcile_credit_ledger is the cheap way.';

create or replace function credits.reconcile_new(
  p_run_id bigint, out accounts_checked bigint, out entries_checked bigint, out accounts_broken bigint,
  out discrepancies bigint
)
language sql
set search_path = '', pg_temp
-- JIT takes longer than it saves.
set jit = off
as $$
  with changed as materialized (
    select * from credits.changed_accounts()
  ),
  broken as materialized (
    select d.* from (
      select n.account, n.checkpoint from credits.suspects_among_changed() as s (account_id)
      join changed as n on (n.account).id = s.account_id
      offset 0
    ) as n
    cross join lateral credits.account_discrepancies(n.account, n.checkpoint) as d
  ),
  overdue as (
    select 'overdue job' as invariant, u.account_id, u.job_id, null::bigint as grant_id, null::bigint as seq,
      0::bigint as expected, u.credits as actual, u.deadline_at as since
    from public.credit_unsettled_jobs as u where u.deadline_at < now() - credits.sweep_grace()
  ),
  found as materialized (
    select b.*, null::text as payment_key from broken as b
    union all select o.*, null from overdue as o
    union all
    select p.discrepancy, p.account_id, null, p.grant_id, null, p.expected, p.actual, p.since, p.payment_key
    from credits.payment_discrepancies() as p
    union all
    select a.*, null from credits.operator_discrepancies(false) as a
  ),
  kept as (
    insert into public.reconciliation_findings (run_id, invariant, account_id, job_id, grant_id, seq, expected,
      actual, since, payment_key)
    select p_run_id, invariant, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), job_id, grant_id, seq,
      expected, actual, since, payment_key
    from found limit 10000
  ),
  moved as (
    insert into public.credit_ledger_checkpoints as c (account_id, seq, hash, balance)
    select (n.account).id, (n.account).last_seq, (n.account).last_hash, (n.account).balance
    from changed as n
    where (n.account).last_seq > 0 and not exists (select from broken as b where b.account_id = (n.account).id)
    order by 1
    on conflict (account_id) do update
    set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, verified_at = now()
    where c.seq <= excluded.seq
  )
  select (select count(*) from changed),
    (select credits.to_bigint(coalesce(sum((n.account).last_seq::numeric - (n.checkpoint).seq), 0)) from changed as n),
    (select count(distinct account_id) from found), (select count(*) from found);
$$;

create view public.reconciliation_summary
with (security_invoker = true)
as
select a.accounts, l.entries, a.balance_total, l.ledger_total, l.credits_in, j.charged, j.refunded, u.open_jobs,
  u.overdue_jobs,
  (select count(*) from credits.discrepancies_of(array(select credits.suspects_now())))
    + (select count(*) from credits.payment_discrepancies())
    + (select count(*) from credits.operator_discrepancies(false)) as discrepancies,
  f.in_flight
from (
  select count(*) as accounts, credits.to_bigint(coalesce(sum(balance), 0)) as balance_total
  from public.credit_accounts
) as a,
(
  select count(*) as entries, credits.to_bigint(coalesce(sum(delta), 0)) as ledger_total,
    credits.to_bigint(coalesce(sum(delta) filter (where delta > 0 and job_id is null), 0)) as credits_in
  from public.credit_ledger
) as l,
(
  select credits.to_bigint(coalesce(sum(cost), 0)) as charged, credits.to_bigint(coalesce(sum(refunded), 0)) as refunded
  from public.generation_jobs
) as j,
(
  select count(*) as open_jobs, count(*) filter (where overdue) as overdue_jobs from public.credit_unsettled_jobs
) as u,
(
  select credits.to_bigint(coalesce(sum(amount), 0)) as in_flight
  from public.credit_transfers_sent where next_attempt_at is not null
) as f;

comment on view public.reconciliation_summary is
  'Everything in one row: totals in whole credits (refunded: what jobs gave back in all, released and refunded; '
  'in_flight: on the way to accounts of other shards, in no balance), '
  'and how many discrepancies there are (0 on a sound system). The number is live: the last deep run''s findings are '
  'looked at again, all sums are compared, and hashes and keys are checked of the rows that were written since that '
  'run, also by hand; of all rows where there is no such run. Files in Storage, and entries that name an operator''s '
  'action, are compared by deep runs alone.';

comment on type credits.judged_file is
  'A file in the bucket, and what is to be done. verdict: kept; foreign (in no folder of ours: left alone); orphan (no '
  'job and no upload lists it); unused (an upload that no job names); wrong (an upload that is not what was '
  'announced); expired (older than its plan keeps outputs); elsewhere (another shard judges it).';

create or replace function credits.files_judged(p_after text, p_limit integer)
returns setof credits.judged_file
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  with slice as materialized (
    select o.name, credits.file_account(o.name) as account_id, credits.job_of_file(o.name) as job_id, o.created_at,
      greatest(o.created_at, o.updated_at) as written_at,
      case when o.metadata ->> 'size' ~ '^\d{1,15}$' then (o.metadata ->> 'size')::numeric else 0 end as bytes
    from storage.objects as o where o.bucket_id = 'generations' and o.name > p_after order by o.name limit p_limit
  )
  select s.name, s.account_id, s.bytes, s.created_at, case
    -- All shards see one bucket. What is in no account's folder is for the shard of the lowest id.
    when not credits.is_own_account(coalesce(s.account_id, '00000000-0000-0000-0000-000000000000')) then 'elsewhere'
    when s.account_id is null then 'foreign'
    -- An output is in Storage before its job is settled. What was deleted may be sent once more, and is deleted again.
    when v.verdict = 'orphan' and u.id is null and coalesce(j.output_deleted_at, j.erased_at) is null
      and s.written_at > now() - interval '1 hour' then 'kept'
    else v.verdict end
  from slice as s
  left join public.credit_accounts as a on a.id = s.account_id
  left join public.credit_plans as p on p.name = a.plan
  left join public.generation_jobs as j on j.id = s.job_id and j.account_id = s.account_id
  left join credits.outputs_to_move as m on m.job_id = s.job_id and m.account_id = s.account_id
  left join public.generation_uploads as u on u.account_id = s.account_id and u.path = s.name
  cross join lateral (select case when s.job_id is null then credits.upload_verdict(u, s.bytes, p.keep_outputs_days)
    else credits.job_file_verdict(j, s.name, m.job_id is not null, p.keep_outputs_days) end as verdict) as v
  order by s.name;
end;
$$;

create or replace function credits.files_sweep(p_limit integer)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  sweep credits.file_sweep;
  slice credits.judged_file[];
  file credits.judged_file;
begin
  select * into sweep from credits.file_sweep for update skip locked;
  if not found or not credits.has_storage() then
    return;
  end if;
  slice := array(select f from credits.files_judged(sweep.reached, p_limit) as f);
  foreach file in array slice loop
    continue when file.verdict = 'elsewhere';
    sweep.files := sweep.files + 1;
    sweep.bytes := sweep.bytes + file.bytes;
    sweep.oldest_at := least(sweep.oldest_at, file.created_at);
    sweep.unneeded := sweep.unneeded + (file.verdict <> 'kept')::integer;
  end loop;
  insert into credits.storage_deletions (path, account_id, reason)
  select f.path, f.account_id, 'orphan' from unnest(slice) as f where f.verdict = 'orphan' order by f.path
  on conflict do nothing;
  perform credits.outputs_expire(array(select f.path from unnest(slice) as f where f.verdict = 'expired'));
  perform credits.uploads_expire(array(select f.path from unnest(slice) as f where f.verdict = v.verdict), v.verdict)
  from unnest(array['unused', 'wrong']) as v (verdict);
  if cardinality(slice) < p_limit then
    update credits.file_sweep set reached = '', swept_at = now(), files = 0, bytes = 0, oldest_at = null, unneeded = 0,
      measured_at = now(), all_files = sweep.files, all_bytes = sweep.bytes, all_oldest_at = sweep.oldest_at,
      all_unneeded = sweep.unneeded;
  else
    update credits.file_sweep set reached = file.path, swept_at = now(), files = sweep.files, bytes = sweep.bytes,
      oldest_at = sweep.oldest_at, unneeded = sweep.unneeded;
  end if;
end;
$$;

insert into public.credit_alert_rules (name, severity, threshold, minimum, description) values
('transfers_in_flight', 'critical', 900, 0,
    'Seconds that the oldest transfer to another shard has been on its way: its credits are in no account.'),
('handovers_waiting', 'critical', 900, 0,
    'Seconds that another shard has not been told of a sign-up, a deletion or an erasure.')
on conflict do nothing;

create function credits.transfer_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'transfers_in_flight', '', round(extract(epoch from now() - min(sent_at))),
    format('%s transfers of %s credits in all are on their way, the first since %s: '
      'select * from credit_transfers_sent where next_attempt_at is not null', count(*), sum(amount),
      to_char(min(sent_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from public.credit_transfers_sent where next_attempt_at is not null
  having count(*) > 0;
$$;

comment on function credits.transfer_findings_now() is 'What transfers to other shards say, by alert rule.';

create function credits.handover_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'handovers_waiting', '', round(extract(epoch from clock_timestamp() - min(requested_at))),
    format('%s calls wait for other shards, of slot groups %s: select * from credits.handovers', count(*),
      string_agg(distinct slot_group::text, ', '))
  from credits.handovers
  having count(*) > 0;
$$;

comment on function credits.handover_findings_now() is 'What waits for other shards, by alert rule.';

create or replace function public.evaluate_alerts()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  started timestamptz := clock_timestamp();
  alert public.credit_alerts;
begin
  perform credits.caller_check('evaluate_alerts');
  -- One evaluation at a time: two would announce twice.
  lock table public.credit_alert_rules in share row exclusive mode;
  insert into public.credit_alerts as a (rule, severity, subject, value, threshold, detail, fired_at, updated_at)
  select r.name, r.severity, f.subject, f.value, r.threshold, f.detail, started, started
  from (
    select * from credits.reconciliation_findings_now()
    union all select * from credits.traffic_findings_now()
    union all select * from credits.provider_findings_now()
    union all select * from credits.operation_findings_now()
    union all select * from credits.payment_findings_now()
    union all select * from credits.transfer_findings_now()
    union all select * from credits.file_findings_now()
    union all select * from credits.handover_findings_now()
    union all select * from credits.delivery_findings_now()
  ) as f
  join public.credit_alert_rules as r on r.name = f.rule and r.enabled
  where case r.name when 'success_rate' then f.value < r.threshold else f.value > r.threshold end
  on conflict (rule, subject) where resolved_at is null do update
  set severity = excluded.severity, value = excluded.value, threshold = excluded.threshold, detail = excluded.detail,
      updated_at = excluded.updated_at;

  for alert in
    update public.credit_alerts as a set announced_at = started, announced_value = a.value
    from public.credit_alert_rules as r
    where r.name = a.rule and a.resolved_at is null and a.updated_at = started
      and coalesce(r.muted_until, '-infinity') <= now()
      and (a.announced_at is null
        or case a.rule when 'success_rate' then a.value < a.announced_value / 2
          else a.value >= a.announced_value * 2 end)
    returning a.*
  loop
    perform credits.alert_announce('alert.fired', alert);
  end loop;
  for alert in
    update public.credit_alerts set resolved_at = started where resolved_at is null and updated_at < started returning *
  loop
    if alert.announced_at is not null then
      perform credits.alert_announce('alert.resolved', alert);
    end if;
  end loop;
  return (select count(*) from public.credit_alerts where resolved_at is null);
end;
$$;

create or replace function public.apply_retention()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  cron_runs regclass := to_regclass('cron.job_run_details');
  oldest timestamptz;
  removed integer := 0;
  removed_now integer;
begin
  perform credits.caller_check('apply_retention');
  select now() - make_interval(days => history_days) into strict oldest from public.credit_settings;
  -- A task's last run and last good run show its state, so they stay however old they are.
  delete from public.credit_task_runs as r
  where r.started_at < oldest
    and exists (select from public.credit_task_runs as later
      where later.task = r.task and later.started_at > r.started_at)
    and (not r.ok or exists (
      select from public.credit_task_runs as later
      where later.task = r.task and later.started_at > r.started_at and later.ok));
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Runs that found something are evidence, and stay; so does the last run of each depth, which may show that the
  -- damage is repaired.
  delete from public.reconciliation_runs as r
  where r.started_at < oldest and r.discrepancies = 0 and exists (
    select from public.reconciliation_runs as later
    where later.deep = r.deep and later.started_at > r.started_at);
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.credit_anomaly_findings where found_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.credit_alerts where resolved_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Also events that were given up or never fetched.
  delete from public.credit_events where delivered_at < oldest or (delivered_at is null and created_at < oldest);
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- A payment's state counts, not its events: one that is sent again after its row has gone is handled anew.
  delete from public.payment_events where updated_at < oldest and outcome <> 'waiting';
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Kept: who asked for what is part of the trail.
  update public.operator_approvals set state = 'expired' where state = 'waiting' and expires_at <= now();
  if cron_runs is not null then
    -- The server's other jobs may share this history.
    execute format('delete from %s where end_time < %L and database = current_database() and command ~ %L',
      cron_runs, now() - interval '7 days',
      '^(set statement_timeout = \d+; )?select from public\.run_task\(|^do \$task\$ begin loop exit when \([^;]* from '
      'public\.run_task\(');
  end if;
  perform public.maintain_request_events();
  return removed;
end;
$$;

comment on function public.apply_retention() is
  'Deletes task runs, clean reconciliation runs, anomaly findings, resolved alerts, events (delivered, or never) and '
  'payment events that do not wait, older than credit_settings.history_days, pg_cron''s own history of this schedule '
  'after 7 days, and drops old partitions of credit_request_events; returns how many rows went. Marks operators'' '
  'requests that nobody decided on in time as expired. Each task''s last run '
  'and last good run stay, and the last reconciliation of each depth. Never touches accounts, grants, entries, jobs '
  'or payments. Meant to run daily.';

create function credits.metrics_of_transfers()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, '{}'::jsonb, line.value
  from (
    select count(*) as transfers, coalesce(sum(amount), 0) as amount,
      coalesce(greatest(extract(epoch from now() - min(sent_at)), 0), 0) as oldest_age
    from public.credit_transfers_sent where next_attempt_at is not null
  ) as t
  cross join lateral (values
    ('transfers_in_flight', t.transfers::numeric),
    ('in_flight_credits', t.amount),
    ('oldest_transfer_in_flight_age_seconds', t.oldest_age)
  ) as line (name, value);
$$;

comment on function credits.metrics_of_transfers() is
  'Metrics of transfers to other shards that are on their way: how many, their credits, and the oldest one''s age.';

create function credits.metrics_of_shard()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select 'shard', jsonb_build_object('shard', name, 'slot_groups', array_to_string(slot_groups, ',')), 1::numeric
  from credits.shard;
$$;

comment on function credits.metrics_of_shard() is
  'Which shard this is, in the labels of a value that is always 1; none where it is no shard.';

create or replace function public.operational_metrics()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select credits.caller_check('operational_metrics');
  select 'atomic_credits_' || m.metric, m.labels, m.value
  from (
    select * from credits.metrics_of_accounts()
    union all select * from credits.metrics_of_ledger()
    union all select * from credits.metrics_of_open_jobs()
    union all select * from credits.metrics_of_recent_jobs()
    union all select * from credits.metrics_of_requests()
    union all select * from credits.metrics_of_events()
    union all select * from credits.metrics_of_payments()
    union all select * from credits.metrics_of_transfers()
    union all select * from credits.metrics_of_files()
    union all select * from credits.metrics_of_reconciliation()
    union all select * from credits.metrics_of_alerts()
    union all select * from credits.metrics_of_tasks()
    union all select * from credits.metrics_of_shard()
    union all select * from credits.metrics_of_handovers()
  ) as m;
$$;

comment on type public.credit_operator_role is
  'What an operator may do; each role may do what the ones before it may. viewer: reads. support: grants, withdraws '
  'and refunds within limits. finance: takes back, sets plans and overdrafts, books payments. admin: closes and '
  'erases accounts, and says who is an operator.';

create table public.credit_operators (
  user_id uuid primary key,
  role public.credit_operator_role not null,
  max_per_action bigint check (max_per_action between 0 and 1000000000000),
  max_per_day bigint check (max_per_day between 0 and 1000000000000000),
  note text check (length(note) <= 500),
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  last_seq bigint not null default 0,
  last_hash bytea not null default decode(repeat('00', 32), 'hex') check (octet_length(last_hash) = 32)
);

comment on table public.credit_operators is
  'Who may help customers. The first is inserted by SQL; then operator_set and operator_remove. The row is a lock: '
  'every operator function locks its operator''s row first.';

comment on column public.credit_operators.user_id is
  'The auth user. No foreign key: what an operator did outlives the user.';

comment on column public.credit_operators.max_per_action is
  'Most credits that one action may give or take; beyond it the action waits for a second operator. null: no limit. '
  '0: moves no credits at all.';

comment on column public.credit_operators.max_per_day is
  'Most credits that the actions of a day (UTC) may give and take in all, without those that were approved. null: no '
  'limit. 0: moves no credits at all.';

comment on column public.credit_operators.note is 'Who this is, for the other operators; deleted with the user.';

comment on column public.credit_operators.disabled_at is
  'Since when this operator may do and read nothing; the row stays, as operator_actions names it.';

comment on column public.credit_operators.last_seq is 'Number of the operator''s latest row of operator_actions.';

comment on column public.credit_operators.last_hash is 'Hash of that row; 32 zero bytes before the first.';

alter table public.credit_operators enable row level security;

create function credits.operator_rights()
returns table (action text, least_role public.credit_operator_role, moves_credits boolean)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  ('grant', 'support'::public.credit_operator_role, true),
  ('withdraw', 'support', true),
  ('refund_job', 'support', true),
  ('cancel_job', 'support', true),
  ('acknowledge_alert', 'support', false),
  ('retry_event', 'support', false),
  ('approve', 'support', false),
  ('reject', 'support', false),
  ('reverse_grant', 'finance', true),
  ('set_plan', 'finance', true),
  ('set_overdraft', 'finance', true),
  ('fix_discrepancy', 'finance', true),
  ('book_payment', 'finance', false),
  ('mute_alert', 'admin', false),
  ('close_account', 'admin', false),
  ('reopen_account', 'admin', false),
  ('erase_account', 'admin', false),
  ('set', 'admin', false),
  ('remove', 'admin', false);
$$;

comment on function credits.operator_rights() is
  'Which role an action needs at least; action x is function operator_x. moves_credits: the limits apply to it.';

create function credits.operators_forget(p_user_ids uuid[], p_disable boolean)
returns void
language sql
set search_path = '', pg_temp
as $$
  update public.credit_operators
  set note = null, disabled_at = case when p_disable then coalesce(disabled_at, clock_timestamp()) else disabled_at end
  where user_id = any (p_user_ids) and (note is not null or p_disable and disabled_at is null);
$$;

comment on function credits.operators_forget(uuid[], boolean) is
  'Deletes what is noted of operators, and with p_disable ends what they may do: their user is deleted. Called before '
  'accounts are locked.';

create table public.operator_actions (
  operator_id uuid not null,
  seq bigint not null,
  action text not null,
  account_id uuid,
  subject text,
  arguments jsonb not null,
  credits bigint,
  first_seq bigint,
  last_seq bigint,
  before jsonb,
  after jsonb,
  reason text not null check (length(reason) between 10 and 1000),
  idempotency_key text not null check (length(idempotency_key) between 1 and 255),
  approval_id uuid,
  created_at timestamptz not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (operator_id, seq)
);

-- A repeated call finds its action (credits.operator_replay).
create unique index operator_actions_key on public.operator_actions (operator_id, idempotency_key);

-- What was done to an account: its timeline.
create index operator_actions_by_account on public.operator_actions (account_id, created_at)
  where account_id is not null;

-- The operator's day, which the limit counts.
create index operator_actions_by_time on public.operator_actions (operator_id, created_at);

comment on table public.operator_actions is
  'What operators did. Append-only and hash-chained per operator: UPDATE, DELETE and TRUNCATE raise; a change that '
  'gets past them breaks the chain (verify_operator_actions) and shows in reconciliation.';

comment on column public.operator_actions.seq is 'Number of the action within its operator: 1, 2, 3 … without a gap.';

comment on column public.operator_actions.action is 'The function operator_… without that prefix.';

comment on column public.operator_actions.account_id is 'The account that it was about; null: none.';

comment on column public.operator_actions.subject is
  'What it was about, if that is not the account: the id of a job, grant, event, alert, approval or operator, the key '
  'of a payment, the name of a rule.';

comment on column public.operator_actions.credits is
  'Credits given (> 0) or taken (< 0), or a higher overdraft; the limits count them. null: the action moves none.';

comment on column public.operator_actions.first_seq is
  'The account''s first ledger entry that it caused, and last_seq the last; null: none.';

comment on column public.operator_actions.before is 'What the action changed, as it was; equal to after: nothing.';

comment on column public.operator_actions.reason is
  'Why. Ledger entries repeat it (500 characters), where the account''s people read it; it stays when they are erased, '
  'so no personal data.';

comment on column public.operator_actions.approval_id is
  'Of an action above a limit: the row of operator_approvals by which a second operator approved it. Such an action '
  'does not count towards the day''s limit.';

comment on column public.operator_actions.hash is
  'SHA-256 over the hash of the operator''s previous row and every field of this one.';

create function credits.actions_are_append_only()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.raise_misuse('PT405', 'operator_actions is append-only',
    'What was done stays written: undo it by another action.');
end;
$$;

comment on function credits.actions_are_append_only() is 'Refuses a change of operator_actions; called by its rules.';

create rule operator_actions_no_update as
  on update to public.operator_actions do instead select credits.actions_are_append_only();

create rule operator_actions_no_delete as
  on delete to public.operator_actions do instead select credits.actions_are_append_only();

create function credits.actions_refuse_change()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.actions_are_append_only();
  return null;
end;
$$;

comment on function credits.actions_refuse_change() is 'Refuses a change of operator_actions; called by its triggers.';

create trigger operator_actions_refuse_change before update or delete on public.operator_actions
  for each row execute function credits.actions_refuse_change();

create trigger operator_actions_refuse_truncate before truncate on public.operator_actions
  for each statement execute function credits.actions_refuse_change();

alter table public.operator_actions enable always trigger operator_actions_refuse_change;

alter table public.operator_actions enable always trigger operator_actions_refuse_truncate;

alter table public.operator_actions enable row level security;

create function credits.action_hash(p_previous bytea, p_action public.operator_actions)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- As credits.entry_hash: record_send, and text as bytes.
  return sha256(coalesce(p_previous, decode(repeat('00', 32), 'hex')) || record_send(row(
    p_action.operator_id, p_action.seq, convert_to(p_action.action, 'UTF8'), p_action.account_id,
    convert_to(p_action.subject, 'UTF8'), convert_to(p_action.arguments::text, 'UTF8'), p_action.credits,
    p_action.first_seq, p_action.last_seq, convert_to(p_action.before::text, 'UTF8'),
    convert_to(p_action.after::text, 'UTF8'), convert_to(p_action.reason, 'UTF8'),
    convert_to(p_action.idempotency_key, 'UTF8'), p_action.approval_id, p_action.created_at)));
end;
$$;

comment on function credits.action_hash(bytea, public.operator_actions) is
  'The hash that an action must have after one with hash p_previous (null: the first).';

create function credits.action_append(p_action public.operator_actions)
returns public.operator_actions
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
begin
  select * into strict operator from public.credit_operators where user_id = p_action.operator_id for update;
  p_action.seq := operator.last_seq + 1;
  p_action.created_at := clock_timestamp();
  p_action.hash := credits.action_hash(operator.last_hash, p_action);
  insert into public.operator_actions (operator_id, seq, action, account_id, subject, arguments, credits, first_seq,
    last_seq, before, after, reason, idempotency_key, approval_id, created_at, hash)
  values (p_action.operator_id, p_action.seq, p_action.action, p_action.account_id, p_action.subject,
    p_action.arguments, p_action.credits, p_action.first_seq, p_action.last_seq, p_action.before, p_action.after,
    p_action.reason, p_action.idempotency_key, p_action.approval_id, p_action.created_at, p_action.hash);
  update public.credit_operators set last_seq = p_action.seq, last_hash = p_action.hash
  where user_id = p_action.operator_id;
  return p_action;
end;
$$;

comment on function credits.action_append(public.operator_actions) is
  'Appends an action to its operator''s chain, and returns it with number, time and hash.';

comment on type public.operator_chain_result is
  'The result of verify_operator_actions: whether the chain is sound, how many actions were checked, and otherwise the '
  'first broken one and its problem: gap, hash, or end (the chain ends before or beyond what credit_operators says).';

create view credits.action_links
with (security_invoker = true)
as
select a.operator_id, a.seq, a.hash,
  -- credits.action_hash inlined: a call per action would cost ten times as much.
  coalesce(a.hash = sha256(coalesce(p.hash, case when a.seq = 1 then decode(repeat('00', 32), 'hex') end)
    || record_send(row(
    a.operator_id, a.seq, convert_to(a.action, 'UTF8'), a.account_id, convert_to(a.subject, 'UTF8'),
    convert_to(a.arguments::text, 'UTF8'), a.credits, a.first_seq, a.last_seq, convert_to(a.before::text, 'UTF8'),
    convert_to(a.after::text, 'UTF8'), convert_to(a.reason, 'UTF8'), convert_to(a.idempotency_key, 'UTF8'),
    a.approval_id, a.created_at))), false) as follows
from public.operator_actions as a
left join public.operator_actions as p on p.operator_id = a.operator_id and p.seq = a.seq - 1;

comment on view credits.action_links is 'Whether each action follows from the one before it.';

create function credits.action_chain(p_operator_id uuid)
returns public.operator_chain_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
  last_action public.operator_actions;
  result public.operator_chain_result := row(p_operator_id, true, 0, null, null);
begin
  select min(l.seq) filter (where not l.follows), count(*) into result.broken_seq, result.checked
  from credits.action_links as l where l.operator_id = p_operator_id;
  select * into last_action from public.operator_actions
  where operator_id = p_operator_id and (result.broken_seq is null or seq < result.broken_seq)
  order by seq desc limit 1;
  select * into operator from public.credit_operators where user_id = p_operator_id;
  if result.broken_seq is not null then
    result.problem := case when result.broken_seq = coalesce(last_action.seq, 0) + 1 then 'hash' else 'gap' end;
    result.broken_seq := coalesce(last_action.seq, 0) + 1;
    result.checked := coalesce(last_action.seq, 0);
  elsif (operator.last_seq, operator.last_hash) is distinct from
    (coalesce(last_action.seq, 0), coalesce(last_action.hash, decode(repeat('00', 32), 'hex'))) then
    result.broken_seq := least(coalesce(operator.last_seq, result.checked), result.checked) + 1;
    result.problem := 'end';
  end if;
  result.sound := result.problem is null;
  return result;
end;
$$;

comment on function credits.action_chain(uuid) is
  'Whether an operator''s actions follow from each other and end where credit_operators says. Locks nothing.';

create function public.verify_operator_actions(p_operator_id uuid)
returns public.operator_chain_result
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('verify_operator_actions');
  if not exists (select from public.credit_operators where user_id = p_operator_id)
    and not exists (select from public.operator_actions where operator_id = p_operator_id) then
    perform credits.raise_misuse('PT404', 'no such operator', 'The table credit_operators lists them.');
  end if;
  return credits.action_chain(p_operator_id);
end;
$$;

comment on function public.verify_operator_actions(uuid) is
  'Recomputes an operator''s hash chain and names the first broken action. Raises PT404 for an unknown operator.';

create function credits.operator_role()
returns public.credit_operator_role
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select role from public.credit_operators where user_id = (select auth.uid()) and disabled_at is null;
$$;

comment on function credits.operator_role() is 'The role of the calling user as an operator; null: none.';

create function credits.operator_refuse(p_code text, p_message text, p_detail text, p_hint text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  raise exception using errcode = p_code, message = p_message, detail = p_detail, hint = p_hint;
end;
$$;

comment on function credits.operator_refuse(text, text, text, text) is
  'Raises what an operator may not do; p_detail is a stable word that the console goes by.';

create function credits.operator_who_may(p_action text)
returns public.credit_operators
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
  least_role public.credit_operator_role := (
    select r.least_role from credits.operator_rights() as r where r.action = p_action);
begin
  select * into operator from public.credit_operators where user_id = auth.uid() and disabled_at is null;
  if operator.user_id is null then
    perform credits.operator_refuse('42501', 'this user is not an operator', 'not_an_operator',
      'An admin makes operators: operator_set.');
  elsif least_role is null or operator.role < least_role then
    perform credits.operator_refuse('42501', format('%s needs the role %s, and this operator''s is %s', p_action,
      least_role, operator.role), 'role_too_low', 'Ask an operator with that role.');
  elsif auth.jwt() ->> 'aal' is distinct from 'aal2' then
    perform credits.operator_refuse('PT403', 'a second factor is needed', 'aal2_required',
      'Set up or confirm the second factor, then call again with the new token.');
  end if;
  return operator;
end;
$$;

comment on function credits.operator_who_may(text) is
  'The calling operator, where they may do p_action; else raises 42501, or PT403 without aal2.';

create function credits.is_reason(p_text text)
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  -- What nobody sees (blanks, control characters, characters of no width) counts as one blank in a row.
  select length(p_text) <= 1000 and length(btrim(regexp_replace(p_text, '[\s\u0001-\u0020\u007f-\u00a0\u00ad\u034f'
    '\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164'
    '\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]+', ' ', 'g'))) >= 10;
$$;

comment on function credits.is_reason(text) is 'Whether a text is a reason: 10 to 1000 characters that one can see.';

create function credits.operator_enter(p_action text, p_reason text, p_key text, p_others uuid[] default '{}')
returns public.credit_operators
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
begin
  -- Before it locks anybody: who may not do it neither waits for an operator nor makes one wait.
  perform credits.operator_who_may(p_action);
  perform from public.credit_operators where user_id = any (p_others || auth.uid()) order by user_id for update;
  operator := credits.operator_who_may(p_action);
  if credits.is_reason(p_reason) is not true then
    perform credits.operator_refuse('22023', 'a reason of 10 to 1000 characters is needed', 'reason',
      'Say why: the account''s people and other operators read it.');
  elsif p_key is null or length(p_key) not between 1 and 255 then
    perform credits.operator_refuse('22023', 'an idempotency key of 1 to 255 characters is needed', 'idempotency_key',
      'Make one (a UUID) for each action, and repeat a call with the same one.');
  end if;
  return operator;
end;
$$;

comment on function credits.operator_enter(text, text, text, uuid[]) is
  'Locks the calling operator''s row, and those of p_others, the lower id first. Returns it where the operator may do '
  'p_action, else raises: 42501, PT403 without aal2, 22023 for reason or key.';

create function credits.operator_check_own(p_operator public.credit_operators, p_account_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_operator.role < 'admin' and (p_operator.user_id = p_account_id
    or exists (select from public.credit_accounts where id = p_account_id and user_id = p_operator.user_id)
    or exists (select from public.account_members
      where account_id = p_account_id and user_id = p_operator.user_id)) then
    perform credits.operator_refuse('42501', 'this account is the operator''s own', 'own_account',
      'Ask an operator who has no part in it.');
  end if;
end;
$$;

comment on function credits.operator_check_own(public.credit_operators, uuid) is
  'Raises 42501 for an account that an operator below admin owns or is a member of.';

create function credits.operator_used_today(p_operator_id uuid)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(abs(credits)), 0)::bigint from public.operator_actions
  where operator_id = p_operator_id and approval_id is null
    and created_at >= date_trunc('day', clock_timestamp() at time zone 'utc') at time zone 'utc';
$$;

comment on function credits.operator_used_today(uuid) is
  'Credits that an operator has given and taken since midnight (UTC), without what was approved.';

create function credits.operator_used_elsewhere()
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- It can only lower what may still be moved.
  select greatest(coalesce(nullif(current_setting('credits.operator_used_elsewhere', true), ''), '0')::bigint, 0);
$$;

comment on function credits.operator_used_elsewhere() is
  'Credits that the calling operator has given and taken today on other shards, as their router says; else 0.';

create function credits.operator_within_limits(p_operator public.credit_operators, p_credits bigint)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if coalesce(p_credits, 0) = 0 then
    return true;
  elsif p_operator.max_per_action = 0 or p_operator.max_per_day = 0 then
    perform credits.operator_refuse('PT403', 'this operator moves no credits', 'limit_exceeded',
      'An admin sets the limits: operator_set.');
  end if;
  return coalesce(abs(p_credits) <= p_operator.max_per_action, true)
    and coalesce(abs(p_credits) <= p_operator.max_per_day - credits.operator_used_today(p_operator.user_id)
      - credits.operator_used_elsewhere(), true);
end;
$$;

comment on function credits.operator_within_limits(public.credit_operators, bigint) is
  'Whether credits are within the operator''s limits an action and a day; false: a second operator has to approve. '
  'Raises PT403 where a limit is 0. The caller holds the operator''s lock.';

create table public.operator_approvals (
  id uuid primary key default gen_random_uuid(),
  operator_id uuid not null,
  action text not null,
  account_id uuid,
  subject text,
  arguments jsonb not null,
  credits bigint not null,
  reason text not null,
  idempotency_key text not null,
  state text not null default 'waiting' check (state in ('waiting', 'approved', 'rejected', 'expired')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '7 days',
  decided_by uuid,
  decided_at timestamptz,
  decision_reason text,
  constraint approval_is_decided check ((state in ('approved', 'rejected')) = (decided_by is not null)),
  unique (operator_id, idempotency_key)
);

-- What waits: the console, and apply_retention.
create index operator_approvals_waiting on public.operator_approvals (expires_at) where state = 'waiting';

comment on table public.operator_approvals is
  'Actions above their operator''s limit. A second operator of the same role or higher approves (then the action is '
  'done, under the first one''s name) or rejects.';

comment on column public.operator_approvals.operator_id is 'Who asked for it.';

comment on column public.operator_approvals.credits is
  'Credits that it would have given (> 0) or taken (< 0) when it was asked for.';

comment on column public.operator_approvals.state is
  'waiting beyond expires_at counts as expired; the retention task writes it.';

alter table public.operator_approvals enable row level security;

comment on type public.operator_result is
  'What an operator function answers. code: done; unchanged (it was so already); waiting_for_approval (above a limit: '
  'approval_id). action_seq: the row of operator_actions. replayed: the same call was answered before, and nothing was '
  'done. balance: the account''s now. details: credits, before, after, first_seq and last_seq of that row.';

comment on type credits.operator_request is 'What an operator asks for. approval_id: it was approved.';

create function credits.operator_answer(p_action public.operator_actions, p_replayed boolean)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.operator_result;
begin
  result.code := case when p_action.before is not distinct from p_action.after then 'unchanged' else 'done' end;
  result.operator_id := p_action.operator_id;
  result.action_seq := p_action.seq;
  result.approval_id := p_action.approval_id;
  result.replayed := p_replayed;
  result.account_id := p_action.account_id;
  result.balance := (select balance from public.credit_accounts where id = p_action.account_id);
  result.details := jsonb_build_object('credits', p_action.credits, 'before', p_action.before, 'after',
    p_action.after, 'first_seq', p_action.first_seq, 'last_seq', p_action.last_seq);
  return result;
end;
$$;

comment on function credits.operator_answer(public.operator_actions, boolean) is 'The answer for an action.';

create function credits.approval_answer(p_approval public.operator_approvals, p_replayed boolean)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.operator_result;
begin
  if p_approval.state <> 'waiting' or p_approval.expires_at <= clock_timestamp() then
    perform credits.operator_refuse('PT409', 'this request was rejected or has expired',
      case p_approval.state when 'waiting' then 'expired' else p_approval.state end,
      'Ask again, with another idempotency key.');
  end if;
  result.code := 'waiting_for_approval';
  result.operator_id := p_approval.operator_id;
  result.approval_id := p_approval.id;
  result.replayed := p_replayed;
  result.account_id := p_approval.account_id;
  result.balance := (select balance from public.credit_accounts where id = p_approval.account_id);
  result.details := jsonb_build_object('credits', p_approval.credits, 'expires_at', p_approval.expires_at);
  return result;
end;
$$;

comment on function credits.approval_answer(public.operator_approvals, boolean) is
  'The answer for a request that waits. Raises PT409 for one that was rejected or has expired.';

create function credits.operator_replay(p_operator_id uuid, p_request credits.operator_request)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  done public.operator_actions;
  asked public.operator_approvals;
begin
  select * into done from public.operator_actions
  where operator_id = p_operator_id and idempotency_key = p_request.idempotency_key;
  select * into asked from public.operator_approvals
  where operator_id = p_operator_id and idempotency_key = p_request.idempotency_key;
  if done.operator_id is null and asked.id is null then
    return null;
  end if;
  if (coalesce(done.action, asked.action), coalesce(done.arguments, asked.arguments),
      coalesce(done.reason, asked.reason))
    is distinct from (p_request.action, p_request.arguments, p_request.reason) then
    perform credits.operator_refuse('PT409', 'this idempotency key was used for another action', 'key_reused',
      'Make a new key for each action.');
  elsif done.operator_id is not null then
    return credits.operator_answer(done, true);
  end if;
  return credits.approval_answer(asked, true);
end;
$$;

comment on function credits.operator_replay(uuid, credits.operator_request) is
  'The answer that an operator''s idempotency key already has, or null. Raises PT409 where it stands for another '
  'action, or for a request that was rejected or has expired. The caller holds the operator''s lock.';

create function credits.operator_ask(
  p_operator public.credit_operators, p_request credits.operator_request, p_credits bigint
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  approval public.operator_approvals;
begin
  insert into public.operator_approvals (operator_id, action, account_id, subject, arguments, credits, reason,
    idempotency_key)
  values (p_operator.user_id, p_request.action, p_request.account_id, p_request.subject, p_request.arguments,
    p_credits, p_request.reason, p_request.idempotency_key)
  returning * into approval;
  return credits.approval_answer(approval, false);
end;
$$;

comment on function credits.operator_ask(public.credit_operators, credits.operator_request, bigint) is
  'Lets an action that is above its operator''s limit wait for a second operator.';

comment on type credits.operator_effect is
  'What an action did. credits: given (> 0) or taken (< 0); null: it moves none. before and after are equal where '
  'nothing changed.';

create function credits.account_state(p_account_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('balance', balance, 'debt', debt, 'credit_limit', credit_limit,
    'lowered_credit_limit', lowered_credit_limit, 'plan', plan, 'closed_at', closed_at)
  from public.credit_accounts where id = p_account_id;
$$;

comment on function credits.account_state(uuid) is 'What operators'' actions change of an account.';

create function credits.overdraft_given(p_effect credits.operator_effect)
returns bigint
language sql
immutable
set search_path = '', pg_temp
as $$
  -- One that is being lowered counts as what it falls to.
  select greatest(0, coalesce(p_effect.after ->> 'lowered_credit_limit', p_effect.after ->> 'credit_limit')::bigint
    - coalesce(p_effect.before ->> 'lowered_credit_limit', p_effect.before ->> 'credit_limit')::bigint);
$$;

comment on function credits.overdraft_given(credits.operator_effect) is
  'By how much an action raised an account''s overdraft, from its states before and after.';

create function credits.operator_account_lock(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A user without an account gets one; an id that is nobody's does not.
  if not exists (select from public.credit_accounts where id = p_account_id)
    and not exists (select from auth.users where id = p_account_id) then
    perform credits.operator_refuse('PT404', 'no such account', 'unknown_account',
      'Pass the account''s id; for a person, the auth user''s id.');
  end if;
  perform credits.account_lock(p_account_id);
end;
$$;

comment on function credits.operator_account_lock(uuid) is
  'Locks the account of an action. Raises PT404 for an id that is neither an account''s nor a user''s.';

create function credits.operator_does_grant(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  granted public.credit_grant_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  granted := public.grant_credits(p_request.account_id, (p_request.arguments ->> 'credits')::bigint,
    left(p_request.reason, 500), p_expires_at => (p_request.arguments ->> 'expires_at')::timestamptz,
    p_external_ref => 'operator:' || p_ref);
  effect.after := credits.account_state(p_request.account_id) || jsonb_build_object('grant_id', granted.grant_id);
  effect.credits := granted.amount;
  return effect;
end;
$$;

comment on function credits.operator_does_grant(credits.operator_request, text) is
  'grant_credits; its external_ref names the action.';

create function credits.operator_does_withdraw(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  taken public.credit_withdrawal_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  taken := public.withdraw_credits(p_request.account_id, (p_request.arguments ->> 'credits')::bigint,
    p_reason => left(p_request.reason, 500), p_external_ref => 'operator:' || p_ref);
  effect.after := credits.account_state(p_request.account_id);
  effect.credits := -taken.withdrawn;
  return effect;
end;
$$;

comment on function credits.operator_does_withdraw(credits.operator_request, text) is
  'withdraw_credits: what is there, at most; its external_ref names the action.';

create function credits.operator_does_reverse_grant(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  grant_id constant bigint := (p_request.arguments ->> 'grant_id')::bigint;
  reversed bigint;
  result public.credit_reversal_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  select g.reversed into reversed from public.credit_grants as g
  where g.account_id = p_request.account_id and g.id = grant_id;
  effect.before := credits.account_state(p_request.account_id) || jsonb_build_object('reversed', reversed);
  result := public.reverse_grant(p_request.account_id, grant_id, (p_request.arguments ->> 'target')::bigint,
    left(p_request.reason, 500));
  effect.after := credits.account_state(p_request.account_id) || jsonb_build_object('reversed', result.reversed);
  effect.credits := reversed - result.reversed;
  return effect;
end;
$$;

comment on function credits.operator_does_reverse_grant(credits.operator_request) is
  'reverse_grant. credits: by how much the target moved; a part of it may be a debt.';

create function credits.job_state(p_job_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.account_state(j.account_id) || jsonb_build_object('status', j.status, 'cost', j.cost, 'refunded',
    j.refunded)
  from public.generation_jobs as j where j.id = p_job_id;
$$;

comment on function credits.job_state(uuid) is 'What operators'' actions change of a job and its account.';

create function credits.operator_does_refund_job(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  job public.generation_jobs := credits.job_lock((p_request.arguments ->> 'job_id')::uuid);
begin
  effect.before := credits.job_state(job.id);
  perform public.refund_credits(job.id, (p_request.arguments ->> 'credits')::bigint, left(p_request.reason, 500));
  effect.after := credits.job_state(job.id);
  effect.credits := (effect.after ->> 'refunded')::bigint - job.refunded;
  return effect;
end;
$$;

comment on function credits.operator_does_refund_job(credits.operator_request) is
  'refund_credits. A part with the same amount and reason as one before it is unchanged.';

create function credits.operator_does_cancel_job(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  job public.generation_jobs := credits.job_lock((p_request.arguments ->> 'job_id')::uuid);
  answer public.generation_job_result;
begin
  effect.before := credits.job_state(job.id);
  answer := public.cancel_generation(job.id);
  if answer.code in ('job_running', 'cancels_used_up') then
    perform credits.operator_refuse('PT409', 'this job cannot be canceled now', answer.code,
      'operator_refund_job ends and refunds it all the same.');
  end if;
  effect.after := credits.job_state(job.id) || case when answer.code = 'cancel_requested'
    then jsonb_build_object('cancel_requested', true) else '{}' end;
  effect.credits := (effect.after ->> 'refunded')::bigint - job.refunded;
  return effect;
end;
$$;

comment on function credits.operator_does_cancel_job(credits.operator_request) is
  'cancel_generation. Raises PT409 for a job that cannot be canceled (detail: job_running, cancels_used_up).';

create function credits.operator_does_set_plan(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  upgrade bigint;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  perform public.set_account_plan(p_request.account_id, p_request.arguments ->> 'plan');
  effect.after := credits.account_state(p_request.account_id);
  select coalesce(sum(delta), 0) into upgrade from public.credit_ledger
  where account_id = p_request.account_id and kind = 'refill' and metadata ->> 'operator_action' = p_ref;
  -- What it gives at once, or else each month from now on.
  effect.credits := greatest(0, upgrade, (
    select n.scheduled_credits - b.scheduled_credits from public.credit_plans as n, public.credit_plans as b
    where n.name = effect.after ->> 'plan' and b.name = effect.before ->> 'plan'))
    + credits.overdraft_given(effect);
  return effect;
end;
$$;

comment on function credits.operator_does_set_plan(credits.operator_request, text) is
  'set_account_plan. credits: what the plan gives more, at once or a month, and its higher overdraft.';

create function credits.operator_does_set_overdraft(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  credit_limit constant bigint := (p_request.arguments ->> 'credit_limit')::bigint;
begin
  if credit_limit is null or credit_limit not between 0 and 1000000000000 then
    perform credits.operator_refuse('22023', 'an overdraft is 0 to 1000000000000 credits', 'credit_limit',
      'Pass how far below zero the balance may go.');
  end if;
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  perform credits.credit_limit_reduce(p_request.account_id, credit_limit);
  effect.after := credits.account_state(p_request.account_id);
  effect.credits := credits.overdraft_given(effect);
  return effect;
end;
$$;

comment on function credits.operator_does_set_overdraft(credits.operator_request) is
  'Sets credit_limit; while more overdraft is in use than that, it falls as the overdraft is filled up. credits: what '
  'can be spent more.';

create function credits.operator_does_close_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  -- One that a dispute froze is closed anew, so that it stays closed when the dispute ends.
  update public.credit_accounts as a set closed_at = clock_timestamp()
  where a.id = p_request.account_id and (a.closed_at is null or exists (
    select from public.payment_disputes as d where d.account_id = a.id and d.froze_at = a.closed_at));
  effect.after := credits.account_state(p_request.account_id);
  return effect;
end;
$$;

comment on function credits.operator_does_close_account(credits.operator_request) is
  'Closes an account: nothing is charged or granted; its credits stay.';

create function credits.operator_check_reopen(p_account public.credit_accounts)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from public.account_erasures where account_id = p_account.id)
    or not p_account.is_team and p_account.user_id is null then
    perform credits.operator_refuse('PT409', 'the account was erased, or its person was deleted', 'person_gone',
      'A person who signs up again under the same id gets the account again by itself.');
  elsif exists (select from public.payment_disputes
    where account_id = p_account.id and status = 'open' and response = 'freeze') then
    perform credits.operator_refuse('PT409', 'an open dispute freezes the account', 'dispute_open',
      'It opens by itself when the dispute ends.');
  end if;
end;
$$;

comment on function credits.operator_check_reopen(public.credit_accounts) is
  'Raises PT409 for an account that nobody may reopen by hand.';

create function credits.operator_does_reopen_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  account public.credit_accounts;
begin
  perform credits.operator_account_lock(p_request.account_id);
  select * into strict account from public.credit_accounts where id = p_request.account_id;
  effect.before := credits.account_state(account.id);
  if account.closed_at is not null then
    perform credits.operator_check_reopen(account);
    update public.credit_accounts set closed_at = null where id = account.id;
  end if;
  effect.after := credits.account_state(account.id);
  return effect;
end;
$$;

comment on function credits.operator_does_reopen_account(credits.operator_request) is
  'Opens a closed account again; months in which it was closed are not refilled.';

create function credits.operator_does_erase_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  account_ids constant uuid[] := array(select credits.person_accounts(array[p_request.account_id], true));
  erased integer;
begin
  if cardinality(account_ids) = 0 then
    perform credits.operator_refuse('PT404', 'no such account', 'unknown_account', 'Pass the account''s id.');
  end if;
  -- In the order in which erase_account takes them; it makes the account of a person who had none.
  perform credits.accounts_lock(p_request.account_id || account_ids);
  effect.before := credits.account_state(p_request.account_id);
  erased := public.erase_account(p_request.account_id);
  effect.after := credits.account_state(p_request.account_id)
    || case when erased > 0 then jsonb_build_object('jobs_erased', erased) else '{}' end;
  return effect;
end;
$$;

comment on function credits.operator_does_erase_account(credits.operator_request) is
  'erase_account. Jobs beyond the first 10,000 follow by finish_erasures.';

create function credits.operator_does_retry_event(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  event public.credit_events;
begin
  select * into event from public.credit_events where id = p_request.subject::uuid for update;
  if not found then
    perform credits.operator_refuse('PT404', 'no such event', 'unknown_event', 'The table credit_events lists them.');
  end if;
  effect.before := jsonb_build_object('delivered_at', event.delivered_at, 'given_up',
    event.next_attempt_at is null and event.delivered_at is null);
  perform credits.events_retry(array[event.id]);
  effect.after := (select jsonb_build_object('delivered_at', e.delivered_at, 'given_up',
    e.next_attempt_at is null and e.delivered_at is null) from public.credit_events as e where e.id = event.id);
  return effect;
end;
$$;

comment on function credits.operator_does_retry_event(credits.operator_request) is
  'Offers an event again that was given up; one that waits or was delivered is unchanged.';

create function credits.operator_does_mute_alert(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  effect.before := (select jsonb_build_object('muted_until', muted_until) from public.credit_alert_rules
    where name = p_request.subject for update);
  effect.after := jsonb_build_object('muted_until', (
    public.mute_alert_rule(p_request.subject, (p_request.arguments ->> 'until')::timestamptz)).muted_until);
  return effect;
end;
$$;

comment on function credits.operator_does_mute_alert(credits.operator_request) is 'mute_alert_rule.';

create function credits.operator_does_acknowledge_alert(p_request credits.operator_request, p_operator_id uuid)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  alert public.credit_alerts;
begin
  effect.before := (select jsonb_build_object('acknowledged_by', acknowledged_by) from public.credit_alerts
    where id = p_request.subject::uuid for update);
  alert := public.acknowledge_alert(p_request.subject::uuid, 'operator ' || p_operator_id);
  effect.after := jsonb_build_object('acknowledged_by', alert.acknowledged_by);
  return effect;
end;
$$;

comment on function credits.operator_does_acknowledge_alert(credits.operator_request, uuid) is
  'acknowledge_alert by "operator <id>"; the first one counts.';

create function credits.payment_state(p_key text)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('state', state, 'cause', cause, 'grant_id', grant_id, 'reversed_credits', reversed_credits)
  from public.payments where key = p_key;
$$;

comment on function credits.payment_state(text) is 'What operators'' actions change of a payment.';

create function credits.operator_does_book_payment(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  perform from public.payments where key = p_request.subject for update;
  effect.before := credits.payment_state(p_request.subject);
  perform public.retry_payment(p_request.subject);
  effect.after := credits.payment_state(p_request.subject);
  return effect;
end;
$$;

comment on function credits.operator_does_book_payment(credits.operator_request) is
  'retry_payment. Its credits are those that were paid for, so they count towards no limit.';

create function credits.operator_fixes()
returns table (invariant text, fix text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values ('job', 'correct_job'), ('job refund', 'refund_credits'), ('paid_without_grant', 'retry_payment'),
    ('reversal_differs', 'retry_payment');
$$;

comment on function credits.operator_fixes() is
  'The classes of discrepancies that operator_fix_discrepancy can fix, and the function that it calls. Its subject is '
  'the job''s id or the payment''s key.';

create function credits.operator_does_fix_discrepancy(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  fix constant text := (select f.fix from credits.operator_fixes() as f
    where f.invariant = p_request.arguments ->> 'class');
  job public.generation_jobs;
begin
  if fix = 'retry_payment' then
    return credits.operator_does_book_payment(p_request);
  elsif fix is null then
    perform credits.operator_refuse('22023', 'no function fixes this class of discrepancy', 'no_fix',
      coalesce((select c.remedy from public.reconciliation_classes as c
        where c.invariant = p_request.arguments ->> 'class'), 'The table reconciliation_classes lists the classes.'));
  end if;
  job := credits.job_lock(p_request.subject::uuid);
  effect.before := credits.job_state(job.id);
  if fix = 'correct_job' then
    perform public.correct_job(job.id, left(p_request.reason, 500));
  else
    perform public.refund_credits(job.id, null, left(p_request.reason, 500));
  end if;
  effect.after := credits.job_state(job.id);
  effect.credits := (effect.after ->> 'balance')::bigint - (effect.before ->> 'balance')::bigint;
  return effect;
end;
$$;

comment on function credits.operator_does_fix_discrepancy(credits.operator_request) is
  'Calls the function that fixes a class of discrepancy (operator_fixes). Raises 22023 with the remedy for another.';

create function credits.operator_perform(
  p_operator_id uuid, p_request credits.operator_request, p_ref text
)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return case p_request.action
    when 'grant' then credits.operator_does_grant(p_request, p_ref)
    when 'withdraw' then credits.operator_does_withdraw(p_request, p_ref)
    when 'reverse_grant' then credits.operator_does_reverse_grant(p_request)
    when 'refund_job' then credits.operator_does_refund_job(p_request)
    when 'cancel_job' then credits.operator_does_cancel_job(p_request)
    when 'set_plan' then credits.operator_does_set_plan(p_request, p_ref)
    when 'set_overdraft' then credits.operator_does_set_overdraft(p_request)
    when 'close_account' then credits.operator_does_close_account(p_request)
    when 'reopen_account' then credits.operator_does_reopen_account(p_request)
    when 'erase_account' then credits.operator_does_erase_account(p_request)
    when 'retry_event' then credits.operator_does_retry_event(p_request)
    when 'mute_alert' then credits.operator_does_mute_alert(p_request)
    when 'acknowledge_alert' then credits.operator_does_acknowledge_alert(p_request, p_operator_id)
    when 'book_payment' then credits.operator_does_book_payment(p_request)
    when 'fix_discrepancy' then credits.operator_does_fix_discrepancy(p_request)
  end;
end;
$$;

comment on function credits.operator_perform(uuid, credits.operator_request, text) is
  'Does what an operator asks for. p_ref: the action''s name in entries and grants, <operator>:<seq>.';

create function credits.operator_note(
  p_operator_id uuid, p_request credits.operator_request, p_effect credits.operator_effect, p_first_seq bigint,
  p_last_seq bigint
)
returns public.operator_actions
language plpgsql
set search_path = '', pg_temp
as $$
declare
  action public.operator_actions;
begin
  action.operator_id := p_operator_id;
  action.action := p_request.action;
  action.account_id := p_request.account_id;
  action.subject := p_request.subject;
  action.arguments := p_request.arguments;
  action.credits := p_effect.credits;
  action.first_seq := p_first_seq;
  action.last_seq := p_last_seq;
  action.before := p_effect.before;
  action.after := p_effect.after;
  action.reason := p_request.reason;
  action.idempotency_key := p_request.idempotency_key;
  action.approval_id := p_request.approval_id;
  return credits.action_append(action);
end;
$$;

comment on function credits.operator_note(uuid, credits.operator_request, credits.operator_effect, bigint, bigint) is
  'Writes an action into its operator''s trail.';

create function credits.operator_do(p_operator public.credit_operators, p_request credits.operator_request)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ref constant text := format('%s:%s', p_operator.user_id, p_operator.last_seq + 1);
  effect credits.operator_effect;
  since constant bigint := coalesce((
    select last_seq from public.credit_accounts where id = p_request.account_id), 0);
  entries record;
begin
  begin
    perform set_config('credits.operator_action', ref, true);
    effect := credits.operator_perform(p_operator.user_id, p_request, ref);
    if p_request.approval_id is null and not credits.operator_within_limits(p_operator, effect.credits) then
      raise exception using errcode = 'LIMIT';
    end if;
    perform set_config('credits.operator_action', '', true);
    -- A payment may have been nobody's until it was booked.
    p_request.account_id := coalesce(p_request.account_id, (
      select account_id from public.payments where key = p_request.subject));
    perform credits.operator_check_own(p_operator, p_request.account_id);
  exception when sqlstate 'LIMIT' then
    return credits.operator_ask(p_operator, p_request, effect.credits);
  end;
  select min(seq) as first_seq, max(seq) as last_seq into entries from public.credit_ledger
  where account_id = p_request.account_id and seq > since and metadata ->> 'operator_action' = ref;
  return credits.operator_answer(
    credits.operator_note(p_operator.user_id, p_request, effect, entries.first_seq, entries.last_seq), false);
end;
$$;

comment on function credits.operator_do(public.credit_operators, credits.operator_request) is
  'Does an action and writes it down. Above the operator''s limit, and not approved, it is undone and waits in '
  'operator_approvals. The caller holds the operator''s lock.';

create function credits.operator_act(
  p_action text, p_account_id uuid, p_subject text, p_arguments jsonb, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- An erasure also changes the row of an operator who is erased.
  operator public.credit_operators := credits.operator_enter(p_action, p_reason, p_idempotency_key,
    array[case when p_action = 'erase_account' then p_account_id end]);
  request credits.operator_request := row(p_action, p_account_id, p_subject, p_arguments, p_reason,
    p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_own(operator, p_account_id);
  return credits.operator_do(operator, request);
end;
$$;

comment on function credits.operator_act(text, uuid, text, jsonb, text, text) is
  'An operator''s action, from the gate to the trail. p_arguments: what the caller passed; a repeated key must come '
  'with the same.';

create function public.operator_grant(
  p_account_id uuid, p_credits bigint, p_expires_at timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- Times stand in the arguments, which a repeated call is compared by.
set timezone = 'UTC'
as $$
begin
  return credits.operator_act('grant', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credits', p_credits, 'expires_at', p_expires_at),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_grant(uuid, bigint, timestamptz, text, text) is
  'Grants credits to an account (grant_credits). p_expires_at null: they never expire.';

create function public.operator_withdraw(
  p_account_id uuid, p_credits bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('withdraw', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credits', p_credits),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_withdraw(uuid, bigint, text, text) is
  'Takes credits out of an account, at most what is there (withdraw_credits).';

create function public.operator_reverse_grant(
  p_account_id uuid, p_grant_id bigint, p_target bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('reverse_grant', p_account_id,
    p_grant_id::text, jsonb_build_object('account_id', p_account_id, 'grant_id', p_grant_id, 'target', p_target),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_reverse_grant(uuid, bigint, bigint, text, text) is
  'Takes a grant back, up to p_target credits in all; null: all of it (reverse_grant).';

create function public.operator_refund_job(
  p_job_id uuid, p_credits bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('refund_job',
    (select j.account_id from public.generation_jobs as j where j.id = p_job_id), p_job_id::text,
    jsonb_build_object('job_id', p_job_id, 'credits', p_credits),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_refund_job(uuid, bigint, text, text) is
  'Refunds a job; p_credits null: all that is left (refund_credits).';

create function public.operator_cancel_job(
  p_job_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('cancel_job',
    (select j.account_id from public.generation_jobs as j where j.id = p_job_id), p_job_id::text,
    jsonb_build_object('job_id', p_job_id),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_cancel_job(uuid, text, text) is
  'Cancels a job (cancel_generation). Raises PT409 where it runs and cannot be stopped.';

create function public.operator_set_plan(
  p_account_id uuid, p_plan text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('set_plan', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'plan', p_plan),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_set_plan(uuid, text, text, text) is
  'Puts an account on a plan (set_account_plan).';

create function public.operator_set_overdraft(
  p_account_id uuid, p_credit_limit bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('set_overdraft', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credit_limit', p_credit_limit),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_set_overdraft(uuid, bigint, text, text) is
  'Sets how far below zero an account''s balance may go.';

create function public.operator_close_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('close_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_close_account(uuid, text, text) is
  'Closes an account: nothing is charged or granted; its credits stay.';

create function public.operator_reopen_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('reopen_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_reopen_account(uuid, text, text) is
  'Opens a closed account again. Raises PT409 for one that was erased, whose person was deleted or that a dispute '
  'freezes.';

create function public.operator_erase_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('erase_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_erase_account(uuid, text, text) is
  'Erases a person''s or a team''s data, and closes the account (erase_account).';

create function public.operator_retry_event(
  p_event_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('retry_event',
    (select e.account_id from public.credit_events as e where e.id = p_event_id), p_event_id::text,
    jsonb_build_object('event_id', p_event_id),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_retry_event(uuid, text, text) is
  'Offers an event again that was given up.';

create function public.operator_mute_alert(
  p_rule text, p_until timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- Times stand in the arguments, which a repeated call is compared by.
set timezone = 'UTC'
as $$
begin
  return credits.operator_act('mute_alert', null,
    p_rule, jsonb_build_object('rule', p_rule, 'until', p_until),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_mute_alert(text, timestamptz, text, text) is
  'Keeps a rule''s alerts unannounced until p_until; null: unmutes it (mute_alert_rule).';

create function public.operator_acknowledge_alert(
  p_alert_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('acknowledge_alert', null,
    p_alert_id::text, jsonb_build_object('alert_id', p_alert_id),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_acknowledge_alert(uuid, text, text) is
  'Notes that the operator handles an alert (acknowledge_alert).';

create function public.operator_book_payment(
  p_payment_id text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('book_payment',
    (select p.account_id from public.payments as p where p.key = p_payment_id), p_payment_id,
    jsonb_build_object('payment_id', p_payment_id),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_book_payment(text, text, text) is
  'Books a waiting payment (retry_payment). p_payment_id: payments.key.';

create function credits.discrepancy_account(p_class text, p_subject text)
returns uuid
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_class in ('job', 'job refund') then
    -- Another text is refused behind the gate.
    return (select account_id from public.generation_jobs
      where id = case when p_subject ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_subject::uuid end);
  end if;
  return (select account_id from public.payments where key = p_subject);
end;
$$;

comment on function credits.discrepancy_account(text, text) is 'The account of a discrepancy that can be fixed.';

create function public.operator_fix_discrepancy(
  p_class text, p_subject text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('fix_discrepancy', credits.discrepancy_account(p_class, p_subject),
    p_subject, jsonb_build_object('class', p_class, 'subject', p_subject),
    p_reason, p_idempotency_key);
end;
$$;

comment on function public.operator_fix_discrepancy(text, text, text, text) is
  'Fixes a discrepancy where a function can (operator_fixes), by its class (invariant) and the job''s id or the '
  'payment''s key. Raises 22023 with the remedy for another class.';

create function credits.approval_lock(p_approval_id uuid, p_operator public.credit_operators)
returns public.operator_approvals
language plpgsql
set search_path = '', pg_temp
as $$
declare
  approval public.operator_approvals;
begin
  select * into approval from public.operator_approvals where id = p_approval_id for update;
  if not found then
    perform credits.operator_refuse('PT404', 'no such request', 'unknown_approval',
      'The table operator_approvals lists them.');
  elsif approval.state <> 'waiting' or approval.expires_at <= clock_timestamp() then
    perform credits.operator_refuse('PT409', 'this request waits no more',
      case approval.state when 'waiting' then 'expired' else approval.state end, 'Ask again for the action.');
  elsif p_operator.user_id <> approval.operator_id and p_operator.role < (
    select role from public.credit_operators where user_id = approval.operator_id) then
    perform credits.operator_refuse('42501', 'who decides needs the role of the one who asks, or a higher one',
      'role_too_low', 'Ask another operator.');
  end if;
  return approval;
end;
$$;

comment on function credits.approval_lock(uuid, public.credit_operators) is
  'Locks a request that waits. Raises PT404, PT409 where it waits no more, 42501 for an operator of a lower role than '
  'its own. The caller holds the locks of both operators.';

create function credits.approval_asker(p_approval public.operator_approvals, p_approver public.credit_operators)
returns public.credit_operators
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  asker public.credit_operators;
begin
  if p_approval.operator_id = p_approver.user_id then
    perform credits.operator_refuse('42501', 'nobody approves their own request', 'own_request',
      'Ask a second operator.');
  end if;
  perform credits.operator_check_own(p_approver, p_approval.account_id);
  -- Beyond its own limits an approver may go: two have answered for it. Not one whose limit is 0.
  perform credits.operator_within_limits(p_approver, p_approval.credits);
  select * into asker from public.credit_operators where user_id = p_approval.operator_id and disabled_at is null;
  if not found or asker.role < (select least_role from credits.operator_rights() where action = p_approval.action)
    or asker.max_per_action = 0 or asker.max_per_day = 0 then
    perform credits.operator_refuse('PT409', 'who asked for this may not do it any more', 'asker_disabled',
      'Reject it.');
  end if;
  perform credits.operator_check_own(asker, p_approval.account_id);
  return asker;
end;
$$;

comment on function credits.approval_asker(public.operator_approvals, public.credit_operators) is
  'Who asked for an action, where the approver may approve it and the asker still may do it.';

create function credits.approval_decide(
  p_approval public.operator_approvals, p_operator_id uuid, p_state text, p_request credits.operator_request,
  p_details jsonb
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.operator_approvals
  set state = p_state, decided_by = p_operator_id, decided_at = clock_timestamp(), decision_reason = p_request.reason
  where id = p_approval.id;
  p_request.account_id := p_approval.account_id;
  p_request.approval_id := p_approval.id;
  return credits.operator_answer(credits.operator_note(p_operator_id, p_request,
    row(null, jsonb_build_object('state', 'waiting'), jsonb_build_object('state', p_state) || p_details), null, null),
    false);
end;
$$;

comment on function credits.approval_decide(public.operator_approvals, uuid, text, credits.operator_request, jsonb) is
  'Notes a decision in the request and in the trail of the operator who decided.';

create function public.operator_approve(p_approval_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  approver public.credit_operators := credits.operator_enter('approve', p_reason, p_idempotency_key,
    array(select operator_id from public.operator_approvals where id = p_approval_id));
  request credits.operator_request := row('approve', null, p_approval_id::text,
    jsonb_build_object('approval_id', p_approval_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(approver.user_id, request);
  approval public.operator_approvals;
  done public.operator_result;
begin
  if result.replayed then
    return result;
  end if;
  approval := credits.approval_lock(p_approval_id, approver);
  done := credits.operator_do(credits.approval_asker(approval, approver), row(approval.action, approval.account_id,
    approval.subject, approval.arguments, approval.reason, approval.idempotency_key, approval.id));
  if (done.details ->> 'credits')::bigint not between least(approval.credits, 0) and greatest(approval.credits, 0) then
    perform credits.operator_refuse('PT409', 'it would move more credits than were asked for', 'more_than_asked',
      'Reject it, and let it be asked for again.');
  end if;
  return credits.approval_decide(approval, approver.user_id, 'approved', request, jsonb_build_object(
    'code', done.code, 'operator_id', done.operator_id, 'action_seq', done.action_seq, 'credits',
    done.details -> 'credits'));
end;
$$;

comment on function public.operator_approve(uuid, text, text) is
  'Approves another operator''s action above their limit, which is done at once under their name. details.after names '
  'it. Raises what the action raises now (an account closed meanwhile), and then it goes on waiting; PT409 for a '
  'request that waits no more, or would move more credits than were asked for; 42501 for one''s own request or '
  'account.';

create function public.operator_reject(p_approval_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('reject', p_reason, p_idempotency_key,
    array(select operator_id from public.operator_approvals where id = p_approval_id));
  request credits.operator_request := row('reject', null, p_approval_id::text,
    jsonb_build_object('approval_id', p_approval_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  approval public.operator_approvals;
begin
  if result.replayed then
    return result;
  end if;
  approval := credits.approval_lock(p_approval_id, operator);
  if approval.operator_id <> operator.user_id then
    perform credits.operator_check_own(operator, approval.account_id);
  end if;
  return credits.approval_decide(approval, operator.user_id, 'rejected', request, '{}');
end;
$$;

comment on function public.operator_reject(uuid, text, text) is
  'Rejects an action that waits for approval; who asked for it may take it back by this. Raises PT409 for a request '
  'that waits no more, 42501 for another''s on one''s own account.';

create function credits.operator_row(p_user_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('role', role, 'max_per_action', max_per_action, 'max_per_day', max_per_day,
    'disabled', disabled_at is not null)
  from public.credit_operators where user_id = p_user_id;
$$;

comment on function credits.operator_row(uuid) is 'What an admin sets of an operator; null: none.';

create function credits.operator_check_other(p_operator public.credit_operators, p_user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_user_id = p_operator.user_id then
    perform credits.operator_refuse('42501', 'nobody changes their own role or limits', 'own_row',
      'Ask another admin.');
  end if;
end;
$$;

comment on function credits.operator_check_other(public.credit_operators, uuid) is
  'Raises 42501 for an operator''s own row.';

create function public.operator_set(
  p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('set', p_reason, p_idempotency_key, array[p_user_id]);
  request credits.operator_request := row('set', null, p_user_id::text, jsonb_build_object('user_id', p_user_id,
    'role', p_role, 'max_per_action', p_max_per_action, 'max_per_day', p_max_per_day), p_reason, p_idempotency_key,
    null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  before constant jsonb := credits.operator_row(p_user_id);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_other(operator, p_user_id);
  if p_role is null or p_role <> all (enum_range(null::public.credit_operator_role)::text[])
    or p_max_per_action not between 0 and 1000000000000 or p_max_per_day not between 0 and 1000000000000000 then
    perform credits.operator_refuse('22023', 'a role is viewer, support, finance or admin, and a limit at least 0',
      'operator', 'Limits are whole credits; leave one out for no limit.');
  elsif not exists (select from auth.users where id = p_user_id)
    -- A shard's users sign in at its router, which knows them.
    and not exists (select from credits.shard where slot_groups <> '{}') then
    perform credits.operator_refuse('PT404', 'no such user', 'unknown_user', 'Pass the id of a user who signs in.');
  end if;
  insert into public.credit_operators as o (user_id, role, max_per_action, max_per_day)
  values (p_user_id, p_role::public.credit_operator_role, p_max_per_action, p_max_per_day)
  on conflict (user_id) do update set role = excluded.role, max_per_action = excluded.max_per_action,
    max_per_day = excluded.max_per_day, disabled_at = null;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, before, credits.operator_row(p_user_id)), null, null), false);
end;
$$;

comment on function public.operator_set(uuid, text, bigint, bigint, text, text) is
  'Makes a user an operator, or gives an operator another role or other limits; also one who was removed. Limits: '
  'null, none; 0, moves no credits. Raises 42501 for the caller''s own row.';

create function public.operator_remove(p_user_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('remove', p_reason, p_idempotency_key, array[p_user_id]);
  request credits.operator_request := row('remove', null, p_user_id::text,
    jsonb_build_object('user_id', p_user_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  before constant jsonb := credits.operator_row(p_user_id);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_other(operator, p_user_id);
  update public.credit_operators set disabled_at = coalesce(disabled_at, clock_timestamp())
  where user_id = p_user_id;
  if not found then
    perform credits.operator_refuse('PT404', 'no such operator', 'unknown_operator',
      'The table credit_operators lists them.');
  end if;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, before, credits.operator_row(p_user_id)), null, null), false);
end;
$$;

comment on function public.operator_remove(uuid, text, text) is
  'Ends what an operator may do and read, at once; what they did stays written. Raises 42501 for the caller''s own '
  'row, PT404 for a user who is no operator.';

create function public.operator_abilities()
returns table (action text, least_role public.credit_operator_role, moves_credits boolean, allowed boolean)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select r.action, r.least_role, r.moves_credits, r.least_role <= me.role
  from credits.operator_rights() as r cross join (select credits.operator_role() as role) as me
  where me.role is not null;
$$;

comment on function public.operator_abilities() is
  'What an operator may do: one row per action (function operator_<action>), with the least role, and whether the '
  'calling operator may. No row for who is no operator.';

create function credits.operator_day(p_operator_id uuid)
returns table (max_per_day bigint, used bigint)
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
begin
  -- An action that is under way, of which the router no longer waits for the answer, counts, too.
  select * into operator from public.credit_operators where user_id = p_operator_id for share;
  return query select operator.max_per_day, credits.operator_used_today(p_operator_id);
end;
$$;

comment on function credits.operator_day(uuid) is
  'An operator''s limit of a day, and what of it they have used on this database. Waits for an action of theirs.';

create function credits.operator_joins(
  p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_note text
)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  insert into public.credit_operators (user_id, role, max_per_action, max_per_day, note)
  values (p_user_id, p_role::public.credit_operator_role, p_max_per_action, p_max_per_day, p_note)
  on conflict (user_id) do nothing;
  if found then
    return true;
  elsif not exists (select from public.credit_operators as o where o.user_id = p_user_id and o.disabled_at is null
    and (o.role::text, o.max_per_action, o.max_per_day, o.note)
      is not distinct from (p_role, p_max_per_action, p_max_per_day, p_note)) then
    raise unique_violation using message = 'duplicate key value violates unique constraint "credit_operators_pkey"',
      detail = format('Key (user_id)=(%s) already exists.', p_user_id);
  end if;
  return false;
end;
$$;

comment on function credits.operator_joins(uuid, text, bigint, bigint, text) is
  'Inserts an operator as the owner did on the router; false: the same one is here already. Raises 23505 for one who '
  'is here with another role, other limits or another note, or was removed.';

create function credits.operator_muted(
  p_rule text, p_before timestamptz, p_until timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- As operator_mute_alert.
set timezone = 'UTC'
as $$
declare
  operator public.credit_operators := credits.operator_enter('mute_alert', p_reason, p_idempotency_key);
  request credits.operator_request := row('mute_alert', null, p_rule,
    jsonb_build_object('rule', p_rule, 'until', p_until), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
begin
  if result.replayed then
    return result;
  elsif not exists (select from public.credit_alert_rules where name = p_rule) then
    perform credits.raise_misuse('PT404', 'no such alert rule', 'The table credit_alert_rules lists them.');
  end if;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, jsonb_build_object('muted_until', p_before), jsonb_build_object('muted_until', p_until)), null, null),
    false);
end;
$$;

comment on function credits.operator_muted(text, timestamptz, timestamptz, text, text) is
  'Writes into the calling operator''s trail that they mute a rule, which the router does: the rules are there. Raises '
  'what operator_mute_alert raises. p_before: until when it was muted.';

create function credits.operator_views()
returns setof text
language sql
immutable
set search_path = '', pg_temp
as $$
  select unnest(array['operator_me', 'operator_accounts', 'operator_account_grants', 'operator_account_members',
    'operator_jobs', 'operator_payments', 'operator_events', 'operator_alerts', 'operator_discrepancies',
    'operator_reconciliations', 'operator_models', 'operator_providers', 'operator_log', 'operator_waiting',
    'operator_team']);
$$;

comment on function credits.operator_views() is
  'The views that run as their owner: each asks whether its reader is an operator. Every other view runs with its '
  'reader''s rights.';

create function credits.is_operator_view(p_view oid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from credits.operator_views() as o (name) where to_regclass('public.' || o.name) = p_view);
$$;

comment on function credits.is_operator_view(oid) is 'Whether a view is one of operator_views.';

create function credits.has_barrier(p_options text[])
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  select coalesce(p_options @> array['security_barrier=true']
    and not p_options && array['security_invoker=true', 'security_invoker=on'], false);
$$;

comment on function credits.has_barrier(text[]) is
  'Whether a view with these options runs as its owner, and shows no row to a condition before its own hold.';

create function credits.operator_reads()
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if credits.operator_role() is null then
    perform credits.operator_refuse('42501', 'this user is not an operator', 'not_an_operator',
      'An admin makes operators: operator_set.');
  end if;
end;
$$;

comment on function credits.operator_reads() is
  'Raises 42501 where the calling user is no operator: the first statement of each function by which operators read.';

create function credits.page_size(p_limit integer)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_limit is null or p_limit not between 1 and 200 then
    perform credits.raise_misuse('22023', 'a page has 1 to 200 rows', 'Ask for the next page by the last row''s key.');
  end if;
  return p_limit;
end;
$$;

comment on function credits.page_size(integer) is 'How many rows a page has. Raises 22023 unless it is 1 to 200.';

create function credits.operators_now()
returns table (
  user_id uuid, role public.credit_operator_role, max_per_action bigint, max_per_day bigint, used_today bigint,
  note text, created_at timestamptz, disabled_at timestamptz
)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select o.user_id, o.role, o.max_per_action, o.max_per_day, credits.operator_used_today(o.user_id), o.note,
    o.created_at, o.disabled_at
  from public.credit_operators as o where (select credits.operator_role()) is not null;
$$;

comment on function credits.operators_now() is
  'Operators with what they have moved today, for operators alone: no row for anybody else.';

create view public.operator_me
with (security_barrier = true)
as
select o.user_id, o.role, (select auth.jwt()) ->> 'aal' as aal, o.max_per_action, o.max_per_day, o.used_today, o.note
from credits.operators_now() as o
where o.user_id = (select auth.uid()) and (select credits.operator_role()) is not null;

comment on view public.operator_me is
  'The calling operator: role, limits in credits (null: none), what was given and taken today (UTC), and how they '
  'signed in (aal1, aal2: with a second factor, which every change needs). No row: not an operator.';

create view public.operator_accounts
with (security_barrier = true)
as
select a.id as account_id, a.user_id, a.is_team,
  case when e.erases then case when e.finished_at is null then 'erasing' else 'erased' end
    when a.closed_at is null then 'open'
    when exists (select from public.payment_disputes as d where d.account_id = a.id and d.froze_at = a.closed_at)
      then 'frozen'
    else 'closed' end as state,
  a.plan, b.balance, a.balance as booked_balance,
  case when a.closed_at is null and a.debt = 0
    then least(greatest(b.balance::numeric + a.credit_limit, 0), 9223372036854775807)::bigint else 0 end as spendable,
  a.credit_limit, a.overdraft_used, a.debt,
  (select count(*) from public.generation_jobs as j
    where j.account_id = a.id and j.status in ('pending', 'running')) as open_jobs,
  a.last_seq as entries, a.closed_at, e.requested_at as erasure_requested_at, e.finished_at as erased_at,
  nullif(a.last_entry_at, '-infinity') as last_entry_at, a.created_at
from public.credit_accounts as a
left join public.account_erasures as e on e.account_id = a.id
-- Computed once, where it is used twice.
cross join lateral (select credits.balance_with_due(a) as balance offset 0) as b
where (select credits.operator_role()) is not null;

comment on view public.operator_accounts is
  'Accounts, for operators. balance: as if everything due were booked (booked_balance: the ledger''s). spendable: what '
  'a charge can use now, overdraft included; 0 while the account is closed or in debt. state: open, closed, frozen (by '
  'an open dispute), erasing or erased. Ask for one (account_id or user_id); operator_accounts_page lists all.';

create view public.operator_account_grants
with (security_barrier = true)
as
select g.account_id, g.id as grant_id, g.kind,
  case when g.is_open and (g.expires_at <= now()) is not true then 'open'
    when g.reversed > 0 and g.reversed = g.amount then 'reversed'
    when g.expires_at <= now() and (g.is_open or g.breakage > 0) then 'expired'
    else 'used_up' end as state,
  g.amount, g.remaining, g.breakage, g.reversed, g.repaid, g.priority, g.expires_at,
  nullif(g.grace_ends_at, '-infinity') as grace_ends_at, g.makes_good, g.external_ref, g.reason, g.created_at
from public.credit_grants as g
where (select credits.operator_role()) is not null;

comment on view public.operator_account_grants is
  'Grants, for operators: where an account''s credits came from, what is left of each, and when it expires. state: '
  'open, used_up, expired (credits were left) or reversed (all of it was taken back). external_ref of one that was '
  'paid for: the payment''s key. Ask by account_id.';

create view public.operator_account_members
with (security_barrier = true)
as
select m.account_id, m.user_id, m.role, m.monthly_cap,
  case when m.spent_month = date_trunc('month', now() at time zone 'utc')::date then m.spent else 0 end as spent,
  m.created_at
from public.account_members as m
where (select credits.operator_role()) is not null;

comment on view public.operator_account_members is
  'Members of teams, for operators, with what each has spent in this calendar month (UTC). Ask by account_id, or by '
  'user_id for the teams of a person.';

create function public.operator_accounts_page(p_after_id uuid default null, p_limit integer default 50)
returns setof public.operator_accounts
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  return query
  select v.* from (
    select a.id from public.credit_accounts as a
    where a.id > coalesce(p_after_id, '00000000-0000-0000-0000-000000000000')
    order by a.id limit credits.page_size(p_limit)
  ) as p
  cross join lateral (select * from public.operator_accounts as o where o.account_id = p.id offset 0) as v
  order by v.account_id;
end;
$$;

comment on function public.operator_accounts_page(uuid, integer) is
  'Accounts by their id, for operators: up to p_limit (1 to 200) after p_after_id, as operator_accounts shows them. '
  'Raises 42501 for who is no operator, 22023 for another limit.';

create view public.operator_jobs
with (security_barrier = true)
as
select j.id as job_id, j.account_id, j.member_id, j.status, j.model, j.provider, j.price_effective_from, j.cost,
  j.refunded, case when j.refunded between 0 and j.cost then j.cost - j.refunded end as paid, j.actual_cost,
  (select coalesce(jsonb_object_agg(f.key, f.value), '{}')
    from jsonb_each(case when jsonb_typeof(j.input) = 'object' then j.input end) as f
    where f.key in ('n', 'width', 'height', 'seconds', 'aspect_ratio', 'format', 'input_tokens', 'output_tokens',
      'characters', 'max_cost')) as request,
  case when j.input ->> 'asked_by' = 'server' then 'server' else 'user' end as asked_by,
  u.usage, u.usage_source, o.outputs, o.output_bytes,
  j.error ->> 'code' as error_code, j.error ->> 'message' as error_message, j.request_id, j.provider_job_id,
  j.created_at, j.started_at, j.ended_at, j.deadline_at, j.late_settled_at, j.erased_at, j.output_deleted_at
from public.generation_jobs as j
left join public.generation_usage as u on u.account_id = j.account_id and u.job_id = j.id
cross join lateral (
  select count(*) as outputs, sum(case when jsonb_typeof(f.value -> 'bytes') = 'number'
    then (f.value -> 'bytes')::numeric end) as output_bytes
  from jsonb_array_elements(case when jsonb_typeof(j.output -> 'outputs') = 'array' then j.output -> 'outputs' end)
    as f (value)
) as o
where (select credits.operator_role()) is not null;

comment on view public.operator_jobs is
  'Jobs, for operators: what was asked for in numbers (request), what it cost, how it ended, and what the provider '
  'said where it failed (error_message is text from outside). No prompt and no output. Ask by job_id, account_id or '
  'request_id; operator_jobs_page lists the newest.';

create function credits.newest_jobs(
  p_status text, p_before_at timestamptz, p_before_id uuid, p_since timestamptz, p_limit integer
)
returns setof public.generation_jobs
language sql
stable
set search_path = '', pg_temp
as $$
  select j.* from public.generation_jobs as j
  where j.created_at > p_since and j.created_at <= p_before_at and (j.created_at, j.id) < (p_before_at, p_before_id)
    and (p_status is null or j.status::text = p_status)
  order by j.created_at desc, j.id desc limit p_limit;
$$;

comment on function credits.newest_jobs(text, timestamptz, uuid, timestamptz, integer) is
  'The newest jobs of all accounts before one, and after p_since. The index by time is one of ranges of pages, so the '
  'shorter the span the faster.';

create function credits.newest_jobs_of_all(
  p_status text, p_before_at timestamptz, p_before_id uuid, p_limit integer
)
returns setof public.generation_jobs
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  reach interval := '1 minute'::interval;
  since timestamptz;
  page public.generation_jobs[];
begin
  -- Back in spans, each eight times as long as the last, until there are enough jobs in it: a busy installation has a
  -- page of them in a minute, and a quiet one is small.
  loop
    since := case when reach < interval '1 year' then least(p_before_at, now()) - reach else '-infinity' end;
    page := array(select j from credits.newest_jobs(p_status, p_before_at, p_before_id, since, p_limit) as j);
    exit when cardinality(page) = p_limit or since = '-infinity';
    reach := reach * 8;
  end loop;
  return query select * from unnest(page);
end;
$$;

comment on function credits.newest_jobs_of_all(text, timestamptz, uuid, integer) is
  'The newest jobs of all accounts before one.';

create function credits.newest_jobs_of_account(
  p_account_id uuid, p_status text, p_before_at timestamptz, p_before_id uuid, p_limit integer
)
returns setof public.generation_jobs
language sql
stable
set search_path = '', pg_temp
as $$
  select j.* from public.generation_jobs as j
  where j.account_id = p_account_id and j.created_at <= p_before_at
    and (j.created_at, j.id) < (p_before_at, p_before_id) and (p_status is null or j.status::text = p_status)
  order by j.created_at desc, j.id desc limit p_limit;
$$;

comment on function credits.newest_jobs_of_account(uuid, text, timestamptz, uuid, integer) is
  'The newest jobs of an account before one.';

create function credits.newest_open_jobs(
  p_account_id uuid, p_before_at timestamptz, p_before_id uuid, p_limit integer
)
returns setof public.generation_jobs
language sql
stable
set search_path = '', pg_temp
as $$
  select j.* from public.generation_jobs as j
  where j.status in ('pending', 'running') and (p_account_id is null or j.account_id = p_account_id)
    and (j.created_at, j.id) < (p_before_at, p_before_id)
  order by j.created_at desc, j.id desc limit p_limit;
$$;

comment on function credits.newest_open_jobs(uuid, timestamptz, uuid, integer) is
  'The newest open jobs before one, of an account or of all: there are few, and they have an index.';

create function public.operator_jobs_page(
  p_account_id uuid default null, p_status text default null, p_before_at timestamptz default null,
  p_before_id uuid default null, p_limit integer default 50
)
returns setof public.operator_jobs
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  before_at constant timestamptz := coalesce(p_before_at, 'infinity');
  before_id constant uuid := coalesce(p_before_id, '00000000-0000-0000-0000-000000000000');
  page public.generation_jobs[];
begin
  perform credits.operator_reads();
  if p_status = 'open' then
    page := array(select j from credits.newest_open_jobs(p_account_id, before_at, before_id,
      credits.page_size(p_limit)) as j);
  elsif p_account_id is null then
    page := array(select j from credits.newest_jobs_of_all(p_status, before_at, before_id,
      credits.page_size(p_limit)) as j);
  else
    page := array(select j from credits.newest_jobs_of_account(p_account_id, p_status, before_at, before_id,
      credits.page_size(p_limit)) as j);
  end if;
  return query
  select v.* from unnest(page) as p
  cross join lateral (
    select * from public.operator_jobs as o where o.job_id = p.id and o.account_id = p.account_id offset 0
  ) as v
  order by v.created_at desc, v.job_id desc;
end;
$$;

comment on function public.operator_jobs_page(uuid, text, timestamptz, uuid, integer) is
  'The newest jobs of an account, or of all accounts (p_account_id null), for operators: up to p_limit (1 to 200), as '
  'operator_jobs shows them. p_status: open (pending or running), or a status. The next page comes before the last '
  'row''s created_at and job_id. Raises 42501 for who is no operator, 22023 for another limit.';

create function public.operator_request_trail(p_request_id text)
returns table (at timestamptz, step text, detail text, account_id uuid, job_id uuid, credits bigint)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  return query
  select t.at, t.step, t.detail, t.account_id, t.job_id, t.credits
  from public.credit_request_trail as t where t.request_id = p_request_id order by t.at, t.step limit 500;
end;
$$;

comment on function public.operator_request_trail(text) is
  'What became of a request, by the x-request-id of its answer, for operators, the oldest step first: see '
  'credit_request_trail. Raises 42501 for who is no operator.';

create function credits.payment_remedy(p_cause text)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_cause
    when 'unknown_customer' then 'Nobody is known as this customer. Find out whose payment it is, link the customer '
      '(link_payment_customer), then book the payment.'
    when 'account_differs' then 'The payment names another account than its customer''s. Find out who has paid; '
      'correct it at the provider, or refund it there.'
    when 'account_closed' then 'The account is closed. Open it and book the payment, or refund it at the provider.'
    when 'unknown_price' then 'No product has this price. Set the product up (set_product), then book the payment.'
    when 'livemode_mixed' then 'A test payment of a live product, or the other way round. Refund it at the provider.'
    when 'kind_differs' then 'A pack was sold as a plan, or the other way round. Refund it at the provider, and '
      'correct the product.'
    when 'quantity' then 'The quantity is more than the product allows. Refund it at the provider.'
    when 'granted_elsewhere' then 'Something else was granted under this payment''s key. Reverse that grant, then book '
      'the payment.'
    else 'Book the payment again; if it still waits, refund it at the provider.' end
  where p_cause is not null;
$$;

comment on function credits.payment_remedy(text) is 'What to do about a payment that waits, by its cause.';

create view public.operator_payments
with (security_barrier = true)
as
select p.key as payment_key, coalesce(p.paid_at, p.created_at) as at, p.account_id, p.claimed_account_id, p.provider,
  p.livemode, p.kind, p.status, p.state, p.cause, credits.payment_remedy(p.cause) as remedy, p.amount, p.currency,
  p.refunded, p.disputed, p.fee, p.product, p.quantity, p.credits, p.grant_id, p.reversed_credits, p.customer_id,
  p.session_id, p.invoice_id, p.intent_id, p.charge_id, p.subscription_id, p.period_start, p.period_end, p.tries,
  p.paid_at, p.created_at, p.booked_at, p.updated_at
from public.payments as p
where (select credits.operator_role()) is not null;

comment on view public.operator_payments is
  'Payments, for operators: what the provider says (status), what was booked (state: noted, waiting, booked; credits), '
  'why one waits (cause) and what to do (remedy). amount, refunded, disputed and fee: minor units. at: paid_at, or '
  'created_at where it was not paid. Ask by payment_key, account_id or state; operator_payments_page lists the newest.';

create function credits.newest_payments(
  p_account_id uuid, p_state text, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.payments
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_account_id is not null or p_state = 'waiting' then
    -- Few: of one account, or what waits.
    return query
    select p.* from public.payments as p
    where (p_account_id is null or p.account_id = p_account_id) and (p_state is null or p.state = p_state)
      and (coalesce(p.paid_at, p.created_at), p.key) < (p_before_at, p_before_key)
    order by coalesce(p.paid_at, p.created_at) desc, p.key desc limit p_limit;
    return;
  end if;
  return query
  select p.* from public.payments as p
  where p.paid_at is not null and p.paid_at <= p_before_at and (p.paid_at, p.key) < (p_before_at, p_before_key)
    and (p_state is null or p.state = p_state)
  order by p.paid_at desc, p.key desc limit p_limit;
end;
$$;

comment on function credits.newest_payments(uuid, text, timestamptz, text, integer) is
  'The newest payments before one, of an account or of all; of all only those that were paid, unless p_state is '
  'waiting.';

create function public.operator_payments_page(
  p_account_id uuid default null, p_state text default null, p_before_at timestamptz default null,
  p_before_key text default null, p_limit integer default 50
)
returns setof public.operator_payments
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  return query
  select v.* from credits.newest_payments(p_account_id, p_state, coalesce(p_before_at, 'infinity'),
    coalesce(p_before_key, ''), credits.page_size(p_limit)) as p
  cross join lateral (select * from public.operator_payments as o where o.payment_key = p.key offset 0) as v
  order by v.at desc, v.payment_key desc;
end;
$$;

comment on function public.operator_payments_page(uuid, text, timestamptz, text, integer) is
  'The newest payments of an account, or of all accounts (p_account_id null: those that were paid), for operators: up '
  'to p_limit (1 to 200), as operator_payments shows them. p_state: only noted, waiting or booked. The next page comes '
  'before the last row''s at and payment_key. Raises 42501 for who is no operator, 22023 for another limit.';

create view public.operator_events
with (security_barrier = true)
as
select e.id as event_id, e.account_id, e.type,
  case when e.next_attempt_at is null then 'given_up' else 'waiting' end as state, e.attempts, e.next_attempt_at,
  e.last_error, e.created_at
from public.credit_events as e
where e.delivered_at is null and (select credits.operator_role()) is not null;

comment on view public.operator_events is
  'Events that were not delivered, for operators: waiting for their next try, or given up. Without what they say.';

comment on type public.operator_find is
  'Something that operator_search found. kind: account, user, job, request, payment or grant; id: its id; account_id: '
  'the account to look at, null where there is none (a payment that is nobody''s).';

create function credits.find_by_id(p_id uuid)
returns setof public.operator_find
language sql
stable
set search_path = '', pg_temp
as $$
  select 'account', a.id::text, a.id, case when a.is_team then 'Team' else 'Account' end,
    concat_ws(', ', 'plan ' || a.plan, a.balance || ' credits', case when a.closed_at is not null then 'closed' end),
    a.created_at
  from public.credit_accounts as a where a.id = p_id or a.user_id = p_id
  union all
  select 'user', u.id::text, a.id, u.email::text, 'user', u.created_at
  from auth.users as u left join public.credit_accounts as a on a.user_id = u.id where u.id = p_id
  union all
  select 'account', m.account_id::text, m.account_id, 'Team', 'this user is its ' || m.role, m.created_at
  from public.account_members as m where m.user_id = p_id
  union all
  select 'job', j.id::text, j.account_id, j.model || ': ' || j.status, j.cost - j.refunded || ' credits', j.created_at
  from public.generation_jobs as j where j.id = p_id;
$$;

comment on function credits.find_by_id(uuid) is 'Accounts, users, their teams, and jobs with an id.';

create function credits.find_by_name(p_name text)
returns setof public.operator_find
language sql
stable
set search_path = '', pg_temp
as $$
  with providers as (
    select array(select distinct provider from public.credit_products) as names
  )
  select 'request', j.request_id, j.account_id, 'Request charged: ' || j.model, 'job ' || j.id || ', ' || j.status,
    j.created_at
  from public.generation_jobs as j where j.request_id = p_name
  union all
  select 'request', e.request_id, e.account_id,
    case when e.status < 400 then 'Request repeated' else 'Request denied' end, e.status || ' ' || e.code, e.created_at
  from public.credit_request_events as e where e.request_id = p_name
  union all
  select 'payment', p.key, p.account_id, concat_ws(' ', 'Payment', p.product, p.status),
    concat_ws(': ', p.state, p.cause), coalesce(p.paid_at, p.created_at)
  from public.payments as p
  where p.key = p_name or p.session_id = p_name or p.intent_id = p_name or p.charge_id = p_name
    or p.key = any (select n || ':in:' || p_name from providers, unnest(names) as n)
  union all
  select 'account', c.account_id::text, c.account_id, 'Customer ' || c.customer_id, c.provider, c.created_at
  from providers, public.payment_customers as c
  where c.provider = any (names) and c.livemode in (true, false) and c.customer_id = p_name
  union all
  select 'account', s.account_id::text, s.account_id, 'Subscription ' || s.subscription_id, s.status, s.created_at
  from providers, public.payment_subscriptions as s where s.provider = any (names) and s.subscription_id = p_name
  union all
  select 'grant', g.id::text, g.account_id, g.kind || ' of ' || g.amount || ' credits', g.reason, g.created_at
  from public.credit_grants as g where g.external_ref = p_name;
$$;

comment on function credits.find_by_name(text) is
  'Requests, payments, customers, subscriptions and grants with an id that is no UUID.';

create function credits.find_by_mail(p_mail text, p_limit integer)
returns setof public.operator_find
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Auth keeps addresses in lower case. What LIKE would read as a pattern stands for itself.
  mail constant text := lower(p_mail);
  pattern constant text := replace(replace(replace(mail, '\', '\\'), '%', '\%'), '_', '\_') || '%';
begin
  -- Its unique index is over users whom Auth keeps itself.
  return query
  select 'user', u.id::text, a.id, u.email::text, 'user', u.created_at
  from auth.users as u left join public.credit_accounts as a on a.user_id = u.id
  where u.email = mail and u.is_sso_user = false;
  if found then
    return;
  end if;
  return query
  select 'user', u.id::text, a.id, u.email::text, 'user', u.created_at
  from (select id, email, created_at from auth.users where email like pattern limit p_limit) as u
  left join public.credit_accounts as a on a.user_id = u.id
  order by 4;
end;
$$;

comment on function credits.find_by_mail(text, integer) is
  'The user with an address, or else up to p_limit users whose address begins so.';

create function public.operator_search(p_text text, p_limit integer default 20)
returns setof public.operator_find
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  wanted constant text := btrim(p_text, E' \t\n\r');
  most integer;
begin
  perform credits.operator_reads();
  if coalesce(length(wanted), 0) not between 3 and 255 then
    perform credits.raise_misuse('22023', 'search for 3 to 255 characters',
      'A mail or its beginning, or the id of a user, an account, a job, a request or a payment.');
  end if;
  most := least(credits.page_size(p_limit), 50);
  if wanted ~* '^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$' then
    return query select * from credits.find_by_id(wanted::uuid) limit most;
  end if;
  return query
  select f.* from (
    select * from credits.find_by_name(wanted)
    union all
    select * from credits.find_by_mail(wanted, most)
  ) as f limit most;
end;
$$;

comment on function public.operator_search(text, integer) is
  'Finds what a customer names, for operators: the id of a user, account, job or request, a payment''s key or another '
  'id of the provider''s, a grant''s external_ref, a mail or at least 3 characters of its beginning. At most p_limit '
  'answers, and never more than 50. Raises 42501 for who is no operator, 22023 for a text of other than 3 to 255 '
  'characters.';

create function public.operator_people(p_user_ids uuid[])
returns table (user_id uuid, email text, created_at timestamptz, last_sign_in_at timestamptz)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  if cardinality(p_user_ids) > 200 then
    perform credits.raise_misuse('22023', 'at most 200 users at a time', 'Ask for those of one page.');
  end if;
  return query
  select u.id, u.email::text, u.created_at, u.last_sign_in_at from auth.users as u
  where u.id = any (p_user_ids) order by u.id;
end;
$$;

comment on function public.operator_people(uuid[]) is
  'The mail of up to 200 users, for operators: who the members of a team or other operators are. Raises 42501 for who '
  'is no operator.';

comment on type public.operator_timeline_row is
  'One thing that happened to an account, as operator_timeline shows it. at and key order them, both descending. '
  'credits: what moved; null: nothing. balance: the ledger''s after it; null where nothing moved.';

comment on type credits.account_thing is
  'Entries that follow each other and are of one thing. grant_id, reason and metadata are those of the last entry.';

create function credits.reversal_target(p_entry public.credit_ledger)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- An entry that takes comes before its row of credit_debts, one that gives back after it.
  select d.target from public.credit_debts as d
  where d.account_id = p_entry.account_id and d.target is not null
    and d.grant_id = (p_entry.metadata ->> 'reversed_grant_id')::bigint
    and case when p_entry.delta < 0 then d.created_at >= p_entry.created_at
      else d.created_at <= p_entry.created_at end
  order by case when p_entry.delta < 0 then d.seq else -d.seq end limit 1;
$$;

comment on function credits.reversal_target(public.credit_ledger) is
  'The target of the reversal that an entry of kind revocation is a part of: each reversal of a grant has another.';

create function credits.entry_thing(p_entry public.credit_ledger)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_entry.kind = 'revocation' and p_entry.reason is distinct from 'debt of a revoked grant' then
    return concat_ws(' ', p_entry.metadata ->> 'operator_action', 'reversal', p_entry.metadata ->> 'reversed_grant_id',
      credits.reversal_target(p_entry));
  end if;
  return concat_ws(' ', p_entry.metadata ->> 'operator_action', p_entry.kind, case
    when p_entry.job_id is not null then concat_ws(' ', p_entry.job_id,
      case when p_entry.kind in ('charge', 'adjustment') then p_entry.reason
        else p_entry.metadata ->> 'refund_key' end)
    when p_entry.kind = 'transfer' and p_entry.delta > 0 then p_entry.metadata ->> 'external_ref'
    -- What fills up an overdraft, and then the grant.
    when p_entry.delta > 0 then coalesce(p_entry.grant_id::text, p_entry.metadata ->> 'repaid_from_grant_id')
    when p_entry.kind = 'adjustment' then coalesce(p_entry.metadata ->> 'withdrawal_ref', p_entry.seq::text)
    else p_entry.seq::text end);
end;
$$;

comment on function credits.entry_thing(public.credit_ledger) is
  'What an entry is a part of: entries that follow each other and have this in common are one thing.';

create function credits.account_things(p_account_id uuid, p_after_seq bigint, p_last_seq bigint)
returns setof credits.account_thing
language sql
stable
set search_path = '', pg_temp
as $$
  with entries as (
    select l.*, credits.entry_thing(l) as thing from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq >= p_after_seq and l.seq <= p_last_seq
  ),
  parts as (
    select e.*, count(*) filter (where begins) over (order by seq) as part from (
      select *, thing is distinct from lag(thing) over (order by seq) as begins from entries
    ) as e where seq > p_after_seq
  )
  select min(seq), max(seq), min(created_at), 'entry:' || lpad(min(seq)::text, 19, '0'), max(kind),
    credits.to_bigint(sum(delta)), (array_agg(balance_after order by seq desc))[1],
    (array_agg(grant_id order by seq desc))[1], (array_agg(job_id order by seq desc))[1],
    (array_agg(reason order by seq desc))[1], (array_agg(metadata order by seq desc))[1]
  from parts where part > 0 group by part;
$$;

comment on function credits.account_things(uuid, bigint, bigint) is
  'The things that begin in an account''s entries after p_after_seq, up to p_last_seq.';

create function credits.thing_end(p_account_id uuid, p_seq bigint)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  thing constant text := (select credits.entry_thing(l) from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq = p_seq);
begin
  while thing = (select credits.entry_thing(l) from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq = p_seq + 1) loop
    p_seq := p_seq + 1;
  end loop;
  return p_seq;
end;
$$;

comment on function credits.thing_end(uuid, bigint) is 'The last entry of the thing that an entry is a part of.';

create function credits.newest_things(p_account_id uuid, p_before_at timestamptz, p_before_key text, p_limit integer)
returns setof credits.account_thing
language plpgsql
stable
rows 50
set search_path = '', pg_temp
as $$
declare
  newest constant bigint := public.ledger_seq_as_of(p_account_id, p_before_at);
  last_seq constant bigint := credits.thing_end(p_account_id, newest);
  reach bigint := p_limit * 2;
  found_now integer;
begin
  -- Entries are numbered without a gap: back by twice as many as are wanted, which is enough where a thing has one or
  -- two, and further where it has more.
  loop
    found_now := (select count(*) from credits.account_things(p_account_id, newest - reach, last_seq) as t
      where (t.at, t.key collate "C") < (p_before_at, p_before_key));
    exit when found_now >= p_limit or reach >= newest;
    reach := reach * 4;
  end loop;
  return query
  select t.* from credits.account_things(p_account_id, newest - reach, last_seq) as t
  where (t.at, t.key collate "C") < (p_before_at, p_before_key) order by t.first_seq desc limit p_limit;
end;
$$;

comment on function credits.newest_things(uuid, timestamptz, text, integer) is
  'The newest movements of an account before one. Reads as many entries as it needs, however long the history is.';

create function credits.timeline_detail(p_facts jsonb, p_operator_id uuid, p_reason text)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_strip_nulls(p_facts || jsonb_build_object('reason', p_reason, 'operator', (
    select coalesce(u.email::text, o.note, p_operator_id::text)
    from (select p_operator_id as id) as i left join auth.users as u on u.id = i.id
    left join public.credit_operators as o on o.user_id = i.id)));
$$;

comment on function credits.timeline_detail(jsonb, uuid, text) is
  'The details of a row: what is known of it, which operator did it (by mail), and why.';

create function credits.job_outcome(p_job public.generation_jobs)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_job.status when 'succeeded' then 'succeeded' when 'failed' then 'failed'
    when 'canceled' then 'was canceled' when 'expired' then 'ran out of time' when 'running' then 'is running'
    else 'has not started' end;
$$;

comment on function credits.job_outcome(public.generation_jobs) is 'How a job stands, after "the job".';

create function credits.movement_kind(p_thing credits.account_thing)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_thing.kind
    when 'release' then 'settlement'
    when 'revocation' then case when p_thing.reason = 'debt of a revoked grant' then 'debt_paid' else 'reversal' end
    when 'adjustment' then case when p_thing.job_id is not null then 'correction'
      when p_thing.delta < 0 then 'withdrawal' else 'grant' end
    else p_thing.kind::text end;
$$;

comment on function credits.movement_kind(credits.account_thing) is 'The kind of a movement, as the timeline names it.';

create function credits.movement_title(p_thing credits.account_thing, p_job public.generation_jobs)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case credits.movement_kind(p_thing)
    when 'charge' then case when p_thing.reason is null
      then format('Charged for %s: the job %s', p_job.model, credits.job_outcome(p_job))
      else format('Charged more for %s: it cost more than was held', p_job.model) end
    when 'settlement' then format('Settled: %s did not use all that was held', p_job.model)
    when 'refund' then format('Refunded: the job %s', credits.job_outcome(p_job))
    when 'correction' then 'Job corrected: its entries now say what it cost'
    when 'grant' then 'Granted'
    when 'purchase' then 'Bought'
    when 'refill' then 'Credits of the plan'
    when 'transfer' then case when p_thing.delta < 0 then 'Transferred to another account'
      when p_thing.metadata ? 'returned' then 'Transfer that came back'
      else 'Transferred from another account' end
    when 'withdrawal' then 'Withdrawn'
    when 'expiry' then 'Expired'
    when 'debt_paid' then 'Paid what was owed for a grant that was taken back'
    when 'reversal' then case when p_thing.delta < 0 then 'Grant taken back' else 'Grant given back' end end;
$$;

comment on function credits.movement_title(credits.account_thing, public.generation_jobs) is
  'A movement in a few words; p_job: its job, where it has one.';

create function credits.timeline_movements(
  p_account_id uuid, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  select t.at, t.key, credits.movement_kind(t), credits.movement_title(t, j), t.delta, t.balance_after, t.job_id,
    case when t.kind = 'revocation' then (t.metadata ->> 'reversed_grant_id')::bigint else t.grant_id end, p.key,
    j.request_id, o.id, o.seq,
    credits.timeline_detail(jsonb_build_object('first_seq', t.first_seq, 'last_seq', t.last_seq, 'model', j.model,
      'status', j.status, 'cost', j.cost, 'refunded', j.refunded, 'member_id', j.member_id,
      'error_code', j.error ->> 'code', 'error_message', j.error ->> 'message',
      'expires_at', case when t.delta > 0 then g.expires_at end,
      'external_ref', case when t.delta > 0 then g.external_ref end,
      'from_account_id', case when t.kind = 'transfer' then t.metadata ->> 'from_account_id' end), o.id,
      -- The entry's own words may be the product's or the plan's.
      coalesce(a.reason, t.reason))
  from credits.newest_things(p_account_id, p_before_at, p_before_key, p_limit) as t
  left join public.generation_jobs as j on j.id = t.job_id and j.account_id = p_account_id
  left join public.credit_grants as g on g.account_id = p_account_id and g.id = t.grant_id
  left join public.payments as p on p.key = g.external_ref and t.delta > 0
  left join lateral (
    select split_part(n.name, ':', 1)::uuid as id, split_part(n.name, ':', 2)::bigint as seq
    from (select t.metadata ->> 'operator_action' as name offset 0) as n
    where n.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]{1,18}$'
  ) as o on true
  left join public.operator_actions as a
    on a.operator_id = o.id and a.seq = o.seq and a.account_id = p_account_id;
$$;

comment on function credits.timeline_movements(uuid, timestamptz, text, integer) is 'What moved an account''s credits.';

create function credits.timeline_requests(
  p_account_id uuid, p_since timestamptz, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  (select e.created_at, 'request:' || e.id, case when e.status < 400 then 'repeat' else 'denial' end,
    case when e.status < 400 then 'The same request again: answered, not charged'
      else 'Denied: ' || coalesce(d.title, e.code) end,
    null::bigint, null::bigint, e.job_id, null::bigint, null, e.request_id, null::uuid, null::bigint,
    jsonb_strip_nulls(jsonb_build_object('code', e.code, 'status', e.status, 'model', e.model, 'member_id', e.member_id,
      'rule', replace(d.message, '%s', '…')))
  from public.credit_request_events as e left join credits.denials as d on d.code = e.code
  where e.account_id = p_account_id and e.created_at >= p_since and e.created_at <= p_before_at
    and (e.created_at, ('request:' || e.id) collate "C") < (p_before_at, p_before_key)
  order by e.created_at desc, e.id desc limit p_limit)
  union all
  -- Jobs of free models have no entry.
  (select j.created_at, 'free:' || j.id, 'charge', format('Free of charge, %s: the job %s', j.model,
    credits.job_outcome(j)), 0, null, j.id, null, null, j.request_id, null, null,
    jsonb_strip_nulls(jsonb_build_object('model', j.model, 'status', j.status, 'cost', 0, 'member_id', j.member_id,
      'error_code', j.error ->> 'code', 'error_message', j.error ->> 'message'))
  from public.generation_jobs as j
  where j.account_id = p_account_id and j.cost = 0 and j.created_at >= p_since and j.created_at <= p_before_at
    and (j.created_at, ('free:' || j.id) collate "C") < (p_before_at, p_before_key)
  order by j.created_at desc, j.id desc limit p_limit);
$$;

comment on function credits.timeline_requests(uuid, timestamptz, timestamptz, text, integer) is
  'An account''s requests that moved nothing: denied, repeated, or free.';

create function credits.timeline_payments(p_account_id uuid)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  select coalesce(p.paid_at, p.created_at), 'payment:' || p.key, 'payment',
    concat_ws(' ', 'Payment', case p.status when 'paid' then case p.state when 'waiting'
      then 'paid, and not booked: ' || replace(p.cause, '_', ' ') else 'paid' end else p.status end),
    null::bigint, null::bigint, null::uuid, p.grant_id, p.key, null, null::uuid, null::bigint,
    jsonb_strip_nulls(jsonb_build_object('amount', p.amount, 'currency', p.currency, 'refunded', nullif(p.refunded, 0),
      'disputed', nullif(p.disputed, 0), 'product', p.product, 'status', p.status, 'state', p.state, 'cause', p.cause,
      'rule', credits.payment_remedy(p.cause), 'granted', p.credits,
      'reversed_credits', nullif(p.reversed_credits, 0)))
  from public.payments as p where p.account_id = p_account_id
  union all
  select s.at, 'dispute:' || s.step || ':' || d.dispute_id, 'dispute', 'Dispute ' || s.step, null, null, null, null,
    d.payment_key, null, null, null,
    jsonb_strip_nulls(jsonb_build_object('amount', d.amount, 'withdrawn', nullif(d.withdrawn, 0),
      'reinstated', nullif(d.reinstated, 0), 'response', d.response, 'dispute_id', d.dispute_id))
  from public.payment_disputes as d
  cross join lateral (values (d.opened_at, 'opened'), (d.ended_at, d.status)) as s (at, step)
  where d.account_id = p_account_id and s.at is not null;
$$;

comment on function credits.timeline_payments(uuid) is
  'An account''s payments and disputes: few, so no page of them is cut here.';

create function credits.action_title(p_action public.operator_actions)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_action.action
    when 'set_plan' then format('Plan changed from %s to %s', p_action.before ->> 'plan', p_action.after ->> 'plan')
    when 'set_overdraft' then format('Overdraft changed from %s to %s', p_action.before ->> 'credit_limit',
      p_action.after ->> 'credit_limit')
    when 'close_account' then 'Account closed'
    when 'reopen_account' then 'Account opened again'
    when 'erase_account' then 'Personal data erased'
    when 'book_payment' then 'Payment booked again'
    else initcap(left(p_action.action, 1)) || replace(substr(p_action.action, 2), '_', ' ') end
    || case when p_action.before is not distinct from p_action.after then ': nothing changed' else '' end;
$$;

comment on function credits.action_title(public.operator_actions) is 'An operator''s action in a few words.';

create function credits.timeline_acts(
  p_account_id uuid, p_since timestamptz, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  -- What an action booked is there by its entries, with the action's name.
  (select a.created_at, a.name, 'operator', credits.action_title(a.action), null::bigint, null::bigint,
    case when (a.action).action in ('refund_job', 'cancel_job') then (a.action).arguments ->> 'job_id' end::uuid,
    null::bigint, case when (a.action).action = 'book_payment' then (a.action).subject end, null, a.operator_id, a.seq,
    credits.timeline_detail(jsonb_build_object('action', (a.action).action, 'subject', (a.action).subject,
      'credits', (a.action).credits, 'before', (a.action).before, 'after', (a.action).after), a.operator_id,
      (a.action).reason)
  from (
    select a as action, a.operator_id, a.seq, a.created_at,
      format('operator:%s:%s', a.operator_id, lpad(a.seq::text, 19, '0')) as name
    from public.operator_actions as a
    where a.account_id = p_account_id and a.first_seq is null and a.created_at >= p_since
      and a.created_at <= p_before_at
  ) as a
  where (a.created_at, a.name collate "C") < (p_before_at, p_before_key)
  order by a.created_at desc, a.name collate "C" desc limit p_limit)
  union all
  (select d.created_at, 'debt:' || lpad(d.seq::text, 19, '0'), 'debt',
    case when d.delta > 0 then format('Owes %s credits of a grant that was taken back after they were spent', d.delta)
      else format('Owes %s credits less: the grant was given back', -d.delta) end,
    null, null, null, d.grant_id, null, null, null, null,
    jsonb_strip_nulls(jsonb_build_object('owed', d.delta, 'debt', d.debt_after, 'reason', d.reason))
  from public.credit_debts as d
  where d.account_id = p_account_id and d.target is not null and d.delta <> 0 and d.created_at >= p_since
    and d.created_at <= p_before_at)
  union all
  select e.requested_at, 'erasure', 'erasure', 'Erasure of personal data asked for', null, null, null, null, null, null,
    null, null, jsonb_strip_nulls(jsonb_build_object('finished_at', e.finished_at))
  from public.account_erasures as e where e.account_id = p_account_id and e.erases;
$$;

comment on function credits.timeline_acts(uuid, timestamptz, timestamptz, text, integer) is
  'What was done to an account and moved no credits: operators'' actions, debts, erasure.';

create function public.operator_timeline(
  p_account_id uuid, p_before_at timestamptz default null, p_before_key text default null, p_limit integer default 50
)
returns setof public.operator_timeline_row
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  before_at constant timestamptz := coalesce(p_before_at, 'infinity');
  before_key constant text := coalesce(p_before_key, '');
  movements public.operator_timeline_row[];
  since timestamptz := '-infinity'::timestamptz;
begin
  perform credits.operator_reads();
  movements := array(
    select m from credits.timeline_movements(p_account_id, before_at, before_key, credits.page_size(p_limit)) as m);
  -- A page that movements fill reaches no further back than the oldest of them.
  if cardinality(movements) = p_limit then
    since := (select min(m.at) from unnest(movements) as m);
  end if;
  return query
  select * from (
    select * from unnest(movements)
    union all
    select * from credits.timeline_requests(p_account_id, since, before_at, before_key, p_limit)
    union all
    select * from credits.timeline_payments(p_account_id)
    union all
    select * from credits.timeline_acts(p_account_id, since, before_at, before_key, p_limit)
  ) as r
  where (r.at, r.key collate "C") < (before_at, before_key)
  order by r.at desc, r.key collate "C" desc limit p_limit;
end;
$$;

comment on function public.operator_timeline(uuid, timestamptz, text, integer) is
  'What happened to an account, for operators, the newest first: up to p_limit (1 to 200) rows before p_before_at and '
  'p_before_key, which are the last row''s at and key. kind: charge, settlement (what was not used came back), refund, '
  'correction, grant, purchase, refill, transfer, withdrawal, expiry, reversal, debt, debt_paid, payment, dispute, '
  'denial, repeat (the same request again, not charged), operator (an action that moved nothing) or erasure. detail: '
  'what else is known, an operator by their mail, the reason, and of a denial its rule. Raises 42501 for who is no '
  'operator, 22023 for another limit.';

create function credits.alert_remedies()
returns table (rule text, remedy text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  ('discrepancies', 'Look at the discrepancies: each has its cause and what to do.'),
  ('discrepancy_share', 'Many accounts at once: a restore, a migration or a script wrote by hand. Stop traffic, find '
    'the change, then go class by class.'),
  ('success_rate', 'Look at the providers: which one fails, and with what. Disable its models while it is down; every '
    'failed job has been refunded.'),
  ('rate_limit_spike', 'One account: a loop in a client, or abuse. Many: a plan''s limit is too low for a new '
    'feature.'),
  ('suspicious_activity', 'Look at the account''s timeline. Close it while you find out, if credits leave it.'),
  ('overdue_jobs', 'The sweeper is late or stands still: see the task''s last runs. It refunds these jobs once it '
    'runs.'),
  ('provider_unreachable', 'Do not refund by hand: a result may still come. The jobs are refunded at their hard '
    'timeout. Is the provider up, and its key valid?'),
  ('task_not_running', 'Something must run the schedule: pg_cron, or what calls run_task. It catches up by itself.'),
  ('task_failed', 'The task''s last run has the error; it is tried again at its next time.'),
  ('payments_waiting', 'Look at the payments that wait: each has its cause and what to do.'),
  ('transfers_in_flight', 'The credits are in no account yet, and not lost. Does the recipient''s shard answer, and '
    'does the router''s task run? They arrive by themselves once both do.'),
  ('handovers_waiting', 'A shard does not answer: start it. What it has not heard of is delivered by itself then.'),
  ('files_waiting', 'Does the function tasks answer, and Storage? The queue goes on by itself once they do.'),
  ('teams_without_owner', 'Find out whose the team is, open it and give it an owner; or erase it.'),
  ('events_undelivered', 'Repair the webhook''s receiver, or set its new address; then retry the events that were '
    'given up.'),
  ('alerts_undelivered', 'The function deliver-events does not answer: look at its log, its address and its secret.');
$$;

comment on function credits.alert_remedies() is
  'What to do when a rule fires, in a sentence or two; SECURITY_HARDENING.md says more.';

create view public.operator_alerts
with (security_barrier = true)
as
select a.id as alert_id, a.resolved_at is null as is_open, a.rule, a.severity, a.subject, a.value, a.threshold,
  a.detail, r.description, m.remedy, a.fired_at, a.updated_at, a.resolved_at, a.announced_at, a.acknowledged_at,
  a.acknowledged_by, r.muted_until
from public.credit_alerts as a
join public.credit_alert_rules as r on r.name = a.rule
left join credits.alert_remedies() as m on m.rule = a.rule
where (select credits.operator_role()) is not null;

comment on view public.operator_alerts is
  'Alerts, for operators: open ones (is_open) and resolved ones, with what to do (remedy).';

create function credits.runs_now()
returns setof public.reconciliation_runs
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from public.reconciliation_latest where (select credits.operator_role()) is not null;
$$;

comment on function credits.runs_now() is
  'The runs whose findings stand (reconciliation_latest), for operators alone: no row for anybody else.';

create view public.operator_discrepancies
with (security_barrier = true)
as
select f.id as finding_id, f.run_id, r.started_at as found_at, r.deep, f.invariant as class,
  coalesce(f.payment_key, f.job_id::text) as subject,
  nullif(f.account_id, '00000000-0000-0000-0000-000000000000') as account_id, f.job_id, f.grant_id, f.seq,
  f.payment_key, f.expected, f.actual, f.since, c.meaning, c.likely_cause as cause, c.remedy, x.fix
from public.reconciliation_findings as f
join credits.runs_now() as r on r.id = f.run_id
join public.reconciliation_classes as c on c.invariant = f.invariant
left join credits.operator_fixes() as x on x.invariant = f.invariant and coalesce(f.payment_key, f.job_id::text) <> ''
where (select credits.operator_role()) is not null;

comment on view public.operator_discrepancies is
  'What the last reconciliations found, for operators, with cause and remedy. fix: the function that '
  'operator_fix_discrepancy(class, subject, …) calls; null: none can. Stands until the next run: operator_reconcile.';

create view public.operator_reconciliations
with (security_barrier = true)
as
select r.id as run_id, r.deep, n.id is not null as is_latest, r.started_at, r.finished_at, r.accounts_checked,
  r.entries_checked, r.accounts_broken, r.discrepancies
from public.reconciliation_runs as r left join credits.runs_now() as n on n.id = r.id
where (select credits.operator_role()) is not null;

comment on view public.operator_reconciliations is
  'Runs of the reconciliation, for operators. is_latest: its findings stand (operator_discrepancies).';

create function public.operator_reconcile()
returns setof public.operator_reconciliations
language plpgsql
security definer
set search_path = '', pg_temp
-- As reconcile_credit_ledger, which this waits for.
set statement_timeout = '60s'
as $$
declare
  latest bigint;
begin
  perform credits.operator_reads();
  if credits.operator_role() < 'support' then
    perform credits.operator_refuse('42501', 'reconcile needs the role support, and this operator''s is viewer',
      'role_too_low', 'Ask an operator with that role.');
  end if;
  -- One at a time, so that two windows make one run.
  perform pg_advisory_xact_lock(hashtextextended('credits.operator_reconcile', 0));
  select r.id into latest from public.reconciliation_runs as r
  where r.started_at > clock_timestamp() - interval '1 minute' order by r.started_at desc limit 1;
  latest := coalesce(latest, (public.reconcile_credit_ledger()).id);
  return query select o.* from public.operator_reconciliations as o where o.run_id = latest;
end;
$$;

comment on function public.operator_reconcile() is
  'Checks what is new (reconcile_credit_ledger), for operators from support up; the run. Within a minute of another '
  'run it answers with that one. Raises 42501 for others.';

create function credits.margins_now()
returns setof public.generation_margins
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from public.generation_margins where (select credits.operator_role()) is not null;
$$;

comment on function credits.margins_now() is
  'generation_margins, for operators alone: no row for anybody else.';

create view public.operator_models
with (security_barrier = true)
as
select m.name as model, m.effective_from,
  case when m.effective_from > now() then 'future'
    when m.effective_from = max(m.effective_from) filter (where m.effective_from <= now()) over (partition by m.name)
      then 'in_force'
    else 'past' end as state,
  m.enabled, m.type, m.provider, m.provider_model, m.overage, coalesce(r.rates, '[]') as rates,
  r.least_margin_percent, r.credits_per_usd, m.created_at
from public.generation_models as m
left join (
  select p.model, p.effective_from, jsonb_agg(jsonb_build_object('meter', p.meter, 'price', p.price, 'per', p.per,
      'price_usd', g.price_usd, 'cost_usd', g.cost_usd, 'margin_percent', g.margin_percent) order by p.meter) as rates,
    min(g.margin_percent) as least_margin_percent, min(g.credits_per_usd) as credits_per_usd
  from public.generation_model_rates as p
  left join credits.margins_now() as g on g.model = p.model and g.effective_from = p.effective_from
    and g.meter = p.meter
  group by p.model, p.effective_from
) as r on r.model = m.name and r.effective_from = m.effective_from
where (select credits.operator_role()) is not null;

comment on view public.operator_models is
  'The price book, for operators: each price version with its rates ([{meter, price, per, price_usd, cost_usd, '
  'margin_percent}]; null where the provider''s cost is not known). state: in_force, past or future. '
  'least_margin_percent: of its meters, the worst.';

create view public.operator_providers
with (security_barrier = true)
as
select s.provider, s.model, s.jobs, s.succeeded, s.failed, s.canceled, s.open,
  round(s.succeeded::numeric / nullif(s.succeeded + s.failed, 0), 4) as success_rate, s.p50_seconds, s.p95_seconds,
  s.credits_charged, s.credits_refunded, s.last_failure_at, s.last_failure_code,
  s.succeeded + s.failed < greatest(w.minimum, 1) or s.succeeded >= w.threshold * (s.succeeded + s.failed) as healthy
from (
  select j.provider, j.model, count(*) as jobs,
    count(*) filter (where j.status = 'succeeded') as succeeded,
    count(*) filter (where j.status in ('failed', 'expired')) as failed,
    count(*) filter (where j.status = 'canceled') as canceled,
    count(*) filter (where j.status in ('pending', 'running')) as open,
    percentile_disc(0.5) within group (order by round(extract(epoch from j.ended_at - j.created_at), 3))
      filter (where j.status = 'succeeded') as p50_seconds,
    percentile_disc(0.95) within group (order by round(extract(epoch from j.ended_at - j.created_at), 3))
      filter (where j.status = 'succeeded') as p95_seconds,
    sum(j.cost)::bigint as credits_charged, sum(j.refunded)::bigint as credits_refunded,
    max(j.ended_at) filter (where j.status in ('failed', 'expired')) as last_failure_at,
    (array_agg(coalesce(j.error ->> 'code', j.status::text) order by j.ended_at desc)
      filter (where j.status in ('failed', 'expired')))[1] as last_failure_code
  from public.generation_jobs as j where j.created_at > now() - interval '24 hours'
  group by j.provider, j.model
) as s
cross join (
  select minimum, threshold from public.credit_alert_rules where name = 'success_rate'
) as w
where (select credits.operator_role()) is not null;

comment on view public.operator_providers is
  'How jobs of the last 24 hours went, by provider and model, for operators. success_rate: succeeded / (succeeded + '
  'failed), null before any has ended. Percentiles: seconds from charge to success. healthy: the alert rule '
  'success_rate would not fire.';

create view public.operator_log
with (security_barrier = true)
as
select a.operator_id, a.seq, a.action, a.account_id, a.subject, a.arguments, a.credits, a.first_seq, a.last_seq,
  a.before, a.after, a.reason, a.approval_id, a.created_at
from public.operator_actions as a
where (select credits.operator_role()) is not null;

comment on view public.operator_log is
  'What operators did, for operators: see operator_actions. The newest first by created_at; ask by account_id or '
  'operator_id.';

create view public.operator_waiting
with (security_barrier = true)
as
select p.id as approval_id, p.operator_id, p.action, p.account_id, p.subject, p.arguments, p.credits, p.reason,
  case when p.state = 'waiting' and p.expires_at <= now() then 'expired' else p.state end as state, p.created_at,
  p.expires_at, p.decided_by, p.decided_at, p.decision_reason, p.operator_id = (select auth.uid()) as is_mine
from public.operator_approvals as p
where (select credits.operator_role()) is not null;

comment on view public.operator_waiting is
  'Actions above a limit, for operators: waiting, approved, rejected or expired. is_mine: the calling operator asked '
  'for it, so another one decides.';

create view public.operator_team
with (security_barrier = true)
as
select o.user_id, o.role, o.max_per_action, o.max_per_day, o.used_today, o.note, o.created_at, o.disabled_at
from credits.operators_now() as o
where (select credits.operator_role()) is not null;

comment on view public.operator_team is
  'Operators, for operators: role, limits in credits (null: none), and what was given and taken today (UTC).';

create function credits.terms_come_from_router()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  caller constant text := current_setting('role');
begin
  if exists (select from credits.shard where slot_groups <> '{}')
    -- Migrations write such rows on each shard, as the owner.
    and not pg_has_role(case caller when 'none' then session_user else caller end,
      (select relowner from pg_catalog.pg_class where oid = tg_relid), 'member') then
    perform credits.raise_misuse('PT409',
      format('this database is a shard, and %s comes from its router', tg_relid::regclass),
      'Change it on the router, which publishes it to all shards.');
  end if;
  return null;
end;
$$;

comment on function credits.terms_come_from_router() is
  'Refuses a change of prices, plans, rules or settings on a shard, but by the owner. Replication does not fire it.';

do $$
declare
  terms text;
begin
  foreach terms in array array['public.credit_alert_rules', 'public.credit_anomaly_rules', 'public.credit_plans',
    'public.credit_products', 'public.credit_settings', 'public.generation_models', 'public.generation_model_rates',
    'public.generation_model_costs', 'public.reconciliation_classes']
  loop
    execute format('create trigger terms_come_from_router before insert or update or delete or truncate on %s '
      'for each statement execute function credits.terms_come_from_router()', terms);
  end loop;
end;
$$;

create function credits.plan_arrived()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.refills_start(array[old], array[new]);
  return null;
end;
$$;

comment on function credits.plan_arrived() is
  'Does for a replicated plan what refills_start_now does for one changed here.';

create trigger plan_arrived after update on public.credit_plans
  for each row execute function credits.plan_arrived();

alter table public.credit_plans enable replica trigger plan_arrived;

create function credits.task_arrived()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A restore inserts rows, too, and must not begin to run their tasks.
  if tg_op <> 'INSERT' or exists (select from pg_catalog.pg_stat_activity
    where pid = pg_backend_pid() and backend_type like 'logical replication%') then
    perform public.apply_schedule();
  end if;
  return null;
end;
$$;

comment on function credits.task_arrived() is 'Hands a replicated schedule to pg_cron, as schedule_changed does.';

create trigger task_arrived after insert or update or delete on public.credit_scheduled_tasks
  for each row execute function credits.task_arrived();

alter table public.credit_scheduled_tasks enable replica trigger task_arrived;

create or replace function credits.delivered_objects()
returns table (kind text, identity text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select v.kind, replace(o.identity, E'\n', '') from (values
('function', $list$
credits.account_chain(public.credit_accounts,public.credit_ledger_checkpoints);
credits.account_discrepancies(public.credit_accounts,public.credit_ledger_checkpoints);
credits.account_expire(uuid); credits.account_freeze(uuid); credits.account_lock(uuid);
credits.account_opened(); credits.account_refill(uuid,timestamp with time zone);
credits.account_refill_due(uuid); credits.account_rejoined(); credits.account_reopened();
credits.account_state(uuid); credits.account_things(uuid,bigint,bigint); credits.account_version_raise();
credits.account_version_touch(); credits.accounts_lock(uuid[]);
credits.accounts_refill(uuid[],date,timestamp with time zone); credits.action_append(public.operator_actions);
credits.action_chain(uuid); credits.action_hash(bytea,public.operator_actions);
credits.action_title(public.operator_actions); credits.actions_are_append_only();
credits.actions_refuse_change(); credits.address_hash(text); credits.addresses_note(jsonb);
credits.alert_announce(text,public.credit_alerts); credits.alert_remedies();
credits.anomaly_account_pattern(numeric,timestamp with time zone);
credits.anomaly_denials(text,integer,numeric,timestamp with time zone);
credits.anomaly_impossible_rate(numeric,timestamp with time zone); credits.anomaly_negative_balance(numeric);
credits.anomaly_refund_farming(numeric,timestamp with time zone);
credits.anomaly_unrequested(numeric,timestamp with time zone);
credits.app_key_denial(public.credit_app_keys,text,bigint);
credits.app_key_spend(uuid,uuid,bigint,timestamp with time zone); credits.app_key_state(public.credit_app_keys);
credits.app_keys_check(uuid,uuid); credits.approval_answer(public.operator_approvals,boolean);
credits.approval_asker(public.operator_approvals,public.credit_operators);
credits.approval_decide(public.operator_approvals,uuid,text,credits.operator_request,jsonb);
credits.approval_lock(uuid,public.credit_operators); credits.archive_account(uuid,bigint,bigint);
credits.archive_discrepancies(public.credit_accounts);
credits.archive_end(uuid,timestamp with time zone,bigint,bigint);
credits.ask_after(integer,timestamp with time zone,timestamp with time zone); credits.auditor_create();
credits.balance_announce(uuid,bigint,bigint,bigint); credits.balance_broadcast();
credits.balance_event(bigint,bigint,bigint); credits.balance_with_due(public.credit_accounts);
credits.batch_check(jsonb); credits.batch_expire(uuid[],bigint[]);
credits.batch_refill(uuid[],timestamp with time zone);
credits.batch_undone(public.credit_charge_result,uuid,text,text); credits.become_router(text);
credits.become_shard(text,integer[]); credits.book_of(public.credit_entry_kind); credits.broadcast_follows();
credits.broadcast_policy(); credits.broadcast_set_up(); credits.broadcast_statements();
credits.burn(public.credit_accounts,credits.burn_plan,public.credit_entry_kind,uuid,text);
credits.burn_plan(uuid,bigint); credits.callback_result(public.generation_jobs,text);
credits.caller_check(name); credits.can_request_functions();
credits.cancel_at_provider(public.generation_jobs,boolean); credits.cancel_count(uuid);
credits.cap_end(public.credit_grants,timestamp with time zone); credits.cap_seal(bytea); credits.cease_shard();
credits.chain_break(uuid,bigint); credits.chain_extend(credits.movement[]); credits.changed_accounts();
credits.charge_denied(
text,public.credit_charge_result,credits.priced_request,bigint,bigint,integer,uuid,text,text);
credits.charge_overage(public.generation_jobs,bigint);
credits.charge_replayed(public.credit_charge_result,uuid,bytea,uuid,text,text);
credits.charge_with_key(uuid,uuid,uuid,text,jsonb,text,text,boolean,boolean); credits.check_books();
credits.check_broadcast(); credits.check_defaults(); credits.check_equal(text,text,text,text);
credits.check_functions(); credits.check_installation(); credits.check_ledger();
credits.check_length(text,text,integer,integer); credits.check_models(); credits.check_none(text,text[],text);
credits.check_schedule(); credits.check_shard(); credits.check_storage(); credits.check_success_rate();
credits.check_tables(); credits.check_trial(); credits.checkout_denied(public.payment_checkout,text);
credits.checkpoint_is_kept(uuid); credits.checkpoint_set(public.credit_accounts); credits.checkpoint_zero(uuid);
credits.choice_error(jsonb,text[]); credits.clock_bound(); credits.closing_note(uuid);
credits.count_discrepancies(public.credit_accounts); credits.credit_limit_changed();
credits.credit_limit_lower(public.credit_accounts); credits.credit_limit_reduce(uuid,bigint);
credits.cron_command(public.credit_scheduled_tasks); credits.cron_jobs(); credits.cron_silence();
credits.customer_ref(text,boolean,text); credits.deadline_exceeded();
credits.debt_append(public.credit_accounts,bigint,bigint,bigint,bigint,bigint,text);
credits.debt_collect(public.credit_accounts,bigint); credits.debt_discrepancies(public.credit_accounts);
credits.debt_hash(bytea,public.credit_debts); credits.deep_horizon(); credits.deletions_add(uuid,text[],text);
credits.delivered_objects(); credits.delivered_parts(); credits.delivered_privileges();
credits.delivery_findings_now(); credits.departure_finish(public.account_erasures);
credits.deployed_functions(); credits.deployed_objects(); credits.deployed_parts();
credits.deployed_privileges(); credits.deployed_relations(); credits.discrepancies_of(uuid[]);
credits.discrepancy(text,uuid,numeric,numeric,timestamp with time zone,uuid,bigint,bigint);
credits.discrepancy_account(text,text); credits.disputes_note(public.payments,jsonb);
credits.ended_files_delete(uuid,uuid[]); credits.endpoint_hold(text,integer,boolean);
credits.entry_append(uuid,bigint,public.credit_entry_kind,bigint,uuid,text,jsonb);
credits.entry_hash(
bytea,uuid,bigint,bigint,bigint,public.credit_entry_kind,bigint,uuid,text,jsonb,timestamp with time zone);
credits.entry_is_archived(public.credit_ledger); credits.entry_origin();
credits.entry_thing(public.credit_ledger); credits.event_emit(uuid,text,jsonb); credits.event_pause(integer);
credits.events_retry(uuid[]); credits.expiries_next(credits.expiry_position,integer);
credits.external_refs_list(); credits.failure_code(uuid); credits.failure_shown(jsonb);
credits.file_account(text); credits.file_counts(); credits.file_deletion_is_due();
credits.file_differs(text,text,bigint); credits.file_discrepancies(); credits.file_findings_now();
credits.file_is_kept(uuid,text); credits.file_types(); credits.files_below(text);
credits.files_judged(text,integer); credits.files_sweep(integer); credits.find_by_id(uuid);
credits.find_by_mail(text,integer); credits.find_by_name(text); credits.foreign_storage_policies();
credits.grace_end(public.credit_grants);
credits.grace_grant(public.credit_grants,bigint,timestamp with time zone);
credits.grace_seal(bytea,timestamp with time zone); credits.grant_discrepancies(public.credit_accounts);
credits.grant_expire(public.credit_accounts,bigint,bigint,public.credit_entry_kind,text);
credits.grant_fill(public.credit_accounts,bigint,bigint,public.credit_entry_kind,uuid,text,jsonb);
credits.grant_give_back(public.credit_accounts,public.credit_grants,bigint,bigint,text);
credits.grant_replay(public.credit_accounts,bigint,text); credits.grant_seal(public.credit_grants);
credits.grant_sealed();
credits.grant_take(public.credit_accounts,public.credit_grants,bigint,bigint,bigint,text);
credits.grant_take_back(public.credit_accounts,public.credit_grants,bigint,bigint,text);
credits.grant_taken(public.credit_grants); credits.grants_expire(uuid[],bigint[]);
credits.had_sign_up_grant(uuid); credits.handover_add(text,uuid,bigint,text);
credits.handover_delivered(bigint[]); credits.handover_failed(bigint,text,boolean);
credits.handover_findings_now(); credits.handovers_due(integer); credits.handovers_forget(uuid);
credits.has_accounts_here(); credits.has_barrier(text[]); credits.has_broadcast();
credits.has_identity_to_come(jsonb); credits.has_left_traces(uuid); credits.has_no_address(jsonb);
credits.has_storage(); credits.hmac_sha256(bytea,bytea); credits.hours_ago(integer);
credits.index_is_intact(text); credits.input_delete(uuid,text); credits.input_of_key(uuid,uuid,text,jsonb);
credits.installed_release(); credits.integer_field(jsonb,integer,integer); credits.interface();
credits.is_confirmed(jsonb); credits.is_given_back(public.payments); credits.is_operator_view(oid);
credits.is_own_account(uuid); credits.is_price_in_force(text,timestamp with time zone);
credits.is_product_in_force(text,boolean,text,timestamp with time zone); credits.is_reason(text);
credits.is_router(); credits.is_time_zone(text); credits.is_users_own_end(public.generation_job_status,jsonb);
credits.job_actual_cost(public.generation_jobs,bigint,jsonb); credits.job_asker(uuid);
credits.job_discrepancies(uuid,bigint); credits.job_end_refunded(uuid,public.generation_job_status,jsonb,text);
credits.job_file_verdict(public.generation_jobs,text,boolean,integer); credits.job_files(uuid,uuid[]);
credits.job_ids(uuid,uuid,text,jsonb); credits.job_lock(uuid); credits.job_of_file(text);
credits.job_outcome(public.generation_jobs); credits.job_provenance(jsonb);
credits.job_provider_cost(uuid,uuid); credits.job_result(public.generation_jobs,text);
credits.job_seal(uuid,uuid,bigint); credits.job_settle_ended(public.generation_jobs); credits.job_state(uuid);
credits.job_sweep(uuid,uuid); credits.job_take_back(public.generation_jobs,bigint,text);
credits.job_to_erase(uuid,uuid); credits.jobs_overdue(integer); credits.jobs_sweep(uuid[],uuid[]);
credits.keeps_files(); credits.key_discrepancies(uuid); credits.ledger_is_append_only();
credits.ledger_refuse_change(); credits.lines_read(jsonb); credits.mailbox(text); credits.margins_now();
credits.may_cancel(public.generation_jobs,uuid); credits.may_erase_job(public.generation_jobs,uuid);
credits.may_have_sign_up_grant(jsonb); credits.may_keep_late(public.generation_jobs);
credits.member_correct(public.generation_jobs,bigint); credits.member_denial(uuid,uuid,bigint,boolean);
credits.member_month_charged(uuid,uuid,timestamp with time zone);
credits.member_spend(uuid,uuid,bigint,timestamp with time zone); credits.metrics_of_accounts();
credits.metrics_of_alerts(); credits.metrics_of_events(); credits.metrics_of_files();
credits.metrics_of_handovers(); credits.metrics_of_ledger(); credits.metrics_of_open_jobs();
credits.metrics_of_payments(); credits.metrics_of_recent_jobs(); credits.metrics_of_reconciliation();
credits.metrics_of_requests(); credits.metrics_of_shard(); credits.metrics_of_tasks();
credits.metrics_of_transfers(); credits.movement_kind(credits.account_thing);
credits.movement_title(credits.account_thing,public.generation_jobs);
credits.movements_book(credits.movement[],date); credits.my_account_ids(); credits.my_paying_account_ids();
credits.neutral_account(jsonb); credits.neutral_flag(jsonb,text); credits.neutral_list(jsonb,text);
credits.neutral_number(jsonb,text,bigint); credits.neutral_text(jsonb,text,text);
credits.neutral_time(jsonb,text);
credits.newest_jobs(text,timestamp with time zone,uuid,timestamp with time zone,integer);
credits.newest_jobs_of_account(uuid,text,timestamp with time zone,uuid,integer);
credits.newest_jobs_of_all(text,timestamp with time zone,uuid,integer);
credits.newest_open_jobs(uuid,timestamp with time zone,uuid,integer);
credits.newest_payments(uuid,text,timestamp with time zone,text,integer);
credits.newest_things(uuid,timestamp with time zone,text,integer); credits.operation_findings_now();
credits.operator_account_lock(uuid); credits.operator_act(text,uuid,text,jsonb,text,text);
credits.operator_action_discrepancies(); credits.operator_answer(public.operator_actions,boolean);
credits.operator_ask(public.credit_operators,credits.operator_request,bigint);
credits.operator_check_other(public.credit_operators,uuid);
credits.operator_check_own(public.credit_operators,uuid); credits.operator_check_reopen(public.credit_accounts);
credits.operator_day(uuid); credits.operator_discrepancies(boolean);
credits.operator_do(public.credit_operators,credits.operator_request);
credits.operator_does_acknowledge_alert(credits.operator_request,uuid);
credits.operator_does_book_payment(credits.operator_request);
credits.operator_does_cancel_job(credits.operator_request);
credits.operator_does_close_account(credits.operator_request);
credits.operator_does_erase_account(credits.operator_request);
credits.operator_does_fix_discrepancy(credits.operator_request);
credits.operator_does_grant(credits.operator_request,text);
credits.operator_does_mute_alert(credits.operator_request);
credits.operator_does_refund_job(credits.operator_request);
credits.operator_does_reopen_account(credits.operator_request);
credits.operator_does_retry_event(credits.operator_request);
credits.operator_does_reverse_grant(credits.operator_request);
credits.operator_does_set_overdraft(credits.operator_request);
credits.operator_does_set_plan(credits.operator_request,text);
credits.operator_does_withdraw(credits.operator_request,text); credits.operator_enter(text,text,text,uuid[]);
credits.operator_entry_discrepancies(); credits.operator_fixes();
credits.operator_joins(uuid,text,bigint,bigint,text);
credits.operator_muted(text,timestamp with time zone,timestamp with time zone,text,text);
credits.operator_note(uuid,credits.operator_request,credits.operator_effect,bigint,bigint);
credits.operator_perform(uuid,credits.operator_request,text); credits.operator_reads();
credits.operator_refuse(text,text,text,text); credits.operator_replay(uuid,credits.operator_request);
credits.operator_rights(); credits.operator_role(); credits.operator_row(uuid);
credits.operator_used_elsewhere(); credits.operator_used_today(uuid); credits.operator_views();
credits.operator_who_may(text); credits.operator_within_limits(public.credit_operators,bigint);
credits.operators_forget(uuid[],boolean); credits.operators_now(); credits.orphan_discrepancies(uuid);
credits.other_slot_groups(); credits.output_check(uuid,uuid,jsonb); credits.output_emptied(jsonb);
credits.output_files(jsonb); credits.output_has_data(jsonb); credits.output_hash(jsonb);
credits.output_limit(text,timestamp with time zone); credits.output_policy(); credits.outputs_due(integer);
credits.outputs_expire(text[]);
credits.overdraft_fill(public.credit_accounts,bigint,bigint,public.credit_entry_kind,uuid,text,jsonb);
credits.overdraft_given(credits.operator_effect); credits.own_account_check(uuid); credits.own_account_id();
credits.own_accounts(uuid[]); credits.page_size(integer); credits.part_differences(text);
credits.payer_denial(uuid,uuid); credits.payer_read(uuid,uuid,text,boolean);
credits.payment_account(text,boolean,text); credits.payment_book(public.payments,jsonb,boolean);
credits.payment_book_discrepancies(); credits.payment_cause(public.payments);
credits.payment_credits(public.payments); credits.payment_discrepancies(); credits.payment_disputed(text);
credits.payment_event_note(jsonb,text,boolean,text,uuid,text,text);
credits.payment_expires_at(credits.payment_terms); credits.payment_findings_now();
credits.payment_grant(public.payments); credits.payment_levels(public.payments);
credits.payment_lines(public.payments); credits.payment_lock(public.payments);
credits.payment_merge(public.payments,public.payments); credits.payment_read(jsonb);
credits.payment_remedy(text); credits.payment_reverse(public.payments,boolean);
credits.payment_seal(public.payments); credits.payment_state(text);
credits.payment_subscription(public.payments); credits.payment_target(public.payments);
credits.payment_target_now(public.payments); credits.payment_terms(public.payments);
credits.payment_waiting_discrepancies(); credits.payment_write(public.payments); credits.people_leave(uuid[]);
credits.period_share(public.payments,timestamp with time zone,timestamp with time zone);
credits.person_accounts(uuid[],boolean); credits.person_addresses(jsonb); credits.person_close(uuid,uuid[]);
credits.person_erase(uuid,uuid,integer); credits.person_erase_from(uuid,uuid[]);
credits.person_files_delete(uuid,uuid,uuid[]); credits.person_hashes(jsonb); credits.person_identities(uuid);
credits.person_is_gone_check(uuid); credits.person_jobs_end(uuid,uuid); credits.person_leave(uuid);
credits.person_reopen(uuid); credits.person_return(uuid); credits.person_sign_up(jsonb); credits.plan_arrived();
credits.plans_refilling(timestamp with time zone); credits.policy_is_of_services(regclass,text);
credits.price_cause(text,boolean,text); credits.price_change_check(text,timestamp with time zone,text);
credits.price_is_complete(); credits.price_is_kept();
credits.price_version(text,timestamp with time zone,jsonb,jsonb);
credits.price_version_insert(text,timestamp with time zone,jsonb); credits.privilege_differences();
credits.privileges_apply(); credits.product_check(text,boolean,text,jsonb); credits.product_is_kept();
credits.product_of_price(text,boolean,text,timestamp with time zone);
credits.product_settings(public.credit_products,jsonb); credits.provider_asks_due();
credits.provider_findings_now(); credits.provider_job_note(public.generation_jobs,text,jsonb);
credits.provider_jobs_clear(integer); credits.provider_word(public.generation_jobs,text,jsonb);
credits.provider_word_late(public.generation_jobs,text); credits.raise_misuse(text,text,text);
credits.raise_no_such_job(); credits.rate_is_kept(); credits.rates_change_version(); credits.rates_read(jsonb);
credits.reconcile_all(bigint); credits.reconcile_new(bigint); credits.reconciliation_findings_now();
credits.ref_groups(text); credits.ref_home(text);
credits.refill_anchor(public.credit_plans,public.credit_accounts);
credits.refill_anchor_on(
public.credit_plans,public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.refill_begins(date,date); credits.refill_ends(public.credit_plans,public.credit_accounts,date);
credits.refill_first(public.credit_plans,public.credit_accounts,date); credits.refill_is_due(uuid);
credits.refill_month(public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.refill_month_before(public.credit_plans,public.credit_accounts); credits.refill_ref(uuid,date);
credits.refill_source_is_free(); credits.refills_cap(uuid[]);
credits.refills_due(uuid[],date,timestamp with time zone);
credits.refills_next(uuid,integer,timestamp with time zone);
credits.refills_start(public.credit_plans[],public.credit_plans[]); credits.refills_start_now();
credits.refund_book(uuid,public.credit_entry_kind,uuid,bigint,text,text,boolean,uuid,timestamp with time zone);
credits.refund_overdrawn(public.credit_accounts,public.credit_entry_kind,uuid,bigint,text,jsonb,boolean);
credits.refund_return(
public.credit_accounts,public.credit_entry_kind,uuid,public.credit_grants,bigint,text,jsonb,boolean);
credits.refund_was_booked(public.generation_jobs,text); credits.refunds_merge(jsonb,jsonb);
credits.refunds_read(jsonb); credits.repair_statements(text);
credits.repeats_are_many(uuid,integer,timestamp with time zone); credits.request_events_month(date);
credits.request_price(text,jsonb); credits.request_record(public.credit_charge_result,uuid,text,text);
credits.request_refused(text,jsonb,text); credits.required(text,anyelement); credits.restored_row_wins();
credits.reversal_target(public.credit_ledger);
credits.roll_over_end(public.credit_accounts,public.credit_plans);
credits.roll_over_excess(public.credit_accounts,public.credit_grants,bigint,uuid);
credits.roll_over_trim(public.credit_accounts,bigint); credits.rolled_over(uuid); credits.runs_now();
credits.schedule_changed(); credits.shard_note(text,integer[]); credits.sign_up_account(uuid);
credits.sign_up_book(uuid,bigint); credits.sign_up_denied(uuid,text); credits.sign_up_finish(uuid,bigint);
credits.sign_up_give(uuid,bytea[],bigint); credits.sign_up_grants_left(); credits.sign_up_later(uuid);
credits.sign_up_note_denial(uuid,text); credits.slot(uuid); credits.slot_group(uuid);
credits.speech_asked(public.generation_models,jsonb); credits.spending_month(date);
credits.spent_this_month(bigint,date); credits.storage_set_up(); credits.storage_statements();
credits.subscription_book(public.payment_subscriptions,text); credits.subscription_discrepancies();
credits.subscription_ends_at(public.payment_subscriptions);
credits.subscription_follow(public.payment_subscriptions,text); credits.subscription_read(jsonb);
credits.subscription_terms(public.payment_subscriptions); credits.suspect_archives(); credits.suspect_chains();
credits.suspect_counts(); credits.suspect_debts(); credits.suspect_ends();
credits.suspect_entries_since(credits.run_horizon); credits.suspect_keys(); credits.suspect_repeats();
credits.suspect_repeats_since(credits.run_horizon); credits.suspect_sums(bigint); credits.suspects();
credits.suspects_among_changed(); credits.suspects_now(); credits.suspects_of_any_age(); credits.sweep_grace();
credits.task_arrived(); credits.team_id_check(uuid); credits.team_keeps_owner(uuid); credits.team_lock(uuid);
credits.team_pass_on(uuid); credits.team_spare(uuid); credits.team_successor(uuid);
credits.terms_come_from_router();
credits.text_answer(public.credit_charge_result,credits.text_model,jsonb,uuid,uuid);
credits.text_available(uuid,uuid,uuid); credits.text_hold(credits.text_model,jsonb,bigint);
credits.text_input(jsonb,credits.text_hold,jsonb,boolean,text); credits.text_model_in_force(text);
credits.text_request(jsonb); credits.text_settle_by_progress(uuid,uuid,text);
credits.text_used(public.generation_jobs,jsonb,text); credits.thing_end(uuid,bigint);
credits.timeline_acts(uuid,timestamp with time zone,timestamp with time zone,text,integer);
credits.timeline_detail(jsonb,uuid,text);
credits.timeline_movements(uuid,timestamp with time zone,text,integer); credits.timeline_payments(uuid);
credits.timeline_requests(uuid,timestamp with time zone,timestamp with time zone,text,integer);
credits.to_bigint(numeric); credits.traffic_findings_now(); credits.transfer_amount(jsonb);
credits.transfer_arrival(public.credit_accounts,uuid,text,jsonb,text);
credits.transfer_book(public.credit_accounts,public.credit_accounts,bigint,text,text);
credits.transfer_check(credits.transfer_order);
credits.transfer_dispatch(public.credit_accounts,public.credit_accounts,credits.transfer_order);
credits.transfer_expiry(public.credit_accounts,public.credit_grants); credits.transfer_findings_now();
credits.transfer_id(uuid,uuid,bigint,text); credits.transfer_is_local_check(credits.transfer_order);
credits.transfer_parts(public.credit_accounts,credits.burn_plan);
credits.transfer_plan(public.credit_accounts,public.credit_accounts,bigint);
credits.transfer_return(public.credit_accounts,public.credit_transfers_sent);
credits.transfer_return_check(uuid,text); credits.transfer_sent(text,boolean);
credits.transfer_take(public.credit_accounts,uuid,text,jsonb,text);
credits.transfers_make(credits.transfer_order[]); credits.transfers_note(credits.transfer_order[]);
credits.transfers_read(jsonb); credits.trial_charge(uuid,text,jsonb); credits.trial_delete(uuid);
credits.trial_prepare(uuid,text); credits.trial_refund(uuid); credits.trial_run(uuid);
credits.trial_update(uuid); credits.type_of_meters(text[]); credits.unused_uploads(uuid);
credits.upgrade_credits(public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.upload_denied(text,jsonb); credits.upload_errors(text,bigint);
credits.upload_is_named(uuid,text,timestamp with time zone);
credits.upload_verdict(public.generation_uploads,numeric,integer); credits.uploads_expire(text[],text);
credits.usage_cost(text[],numeric[],jsonb); credits.usage_most(text[],numeric[],jsonb,integer,integer,integer);
credits.usage_reported(jsonb); credits.user_changed(jsonb,jsonb); credits.user_created();
credits.user_deleted(); credits.user_facts(jsonb); credits.user_updated(); credits.users_leave(uuid[]);
credits.vault_secret(text); credits.version_takes_rates(); credits.video_asked(public.generation_models,jsonb);
credits.watched_roles(); credits.withdrawal_plan(uuid,bigint,bigint);
credits.withdrawal_replay(public.credit_accounts,bigint,bigint,text); credits.witness_discrepancies();
credits.witness_objects(text); public.abandon_text(uuid); public.account_expiring_grants(uuid);
public.account_models(uuid,uuid);
public.account_statement(uuid,timestamp with time zone,timestamp with time zone);
public.account_statement_json(uuid,timestamp with time zone,timestamp with time zone);
public.acknowledge_alert(uuid,text); public.announce_expiring_grants(integer); public.apply_retention();
public.apply_schedule(); public.archive_ledger(timestamp with time zone,bigint);
public.atomic_charge_credits(uuid,text,jsonb,text,text,uuid,boolean);
public.atomic_charge_credits_batch(uuid,jsonb,boolean); public.balance_as_of(uuid,timestamp with time zone);
public.book_payment(jsonb,jsonb); public.book_subscription(jsonb,jsonb);
public.cancel_generation(uuid,uuid,boolean); public.charge_by_app_key(uuid,uuid,text,jsonb,text,text,boolean);
public.charge_text(uuid,uuid,uuid,text,jsonb,text,text); public.check_input_object(uuid,text);
public.claim_events(integer,boolean,text); public.claim_external_ref(text,text,uuid,uuid);
public.claim_outputs_to_move(integer); public.claim_provider_asks(integer);
public.claim_storage_deletions(integer); public.correct_job(uuid,text);
public.create_app_key(uuid,uuid,text,text[],bigint,timestamp with time zone);
public.create_team_account(uuid,uuid); public.create_upload(uuid,uuid,text,bigint);
public.delete_output(uuid,uuid); public.detect_anomalies(integer); public.erase_account(uuid);
public.erase_job(uuid,uuid); public.evaluate_alerts(); public.expire_grants(integer);
public.fail_generation(uuid,jsonb); public.find_outputs_to_move(); public.find_payment(text,text);
public.finish_erasures(integer); public.finish_event(uuid,text,text,integer,boolean);
public.finish_output_move(uuid,jsonb); public.finish_storage_deletions(text[]);
public.follow_subscriptions(integer); public.function_calls_due(); public.get_generation_stats(integer);
public.grant_credits(uuid,bigint,text,public.credit_entry_kind,timestamp with time zone,text,smallint,jsonb);
public.grant_due_sign_ups(integer); public.has_external_ref(uuid,text,text);
public.import_model_price(text,jsonb,jsonb,numeric,jsonb); public.keep_late_output(uuid,jsonb);
public.ledger_seq_as_of(uuid,timestamp with time zone); public.link_payment_customer(uuid,text,boolean,text);
public.list_app_keys(uuid,uuid); public.maintain_request_events();
public.mute_alert_rule(text,timestamp with time zone); public.note_generation_progress(uuid,jsonb);
public.note_payment_event(jsonb,text,text); public.operational_metrics(); public.operator_abilities();
public.operator_accounts_page(uuid,integer); public.operator_acknowledge_alert(uuid,text,text);
public.operator_approve(uuid,text,text); public.operator_book_payment(text,text,text);
public.operator_cancel_job(uuid,text,text); public.operator_close_account(uuid,text,text);
public.operator_erase_account(uuid,text,text); public.operator_fix_discrepancy(text,text,text,text);
public.operator_grant(uuid,bigint,timestamp with time zone,text,text);
public.operator_jobs_page(uuid,text,timestamp with time zone,uuid,integer);
public.operator_mute_alert(text,timestamp with time zone,text,text);
public.operator_payments_page(uuid,text,timestamp with time zone,text,integer); public.operator_people(uuid[]);
public.operator_reconcile(); public.operator_refund_job(uuid,bigint,text,text);
public.operator_reject(uuid,text,text); public.operator_remove(uuid,text,text);
public.operator_reopen_account(uuid,text,text); public.operator_request_trail(text);
public.operator_retry_event(uuid,text,text); public.operator_reverse_grant(uuid,bigint,bigint,text,text);
public.operator_search(text,integer); public.operator_set(uuid,text,bigint,bigint,text,text);
public.operator_set_overdraft(uuid,bigint,text,text); public.operator_set_plan(uuid,text,text,text);
public.operator_timeline(uuid,timestamp with time zone,text,integer);
public.operator_withdraw(uuid,bigint,text,text); public.payment_status(uuid,text);
public.person_joins(uuid,bigint,text); public.person_leaves(uuid);
public.prepare_checkout(uuid,uuid,text,integer,text,boolean); public.prepare_portal(uuid,uuid,text,boolean);
public.preview_payment(jsonb); public.preview_subscription(jsonb);
public.provider_answered(uuid,text,text,text,jsonb); public.quote_generation(text,jsonb);
public.quote_text(text,jsonb); public.receive_callback(uuid,text,text,text,jsonb);
public.reconcile_credit_ledger(boolean); public.record_anomalies(); public.refill_plans(integer);
public.refund_credits(uuid,bigint,text); public.remove_account_member(uuid,uuid); public.repair_deployment();
public.request_function(text); public.retry_events(timestamp with time zone,integer);
public.retry_payment(text); public.retry_payments(integer); public.reverse_grant(uuid,bigint,bigint,text);
public.revoke_app_key(uuid,uuid,uuid); public.run_task(text); public.set_account_member(uuid,uuid,text,bigint);
public.set_account_plan(uuid,text); public.set_model_price(text,jsonb,timestamp with time zone,jsonb);
public.set_product(text,boolean,text,jsonb,timestamp with time zone);
public.settle_generation(uuid,jsonb,bigint,jsonb); public.settle_text(uuid,jsonb,text,jsonb);
public.start_generation(uuid,text,jsonb); public.sweep_overdue_jobs(integer);
public.text_terms(text,uuid,uuid,text); public.transfer_credits(uuid,uuid,bigint,text,text);
public.transfer_credits_batch(jsonb); public.transfer_finish(uuid,uuid,text);
public.transfer_receive(uuid,uuid,uuid,text,jsonb,text); public.transfer_send(uuid,uuid,bigint,text,text);
public.transfer_send_batch(jsonb,uuid[]); public.transfers_in_flight(integer); public.verify_deployment();
public.verify_ledger(uuid,boolean); public.verify_operator_actions(uuid);
public.withdraw_credits(uuid,bigint,bigint,text,text)$list$),
('table', $list$
credits.external_refs; credits.file_sweep; credits.handovers; credits.installation; credits.outputs_to_move;
credits.request_events_rest; credits.secrets; credits.shard; credits.sign_up_addresses; credits.sign_ups_due;
credits.storage_deletions; public.account_erasures; public.account_members; public.credit_accounts;
public.credit_alert_rules; public.credit_alerts; public.credit_anomaly_findings; public.credit_anomaly_rules;
public.credit_app_keys; public.credit_debts; public.credit_event_endpoints; public.credit_events;
public.credit_grants; public.credit_ledger; public.credit_ledger_anchors; public.credit_ledger_archive;
public.credit_ledger_checkpoints; public.credit_operators; public.credit_plans; public.credit_products;
public.credit_request_events; public.credit_scheduled_tasks; public.credit_settings;
public.credit_sign_up_grants; public.credit_task_runs; public.credit_transfers;
public.credit_transfers_received; public.credit_transfers_sent; public.credit_withdrawals;
public.generation_jobs; public.generation_model_costs; public.generation_model_rates; public.generation_models;
public.generation_provider_jobs; public.generation_uploads; public.generation_usage; public.operator_actions;
public.operator_approvals; public.payment_customers; public.payment_disputes; public.payment_events;
public.payment_subscriptions; public.payments; public.reconciliation_classes; public.reconciliation_findings;
public.reconciliation_runs$list$),
('type', $list$
credits.account_thing; credits.alert_finding; credits.burn_plan; credits.deployment_check; credits.discrepancy;
credits.expiry_position; credits.judged_file; credits.movement; credits.operator_effect;
credits.operator_request; credits.payment_discrepancy; credits.payment_terms; credits.priced_request;
credits.run_horizon; credits.text_hold; credits.text_model; credits.transfer_order; credits.witness_object;
public.credit_anomaly; public.credit_archive_result; public.credit_charge_result; public.credit_entry_kind;
public.credit_grant_result; public.credit_ledger_result; public.credit_operator_role;
public.credit_reversal_result; public.credit_transfer_received; public.credit_transfer_result;
public.credit_transfer_sent; public.credit_withdrawal_result; public.generation_callback_result;
public.generation_job_result; public.generation_job_status; public.generation_output_to_move;
public.generation_provider_ask; public.generation_quote; public.generation_stats; public.generation_text_charge;
public.generation_text_quote; public.generation_text_terms; public.generation_upload;
public.operator_chain_result; public.operator_find; public.operator_result; public.operator_timeline_row;
public.payment_checkout; public.payment_result; public.payment_status_result$list$),
('view', $list$
credits.action_links; credits.chain_links; credits.charge_terms; credits.debts_owed; credits.denials;
credits.grants_repaid; credits.members_counted; credits.spendable_grants; credits.transfers_booked;
credits.transfers_noted; credits.withdrawals_booked; public.account_balances;
public.account_teams_without_owner; public.credit_anomalies; public.credit_journal;
public.credit_ledger_chain_breaks; public.credit_liability_daily; public.credit_rate_limit_hits;
public.credit_request_trail; public.credit_revenue_daily; public.credit_transfer_totals;
public.credit_unsettled_jobs; public.generation_files; public.generation_margins;
public.generation_margins_daily; public.generation_stats_hourly; public.operator_account_grants;
public.operator_account_members; public.operator_accounts; public.operator_alerts;
public.operator_discrepancies; public.operator_events; public.operator_jobs; public.operator_log;
public.operator_me; public.operator_models; public.operator_payments; public.operator_providers;
public.operator_reconciliations; public.operator_team; public.operator_waiting; public.payment_deferred_revenue;
public.payment_discrepancies; public.payment_revenue_daily; public.reconciliation_discrepancies;
public.reconciliation_latest; public.reconciliation_summary$list$)
  ) as v (kind, list)
  cross join lateral regexp_split_to_table(trim(v.list, E'\n'), ';\s') as o (identity);
$$;

create or replace function credits.delivered_parts()
returns table (kind text, table_name text, part_name text, definition text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select v.kind, v.table_name, v.part_name, regexp_replace(ltrim(v.definition, E'\n'), '\n', ' ', 'g') from (values
('policy', 'public.account_erasures', 'account_erasures_read_auditor', $sql$
CREATE POLICY account_erasures_read_auditor ON public.account_erasures AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.account_members', 'account_members_read_auditor', $sql$
CREATE POLICY account_members_read_auditor ON public.account_members AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.account_members', 'account_members_read_own_accounts', $sql$
CREATE POLICY account_members_read_own_accounts ON public.account_members AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_accounts', 'credit_accounts_read_auditor', $sql$
CREATE POLICY credit_accounts_read_auditor ON public.credit_accounts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_accounts', 'credit_accounts_read_own', $sql$
CREATE POLICY credit_accounts_read_own ON public.credit_accounts AS PERMISSIVE FOR SELECT TO authenticated
USING ((id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_alert_rules', 'credit_alert_rules_read_auditor', $sql$
CREATE POLICY credit_alert_rules_read_auditor ON public.credit_alert_rules AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_alerts', 'credit_alerts_read_auditor', $sql$
CREATE POLICY credit_alerts_read_auditor ON public.credit_alerts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_anomaly_findings', 'credit_anomaly_findings_read_auditor', $sql$
CREATE POLICY credit_anomaly_findings_read_auditor ON public.credit_anomaly_findings AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_anomaly_rules', 'credit_anomaly_rules_read_auditor', $sql$
CREATE POLICY credit_anomaly_rules_read_auditor ON public.credit_anomaly_rules AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_app_keys', 'credit_app_keys_read_auditor', $sql$
CREATE POLICY credit_app_keys_read_auditor ON public.credit_app_keys AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_debts', 'credit_debts_read_auditor', $sql$
CREATE POLICY credit_debts_read_auditor ON public.credit_debts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_debts', 'credit_debts_read_own', $sql$
CREATE POLICY credit_debts_read_own ON public.credit_debts AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_event_endpoints', 'credit_event_endpoints_read_auditor', $sql$
CREATE POLICY credit_event_endpoints_read_auditor ON public.credit_event_endpoints AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_events', 'credit_events_read_auditor', $sql$
CREATE POLICY credit_events_read_auditor ON public.credit_events AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_grants', 'credit_grants_read_auditor', $sql$
CREATE POLICY credit_grants_read_auditor ON public.credit_grants AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_grants', 'credit_grants_read_own', $sql$
CREATE POLICY credit_grants_read_own ON public.credit_grants AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger', 'credit_ledger_read_auditor', $sql$
CREATE POLICY credit_ledger_read_auditor ON public.credit_ledger AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger', 'credit_ledger_read_own', $sql$
CREATE POLICY credit_ledger_read_own ON public.credit_ledger AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger_anchors', 'credit_ledger_anchors_read_auditor', $sql$
CREATE POLICY credit_ledger_anchors_read_auditor ON public.credit_ledger_anchors AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger_archive', 'credit_ledger_archive_read_auditor', $sql$
CREATE POLICY credit_ledger_archive_read_auditor ON public.credit_ledger_archive AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger_archive', 'credit_ledger_archive_read_own', $sql$
CREATE POLICY credit_ledger_archive_read_own ON public.credit_ledger_archive AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger_checkpoints', 'credit_ledger_checkpoints_read_auditor', $sql$
CREATE POLICY credit_ledger_checkpoints_read_auditor ON public.credit_ledger_checkpoints AS PERMISSIVE FOR
SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_operators', 'credit_operators_read_auditor', $sql$
CREATE POLICY credit_operators_read_auditor ON public.credit_operators AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_plans', 'credit_plans_read', $sql$
CREATE POLICY credit_plans_read ON public.credit_plans AS PERMISSIVE FOR SELECT TO authenticated
USING (true)$sql$),
('policy', 'public.credit_plans', 'credit_plans_read_auditor', $sql$
CREATE POLICY credit_plans_read_auditor ON public.credit_plans AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_products', 'credit_products_read_auditor', $sql$
CREATE POLICY credit_products_read_auditor ON public.credit_products AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_products', 'credit_products_read_enabled', $sql$
CREATE POLICY credit_products_read_enabled ON public.credit_products AS PERMISSIVE FOR SELECT TO authenticated
USING ((enabled AND credits.is_product_in_force(provider, livemode, name, effective_from)))$sql$),
('policy', 'public.credit_request_events', 'credit_request_events_read_auditor', $sql$
CREATE POLICY credit_request_events_read_auditor ON public.credit_request_events AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_scheduled_tasks', 'credit_scheduled_tasks_read_auditor', $sql$
CREATE POLICY credit_scheduled_tasks_read_auditor ON public.credit_scheduled_tasks AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_settings', 'credit_settings_read_auditor', $sql$
CREATE POLICY credit_settings_read_auditor ON public.credit_settings AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_sign_up_grants', 'credit_sign_up_grants_read_auditor', $sql$
CREATE POLICY credit_sign_up_grants_read_auditor ON public.credit_sign_up_grants AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_task_runs', 'credit_task_runs_read_auditor', $sql$
CREATE POLICY credit_task_runs_read_auditor ON public.credit_task_runs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_transfers', 'credit_transfers_read_auditor', $sql$
CREATE POLICY credit_transfers_read_auditor ON public.credit_transfers AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_transfers_received', 'credit_transfers_received_read_auditor', $sql$
CREATE POLICY credit_transfers_received_read_auditor ON public.credit_transfers_received AS PERMISSIVE FOR
SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_transfers_sent', 'credit_transfers_sent_read_auditor', $sql$
CREATE POLICY credit_transfers_sent_read_auditor ON public.credit_transfers_sent AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_withdrawals', 'credit_withdrawals_read_auditor', $sql$
CREATE POLICY credit_withdrawals_read_auditor ON public.credit_withdrawals AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_jobs', 'generation_jobs_read_auditor', $sql$
CREATE POLICY generation_jobs_read_auditor ON public.generation_jobs AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.generation_jobs', 'generation_jobs_read_own', $sql$
CREATE POLICY generation_jobs_read_own ON public.generation_jobs AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.generation_model_costs', 'generation_model_costs_read_auditor', $sql$
CREATE POLICY generation_model_costs_read_auditor ON public.generation_model_costs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_model_rates', 'generation_model_rates_read_auditor', $sql$
CREATE POLICY generation_model_rates_read_auditor ON public.generation_model_rates AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_model_rates', 'generation_model_rates_read_enabled', $sql$
CREATE POLICY generation_model_rates_read_enabled ON public.generation_model_rates AS PERMISSIVE FOR SELECT TO
anon, authenticated
USING ((EXISTS ( SELECT
   FROM public.generation_models m
  WHERE ((m.name = generation_model_rates.model) AND
(m.effective_from = generation_model_rates.effective_from)))))$sql$),
('policy', 'public.generation_models', 'generation_models_read_auditor', $sql$
CREATE POLICY generation_models_read_auditor ON public.generation_models AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_models', 'generation_models_read_enabled', $sql$
CREATE POLICY generation_models_read_enabled ON public.generation_models AS PERMISSIVE FOR SELECT TO anon,
authenticated
USING ((enabled AND credits.is_price_in_force(name, effective_from)))$sql$),
('policy', 'public.generation_provider_jobs', 'generation_provider_jobs_read_auditor', $sql$
CREATE POLICY generation_provider_jobs_read_auditor ON public.generation_provider_jobs AS PERMISSIVE FOR SELECT
TO credits_auditor
USING (true)$sql$),
('policy', 'public.generation_uploads', 'generation_uploads_read_auditor', $sql$
CREATE POLICY generation_uploads_read_auditor ON public.generation_uploads AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_uploads', 'generation_uploads_read_own', $sql$
CREATE POLICY generation_uploads_read_own ON public.generation_uploads AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.generation_usage', 'generation_usage_read_auditor', $sql$
CREATE POLICY generation_usage_read_auditor ON public.generation_usage AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_usage', 'generation_usage_read_own', $sql$
CREATE POLICY generation_usage_read_own ON public.generation_usage AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.operator_actions', 'operator_actions_read_auditor', $sql$
CREATE POLICY operator_actions_read_auditor ON public.operator_actions AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.operator_approvals', 'operator_approvals_read_auditor', $sql$
CREATE POLICY operator_approvals_read_auditor ON public.operator_approvals AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_customers', 'payment_customers_read_auditor', $sql$
CREATE POLICY payment_customers_read_auditor ON public.payment_customers AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_disputes', 'payment_disputes_read_auditor', $sql$
CREATE POLICY payment_disputes_read_auditor ON public.payment_disputes AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_events', 'payment_events_read_auditor', $sql$
CREATE POLICY payment_events_read_auditor ON public.payment_events AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.payment_subscriptions', 'payment_subscriptions_read_auditor', $sql$
CREATE POLICY payment_subscriptions_read_auditor ON public.payment_subscriptions AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_subscriptions', 'payment_subscriptions_read_own', $sql$
CREATE POLICY payment_subscriptions_read_own ON public.payment_subscriptions AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_paying_account_ids() AS my_paying_account_ids))))$sql$),
('policy', 'public.payments', 'payments_read_auditor', $sql$
CREATE POLICY payments_read_auditor ON public.payments AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.payments', 'payments_read_own', $sql$
CREATE POLICY payments_read_own ON public.payments AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_paying_account_ids() AS my_paying_account_ids))))$sql$),
('policy', 'public.reconciliation_classes', 'reconciliation_classes_read_auditor', $sql$
CREATE POLICY reconciliation_classes_read_auditor ON public.reconciliation_classes AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.reconciliation_findings', 'reconciliation_findings_read_auditor', $sql$
CREATE POLICY reconciliation_findings_read_auditor ON public.reconciliation_findings AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.reconciliation_runs', 'reconciliation_runs_read_auditor', $sql$
CREATE POLICY reconciliation_runs_read_auditor ON public.reconciliation_runs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('trigger', 'auth.users', 'atomic_credits_user_created', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_created AFTER INSERT ON auth.users
FOR EACH ROW
EXECUTE FUNCTION credits.user_created()$sql$),
('trigger', 'auth.users', 'atomic_credits_user_deleted', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_deleted AFTER DELETE ON auth.users REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT
EXECUTE FUNCTION credits.user_deleted()$sql$),
('trigger', 'auth.users', 'atomic_credits_user_updated', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_updated AFTER UPDATE ON auth.users REFERENCING OLD TABLE AS
users_before NEW TABLE AS users_now
FOR EACH STATEMENT
EXECUTE FUNCTION credits.user_updated()$sql$),
('trigger', 'credits.file_sweep', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.file_sweep
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.file_sweep ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'credits.installation', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.installation
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.installation ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'credits.secrets', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.secrets
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.secrets ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.account_members', 'account_version_touch', $sql$
CREATE OR REPLACE TRIGGER account_version_touch AFTER INSERT OR DELETE OR UPDATE OF role, monthly_cap ON
public.account_members
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_touch()$sql$),
('trigger', 'public.credit_accounts', 'account_opened', $sql$
CREATE OR REPLACE TRIGGER account_opened BEFORE INSERT OR UPDATE OF id ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.account_opened()$sql$),
('trigger', 'public.credit_accounts', 'account_rejoined', $sql$
CREATE OR REPLACE TRIGGER account_rejoined BEFORE UPDATE OF closed_at ON public.credit_accounts
FOR EACH ROW WHEN (((old.closed_at IS NOT NULL) AND (new.closed_at IS NULL) AND (new.user_id IS NULL) AND (NOT
new.is_team)))
EXECUTE FUNCTION credits.account_rejoined()$sql$),
('trigger', 'public.credit_accounts', 'account_reopened', $sql$
CREATE OR REPLACE TRIGGER account_reopened BEFORE UPDATE OF closed_at ON public.credit_accounts
FOR EACH ROW WHEN (((old.closed_at IS NOT NULL) AND (new.closed_at IS NULL) AND (new.refilled_for IS NOT NULL)))
EXECUTE FUNCTION credits.account_reopened()$sql$),
('trigger', 'public.credit_accounts', 'account_version_raise', $sql$
CREATE OR REPLACE TRIGGER account_version_raise BEFORE UPDATE OF id, user_id, plan, credit_limit,
lowered_credit_limit, debt, debt_seq, refilled_for, cancels, cancels_on, refill_anchor, closed_at, created_at,
is_team ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_raise()$sql$),
('trigger', 'public.credit_accounts', 'balance_broadcast', $sql$
CREATE OR REPLACE TRIGGER balance_broadcast AFTER UPDATE OF balance ON public.credit_accounts
FOR EACH ROW WHEN (false)
EXECUTE FUNCTION credits.balance_broadcast()$sql$),
('trigger', 'public.credit_accounts', 'credit_limit_changed', $sql$
CREATE OR REPLACE TRIGGER credit_limit_changed BEFORE INSERT OR UPDATE OF credit_limit ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.credit_limit_changed()$sql$),
('trigger', 'public.credit_alert_rules', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_alert_rules
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_alert_rules ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_alert_rules', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_alert_rules
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_anomaly_rules', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_anomaly_rules
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_anomaly_rules ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_anomaly_rules', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_anomaly_rules
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_debts', 'credit_debts_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_debts_refuse_change BEFORE DELETE OR UPDATE ON public.credit_debts
FOR EACH ROW
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_debts ENABLE ALWAYS TRIGGER credit_debts_refuse_change$sql$),
('trigger', 'public.credit_debts', 'credit_debts_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_debts_refuse_truncate BEFORE TRUNCATE ON public.credit_debts
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_debts ENABLE ALWAYS TRIGGER credit_debts_refuse_truncate$sql$),
('trigger', 'public.credit_grants', 'account_version_touch', $sql$
CREATE OR REPLACE TRIGGER account_version_touch AFTER UPDATE OF priority, expires_at ON public.credit_grants
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_touch()$sql$),
('trigger', 'public.credit_grants', 'grant_sealed', $sql$
CREATE OR REPLACE TRIGGER grant_sealed BEFORE INSERT ON public.credit_grants
FOR EACH ROW
EXECUTE FUNCTION credits.grant_sealed()$sql$),
('trigger', 'public.credit_ledger', 'credit_ledger_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_refuse_change BEFORE DELETE OR UPDATE ON public.credit_ledger
FOR EACH ROW WHEN ((NOT credits.entry_is_archived(old.*)))
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger ENABLE ALWAYS TRIGGER credit_ledger_refuse_change$sql$),
('trigger', 'public.credit_ledger', 'credit_ledger_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_refuse_truncate BEFORE TRUNCATE ON public.credit_ledger
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger ENABLE ALWAYS TRIGGER credit_ledger_refuse_truncate$sql$),
('trigger', 'public.credit_ledger_archive', 'credit_ledger_archive_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_archive_refuse_change BEFORE DELETE OR UPDATE ON
public.credit_ledger_archive
FOR EACH ROW
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger_archive ENABLE ALWAYS TRIGGER credit_ledger_archive_refuse_change$sql$),
('trigger', 'public.credit_ledger_archive', 'credit_ledger_archive_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_archive_refuse_truncate BEFORE TRUNCATE ON public.credit_ledger_archive
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger_archive ENABLE ALWAYS TRIGGER credit_ledger_archive_refuse_truncate$sql$),
('trigger', 'public.credit_plans', 'plan_arrived', $sql$
CREATE OR REPLACE TRIGGER plan_arrived AFTER UPDATE ON public.credit_plans
FOR EACH ROW
EXECUTE FUNCTION credits.plan_arrived();
ALTER TABLE public.credit_plans ENABLE REPLICA TRIGGER plan_arrived$sql$),
('trigger', 'public.credit_plans', 'refill_source_is_free', $sql$
CREATE OR REPLACE TRIGGER refill_source_is_free BEFORE UPDATE ON public.credit_plans
FOR EACH ROW WHEN (((old.refilled_by = 'payment'::text) AND (new.refilled_by = 'schedule'::text)))
EXECUTE FUNCTION credits.refill_source_is_free()$sql$),
('trigger', 'public.credit_plans', 'refills_start_now', $sql$
CREATE OR REPLACE TRIGGER refills_start_now AFTER UPDATE ON public.credit_plans REFERENCING OLD TABLE AS
plans_before NEW TABLE AS plans_now
FOR EACH STATEMENT
EXECUTE FUNCTION credits.refills_start_now()$sql$),
('trigger', 'public.credit_plans', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_plans
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_plans ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_plans', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_plans
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_products', 'product_is_kept', $sql$
CREATE OR REPLACE TRIGGER product_is_kept BEFORE DELETE OR UPDATE ON public.credit_products
FOR EACH ROW
EXECUTE FUNCTION credits.product_is_kept()$sql$),
('trigger', 'public.credit_products', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_products
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_scheduled_tasks', 'credit_scheduled_tasks_apply', $sql$
CREATE OR REPLACE TRIGGER credit_scheduled_tasks_apply AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_scheduled_tasks
FOR EACH STATEMENT
EXECUTE FUNCTION credits.schedule_changed()$sql$),
('trigger', 'public.credit_scheduled_tasks', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_scheduled_tasks
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_scheduled_tasks ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_scheduled_tasks', 'task_arrived', $sql$
CREATE OR REPLACE TRIGGER task_arrived AFTER INSERT OR DELETE OR UPDATE ON public.credit_scheduled_tasks
FOR EACH ROW
EXECUTE FUNCTION credits.task_arrived();
ALTER TABLE public.credit_scheduled_tasks ENABLE REPLICA TRIGGER task_arrived$sql$),
('trigger', 'public.credit_settings', 'broadcast_follows', $sql$
CREATE OR REPLACE TRIGGER broadcast_follows AFTER UPDATE OF broadcast_balance ON public.credit_settings
FOR EACH ROW WHEN ((new.broadcast_balance <> old.broadcast_balance))
EXECUTE FUNCTION credits.broadcast_follows()$sql$),
('trigger', 'public.credit_settings', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_settings
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_settings ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_settings', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_settings
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.credit_task_runs', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_task_runs
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_task_runs ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_model_costs', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.generation_model_costs
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.generation_model_rates', 'rate_is_kept', $sql$
CREATE OR REPLACE TRIGGER rate_is_kept BEFORE INSERT OR DELETE OR UPDATE ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.rate_is_kept()$sql$),
('trigger', 'public.generation_model_rates', 'rates_change_version', $sql$
CREATE OR REPLACE TRIGGER rates_change_version AFTER INSERT OR DELETE OR UPDATE ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.rates_change_version()$sql$),
('trigger', 'public.generation_model_rates', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.generation_model_rates ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_model_rates', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.generation_model_rates
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.generation_models', 'price_is_complete', $sql$
CREATE CONSTRAINT TRIGGER price_is_complete AFTER INSERT OR UPDATE ON public.generation_models DEFERRABLE
INITIALLY DEFERRED
FOR EACH ROW
EXECUTE FUNCTION credits.price_is_complete()$sql$),
('trigger', 'public.generation_models', 'price_is_kept', $sql$
CREATE OR REPLACE TRIGGER price_is_kept BEFORE DELETE ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.price_is_kept()$sql$),
('trigger', 'public.generation_models', 'price_is_unchanged', $sql$
CREATE OR REPLACE TRIGGER price_is_unchanged BEFORE UPDATE ON public.generation_models
FOR EACH ROW WHEN (((((old.name IS DISTINCT FROM new.name) OR (old.effective_from IS DISTINCT FROM
new.effective_from)) OR (old.overage IS DISTINCT FROM new.overage)) OR (old.created_at IS DISTINCT FROM
new.created_at)))
EXECUTE FUNCTION credits.price_is_kept()$sql$),
('trigger', 'public.generation_models', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.generation_models ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_models', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.generation_models
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.generation_models', 'version_takes_rates', $sql$
CREATE OR REPLACE TRIGGER version_takes_rates BEFORE INSERT OR UPDATE ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.version_takes_rates()$sql$),
('trigger', 'public.operator_actions', 'operator_actions_refuse_change', $sql$
CREATE OR REPLACE TRIGGER operator_actions_refuse_change BEFORE DELETE OR UPDATE ON public.operator_actions
FOR EACH ROW
EXECUTE FUNCTION credits.actions_refuse_change();
ALTER TABLE public.operator_actions ENABLE ALWAYS TRIGGER operator_actions_refuse_change$sql$),
('trigger', 'public.operator_actions', 'operator_actions_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER operator_actions_refuse_truncate BEFORE TRUNCATE ON public.operator_actions
FOR EACH STATEMENT
EXECUTE FUNCTION credits.actions_refuse_change();
ALTER TABLE public.operator_actions ENABLE ALWAYS TRIGGER operator_actions_refuse_truncate$sql$),
('trigger', 'public.reconciliation_classes', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.reconciliation_classes
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.reconciliation_classes ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.reconciliation_classes', 'terms_come_from_router', $sql$
CREATE OR REPLACE TRIGGER terms_come_from_router BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.reconciliation_classes
FOR EACH STATEMENT
EXECUTE FUNCTION credits.terms_come_from_router()$sql$),
('trigger', 'public.reconciliation_runs', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.reconciliation_runs
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.reconciliation_runs ENABLE REPLICA TRIGGER restored_row_wins$sql$)
  ) as v (kind, table_name, part_name, definition);
$$;

create or replace function credits.repair_statements(p_step text)
returns setof text
language sql
stable
set search_path = '', pg_temp
as $$
  select format('alter table %s enable row level security', oid::regclass) from credits.deployed_relations()
  where p_step = 'tables' and relkind in ('r', 'p') and not relrowsecurity
  union all
  select format('alter view %s set (security_invoker = true)', oid::regclass) from credits.deployed_relations()
  where p_step = 'tables' and relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
    and not credits.is_operator_view(oid)
  union all
  select format('alter view %s set (security_invoker = false, security_barrier = true)', oid::regclass)
  from credits.deployed_relations()
  where p_step = 'tables' and credits.is_operator_view(oid) and not credits.has_barrier(reloptions)
  union all
  select format('drop policy if exists %I on %s; %s', part_name, table_name, definition)
  from credits.part_differences('policy')
  where p_step = 'policies' and to_regclass(table_name) is not null
  union all
  select definition from credits.part_differences('trigger')
  where p_step = 'triggers' and to_regclass(table_name) is not null
  union all
  select 'alter publication supabase_realtime add table public.generation_jobs' from pg_catalog.pg_publication
  where p_step = 'publication' and pubname = 'supabase_realtime' and not exists (
    select from pg_catalog.pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'generation_jobs');
$$;

create or replace function credits.check_trial()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account_id constant uuid := credits.own_account_id();
  results credits.deployment_check[];
begin
  begin
    -- A shard takes no plan or model but from its router. This is undone with the trial.
    perform credits.cease_shard();
    results := array(select r from credits.trial_run(account_id) as r);
    raise exception using errcode = 'UNDO0', message = 'the trial is undone';
  exception when sqlstate 'UNDO0' then
    -- The variable keeps the results; the subtransaction's rows are gone.
    return query select * from unnest(results);
  end;
end;
$$;

create or replace function credits.check_storage()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Where there is no Storage nothing can be kept in it.
  if not credits.has_storage() then
    return;
  end if;
  -- A shard sees the router's: who may read them is checked there.
  if credits.keeps_files() then
    return next credits.check_none('outputs are in a private bucket with one policy',
      nullif(array(select credits.storage_statements()), '{}'), 'As the owner: select public.repair_deployment();');
    return next credits.check_none('no other policy lets users into that bucket',
      nullif(array(select credits.foreign_storage_policies()), '{}'),
      'drop policy … on storage.objects; or let its condition name another bucket: bucket_id = ''…''.');
  end if;
  return next credits.check_none('files in Storage can be seen',
    case when row_security_active('storage.objects') then array['row level security hides them'] end,
    'The owner of the functions needs BYPASSRLS, as postgres has it on Supabase.');
end;
$$;

create function credits.check_shard()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  shard credits.shard;
  foreign_accounts bigint;
begin
  select * into shard from credits.shard;
  -- A database that is no shard holds every account.
  if not found then
    return;
  end if;
  if credits.is_router() then
    return next row('the router holds no account', not credits.has_accounts_here(), 'router ' || shard.name,
      case when credits.has_accounts_here() then 'select id from credit_accounts; names them. Move them to the shard '
        'that holds their group.' end)::credits.deployment_check;
    return;
  end if;
  select count(*) into foreign_accounts from public.credit_accounts
  where credits.slot_group(id) <> all (shard.slot_groups);
  return next row('the shard has its own accounts alone', foreign_accounts = 0,
    format('shard %s, slot groups %s, %s accounts of others', shard.name, array_to_string(shard.slot_groups, ', '),
      foreign_accounts),
    case when foreign_accounts > 0 then 'select id, credits.slot_group(id) from credit_accounts; names them. Move them '
      'to the shard that holds their group, or name it in credits.become_shard.' end)::credits.deployment_check;
end;
$$;

comment on function credits.check_shard() is
  'Says which shard this is, and checks that each account''s slot group is one of its own. No rows where it is none. '
  'Of a router: that it has none.';

create or replace function credits.check_installation()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  again constant text := 'As the owner: select public.repair_deployment();';
  release constant text := credits.installed_release();
begin
  return next row('the installed release is on record', release is not null,
    coalesce(release, 'credits.installation is missing or empty'),
    case when release is null then 'Restore credits.installation from a backup: upgrades and the roll back go by it.'
    end)::credits.deployment_check;
  return next credits.check_none('tables, views, functions and types exist',
    (select array_agg(format('%s %s', o.kind, o.identity) order by o.identity) from credits.delivered_objects() as o
     where case o.kind when 'type' then to_regtype(o.identity)::oid
       when 'function' then to_regprocedure(o.identity)::oid
       else to_regclass(o.identity)::oid end is null),
    'These are missing. Restore them from a dump of the schema; or run scripts/rollback.sql, which keeps the data '
    'apart, and apply again.');
  return next credits.check_none('every trigger is there, also on auth.users',
    (select array_agg(format('%s on %s', part_name, table_name)) from credits.part_differences('trigger')), again);
  return next credits.check_none('every policy is there',
    (select array_agg(format('%s on %s', part_name, table_name)) from credits.part_differences('policy')), again);
  return next credits.check_none('no policy lets through more',
    (select array_agg(format('%s on %s', f.part_name, f.table_name)) from credits.deployed_parts() as f
     where f.kind = 'policy' and f.table_name in (select r.oid::regclass::text from credits.deployed_relations() as r)
       and not exists (
         select from credits.delivered_parts() as w
         where w.kind = f.kind and w.table_name = f.table_name and w.part_name = f.part_name
           and regexp_replace(w.definition, '[\s()]| AS \w+', '', 'g')
             = regexp_replace(f.definition, '[\s()]| AS \w+', '', 'g'))
       and not credits.policy_is_of_services(f.table_name::regclass, f.part_name)),
    'These are not delivered, or have another condition: drop policy … on …; then as the owner: select '
    'public.repair_deployment();');
  return next credits.check_none('users see their jobs change',
    case when not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime')
      then array['there is no publication supabase_realtime']
      else nullif(array(select credits.repair_statements('publication')), '{}') end,
    'If there is no such publication: create publication supabase_realtime; then as the owner: select '
    'public.repair_deployment();');
  return next credits.check_none('privileges are the delivered ones',
    (select array_agg(format('%s %s %s%s on %s', grantee, case when too_much then 'has' else 'lacks' end, privilege,
       ' (' || column_name || ')', identity) order by too_much desc, grantee, identity)
       from credits.privilege_differences()), again);
end;
$$;

create function credits.policy_is_of_services(p_table regclass, p_name text)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from pg_catalog.pg_policy as p where p.polrelid = p_table and p.polname = p_name
    and 0 <> all (p.polroles)
    and not exists (select from unnest(p.polroles) as r (id) where not pg_has_role(r.id, 'service_role', 'member')))
$$;

comment on function credits.policy_is_of_services(regclass, text) is
  'Whether a policy is for roles alone that may become service_role, which reads all rows without it.';

create or replace function credits.check_functions()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('every function has one signature',
    (select array_agg(twice.name) from (
      select format('%s.%s', pronamespace::regnamespace, proname) as name from credits.deployed_functions()
      group by pronamespace, proname having count(*) > 1) as twice),
    'An overload can bypass the guards of the other: drop the function that is not delivered.');
  return next credits.check_none('security definer functions have an empty search_path',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where prosecdef and not coalesce(proconfig @> array['search_path="", pg_temp'], false)),
    'alter function … set search_path = '''', pg_temp;');
  -- Except the function that the price book's policy calls, in a schema that anon cannot use.
  return next credits.check_none('no function is executable by PUBLIC or anon',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where oid is distinct from to_regprocedure('credits.is_price_in_force(text, timestamptz)')
       and has_function_privilege('anon', oid, 'execute')),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('users execute only functions that read',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where provolatile = 'v' and has_function_privilege('authenticated', oid, 'execute')
       -- These ask first whether the user is an operator.
       and oid::regprocedure::text !~ format('^(public\.)?operator_(reconcile|%s)\(',
         (select string_agg(action, '|') from credits.operator_rights()))),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('schema credits is closed',
    (select array_agg(r.name) from unnest(array['anon', 'authenticated', 'service_role']) as r (name)
     where has_schema_privilege(r.name, 'credits', 'usage, create')),
    'As the owner: select public.repair_deployment();');
end;
$$;

create or replace function credits.check_tables()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('every table has row level security',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
      where relkind in ('r', 'p') and not relrowsecurity),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('every view runs with its reader''s rights',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
       and not credits.is_operator_view(oid)),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('views of operators show nothing before their gate',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where credits.is_operator_view(oid) and not credits.has_barrier(reloptions)),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('anon reads the price book and nothing else',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where oid is distinct from to_regclass('public.generation_models')
       and oid is distinct from to_regclass('public.generation_model_rates')
       and has_any_column_privilege('anon', oid, 'select')),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('users write no table',
    (select array_agg(distinct oid::regclass::text)
      from credits.deployed_relations(), unnest(array['anon', 'authenticated']) as r (name)
     where has_any_column_privilege(r.name, oid, 'insert, update, references')
       or has_table_privilege(r.name, oid, 'delete, truncate, trigger')),
    'As the owner: select public.repair_deployment();');
end;
$$;

create or replace function public.verify_deployment()
returns table (check_name text, ok boolean, detail text, remedy text)
language plpgsql
security definer
set search_path = '', pg_temp
-- The most that the Data API allows, instead of its 8 seconds.
set statement_timeout = '60s'
as $$
begin
  perform credits.caller_check('verify_deployment');
  return query select * from credits.check_installation();
  return query select * from credits.check_functions();
  return query select * from credits.check_tables();
  return query select * from credits.check_ledger();
  begin
    return query select * from credits.check_shard();
    return query select * from credits.check_storage();
    return query select * from credits.check_broadcast();
    return query select * from credits.check_schedule();
    return query select * from credits.check_books();
    return query select * from credits.check_success_rate();
    return query select * from credits.check_models();
    return query select * from credits.check_defaults();
    return query select * from credits.check_trial();
  exception when others then
    return query select 'every check can run', false, format('%s (%s)', sqlerrm, sqlstate),
      'A failed check above is usually the cause: repair that first.';
  end;
end;
$$;

create or replace function credits.interface()
returns table (roles text, privilege text, kind text, columns text, names text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  -- Everybody reads the prices in force, but not provider_model, the model behind a price. The policy calls
  -- is_price_in_force.
  ('anon authenticated', 'select', 'table', '
    allowed_sizes created_at default_height default_output_tokens default_seconds default_width effective_from enabled
    formats hard_timeout_seconds image_tokens max_height max_input_tokens
    max_n max_output_bytes max_output_tokens max_prompt_length max_seconds max_width min_height min_width name overage
    provider reasons timeout_seconds type voices', '
    generation_models'),
  ('anon authenticated', 'select', 'table', null, '
    generation_model_rates'),
  ('anon authenticated', 'execute', 'function', null, '
    credits.is_price_in_force'),
  -- Users read their own rows: the policies say which.
  ('authenticated', 'select', 'table', null, '
    account_balances account_members credit_accounts credit_debts credit_grants credit_ledger
    credit_ledger_archive credit_plans credit_products'),
  -- Without the provider's ids, but for a subscription's: a team's owners must not learn who among them pays as what.
  ('authenticated', 'select', 'table', '
    account_id amount created_at credits currency disputed key kind livemode paid_at period_end period_start
    product provider quantity refunded reversed_credits state status subscription_id', '
    payments'),
  ('authenticated', 'select', 'table', '
    account_id cancel_at_period_end created_at current_period_end current_period_start livemode plan product
    provider quantity status subscription_id trial_end', '
    payment_subscriptions'),
  -- Without the request's key, hash and id and the provider's id: team members must not learn each other's.
  ('authenticated', 'select', 'table', '
    account_id actual_cost cost created_at deadline_at ended_at erased_at error id input late_settled_at
    member_id model output output_deleted_at price_effective_from provider refunded started_at status', '
    generation_jobs'),
  ('authenticated', 'select', 'table', '
    account_id job_id noted_at usage usage_source', '
    generation_usage'),
  ('authenticated', 'select', 'table', null, '
    generation_uploads'),
  ('authenticated', 'execute', 'function', null, '
    account_expiring_grants account_statement account_statement_json balance_as_of ledger_seq_as_of
    quote_generation quote_text'),
  -- Functions that policies and views call run as their reader. Without usage of schema credits nobody can call them
  -- directly.
  -- Operators: the gate inside decides.
  ('authenticated', 'execute', 'function', null, '
    operator_abilities operator_acknowledge_alert operator_approve operator_book_payment operator_cancel_job
    operator_close_account operator_erase_account operator_fix_discrepancy operator_grant operator_mute_alert
    operator_refund_job operator_reject operator_remove operator_reopen_account operator_retry_event
    operator_reverse_grant operator_set operator_set_overdraft operator_set_plan operator_withdraw
    credits.operator_role'),
  ('authenticated', 'execute', 'function', null, '
    credits.balance_with_due credits.is_product_in_force credits.my_account_ids credits.my_paying_account_ids'),
  -- What operators read: a view that shows nothing to others, a function that refuses them.
  ('authenticated', 'select', 'table', null, '
    operator_account_grants operator_account_members operator_accounts operator_alerts operator_discrepancies
    operator_events operator_jobs operator_log operator_me operator_models operator_payments operator_providers
    operator_reconciliations operator_team operator_waiting'),
  ('authenticated', 'execute', 'function', null, '
    operator_accounts_page operator_jobs_page operator_payments_page operator_people operator_reconcile
    operator_request_trail operator_search operator_timeline'),
  -- Functions that those views call, which run as their reader.
  ('authenticated', 'execute', 'function', null, '
    credits.alert_remedies credits.margins_now credits.operator_fixes credits.operators_now credits.payment_remedy
    credits.runs_now'),
  -- Auditors read the books of all accounts, but no prompt, no output, no error message and no event's payload.
  ('credits_auditor', 'select', 'table', null, '
    account_balances account_erasures account_members account_teams_without_owner credit_alert_rules
    credit_alerts credit_anomalies credit_anomaly_findings credit_anomaly_rules credit_accounts credit_debts
    credit_event_endpoints credit_grants credit_journal credit_ledger credit_ledger_archive credit_plans
    credit_settings credit_transfers credit_transfers_sent credit_transfers_received credit_transfer_totals
    credit_withdrawals reconciliation_classes generation_models
    generation_files generation_margins generation_margins_daily generation_model_costs generation_model_rates
    generation_stats_hourly credit_ledger_anchors credit_ledger_chain_breaks
    credit_ledger_checkpoints credit_liability_daily credit_rate_limit_hits reconciliation_discrepancies
    reconciliation_findings reconciliation_latest reconciliation_runs reconciliation_summary
    credit_request_events credit_request_trail credit_revenue_daily credit_scheduled_tasks credit_task_runs
    credit_unsettled_jobs credit_sign_up_grants credit_products payment_customers payment_deferred_revenue
    payment_discrepancies payment_disputes payment_events payment_revenue_daily payment_subscriptions payments
    credit_operators operator_actions operator_approvals'),
  ('credits_auditor', 'select', 'table', '
    account_id attempts created_at delivered_at id last_error next_attempt_at type', '
    credit_events'),
  ('credits_auditor', 'select', 'table', '
    account_id actual_cost cost created_at deadline_at ended_at erased_at id late_settled_at member_id model
    output_deleted_at price_effective_from provider provider_job_id refunded request_id seal started_at status', '
    generation_jobs'),
  -- Without a key's hash and its name.
  ('credits_auditor', 'select', 'table', '
    account_id created_at expires_at hint id last_used_at member_id models monthly_cap revoked_at spent
    spent_month', '
    credit_app_keys'),
  ('credits_auditor', 'select', 'table', null, '
    generation_uploads generation_usage'),
  -- Without addresses at the provider and its words.
  ('credits_auditor', 'select', 'table', '
    account_id asked_at asks cancel_requested_at expected_by job_id last_answer next_ask_at', '
    generation_provider_jobs'),
  ('credits_auditor', 'execute', 'function', null, '
    account_statement account_statement_json balance_as_of detect_anomalies get_generation_stats
    ledger_seq_as_of'),
  -- Functions that the views call, which run as their reader.
  ('credits_auditor service_role', 'execute', 'function', null, '
    credits.account_chain credits.balance_with_due credits.book_of credits.checkpoint_zero credits.discrepancies_of
    credits.file_counts credits.file_discrepancies credits.failure_code credits.job_asker credits.job_provider_cost
    credits.operator_discrepancies credits.payment_discrepancies
    credits.suspect_chains credits.suspect_ends credits.suspects credits.suspects_now credits.to_bigint'),
  -- The service reads everything, and changes what operators set.
  ('service_role', 'select', 'table', null, '
    account_balances account_erasures account_members account_teams_without_owner credit_alert_rules
    credit_alerts credit_anomalies credit_anomaly_findings credit_anomaly_rules credit_accounts credit_debts
    credit_event_endpoints credit_events credit_grants credit_journal credit_ledger credit_ledger_archive
    credit_plans credit_settings credit_transfers credit_transfers_sent credit_transfers_received
    credit_transfer_totals credit_withdrawals reconciliation_classes generation_jobs
    generation_files generation_margins generation_margins_daily generation_model_costs generation_model_rates
    generation_models
    generation_stats_hourly credit_ledger_anchors
    credit_ledger_chain_breaks credit_ledger_checkpoints credit_liability_daily credit_rate_limit_hits
    reconciliation_discrepancies reconciliation_findings reconciliation_latest reconciliation_runs
    reconciliation_summary credit_request_events credit_request_trail credit_revenue_daily
    credit_scheduled_tasks credit_task_runs credit_unsettled_jobs credit_sign_up_grants credit_products
    payment_customers payment_deferred_revenue payment_discrepancies payment_disputes payment_events
    payment_revenue_daily payment_subscriptions payments generation_usage generation_provider_jobs
    generation_uploads credit_operators operator_actions operator_approvals'),
  -- Not the hash of an app key: nothing outside needs it.
  ('service_role', 'select', 'table', '
    account_id created_at expires_at hint id last_used_at member_id models monthly_cap name revoked_at spent
    spent_month', '
    credit_app_keys'),
  ('service_role', 'insert', 'table', null, '
    credit_plans generation_models generation_model_rates'),
  ('service_role', 'update', 'table', '
    enabled minimum severity threshold', '
    credit_alert_rules'),
  ('service_role', 'update', 'table', '
    enabled threshold', '
    credit_anomaly_rules'),
  ('service_role', 'update', 'table', '
    closed_at credit_limit refill_anchor', '
    credit_accounts'),
  ('service_role', 'update', 'table', null, '
    credit_plans credit_settings generation_models generation_model_rates'),
  ('service_role', 'update', 'table', '
    enabled max_age schedule', '
    credit_scheduled_tasks'),
  ('service_role', 'delete', 'table', null, '
    credit_plans generation_models generation_model_rates credit_sign_up_grants'),
  -- The functions that move credits, and those that run the operation.
  ('service_role', 'execute', 'function', null, '
    abandon_text account_expiring_grants account_models account_statement account_statement_json acknowledge_alert
    announce_expiring_grants
    apply_retention apply_schedule archive_ledger atomic_charge_credits atomic_charge_credits_batch
    balance_as_of book_payment book_subscription cancel_generation charge_by_app_key charge_text
    check_input_object claim_events claim_outputs_to_move claim_provider_asks claim_storage_deletions
    correct_job create_app_key create_team_account create_upload delete_output detect_anomalies erase_account erase_job
    evaluate_alerts
    expire_grants fail_generation find_outputs_to_move find_payment finish_erasures finish_event
    finish_output_move finish_storage_deletions follow_subscriptions function_calls_due
    get_generation_stats grant_credits grant_due_sign_ups import_model_price keep_late_output
    ledger_seq_as_of link_payment_customer
    list_app_keys maintain_request_events mute_alert_rule note_generation_progress note_payment_event
    operational_metrics payment_status prepare_checkout prepare_portal preview_payment preview_subscription
    claim_external_ref has_external_ref person_joins person_leaves provider_answered
    quote_generation quote_text receive_callback reconcile_credit_ledger record_anomalies refill_plans
    refund_credits remove_account_member request_function retry_events retry_payment retry_payments reverse_grant
    revoke_app_key run_task set_account_member set_account_plan set_model_price set_product settle_generation
    settle_text start_generation sweep_overdue_jobs text_terms transfer_credits transfer_credits_batch
    transfer_finish transfer_receive transfer_send transfer_send_batch transfers_in_flight
    verify_deployment verify_ledger verify_operator_actions withdraw_credits'),
  -- A constraint is checked with the rights of the role that writes.
  ('service_role', 'execute', 'function', null, '
    credits.is_time_zone');
$$;

-- Privileges, row level security, policies and triggers, as they are delivered now.
do $$
begin
  perform public.repair_deployment();
end;
$$;

insert into credits.installation (release, file, checksum)
values ('0.10.0', '20261126223007_atomic_credits_0_10_0.sql', '03a7813c4d175182a4e92730251bd5c9a66e77bf8ee8a4e421b923da05c48358');
