-- Gives: what operators' actions that move credits do: grant, withdraw, reverse a grant, refund and cancel a job.
-- Keeps: each calls the service's own function, and says what changed.
-- Needs: operator approvals, cancel, revocation, withdrawal; table auth.users.

create type credits.operator_effect as (
  credits bigint,
  before jsonb,
  after jsonb
);
comment on type credits.operator_effect is
  'What an action did. credits: given (> 0) or taken (< 0); null: it moves none. before and after are equal where '
  'nothing changed.';

create function credits.account_state(p_account_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('balance', balance, 'debt', debt, 'credit_limit', credit_limit,
    'lowered_credit_limit', lowered_credit_limit, 'plan', plan, 'closed_at', closed_at)
  from public.credit_accounts where id = p_account_id;
$$;
comment on function credits.account_state(uuid) is 'What operators'' actions change of an account.';

create function credits.overdraft_given(p_effect credits.operator_effect)
returns bigint
language sql
immutable
set search_path = '', pg_temp
as $$
  -- One that is being lowered counts as what it falls to.
  select greatest(0, coalesce(p_effect.after ->> 'lowered_credit_limit', p_effect.after ->> 'credit_limit')::bigint
    - coalesce(p_effect.before ->> 'lowered_credit_limit', p_effect.before ->> 'credit_limit')::bigint);
$$;
comment on function credits.overdraft_given(credits.operator_effect) is
  'By how much an action raised an account''s overdraft, from its states before and after.';

create function credits.operator_account_lock(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A user without an account gets one; an id that is nobody's does not.
  if not exists (select from public.credit_accounts where id = p_account_id)
    and not exists (select from auth.users where id = p_account_id) then
    perform credits.operator_refuse('PT404', 'no such account', 'unknown_account',
      'Pass the account''s id; for a person, the auth user''s id.');
  end if;
  perform credits.account_lock(p_account_id);
end;
$$;
comment on function credits.operator_account_lock(uuid) is
  'Locks the account of an action. Raises PT404 for an id that is neither an account''s nor a user''s.';

create function credits.operator_does_grant(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  granted public.credit_grant_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  granted := public.grant_credits(p_request.account_id, (p_request.arguments ->> 'credits')::bigint,
    left(p_request.reason, 500), p_expires_at => (p_request.arguments ->> 'expires_at')::timestamptz,
    p_external_ref => 'operator:' || p_ref);
  effect.after := credits.account_state(p_request.account_id) || jsonb_build_object('grant_id', granted.grant_id);
  effect.credits := granted.amount;
  return effect;
end;
$$;
comment on function credits.operator_does_grant(credits.operator_request, text) is
  'grant_credits; its external_ref names the action.';

create function credits.operator_does_withdraw(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  taken public.credit_withdrawal_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  taken := public.withdraw_credits(p_request.account_id, (p_request.arguments ->> 'credits')::bigint,
    p_reason => left(p_request.reason, 500), p_external_ref => 'operator:' || p_ref);
  effect.after := credits.account_state(p_request.account_id);
  effect.credits := -taken.withdrawn;
  return effect;
end;
$$;
comment on function credits.operator_does_withdraw(credits.operator_request, text) is
  'withdraw_credits: what is there, at most; its external_ref names the action.';

create function credits.operator_does_reverse_grant(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  grant_id constant bigint := (p_request.arguments ->> 'grant_id')::bigint;
  reversed bigint;
  result public.credit_reversal_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  select g.reversed into reversed from public.credit_grants as g
  where g.account_id = p_request.account_id and g.id = grant_id;
  effect.before := credits.account_state(p_request.account_id) || jsonb_build_object('reversed', reversed);
  result := public.reverse_grant(p_request.account_id, grant_id, (p_request.arguments ->> 'target')::bigint,
    left(p_request.reason, 500));
  effect.after := credits.account_state(p_request.account_id) || jsonb_build_object('reversed', result.reversed);
  effect.credits := reversed - result.reversed;
  return effect;
end;
$$;
comment on function credits.operator_does_reverse_grant(credits.operator_request) is
  'reverse_grant. credits: by how much the target moved; a part of it may be a debt.';

create function credits.job_state(p_job_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.account_state(j.account_id) || jsonb_build_object('status', j.status, 'cost', j.cost, 'refunded',
    j.refunded)
  from public.generation_jobs as j where j.id = p_job_id;
$$;
comment on function credits.job_state(uuid) is 'What operators'' actions change of a job and its account.';

create function credits.operator_does_refund_job(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  job public.generation_jobs := credits.job_lock((p_request.arguments ->> 'job_id')::uuid);
begin
  effect.before := credits.job_state(job.id);
  perform public.refund_credits(job.id, (p_request.arguments ->> 'credits')::bigint, left(p_request.reason, 500));
  effect.after := credits.job_state(job.id);
  effect.credits := (effect.after ->> 'refunded')::bigint - job.refunded;
  return effect;
end;
$$;
comment on function credits.operator_does_refund_job(credits.operator_request) is
  'refund_credits. A part with the same amount and reason as one before it is unchanged.';

create function credits.operator_does_cancel_job(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  job public.generation_jobs := credits.job_lock((p_request.arguments ->> 'job_id')::uuid);
  answer public.generation_job_result;
begin
  effect.before := credits.job_state(job.id);
  answer := public.cancel_generation(job.id);
  if answer.code in ('job_running', 'cancels_used_up') then
    perform credits.operator_refuse('PT409', 'this job cannot be canceled now', answer.code,
      'operator_refund_job ends and refunds it all the same.');
  end if;
  effect.after := credits.job_state(job.id) || case when answer.code = 'cancel_requested'
    then jsonb_build_object('cancel_requested', true) else '{}' end;
  effect.credits := (effect.after ->> 'refunded')::bigint - job.refunded;
  return effect;
end;
$$;
comment on function credits.operator_does_cancel_job(credits.operator_request) is
  'cancel_generation. Raises PT409 for a job that cannot be canceled (detail: job_running, cancels_used_up).';
