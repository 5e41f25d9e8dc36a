-- Gives: the accounts that need a closer check, found in a few passes over all tables.
-- Keeps: nothing; a row that breaks an invariant makes its account a suspect. Discrepancies are named account by
-- account.
-- Needs: debts, counts, suspect chains.

create function credits.suspect_sums(p_seed bigint)
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
set enable_mergejoin = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  -- Checks that each job's entries equal its cost and refunds, without one group per job. Each run gives every job two
  -- random factors of 21 bits; an account's entries and its jobs, multiplied by them, must have the same two sums. A
  -- wrong job goes unseen once in 2^42 runs (2^21 if cost and refunded are wrong by the same amount). This takes a
  -- fifth of the time of one group per job.
  return query
  with moved as (
    select l.account_id, l.grant_id, sum(l.delta) as total,
      sum(l.delta) filter (
        where l.kind = 'expiry' and coalesce(l.metadata - 'operator_action', '{}') = '{}') as breakage,
      sum(m.delta * (h.bits & 2097151)) as sum1,
      -- A charge counts twice, so that cost and refunded changed by the same amount are found too.
      sum(m.delta * case l.kind when 'charge' then 2 else 1 end * (h.bits >> 21 & 2097151)) as sum2,
      bool_or(l.job_id is not null and m.delta is null) as odd
    from public.credit_ledger as l
    cross join lateral (select uuid_hash_extended(l.job_id, p_seed)) as h (bits)
    cross join lateral (select case when l.delta between -2199023255552 and 2199023255552 then l.delta end) as m (delta)
    group by l.account_id, l.grant_id
  ),
  entries as (
    select m.account_id, coalesce(sum(m.sum1), 0) as sum1, coalesce(sum(m.sum2), 0) as sum2,
      bool_or(m.odd) as odd, coalesce(sum(m.total) filter (where m.grant_id is null), 0) as without_grant
    from moved as m group by m.account_id
  ),
  jobs as (
    select j.account_id, sum(j.net * (h.bits & 2097151)) as sum1,
      sum((j.net + j.cost) * (h.bits >> 21 & 2097151)) as sum2, bool_or(j.net is null or j.odd) as odd
    from (
      select o.account_id, o.id, o.cost,
        case when o.cost between 0 and 2199023255552 and o.refunded between 0 and o.cost
          and (o.refunded = o.cost or o.status not in ('failed', 'canceled', 'expired'))
          and (o.output is not null or o.status <> 'succeeded') then o.cost - o.refunded end as net,
        (o.status = 'succeeded') <> (o.actual_cost is not null)
          or o.seal is distinct from case
            when o.actual_cost <> o.cost then credits.job_seal(o.account_id, o.id, o.actual_cost) end as odd
      from public.generation_jobs as o
      -- Otherwise net is computed again for each of its uses.
      offset 0
    ) as j
    cross join lateral (select uuid_hash_extended(j.id, p_seed)) as h (bits)
    group by j.account_id
  ),
  grants as (
    select coalesce(g.account_id, m.account_id) as account_id, sum(g.remaining) as remaining,
      -- Only a grant whose credits all repaid an overdraft has no entry; without a grant, one was deleted.
      bool_and(g.id is not null and (m.grant_id is not null or g.repaid = g.amount)
        and g.remaining = coalesce(m.total, 0) and g.breakage = -coalesce(m.breakage, 0)
        and g.remaining between 0 and g.amount and g.is_open = (g.remaining > 0)
        and g.seal is not distinct from credits.grant_seal(g)) as sound
    from public.credit_grants as g
    full join (select * from moved where grant_id is not null) as m on m.account_id = g.account_id and m.grant_id = g.id
    group by 1
  )
  select coalesce(a.id, e.account_id, j.account_id, g.account_id)
  from public.credit_accounts as a
  full join entries as e on e.account_id = a.id
  full join jobs as j on j.account_id = coalesce(a.id, e.account_id)
  full join grants as g on g.account_id = coalesce(a.id, e.account_id, j.account_id)
  where (a.balance::numeric + a.credit_limit >= 0 and a.overdraft_used = -coalesce(e.without_grant, 0)
    and a.balance = coalesce(g.remaining, 0) - a.overdraft_used and coalesce(g.sound, true)
    and not coalesce(e.odd, false) and not coalesce(j.odd, false) and coalesce(e.sum1, 0) = -coalesce(j.sum1, 0)
    and coalesce(e.sum2, 0) = -coalesce(j.sum2, 0)) is not true;
end;
$$;
comment on function credits.suspect_sums(bigint) is
  'Accounts whose grants, overdraft or jobs differ from their entries, or are beyond their bounds. p_seed: an '
  'unpredictable number.';

create function credits.index_is_intact(p_definition text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from pg_catalog.pg_index as i
    where i.indexrelid = to_regclass('public.' || split_part(p_definition, ' ', 4))
      and i.indisvalid and pg_catalog.pg_get_indexdef(i.indexrelid) = p_definition);
end;
$$;
comment on function credits.index_is_intact(text) is
  'Whether an index of schema public exists, is valid, and has this definition.';

create function credits.suspect_keys()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  -- A fully refunded job that is gone leaves entries that sum to zero, which suspect_sums cannot see.
  select l.account_id from public.credit_ledger as l
  where l.delta > 0 and l.job_id is not null
    and not exists (select from public.generation_jobs as j where j.id = l.job_id and j.account_id = l.account_id);
  -- A valid unique index rules duplicates out.
  if not credits.index_is_intact('CREATE UNIQUE INDEX credit_grants_external_ref ON public.credit_grants '
    'USING btree (external_ref) WHERE (external_ref IS NOT NULL)') then
    return query
    select unnest(array_agg(g.account_id)) from public.credit_grants as g where g.external_ref is not null
    group by g.external_ref having count(*) > 1;
  end if;
end;
$$;
comment on function credits.suspect_keys() is
  'Accounts with entries of a job that is gone, or with a grant whose external_ref is used twice.';

create function credits.suspect_repeats()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  -- A server's key may equal a user's: the closer check finds the real duplicates.
  select j.account_id from public.generation_jobs as j where j.idempotency_key is not null
  group by j.account_id, j.member_id, j.idempotency_key having count(*) > 1;
end;
$$;
comment on function credits.suspect_repeats() is 'Accounts with two jobs under one idempotency key.';

create function credits.suspect_counts()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
declare
  this_month date := date_trunc('month', credits.clock_bound() at time zone 'utc');
begin
  return query
  select t.account_id from credits.transfers_booked as t where t.told <> t.booked
  union all
  select n.account_id from credits.transfers_noted as n where n.told <> n.noted
  union all
  select w.account_id from credits.withdrawals_booked as w where w.told <> w.booked
  union all
  select r.account_id from credits.grants_repaid as r where r.told <> r.booked
  union all
  select m.account_id from credits.members_counted as m
  where m.told not between m.least and m.most or m.spent_month > this_month;
end;
$$;
comment on function credits.suspect_counts() is
  'Accounts whose transfers, withdrawals, repaid overdrafts or members'' spending differ from their entries or jobs.';

create function credits.suspect_debts()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  with tally as (
    select d.account_id, count(*) as entries, max(d.seq) as last_seq, sum(d.delta) as total,
      bool_and(d.hash = credits.debt_hash(p.hash, d) and d.debt_after = coalesce(p.debt_after, 0) + d.delta) as follows
    from public.credit_debts as d left join public.credit_debts as p on p.account_id = d.account_id
      and p.seq = d.seq - 1
    group by d.account_id
  ),
  owing as (
    select * from public.credit_accounts as a where a.debt <> 0 or a.debt_seq <> 0
  )
  select coalesce(a.id, t.account_id)
  from owing as a full join tally as t on t.account_id = a.id
  where (t.follows and a.debt = t.total and a.debt_seq = t.entries and a.debt_seq = t.last_seq) is not true
  union all
  select coalesce(g.account_id, t.account_id)
  from (select * from public.credit_grants as c where c.reversed <> 0) as g
  full join (
    select distinct on (d.account_id, d.grant_id) d.account_id, d.grant_id, d.target
    from public.credit_debts as d where d.target is not null order by d.account_id, d.grant_id, d.seq desc
  ) as t on t.account_id = g.account_id and t.grant_id = g.id
  where coalesce(g.reversed, 0) <> coalesce(t.target, 0);
end;
$$;
comment on function credits.suspect_debts() is
  'Accounts whose debt or reversed grants differ from credit_debts, or whose rows there do not follow from each other.';

create function credits.suspects_of_any_age()
returns setof uuid
language sql
stable
rows 10
set search_path = '', pg_temp
as $$
  select account_id from credits.suspect_ends() as s (account_id)
  union select account_id from credits.suspect_sums(uuid_hash_extended(gen_random_uuid(), 0)) as s (account_id)
  union select account_id from credits.suspect_keys() as s (account_id)
  union select account_id from credits.suspect_archives() as s (account_id)
  union select account_id from credits.suspect_debts() as s (account_id)
  union select account_id from credits.suspect_counts() as s (account_id);
$$;
comment on function credits.suspects_of_any_age() is
  'Suspects by every check that reads all rows wherever it is asked: all but those of chains and repeated keys.';

create function credits.suspects()
returns setof uuid
language sql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
  select account_id from credits.suspect_chains() as s (account_id)
  union select account_id from credits.suspect_repeats() as s (account_id)
  union select account_id from credits.suspects_of_any_age() as s (account_id);
$$;
comment on function credits.suspects() is
  'Accounts, known or not, in which an invariant may be broken: no false negatives, rare false positives.';

create function credits.changed_accounts()
returns table (account public.credit_accounts, checkpoint public.credit_ledger_checkpoints)
language plpgsql
stable
set search_path = '', pg_temp
set enable_hashjoin = on
as $$
begin
  return query
  select a, case when c.account_id is null then credits.checkpoint_zero(a.id) else c end
  from public.credit_accounts as a left join public.credit_ledger_checkpoints as c on c.account_id = a.id
  where (a.last_seq, a.balance) is distinct from (coalesce(c.seq, 0), coalesce(c.balance, 0)) or a.last_hash <> c.hash;
end;
$$;
comment on function credits.changed_accounts() is
  'Accounts that have changed since their last checkpoint, with that checkpoint.';

-- By index, account by account: Postgres cannot know how few entries are new, and would read them all.
create function credits.suspects_among_changed()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  bound timestamptz := credits.clock_bound();
begin
  return query
  with tally as materialized (
    select a.*, t.*, n.checkpoint as old
    from credits.changed_accounts() as n
    cross join lateral (select (n.account).*) as a
    cross join lateral (
      select count(*) as entries, max(l.seq) as newest, sum(l.delta) as total, bool_and(l.follows)
          and bool_or(l.seq = a.last_seq and l.hash = a.last_hash)
          and bool_or(l.seq = (n.checkpoint).seq + 1 and ((n.checkpoint).seq = 0
            or l.previous_hash = (n.checkpoint).hash and l.previous_balance = (n.checkpoint).balance)) as follows,
        array_agg(l.job_id) filter (where l.job_id is not null) as jobs, max(l.created_at) as latest
      from credits.chain_links as l where l.account_id = a.id and l.seq > (n.checkpoint).seq
    ) as t
  )
  select t.id from tally as t
  cross join lateral (select coalesce(sum(g.remaining), 0) as remaining from public.credit_grants as g
    where g.account_id = t.id) as g
  where (t.follows and t.last_seq = (t.old).seq + t.entries and t.last_seq = t.newest
    and t.balance = (t.old).balance + t.total and t.balance = g.remaining - t.overdraft_used
    and t.balance::numeric + t.credit_limit >= 0 and t.latest <= bound) is not true
  union
  select f.account_id from (select distinct t.id as account_id, unnest(t.jobs) as job_id from tally as t) as f
  left join public.generation_jobs as j on j.id = f.job_id and j.account_id = f.account_id
  cross join lateral (select sum(l.delta) as total from public.credit_ledger as l
    where l.account_id = f.account_id and l.job_id = f.job_id) as t
  where (t.total = j.refunded::numeric - j.cost and j.refunded between 0 and j.cost
    and (j.refunded = j.cost or j.status not in ('failed', 'canceled', 'expired'))
    and (j.output is not null or j.status <> 'succeeded')) is not true;
end;
$$;
comment on function credits.suspects_among_changed() is
  'Changed accounts in which new entries may have broken an invariant: no false negatives, rare false positives.';
