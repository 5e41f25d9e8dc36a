-- Gives: withdraw_credits, which takes credits that an account still has.
-- Keeps: it takes only what is there, and leaves no debt; one external_ref, one withdrawal.
-- Needs: events, burn down; when called: due.

create table public.credit_withdrawals (
  external_ref text primary key check (length(external_ref) between 1 and 255),
  account_id uuid not null,
  amount bigint check (amount > 0),
  grant_id bigint,
  withdrawn bigint not null check (withdrawn > 0),
  created_at timestamptz not null default now(),
  constraint withdrawal_is_sound check (withdrawn <= amount)
);
comment on table public.credit_withdrawals is
  'Withdrawals by the caller''s external_ref: each counts once. The entries say out of which grants.';
comment on column public.credit_withdrawals.amount is
  'The most credits that were asked for; null: all that was left of the grant.';
comment on column public.credit_withdrawals.grant_id is
  'The grant to take them from; null: the grants that are spent first.';
comment on column public.credit_withdrawals.withdrawn is 'Credits that were taken.';

alter table public.credit_withdrawals enable row level security;

create type public.credit_withdrawal_result as (
  account_id uuid,
  withdrawn bigint,
  balance bigint,
  replayed boolean
);
comment on type public.credit_withdrawal_result is
  'What withdraw_credits took, and the balance after it, in whole credits. replayed: this external_ref was withdrawn '
  'before, so nothing moved.';

create function credits.withdrawal_plan(p_account_id uuid, p_amount bigint, p_grant_id bigint)
returns credits.burn_plan
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  held bigint;
begin
  if p_grant_id is null then
    return credits.burn_plan(p_account_id, p_amount);
  end if;
  -- The expiry of a grant may not be booked yet: nothing is left of it all the same.
  select case when expires_at <= clock_timestamp() then 0 else remaining end into held
  from public.credit_grants where account_id = p_account_id and id = p_grant_id;
  if not found then
    perform credits.raise_misuse('PT404', 'this account has no such grant',
      'The table credit_grants lists an account''s grants.');
  end if;
  return row(array[p_grant_id], array[least(held, coalesce(p_amount, held))], 0)::credits.burn_plan;
end;
$$;
comment on function credits.withdrawal_plan(uuid, bigint, bigint) is
  'Which grants a withdrawal takes from: one, or those that are spent first. Raises PT404 for an unknown grant.';

create function credits.withdrawal_replay(
  p_account public.credit_accounts, p_amount bigint, p_grant_id bigint, p_external_ref text
)
returns public.credit_withdrawal_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  earlier public.credit_withdrawals;
begin
  select * into earlier from public.credit_withdrawals where external_ref = p_external_ref;
  if not found then
    return null;
  end if;
  if (earlier.account_id, earlier.amount, earlier.grant_id) is distinct from (p_account.id, p_amount, p_grant_id) then
    perform credits.raise_misuse('PT409',
      'this external_ref was withdrawn before, from another account or grant or with another amount',
      'An external_ref stands for one event: use the event''s own id, and repeat it only with the same account, '
      'amount and grant.');
  end if;
  return row(earlier.account_id, earlier.withdrawn, p_account.balance, true)::public.credit_withdrawal_result;
end;
$$;
comment on function credits.withdrawal_replay(public.credit_accounts, bigint, bigint, text) is
  'The withdrawal that an external_ref already stands for, or null. Raises PT409 when it was another one.';

create function public.withdraw_credits(
  p_account_id uuid, p_amount bigint default null, p_grant_id bigint default null, p_reason text default null,
  p_external_ref text default null
)
returns public.credit_withdrawal_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  before bigint;
  plan credits.burn_plan;
  result public.credit_withdrawal_result;
begin
  perform credits.caller_check('withdraw_credits');
  if p_amount < 1 or (p_amount is null and p_grant_id is null) then
    perform credits.raise_misuse('22023', 'a withdrawal needs an amount of at least 1 credit, or a grant',
      'With both it takes at most that amount of the grant.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  perform credits.check_length('external_ref', p_external_ref, 1, 255);
  account := credits.account_lock(p_account_id);
  result := credits.withdrawal_replay(account, p_amount, p_grant_id, p_external_ref);
  if result.replayed then
    return result;
  end if;
  if credits.account_refill_due(account.id) then
    account := credits.account_lock(account.id);
  end if;
  before := account.balance;
  plan := credits.withdrawal_plan(account.id, p_amount, p_grant_id);
  insert into public.credit_withdrawals (external_ref, account_id, amount, grant_id, withdrawn)
  select p_external_ref, account.id, p_amount, p_grant_id, sum(a.amount) from unnest(plan.amounts) as a (amount)
  where p_external_ref is not null having sum(a.amount) > 0
  on conflict do nothing;
  if not found then
    -- Another account's withdrawal with this external_ref was under way, and has come first.
    perform credits.withdrawal_replay(account, p_amount, p_grant_id, p_external_ref);
  end if;
  for i in 1 .. cardinality(plan.grant_ids) loop
    continue when plan.amounts[i] = 0;
    account := credits.entry_append(account.id, -plan.amounts[i], 'adjustment', plan.grant_ids[i], null, p_reason,
      case when p_external_ref is not null then jsonb_build_object('withdrawal_ref', p_external_ref) end);
  end loop;
  perform credits.balance_announce(account.id, before, account.balance);
  return row(account.id, before - account.balance, account.balance, false)::public.credit_withdrawal_result;
end;
$$;
comment on function public.withdraw_credits(uuid, bigint, bigint, text, text) is
  'Takes credits out of an account: up to p_amount of those that would be spent first, also of monthly credits that '
  'are due; or what remains of one grant (p_grant_id), at most p_amount of it; nothing that has expired. Never causes '
  'an overdraft or a debt; for a payment that was taken back call reverse_grant. Entries of '
  'kind adjustment. With an external_ref a repeated call moves nothing once something was taken (replayed). Raises '
  '22023 for a bad argument, PT404 for an unknown grant, PT409 when the external_ref was another withdrawal.';
