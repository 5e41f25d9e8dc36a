-- Gives: transfer_credits between accounts, and transfer_credits_batch for several at once.
-- Keeps: credits that leave one account arrive in the other, with their expiry; one transfer per p_external_ref.
-- Needs: shards, granting, events, burn down, refill periods, due; when called: transfer between shards.

create table public.credit_transfers (
  external_ref text primary key check (length(external_ref) between 1 and 255),
  from_account_id uuid not null,
  to_account_id uuid not null check (to_account_id <> from_account_id),
  amount bigint not null check (amount > 0),
  reason text check (length(reason) <= 500),
  created_at timestamptz not null default now()
);
comment on table public.credit_transfers is
  'Transfers between accounts, by the caller''s external_ref: each counts once.';

alter table public.credit_transfers enable row level security;

create type public.credit_transfer_result as (
  from_account_id uuid,
  to_account_id uuid,
  amount bigint,
  from_balance bigint,
  to_balance bigint,
  replayed boolean
);
comment on type public.credit_transfer_result is
  'A transfer and both balances after it, in whole credits. replayed: this external_ref was transferred before, so '
  'nothing moved.';

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
    perform credits.raise_misuse('PT403', 'an account of this transfer is closed',
      'Clear credit_accounts.closed_at to open it again.');
  end if;
  if p_from.debt > 0 then
    perform credits.raise_misuse('PT402', format('the account owes %s credits of a revoked grant', p_from.debt),
      'The next credits that come in pay them.');
  end if;
  plan := credits.burn_plan(p_from.id, p_amount);
  if plan.shortfall > 0 then
    perform credits.raise_misuse('PT402', format('%s credits are missing for this transfer', plan.shortfall),
      'An overdraft cannot be transferred.');
  end if;
  return plan;
end;
$$;
comment on function credits.transfer_plan(public.credit_accounts, public.credit_accounts, bigint) is
  'Which grants a transfer takes. p_to null: the recipient lives on another shard. Raises PT403 when an account is '
  'closed, PT402 when credits are missing or the sender is in debt.';

create function credits.transfer_expiry(p_account public.credit_accounts, p_source public.credit_grants)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  plan public.credit_plans;
begin
  if p_source.kind = 'refill' and p_source.expires_at is null then
    select * into strict plan from public.credit_plans where name = p_account.plan;
    -- Credits under a roll-over cap roll over only in their own account: elsewhere the cap could not reach them. The
    -- same goes for credits that a cap let stay.
    if plan.roll_over = 'capped' or p_source.makes_good is not null then
      return credits.refill_ends(plan, p_account, credits.refill_month(plan, p_account, clock_timestamp()));
    end if;
  end if;
  return p_source.expires_at;
end;
$$;
comment on function credits.transfer_expiry(public.credit_accounts, public.credit_grants) is
  'When transferred credits expire: as before; monthly credits under a roll-over cap, also of a plan that the account '
  'has left, at the end of the month.';

create function credits.transfer_book(
  p_from public.credit_accounts, p_to public.credit_accounts, p_amount bigint, p_reason text, p_external_ref text
)
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
    values (p_to.id, 'transfer', plan.amounts[i], source.priority, credits.transfer_expiry(p_from, source),
      source.grace_ends_at, p_reason)
    returning id into arrival;
    p_to := credits.grant_fill(p_to, arrival, plan.amounts[i], 'transfer', null, p_reason,
      jsonb_build_object('from_account_id', p_from.id, 'from_grant_id', source.id, 'external_ref', p_external_ref));
  end loop;
end;
$$;
comment on function credits.transfer_book(public.credit_accounts, public.credit_accounts, bigint, text, text) is
  'Books a transfer: the recipient gets one grant per grant that the credits came from. Their entries name its '
  'external_ref. The caller holds both accounts'' locks.';

create type credits.transfer_order as (
  from_account_id uuid, to_account_id uuid, amount bigint, external_ref text, reason text
);
comment on type credits.transfer_order is 'A requested transfer.';

create function credits.transfer_check(p_transfer credits.transfer_order)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_transfer.amount is null or p_transfer.amount < 1
    or (p_transfer.from_account_id = p_transfer.to_account_id) is not false
    or coalesce(length(p_transfer.external_ref), 0) not between 1 and 255 then
    perform credits.raise_misuse('22023',
      'a transfer needs two accounts, an amount of at least 1 and an external_ref of 1 to 255 characters',
      'The external_ref makes a repeated transfer count once: use an id of your own.');
  end if;
  perform credits.check_length('reason', p_transfer.reason, 0, 500);
end;
$$;
comment on function credits.transfer_check(credits.transfer_order) is 'Raises 22023 for an invalid transfer.';

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

create function credits.transfers_note(p_transfers credits.transfer_order[])
returns text[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  new_refs text[];
begin
  -- In the order of their references: the insert waits, as for a lock, for a transaction that uses the same reference.
  with noted as (
    insert into public.credit_transfers (external_ref, from_account_id, to_account_id, amount, reason)
    select t.external_ref, t.from_account_id, t.to_account_id, t.amount, t.reason
    from unnest(p_transfers) with ordinality as t order by t.external_ref, t.ordinality
    on conflict do nothing
    returning external_ref
  )
  select array_agg(external_ref) into new_refs from noted;
  if exists (
    select from unnest(p_transfers) as t join public.credit_transfers as c on c.external_ref = t.external_ref
    where (c.from_account_id, c.to_account_id, c.amount) <> (t.from_account_id, t.to_account_id, t.amount)
  ) then
    perform credits.raise_misuse('PT409',
      'this external_ref was transferred before, between other accounts or with another amount',
      'Repeat a transfer only with the same accounts and amount.');
  end if;
  return coalesce(new_refs, '{}');
end;
$$;
comment on function credits.transfers_note(credits.transfer_order[]) is
  'Records transfers by their external_ref and returns the new references. Raises PT409 if a reference belongs to '
  'another transfer.';

create function credits.transfers_make(p_transfers credits.transfer_order[])
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
comment on function credits.transfers_make(credits.transfer_order[]) is
  'Makes transfers in their order, with all their accounts locked. Shared by transfer_credits and its batch.';

create function public.transfer_credits(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text, p_reason text default null
)
returns public.credit_transfer_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  result public.credit_transfer_result;
begin
  perform credits.caller_check('transfer_credits');
  select * into strict result from credits.transfers_make(
    array[row(p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason)::credits.transfer_order]);
  return result;
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

create function credits.transfers_read(p_transfers jsonb)
returns credits.transfer_order[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  transfers credits.transfer_order[];
begin
  if jsonb_typeof(p_transfers) is distinct from 'array' or jsonb_array_length(p_transfers) not between 1 and 1000 then
    perform credits.raise_misuse('22023', 'a batch is a JSON array of 1 to 1000 transfers',
      'Each is {"from_account_id", "to_account_id", "amount", "external_ref"} and, if wanted, "reason".');
  end if;
  begin
    transfers := array(
      select row(t.from_account_id, t.to_account_id, t.amount, t.external_ref, t.reason)::credits.transfer_order
      from jsonb_array_elements(p_transfers) with ordinality as r (value, place),
        jsonb_populate_record(null::credits.transfer_order, r.value) as t
      order by r.place);
  exception when data_exception then
    perform credits.raise_misuse('22023',
      'a transfer of this batch is not an object of two UUIDs, a whole amount, an external_ref and a reason', sqlerrm);
  end;
  return transfers;
end;
$$;
comment on function credits.transfers_read(jsonb) is
  'The transfers of a batch in their order. Raises 22023 for an invalid batch.';

create function public.transfer_credits_batch(p_transfers jsonb)
returns setof public.credit_transfer_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('transfer_credits_batch');
  return query select * from credits.transfers_make(credits.transfers_read(p_transfers));
end;
$$;
comment on function public.transfer_credits_batch(jsonb) is
  'Makes up to 1000 transfers in one call, all or nothing, in their order, each as transfer_credits would; returns one '
  'result per transfer. p_transfers: [{"from_account_id", "to_account_id", "amount", "external_ref", "reason"}]. It '
  'locks every account before it moves a credit, the lower id first, so that it never deadlocks with another batch or '
  'transfer: call it once in a transaction. Raises 22023 for a batch that is not an array of 1 to 1000 transfers, and '
  'otherwise what transfer_credits raises.';
