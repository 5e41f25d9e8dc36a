-- Users sign up, leave and are erased here, and their shards hear of it.

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
  began constant timestamptz := clock_timestamp();
  silent text[] := credits_router.silent_shards();
  target text;
  delivered integer := 0;
begin
  for handover in select * from credits.handovers_due(p_limit) as h order by h.attempts, random() loop
    target := (select shard from credits_router.groups where number = handover.slot_group);
    if target = any (silent) then
      perform credits.handover_failed(handover.id, format('shard %s does not answer', target));
      continue;
    end if;
    exit when credits_router.is_late(began);
    begin
      perform credits_router.handover_deliver(handover);
      delivered := delivered + credits.handover_delivered(array[handover.id]);
    exception when others then
      silent := credits_router.silent_with(silent, target, sqlstate, sqlerrm);
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
  -- Their shards do not know it.
  perform credits.person_is_gone_check(p_person_id);
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

alter function credits_router.handover_deliver owner to credits_router;
alter function credits_router.deliver_handovers owner to credits_router;
alter function public.erase_account owner to credits_router;
alter function public.person_leaves owner to credits_router;
