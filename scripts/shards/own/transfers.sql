-- Transfers between accounts of two shards, and what ends those that broke off.

create function credits_router.transfer(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text, p_reason text
)
returns public.credit_transfer_result
language plpgsql
as $$
declare
  sender integer := credits_router.account_slot(p_from_account_id);
  recipient integer := credits_router.account_slot(p_to_account_id);
  sent public.credit_transfer_sent;
  received public.credit_transfer_received;
  result public.credit_transfer_result;
begin
  perform credits_router.tell_first(p_from_account_id), credits_router.tell_first(p_to_account_id);
  if p_from_account_id is null or p_to_account_id is null
    or credits_router.shard_of(p_from_account_id) = credits_router.shard_of(p_to_account_id) then
    perform credits_router.reference_claim('transfer', p_external_ref, p_from_account_id);
    return credits_router.transfer_credits(sender, p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
  end if;
  perform credits_router.reference_claim('transfer', p_external_ref, p_from_account_id);
  sent := credits_router.transfer_send(sender, p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
  if sent.arrived_at is null then
    -- From here on it is made: after a failure finish_transfers goes on with it, and so does a repeat of this call.
    received := credits_router.transfer_receive(recipient, p_to_account_id, sent.transfer_id, p_from_account_id,
      p_external_ref, sent.parts, sent.reason);
    perform credits_router.transfer_finish(sender, p_from_account_id, sent.transfer_id, received.refusal);
    if received.refusal is not null then
      -- Says why it has come back.
      perform credits_router.transfer_send(sender, p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
    end if;
    result.to_balance := received.to_balance;
  else
    result.to_balance := (select balance from public.credit_accounts where id = p_to_account_id);
  end if;
  result.from_account_id := p_from_account_id;
  result.to_account_id := p_to_account_id;
  result.amount := p_amount;
  result.from_balance := sent.from_balance;
  result.replayed := sent.replayed;
  return result;
end;
$$;
comment on function credits_router.transfer(uuid, uuid, bigint, text, text) is
  'transfer_credits: on the shard of both accounts, or sent from one shard, received on another and marked as arrived.';

create or replace function public.transfer_credits(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text, p_reason text default null
)
returns public.credit_transfer_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('transfer_credits');
  return credits_router.transfer(p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
  return null;
end;
$$;

create function credits_router.finish_transfers(p_limit integer default 100)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  sent record;
  received public.credit_transfer_received;
  began constant timestamptz := clock_timestamp();
  silent text[] := credits_router.silent_shards();
  target text;
  finished integer := 0;
begin
  -- Of a shard that does not answer nothing is handed out.
  for sent in select * from public.transfers_in_flight(p_limit) loop
    target := credits_router.shard_of(sent.to_account_id);
    continue when target = any (silent);
    exit when credits_router.is_late(began);
    begin
      received := credits_router.transfer_receive(credits_router.account_slot(sent.to_account_id), sent.to_account_id,
        sent.transfer_id, sent.from_account_id, sent.external_ref, sent.parts, sent.reason);
      if credits_router.transfer_finish(credits_router.account_slot(sent.from_account_id), sent.from_account_id,
        sent.transfer_id, received.refusal) then
        finished := finished + 1;
      end if;
    exception when others then
      silent := credits_router.silent_with(silent, target, sqlstate, sqlerrm);
      raise warning 'transfer % waits: % (%)', sent.transfer_id, sqlerrm, sqlstate;
    end;
  end loop;
  return finished;
end;
$$;
comment on function credits_router.finish_transfers(integer) is
  'Goes on with transfers between shards that broke off; returns how many ended. A task of the router, each minute.';

create view credits_router.transfer_discrepancies as
  select coalesce(s.transfer_id, r.transfer_id) as transfer_id, s.account_id as from_account_id,
    r.account_id as to_account_id, s.amount as sent, r.amount as received, s.arrived_at, s.returned_at, r.refusal
  from public.credit_transfers_sent as s
  full join public.credit_transfers_received as r
    on (r.transfer_id, r.account_id, r.from_account_id) = (s.transfer_id, s.to_account_id, s.account_id)
  where s.transfer_id is null or s.amount <> r.amount
    or s.returned_at is not null and r.transfer_id is not null and r.refusal is null
    or s.arrived_at is not null and (r.transfer_id is null or r.refusal is not null);
comment on view credits_router.transfer_discrepancies is
  'Transfers that ended in different ways on their two shards: none, ever. One that is in flight is no discrepancy.';

create function credits_router.batch_slot(p_transfers jsonb)
returns integer
language plpgsql
as $$
declare
  transfers constant credits.transfer_order[] := credits.transfers_read(p_transfers);
begin
  perform credits.transfer_check(t) from unnest(transfers) as t;
  if (select count(distinct credits_router.shard_of(t.from_account_id)) from unnest(transfers) as t) > 1 then
    raise exception using errcode = '0A000', message = 'the senders of a batch live on different shards',
      hint = 'A batch takes all or nothing: make these transfers one by one, with transfer_credits.';
  end if;
  perform credits_router.tell_first(a.id) from (
    select distinct unnest(array[t.from_account_id, t.to_account_id]) as id from unnest(transfers) as t) as a;
  perform credits_router.reference_claim('transfer', t.external_ref, t.from_account_id) from unnest(transfers) as t;
  return credits_router.account_slot(transfers[1].from_account_id);
end;
$$;
comment on function credits_router.batch_slot(jsonb) is
  'A slot of the shard of all senders of a batch, once its external_refs were claimed. Raises 0A000 where they are of '
  'several: what one shard has sent would have to come back when another refuses, and what came back is not sent again '
  'under its external_ref.';

create or replace function public.transfer_send_batch(p_transfers jsonb, p_closed uuid[] default '{}')
returns setof public.credit_transfer_sent
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('transfer_send_batch');
  return query select * from credits_router.transfer_send_batch(
    credits_router.batch_slot(p_transfers), p_transfers, p_closed);
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
end;
$$;

create function credits_router.transfer_batch(p_slot integer, p_transfers jsonb)
returns setof public.credit_transfer_result
language plpgsql
as $$
declare
  home constant text := (select shard from credits_router.groups where number = p_slot & 15);
  closed uuid[];
  balances jsonb;
  sent public.credit_transfer_sent;
  received public.credit_transfer_received;
  came_back boolean := false;
begin
  select array_agg(a.id) filter (where a.closed_at is not null), jsonb_object_agg(a.id, a.balance) into closed, balances
  from public.credit_accounts as a
  where a.id = any (array(select t.to_account_id from unnest(credits.transfers_read(p_transfers)) as t
    where credits_router.shard_of(t.to_account_id) <> home));
  -- From here on it is made: after a failure finish_transfers goes on with it, and so does a repeat of the call.
  for sent in select * from credits_router.transfer_send_batch(p_slot, p_transfers, coalesce(closed, '{}')) loop
    if sent.arrived_at is null then
      received := credits_router.transfer_receive(credits_router.account_slot(sent.to_account_id), sent.to_account_id,
        sent.transfer_id, sent.from_account_id, sent.external_ref, sent.parts, sent.reason);
      perform credits_router.transfer_finish(p_slot, sent.from_account_id, sent.transfer_id, received.refusal);
      came_back := came_back or received.refusal is not null;
      balances := coalesce(balances, '{}') || jsonb_build_object(sent.to_account_id, received.to_balance);
    end if;
    sent.to_balance := coalesce(sent.to_balance, (balances ->> sent.to_account_id::text)::bigint);
    return next row(sent.from_account_id, sent.to_account_id, sent.amount, sent.from_balance, sent.to_balance,
      sent.replayed)::public.credit_transfer_result;
  end loop;
  if came_back then
    -- Says why.
    perform credits_router.transfer_send_batch(p_slot, p_transfers, coalesce(closed, '{}'));
  end if;
end;
$$;
comment on function credits_router.transfer_batch(integer, jsonb) is
  'transfer_credits_batch of senders of one shard, to accounts of several: all is taken there in one transaction, if '
  'the other shards say that no recipient is closed, then received, and marked as arrived.';

create or replace function public.transfer_credits_batch(p_transfers jsonb)
returns setof public.credit_transfer_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  slot integer;
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('transfer_credits_batch');
  slot := credits_router.batch_slot(p_transfers);
  if exists (select from unnest(credits.transfers_read(p_transfers)) as t
    where credits_router.shard_of(t.to_account_id) <> credits_router.shard_of(t.from_account_id)) then
    return query select * from credits_router.transfer_batch(slot, p_transfers);
  else
    return query select * from credits_router.transfer_credits_batch(slot, p_transfers);
  end if;
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
end;
$$;

alter function credits_router.transfer owner to credits_router;
alter function public.transfer_credits owner to credits_router;
alter function credits_router.finish_transfers owner to credits_router;
alter function public.transfer_send_batch owner to credits_router;
alter function public.transfer_credits_batch owner to credits_router;
