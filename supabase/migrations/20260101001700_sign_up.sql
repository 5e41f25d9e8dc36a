-- Gives: an account and a welcome grant for a new user; a closed account when the user is deleted.
-- Keeps: neither sign-up nor deletion is ever blocked by credits; the ledger outlives the user; one mailbox is welcomed once.
-- Needs: granting, rate limits, request events; table auth.users.

create table public.welcomed_mailboxes (
  mailbox_hash bytea primary key,
  account_id uuid not null
);
create index welcomed_mailboxes_by_account on public.welcomed_mailboxes (account_id);
comment on table public.welcomed_mailboxes is
  'Mailboxes that had a welcome grant, as hashes: a tag, a deletion and a new sign-up bring no second one. Erasing the account removes its row.';
alter table public.welcomed_mailboxes enable row level security;
revoke all on table public.welcomed_mailboxes from public, anon, authenticated, service_role;
grant select, delete on table public.welcomed_mailboxes to service_role;

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

create function credits.welcome_denial(p_account_id uuid, p_email text)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  an_hour integer;
begin
  if p_email is not null then
    insert into public.welcomed_mailboxes (mailbox_hash, account_id)
    values (sha256(convert_to(credits.mailbox(p_email), 'UTF8')), p_account_id) on conflict do nothing;
    if not found then
      return 'welcomed_before';
    end if;
  end if;
  -- All share one count, kept where no account is.
  select welcomes_per_hour into strict an_hour from public.credit_settings;
  if an_hour is null then
    return null;
  end if;
  if (credits.rate_limit_take('00000000-0000-0000-0000-000000000000', an_hour, 3600)).allowed then
    return null;
  end if;
  return 'welcomes_exhausted';
end;
$$;
comment on function credits.welcome_denial(uuid, text) is
  'Why a new user gets no welcome grant: welcomed_before or welcomes_exhausted; null if they do, and then it is counted.';
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
      insert into public.request_events (account_id, status, code) values (new.id, 429, denial);
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
as $$
begin
  update public.credit_accounts
  set user_id = null, closed_at = coalesce(closed_at, clock_timestamp())
  where user_id = old.id;
  if (select erase_on_user_deletion from public.credit_settings) then
    perform public.erase_account(old.id);
  end if;
  delete from public.account_members where user_id = old.id;
  return old;
exception when others then
  raise warning 'the account of deleted user % stays open: % (%)', old.id, sqlerrm, sqlstate;
  return old;
end;
$$;
comment on function credits.user_deleted() is
  'Closes the account of a deleted auth user and unlinks it, takes them out of their teams, and erases the account where '
  'credit_settings says so. Entries, grants and amounts stay. Warns instead of failing.';
revoke all on function credits.user_deleted() from public, anon, authenticated, service_role;

create trigger atomic_credits_user_created after insert on auth.users
  for each row execute function credits.user_created();
create trigger atomic_credits_user_deleted after delete on auth.users
  for each row execute function credits.user_deleted();
