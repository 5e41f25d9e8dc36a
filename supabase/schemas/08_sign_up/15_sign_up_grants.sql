-- Gives: the sign-up grant of a user with a confirmed address; the list of who had one; grant_due_sign_ups for users
--   who wait.
-- Keeps: an address, or an identity at a provider, gets one sign-up grant, also after a deletion or an erasure; not
--   many more per hour than the limit; no sign-up waits.
-- Needs: request events, granting, persons, handovers; table auth.users.

create table public.credit_sign_up_grants (
  account_id uuid primary key,
  created_at timestamptz not null default now()
);
-- The sign-up grants of the last hour: credits.sign_up_grants_left.
create index credit_sign_up_grants_by_time on public.credit_sign_up_grants (created_at);
comment on table public.credit_sign_up_grants is
  'Accounts that had a sign-up grant. A row stays after the deletion of its user and the erasure of the account.';
alter table public.credit_sign_up_grants enable row level security;

create table credits.sign_up_addresses (
  address_hash bytea primary key,
  account_id uuid not null references public.credit_sign_up_grants (account_id) on delete cascade
);
-- The addresses of an account that is erased.
create index sign_up_addresses_by_account on credits.sign_up_addresses (account_id);
comment on table credits.sign_up_addresses is
  'Every address (mailbox or phone number) that a user with a sign-up grant has confirmed, and every identity at a '
  'provider that they have had, at the time of the grant or since. None of them gets the sign-up grant again.';
comment on column credits.sign_up_addresses.address_hash is
  'HMAC-SHA256 of the address or identity under a secret that only the owner reads, so that nobody finds it by trying.';
alter table credits.sign_up_addresses enable row level security;

create table credits.sign_ups_due (
  account_id uuid primary key,
  requested_at timestamptz not null default clock_timestamp()
);
-- Who has waited longest: grant_due_sign_ups.
create index sign_ups_due_by_time on credits.sign_ups_due (requested_at);
comment on table credits.sign_ups_due is
  'Users who wait for their sign-up grant: the hour''s limit was reached, Auth has not written their identity yet, or '
  'something failed. grant_due_sign_ups serves them.';
alter table credits.sign_ups_due enable row level security;

create function credits.may_have_sign_up_grant(p_person jsonb)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.is_confirmed(p_person) or credits.has_no_address(p_person);
$$;
comment on function credits.may_have_sign_up_grant(jsonb) is
  'Whether a row of auth.users is a user who is not anonymous and whose address is confirmed, or of whom Auth asks '
  'none.';

create function credits.sign_up_grants_left()
returns integer
language sql
stable
set search_path = '', pg_temp
as $$
  -- Counted without a lock: Auth may send its mail before it commits, and no sign-up must wait for another. So
  -- concurrent sign-ups may exceed the limit.
  select case when s.sign_up_grants_per_hour is not null then greatest(s.sign_up_grants_per_hour - (
    select count(*) from (
      select from public.credit_sign_up_grants where created_at > now() - interval '1 hour'
      limit s.sign_up_grants_per_hour
    ) as recent), 0) end::integer
  from public.credit_settings as s;
$$;
comment on function credits.sign_up_grants_left() is
  'How many sign-up grants are left of this hour''s limit; null: no limit.';

create function credits.had_sign_up_grant(p_account_id uuid)
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
comment on function credits.had_sign_up_grant(uuid) is 'Whether an account has had its sign-up grant.';

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

create function credits.sign_up_give(p_account_id uuid, p_hashes bytea[], p_credits bigint)
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
comment on function credits.sign_up_give(uuid, bytea[], bigint) is
  'Gives the sign-up grant and stores the hashes of addresses and identities. If one of them had the grant before, '
  'returns sign_up_granted_before instead and leaves a row in credit_request_events.';

create function credits.person_sign_up(p_person jsonb)
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
comment on function credits.person_sign_up(jsonb) is
  'Gives a user (a row of auth.users) the sign-up grant if they have not had it, or lets them wait: if the hour has '
  'no grant left, or Auth has still to write their identity.';

create function credits.addresses_note(p_person jsonb)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into credits.sign_up_addresses (address_hash, account_id)
  select a.hash, w.account_id from public.credit_sign_up_grants as w
  cross join unnest(credits.person_hashes(p_person)) as a (hash)
  where w.account_id = (p_person ->> 'id')::uuid
  order by a.hash
  on conflict do nothing;
$$;
comment on function credits.addresses_note(jsonb) is
  'Stores what a user with a sign-up grant has confirmed or linked since: none of it gets the sign-up grant again.';

create function credits.sign_up_later(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into credits.sign_ups_due (account_id) values (p_account_id) on conflict do nothing;
exception when others then
  raise warning 'user % has no sign-up grant: % (%)', p_account_id, sqlerrm, sqlstate;
end;
$$;
comment on function credits.sign_up_later(uuid) is
  'Puts a user whose sign-up grant failed on the list of grant_due_sign_ups. Warns instead of failing.';

create function credits.sign_up_finish(p_account_id uuid, p_credits bigint)
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
comment on function credits.sign_up_finish(uuid, bigint) is
  'Gives a waiting user the sign-up grant, if they are still there and confirmed; returns whether they got it. A user '
  'who does not get it waits no longer.';

create function public.grant_due_sign_ups(p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- For other locks that it may wait for, such as that of a sign-up with the same address.
set lock_timeout = '2s'
as $$
declare
  sign_up_credits bigint := (select s.sign_up_credits from public.credit_settings as s);
  due uuid;
  granted integer := 0;
begin
  perform credits.caller_check('grant_due_sign_ups');
  if sign_up_credits = 0 then
    return 0;
  end if;
  for due in
    select account_id from credits.sign_ups_due
    order by requested_at limit least(greatest(p_limit, 0), 10000, credits.sign_up_grants_left())
    for update skip locked
  loop
    begin
      granted := granted + credits.sign_up_finish(due, sign_up_credits)::integer;
    exception when others then
      raise warning 'user % has no sign-up grant yet: %', due, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return granted;
end;
$$;
comment on function public.grant_due_sign_ups(integer) is
  'Gives up to p_limit waiting users their sign-up grant, in the order in which they came and as many as '
  'credit_settings.sign_up_grants_per_hour has left; returns how many. Never waits for a busy account. Meant to run '
  'every minute.';
