-- Gives: transfer_credits between accounts.
-- Keeps: what leaves one account arrives in the other, with its expiry; one p_external_ref, one transfer.
-- Needs: granting, events, burn down, refill.

create table public.credit_transfers (
  external_ref text primary key check (length(external_ref) between 1 and 255),
  from_account_id uuid not null,
  to_account_id uuid not null check (to_account_id <> from_account_id),
  amount bigint not null check (amount > 0),
  reason text check (length(reason) <= 500),
  created_at timestamptz not null default now()
);
comment on table public.credit_transfers is 'Transfers between accounts, by the caller''s external_ref: each counts once.';

alter table public.credit_transfers enable row level security;
revoke all on table public.credit_transfers from public, anon, authenticated, service_role;
grant select on table public.credit_transfers to service_role;

create type public.transfer_verdict as (
  from_account_id uuid,
  to_account_id uuid,
  amount bigint,
  from_balance bigint,
  to_balance bigint,
  replayed boolean
);
comment on type public.transfer_verdict is
  'A transfer and both balances after it, in whole credits. replayed: this external_ref was transferred before, so nothing moved.';

create function credits.transfer_plan(p_from public.credit_accounts, p_to public.credit_accounts, p_amount bigint)
returns credits.burn_plan
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  plan credits.burn_plan;
begin
  if p_from.closed_at is not null or p_to.closed_at is not null then
    perform credits.raise_misuse('PT403', 'an account of this transfer is closed', 'Clear credit_accounts.closed_at to open it again.');
  end if;
  if p_from.debt > 0 then
    perform credits.raise_misuse('PT402', format('the account owes %s credits of a revoked grant', p_from.debt), 'The next credits that come in pay them.');
  end if;
  plan := credits.burn_plan(p_from.id, p_amount);
  if plan.shortfall > 0 then
    perform credits.raise_misuse('PT402', format('%s credits are missing for this transfer', plan.shortfall), 'An overdraft cannot be transferred.');
  end if;
  return plan;
end;
$$;
comment on function credits.transfer_plan(public.credit_accounts, public.credit_accounts, bigint) is
  'Which grants a transfer takes. Raises PT403 when an account is closed, PT402 when credits are missing or the sender is in debt.';
revoke all on function credits.transfer_plan(public.credit_accounts, public.credit_accounts, bigint) from public, anon, authenticated, service_role;

create function credits.transfer_expiry(p_plan text, p_source public.credit_grants)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- What rolls over up to a cap does so in its own account: elsewhere the cap could not reach it.
  if p_source.kind = 'refill' and p_source.expires_at is null
    and exists (select from public.credit_plans where name = p_plan and roll_over = 'capped') then
    return (credits.month_before() + interval '2 months') at time zone 'utc';
  end if;
  return p_source.expires_at;
end;
$$;
comment on function credits.transfer_expiry(text, public.credit_grants) is
  'When credits of a grant expire that are transferred: as they did; monthly credits whose roll-over is capped at the end of the month.';
revoke all on function credits.transfer_expiry(text, public.credit_grants) from public, anon, authenticated, service_role;

create function credits.transfer_book(p_from public.credit_accounts, p_to public.credit_accounts, p_amount bigint, p_reason text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  plan credits.burn_plan := credits.transfer_plan(p_from, p_to, p_amount);
  sender public.credit_accounts := credits.burn(p_from, plan, 'transfer', null, p_reason);
  source public.credit_grants;
  arrival bigint;
begin
  perform credits.balance_announce(p_from.id, p_from.balance, sender.balance);
  for i in 1 .. cardinality(plan.grant_ids) loop
    select * into strict source from public.credit_grants where account_id = p_from.id and id = plan.grant_ids[i];
    insert into public.credit_grants (account_id, kind, amount, priority, expires_at, grace_ends_at, reason)
    values (p_to.id, 'transfer', plan.amounts[i], source.priority, credits.transfer_expiry(p_from.plan, source), source.grace_ends_at, p_reason)
    returning id into arrival;
    p_to := credits.grant_fill(p_to, arrival, plan.amounts[i], 'transfer', null, p_reason,
      jsonb_build_object('from_account_id', p_from.id, 'from_grant_id', source.id));
  end loop;
end;
$$;
comment on function credits.transfer_book(public.credit_accounts, public.credit_accounts, bigint, text) is
  'Books a transfer, a grant at the recipient for each grant that it came from. The caller holds both accounts'' locks.';
revoke all on function credits.transfer_book(public.credit_accounts, public.credit_accounts, bigint, text) from public, anon, authenticated, service_role;

create function public.transfer_credits(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text, p_reason text default null
)
returns public.transfer_verdict
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  first_locked public.credit_accounts;
  second_locked public.credit_accounts;
  verdict public.transfer_verdict;
begin
  if p_amount is null or p_amount < 1 or (p_from_account_id = p_to_account_id) is not false or coalesce(length(p_external_ref), 0) not between 1 and 255 then
    perform credits.raise_misuse('22023', 'a transfer needs two accounts, an amount of at least 1 and an external_ref of 1 to 255 characters',
      'The external_ref makes a repeated transfer count once: use an id of your own.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  -- The lower id first, whichever way the credits go: two transfers never wait for each other.
  first_locked := credits.account_lock(least(p_from_account_id, p_to_account_id));
  second_locked := credits.account_lock(greatest(p_from_account_id, p_to_account_id));

  insert into public.credit_transfers (external_ref, from_account_id, to_account_id, amount, reason)
  values (p_external_ref, p_from_account_id, p_to_account_id, p_amount, p_reason)
  on conflict do nothing;
  verdict.replayed := not found;
  if verdict.replayed then
    perform from public.credit_transfers
    where external_ref = p_external_ref
      and (from_account_id, to_account_id, amount) = (p_from_account_id, p_to_account_id, p_amount);
    if not found then
      perform credits.raise_misuse('PT409', 'this external_ref was transferred before, between other accounts or with another amount',
        'Repeat a transfer only with the same accounts and amount.');
    end if;
  else
    perform credits.transfer_book(
      case when first_locked.id = p_from_account_id then first_locked else second_locked end,
      case when first_locked.id = p_from_account_id then second_locked else first_locked end, p_amount, p_reason);
  end if;
  verdict.from_account_id := p_from_account_id;
  verdict.to_account_id := p_to_account_id;
  verdict.amount := p_amount;
  select balance into strict verdict.from_balance from public.credit_accounts where id = p_from_account_id;
  select balance into strict verdict.to_balance from public.credit_accounts where id = p_to_account_id;
  return verdict;
end;
$$;
comment on function public.transfer_credits(uuid, uuid, bigint, text, text) is
  'Moves whole credits between accounts; they keep their expiry and priority, and whether they had their grace period. Monthly credits '
  'whose roll-over is capped expire at the end of the month. Never out of the overdraft. A repeated call with the '
  'same external_ref moves nothing (replayed). Raises 22023 for a bad argument, PT402 when credits are missing or the sender owes '
  'credits of a revoked grant, PT403 for a closed account, PT409 when the external_ref was another transfer.';
revoke all on function public.transfer_credits(uuid, uuid, bigint, text, text) from public, anon, authenticated, service_role;
grant execute on function public.transfer_credits(uuid, uuid, bigint, text, text) to service_role;
