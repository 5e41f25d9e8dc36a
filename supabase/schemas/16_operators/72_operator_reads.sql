-- Gives: what each read of an operator passes; the operator's own row, accounts with their grants and members.
-- Keeps: who is no operator sees no row of a view, and learns from a function that they are none, and nothing else. No
--   view here reads auth.users.
-- Needs: jobs, due, payments, erasure, operators, operator gate.
--
-- Views of operators run as their owner, as an operator reads accounts that are not their own. security_barrier: no
-- condition that a user brings sees a row before the gate. The gate is a sub-select of its own, so a query asks once.
-- Such a view does not hand the order of an index on: long lists are functions operator_…_page, which find the
-- keys of a page first, and then each row by its key (offset 0: a join would read every row of the view).

create function credits.operator_views()
returns setof text
language sql
immutable
set search_path = '', pg_temp
as $$
  select unnest(array['operator_me', 'operator_accounts', 'operator_account_grants', 'operator_account_members',
    'operator_jobs', 'operator_payments', 'operator_events', 'operator_alerts', 'operator_discrepancies',
    'operator_reconciliations', 'operator_models', 'operator_providers', 'operator_log', 'operator_waiting',
    'operator_team']);
$$;
comment on function credits.operator_views() is
  'The views that run as their owner: each asks whether its reader is an operator. Every other view runs with its '
  'reader''s rights.';

create function credits.is_operator_view(p_view oid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from credits.operator_views() as o (name) where to_regclass('public.' || o.name) = p_view);
$$;
comment on function credits.is_operator_view(oid) is 'Whether a view is one of operator_views.';

create function credits.has_barrier(p_options text[])
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  select coalesce(p_options @> array['security_barrier=true']
    and not p_options && array['security_invoker=true', 'security_invoker=on'], false);
$$;
comment on function credits.has_barrier(text[]) is
  'Whether a view with these options runs as its owner, and shows no row to a condition before its own hold.';

create function credits.operator_reads()
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if credits.operator_role() is null then
    perform credits.operator_refuse('42501', 'this user is not an operator', 'not_an_operator',
      'An admin makes operators: operator_set.');
  end if;
end;
$$;
comment on function credits.operator_reads() is
  'Raises 42501 where the calling user is no operator: the first statement of each function by which operators read.';

create function credits.page_size(p_limit integer)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_limit is null or p_limit not between 1 and 200 then
    perform credits.raise_misuse('22023', 'a page has 1 to 200 rows', 'Ask for the next page by the last row''s key.');
  end if;
  return p_limit;
end;
$$;
comment on function credits.page_size(integer) is 'How many rows a page has. Raises 22023 unless it is 1 to 200.';

create function credits.operators_now()
returns table (
  user_id uuid, role public.credit_operator_role, max_per_action bigint, max_per_day bigint, used_today bigint,
  note text, created_at timestamptz, disabled_at timestamptz
)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select o.user_id, o.role, o.max_per_action, o.max_per_day, credits.operator_used_today(o.user_id), o.note,
    o.created_at, o.disabled_at
  from public.credit_operators as o where (select credits.operator_role()) is not null;
$$;
comment on function credits.operators_now() is
  'Operators with what they have moved today, for operators alone: no row for anybody else.';

create view public.operator_me
with (security_barrier = true)
as
select o.user_id, o.role, (select auth.jwt()) ->> 'aal' as aal, o.max_per_action, o.max_per_day, o.used_today, o.note
from credits.operators_now() as o
where o.user_id = (select auth.uid()) and (select credits.operator_role()) is not null;
comment on view public.operator_me is
  'The calling operator: role, limits in credits (null: none), what was given and taken today (UTC), and how they '
  'signed in (aal1, aal2: with a second factor, which every change needs). No row: not an operator.';

create view public.operator_accounts
with (security_barrier = true)
as
select a.id as account_id, a.user_id, a.is_team,
  case when e.erases then case when e.finished_at is null then 'erasing' else 'erased' end
    when a.closed_at is null then 'open'
    when exists (select from public.payment_disputes as d where d.account_id = a.id and d.froze_at = a.closed_at)
      then 'frozen'
    else 'closed' end as state,
  a.plan, b.balance, a.balance as booked_balance,
  case when a.closed_at is null and a.debt = 0
    then least(greatest(b.balance::numeric + a.credit_limit, 0), 9223372036854775807)::bigint else 0 end as spendable,
  a.credit_limit, a.overdraft_used, a.debt,
  (select count(*) from public.generation_jobs as j
    where j.account_id = a.id and j.status in ('pending', 'running')) as open_jobs,
  a.last_seq as entries, a.closed_at, e.requested_at as erasure_requested_at, e.finished_at as erased_at,
  nullif(a.last_entry_at, '-infinity') as last_entry_at, a.created_at
from public.credit_accounts as a
left join public.account_erasures as e on e.account_id = a.id
-- Computed once, where it is used twice.
cross join lateral (select credits.balance_with_due(a) as balance offset 0) as b
where (select credits.operator_role()) is not null;
comment on view public.operator_accounts is
  'Accounts, for operators. balance: as if everything due were booked (booked_balance: the ledger''s). spendable: what '
  'a charge can use now, overdraft included; 0 while the account is closed or in debt. state: open, closed, frozen (by '
  'an open dispute), erasing or erased. Ask for one (account_id or user_id); operator_accounts_page lists all.';

create view public.operator_account_grants
with (security_barrier = true)
as
select g.account_id, g.id as grant_id, g.kind,
  case when g.is_open and (g.expires_at <= now()) is not true then 'open'
    when g.reversed > 0 and g.reversed = g.amount then 'reversed'
    when g.expires_at <= now() and (g.is_open or g.breakage > 0) then 'expired'
    else 'used_up' end as state,
  g.amount, g.remaining, g.breakage, g.reversed, g.repaid, g.priority, g.expires_at,
  nullif(g.grace_ends_at, '-infinity') as grace_ends_at, g.makes_good, g.external_ref, g.reason, g.created_at
from public.credit_grants as g
where (select credits.operator_role()) is not null;
comment on view public.operator_account_grants is
  'Grants, for operators: where an account''s credits came from, what is left of each, and when it expires. state: '
  'open, used_up, expired (credits were left) or reversed (all of it was taken back). external_ref of one that was '
  'paid for: the payment''s key. Ask by account_id.';

create view public.operator_account_members
with (security_barrier = true)
as
select m.account_id, m.user_id, m.role, m.monthly_cap,
  case when m.spent_month = date_trunc('month', now() at time zone 'utc')::date then m.spent else 0 end as spent,
  m.created_at
from public.account_members as m
where (select credits.operator_role()) is not null;
comment on view public.operator_account_members is
  'Members of teams, for operators, with what each has spent in this calendar month (UTC). Ask by account_id, or by '
  'user_id for the teams of a person.';

create function public.operator_accounts_page(p_after_id uuid default null, p_limit integer default 50)
returns setof public.operator_accounts
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  return query
  select v.* from (
    select a.id from public.credit_accounts as a
    where a.id > coalesce(p_after_id, '00000000-0000-0000-0000-000000000000')
    order by a.id limit credits.page_size(p_limit)
  ) as p
  cross join lateral (select * from public.operator_accounts as o where o.account_id = p.id offset 0) as v
  order by v.account_id;
end;
$$;
comment on function public.operator_accounts_page(uuid, integer) is
  'Accounts by their id, for operators: up to p_limit (1 to 200) after p_after_id, as operator_accounts shows them. '
  'Raises 42501 for who is no operator, 22023 for another limit.';
