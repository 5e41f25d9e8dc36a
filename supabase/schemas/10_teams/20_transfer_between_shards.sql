-- Gives: what is kept of transfers between accounts of two shards; transfer_send, their first step.
-- Keeps: the sender's shard knows what has been sent. Credits are with the sender, in flight, or with the recipient.
-- Needs: shards, transfer.

create table public.credit_transfers_sent (
  account_id uuid not null,
  transfer_id uuid not null,
  external_ref text not null,
  to_account_id uuid not null,
  amount bigint not null check (amount > 0),
  parts jsonb not null,
  sent_at timestamptz not null default clock_timestamp(),
  attempts integer not null default 0,
  next_attempt_at timestamptz default clock_timestamp() + interval '10 seconds',
  arrived_at timestamptz,
  returned_at timestamptz,
  refusal text check (length(refusal) between 1 and 500),
  primary key (account_id, transfer_id),
  unique (account_id, external_ref),
  constraint transfer_ends_once check (num_nulls(arrived_at, returned_at) >= 1
    and (returned_at is null) = (refusal is null)
    and (next_attempt_at is null) = (num_nulls(arrived_at, returned_at) = 1))
);
-- What is in flight: transfers_in_flight, alerts, metrics.
create index credit_transfers_sent_due on public.credit_transfers_sent (next_attempt_at)
  where next_attempt_at is not null;

comment on table public.credit_transfers_sent is
  'Transfers to accounts of other shards, on the sender''s shard. Without arrived_at and returned_at one is in '
  'flight: its credits are in no account.';
comment on column public.credit_transfers_sent.account_id is 'The sender.';
comment on column public.credit_transfers_sent.transfer_id is
  'Names the transfer on the recipient''s shard. It follows from sender, recipient, amount and external_ref.';
comment on column public.credit_transfers_sent.parts is
  'Per grant that the credits came from: grant_id, amount, and the priority, expires_at and grace_ends_at that the '
  'recipient''s grant gets.';
comment on column public.credit_transfers_sent.attempts is 'How often transfers_in_flight has handed it out.';
comment on column public.credit_transfers_sent.next_attempt_at is
  'When transfers_in_flight hands it out next; null: it has ended.';
comment on column public.credit_transfers_sent.refusal is
  'Why the recipient''s shard did not take it; then the credits have come back.';

create table public.credit_transfers_received (
  account_id uuid not null,
  transfer_id uuid not null,
  external_ref text not null,
  from_account_id uuid not null,
  amount bigint not null check (amount > 0),
  received_at timestamptz not null default clock_timestamp(),
  refusal text check (length(refusal) between 1 and 500),
  primary key (account_id, transfer_id)
);
comment on table public.credit_transfers_received is
  'Transfers from accounts of other shards, on the recipient''s shard: each counts once.';
comment on column public.credit_transfers_received.account_id is 'The recipient.';
comment on column public.credit_transfers_received.refusal is
  'Why it was not taken: nothing was booked, and never will be. The credits go back to the sender.';

alter table public.credit_transfers_sent enable row level security;
alter table public.credit_transfers_received enable row level security;

create type public.credit_transfer_sent as (
  transfer_id uuid,
  from_account_id uuid,
  to_account_id uuid,
  amount bigint,
  external_ref text,
  reason text,
  parts jsonb,
  from_balance bigint,
  arrived_at timestamptz,
  replayed boolean,
  to_balance bigint
);
comment on type public.credit_transfer_sent is
  'A transfer that the sender''s shard has sent: what transfer_receive needs to go on, and the sender''s balance now. '
  'arrived_at null: it is in flight. transfer_id null: it was made when both accounts lived on this database. '
  'replayed: this external_ref was sent before, so nothing moved. to_balance: the recipient''s, where it lives here.';

create type public.credit_transfer_received as (
  transfer_id uuid,
  to_account_id uuid,
  amount bigint,
  to_balance bigint,
  refusal text,
  replayed boolean
);
comment on type public.credit_transfer_received is
  'What the recipient''s shard did with a transfer, and the recipient''s balance now. refusal: why it was not taken; '
  'give it to transfer_finish. replayed: decided before, so nothing moved.';

create function credits.transfer_id(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text
)
returns uuid
language sql
immutable
set search_path = '', pg_temp
as $$
  -- The two 8s mark a UUID of version 8.
  select left(overlay(overlay(encode(sha256(uuid_send(p_from_account_id) || uuid_send(p_to_account_id)
    || int8send(p_amount) || convert_to(p_external_ref, 'UTF8')), 'hex') placing '8' from 13) placing '8' from 17),
    32)::uuid;
$$;
comment on function credits.transfer_id(uuid, uuid, bigint, text) is
  'The id of a transfer between shards. Not random: a sender''s shard that was restored from a backup sends the same '
  'transfer again under the same id, so that it counts once.';

create function credits.transfer_parts(p_sender public.credit_accounts, p_plan credits.burn_plan)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_agg(jsonb_build_object('grant_id', g.id, 'amount', p.amount, 'priority', g.priority,
    'expires_at', credits.transfer_expiry(p_sender, g), 'grace_ends_at', g.grace_ends_at) order by p.place)
  from unnest(p_plan.grant_ids, p_plan.amounts) with ordinality as p (grant_id, amount, place)
  join public.credit_grants as g on g.account_id = p_sender.id and g.id = p.grant_id;
$$;
comment on function credits.transfer_parts(public.credit_accounts, credits.burn_plan) is
  'What a transfer to another shard takes, per grant, with the terms that the recipient''s grant gets.';

create function credits.transfer_return_check(p_from_account_id uuid, p_external_ref text)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  cause text := (select s.refusal from public.credit_transfers_sent as s
    where s.account_id = p_from_account_id and s.external_ref = p_external_ref);
begin
  if cause is not null then
    perform credits.raise_misuse('PT403', 'this transfer came back: ' || cause,
      'Make it under another external_ref once the recipient can take it.');
  end if;
end;
$$;
comment on function credits.transfer_return_check(uuid, text) is
  'Raises PT403 for a transfer to another shard that was refused there, whenever it is repeated.';

create function credits.transfer_dispatch(
  p_sender public.credit_accounts, p_recipient public.credit_accounts, p_transfer credits.transfer_order
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  plan constant credits.burn_plan := credits.transfer_plan(p_sender, p_recipient, p_transfer.amount);
begin
  insert into public.credit_transfers_sent (account_id, transfer_id, external_ref, to_account_id, amount, parts)
  values (p_sender.id, credits.transfer_id(p_sender.id, p_transfer.to_account_id, p_transfer.amount,
      p_transfer.external_ref), p_transfer.external_ref, p_transfer.to_account_id, p_transfer.amount,
    credits.transfer_parts(p_sender, plan));
  perform credits.balance_announce(p_sender.id, p_sender.balance,
    (credits.burn(p_sender, plan, 'transfer', null, p_transfer.reason)).balance);
end;
$$;
comment on function credits.transfer_dispatch(
  public.credit_accounts, public.credit_accounts, credits.transfer_order
) is
  'Takes the credits of a transfer to another shard, and notes them as in flight. p_recipient: what is known of it; '
  'null: nothing. The caller holds the sender''s lock.';

create function credits.transfer_sent(p_external_ref text, p_is_new boolean)
returns public.credit_transfer_sent
language sql
stable
set search_path = '', pg_temp
as $$
  select row(s.transfer_id, t.from_account_id, t.to_account_id, t.amount, t.external_ref, t.reason, s.parts,
    a.balance, case when s.transfer_id is null then t.created_at else s.arrived_at end, not p_is_new, r.balance
    )::public.credit_transfer_sent
  from public.credit_transfers as t join public.credit_accounts as a on a.id = t.from_account_id
  left join public.credit_accounts as r on r.id = t.to_account_id
  left join public.credit_transfers_sent as s
    on s.account_id = t.from_account_id and s.external_ref = t.external_ref
  where t.external_ref = p_external_ref;
$$;
comment on function credits.transfer_sent(text, boolean) is 'What transfer_send answers of a transfer.';

create function public.transfer_send(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text, p_reason text default null
)
returns public.credit_transfer_sent
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  ordered credits.transfer_order := row(p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
  sender public.credit_accounts;
  is_new boolean;
begin
  perform credits.caller_check('transfer_send');
  perform credits.transfer_check(ordered);
  perform credits.own_account_check(p_from_account_id);
  sender := credits.account_lock(p_from_account_id);
  if credits.account_refill_due(sender.id) then
    sender := credits.account_lock(sender.id);
  end if;
  is_new := cardinality(credits.transfers_note(array[ordered])) > 0;
  if is_new then
    perform credits.transfer_dispatch(sender, null, ordered);
  end if;
  perform credits.transfer_return_check(sender.id, p_external_ref);
  return credits.transfer_sent(p_external_ref, is_new);
end;
$$;
comment on function public.transfer_send(uuid, uuid, bigint, text, text) is
  'The first step of a transfer to an account of another shard, on the sender''s shard: takes the credits as '
  'transfer_credits does and notes them as in flight. Go on with transfer_receive on the recipient''s shard, then '
  'transfer_finish here. If that breaks off, transfers_in_flight hands the transfer out again. A repeated call with '
  'the same external_ref takes nothing (replayed). Raises 22023 for a bad argument, PT402 when credits are missing or '
  'the sender owes credits of a revoked grant, PT403 for a closed account and for a transfer that has come back, '
  'PT409 when the external_ref was another transfer, PT421 when the sender lives on another shard.';
