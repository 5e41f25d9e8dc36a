-- Gives: the gate that every operator function passes: role, second factor, reason, key, own accounts, limits.
-- Keeps: role and limits are read live, under the lock of the operator's row, so two windows at once keep a limit. No
--   support or finance operator moves credits to an account of their own.
-- Needs: operator actions, accounts; function auth.jwt.

create function credits.operator_role()
returns public.credit_operator_role
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select role from public.credit_operators where user_id = (select auth.uid()) and disabled_at is null;
$$;
comment on function credits.operator_role() is 'The role of the calling user as an operator; null: none.';

create function credits.operator_refuse(p_code text, p_message text, p_detail text, p_hint text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  raise exception using errcode = p_code, message = p_message, detail = p_detail, hint = p_hint;
end;
$$;
comment on function credits.operator_refuse(text, text, text, text) is
  'Raises what an operator may not do; p_detail is a stable word that the console goes by.';

create function credits.operator_who_may(p_action text)
returns public.credit_operators
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
  least_role public.credit_operator_role := (
    select r.least_role from credits.operator_rights() as r where r.action = p_action);
begin
  select * into operator from public.credit_operators where user_id = auth.uid() and disabled_at is null;
  if operator.user_id is null then
    perform credits.operator_refuse('42501', 'this user is not an operator', 'not_an_operator',
      'An admin makes operators: operator_set.');
  elsif least_role is null or operator.role < least_role then
    perform credits.operator_refuse('42501', format('%s needs the role %s, and this operator''s is %s', p_action,
      least_role, operator.role), 'role_too_low', 'Ask an operator with that role.');
  elsif auth.jwt() ->> 'aal' is distinct from 'aal2' then
    perform credits.operator_refuse('PT403', 'a second factor is needed', 'aal2_required',
      'Set up or confirm the second factor, then call again with the new token.');
  end if;
  return operator;
end;
$$;
comment on function credits.operator_who_may(text) is
  'The calling operator, where they may do p_action; else raises 42501, or PT403 without aal2.';

create function credits.is_reason(p_text text)
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  -- What nobody sees (blanks, control characters, characters of no width) counts as one blank in a row.
  select length(p_text) <= 1000 and length(btrim(regexp_replace(p_text, '[\s\u0001-\u0020\u007f-\u00a0\u00ad\u034f'
    '\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164'
    '\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]+', ' ', 'g'))) >= 10;
$$;
comment on function credits.is_reason(text) is 'Whether a text is a reason: 10 to 1000 characters that one can see.';

create function credits.operator_enter(p_action text, p_reason text, p_key text, p_others uuid[] default '{}')
returns public.credit_operators
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
begin
  -- Before it locks anybody: who may not do it neither waits for an operator nor makes one wait.
  perform credits.operator_who_may(p_action);
  perform from public.credit_operators where user_id = any (p_others || auth.uid()) order by user_id for update;
  operator := credits.operator_who_may(p_action);
  if credits.is_reason(p_reason) is not true then
    perform credits.operator_refuse('22023', 'a reason of 10 to 1000 characters is needed', 'reason',
      'Say why: the account''s people and other operators read it.');
  elsif p_key is null or length(p_key) not between 1 and 255 then
    perform credits.operator_refuse('22023', 'an idempotency key of 1 to 255 characters is needed', 'idempotency_key',
      'Make one (a UUID) for each action, and repeat a call with the same one.');
  end if;
  return operator;
end;
$$;
comment on function credits.operator_enter(text, text, text, uuid[]) is
  'Locks the calling operator''s row, and those of p_others, the lower id first. Returns it where the operator may do '
  'p_action, else raises: 42501, PT403 without aal2, 22023 for reason or key.';

create function credits.operator_check_own(p_operator public.credit_operators, p_account_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_operator.role < 'admin' and (p_operator.user_id = p_account_id
    or exists (select from public.credit_accounts where id = p_account_id and user_id = p_operator.user_id)
    or exists (select from public.account_members
      where account_id = p_account_id and user_id = p_operator.user_id)) then
    perform credits.operator_refuse('42501', 'this account is the operator''s own', 'own_account',
      'Ask an operator who has no part in it.');
  end if;
end;
$$;
comment on function credits.operator_check_own(public.credit_operators, uuid) is
  'Raises 42501 for an account that an operator below admin owns or is a member of.';

create function credits.operator_used_today(p_operator_id uuid)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(abs(credits)), 0)::bigint from public.operator_actions
  where operator_id = p_operator_id and approval_id is null
    and created_at >= date_trunc('day', clock_timestamp() at time zone 'utc') at time zone 'utc';
$$;
comment on function credits.operator_used_today(uuid) is
  'Credits that an operator has given and taken since midnight (UTC), without what was approved.';

create function credits.operator_used_elsewhere()
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- It can only lower what may still be moved.
  select greatest(coalesce(nullif(current_setting('credits.operator_used_elsewhere', true), ''), '0')::bigint, 0);
$$;
comment on function credits.operator_used_elsewhere() is
  'Credits that the calling operator has given and taken today on other shards, as their router says; else 0.';

create function credits.operator_within_limits(p_operator public.credit_operators, p_credits bigint)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if coalesce(p_credits, 0) = 0 then
    return true;
  elsif p_operator.max_per_action = 0 or p_operator.max_per_day = 0 then
    perform credits.operator_refuse('PT403', 'this operator moves no credits', 'limit_exceeded',
      'An admin sets the limits: operator_set.');
  end if;
  return coalesce(abs(p_credits) <= p_operator.max_per_action, true)
    and coalesce(abs(p_credits) <= p_operator.max_per_day - credits.operator_used_today(p_operator.user_id)
      - credits.operator_used_elsewhere(), true);
end;
$$;
comment on function credits.operator_within_limits(public.credit_operators, bigint) is
  'Whether credits are within the operator''s limits an action and a day; false: a second operator has to approve. '
  'Raises PT403 where a limit is 0. The caller holds the operator''s lock.';
