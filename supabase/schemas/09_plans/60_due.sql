-- Gives: what is due to an account (its month's credits, the expiry of expired grants): booked at once, or shown as if
-- it were.
-- Keeps: no charge is denied for lack of credits that are due; credit_accounts.balance stays the ledger's.
-- Needs: accounts, grants, refill periods, expiry, refill.

create function credits.account_expire(p_account_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expired bigint[] := array(
    select id from public.credit_grants where account_id = p_account_id and is_open and expires_at <= now());
begin
  return cardinality(expired) > 0
    and credits.batch_expire(array_fill(p_account_id, array[cardinality(expired)]), expired) > 0;
end;
$$;
comment on function credits.account_expire(uuid) is
  'Books what is left of an account''s expired grants as breakage; returns whether there were any. The caller holds '
  'the account''s lock.';

create function credits.account_refill_due(p_account_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  has_expired boolean;
begin
  if not credits.refill_is_due(p_account_id) then
    return false;
  end if;
  has_expired := credits.account_expire(p_account_id);
  return credits.batch_refill(array[p_account_id], clock_timestamp()) > 0 or has_expired;
end;
$$;
comment on function credits.account_refill_due(uuid) is
  'Books the monthly credits that are due to an account, and before them its expired credits; returns whether anything '
  'was booked. Never raises: a failure is a warning, and the caller goes by the balance as it is. The caller holds the '
  'account''s lock.';

create function credits.balance_with_due(p_account public.credit_accounts)
returns bigint
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  plan public.credit_plans;
  due date;
  month date;
  held bigint;
  breakage bigint;
  debt bigint := p_account.debt;
  income bigint;
begin
  select coalesce(sum(remaining) filter (where expires_at <= clock_timestamp()), 0),
    coalesce(sum(remaining) filter (where kind = 'refill' and (expires_at <= clock_timestamp()) is not true), 0)
  into strict breakage, held from public.credit_grants where account_id = p_account.id and is_open;
  p_account.balance := p_account.balance - breakage;
  select * into strict plan from public.credit_plans where name = p_account.plan;
  if plan.scheduled_credits = 0 or p_account.closed_at is not null then
    return p_account.balance;
  end if;
  month := credits.refill_month(plan, p_account, clock_timestamp());
  due := credits.refill_first(plan, p_account, month);
  while due <= month loop
    if plan.roll_over = 'capped' then
      p_account.balance := p_account.balance - greatest(held - plan.roll_over_cap, 0);
      held := least(held, plan.roll_over_cap);
    end if;
    -- They repay the overdraft, then the debt; the rest can be spent.
    income := greatest(plan.scheduled_credits - p_account.overdraft_used, 0);
    p_account.overdraft_used := greatest(p_account.overdraft_used - plan.scheduled_credits, 0);
    p_account.balance := p_account.balance + plan.scheduled_credits - least(debt, income);
    held := held + income - least(debt, income);
    debt := debt - least(debt, income);
    due := (due + interval '1 month')::date;
  end loop;
  return p_account.balance;
end;
$$;
comment on function credits.balance_with_due(public.credit_accounts) is
  'The balance as if everything due were booked. Writes nothing. Security definer, for the view account_balances: it '
  'only gets rows that row level security has let through.';

create view public.account_balances
with (security_invoker = true)
as
select id as account_id, credits.balance_with_due(a) as balance, a.balance as booked_balance, credit_limit, plan
from public.credit_accounts as a;
comment on view public.account_balances is
  'Each account''s balance as if everything due were booked: this month''s credits, and the expiry of expired grants. '
  'booked_balance is the ledger''s, which follows with the next charge or scheduled task. A user sees their own '
  'accounts.';
