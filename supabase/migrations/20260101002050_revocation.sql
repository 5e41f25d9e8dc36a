-- Gives: revoke_grant, for a payment that was taken back (a chargeback).
-- Keeps: no balance below its limit; what was spent already is a debt that the next credits pay.
-- Needs: granting, events.

create function credits.grants_made_good(p_account_id uuid, p_grant_id bigint)
returns setof public.credit_grants
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  -- A grace period is given once: nothing makes good what makes good another.
  select * from public.credit_grants where account_id = p_account_id and makes_good = p_grant_id order by id;
end;
$$;
comment on function credits.grants_made_good(uuid, bigint) is
  'The grants in which credits of a grant came back that had expired before its job was refunded.';
revoke all on function credits.grants_made_good(uuid, bigint) from public, anon, authenticated, service_role;

create function public.revoke_grant(p_account_id uuid, p_grant_id bigint, p_reason text)
returns public.grant_verdict
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts := credits.account_lock(p_account_id);
  balance_before bigint := account.balance;
  revoked public.credit_grants;
  made_good public.credit_grants;
  spent bigint;
begin
  perform credits.check_length('reason', p_reason, 0, 500);
  select * into revoked from public.credit_grants where account_id = account.id and id = p_grant_id;
  if not found then
    perform credits.raise_misuse('PT404', 'this account has no such grant', 'The table credit_grants lists an account''s grants.');
  end if;
  if revoked.revoked_at is null then
    update public.credit_grants set revoked_at = clock_timestamp() where account_id = account.id and id = p_grant_id;
    -- What has lapsed, in the grant or where it came back, nobody has spent.
    spent := revoked.amount - revoked.remaining - revoked.lapsed
      - (select coalesce(sum(g.lapsed), 0) from credits.grants_made_good(account.id, p_grant_id) as g);
    update public.credit_accounts set debt = debt + spent where id = account.id returning * into strict account;
    if revoked.remaining > 0 then
      account := credits.grant_lapse(account, p_grant_id, revoked.remaining, 'revocation', p_reason);
    end if;
    for made_good in select * from credits.grants_made_good(account.id, p_grant_id) loop
      account := credits.debt_collect(account, made_good.id);
    end loop;
    perform credits.balance_announce(account.id, balance_before, account.balance);
  end if;
  return row(p_grant_id, account.id, revoked.amount, account.balance, revoked.revoked_at is not null)::public.grant_verdict;
end;
$$;
comment on function public.revoke_grant(uuid, bigint, text) is
  'Takes a grant back: at once what remains of it and what came back of it in another grant, and what was spent as a debt '
  '(credit_accounts.debt) that the next credits pay. '
  'Idempotent: a second call moves nothing (replayed). p_reason: up to 500 characters. '
  'Raises 22023 without an account or for a longer reason, PT404 for an unknown grant.';
revoke all on function public.revoke_grant(uuid, bigint, text) from public, anon, authenticated, service_role;
grant execute on function public.revoke_grant(uuid, bigint, text) to service_role;
