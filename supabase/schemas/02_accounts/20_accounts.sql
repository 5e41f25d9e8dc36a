-- Gives: accounts, the wallets that hold credits, and the one lock that every movement takes.
-- Keeps: no balance below -credit_limit (invariant 2); balances are written by the ledger chapter alone.
-- Needs: foundation, plans.
--
-- The one lock order: operators, approval, payment, subscription, accounts (the lower id first), job, grants, all else.
-- Every function that moves credits takes the account's lock. Scheduled tasks skip a locked account and never wait for
-- one. A settlement that moves no credits locks only its job, and asks for no other lock while it holds that one.

create function credits.slot(p_account_id uuid)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- The constant's other bits do not change the low 16 bits of the sum.
  return ((uuid_hash_extended(p_account_id, 8816678312871386365) & 65535) + 43235) & 65535;
end;
$$;
comment on function credits.slot(uuid) is
  'Where an account lives, out of 65536 slots: the low 16 bits of the hash by which Postgres places the rows of a '
  'table "partition by hash (uuid)". The low k bits of a slot are the number of one of 2^k partitions. Never change '
  'it: job ids begin with it.';

create table public.credit_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid unique,
  plan text not null default 'default' references public.credit_plans (name),
  balance bigint not null default 0,
  credit_limit bigint not null default 0,
  lowered_credit_limit bigint,
  overdraft_used bigint not null default 0,
  debt bigint not null default 0,
  debt_seq bigint not null default 0,
  last_seq bigint not null default 0,
  last_hash bytea not null default decode(repeat('00', 32), 'hex'),
  last_entry_at timestamptz not null default '-infinity',
  rate_full_at timestamptz not null default '-infinity',
  refilled_for date,
  cancels integer not null default 0,
  cancels_on date,
  refill_anchor date,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  is_team boolean not null default false,
  version bigint not null default 0,
  constraint account_is_sound
    check (balance >= -credit_limit and overdraft_used between 0 and credit_limit)
)
-- Half-empty pages keep the updates of a balance on their page (HOT), so that a charge touches no index.
with (fillfactor = 50);

-- Teams without an owner: account_teams_without_owner.
create index credit_accounts_teams on public.credit_accounts (id) where is_team;

comment on table public.credit_accounts is
  'Wallets. A user''s own account has the user''s id. The row is the lock: every function that moves credits '
  'of an account locks this row first, then the rows of its jobs and grants.';
comment on column public.credit_accounts.id is 'Account; equals the auth user''s id for a personal account.';
comment on column public.credit_accounts.user_id is
  'The person whose account it is; null once the person is deleted. No foreign key: the ledger outlives the user.';
comment on column public.credit_accounts.balance is
  'Whole credits: the sum of the ledger = the remaining credits of the grants - overdraft_used.';
comment on column public.credit_accounts.credit_limit is 'How far below zero the balance may go (overdraft).';
comment on column public.credit_accounts.lowered_credit_limit is
  'The credit_limit of a new plan while the account uses more overdraft than that: credit_limit falls to it as the '
  'overdraft is filled up. null: nothing to lower. Setting credit_limit clears it.';
comment on column public.credit_accounts.rate_full_at is
  'When the account has its whole rate limit again (the theoretical arrival time of GCRA); in the past: it has it now.';
comment on column public.credit_accounts.overdraft_used is 'Credits spent beyond the grants and not yet filled up.';
comment on column public.credit_accounts.debt is
  'Credits owed for grants that were taken back after they had been spent. Credits that come in pay the debt first; '
  'until it is paid nothing is charged. Not part of the balance.';
comment on column public.credit_accounts.debt_seq is 'Number of the account''s latest row of credit_debts.';
comment on column public.credit_accounts.last_seq is 'Number of the account''s latest ledger entry.';
comment on column public.credit_accounts.last_hash is
  'Hash of the latest ledger entry; 32 zero bytes before the first.';
comment on column public.credit_accounts.last_entry_at is
  'Time of the latest ledger entry; entries never go back in time.';
comment on column public.credit_accounts.refilled_for is
  'The latest month whose credits were granted, by the first day of the calendar month in which it began; null before '
  'the first.';
comment on column public.credit_accounts.refill_anchor is
  'A date on the account''s own day of the month, where the plan refills by that day; the 31st stands for the last '
  'day of a shorter month. null: the day on which the account was opened. set_account_plan sets it to the day on '
  'which monthly credits begin.';
comment on column public.credit_accounts.cancels is
  'Jobs canceled on cancels_on after they had started at their provider: at most credit_plans.free_cancels_per_day.';
comment on column public.credit_accounts.cancels_on is
  'The calendar day (UTC) whose cancels are counted; null before the first.';
comment on column public.credit_accounts.is_team is
  'Whether it was opened for a team (create_team_account). Otherwise it belongs to the person whose id it has, also '
  'after they are deleted.';
comment on column public.credit_accounts.version is
  'Raised by each change of the account, its members or its grants'' attributes, so that a charge that read the '
  'account without a lock sees whether anything has changed since.';
comment on column public.credit_accounts.closed_at is
  'Since when nothing can be charged or granted; null: the account is open.';

create function credits.credit_limit_changed()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if new.credit_limit > 1000000000000 then
    perform credits.raise_misuse('23514', 'a credit_limit is at most 1000000000000 credits', 'Set a lower one.');
  end if;
  new.lowered_credit_limit := null;
  return new;
end;
$$;
comment on function credits.credit_limit_changed() is
  'Bounds credit_limit, here because a CHECK would be parsed for each charge. Clears lowered_credit_limit, so that the '
  'new credit_limit stays.';
create trigger credit_limit_changed before insert or update of credit_limit on public.credit_accounts
  for each row execute function credits.credit_limit_changed();

create function credits.account_version_raise()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  new.version := old.version + 1;
  return new;
end;
$$;
comment on function credits.account_version_raise() is
  'Raises an account''s version. The functions that write balance, overdraft, rate limit or the end of the chain raise '
  'it themselves.';
-- By column: a condition would be prepared again for each charge. What is not named here (the balance, the chain's end,
-- the rate limit) is written together with the version.
create trigger account_version_raise
  before update of id, user_id, plan, credit_limit, lowered_credit_limit, debt, debt_seq, refilled_for, cancels,
    cancels_on, refill_anchor, closed_at, created_at, is_team on public.credit_accounts
  for each row execute function credits.account_version_raise();

create function credits.account_version_touch()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account uuid := coalesce(new.account_id, old.account_id);
begin
  -- Do not wait for the account: a charge that holds it may be waiting for this row.
  perform from public.credit_accounts where id = account for update skip locked;
  if not found and exists (select from public.credit_accounts where id = account) then
    perform credits.raise_misuse('55P03', 'the account of this row is busy',
      'Lock it first, in the same transaction: select from public.credit_accounts where id = … for update.');
  end if;
  update public.credit_accounts set version = version + 1 where id = account;
  return null;
end;
$$;
comment on function credits.account_version_touch() is
  'Raises the version of the account that the row belongs to, because a charge reads its members and the order and '
  'expiry of its grants. Raises 55P03 when another transaction holds the account.';

create function credits.account_rejoined()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  new.user_id := new.id;
  return new;
end;
$$;
comment on function credits.account_rejoined() is
  'Gives a personal account back to its person (user_id) when it is reopened, by any statement.';
create trigger account_rejoined before update of closed_at on public.credit_accounts
  for each row when (old.closed_at is not null and new.closed_at is null and new.user_id is null and not new.is_team)
  execute function credits.account_rejoined();

create table public.account_members (
  account_id uuid not null,
  user_id uuid not null,
  role text not null default 'member' check (role in ('owner', 'admin', 'member', 'viewer')),
  monthly_cap bigint check (monthly_cap between 0 and 1000000000000),
  spent bigint not null default 0 check (spent >= 0),
  spent_month date not null default date_trunc('month', now() at time zone 'utc')::date,
  created_at timestamptz not null default now(),
  primary key (account_id, user_id)
);
-- A user's accounts, which every policy looks up (credits.my_account_ids).
create index account_members_by_user on public.account_members (user_id, account_id);

create trigger account_version_touch after insert or delete or update of role, monthly_cap on public.account_members
  for each row execute function credits.account_version_touch();

comment on table public.account_members is
  'Who may use a team''s account. owner, admin and member may spend; all four may read it.';
comment on column public.account_members.monthly_cap is
  'Most credits of this account that the member may spend in a calendar month (UTC); null: no cap.';
comment on column public.account_members.spent is 'Credits that the member spent in spent_month, less refunds.';

create function credits.my_account_ids()
returns setof uuid
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select id from public.credit_accounts where user_id = (select auth.uid())
  union all
  select account_id from public.account_members where user_id = (select auth.uid());
$$;
comment on function credits.my_account_ids() is
  'The accounts that the calling user may read: their own and their teams''. Write it in a policy as account_id = any '
  '(array(select credits.my_account_ids())), for which Postgres uses an index; with account_id in (select …) it reads '
  'every row.';

alter table public.account_members enable row level security;
create policy account_members_read_own_accounts on public.account_members
  for select to authenticated using (account_id = any (array(select credits.my_account_ids())));

alter table public.credit_accounts enable row level security;
create policy credit_accounts_read_own on public.credit_accounts
  for select to authenticated using (id = any (array(select credits.my_account_ids())));

create function credits.account_lock(p_account_id uuid)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
begin
  if p_account_id is null then
    perform credits.raise_misuse('22023', 'an account is needed',
      'Pass the account''s id; for a person, the auth user''s id.');
  end if;
  select * into account from public.credit_accounts where id = p_account_id for update;
  if not found then
    insert into public.credit_accounts (id, user_id) values (p_account_id, p_account_id)
    on conflict do nothing;
    select * into strict account from public.credit_accounts where id = p_account_id for update;
  end if;
  return account;
end;
$$;
comment on function credits.account_lock(uuid) is
  'Locks an account for the rest of the transaction and returns it; creates it on first use.';

create function credits.accounts_lock(p_account_ids uuid[])
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account_ids uuid[] := array(select distinct a.id from unnest(p_account_ids) as a (id) order by a.id);
  account_id uuid;
begin
  foreach account_id in array account_ids loop
    perform credits.account_lock(account_id);
  end loop;
  return account_ids;
end;
$$;
comment on function credits.accounts_lock(uuid[]) is
  'Locks accounts as account_lock does, the lower id first, and returns their ids in this order.';
