-- Gives: operator_approve and operator_reject, by which a second operator decides on an action above a limit.
-- Keeps: an approved action is done once, under the first one's name, by the rules of the moment; nobody approves their
--   own, nor decides on an account of their own. It moves no more than was asked for.
-- Needs: operator act.

create function credits.approval_lock(p_approval_id uuid, p_operator public.credit_operators)
returns public.operator_approvals
language plpgsql
set search_path = '', pg_temp
as $$
declare
  approval public.operator_approvals;
begin
  select * into approval from public.operator_approvals where id = p_approval_id for update;
  if not found then
    perform credits.operator_refuse('PT404', 'no such request', 'unknown_approval',
      'The table operator_approvals lists them.');
  elsif approval.state <> 'waiting' or approval.expires_at <= clock_timestamp() then
    perform credits.operator_refuse('PT409', 'this request waits no more',
      case approval.state when 'waiting' then 'expired' else approval.state end, 'Ask again for the action.');
  elsif p_operator.user_id <> approval.operator_id and p_operator.role < (
    select role from public.credit_operators where user_id = approval.operator_id) then
    perform credits.operator_refuse('42501', 'who decides needs the role of the one who asks, or a higher one',
      'role_too_low', 'Ask another operator.');
  end if;
  return approval;
end;
$$;
comment on function credits.approval_lock(uuid, public.credit_operators) is
  'Locks a request that waits. Raises PT404, PT409 where it waits no more, 42501 for an operator of a lower role than '
  'its own. The caller holds the locks of both operators.';

create function credits.approval_asker(p_approval public.operator_approvals, p_approver public.credit_operators)
returns public.credit_operators
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  asker public.credit_operators;
begin
  if p_approval.operator_id = p_approver.user_id then
    perform credits.operator_refuse('42501', 'nobody approves their own request', 'own_request',
      'Ask a second operator.');
  end if;
  perform credits.operator_check_own(p_approver, p_approval.account_id);
  -- Beyond its own limits an approver may go: two have answered for it. Not one whose limit is 0.
  perform credits.operator_within_limits(p_approver, p_approval.credits);
  select * into asker from public.credit_operators where user_id = p_approval.operator_id and disabled_at is null;
  if not found or asker.role < (select least_role from credits.operator_rights() where action = p_approval.action)
    or asker.max_per_action = 0 or asker.max_per_day = 0 then
    perform credits.operator_refuse('PT409', 'who asked for this may not do it any more', 'asker_disabled',
      'Reject it.');
  end if;
  perform credits.operator_check_own(asker, p_approval.account_id);
  return asker;
end;
$$;
comment on function credits.approval_asker(public.operator_approvals, public.credit_operators) is
  'Who asked for an action, where the approver may approve it and the asker still may do it.';

create function credits.approval_decide(
  p_approval public.operator_approvals, p_operator_id uuid, p_state text, p_request credits.operator_request,
  p_details jsonb
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.operator_approvals
  set state = p_state, decided_by = p_operator_id, decided_at = clock_timestamp(), decision_reason = p_request.reason
  where id = p_approval.id;
  p_request.account_id := p_approval.account_id;
  p_request.approval_id := p_approval.id;
  return credits.operator_answer(credits.operator_note(p_operator_id, p_request,
    row(null, jsonb_build_object('state', 'waiting'), jsonb_build_object('state', p_state) || p_details), null, null),
    false);
end;
$$;
comment on function credits.approval_decide(public.operator_approvals, uuid, text, credits.operator_request, jsonb) is
  'Notes a decision in the request and in the trail of the operator who decided.';

create function public.operator_approve(p_approval_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  approver public.credit_operators := credits.operator_enter('approve', p_reason, p_idempotency_key,
    array(select operator_id from public.operator_approvals where id = p_approval_id));
  request credits.operator_request := row('approve', null, p_approval_id::text,
    jsonb_build_object('approval_id', p_approval_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(approver.user_id, request);
  approval public.operator_approvals;
  done public.operator_result;
begin
  if result.replayed then
    return result;
  end if;
  approval := credits.approval_lock(p_approval_id, approver);
  done := credits.operator_do(credits.approval_asker(approval, approver), row(approval.action, approval.account_id,
    approval.subject, approval.arguments, approval.reason, approval.idempotency_key, approval.id));
  if (done.details ->> 'credits')::bigint not between least(approval.credits, 0) and greatest(approval.credits, 0) then
    perform credits.operator_refuse('PT409', 'it would move more credits than were asked for', 'more_than_asked',
      'Reject it, and let it be asked for again.');
  end if;
  return credits.approval_decide(approval, approver.user_id, 'approved', request, jsonb_build_object(
    'code', done.code, 'operator_id', done.operator_id, 'action_seq', done.action_seq, 'credits',
    done.details -> 'credits'));
end;
$$;
comment on function public.operator_approve(uuid, text, text) is
  'Approves another operator''s action above their limit, which is done at once under their name. details.after names '
  'it. Raises what the action raises now (an account closed meanwhile), and then it goes on waiting; PT409 for a '
  'request that waits no more, or would move more credits than were asked for; 42501 for one''s own request or '
  'account.';

create function public.operator_reject(p_approval_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('reject', p_reason, p_idempotency_key,
    array(select operator_id from public.operator_approvals where id = p_approval_id));
  request credits.operator_request := row('reject', null, p_approval_id::text,
    jsonb_build_object('approval_id', p_approval_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  approval public.operator_approvals;
begin
  if result.replayed then
    return result;
  end if;
  approval := credits.approval_lock(p_approval_id, operator);
  if approval.operator_id <> operator.user_id then
    perform credits.operator_check_own(operator, approval.account_id);
  end if;
  return credits.approval_decide(approval, operator.user_id, 'rejected', request, '{}');
end;
$$;
comment on function public.operator_reject(uuid, text, text) is
  'Rejects an action that waits for approval; who asked for it may take it back by this. Raises PT409 for a request '
  'that waits no more, 42501 for another''s on one''s own account.';
