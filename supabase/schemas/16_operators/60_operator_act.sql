-- Gives: the one way in which an operator's action is done: gate, replay, movement, limit, trail.
-- Keeps: the limit goes by what the action really did; beyond it nothing of it stays, and it waits for approval.
-- Needs: operator accounts, operator operation.

create function credits.operator_perform(
  p_operator_id uuid, p_request credits.operator_request, p_ref text
)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return case p_request.action
    when 'grant' then credits.operator_does_grant(p_request, p_ref)
    when 'withdraw' then credits.operator_does_withdraw(p_request, p_ref)
    when 'reverse_grant' then credits.operator_does_reverse_grant(p_request)
    when 'refund_job' then credits.operator_does_refund_job(p_request)
    when 'cancel_job' then credits.operator_does_cancel_job(p_request)
    when 'set_plan' then credits.operator_does_set_plan(p_request, p_ref)
    when 'set_overdraft' then credits.operator_does_set_overdraft(p_request)
    when 'close_account' then credits.operator_does_close_account(p_request)
    when 'reopen_account' then credits.operator_does_reopen_account(p_request)
    when 'erase_account' then credits.operator_does_erase_account(p_request)
    when 'retry_event' then credits.operator_does_retry_event(p_request)
    when 'mute_alert' then credits.operator_does_mute_alert(p_request)
    when 'acknowledge_alert' then credits.operator_does_acknowledge_alert(p_request, p_operator_id)
    when 'book_payment' then credits.operator_does_book_payment(p_request)
    when 'fix_discrepancy' then credits.operator_does_fix_discrepancy(p_request)
  end;
end;
$$;
comment on function credits.operator_perform(uuid, credits.operator_request, text) is
  'Does what an operator asks for. p_ref: the action''s name in entries and grants, <operator>:<seq>.';

create function credits.operator_note(
  p_operator_id uuid, p_request credits.operator_request, p_effect credits.operator_effect, p_first_seq bigint,
  p_last_seq bigint
)
returns public.operator_actions
language plpgsql
set search_path = '', pg_temp
as $$
declare
  action public.operator_actions;
begin
  action.operator_id := p_operator_id;
  action.action := p_request.action;
  action.account_id := p_request.account_id;
  action.subject := p_request.subject;
  action.arguments := p_request.arguments;
  action.credits := p_effect.credits;
  action.first_seq := p_first_seq;
  action.last_seq := p_last_seq;
  action.before := p_effect.before;
  action.after := p_effect.after;
  action.reason := p_request.reason;
  action.idempotency_key := p_request.idempotency_key;
  action.approval_id := p_request.approval_id;
  return credits.action_append(action);
end;
$$;
comment on function credits.operator_note(uuid, credits.operator_request, credits.operator_effect, bigint, bigint) is
  'Writes an action into its operator''s trail.';

create function credits.operator_do(p_operator public.credit_operators, p_request credits.operator_request)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ref constant text := format('%s:%s', p_operator.user_id, p_operator.last_seq + 1);
  effect credits.operator_effect;
  since constant bigint := coalesce((
    select last_seq from public.credit_accounts where id = p_request.account_id), 0);
  entries record;
begin
  begin
    perform set_config('credits.operator_action', ref, true);
    effect := credits.operator_perform(p_operator.user_id, p_request, ref);
    if p_request.approval_id is null and not credits.operator_within_limits(p_operator, effect.credits) then
      raise exception using errcode = 'LIMIT';
    end if;
    perform set_config('credits.operator_action', '', true);
    -- A payment may have been nobody's until it was booked.
    p_request.account_id := coalesce(p_request.account_id, (
      select account_id from public.payments where key = p_request.subject));
    perform credits.operator_check_own(p_operator, p_request.account_id);
  exception when sqlstate 'LIMIT' then
    return credits.operator_ask(p_operator, p_request, effect.credits);
  end;
  select min(seq) as first_seq, max(seq) as last_seq into entries from public.credit_ledger
  where account_id = p_request.account_id and seq > since and metadata ->> 'operator_action' = ref;
  return credits.operator_answer(
    credits.operator_note(p_operator.user_id, p_request, effect, entries.first_seq, entries.last_seq), false);
end;
$$;
comment on function credits.operator_do(public.credit_operators, credits.operator_request) is
  'Does an action and writes it down. Above the operator''s limit, and not approved, it is undone and waits in '
  'operator_approvals. The caller holds the operator''s lock.';

create function credits.operator_act(
  p_action text, p_account_id uuid, p_subject text, p_arguments jsonb, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- An erasure also changes the row of an operator who is erased.
  operator public.credit_operators := credits.operator_enter(p_action, p_reason, p_idempotency_key,
    array[case when p_action = 'erase_account' then p_account_id end]);
  request credits.operator_request := row(p_action, p_account_id, p_subject, p_arguments, p_reason,
    p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_own(operator, p_account_id);
  return credits.operator_do(operator, request);
end;
$$;
comment on function credits.operator_act(text, uuid, text, jsonb, text, text) is
  'An operator''s action, from the gate to the trail. p_arguments: what the caller passed; a repeated key must come '
  'with the same.';
