-- Gives: operator_set and operator_remove, by which an admin says who is an operator; what one may do.
-- Keeps: nobody changes their own row, so there is always an admin left.
-- Needs: operator act; table auth.users.

create function credits.operator_row(p_user_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('role', role, 'max_per_action', max_per_action, 'max_per_day', max_per_day,
    'disabled', disabled_at is not null)
  from public.credit_operators where user_id = p_user_id;
$$;
comment on function credits.operator_row(uuid) is 'What an admin sets of an operator; null: none.';

create function credits.operator_check_other(p_operator public.credit_operators, p_user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_user_id = p_operator.user_id then
    perform credits.operator_refuse('42501', 'nobody changes their own role or limits', 'own_row',
      'Ask another admin.');
  end if;
end;
$$;
comment on function credits.operator_check_other(public.credit_operators, uuid) is
  'Raises 42501 for an operator''s own row.';

create function public.operator_set(
  p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('set', p_reason, p_idempotency_key, array[p_user_id]);
  request credits.operator_request := row('set', null, p_user_id::text, jsonb_build_object('user_id', p_user_id,
    'role', p_role, 'max_per_action', p_max_per_action, 'max_per_day', p_max_per_day), p_reason, p_idempotency_key,
    null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  before constant jsonb := credits.operator_row(p_user_id);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_other(operator, p_user_id);
  if p_role is null or p_role <> all (enum_range(null::public.credit_operator_role)::text[])
    or p_max_per_action not between 0 and 1000000000000 or p_max_per_day not between 0 and 1000000000000000 then
    perform credits.operator_refuse('22023', 'a role is viewer, support, finance or admin, and a limit at least 0',
      'operator', 'Limits are whole credits; leave one out for no limit.');
  elsif not exists (select from auth.users where id = p_user_id)
    -- A shard's users sign in at its router, which knows them.
    and not exists (select from credits.shard where slot_groups <> '{}') then
    perform credits.operator_refuse('PT404', 'no such user', 'unknown_user', 'Pass the id of a user who signs in.');
  end if;
  insert into public.credit_operators as o (user_id, role, max_per_action, max_per_day)
  values (p_user_id, p_role::public.credit_operator_role, p_max_per_action, p_max_per_day)
  on conflict (user_id) do update set role = excluded.role, max_per_action = excluded.max_per_action,
    max_per_day = excluded.max_per_day, disabled_at = null;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, before, credits.operator_row(p_user_id)), null, null), false);
end;
$$;
comment on function public.operator_set(uuid, text, bigint, bigint, text, text) is
  'Makes a user an operator, or gives an operator another role or other limits; also one who was removed. Limits: '
  'null, none; 0, moves no credits. Raises 42501 for the caller''s own row.';

create function public.operator_remove(p_user_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('remove', p_reason, p_idempotency_key, array[p_user_id]);
  request credits.operator_request := row('remove', null, p_user_id::text,
    jsonb_build_object('user_id', p_user_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  before constant jsonb := credits.operator_row(p_user_id);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_other(operator, p_user_id);
  update public.credit_operators set disabled_at = coalesce(disabled_at, clock_timestamp())
  where user_id = p_user_id;
  if not found then
    perform credits.operator_refuse('PT404', 'no such operator', 'unknown_operator',
      'The table credit_operators lists them.');
  end if;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, before, credits.operator_row(p_user_id)), null, null), false);
end;
$$;
comment on function public.operator_remove(uuid, text, text) is
  'Ends what an operator may do and read, at once; what they did stays written. Raises 42501 for the caller''s own '
  'row, PT404 for a user who is no operator.';

create function public.operator_abilities()
returns table (action text, least_role public.credit_operator_role, moves_credits boolean, allowed boolean)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select r.action, r.least_role, r.moves_credits, r.least_role <= me.role
  from credits.operator_rights() as r cross join (select credits.operator_role() as role) as me
  where me.role is not null;
$$;
comment on function public.operator_abilities() is
  'What an operator may do: one row per action (function operator_<action>), with the least role, and whether the '
  'calling operator may. No row for who is no operator.';
