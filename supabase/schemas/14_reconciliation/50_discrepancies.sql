-- Gives: the broken invariants of one account, one row each.
-- Keeps: nothing; reports what is wrong and what was expected. No value, however impossible, stops a check.
-- Needs: debts, counts, suspect chains, book discrepancies.

create function credits.account_discrepancies(
  p_account public.credit_accounts, p_after public.credit_ledger_checkpoints
)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
declare
  chain public.credit_ledger_result := credits.account_chain(p_account, p_after);
  bound timestamptz := credits.clock_bound();
  entries record;
  remaining numeric;
begin
  select count(*) + p_after.seq as count, coalesce(max(seq), p_after.seq) as last_seq,
    coalesce(sum(delta), 0) + p_after.balance as total,
    count(*) filter (where created_at > bound) as ahead,
    min(seq) filter (where created_at > bound) as first_ahead into entries
  from public.credit_ledger where account_id = p_account.id and (seq > p_after.seq or p_after.seq = 0);
  select coalesce(sum(g.remaining), 0) into remaining from public.credit_grants as g where account_id = p_account.id;

  if not chain.sound then
    return next credits.discrepancy('chain', p_account.id, p_account.last_seq, chain.broken_seq - 1,
      p_account.last_entry_at, p_seq => chain.broken_seq);
  end if;
  if p_account.balance <> entries.total then
    return next credits.discrepancy('balance', p_account.id, entries.total, p_account.balance, p_account.last_entry_at);
  end if;
  if p_account.last_seq <> entries.count or p_account.last_seq <> entries.last_seq then
    return next credits.discrepancy('sequence', p_account.id, entries.count, p_account.last_seq,
      p_account.last_entry_at);
  end if;
  if p_account.balance <> remaining - p_account.overdraft_used then
    return next credits.discrepancy('grants', p_account.id, p_account.balance, remaining - p_account.overdraft_used,
      p_account.last_entry_at);
  end if;
  if p_account.balance < -p_account.credit_limit::numeric then
    return next credits.discrepancy('credit limit', p_account.id, -p_account.credit_limit::numeric, p_account.balance,
      p_account.last_entry_at);
  end if;
  if entries.ahead > 0 then
    return next credits.discrepancy('entry in the future', p_account.id, 0, entries.ahead, p_account.last_entry_at,
      p_seq => entries.first_ahead);
  end if;
  return query select d.* from credits.job_discrepancies(p_account.id, p_after.seq) as d;
  if p_after.seq = 0 then
    return query select d.* from credits.grant_discrepancies(p_account) as d;
    return query select d.* from credits.archive_discrepancies(p_account) as d;
    return query select d.* from credits.key_discrepancies(p_account.id) as d;
    return query select d.* from credits.debt_discrepancies(p_account) as d;
    return query select d.* from credits.count_discrepancies(p_account) as d;
  end if;
end;
$$;
comment on function credits.account_discrepancies(public.credit_accounts, public.credit_ledger_checkpoints) is
  'The broken invariants of one account: from its beginning all of them; from a checkpoint those that later entries '
  'can have broken. Reads in the caller''s snapshot and locks nothing.';

create function credits.debt_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with debts as (
    select d.seq, d.delta, d.grant_id, d.target,
      coalesce(d.hash = credits.debt_hash(p.hash, d) and d.debt_after = coalesce(p.debt_after, 0) + d.delta,
        false) as follows
    from public.credit_debts as d left join public.credit_debts as p on p.account_id = d.account_id
      and p.seq = d.seq - 1
    where d.account_id = p_account.id
  ),
  tally as (
    select count(*) as entries, coalesce(max(seq), 0) as last_seq, coalesce(sum(delta), 0) as total,
      min(seq) filter (where not follows) as broken_seq
    from debts
  )
  select (credits.discrepancy('debt', p_account.id, total, p_account.debt, p_account.last_entry_at,
    p_seq => broken_seq)).*
  from tally where broken_seq is not null or p_account.debt <> total or p_account.debt_seq <> entries
    or p_account.debt_seq <> last_seq
  union all
  select (credits.discrepancy('grant reversed', p_account.id, coalesce(t.target, 0), g.reversed, g.created_at,
    p_grant_id => g.id)).*
  from public.credit_grants as g
  left join lateral (select d.target from debts as d where d.grant_id = g.id and d.target is not null
    order by d.seq desc limit 1) as t on true
  where g.account_id = p_account.id and g.reversed <> coalesce(t.target, 0);
end;
$$;
comment on function credits.debt_discrepancies(public.credit_accounts) is
  'Whether an account''s debt and reversed grants match credit_debts, and whether its rows form one chain.';

create function credits.count_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
declare
  this_month date := date_trunc('month', credits.clock_bound() at time zone 'utc');
begin
  return query
  select (credits.discrepancy('transfers', p_account.id, t.booked, t.told, p_account.last_entry_at, p_seq => t.seq)).*
  from credits.transfers_booked as t where t.account_id = p_account.id and t.told <> t.booked
  union all
  select (credits.discrepancy('transfer sent', p_account.id, n.told, n.noted, n.since)).*
  from credits.transfers_noted as n where n.account_id = p_account.id and n.told <> n.noted
  union all
  select (credits.discrepancy('withdrawals', p_account.id, w.booked, w.told, p_account.last_entry_at, p_seq => w.seq)).*
  from credits.withdrawals_booked as w where w.account_id = p_account.id and w.told <> w.booked
  union all
  select (credits.discrepancy('grant repaid', p_account.id, r.booked, r.told,
    coalesce(g.created_at, p_account.last_entry_at), p_grant_id => g.id)).*
  from credits.grants_repaid as r left join public.credit_grants as g on g.account_id = r.account_id
    and g.id::text = r.grant_id
  where r.account_id = p_account.id and r.told <> r.booked
  union all
  select (credits.discrepancy('member', p_account.id, m.least, m.told, m.created_at)).*
  from credits.members_counted as m
  where m.account_id = p_account.id and (m.told not between m.least and m.most or m.spent_month > this_month);
end;
$$;
comment on function credits.count_discrepancies(public.credit_accounts) is
  'Whether an account''s received transfers (each) and sent transfers (in total) match credit_transfers, what it sent '
  'to other shards is on its way as it was noted, its withdrawals credit_withdrawals, its grants'' repayments its '
  'entries, and its members'' spending their jobs.';

create function credits.key_discrepancies(p_account_id uuid)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  select (credits.discrepancy('duplicate job', p_account_id, 1, d.jobs, d.since, d.newest)).*
  from (
    select count(*) as jobs, max(created_at) as since, (array_agg(id order by created_at desc, id desc))[1] as newest
    from public.generation_jobs where account_id = p_account_id and idempotency_key is not null
    -- Keys of a server are separate from keys of users. Its jobs are known by their ids, also after an erasure: without
    -- the first 4 digits, as earlier ids have no slot there.
    group by member_id, idempotency_key,
      right(id::text, 32)
        = right((credits.job_ids(p_account_id, member_id, idempotency_key, '{"asked_by": "server"}'))[2]::text, 32)
    having count(*) > 1
  ) as d
  union all
  select (credits.discrepancy('duplicate grant', p_account_id, 1, d.grants, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g
  cross join lateral (select count(*) as grants from public.credit_grants as o
    where o.external_ref = g.external_ref) as d
  where g.account_id = p_account_id and d.grants > 1;
end;
$$;
comment on function credits.key_discrepancies(uuid) is
  'The newest of several jobs under one idempotency key, and grants whose external_ref another grant has too.';

create function credits.orphan_discrepancies(p_account_id uuid)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
begin
  return query
  select (credits.discrepancy('entry without account', p_account_id, 0, sum(delta), max(created_at),
    p_seq => max(seq))).*
  from public.credit_ledger where account_id = p_account_id having count(*) > 0
  union all
  select (credits.discrepancy('job without account', p_account_id, 0, cost::numeric - refunded, created_at, id)).*
  from public.generation_jobs where account_id = p_account_id
  union all
  select (credits.discrepancy('grant without account', p_account_id, 0, remaining, created_at, p_grant_id => id)).*
  from public.credit_grants where account_id = p_account_id
  union all
  select (credits.discrepancy('transfers', p_account_id, t.booked, t.told, null, p_seq => t.seq)).*
  from credits.transfers_booked as t where t.account_id = p_account_id and t.told <> t.booked
  union all
  select (credits.discrepancy('transfer sent', p_account_id, n.told, n.noted, n.since)).*
  from credits.transfers_noted as n where n.account_id = p_account_id and n.told <> n.noted
  union all
  select (credits.discrepancy('withdrawals', p_account_id, w.booked, w.told, null, p_seq => w.seq)).*
  from credits.withdrawals_booked as w where w.account_id = p_account_id and w.told <> w.booked;
end;
$$;
comment on function credits.orphan_discrepancies(uuid) is
  'Entries, jobs, grants, transfers and withdrawals of an account that does not exist.';
