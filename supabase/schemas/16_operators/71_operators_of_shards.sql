-- Gives: what a router asks of a shard about operators: what one moved today, an operator who was inserted there, a
--   muted rule.
-- Keeps: only the owner may call these, and the role as which a router connects (scripts/shards/admit.ts). An action
--   passes the same gate and stands in the same trail as on one database.
-- Needs: operator act.

create function credits.operator_day(p_operator_id uuid)
returns table (max_per_day bigint, used bigint)
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
begin
  -- An action that is under way, of which the router no longer waits for the answer, counts, too.
  select * into operator from public.credit_operators where user_id = p_operator_id for share;
  return query select operator.max_per_day, credits.operator_used_today(p_operator_id);
end;
$$;
comment on function credits.operator_day(uuid) is
  'An operator''s limit of a day, and what of it they have used on this database. Waits for an action of theirs.';

create function credits.operator_joins(
  p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_note text
)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  insert into public.credit_operators (user_id, role, max_per_action, max_per_day, note)
  values (p_user_id, p_role::public.credit_operator_role, p_max_per_action, p_max_per_day, p_note)
  on conflict (user_id) do nothing;
  if found then
    return true;
  elsif not exists (select from public.credit_operators as o where o.user_id = p_user_id and o.disabled_at is null
    and (o.role::text, o.max_per_action, o.max_per_day, o.note)
      is not distinct from (p_role, p_max_per_action, p_max_per_day, p_note)) then
    raise unique_violation using message = 'duplicate key value violates unique constraint "credit_operators_pkey"',
      detail = format('Key (user_id)=(%s) already exists.', p_user_id);
  end if;
  return false;
end;
$$;
comment on function credits.operator_joins(uuid, text, bigint, bigint, text) is
  'Inserts an operator as the owner did on the router; false: the same one is here already. Raises 23505 for one who '
  'is here with another role, other limits or another note, or was removed.';

create function credits.operator_muted(
  p_rule text, p_before timestamptz, p_until timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- As operator_mute_alert.
set timezone = 'UTC'
as $$
declare
  operator public.credit_operators := credits.operator_enter('mute_alert', p_reason, p_idempotency_key);
  request credits.operator_request := row('mute_alert', null, p_rule,
    jsonb_build_object('rule', p_rule, 'until', p_until), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
begin
  if result.replayed then
    return result;
  elsif not exists (select from public.credit_alert_rules where name = p_rule) then
    perform credits.raise_misuse('PT404', 'no such alert rule', 'The table credit_alert_rules lists them.');
  end if;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, jsonb_build_object('muted_until', p_before), jsonb_build_object('muted_until', p_until)), null, null),
    false);
end;
$$;
comment on function credits.operator_muted(text, timestamptz, timestamptz, text, text) is
  'Writes into the calling operator''s trail that they mute a rule, which the router does: the rules are there. Raises '
  'what operator_mute_alert raises. p_before: until when it was muted.';
