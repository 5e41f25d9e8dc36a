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
begin
  return (
    select row(coalesce(array_agg(g.id order by g.place), '{}'),
      coalesce(array_agg(least(g.remaining, p_amount - g.before) order by g.place), '{}'),
      greatest(p_amount - coalesce(sum(g.remaining), 0), 0))::credits.burn_plan
    from (
      select id, remaining, row_number() over spent as place, sum(remaining) over spent - remaining as before
      from credits.spendable_grants where account_id = p_account_id
      window spent as (order by priority, expires_at, id rows unbounded preceding)
    ) as g
    where g.before < p_amount);
end;
$$;
comment on function credits.burn_plan(uuid, bigint) is
  'Which grants would pay an amount, and how much of it each; shortfall: the part that only the overdraft could pay. '
  'Writes nothing.';

create function credits.burn(
  p_account public.credit_accounts, p_plan credits.burn_plan, p_kind public.credit_entry_kind, p_job_id uuid,
  p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
  origin constant jsonb := case when current_setting('credits.operator_action', true) <> ''
    then credits.entry_origin() end;
begin
  for part in
    select p.grant_id, p.amount
    from unnest(p_plan.grant_ids || null::bigint, p_plan.amounts || p_plan.shortfall) as p (grant_id, amount)
    where p.amount > 0
  loop
    p_account.balance := p_account.balance - part.amount;
    p_account.last_seq := p_account.last_seq + 1;
    p_account.last_entry_at := greatest(clock_timestamp(), p_account.last_entry_at);
    p_account.last_hash := credits.entry_hash(p_account.last_hash, p_account.id, p_account.last_seq, -part.amount,
      p_account.balance, p_kind, part.grant_id, p_job_id, p_reason, origin, p_account.last_entry_at);
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason,
      metadata, created_at, hash)
    values (p_account.id, p_account.last_seq, -part.amount, p_account.balance, p_kind, part.grant_id, p_job_id,
      p_reason, origin, p_account.last_entry_at, p_account.last_hash);
    update public.credit_grants set remaining = remaining - part.amount, is_open = (remaining > part.amount)
    where account_id = p_account.id and id = part.grant_id;
  end loop;
  -- Once, and not with each entry: every version of the row makes the next one slower to find.
  update public.credit_accounts
  set version = version + 1, balance = p_account.balance, last_seq = p_account.last_seq,
      last_hash = p_account.last_hash, last_entry_at = p_account.last_entry_at,
      overdraft_used = overdraft_used + p_plan.shortfall
  where id = p_account.id
  returning * into strict p_account;
  return p_account;
end;
$$;
comment on function credits.burn(public.credit_accounts, credits.burn_plan, public.credit_entry_kind, uuid, text) is
  'Books a burn plan: one entry per grant and one for the overdraft. Takes and returns the locked account.';
