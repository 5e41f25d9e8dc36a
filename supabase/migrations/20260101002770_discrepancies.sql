-- Gives: the broken invariants of one account, each as a row.
-- Keeps: nothing; names what is wrong, with what was expected. A value that nobody could have booked stops no check.
-- Needs: debts, archive, suspects.

create type credits.discrepancy as (
  invariant text,
  account_id uuid,
  job_id uuid,
  grant_id bigint,
  seq bigint,
  expected bigint,
  actual bigint,
  since timestamptz
);

create function credits.to_bigint(p_value numeric)
returns bigint
language sql
immutable
set search_path = '', pg_temp
as $$
  select least(greatest(p_value, -9223372036854775808), 9223372036854775807)::bigint;
$$;
comment on function credits.to_bigint(numeric) is
  'A sum as a bigint; the nearest one, where somebody has written amounts that come to none.';
revoke all on function credits.to_bigint(numeric) from public, anon, authenticated, service_role;

create function credits.discrepancy(
  p_invariant text, p_account_id uuid, p_expected numeric, p_actual numeric, p_since timestamptz,
  p_job_id uuid default null, p_grant_id bigint default null, p_seq bigint default null
)
returns credits.discrepancy
language sql
immutable
set search_path = '', pg_temp
as $$
  select row(p_invariant, p_account_id, p_job_id, p_grant_id, p_seq,
    credits.to_bigint(p_expected), credits.to_bigint(p_actual), p_since)::credits.discrepancy;
$$;
comment on function credits.discrepancy(text, uuid, numeric, numeric, timestamptz, uuid, bigint, bigint) is 'One discrepancy as a row.';
revoke all on function credits.discrepancy(text, uuid, numeric, numeric, timestamptz, uuid, bigint, bigint) from public, anon, authenticated, service_role;

create function credits.account_discrepancies(p_account public.credit_accounts, p_after public.ledger_checkpoints)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
declare
  chain public.ledger_verdict := credits.account_chain(p_account, p_after);
  bound timestamptz := credits.clock_bound();
  entries record;
  remaining numeric;
begin
  select count(*) + p_after.seq as count, coalesce(max(seq), p_after.seq) as last_seq,
    coalesce(sum(delta), 0) + p_after.balance as total,
    count(*) filter (where created_at > bound) as ahead, min(seq) filter (where created_at > bound) as first_ahead into entries
  from public.credit_ledger where account_id = p_account.id and (seq > p_after.seq or p_after.seq = 0);
  select coalesce(sum(g.remaining), 0) into remaining from public.credit_grants as g where account_id = p_account.id;

  if not chain.sound then
    return next credits.discrepancy('chain', p_account.id, p_account.last_seq, chain.broken_seq - 1, p_account.last_entry_at,
      p_seq => chain.broken_seq);
  end if;
  if p_account.balance <> entries.total then
    return next credits.discrepancy('balance', p_account.id, entries.total, p_account.balance, p_account.last_entry_at);
  end if;
  if p_account.last_seq <> entries.count or p_account.last_seq <> entries.last_seq then
    return next credits.discrepancy('sequence', p_account.id, entries.count, p_account.last_seq, p_account.last_entry_at);
  end if;
  if p_account.balance <> remaining - p_account.overdraft_used then
    return next credits.discrepancy('grants', p_account.id, p_account.balance, remaining - p_account.overdraft_used, p_account.last_entry_at);
  end if;
  if p_account.balance < -p_account.credit_limit::numeric then
    return next credits.discrepancy('credit limit', p_account.id, -p_account.credit_limit::numeric, p_account.balance, p_account.last_entry_at);
  end if;
  if entries.ahead > 0 then
    return next credits.discrepancy('entry in the future', p_account.id, 0, entries.ahead, p_account.last_entry_at, p_seq => entries.first_ahead);
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
comment on function credits.account_discrepancies(public.credit_accounts, public.ledger_checkpoints) is
  'The broken invariants of one account: all of them from its beginning, and from a checkpoint those that what came after it can '
  'have broken. Reads in the caller''s snapshot and locks nothing.';
revoke all on function credits.account_discrepancies(public.credit_accounts, public.ledger_checkpoints) from public, anon, authenticated, service_role;

create function credits.job_discrepancies(p_account_id uuid, p_after_seq bigint)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- plpgsql keeps the plan; a function in SQL would be planned anew for each account.
  return query
  with touched as (
    select distinct l.job_id from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > p_after_seq and l.job_id is not null
    union
    select j.id from public.generation_jobs as j where j.account_id = p_account_id and p_after_seq = 0
  ),
  totals as (
    select t.job_id, j.id is not null as known, j.cost::numeric as cost, j.refunded::numeric as refunded, j.status, j.output is not null as has_output, coalesce(j.ended_at, j.created_at) as since,
      (j.status = 'succeeded') = (j.actual_cost is not null)
        and j.seal is not distinct from case when j.actual_cost <> j.cost then credits.job_seal(j.account_id, j.id, j.actual_cost) end as is_as_settled,
      s.total, s.charged
    from touched as t
    cross join lateral (
      select coalesce(sum(l.delta), 0) as total, -coalesce(sum(l.delta) filter (where l.kind = 'charge'), 0) as charged
      from public.credit_ledger as l where l.account_id = p_account_id and l.job_id = t.job_id) as s
    left join public.generation_jobs as j on j.id = t.job_id and j.account_id = p_account_id
  )
  select (credits.discrepancy('job', p_account_id, refunded - cost, total, since, job_id)).*
  from totals where known and total <> refunded - cost
  union all
  select (credits.discrepancy('job cost', p_account_id, charged, cost, since, job_id)).*
  from totals where known and charged <> cost
  union all
  select (credits.discrepancy('job refund', p_account_id, cost, refunded, since, job_id)).*
  from totals where known
    and (refunded not between 0 and cost or (status in ('failed', 'canceled', 'expired') and refunded <> cost))
  union all
  select (credits.discrepancy('job output', p_account_id, 1, 0, since, job_id)).*
  from totals where known and status = 'succeeded' and not has_output
  union all
  select (credits.discrepancy('job actual cost', p_account_id, 1, 0, since, job_id)).*
  from totals where known and not is_as_settled
  union all
  select (credits.discrepancy('entry without job', p_account_id, 0, total, since, job_id)).*
  from totals where not known;
end;
$$;
comment on function credits.job_discrepancies(uuid, bigint) is
  'The broken invariants of an account''s jobs: of all, or of those with entries after p_after_seq.';
revoke all on function credits.job_discrepancies(uuid, bigint) from public, anon, authenticated, service_role;

create function credits.grant_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- plpgsql keeps the plan; a function in SQL would be planned anew for each account.
  return query
  with totals as (
    select l.grant_id, sum(l.delta) as total, -coalesce(sum(l.delta) filter (where l.kind = 'expiry' and l.metadata is null), 0) as gone
    from public.credit_ledger as l where l.account_id = p_account.id group by l.grant_id
  ),
  grants as (
    select g.*, coalesce(t.total, 0) as total, coalesce(t.gone, 0) as gone
    from public.credit_grants as g left join totals as t on t.grant_id = g.id where g.account_id = p_account.id
  )
  select (credits.discrepancy('grant', p_account.id, total, remaining, created_at, p_grant_id => id)).*
  from grants where remaining <> total
  union all
  select (credits.discrepancy('grant terms', p_account.id, 1, 0, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g where g.account_id = p_account.id and g.seal is distinct from credits.grant_seal(g)
  union all
  select (credits.discrepancy('grant lapsed', p_account.id, gone, lapsed, created_at, p_grant_id => id)).*
  from grants where lapsed <> gone
  union all
  select (credits.discrepancy('grant bounds', p_account.id, amount, remaining, created_at, p_grant_id => id)).*
  from grants where remaining not between 0 and amount
  union all
  select (credits.discrepancy('grant open', p_account.id, (remaining > 0)::integer, is_open::integer, created_at, p_grant_id => id)).*
  from grants where is_open <> (remaining > 0)
  union all
  select (credits.discrepancy('overdraft', p_account.id, -o.total, p_account.overdraft_used, p_account.last_entry_at)).*
  from (select coalesce(sum(total), 0) as total from totals where grant_id is null) as o
  where p_account.overdraft_used <> -o.total;
end;
$$;
comment on function credits.grant_discrepancies(public.credit_accounts) is
  'The broken invariants of an account''s grants and overdraft, by the sums of their entries.';
revoke all on function credits.grant_discrepancies(public.credit_accounts) from public, anon, authenticated, service_role;

create function credits.archive_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- plpgsql keeps the plan; a function in SQL would be planned anew for each account.
  return query
  with anchor as (
    select * from public.ledger_anchors where account_id = p_account.id
  ),
  archived as (
    select count(*) as entries, coalesce(max(seq), 0) as last_seq, coalesce(sum(delta), 0) as total
    from only public.credit_ledger_archive where account_id = p_account.id
  )
  select (credits.discrepancy('archive', p_account.id, coalesce(n.seq, 0), a.entries, n.archived_at, p_seq => a.last_seq)).*
  from archived as a left join anchor as n on true
  where (a.entries, a.last_seq, a.total) is distinct from (coalesce(n.seq, 0), coalesce(n.seq, 0), coalesce(n.balance, 0)::numeric)
    or (n.seq > 0 and not exists (
      select from only public.credit_ledger_archive as l
      where l.account_id = p_account.id and l.seq = n.seq and l.hash = n.hash and l.balance_after = n.balance));
end;
$$;
comment on function credits.archive_discrepancies(public.credit_accounts) is
  'Whether an account''s archive is what its anchor says: so many entries, without a gap, this sum and this last hash.';
revoke all on function credits.archive_discrepancies(public.credit_accounts) from public, anon, authenticated, service_role;

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
      coalesce(d.hash = credits.debt_hash(p.hash, d) and d.debt_after = coalesce(p.debt_after, 0) + d.delta, false) as follows
    from public.credit_debts as d left join public.credit_debts as p on p.account_id = d.account_id and p.seq = d.seq - 1
    where d.account_id = p_account.id
  ),
  tally as (
    select count(*) as entries, coalesce(max(seq), 0) as last_seq, coalesce(sum(delta), 0) as total,
      min(seq) filter (where not follows) as broken_seq
    from debts
  )
  select (credits.discrepancy('debt', p_account.id, total, p_account.debt, p_account.last_entry_at, p_seq => broken_seq)).*
  from tally where broken_seq is not null or p_account.debt <> total or p_account.debt_seq <> entries or p_account.debt_seq <> last_seq
  union all
  select (credits.discrepancy('grant reversed', p_account.id, coalesce(t.target, 0), g.reversed, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g
  left join lateral (select d.target from debts as d where d.grant_id = g.id and d.target is not null order by d.seq desc limit 1) as t on true
  where g.account_id = p_account.id and g.reversed <> coalesce(t.target, 0);
end;
$$;
comment on function credits.debt_discrepancies(public.credit_accounts) is
  'Whether an account''s debt and its grants that were taken back are what credit_debts says, and whether that is one chain.';
revoke all on function credits.debt_discrepancies(public.credit_accounts) from public, anon, authenticated, service_role;

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
  select (credits.discrepancy('grant repaid', p_account.id, r.booked, r.told, coalesce(g.created_at, p_account.last_entry_at), p_grant_id => g.id)).*
  from credits.grants_repaid as r left join public.credit_grants as g on g.account_id = r.account_id and g.id::text = r.grant_id
  where r.account_id = p_account.id and r.told <> r.booked
  union all
  select (credits.discrepancy('member', p_account.id, m.least, m.told, m.created_at)).*
  from credits.members_counted as m
  where m.account_id = p_account.id and (m.told not between m.least and m.most or m.spent_month > this_month);
end;
$$;
comment on function credits.count_discrepancies(public.credit_accounts) is
  'Whether each transfer to an account, and all of its own together, come to what credit_transfers says, its grants'' repayments to its entries, and its members'' spending to their jobs.';
revoke all on function credits.count_discrepancies(public.credit_accounts) from public, anon, authenticated, service_role;

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
    group by member_id, idempotency_key having count(*) > 1
  ) as d
  union all
  select (credits.discrepancy('duplicate grant', p_account_id, 1, d.grants, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g
  cross join lateral (select count(*) as grants from public.credit_grants as o where o.external_ref = g.external_ref) as d
  where g.account_id = p_account_id and d.grants > 1;
end;
$$;
comment on function credits.key_discrepancies(uuid) is
  'The newest of an account''s jobs under one idempotency key, and its grants whose external_ref stands elsewhere too.';
revoke all on function credits.key_discrepancies(uuid) from public, anon, authenticated, service_role;

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
  select (credits.discrepancy('entry without account', p_account_id, 0, sum(delta), max(created_at), p_seq => max(seq))).*
  from public.credit_ledger where account_id = p_account_id having count(*) > 0
  union all
  select (credits.discrepancy('job without account', p_account_id, 0, cost::numeric - refunded, created_at, id)).*
  from public.generation_jobs where account_id = p_account_id
  union all
  select (credits.discrepancy('grant without account', p_account_id, 0, remaining, created_at, p_grant_id => id)).*
  from public.credit_grants where account_id = p_account_id
  union all
  select (credits.discrepancy('transfers', p_account_id, t.booked, t.told, null, p_seq => t.seq)).*
  from credits.transfers_booked as t where t.account_id = p_account_id and t.told <> t.booked;
end;
$$;
comment on function credits.orphan_discrepancies(uuid) is 'What there is of an account that does not exist.';

revoke all on function credits.orphan_discrepancies(uuid) from public, anon, authenticated, service_role;
-- The views run as their reader. Without usage on the schema nobody can call these by name.
grant execute on function credits.account_discrepancies(public.credit_accounts, public.ledger_checkpoints),
  credits.orphan_discrepancies(uuid), credits.to_bigint(numeric) to service_role;
