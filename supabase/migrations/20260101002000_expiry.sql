-- Gives: expire_grants, which books what lapsed.
-- Keeps: balance = what remains in the grants (invariant 1), now without the credits that nobody can spend any more.
-- Needs: ledger, grants, granting.

create function credits.grant_expire(p_account_id uuid, p_grant_id bigint)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  left_over bigint;
begin
  select * into account from public.credit_accounts where id = p_account_id for update skip locked;
  if not found then
    return false;
  end if;
  select remaining into strict left_over from public.credit_grants where account_id = p_account_id and id = p_grant_id;
  if left_over = 0 then
    return false;
  end if;
  perform credits.grant_lapse(account, p_grant_id, left_over, 'expiry', 'grant expired');
  return true;
end;
$$;
comment on function credits.grant_expire(uuid, bigint) is
  'Books what is left of one expired grant as lapsed. False when its account is busy (the next run takes it) or nothing is left.';
revoke all on function credits.grant_expire(uuid, bigint) from public, anon, authenticated, service_role;

create function public.expire_grants(p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  lapsed record;
  booked integer := 0;
begin
  -- The longest overdue first; locked in the order of accounts, as everywhere.
  for lapsed in
    select * from (
      select account_id, id from public.credit_grants
      where is_open and expires_at <= now()
      order by expires_at limit least(greatest(p_limit, 0), 100000)
    ) as batch order by account_id, id
  loop
    booked := booked + credits.grant_expire(lapsed.account_id, lapsed.id)::integer;
  end loop;
  return booked;
end;
$$;
comment on function public.expire_grants(integer) is
  'Books up to p_limit expired grants as lapsed (entries of kind expiry); returns how many. Safe beside charges: it never '
  'waits for a busy account. An expired grant is never spent, even before this has run. Meant to run every few minutes.';
revoke all on function public.expire_grants(integer) from public, anon, authenticated, service_role;
grant execute on function public.expire_grants(integer) to service_role;
