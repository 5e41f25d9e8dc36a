-- Gives: an account and a welcome grant for a new user; a closed account when the user is deleted.
-- Keeps: neither sign-up nor deletion is ever blocked by credits; the ledger outlives the user; one mailbox is welcomed once.
-- Needs: request events, granting; when called: erasure; table auth.users.

create table public.welcomes (
  account_id uuid primary key,
  mailbox_hash bytea unique,
  created_at timestamptz not null default now()
);
create index welcomes_by_time on public.welcomes (created_at);
comment on table public.welcomes is 'Who had a welcome grant: one a mailbox, also beyond the deletion of its user and the erasure of their account.';
comment on column public.welcomes.mailbox_hash is
  'HMAC-SHA256 of the mailbox under a secret that only the owner reads, so that nobody finds an address by trying; null where there was none.';
alter table public.welcomes enable row level security;
revoke all on table public.welcomes from public, anon, authenticated, service_role;
grant select, delete on table public.welcomes to service_role;

create function credits.mailbox(p_email text)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Every large provider delivers name+tag@ to name@; Gmail ignores dots as well.
  select case when e.domain in ('gmail.com', 'googlemail.com') then replace(e.name, '.', '') || '@gmail.com' else e.name || '@' || e.domain end
  from (
    select regexp_replace(split_part(lower(p_email), '@', 1), '\+.*$', '') as name, split_part(lower(p_email), '@', 2) as domain
  ) as e;
$$;
comment on function credits.mailbox(text) is 'The mailbox behind an address: in lower case, without a tag. null without an address.';
revoke all on function credits.mailbox(text) from public, anon, authenticated, service_role;

create table credits.secrets (
  name text primary key,
  secret bytea not null check (octet_length(secret) = 32)
);
comment on table credits.secrets is
  'Secrets of this installation, made when it was installed. No role but the owner reads them; a new one would forget every mailbox.';
alter table credits.secrets enable row level security;
revoke all on table credits.secrets from public, anon, authenticated, service_role;
-- Two random UUIDs: 244 bits that nobody can guess, without pgcrypto.
insert into credits.secrets values ('mailbox', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create function credits.mailbox_hash(p_email text)
returns bytea
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.hmac_sha256(s.secret, convert_to(credits.mailbox(p_email), 'UTF8')) from credits.secrets as s where s.name = 'mailbox';
$$;
comment on function credits.mailbox_hash(text) is 'What is kept of a mailbox: enough to know it again, too little to find it out. null without an address.';
revoke all on function credits.mailbox_hash(text) from public, anon, authenticated, service_role;

create function credits.welcome_denial(p_account_id uuid, p_email text)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  an_hour integer;
begin
  select welcomes_per_hour into strict an_hour from public.credit_settings;
  -- Counted without a lock: Auth may send its mail before it commits, and no sign-up is to wait for another's. So those
  -- that are under way at the same moment may exceed the limit.
  if (select count(*) from (
    select from public.welcomes where created_at > now() - interval '1 hour' limit an_hour) as recent) >= an_hour then
    return 'welcomes_exhausted';
  end if;
  insert into public.welcomes (account_id, mailbox_hash)
  values (p_account_id, credits.mailbox_hash(p_email)) on conflict do nothing;
  return case when not found then 'welcomed_before' end;
end;
$$;
comment on function credits.welcome_denial(uuid, text) is
  'Why a new user gets no welcome grant: welcomes_exhausted or welcomed_before; null if they do, and then it is counted.';
revoke all on function credits.welcome_denial(uuid, text) from public, anon, authenticated, service_role;

create function credits.user_created()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  welcome bigint;
  denial text;
begin
  perform credits.account_lock(new.id);
  select welcome_credits into strict welcome from public.credit_settings;
  if welcome > 0 then
    denial := credits.welcome_denial(new.id, new.email);
    if denial is null then
      perform public.grant_credits(new.id, welcome, 'welcome', p_external_ref => 'welcome:' || new.id);
    else
      insert into public.request_events (account_id, status, code) values (new.id, 403, denial);
    end if;
  end if;
  return new;
exception when others then
  raise warning 'no account for user % yet: % (%); it is created on first use', new.id, sqlerrm, sqlstate;
  return new;
end;
$$;
comment on function credits.user_created() is
  'Opens an account for a new auth user, with the welcome grant of credit_settings: one a mailbox, and so many an hour. Who gets '
  'none leaves a row in request_events (welcomed_before, welcomes_exhausted). Warns instead of failing.';
revoke all on function credits.user_created() from public, anon, authenticated, service_role;

create function credits.user_deleted()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
-- Longer than whatever moves credits takes: who keeps an account longer keeps no user from being deleted.
set lock_timeout = '2s'
as $$
declare
  person_ids uuid[] := array(select id from gone order by id);
  person uuid;
begin
  -- Noted before anything is waited for, and by itself: what fails below is done by finish_erasures.
  begin
    insert into public.account_erasures as e (account_id, erases)
    select p.id, s.erase_on_user_deletion from unnest(person_ids) as p (id), public.credit_settings as s
    on conflict (account_id) do update set erases = e.erases or excluded.erases, finished_at = null;
  exception when others then
    raise warning 'the deletion of users is not noted: % (%)', sqlerrm, sqlstate;
  end;
  begin
    perform credits.accounts_lock(person_ids || array(
      select credits.person_accounts(person_ids, erase_on_user_deletion) from public.credit_settings));
  exception when lock_not_available or deadlock_detected then
    raise notice 'some accounts of deleted users are busy, and are closed by finish_erasures: %', sqlerrm;
  when others then
    raise warning 'accounts of deleted users are closed by finish_erasures: % (%)', sqlerrm, sqlstate;
    return null;
  end;
  foreach person in array person_ids loop
    perform credits.person_leave(person);
  end loop;
  return null;
end;
$$;
comment on function credits.user_deleted() is
  'Closes the accounts of deleted auth users and unlinks them, also of those who had none yet, takes them out of their teams, and '
  'erases them where credit_settings says so: at once, or by finish_erasures where an account is busy for more than two seconds or '
  'something fails. Entries, grants and amounts stay. Warns instead of failing.';
revoke all on function credits.user_deleted() from public, anon, authenticated, service_role;

create trigger atomic_credits_user_created after insert on auth.users
  for each row execute function credits.user_created();
-- By statement: users that are deleted together have their accounts locked in order too.
create trigger atomic_credits_user_deleted after delete on auth.users
  referencing old table as gone for each statement execute function credits.user_deleted();
