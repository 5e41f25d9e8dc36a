-- Gives: an account and a welcome grant for a new user; a closed account when the user is deleted.
-- Keeps: neither sign-up nor deletion is ever blocked by credits; the ledger outlives the user.
-- Needs: granting; table auth.users.

create function credits.user_created()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  welcome bigint;
begin
  perform credits.account_lock(new.id);
  select welcome_credits into strict welcome from public.credit_settings;
  if welcome > 0 then
    perform public.grant_credits(new.id, welcome, 'welcome', p_external_ref => 'welcome:' || new.id);
  end if;
  return new;
exception when others then
  raise warning 'no account for user % yet: % (%); it is created on first use', new.id, sqlerrm, sqlstate;
  return new;
end;
$$;
comment on function credits.user_created() is
  'Opens an account for a new auth user, with the welcome grant of credit_settings. Warns instead of failing.';
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
