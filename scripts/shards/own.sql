-- What the router does otherwise than a shard: the functions of merges.ts that are its own, and its tasks.
create function credits_router.accounts_of(p_user_id uuid, p_may_pay boolean)
returns setof uuid
language plpgsql
as $$
declare
  shard text;
  slot integer;
begin
  if p_user_id is null then
    return;
  end if;
  for shard, slot in
    select s.shard, s.slot from credits_router.shards as s
    where s.shard in (select credits_router.shard_of(a.id)
      from (select p_user_id union all select account_id from credits_router.memberships
        where user_id = p_user_id) as a (id))
  loop
    begin
      if p_may_pay then
        return query select * from credits_router.credits_my_paying_account_ids(slot, current_setting('role'),
          current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true));
      else
        return query select * from credits_router.credits_my_account_ids(slot, current_setting('role'),
          current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true));
      end if;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      -- Nothing can be read of them; but whoever asks for them must hear of the outage instead of seeing no rows.
      return query select a.id
        from (select p_user_id union all select account_id from credits_router.memberships
          where user_id = p_user_id) as a (id)
        where credits_router.shard_of(a.id) = shard;
    end;
  end loop;
end;
$$;
comment on function credits_router.accounts_of(uuid, boolean) is
  'The accounts that a user may read, or pay for: asks the shards alone on which they have any. Accounts of a shard that '
  'does not answer are among them.';

create or replace function credits.my_account_ids()
returns setof uuid
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  return query select * from credits_router.accounts_of(auth.uid(), false);
end;
$$;

create or replace function credits.my_paying_account_ids()
returns setof uuid
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  return query select * from credits_router.accounts_of(auth.uid(), true);
end;
$$;

create function credits_router.reference_refuse(p_kind text)
returns void
language plpgsql
as $$
begin
  perform credits.raise_misuse('PT409', case p_kind
      when 'grant' then 'this external_ref was granted before, to another account or with another amount'
      when 'withdrawal' then
        'this external_ref was withdrawn before, from another account or grant or with another amount'
      else 'this external_ref was transferred before, between other accounts or with another amount' end,
    'Use the id of the outside event, and on a retry the same account and amount.');
end;
$$;
comment on function credits_router.reference_refuse(text) is 'Raises PT409 as a shard does that knows the other account.';

create function credits_router.reference_claim_at(p_kind text, p_external_ref text, p_account_id uuid)
returns boolean
language plpgsql
as $$
declare
  home constant integer := credits_router.account_slot(credits.ref_home(p_external_ref));
  holder uuid := credits_router.claim_external_ref(home, p_kind, p_external_ref, p_account_id, null);
begin
  if holder <> p_account_id
    and not credits_router.has_external_ref(credits_router.account_slot(holder), holder, p_kind, p_external_ref) then
    holder := credits_router.claim_external_ref(home, p_kind, p_external_ref, p_account_id, holder);
  end if;
  return holder = p_account_id;
end;
$$;
comment on function credits_router.reference_claim_at(text, text, uuid) is
  'Lists an external_ref for an account, on the shard that lists it; false: it is another account''s.';

create function credits_router.reference_claim(p_kind text, p_external_ref text, p_account_id uuid)
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  holder uuid;
  is_free boolean;
begin
  if p_external_ref is null or p_account_id is null or length(p_external_ref) not between 1 and 255 then
    -- Its own shard says what is wrong.
    return;
  end if;
  select account_id into holder from credits_router.references_waiting
  where kind = p_kind and external_ref = p_external_ref;
  is_free := coalesce(holder = p_account_id, true);
  if holder is null then
    begin
      is_free := credits_router.reference_claim_at(p_kind, p_external_ref, p_account_id);
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      -- Another shard's outage stops nobody: whoever comes later finds it here.
      insert into credits_router.references_waiting as w (kind, external_ref, account_id)
      values (p_kind, p_external_ref, p_account_id)
      on conflict (kind, external_ref) do update set noted_at = w.noted_at returning account_id into holder;
      is_free := holder = p_account_id;
    end;
  end if;
  if not is_free then
    perform credits_router.reference_refuse(p_kind);
  end if;
end;
$$;
comment on function credits_router.reference_claim(text, text, uuid) is
  'Raises PT409 where an external_ref is another account''s, on whichever shard that lives.';

create function credits_router.deliver_references()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  waiting credits_router.references_waiting;
  delivered integer := 0;
begin
  for waiting in select * from credits_router.references_waiting order by noted_at limit 1000 for update skip locked loop
    begin
      if not credits_router.reference_claim_at(waiting.kind, waiting.external_ref, waiting.account_id) then
        raise warning 'external_ref % (%) is booked for % and for another account', waiting.external_ref, waiting.kind,
          waiting.account_id;
      end if;
      delete from credits_router.references_waiting
      where kind = waiting.kind and external_ref = waiting.external_ref;
      delivered := delivered + 1;
    exception when others then
      raise warning 'external_ref % waits: % (%)', waiting.external_ref, sqlerrm, sqlstate;
    end;
  end loop;
  return delivered;
end;
$$;
comment on function credits_router.deliver_references() is
  'Lists what could not be listed when it was used; returns how many. Warns of one that two accounts have.';

create function credits_router.handover_deliver(p_handover credits.handovers)
returns void
language plpgsql
as $$
begin
  case p_handover.kind
    when 'join' then
      perform credits_router.person_joins(p_handover.slot_group, p_handover.person_id, p_handover.amount, p_handover.code);
    when 'leave' then
      perform credits_router.person_leaves(p_handover.slot_group, p_handover.person_id);
    when 'erase' then
      perform credits_router.erase_account(p_handover.slot_group, p_handover.person_id);
  end case;
end;
$$;
comment on function credits_router.handover_deliver(credits.handovers) is
  'Calls the shard of a hand-over; what it calls may be called again.';

create function credits_router.deliver_handovers(p_limit integer default 100)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  handover credits.handovers;
  delivered integer := 0;
begin
  for handover in select * from credits.handovers_due(p_limit) as h order by h.id loop
    begin
      perform credits_router.handover_deliver(handover);
      delivered := delivered + credits.handover_delivered(array[handover.id]);
    exception when others then
      perform credits.handover_failed(handover.id, format('%s (%s)', sqlerrm, sqlstate));
    end;
  end loop;
  return delivered;
end;
$$;
comment on function credits_router.deliver_handovers(integer) is
  'Tells the shards of sign-ups, deletions and erasures; returns how many calls were answered.';

create or replace function public.erase_account(p_account_id uuid)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  own constant integer := credits_router.account_slot(p_account_id) & 15;
  handover credits.handovers;
  erased integer := 0;
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('erase_account');
  if p_account_id is null then
    return credits_router.erase_account(0, null);
  end if;
  perform credits.handover_add('erase', p_account_id);
  for handover in select * from credits.handovers as h
    where h.person_id = p_account_id and h.kind = 'erase'
      -- One after the other: what is still to be told before this goes first, by the task.
      and not exists (select from credits.handovers as e
        where (e.person_id, e.slot_group) = (h.person_id, h.slot_group) and e.id < h.id)
    order by h.slot_group <> own, h.id for update skip locked
  loop
    begin
      erased := erased + coalesce(credits_router.erase_account(handover.slot_group, p_account_id), 0);
      perform credits.handover_delivered(array[handover.id]);
    exception when others then
      -- What its own shard refuses is refused; what a shard cannot do now is done later.
      if handover.slot_group = own and not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      perform credits.handover_failed(handover.id, format('%s (%s)', sqlerrm, sqlstate));
    end;
  end loop;
  return erased;
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
  return null;
end;
$$;

create function credits_router.run_tasks()
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform public.grant_due_sign_ups();
  perform credits_router.deliver_handovers();
  perform credits_router.deliver_references();
  perform credits_router.finish_transfers();
  -- Reads all members: once an hour is enough, as the router notes those whom it makes.
  if extract(minute from now()) = 0 then
    perform credits_router.refresh_memberships();
  end if;
end;
$$;
comment on function credits_router.run_tasks() is
  'What the router does each minute: sign-up grants that are due, hand-overs, references, transfers that broke off.';

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
  if p_from_account_id is null or p_to_account_id is null
    or credits_router.shard_of(p_from_account_id) = credits_router.shard_of(p_to_account_id) then
    perform credits_router.reference_claim('transfer', p_external_ref, p_from_account_id);
    return credits_router.transfer_credits(sender, p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
  end if;
  perform credits_router.reference_claim('transfer', p_external_ref, p_from_account_id);
  sent := credits_router.transfer_send(sender, p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason);
  if sent.arrived_at is null then
    -- From here on it is made: whatever fails, finish_transfers goes on with it, and so does a repeat of this call.
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
  finished integer := 0;
begin
  -- Of a shard that does not answer nothing is handed out.
  for sent in select * from public.transfers_in_flight(p_limit) loop
    begin
      received := credits_router.transfer_receive(credits_router.account_slot(sent.to_account_id), sent.to_account_id,
        sent.transfer_id, sent.from_account_id, sent.external_ref, sent.parts, sent.reason);
      if credits_router.transfer_finish(credits_router.account_slot(sent.from_account_id), sent.from_account_id,
        sent.transfer_id, received.refusal) then
        finished := finished + 1;
      end if;
    exception when others then
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

create or replace function public.person_leaves(p_person_id uuid)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  handover credits.handovers;
  has_left boolean := false;
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('person_leaves');
  if p_person_id is null then
    return credits_router.person_leaves(0, null);
  end if;
  perform credits.handover_add('leave', p_person_id);
  for handover in select * from credits.handovers as h
    where h.person_id = p_person_id and h.kind = 'leave'
      -- One after the other: what is still to be told before this goes first, by the task.
      and not exists (select from credits.handovers as e
        where (e.person_id, e.slot_group) = (h.person_id, h.slot_group) and e.id < h.id)
    order by h.id for update skip locked
  loop
    begin
      has_left := credits_router.person_leaves(handover.slot_group, p_person_id) or has_left;
      perform credits.handover_delivered(array[handover.id]);
    exception when others then
      perform credits.handover_failed(handover.id, format('%s (%s)', sqlerrm, sqlstate));
    end;
  end loop;
  return has_left;
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
  return null;
end;
$$;

create or replace function public.transfer_credits_batch(p_transfers jsonb)
returns setof public.credit_transfer_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  shards text[];
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('transfer_credits_batch');
  -- What is no list of transfers has no shard: one of them says so.
  if jsonb_typeof(p_transfers) = 'array' then
    shards := array(
      select distinct credits_router.shard_of(a.id::uuid)
      from jsonb_array_elements(p_transfers) as t (transfer)
      cross join lateral (values (transfer ->> 'from_account_id'), (transfer ->> 'to_account_id')) as a (id)
      where jsonb_typeof(transfer) = 'object' and a.id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$');
  end if;
  if cardinality(shards) > 1 then
    raise exception using errcode = '0A000', message = 'the accounts of a batch live on different shards',
      hint = 'A batch is all or nothing: make these transfers one by one, with transfer_credits.';
  end if;
  return query select * from credits_router.transfer_credits_batch(
    (select min(number) from credits_router.groups where shard = coalesce(shards[1], shard)), p_transfers);
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
end;
$$;

create function credits_router.refresh_memberships()
returns bigint
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  shard text;
  changes bigint;
  total bigint := 0;
begin
  for shard in select s.shard from credits_router.shards as s order by s.slot loop
    begin
      execute format('insert into credits_router.memberships (user_id, account_id)
        select user_id, account_id from credits_router.%I on conflict do nothing', shard || '_account_members');
      get diagnostics changes = row_count;
      total := total + changes;
      execute format('delete from credits_router.memberships as m where credits_router.shard_of(m.account_id) = %L
        and not exists (select from credits_router.%I as a where (a.user_id, a.account_id) = (m.user_id, m.account_id))',
        shard, shard || '_account_members');
      get diagnostics changes = row_count;
      total := total + changes;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
    end;
  end loop;
  return total;
end;
$$;
comment on function credits_router.refresh_memberships() is
  'Reads all members again, where a shard was told of one without the router; returns how many rows changed. A shard that '
  'does not answer keeps its rows.';

alter function credits_router.run_tasks() owner to postgres;
alter function credits.my_account_ids() owner to credits_router;
alter function credits.my_paying_account_ids() owner to credits_router;
alter function public.transfer_credits owner to credits_router;
alter function public.transfer_credits_batch owner to credits_router;
alter function public.person_leaves owner to credits_router;
alter function public.erase_account owner to credits_router;
alter function credits_router.reference_claim owner to credits_router;
alter function credits_router.reference_claim_at owner to credits_router;
alter function credits_router.deliver_references owner to credits_router;
alter function credits_router.deliver_handovers owner to credits_router;
alter function credits_router.handover_deliver owner to credits_router;
alter function credits_router.transfer owner to credits_router;
alter function credits_router.finish_transfers owner to credits_router;
alter function credits_router.accounts_of owner to credits_router;
alter function credits_router.refresh_memberships owner to credits_router;
