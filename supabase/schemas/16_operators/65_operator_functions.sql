-- Gives: the functions by which the console writes, one per action.
-- Keeps: nothing is done here: each names its account and arguments, and the one way does the rest.
-- Needs: operator act.

create function public.operator_grant(
  p_account_id uuid, p_credits bigint, p_expires_at timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- Times stand in the arguments, which a repeated call is compared by.
set timezone = 'UTC'
as $$
begin
  return credits.operator_act('grant', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credits', p_credits, 'expires_at', p_expires_at),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_grant(uuid, bigint, timestamptz, text, text) is
  'Grants credits to an account (grant_credits). p_expires_at null: they never expire.';

create function public.operator_withdraw(
  p_account_id uuid, p_credits bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('withdraw', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credits', p_credits),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_withdraw(uuid, bigint, text, text) is
  'Takes credits out of an account, at most what is there (withdraw_credits).';

create function public.operator_reverse_grant(
  p_account_id uuid, p_grant_id bigint, p_target bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('reverse_grant', p_account_id,
    p_grant_id::text, jsonb_build_object('account_id', p_account_id, 'grant_id', p_grant_id, 'target', p_target),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_reverse_grant(uuid, bigint, bigint, text, text) is
  'Takes a grant back, up to p_target credits in all; null: all of it (reverse_grant).';

create function public.operator_refund_job(
  p_job_id uuid, p_credits bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('refund_job',
    (select j.account_id from public.generation_jobs as j where j.id = p_job_id), p_job_id::text,
    jsonb_build_object('job_id', p_job_id, 'credits', p_credits),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_refund_job(uuid, bigint, text, text) is
  'Refunds a job; p_credits null: all that is left (refund_credits).';

create function public.operator_cancel_job(
  p_job_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('cancel_job',
    (select j.account_id from public.generation_jobs as j where j.id = p_job_id), p_job_id::text,
    jsonb_build_object('job_id', p_job_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_cancel_job(uuid, text, text) is
  'Cancels a job (cancel_generation). Raises PT409 where it runs and cannot be stopped.';

create function public.operator_set_plan(
  p_account_id uuid, p_plan text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('set_plan', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'plan', p_plan),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_set_plan(uuid, text, text, text) is
  'Puts an account on a plan (set_account_plan).';

create function public.operator_set_overdraft(
  p_account_id uuid, p_credit_limit bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('set_overdraft', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credit_limit', p_credit_limit),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_set_overdraft(uuid, bigint, text, text) is
  'Sets how far below zero an account''s balance may go.';

create function public.operator_close_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('close_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_close_account(uuid, text, text) is
  'Closes an account: nothing is charged or granted; its credits stay.';

create function public.operator_reopen_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('reopen_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_reopen_account(uuid, text, text) is
  'Opens a closed account again. Raises PT409 for one that was erased, whose person was deleted or that a dispute '
  'freezes.';

create function public.operator_erase_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('erase_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_erase_account(uuid, text, text) is
  'Erases a person''s or a team''s data, and closes the account (erase_account).';

create function public.operator_retry_event(
  p_event_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('retry_event',
    (select e.account_id from public.credit_events as e where e.id = p_event_id), p_event_id::text,
    jsonb_build_object('event_id', p_event_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_retry_event(uuid, text, text) is
  'Offers an event again that was given up.';

create function public.operator_mute_alert(
  p_rule text, p_until timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- Times stand in the arguments, which a repeated call is compared by.
set timezone = 'UTC'
as $$
begin
  return credits.operator_act('mute_alert', null,
    p_rule, jsonb_build_object('rule', p_rule, 'until', p_until),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_mute_alert(text, timestamptz, text, text) is
  'Keeps a rule''s alerts unannounced until p_until; null: unmutes it (mute_alert_rule).';

create function public.operator_acknowledge_alert(
  p_alert_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('acknowledge_alert', null,
    p_alert_id::text, jsonb_build_object('alert_id', p_alert_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_acknowledge_alert(uuid, text, text) is
  'Notes that the operator handles an alert (acknowledge_alert).';

create function public.operator_book_payment(
  p_payment_id text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('book_payment',
    (select p.account_id from public.payments as p where p.key = p_payment_id), p_payment_id,
    jsonb_build_object('payment_id', p_payment_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_book_payment(text, text, text) is
  'Books a waiting payment (retry_payment). p_payment_id: payments.key.';

create function credits.discrepancy_account(p_class text, p_subject text)
returns uuid
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_class in ('job', 'job refund') then
    -- Another text is refused behind the gate.
    return (select account_id from public.generation_jobs
      where id = case when p_subject ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_subject::uuid end);
  end if;
  return (select account_id from public.payments where key = p_subject);
end;
$$;
comment on function credits.discrepancy_account(text, text) is 'The account of a discrepancy that can be fixed.';

create function public.operator_fix_discrepancy(
  p_class text, p_subject text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('fix_discrepancy', credits.discrepancy_account(p_class, p_subject),
    p_subject, jsonb_build_object('class', p_class, 'subject', p_subject),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_fix_discrepancy(text, text, text, text) is
  'Fixes a discrepancy where a function can (operator_fixes), by its class (invariant) and the job''s id or the '
  'payment''s key. Raises 22023 with the remedy for another class.';
