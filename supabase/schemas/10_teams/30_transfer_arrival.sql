-- Gives: the further steps of a transfer between shards, transfer_receive and transfer_finish; transfers_in_flight,
--   which hands out those that have not ended.
-- Keeps: each step counts once, however often it is called and wherever it broke off: a transfer arrives or comes back.
-- Needs: refund, transfer between shards.

create function credits.transfer_arrival(
  p_account public.credit_accounts, p_from_account_id uuid, p_external_ref text, p_parts jsonb, p_reason text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
  arrival bigint;
begin
  for part in
    select p.* from jsonb_to_recordset(p_parts) as p (
      grant_id bigint, amount bigint, priority smallint, expires_at timestamptz, grace_ends_at timestamptz)
  loop
    insert into public.credit_grants (account_id, kind, amount, priority, expires_at, grace_ends_at, reason)
    values (p_account.id, 'transfer', part.amount, part.priority, part.expires_at, part.grace_ends_at, p_reason)
    returning id into arrival;
    p_account := credits.grant_fill(p_account, arrival, part.amount, 'transfer', null, p_reason,
      jsonb_build_object('from_account_id', p_from_account_id, 'from_grant_id', part.grant_id,
        'external_ref', p_external_ref));
  end loop;
end;
$$;
comment on function credits.transfer_arrival(public.credit_accounts, uuid, text, jsonb, text) is
  'Books a transfer from another shard: one grant per part, as transfer_book makes them. The caller holds the '
  'account''s lock.';

create function credits.transfer_amount(p_parts jsonb)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  amount bigint;
begin
  -- Read as transfer_arrival reads them, so that a part that cannot be read is an error and no refusal.
  select case when min(p.amount) > 0 and bool_and(p.priority is not null) then sum(p.amount)::bigint end into amount
  from jsonb_to_recordset(p_parts) as p (
    grant_id bigint, amount bigint, priority smallint, expires_at timestamptz, grace_ends_at timestamptz);
  return amount;
exception when data_exception then
  return null;
end;
$$;
comment on function credits.transfer_amount(jsonb) is 'The credits of a transfer''s parts; null if they are none.';

create function credits.transfer_take(
  p_account public.credit_accounts, p_from_account_id uuid, p_external_ref text, p_parts jsonb, p_reason text
)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_account.closed_at is not null then
    return 'the recipient''s account is closed';
  end if;
  perform credits.transfer_arrival(p_account, p_from_account_id, p_external_ref, p_parts, p_reason);
  return null;
-- What would be refused each time, and would have failed as a whole on one database: a balance out of range, a
-- constraint or trigger of the app. Locks, outages and the like are raised: the next attempt may succeed.
exception when data_exception or integrity_constraint_violation or raise_exception then
  return left('the recipient''s account cannot take it: ' || sqlerrm, 500);
end;
$$;
comment on function credits.transfer_take(public.credit_accounts, uuid, text, jsonb, text) is
  'Books a transfer from another shard, or says why it cannot be booked. The caller holds the account''s lock.';

create function public.transfer_receive(
  p_to_account_id uuid, p_transfer_id uuid, p_from_account_id uuid, p_external_ref text, p_parts jsonb,
  p_reason text default null
)
returns public.credit_transfer_received
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  amount bigint := credits.transfer_amount(p_parts);
  account public.credit_accounts;
  receipt public.credit_transfers_received;
  is_new boolean;
begin
  perform credits.caller_check('transfer_receive');
  perform credits.transfer_check(row(p_from_account_id, p_to_account_id, amount, p_external_ref, p_reason));
  if p_transfer_id is distinct from
    credits.transfer_id(p_from_account_id, p_to_account_id, amount, p_external_ref) then
    perform credits.raise_misuse('22023', 'this is not the transfer that was sent',
      'Pass what transfer_send or transfers_in_flight returned, unchanged.');
  end if;
  perform credits.own_account_check(p_to_account_id);
  account := credits.account_lock(p_to_account_id);
  select * into receipt from public.credit_transfers_received
  where account_id = account.id and transfer_id = p_transfer_id;
  is_new := not found;
  if is_new then
    receipt.refusal := credits.transfer_take(account, p_from_account_id, p_external_ref, p_parts, p_reason);
    insert into public.credit_transfers_received (account_id, transfer_id, external_ref, from_account_id, amount,
      refusal)
    values (account.id, p_transfer_id, p_external_ref, p_from_account_id, amount, receipt.refusal);
  end if;
  return row(p_transfer_id, account.id, amount, (select balance from public.credit_accounts where id = account.id),
    receipt.refusal, not is_new)::public.credit_transfer_received;
end;
$$;
comment on function public.transfer_receive(uuid, uuid, uuid, text, jsonb, text) is
  'The second step of a transfer between shards, on the recipient''s shard, with what transfer_send or '
  'transfers_in_flight returned: opens the recipient''s account if it has no row yet, and books the credits with '
  'their expiry and priority. Where they cannot be booked, as on a closed account, it refuses them for good '
  '(refusal). What it decided stays: a repeated call moves nothing (replayed). Raises 22023 for what is not the '
  'transfer that was sent, PT421 when the recipient lives on another shard.';

create function credits.transfer_return(p_sender public.credit_accounts, p_sent public.credit_transfers_sent)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
  home public.credit_grants;
begin
  for part in
    select (p.value ->> 'grant_id')::bigint as grant_id, (p.value ->> 'amount')::bigint as amount
    from jsonb_array_elements(p_sent.parts) with ordinality as p (value, place) order by p.place desc
  loop
    select * into strict home from public.credit_grants where account_id = p_sender.id and id = part.grant_id;
    -- No grace period: a refused transfer must not make credits live longer. And no roll-over cap, which would count
    -- what was sent in this very month.
    p_sender := credits.refund_return(p_sender, 'transfer', null, home, part.amount, 'transfer that came back',
      jsonb_build_object('from_account_id', p_sent.to_account_id, 'from_grant_id', home.id,
        'external_ref', p_sent.external_ref, 'returned', true),
      coalesce(home.expires_at > clock_timestamp(), true));
  end loop;
end;
$$;
comment on function credits.transfer_return(public.credit_accounts, public.credit_transfers_sent) is
  'Gives what a transfer took back to the grants that it came from, the last first; what has expired meanwhile '
  'expires. The caller holds the account''s lock.';

create function public.transfer_finish(
  p_from_account_id uuid, p_transfer_id uuid, p_refusal text default null
)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  sender public.credit_accounts;
  sent public.credit_transfers_sent;
begin
  perform credits.caller_check('transfer_finish');
  perform credits.check_length('refusal', p_refusal, 1, 500);
  select * into sender from public.credit_accounts where id = p_from_account_id for update;
  select * into sent from public.credit_transfers_sent
  where account_id = p_from_account_id and transfer_id = p_transfer_id for update;
  if not found then
    perform credits.raise_misuse('PT404', 'this account has sent no such transfer',
      'The table credit_transfers_sent of the sender''s shard lists them.');
  end if;
  if sent.next_attempt_at is null then
    if (p_refusal is null) <> (sent.refusal is null) then
      perform credits.raise_misuse('PT409', 'this transfer has ended otherwise',
        'Pass the refusal that transfer_receive returned, or null if it returned none.');
    end if;
    return false;
  end if;
  if p_refusal is not null then
    perform credits.transfer_return(sender, sent);
  end if;
  update public.credit_transfers_sent
  set next_attempt_at = null, refusal = p_refusal, arrived_at = case when p_refusal is null then clock_timestamp() end,
    returned_at = case when p_refusal is not null then clock_timestamp() end
  where account_id = sent.account_id and transfer_id = sent.transfer_id;
  return true;
end;
$$;
comment on function public.transfer_finish(uuid, uuid, text) is
  'The last step of a transfer between shards, on the sender''s shard: notes that it has arrived; or, with the '
  'refusal of transfer_receive, gives the credits back to the grants that they came from, also if the account is '
  'closed by now. Pass nothing but what transfer_receive returned. Returns whether this call did it: a repeated one '
  'does nothing. Raises 22023 for a refusal that is empty or above 500 characters, PT404 for an unknown transfer, '
  'PT409 for one that has ended otherwise.';

create function public.transfers_in_flight(p_limit integer default 100)
returns table (
  transfer_id uuid, from_account_id uuid, to_account_id uuid, amount bigint, external_ref text, reason text,
  parts jsonb, attempts integer, sent_at timestamptz
)
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('transfers_in_flight');
  return query
  with due as (
    select s.account_id, s.transfer_id from public.credit_transfers_sent as s where s.next_attempt_at <= now()
    order by s.next_attempt_at limit least(greatest(coalesce(p_limit, 100), 0), 1000)
    for update skip locked
  ),
  claimed as (
    update public.credit_transfers_sent as s
    set attempts = s.attempts + 1,
      next_attempt_at = now() + make_interval(secs => least(20 * 2 ^ least(s.attempts, 5), 600))
    from due as d where s.account_id = d.account_id and s.transfer_id = d.transfer_id
    returning s.*
  )
  select c.transfer_id, c.account_id, c.to_account_id, c.amount, c.external_ref, t.reason, c.parts, c.attempts,
    c.sent_at
  from claimed as c left join public.credit_transfers as t on t.external_ref = c.external_ref
  order by c.sent_at;
end;
$$;
comment on function public.transfers_in_flight(integer) is
  'Hands out up to p_limit transfers to other shards that have not ended, for transfer_receive and transfer_finish: '
  'first 10 seconds after they were sent, then after 20 seconds, and each time after twice as long, up to 10 minutes. '
  'No other call gets them meanwhile.';

create view public.credit_transfer_totals
with (security_invoker = true)
as
select s.sent, s.arrived, s.returned, s.in_flight, s.transfers_in_flight, r.received, l.moved
from (
  select coalesce(sum(amount), 0) as sent, coalesce(sum(amount) filter (where arrived_at is not null), 0) as arrived,
    coalesce(sum(amount) filter (where returned_at is not null), 0) as returned,
    coalesce(sum(amount) filter (where num_nulls(arrived_at, returned_at) = 2), 0) as in_flight,
    count(*) filter (where num_nulls(arrived_at, returned_at) = 2) as transfers_in_flight
  from public.credit_transfers_sent
) as s,
(select coalesce(sum(amount), 0) as received from public.credit_transfers_received where refusal is null) as r,
(select coalesce(sum(delta), 0) as moved from public.credit_ledger where kind = 'transfer') as l;
comment on view public.credit_transfer_totals is
  'Transfers between this shard and others in one row, in whole credits: sent = arrived + returned + in_flight. '
  'moved: the sum of all entries of kind transfer. Added up over all shards, moved + in_flight = 0 where nothing is '
  'on its way; while something is, moved + in_flight + arrived = received.';
