-- Gives: operator_actions, who did what, why, and what was before and after; the check of its chains.
-- Keeps: append-only, gapless and hash-chained per operator, as the ledger is per account. A ledger entry that an
--   action caused names it (metadata operator_action), and the action names its entries.
-- Needs: operators.

create table public.operator_actions (
  operator_id uuid not null,
  seq bigint not null,
  action text not null,
  account_id uuid,
  subject text,
  arguments jsonb not null,
  credits bigint,
  first_seq bigint,
  last_seq bigint,
  before jsonb,
  after jsonb,
  reason text not null check (length(reason) between 10 and 1000),
  idempotency_key text not null check (length(idempotency_key) between 1 and 255),
  approval_id uuid,
  created_at timestamptz not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (operator_id, seq)
);
-- A repeated call finds its action (credits.operator_replay).
create unique index operator_actions_key on public.operator_actions (operator_id, idempotency_key);
-- What was done to an account: its timeline.
create index operator_actions_by_account on public.operator_actions (account_id, created_at)
  where account_id is not null;
-- The operator's day, which the limit counts.
create index operator_actions_by_time on public.operator_actions (operator_id, created_at);

comment on table public.operator_actions is
  'What operators did. Append-only and hash-chained per operator: UPDATE, DELETE and TRUNCATE raise; a change that '
  'gets past them breaks the chain (verify_operator_actions) and shows in reconciliation.';
comment on column public.operator_actions.seq is 'Number of the action within its operator: 1, 2, 3 … without a gap.';
comment on column public.operator_actions.action is 'The function operator_… without that prefix.';
comment on column public.operator_actions.account_id is 'The account that it was about; null: none.';
comment on column public.operator_actions.subject is
  'What it was about, if that is not the account: the id of a job, grant, event, alert, approval or operator, the key '
  'of a payment, the name of a rule.';
comment on column public.operator_actions.credits is
  'Credits given (> 0) or taken (< 0), or a higher overdraft; the limits count them. null: the action moves none.';
comment on column public.operator_actions.first_seq is
  'The account''s first ledger entry that it caused, and last_seq the last; null: none.';
comment on column public.operator_actions.before is 'What the action changed, as it was; equal to after: nothing.';
comment on column public.operator_actions.reason is
  'Why. Ledger entries repeat it (500 characters), where the account''s people read it; it stays when they are erased, '
  'so no personal data.';
comment on column public.operator_actions.approval_id is
  'Of an action above a limit: the row of operator_approvals by which a second operator approved it. Such an action '
  'does not count towards the day''s limit.';
comment on column public.operator_actions.hash is
  'SHA-256 over the hash of the operator''s previous row and every field of this one.';

create function credits.actions_are_append_only()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.raise_misuse('PT405', 'operator_actions is append-only',
    'What was done stays written: undo it by another action.');
end;
$$;
comment on function credits.actions_are_append_only() is 'Refuses a change of operator_actions; called by its rules.';

create rule operator_actions_no_update as
  on update to public.operator_actions do instead select credits.actions_are_append_only();
create rule operator_actions_no_delete as
  on delete to public.operator_actions do instead select credits.actions_are_append_only();

create function credits.actions_refuse_change()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.actions_are_append_only();
  return null;
end;
$$;
comment on function credits.actions_refuse_change() is 'Refuses a change of operator_actions; called by its triggers.';
create trigger operator_actions_refuse_change before update or delete on public.operator_actions
  for each row execute function credits.actions_refuse_change();
create trigger operator_actions_refuse_truncate before truncate on public.operator_actions
  for each statement execute function credits.actions_refuse_change();
alter table public.operator_actions enable always trigger operator_actions_refuse_change;
alter table public.operator_actions enable always trigger operator_actions_refuse_truncate;

alter table public.operator_actions enable row level security;

create function credits.action_hash(p_previous bytea, p_action public.operator_actions)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- As credits.entry_hash: record_send, and text as bytes.
  return sha256(coalesce(p_previous, decode(repeat('00', 32), 'hex')) || record_send(row(
    p_action.operator_id, p_action.seq, convert_to(p_action.action, 'UTF8'), p_action.account_id,
    convert_to(p_action.subject, 'UTF8'), convert_to(p_action.arguments::text, 'UTF8'), p_action.credits,
    p_action.first_seq, p_action.last_seq, convert_to(p_action.before::text, 'UTF8'),
    convert_to(p_action.after::text, 'UTF8'), convert_to(p_action.reason, 'UTF8'),
    convert_to(p_action.idempotency_key, 'UTF8'), p_action.approval_id, p_action.created_at)));
end;
$$;
comment on function credits.action_hash(bytea, public.operator_actions) is
  'The hash that an action must have after one with hash p_previous (null: the first).';

create function credits.action_append(p_action public.operator_actions)
returns public.operator_actions
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
begin
  select * into strict operator from public.credit_operators where user_id = p_action.operator_id for update;
  p_action.seq := operator.last_seq + 1;
  p_action.created_at := clock_timestamp();
  p_action.hash := credits.action_hash(operator.last_hash, p_action);
  insert into public.operator_actions (operator_id, seq, action, account_id, subject, arguments, credits, first_seq,
    last_seq, before, after, reason, idempotency_key, approval_id, created_at, hash)
  values (p_action.operator_id, p_action.seq, p_action.action, p_action.account_id, p_action.subject,
    p_action.arguments, p_action.credits, p_action.first_seq, p_action.last_seq, p_action.before, p_action.after,
    p_action.reason, p_action.idempotency_key, p_action.approval_id, p_action.created_at, p_action.hash);
  update public.credit_operators set last_seq = p_action.seq, last_hash = p_action.hash
  where user_id = p_action.operator_id;
  return p_action;
end;
$$;
comment on function credits.action_append(public.operator_actions) is
  'Appends an action to its operator''s chain, and returns it with number, time and hash.';

create type public.operator_chain_result as (
  operator_id uuid,
  sound boolean,
  checked bigint,
  broken_seq bigint,
  problem text
);
comment on type public.operator_chain_result is
  'The result of verify_operator_actions: whether the chain is sound, how many actions were checked, and otherwise the '
  'first broken one and its problem: gap, hash, or end (the chain ends before or beyond what credit_operators says).';

create view credits.action_links
with (security_invoker = true)
as
select a.operator_id, a.seq, a.hash,
  -- credits.action_hash inlined: a call per action would cost ten times as much.
  coalesce(a.hash = sha256(coalesce(p.hash, case when a.seq = 1 then decode(repeat('00', 32), 'hex') end)
    || record_send(row(
    a.operator_id, a.seq, convert_to(a.action, 'UTF8'), a.account_id, convert_to(a.subject, 'UTF8'),
    convert_to(a.arguments::text, 'UTF8'), a.credits, a.first_seq, a.last_seq, convert_to(a.before::text, 'UTF8'),
    convert_to(a.after::text, 'UTF8'), convert_to(a.reason, 'UTF8'), convert_to(a.idempotency_key, 'UTF8'),
    a.approval_id, a.created_at))), false) as follows
from public.operator_actions as a
left join public.operator_actions as p on p.operator_id = a.operator_id and p.seq = a.seq - 1;
comment on view credits.action_links is 'Whether each action follows from the one before it.';

create function credits.action_chain(p_operator_id uuid)
returns public.operator_chain_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
  last_action public.operator_actions;
  result public.operator_chain_result := row(p_operator_id, true, 0, null, null);
begin
  select min(l.seq) filter (where not l.follows), count(*) into result.broken_seq, result.checked
  from credits.action_links as l where l.operator_id = p_operator_id;
  select * into last_action from public.operator_actions
  where operator_id = p_operator_id and (result.broken_seq is null or seq < result.broken_seq)
  order by seq desc limit 1;
  select * into operator from public.credit_operators where user_id = p_operator_id;
  if result.broken_seq is not null then
    result.problem := case when result.broken_seq = coalesce(last_action.seq, 0) + 1 then 'hash' else 'gap' end;
    result.broken_seq := coalesce(last_action.seq, 0) + 1;
    result.checked := coalesce(last_action.seq, 0);
  elsif (operator.last_seq, operator.last_hash) is distinct from
    (coalesce(last_action.seq, 0), coalesce(last_action.hash, decode(repeat('00', 32), 'hex'))) then
    result.broken_seq := least(coalesce(operator.last_seq, result.checked), result.checked) + 1;
    result.problem := 'end';
  end if;
  result.sound := result.problem is null;
  return result;
end;
$$;
comment on function credits.action_chain(uuid) is
  'Whether an operator''s actions follow from each other and end where credit_operators says. Locks nothing.';

create function public.verify_operator_actions(p_operator_id uuid)
returns public.operator_chain_result
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('verify_operator_actions');
  if not exists (select from public.credit_operators where user_id = p_operator_id)
    and not exists (select from public.operator_actions where operator_id = p_operator_id) then
    perform credits.raise_misuse('PT404', 'no such operator', 'The table credit_operators lists them.');
  end if;
  return credits.action_chain(p_operator_id);
end;
$$;
comment on function public.verify_operator_actions(uuid) is
  'Recomputes an operator''s hash chain and names the first broken action. Raises PT404 for an unknown operator.';
