-- Gives: operator_approvals, the actions above a limit that wait for a second operator; what an action answers.
-- Keeps: one idempotency key of an operator is one action or one request, however often it is sent.
-- Needs: operator gate.

create table public.operator_approvals (
  id uuid primary key default gen_random_uuid(),
  operator_id uuid not null,
  action text not null,
  account_id uuid,
  subject text,
  arguments jsonb not null,
  credits bigint not null,
  reason text not null,
  idempotency_key text not null,
  state text not null default 'waiting' check (state in ('waiting', 'approved', 'rejected', 'expired')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '7 days',
  decided_by uuid,
  decided_at timestamptz,
  decision_reason text,
  constraint approval_is_decided check ((state in ('approved', 'rejected')) = (decided_by is not null)),
  unique (operator_id, idempotency_key)
);
-- What waits: the console, and apply_retention.
create index operator_approvals_waiting on public.operator_approvals (expires_at) where state = 'waiting';
comment on table public.operator_approvals is
  'Actions above their operator''s limit. A second operator of the same role or higher approves (then the action is '
  'done, under the first one''s name) or rejects.';
comment on column public.operator_approvals.operator_id is 'Who asked for it.';
comment on column public.operator_approvals.credits is
  'Credits that it would have given (> 0) or taken (< 0) when it was asked for.';
comment on column public.operator_approvals.state is
  'waiting beyond expires_at counts as expired; the retention task writes it.';
alter table public.operator_approvals enable row level security;

create type public.operator_result as (
  code text,
  operator_id uuid,
  action_seq bigint,
  approval_id uuid,
  replayed boolean,
  account_id uuid,
  balance bigint,
  details jsonb
);
comment on type public.operator_result is
  'What an operator function answers. code: done; unchanged (it was so already); waiting_for_approval (above a limit: '
  'approval_id). action_seq: the row of operator_actions. replayed: the same call was answered before, and nothing was '
  'done. balance: the account''s now. details: credits, before, after, first_seq and last_seq of that row.';

create type credits.operator_request as (
  action text,
  account_id uuid,
  subject text,
  arguments jsonb,
  reason text,
  idempotency_key text,
  approval_id uuid
);
comment on type credits.operator_request is 'What an operator asks for. approval_id: it was approved.';

create function credits.operator_answer(p_action public.operator_actions, p_replayed boolean)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.operator_result;
begin
  result.code := case when p_action.before is not distinct from p_action.after then 'unchanged' else 'done' end;
  result.operator_id := p_action.operator_id;
  result.action_seq := p_action.seq;
  result.approval_id := p_action.approval_id;
  result.replayed := p_replayed;
  result.account_id := p_action.account_id;
  result.balance := (select balance from public.credit_accounts where id = p_action.account_id);
  result.details := jsonb_build_object('credits', p_action.credits, 'before', p_action.before, 'after',
    p_action.after, 'first_seq', p_action.first_seq, 'last_seq', p_action.last_seq);
  return result;
end;
$$;
comment on function credits.operator_answer(public.operator_actions, boolean) is 'The answer for an action.';

create function credits.approval_answer(p_approval public.operator_approvals, p_replayed boolean)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.operator_result;
begin
  if p_approval.state <> 'waiting' or p_approval.expires_at <= clock_timestamp() then
    perform credits.operator_refuse('PT409', 'this request was rejected or has expired',
      case p_approval.state when 'waiting' then 'expired' else p_approval.state end,
      'Ask again, with another idempotency key.');
  end if;
  result.code := 'waiting_for_approval';
  result.operator_id := p_approval.operator_id;
  result.approval_id := p_approval.id;
  result.replayed := p_replayed;
  result.account_id := p_approval.account_id;
  result.balance := (select balance from public.credit_accounts where id = p_approval.account_id);
  result.details := jsonb_build_object('credits', p_approval.credits, 'expires_at', p_approval.expires_at);
  return result;
end;
$$;
comment on function credits.approval_answer(public.operator_approvals, boolean) is
  'The answer for a request that waits. Raises PT409 for one that was rejected or has expired.';

create function credits.operator_replay(p_operator_id uuid, p_request credits.operator_request)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  done public.operator_actions;
  asked public.operator_approvals;
begin
  select * into done from public.operator_actions
  where operator_id = p_operator_id and idempotency_key = p_request.idempotency_key;
  select * into asked from public.operator_approvals
  where operator_id = p_operator_id and idempotency_key = p_request.idempotency_key;
  if done.operator_id is null and asked.id is null then
    return null;
  end if;
  if (coalesce(done.action, asked.action), coalesce(done.arguments, asked.arguments),
      coalesce(done.reason, asked.reason))
    is distinct from (p_request.action, p_request.arguments, p_request.reason) then
    perform credits.operator_refuse('PT409', 'this idempotency key was used for another action', 'key_reused',
      'Make a new key for each action.');
  elsif done.operator_id is not null then
    return credits.operator_answer(done, true);
  end if;
  return credits.approval_answer(asked, true);
end;
$$;
comment on function credits.operator_replay(uuid, credits.operator_request) is
  'The answer that an operator''s idempotency key already has, or null. Raises PT409 where it stands for another '
  'action, or for a request that was rejected or has expired. The caller holds the operator''s lock.';

create function credits.operator_ask(
  p_operator public.credit_operators, p_request credits.operator_request, p_credits bigint
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  approval public.operator_approvals;
begin
  insert into public.operator_approvals (operator_id, action, account_id, subject, arguments, credits, reason,
    idempotency_key)
  values (p_operator.user_id, p_request.action, p_request.account_id, p_request.subject, p_request.arguments,
    p_credits, p_request.reason, p_request.idempotency_key)
  returning * into approval;
  return credits.approval_answer(approval, false);
end;
$$;
comment on function credits.operator_ask(public.credit_operators, credits.operator_request, bigint) is
  'Lets an action that is above its operator''s limit wait for a second operator.';
