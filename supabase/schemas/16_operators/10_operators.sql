-- Gives: operators, the people who help customers, what each role may do, and their limits.
-- Keeps: who may do what stands here once; SQL and the console read the same list.
-- Needs: foundation; table auth.users.

create type public.credit_operator_role as enum ('viewer', 'support', 'finance', 'admin');
comment on type public.credit_operator_role is
  'What an operator may do; each role may do what the ones before it may. viewer: reads. support: grants, withdraws '
  'and refunds within limits. finance: takes back, sets plans and overdrafts, books payments. admin: closes and '
  'erases accounts, and says who is an operator.';

create table public.credit_operators (
  user_id uuid primary key,
  role public.credit_operator_role not null,
  max_per_action bigint check (max_per_action between 0 and 1000000000000),
  max_per_day bigint check (max_per_day between 0 and 1000000000000000),
  note text check (length(note) <= 500),
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  last_seq bigint not null default 0,
  last_hash bytea not null default decode(repeat('00', 32), 'hex') check (octet_length(last_hash) = 32)
);
comment on table public.credit_operators is
  'Who may help customers. The first is inserted by SQL; then operator_set and operator_remove. The row is a lock: '
  'every operator function locks its operator''s row first.';
comment on column public.credit_operators.user_id is
  'The auth user. No foreign key: what an operator did outlives the user.';
comment on column public.credit_operators.max_per_action is
  'Most credits that one action may give or take; beyond it the action waits for a second operator. null: no limit. '
  '0: moves no credits at all.';
comment on column public.credit_operators.max_per_day is
  'Most credits that the actions of a day (UTC) may give and take in all, without those that were approved. null: no '
  'limit. 0: moves no credits at all.';
comment on column public.credit_operators.note is 'Who this is, for the other operators; deleted with the user.';
comment on column public.credit_operators.disabled_at is
  'Since when this operator may do and read nothing; the row stays, as operator_actions names it.';
comment on column public.credit_operators.last_seq is 'Number of the operator''s latest row of operator_actions.';
comment on column public.credit_operators.last_hash is 'Hash of that row; 32 zero bytes before the first.';
alter table public.credit_operators enable row level security;

create function credits.operator_rights()
returns table (action text, least_role public.credit_operator_role, moves_credits boolean)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  ('grant', 'support'::public.credit_operator_role, true),
  ('withdraw', 'support', true),
  ('refund_job', 'support', true),
  ('cancel_job', 'support', true),
  ('acknowledge_alert', 'support', false),
  ('retry_event', 'support', false),
  ('approve', 'support', false),
  ('reject', 'support', false),
  ('reverse_grant', 'finance', true),
  ('set_plan', 'finance', true),
  ('set_overdraft', 'finance', true),
  ('fix_discrepancy', 'finance', true),
  ('book_payment', 'finance', false),
  ('mute_alert', 'admin', false),
  ('close_account', 'admin', false),
  ('reopen_account', 'admin', false),
  ('erase_account', 'admin', false),
  ('set', 'admin', false),
  ('remove', 'admin', false);
$$;
comment on function credits.operator_rights() is
  'Which role an action needs at least; action x is function operator_x. moves_credits: the limits apply to it.';

create function credits.operators_forget(p_user_ids uuid[], p_disable boolean)
returns void
language sql
set search_path = '', pg_temp
as $$
  update public.credit_operators
  set note = null, disabled_at = case when p_disable then coalesce(disabled_at, clock_timestamp()) else disabled_at end
  where user_id = any (p_user_ids) and (note is not null or p_disable and disabled_at is null);
$$;
comment on function credits.operators_forget(uuid[], boolean) is
  'Deletes what is noted of operators, and with p_disable ends what they may do: their user is deleted. Called before '
  'accounts are locked.';
