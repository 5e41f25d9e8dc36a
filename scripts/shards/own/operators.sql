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
  caller_role text not null,
  caller_sub text,
  caller_claims text,
  noted_at timestamptz not null default clock_timestamp(),
  last_error text
);
comment on table credits_router.operator_changes is
  'Calls of operator_set and operator_remove (new_role null) that shards have still to get, as the admin made them: each '
  'shard judges by that admin''s rights. A removal holds at once: operator_check.';

create function credits_router.operator_change_at(p_slot integer, p_change credits_router.operator_changes)
returns public.operator_result
language plpgsql
as $$
begin
  if p_change.new_role is null then
    return credits_router.operator_remove(p_slot, p_change.caller_role, p_change.caller_sub, p_change.caller_claims,
      p_change.user_id, p_change.reason, p_change.idempotency_key);
  end if;
  return credits_router.operator_set(p_slot, p_change.caller_role, p_change.caller_sub, p_change.caller_claims,
    p_change.user_id, p_change.new_role, p_change.max_per_action, p_change.max_per_day, p_change.reason,
    p_change.idempotency_key);
end;
$$;
comment on function credits_router.operator_change_at(integer, credits_router.operator_changes) is
  'Has one shard set or remove an operator; its key makes a repeat harmless.';

create function credits_router.deliver_operator_changes(p_user_id uuid default null)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  change credits_router.operator_changes;
  delivered integer := 0;
  silent text[] := credits_router.silent_shards();
  place text;
  cause text;
begin
  for change in select * from credits_router.operator_changes as c
    where p_user_id is null or c.user_id = p_user_id order by c.id for update skip locked
  loop
    place := (select g.shard from credits_router.groups as g where g.number = change.slot_group);
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
$$;
comment on function credits_router.is_removed(uuid) is
  'Whether an operator was removed, and a shard has not heard of it yet.';

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
  p_change.caller_role := current_setting('role');
  p_change.caller_sub := current_setting('request.jwt.claim.sub', true);
  p_change.caller_claims := current_setting('request.jwt.claims', true);
  perform credits_router.deliver_operator_changes(p_change.user_id);
  for shard, slot, groups in select s.shard, s.slot, s.groups from credits_router.shards as s order by s.slot loop
    begin
      if exists (select from credits_router.operator_changes as c
        where c.user_id = p_change.user_id and c.slot_group = any (groups)) then
        perform credits_router.raise_outage();
      end if;
      answer := credits_router.operator_change_at(slot, p_change);
      if result.code is null then
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
      idempotency_key, caller_role, caller_sub, caller_claims)
    select w, p_change.user_id, p_change.new_role, p_change.max_per_action, p_change.max_per_day, p_change.reason,
      p_change.idempotency_key, p_change.caller_role, p_change.caller_sub, p_change.caller_claims
    from unnest(waiting) as w;
    result.details := result.details || jsonb_build_object('waiting_for', silent);
  end if;
  return result;
end;
$$;
comment on function credits_router.operator_change(credits_router.operator_changes) is
  'Sets or removes an operator on every shard; the first that answers decides. One that does not answer is told later '
  '(details.waiting_for).';

create or replace function public.operator_remove(p_user_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  change credits_router.operator_changes;
begin
  perform credits_router.write_check('operator_remove');
  perform credits_router.operator_check_writes();
  change.user_id := p_user_id;
  change.reason := p_reason;
  change.idempotency_key := p_idempotency_key;
  return credits_router.operator_change(change);
end;
$$;

create or replace function public.operator_set(
  p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  change credits_router.operator_changes;
  is_known constant boolean := exists (select from auth.users where id = p_user_id);
  router_detail text;
begin
  perform credits_router.write_check('operator_set');
  perform credits_router.operator_check_writes();
  change.user_id := p_user_id;
  -- An empty role is none, as a shard says; here null is a removal.
  change.new_role := case when is_known then coalesce(p_role, '') else '' end;
  change.max_per_action := p_max_per_action;
  change.max_per_day := p_max_per_day;
  change.reason := p_reason;
  change.idempotency_key := p_idempotency_key;
  return credits_router.operator_change(change);
exception when sqlstate '22023' then
  get stacked diagnostics router_detail = pg_exception_detail;
  -- Whether the caller may know that, the shard has judged.
  if not is_known and router_detail = 'operator' then
    raise exception using errcode = 'PT404', message = 'no such user', detail = 'unknown_user',
      hint = 'Pass the id of a user who signs in.';
  end if;
  raise;
end;
$$;

alter function credits_router.operator_change owner to credits_router;
alter function credits_router.operator_change_at owner to credits_router;
alter function credits_router.deliver_operator_changes owner to credits_router;
alter function credits_router.is_removed owner to credits_router;
alter function credits_router.operator_check owner to credits_router;
alter function credits_router.operator_check_writes owner to credits_router;
alter function public.operator_set owner to credits_router;
alter function public.operator_remove owner to credits_router;
