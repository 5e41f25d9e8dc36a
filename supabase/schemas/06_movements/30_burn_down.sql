-- Gives: how a charge is spread over grants.
-- Keeps: an expired grant is never spent; nothing is written before the credits are known to suffice.
-- Needs: ledger.

create view credits.spendable_grants
with (security_invoker = true)
as
-- The wall clock, not the transaction's: the caller may have waited for the account's lock.
select account_id, id, kind, remaining, priority, expires_at
from public.credit_grants
where is_open and (expires_at is null or expires_at > clock_timestamp());
comment on view credits.spendable_grants is
  'Grants with credits left that have not expired. Spent by priority, then earliest expiry, then id.';

create type credits.burn_plan as (
  grant_ids bigint[],
  amounts bigint[],
  shortfall bigint
);

create function credits.burn_plan(p_account_id uuid, p_amount bigint)
returns credits.burn_plan
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  plan credits.burn_plan;
begin
  select coalesce(array_agg(g.id order by g.place), '{}'),
    coalesce(array_agg(least(g.remaining, p_amount - g.before) order by g.place), '{}'),
    greatest(p_amount - coalesce(sum(g.remaining), 0), 0)
  into plan
  from (
    select id, remaining, row_number() over spent as place, sum(remaining) over spent - remaining as before
    from credits.spendable_grants where account_id = p_account_id
    window spent as (order by priority, expires_at, id rows unbounded preceding)
  ) as g
  where g.before < p_amount;
  return plan;
end;
$$;
comment on function credits.burn_plan(uuid, bigint) is
  'Which grants would pay an amount, and how much of it each; shortfall: the part that only the overdraft could pay. '
  'Writes nothing.';

create function credits.burn(
  p_account public.credit_accounts, p_plan credits.burn_plan, p_kind public.credit_entry_kind,
  p_job_id uuid, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  for i in 1 .. cardinality(p_plan.grant_ids) loop
    p_account := credits.entry_append(p_account.id, -p_plan.amounts[i], p_kind, p_plan.grant_ids[i], p_job_id,
      p_reason, null);
  end loop;
  if p_plan.shortfall > 0 then
    p_account := credits.entry_append(p_account.id, -p_plan.shortfall, p_kind, null, p_job_id, p_reason, null);
  end if;
  return p_account;
end;
$$;
comment on function credits.burn(public.credit_accounts, credits.burn_plan, public.credit_entry_kind, uuid, text) is
  'Books a burn plan: one entry per grant and one for the overdraft. Takes and returns the locked account.';
