-- Who is an operator: each shard has a copy, and judges by it. What a shard has still to hear of, the router knows.

create table credits_router.operator_changes (
  id bigint generated always as identity primary key,
  slot_group integer not null,
  user_id uuid not null,
  new_role text,
  max_per_action bigint,
  max_per_day bigint,
  reason text not null,
  idempotency_key text not null,
  caller_role text,
  caller_sub text,
  caller_claims text,
  noted_at timestamptz not null default clock_timestamp(),
  last_error text,
  note text
);
comment on table credits_router.operator_changes is
  'Calls of operator_set and operator_remove (new_role null) that shards have still to get, as the admin made them: '
  'each shard judges by that admin''s rights. A removal holds at once: operator_check. caller_role null: the owner '
  'inserted the operator here.';

create function credits_router.operator_joins(
  p_slot integer, p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_note text
)
returns boolean language plproxy as $$
  cluster 'credits';
  run on p_slot;
  select credits.operator_joins(p_user_id, p_role, p_max_per_action, p_max_per_day, p_note);
$$;

create function credits_router.operator_change_at(p_slot integer, p_change credits_router.operator_changes)
returns public.operator_result
language plpgsql
as $$
declare
  result public.operator_result;
begin
  if p_change.caller_role is null then
    result.code := case when credits_router.operator_joins(p_slot, p_change.user_id, p_change.new_role,
      p_change.max_per_action, p_change.max_per_day, p_change.note) then 'done' else 'unchanged' end;
    result.details := '{}';
    return result;
  elsif p_change.new_role is null then
    return credits_router.operator_remove(p_slot, p_change.caller_role, p_change.caller_sub, p_change.caller_claims,
      p_change.user_id, p_change.reason, p_change.idempotency_key);
  end if;
  return credits_router.operator_set(p_slot, p_change.caller_role, p_change.caller_sub, p_change.caller_claims,
    p_change.user_id, p_change.new_role, p_change.max_per_action, p_change.max_per_day, p_change.reason,
    p_change.idempotency_key);
end;
$$;
comment on function credits_router.operator_change_at(integer, credits_router.operator_changes) is
  'Has one shard set, remove or insert an operator. A repeat is harmless: by its key, or by the row that is there.';

create function credits_router.answers(p_shard text)
returns boolean
language sql
as $$
  select p_shard <> all (credits_router.silent_shards()) and credits_router.can_read(p_shard)
$$;
comment on function credits_router.answers(text) is
  'Whether a shard answers now. PL/Proxy would wait for one that is silent until the call is canceled, with all that '
  'it had done.';

create function credits_router.deliver_operator_changes(p_user_id uuid default null)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  change credits_router.operator_changes;
  delivered integer := 0;
  asked text[] := '{}';
  silent text[] := '{}';
  place text;
  cause text;
begin
  for change in select * from credits_router.operator_changes as c
    where p_user_id is null or c.user_id = p_user_id order by c.id for update skip locked
  loop
    place := (select g.shard from credits_router.groups as g where g.number = change.slot_group);
    if place <> all (asked) then
      asked := asked || place;
      silent := silent || array(select place where not credits_router.answers(place));
    end if;
    continue when place = any (silent);
    -- In their order: a later change of an operator waits for the earlier one.
    continue when exists (select from credits_router.operator_changes as e
      where (e.user_id, e.slot_group) = (change.user_id, change.slot_group) and e.id < change.id);
    begin
      perform credits_router.operator_change_at(change.slot_group, change);
      delete from credits_router.operator_changes where id = change.id;
      delivered := delivered + 1;
    exception when others then
      get stacked diagnostics cause = pg_exception_detail;
      if sqlstate = 'PT404' and cause like '%unknown_operator' then
        -- Nobody there whom it could remove.
        delete from credits_router.operator_changes where id = change.id;
      else
        if credits_router.is_outage(sqlstate, sqlerrm) then
          silent := silent || place;
        end if;
        update credits_router.operator_changes set last_error = left(format('%s (%s)', sqlerrm, sqlstate), 500)
        where id = change.id;
        raise warning 'operator % waits for group %: % (%)', change.user_id, change.slot_group, sqlerrm, sqlstate;
      end if;
    end;
  end loop;
  return delivered;
end;
$$;
comment on function credits_router.deliver_operator_changes(uuid) is
  'Tells shards of operators that were set or removed while they were down; returns how many calls were answered.';

create function credits_router.is_removed(p_user_id uuid)
returns boolean
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select exists (select from credits_router.operator_changes as c
    where c.user_id = p_user_id and c.new_role is null and not exists (
      select from credits_router.operator_changes as l
      where (l.user_id, l.slot_group) = (c.user_id, c.slot_group) and l.id > c.id))
    or exists (select from credits.handovers as h where h.person_id = p_user_id and h.kind = 'leave')
$$;
comment on function credits_router.is_removed(uuid) is
  'Whether an operator was removed, or their user deleted, and a shard has not heard of it yet.';

create function credits_router.operator_leaves()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  delete from credits_router.operator_changes where user_id = old.id and new_role is not null and new_role <> '';
  return null;
end;
$$;
comment on function credits_router.operator_leaves() is
  'Whose user is deleted is made an operator nowhere any more; that they leave, credits.handovers tells.';
create trigger operator_leaves after delete on auth.users
  for each row execute function credits_router.operator_leaves();

create function credits_router.operator_check()
returns void
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  if auth.uid() is not null and credits_router.is_removed(auth.uid()) then
    raise exception using errcode = '42501', message = 'this user is not an operator', detail = 'not_an_operator',
      hint = 'An admin makes operators: operator_set.';
  end if;
end;
$$;
comment on function credits_router.operator_check() is
  'Raises 42501, as a shard does, for an operator who was removed while a shard was down: it acts on none.';

create function credits_router.operator_check_writes()
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if exists (select from credits_router.operator_changes where user_id = auth.uid()) then
    -- A shard that is up again judges by what they may do now.
    perform credits_router.deliver_operator_changes(auth.uid());
    perform credits_router.operator_check();
  end if;
end;
$$;
comment on function credits_router.operator_check_writes() is
  'operator_check, after shards have been told of the operator who calls.';

create function credits_router.operator_change(p_change credits_router.operator_changes)
returns public.operator_result
language plpgsql
as $$
#variable_conflict use_variable
declare
  result public.operator_result;
  answer public.operator_result;
  shard text;
  slot integer;
  groups integer[];
  silent text[] := '{}';
  waiting integer[] := '{}';
  is_unknown boolean := false;
  router_message text;
  router_detail text;
  router_hint text;
begin
  -- One change at a time, on the shards in one order: of two admins who remove each other at once, one stays.
  perform pg_advisory_xact_lock(hashtextextended('credits_router.operator_change', 0));
  if p_change.caller_role is not null then
    perform credits_router.operator_check();
  end if;
  perform credits_router.deliver_operator_changes(p_change.user_id);
  for shard, slot, groups in select s.shard, s.slot, s.groups from credits_router.shards as s order by s.slot loop
    begin
      if exists (select from credits_router.operator_changes as c
        where c.user_id = p_change.user_id and c.slot_group = any (groups)) or not credits_router.answers(shard) then
        perform credits_router.raise_outage();
      end if;
      answer := credits_router.operator_change_at(slot, p_change);
      if result.code is null or result.code = 'unchanged' and answer.code = 'done' then
        result := answer;
      end if;
    exception when others then
      get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
        router_hint = pg_exception_hint;
      if sqlstate = 'PT404' and router_detail like '%unknown_operator' then
        is_unknown := true;
      elsif credits_router.is_outage(sqlstate, router_message) or result.code is not null then
        silent := silent || shard;
        waiting := waiting || groups;
      else
        perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
      end if;
    end;
  end loop;
  if result.code is null and is_unknown and cardinality(silent) = 0 then
    raise exception using errcode = 'PT404', message = 'no such operator', detail = 'unknown_operator',
      hint = 'The table credit_operators lists them.';
  elsif result.code is null then
    perform credits_router.raise_outage();
  elsif cardinality(silent) > 0 then
    insert into credits_router.operator_changes (slot_group, user_id, new_role, max_per_action, max_per_day, reason,
      idempotency_key, caller_role, caller_sub, caller_claims, note)
    select w, p_change.user_id, p_change.new_role, p_change.max_per_action, p_change.max_per_day, p_change.reason,
      p_change.idempotency_key, p_change.caller_role, p_change.caller_sub, p_change.caller_claims, p_change.note
    from unnest(waiting) as w;
    result.details := result.details || jsonb_build_object('waiting_for', silent);
  end if;
  return result;
end;
$$;
comment on function credits_router.operator_change(credits_router.operator_changes) is
  'Sets or removes an operator on every shard; the first that answers decides. One that does not answer is told later '
  '(details.waiting_for).';

alter function credits_router.operator_joins owner to credits_router;
alter function credits_router.answers owner to credits_router;
alter function credits_router.operator_change owner to credits_router;
alter function credits_router.operator_change_at owner to credits_router;
alter function credits_router.deliver_operator_changes owner to credits_router;
alter function credits_router.operator_leaves owner to credits_router;
alter function credits_router.is_removed owner to credits_router;
alter function credits_router.operator_check owner to credits_router;
alter function credits_router.operator_check_writes owner to credits_router;
