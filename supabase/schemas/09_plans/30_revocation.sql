-- Gives: reverse_grant, for a payment that was taken back or restored (a chargeback, a dispute that was won).
-- Keeps: no balance falls below its limit; credits already spent become a debt that the next credits pay; the same
-- target again moves nothing.
-- Needs: debts, events, burn down, refund; when called: due.

create type public.credit_reversal_result as (
  grant_id bigint,
  account_id uuid,
  reversed bigint,
  taken bigint,
  debt bigint,
  balance bigint,
  replayed boolean
);
comment on type public.credit_reversal_result is
  'The result of reverse_grant, in whole credits. reversed: taken back of the grant in all. taken: taken from grants '
  'by this call (< 0: given back). debt and balance: the account''s now. replayed: this target was reached before, so '
  'nothing moved.';

create function credits.grant_taken(p_grant public.credit_grants)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(delta + taken), 0)::bigint from public.credit_debts
    where account_id = p_grant.account_id and grant_id = p_grant.id;
$$;
comment on function credits.grant_taken(public.credit_grants) is
  'Credits that were taken for a grant, or are owed for it. Less than its reversed where credits had expired unspent.';

create function credits.grant_take(
  p_account public.credit_accounts, p_grant public.credit_grants, p_from_grant_id bigint, p_amount bigint,
  p_target bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_amount > 0 then
    p_account := credits.entry_append(p_account.id, -p_amount, 'revocation', p_from_grant_id, null, p_reason,
      jsonb_build_object('reversed_grant_id', p_grant.id));
    p_account := credits.debt_append(p_account, 0, p_grant.id, p_target, p_from_grant_id, p_amount, p_reason);
  end if;
  return p_account;
end;
$$;
comment on function credits.grant_take(public.credit_accounts, public.credit_grants, bigint, bigint, bigint, text) is
  'Takes credits out of one grant (p_from_grant_id) for one that is taken back. Takes and returns the locked account.';

create function credits.grant_take_back(
  p_account public.credit_accounts, p_grant public.credit_grants, p_amount bigint, p_target bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  rest bigint := p_amount;
  part bigint;
  home public.credit_grants;
  plan credits.burn_plan;
  -- Credits that expired unspent, in the grant or where they were refunded to, are not owed. They count once.
  breakage bigint := credits.grant_taken(p_grant) - p_grant.reversed + (
    select coalesce(sum(g.breakage), 0) from public.credit_grants as g
    where g.account_id = p_account.id and (g.id = p_grant.id or g.makes_good = p_grant.id));
begin
  for home in
    select * from public.credit_grants
    where account_id = p_account.id and (id = p_grant.id or makes_good = p_grant.id) order by id
  loop
    part := least(home.remaining, rest);
    p_account := credits.grant_take(p_account, p_grant, home.id, part, p_target, p_reason);
    rest := rest - part;
  end loop;
  rest := rest - least(rest, breakage);
  plan := credits.burn_plan(p_account.id, rest);
  for i in 1 .. cardinality(plan.grant_ids) loop
    p_account := credits.grant_take(p_account, p_grant, plan.grant_ids[i], plan.amounts[i], p_target, p_reason);
  end loop;
  return credits.debt_append(p_account, plan.shortfall, p_grant.id, p_target, null, 0, p_reason);
end;
$$;
comment on function credits.grant_take_back(public.credit_accounts, public.credit_grants, bigint, bigint, text) is
  'Takes more of a grant back: first what remains of it and what was refunded in its place, then the account''s other '
  'credits; the rest becomes a debt. Takes and returns the locked account.';

create function credits.grant_give_back(
  p_account public.credit_accounts, p_grant public.credit_grants, p_amount bigint, p_target bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  rest bigint := least(p_amount, credits.grant_taken(p_grant));
  part bigint := least(rest, coalesce((
    select owed from credits.debts_owed where account_id = p_account.id and grant_id = p_grant.id), 0));
  source record;
  home public.credit_grants;
begin
  p_account := credits.debt_append(p_account, -part, p_grant.id, p_target, null, 0, p_reason);
  rest := rest - part;
  for source in
    select from_grant_id, sum(taken)::bigint as taken from public.credit_debts
    where account_id = p_account.id and grant_id = p_grant.id and from_grant_id is not null
    group by from_grant_id having sum(taken) > 0 order by max(seq) desc
  loop
    exit when rest = 0;
    part := least(source.taken, rest);
    rest := rest - part;
    p_account := credits.debt_append(p_account, 0, p_grant.id, p_target, source.from_grant_id, -part, p_reason);
    select * into strict home from public.credit_grants where account_id = p_account.id and id = source.from_grant_id;
    p_account := credits.refund_return(p_account, 'revocation', null, home, part, p_reason,
      jsonb_build_object('reversed_grant_id', p_grant.id), true);
  end loop;
  return p_account;
end;
$$;
comment on function credits.grant_give_back(public.credit_accounts, public.credit_grants, bigint, bigint, text) is
  'Gives back what was taken for a grant: forgives its debt first, then returns credits to the grants that they were '
  'taken from, the last first, with a grace period where one has expired. Takes and returns the locked account.';

create function public.reverse_grant(
  p_account_id uuid, p_grant_id bigint, p_target bigint default null, p_reason text default null
)
returns public.credit_reversal_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  before public.credit_accounts;
  target bigint;
  taken_back public.credit_grants;
  result public.credit_reversal_result;
begin
  perform credits.caller_check('reverse_grant');
  account := credits.account_lock(p_account_id);
  -- Expired credits that are not booked yet are booked first: taken back and given back, they could be spent again.
  if credits.account_expire(account.id) then
    account := credits.account_lock(account.id);
  end if;
  before := account;
  perform credits.check_length('reason', p_reason, 0, 500);
  select * into taken_back from public.credit_grants where account_id = account.id and id = p_grant_id;
  if not found then
    perform credits.raise_misuse('PT404', 'this account has no such grant',
      'The table credit_grants lists an account''s grants.');
  end if;
  target := coalesce(p_target, taken_back.amount);
  if target not between 0 and taken_back.amount then
    perform credits.raise_misuse('22023', format('target must be 0 to the grant''s %s credits', taken_back.amount),
      'Pass the credits to take back in all, not in this call; leave it out for the whole grant.');
  end if;
  update public.credit_grants set reversed = target
    where account_id = account.id and id = p_grant_id and reversed <> target;
  if target > taken_back.reversed then
    account := credits.grant_take_back(account, taken_back, target - taken_back.reversed, target, p_reason);
  elsif target < taken_back.reversed then
    account := credits.grant_give_back(account, taken_back, taken_back.reversed - target, target, p_reason);
  end if;
  perform credits.balance_announce(account.id, before.balance, account.balance);
  result.grant_id := p_grant_id;
  result.account_id := account.id;
  result.reversed := target;
  result.taken := (
    select coalesce(sum(d.taken), 0) from public.credit_debts as d
    where d.account_id = account.id and d.seq > before.debt_seq and d.grant_id = p_grant_id and d.target is not null);
  result.debt := account.debt;
  result.balance := account.balance;
  result.replayed := target = taken_back.reversed;
  return result;
end;
$$;
comment on function public.reverse_grant(uuid, bigint, bigint, text) is
  'Takes a grant back, up to p_target credits in all (null: all of it): first what remains of it and what was refunded '
  'in its grace period, then the account''s other credits. The rest becomes a debt (credit_accounts.debt) that the '
  'next credits pay; until then charges are denied. Credits that had expired are not owed. A smaller target than '
  'before gives back: it cancels the debt first, then returns credits to the grants that they were taken from. '
  'Idempotent: the same target again moves nothing (replayed). p_reason: up to 500 characters. Raises 22023 without an '
  'account, for a target beyond the grant or a longer reason, PT404 for an unknown grant.';
