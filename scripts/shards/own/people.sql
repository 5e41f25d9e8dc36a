-- Users sign up, leave and are erased here, and their shards hear of it.
--
-- Of a person one transaction at a time tells a shard that they leave, and none that they join meanwhile: told late, a
-- join would bring back who has left. Joins may be told by several, as a shard does each once.

create function credits_router.handover_lock(p_person_id uuid, p_is_join boolean)
returns boolean
language plpgsql
as $$
declare
  key constant bigint := hashtextextended('credits.handovers:' || p_person_id, 0);
begin
  if p_is_join then
    return pg_try_advisory_xact_lock_shared(key);
  end if;
  return pg_try_advisory_xact_lock(key);
end;
$$;
comment on function credits_router.handover_lock(uuid, boolean) is
  'Whether a person''s hand-overs may be told until the transaction ends: joins beside other joins, all else alone.';

create function credits_router.handover_deliver(p_handover credits.handovers)
returns integer
language plpgsql
as $$
begin
  case p_handover.kind
    when 'join' then
      -- A sign-up grant that was decided beside a deletion, which has been told: the person stays away.
      if exists (select from auth.users as u
          where u.id = p_handover.person_id and to_jsonb(u) ->> 'deleted_at' is null)
        or exists (select from credits.handovers as l where l.person_id = p_handover.person_id
          and l.slot_group = p_handover.slot_group and l.id > p_handover.id) then
        perform credits_router.person_joins(p_handover.slot_group, p_handover.person_id, p_handover.amount,
          p_handover.code);
      end if;
      return 0;
    when 'leave' then
      return credits_router.person_leaves(p_handover.slot_group, p_handover.person_id)::integer;
    when 'erase' then
      return credits_router.erase_account(p_handover.slot_group, p_handover.person_id);
  end case;
end;
$$;
comment on function credits_router.handover_deliver(credits.handovers) is
  'Calls the shard of a hand-over; what it calls may be called again. The caller has its lock.';

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
    continue when not credits_router.handover_lock(handover.person_id, handover.kind = 'join');
    begin
      perform credits_router.handover_deliver(handover);
      delivered := delivered + credits.handover_delivered(array[handover.id]);
    exception when others then
      silent := credits_router.silent_with(silent, target, sqlstate, sqlerrm);
      perform credits.handover_failed(handover.id, format('%s (%s)', sqlerrm, sqlstate),
        not credits_router.is_outage(sqlstate, sqlerrm));
    end;
  end loop;
  return delivered;
end;
$$;
comment on function credits_router.deliver_handovers(integer) is
  'Tells the shards of sign-ups, deletions and erasures; returns how many calls were answered.';

create function credits_router.tell(p_person_id uuid, p_groups integer[], p_kind text default null)
returns integer
language plpgsql
as $$
declare
  own constant integer := credits_router.account_slot(p_person_id) & 15;
  can_note constant boolean := not current_setting('transaction_read_only')::boolean;
  -- A call that writes must not come before what the shard has still to hear of them.
  is_needed constant boolean := can_note and p_kind is null;
  handover credits.handovers;
  target text;
  silent text[] := '{}';
  is_ours boolean := false;
  answer integer;
  total integer := 0;
begin
  -- It reads the state of a time before, when somebody who has left since was still there.
  if not can_note and current_setting('transaction_isolation') <> 'read committed' then
    return 0;
  end if;
  -- Of two calls one tells that they leave: if both began as for a join, neither could.
  if not credits_router.handover_lock(p_person_id, not can_note or not exists (select from credits.handovers as h
    where h.person_id = p_person_id and h.slot_group = any (p_groups) and h.kind <> 'join')) then
    if is_needed then
      perform credits_router.raise_outage();
    end if;
    return 0;
  end if;
  if can_note then
    perform credits.handovers_forget(p_person_id);
  end if;
  for handover in select * from credits.handovers as h where h.person_id = p_person_id and h.slot_group = any (p_groups)
    order by h.slot_group <> own, h.slot_group, h.id
  loop
    target := (select shard from credits_router.groups where number = handover.slot_group);
    continue when target = any (silent)
      -- Refused before: that is for the task.
      or p_kind is null and handover.refusals > 0
      -- One after the other, as handovers_due gives them out.
      or exists (select from credits.handovers as e
        where (e.person_id, e.slot_group) = (p_person_id, handover.slot_group) and e.id < handover.id
          and (e.refusals < 3 or 'join' in (e.kind, handover.kind)));
    if can_note then
      is_ours := exists (select from credits.handovers where id = handover.id for update skip locked);
    end if;
    -- Somebody else may be about to tell it. A join is told all the same, as the caller needs it now.
    if handover.kind <> 'join' and not (is_ours and credits_router.handover_lock(p_person_id, false)) then
      if is_needed then
        perform credits_router.raise_outage();
      end if;
      continue;
    end if;
    begin
      answer := credits_router.handover_deliver(handover);
      if handover.kind = p_kind then
        total := total + coalesce(answer, 0);
      end if;
      if is_ours then
        perform credits.handover_delivered(array[handover.id]);
      end if;
    exception when others then
      if credits_router.is_outage(sqlstate, sqlerrm) then
        if p_kind is null then
          raise;
        end if;
      elsif p_kind = 'erase' and handover.kind = 'erase' and handover.slot_group = own then
        raise;
      end if;
      silent := credits_router.silent_with(silent, target, sqlstate, sqlerrm);
      if is_ours then
        perform credits.handover_failed(handover.id, format('%s (%s)', sqlerrm, sqlstate),
          not credits_router.is_outage(sqlstate, sqlerrm));
      end if;
    end;
  end loop;
  return total;
end;
$$;
comment on function credits_router.tell(uuid, integer[], text) is
  'Tells the shards of these groups what waits of a person, in its order, the own one first; returns the sum of the '
  'answers to hand-overs of a kind. Without a kind, for a call of the person''s: raises where the shard does not answer, '
  'and, before a call that writes, 08006 while somebody else tells of them. With erase, raises what the own shard '
  'raises. The rest is left to deliver_handovers; in a transaction that only reads, so is the note that it has been '
  'told.';

create function credits_router.tell_first(p_account_id uuid, p_person_id uuid default null)
returns void
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
declare
  own constant integer := credits_router.account_slot(p_account_id) & 15;
  person uuid;
begin
  for person in select distinct h.person_id from credits.handovers as h
    where h.slot_group = own and h.person_id in (p_account_id, p_person_id) loop
    perform credits_router.tell(person, array[own]);
  end loop;
end;
$$;
comment on function credits_router.tell_first(uuid, uuid) is
  'Before a call about an account and a person, such as who calls: what the account''s shard has still to hear of the '
  'two, as somebody who has just signed up or was deleted comes before the task has run. One look into an index where '
  'nothing waits.';

create function credits_router.has_left(p_person_id uuid)
returns boolean
language plpgsql
stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (select from credits.handovers as h where h.person_id = p_person_id and h.kind <> 'join'
    and not exists (select from credits.handovers as j
      where j.person_id = p_person_id and j.kind = 'join' and j.id > h.id));
end;
$$;
comment on function credits_router.has_left(uuid) is
  'Whether a person is deleted or erased, and some shard has still to hear of it: they read nothing any more.';

create function credits_router.nobody_on(p_shard text)
returns uuid
language plpgsql
as $$
declare
  id uuid := gen_random_uuid();
begin
  while credits_router.shard_of(id) <> p_shard loop
    id := gen_random_uuid();
  end loop;
  return id;
end;
$$;
comment on function credits_router.nobody_on(text) is
  'An id of a shard that no account has. A read of a team there hears of the outage by it; if the shard is back that '
  'very moment, who has left the team meanwhile sees nothing of it.';

create or replace function public.erase_account(p_account_id uuid)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('erase_account');
  if p_account_id is null then
    return credits_router.erase_account(0, null);
  end if;
  -- A sign-up grant that is due would bring them back. One that is just being granted comes first: waits for it.
  delete from credits.sign_ups_due where account_id = p_account_id;
  perform credits.handover_add('erase', p_account_id);
  return credits_router.tell(p_account_id, credits.other_slot_groups(), 'erase');
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
  return credits_router.tell(p_person_id, credits.other_slot_groups(), 'leave') > 0;
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
  return null;
end;
$$;

alter function credits_router.handover_deliver owner to credits_router;
alter function credits_router.deliver_handovers owner to credits_router;
alter function credits_router.tell owner to credits_router;
alter function credits_router.tell_first owner to credits_router;
alter function credits_router.nobody_on owner to credits_router;
alter function credits_router.has_left owner to credits_router;
alter function public.erase_account owner to credits_router;
alter function public.person_leaves owner to credits_router;
