-- Gives: accounts, the wallets that credits live in, and the one lock that every movement takes.
-- Keeps: no balance below -credit_limit (invariant 2); balances are written by the ledger chapter alone.
-- Needs: plans.

create table public.credit_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid unique,
  plan text not null default 'default' references public.credit_plans (name),
  balance bigint not null default 0,
  credit_limit bigint not null default 0 check (credit_limit between 0 and 1000000000000),
  overdraft_used bigint not null default 0,
  last_seq bigint not null default 0 check (last_seq >= 0),
  last_hash bytea not null default decode(repeat('00', 32), 'hex')
    check (octet_length(last_hash) = 32),
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint balance_within_credit_limit check (balance >= -credit_limit),
  constraint overdraft_within_credit_limit check (overdraft_used between 0 and credit_limit)
)
-- Half-empty pages keep the balance's updates on their page (HOT): no index is touched by a charge.
with (fillfactor = 50);

create index credit_accounts_plan on public.credit_accounts (plan);

comment on table public.credit_accounts is
  'Wallets. A user''s own account has the user''s id. The row is the lock: whatever moves credits '
  'of an account locks this row first, then the rows of its jobs and grants.';
comment on column public.credit_accounts.id is 'Account; equals the auth user''s id for a personal account.';
comment on column public.credit_accounts.user_id is
  'The person whose account it is; null once the person is deleted. No foreign key: the ledger outlives the user.';
comment on column public.credit_accounts.balance is
  'Whole credits: the sum of the ledger = what remains in the grants - overdraft_used.';
comment on column public.credit_accounts.credit_limit is 'How far below zero the balance may go (overdraft).';
comment on column public.credit_accounts.overdraft_used is 'Credits spent beyond the grants and not yet filled up.';
comment on column public.credit_accounts.last_seq is 'Number of the account''s latest ledger entry.';
comment on column public.credit_accounts.last_hash is 'Hash of the latest ledger entry; 32 zero bytes before the first.';
comment on column public.credit_accounts.closed_at is 'Since when nothing can be charged or granted any more.';

alter table public.credit_accounts enable row level security;
create policy credit_accounts_read_own on public.credit_accounts
  for select to authenticated using (user_id = (select auth.uid()));
revoke all on table public.credit_accounts from public, anon, authenticated, service_role;
grant select on table public.credit_accounts to authenticated, service_role;
grant update (plan, credit_limit, closed_at) on table public.credit_accounts to service_role;

create function credits.account_lock(p_account_id uuid)
returns public.credit_accounts
language plpgsql
set search_path = ''
as $$
declare
  account public.credit_accounts;
begin
  if p_account_id is null then
    perform credits.raise_misuse('22023', 'an account is needed', 'Pass the account''s id; for a person, the auth user''s id.');
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
revoke all on function credits.account_lock(uuid) from public, anon, authenticated, service_role;
