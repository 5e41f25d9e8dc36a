-- Gives: the accounts that are to be looked at closely, found in a few passes over everything.
-- Keeps: nothing; whatever breaks an invariant makes its account a suspect. Discrepancies are named account by account.
-- Needs: debts, transfer, archive.
--
-- Each pass reads a table from end to end and groups: of millions of entries that is 20 times as fast as asking
-- account by account. Hence no nested loop, and a second process for tables from half a megabyte on, as a row costs
-- far more here than Postgres thinks, and no compiling, which takes longer than it saves. Hash tables that outgrow work_mem go to disk: memory stays flat.

create function credits.clock_bound()
returns timestamptz
language sql
volatile
set search_path = '', pg_temp
as $$
  -- A replica's clock may be a little behind that of the server that booked.
  select clock_timestamp() + interval '1 minute';
$$;
comment on function credits.clock_bound() is 'The latest time that an entry may have: a minute from now.';
revoke all on function credits.clock_bound() from public, anon, authenticated, service_role;

create function credits.suspect_chains()
returns setof uuid
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
set enable_mergejoin = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  return query
  with tally as (
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total, bool_and(l.follows) as follows
    from credits.chain_links as l group by l.account_id
  )
  select coalesce(a.id, t.account_id)
  from public.credit_accounts as a full join tally as t on t.account_id = a.id
  where (coalesce(t.follows, true) and a.last_seq = coalesce(t.entries, 0) and a.last_seq = coalesce(t.last_seq, 0)
    and a.balance = coalesce(t.total, 0)) is not true;
end;
$$;
comment on function credits.suspect_chains() is
  'Accounts with an entry that does not follow from the one before, or whose entries come to another number or sum than the account says.';
revoke all on function credits.suspect_chains() from public, anon, authenticated, service_role;

create function credits.suspect_ends()
returns setof uuid
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
as $$
declare
  bound timestamptz := credits.clock_bound();
begin
  return query
  -- A few entries of each account, by the primary key. Entries go up in time, so the last one tells of the clock for all.
  select a.id from public.credit_accounts as a
  where a.last_seq > 0 and not exists (
    select from public.credit_ledger as l
    where l.account_id = a.id and l.seq = a.last_seq and l.hash = a.last_hash and l.balance_after = a.balance and l.created_at <= bound)
  union all
  select a.id from public.credit_accounts as a where a.last_seq = 0 and a.last_hash <> decode(repeat('00', 32), 'hex')
  union all
  select c.account_id from public.ledger_checkpoints as c
  where not exists (
    select from public.credit_ledger as l
    where l.account_id = c.account_id and l.seq = c.seq and l.hash = c.hash and l.balance_after = c.balance)
  union all
  select n.account_id from public.ledger_anchors as n
  where not exists (
    select from only public.credit_ledger_archive as l
    where l.account_id = n.account_id and l.seq = n.seq and l.hash = n.hash and l.balance_after = n.balance);
end;
$$;
comment on function credits.suspect_ends() is
  'Accounts whose last, last verified or last archived entry is not as the account, its checkpoint or its anchor says, or is dated in the future.';
revoke all on function credits.suspect_ends() from public, anon, authenticated, service_role;

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
  -- Whether each job's entries come to what the job says, without a group for each job: every job has two numbers of
  -- 21 bits that nobody knows before the run, and each account's entries and jobs, multiplied by them, must come to
  -- the same two sums. A job that is wrong goes unseen once in 2^42 runs, in 2^21 if its cost and refunded are wrong by the same. It takes a fifth of the time of the groups.
  return query
  with moved as (
    select l.account_id, l.grant_id, sum(l.delta) as total, sum(l.delta) filter (where l.kind = 'expiry' and l.metadata is null) as lapsed,
      sum(m.delta * (h.bits & 2097151)) as sum1,
      -- A charge counts twice: cost and refunded, changed by the same amount, differ from the entries here.
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
    select j.account_id, sum(m.net * (h.bits & 2097151)) as sum1, sum((m.net + j.cost) * (h.bits >> 21 & 2097151)) as sum2,
      -- Here alone: what is in net is computed for each of its uses.
      bool_or(m.net is null or (j.status = 'succeeded') <> (j.actual_cost is not null)
        or j.seal is distinct from case when j.actual_cost <> j.cost then credits.job_seal(j.account_id, j.id, j.actual_cost) end) as odd
    from public.generation_jobs as j
    cross join lateral (select uuid_hash_extended(j.id, p_seed)) as h (bits)
    cross join lateral (
      select case when j.cost between 0 and 2199023255552 and j.refunded between 0 and j.cost
        and (j.refunded = j.cost or j.status not in ('failed', 'canceled', 'expired'))
        and (j.output is not null or j.status <> 'succeeded') then j.cost - j.refunded end) as m (net)
    group by j.account_id
  ),
  grants as (
    select g.account_id, sum(g.remaining) as remaining,
      bool_and(g.remaining = coalesce(m.total, 0) and g.lapsed = -coalesce(m.lapsed, 0) and g.remaining between 0 and g.amount and g.is_open = (g.remaining > 0)
        and g.seal is not distinct from credits.grant_seal(g)) as sound
    from public.credit_grants as g left join moved as m on m.account_id = g.account_id and m.grant_id = g.id
    group by g.account_id
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
  'Accounts whose grants, overdraft or jobs differ from their entries, or are beyond their bounds. p_seed: a number that nobody could foresee.';
revoke all on function credits.suspect_sums(bigint) from public, anon, authenticated, service_role;

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
comment on function credits.index_is_intact(text) is 'Whether an index of schema public exists, is valid, and is defined so.';
revoke all on function credits.index_is_intact(text) from public, anon, authenticated, service_role;

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
  -- A job that was refunded whole and is gone leaves entries that come to nothing.
  select l.account_id from public.credit_ledger as l
  where l.delta > 0 and l.job_id is not null
    and not exists (select from public.generation_jobs as j where j.id = l.job_id and j.account_id = l.account_id);
  -- What a unique index keeps out need not be looked for. A job's id follows from its key while the rule of a job holds.
  if not credits.index_is_intact('CREATE UNIQUE INDEX generation_jobs_pkey ON public.generation_jobs USING btree (id, account_id)')
    or not exists (
      select from pg_catalog.pg_constraint
      where conrelid = 'public.generation_jobs'::regclass and conname = 'job_is_sound' and convalidated) then
    return query
    select j.account_id from public.generation_jobs as j where j.idempotency_key is not null
    group by j.account_id, j.member_id, j.idempotency_key having count(*) > 1;
  end if;
  if not credits.index_is_intact('CREATE UNIQUE INDEX credit_grants_external_ref ON public.credit_grants '
    'USING btree (external_ref) WHERE (external_ref IS NOT NULL)') then
    return query
    select unnest(array_agg(g.account_id)) from public.credit_grants as g where g.external_ref is not null
    group by g.external_ref having count(*) > 1;
  end if;
end;
$$;
comment on function credits.suspect_keys() is
  'Accounts with entries of a job that is gone, with two jobs under one idempotency key, or with a grant whose external_ref stands twice.';
revoke all on function credits.suspect_keys() from public, anon, authenticated, service_role;

create function credits.suspect_archives()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
as $$
begin
  return query
  select coalesce(n.account_id, e.account_id)
  from public.ledger_anchors as n
  full join (
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total
    from only public.credit_ledger_archive as l group by l.account_id
  ) as e on e.account_id = n.account_id
  where (n.seq = e.entries and n.seq = e.last_seq and n.balance = e.total) is not true;
end;
$$;
comment on function credits.suspect_archives() is 'Accounts whose archived entries are not as many, or not the sum, that their anchor says.';
revoke all on function credits.suspect_archives() from public, anon, authenticated, service_role;

create view credits.transfers_booked
with (security_invoker = true)
as
select m.account_id, m.external_ref, m.from_account_id, min(m.seq) as seq, sum(m.told) as told, sum(m.booked) as booked
from (
  select to_account_id as account_id, external_ref, from_account_id::text as from_account_id, null::bigint as seq, amount as told, 0 as booked
  from public.credit_transfers
  union all
  -- What is sent is told by the sum: the sender's entries do not say whom it went to.
  select from_account_id, null, null, null, amount, 0 from public.credit_transfers
  union all
  -- What was imported has no row in credit_transfers.
  select l.account_id, l.metadata ->> 'external_ref', l.metadata ->> 'from_account_id', case when l.delta > 0 then l.seq end, 0, abs(l.delta::numeric)
  from public.credit_ledger as l where l.kind = 'transfer' and (l.metadata is null or l.metadata ? 'from_account_id')
) as m
group by m.account_id, m.external_ref, m.from_account_id;
comment on view credits.transfers_booked is
  'Each transfer that an account received, and what it sent in all (external_ref null), by credit_transfers (told) and by its entries (booked; seq is the first).';
revoke all on table credits.transfers_booked from public, anon, authenticated, service_role;

create view credits.grants_repaid
with (security_invoker = true)
as
select m.account_id, m.grant_id, sum(m.told) as told, sum(m.booked) as booked
from (
  select account_id, id::text as grant_id, repaid as told, 0 as booked from public.credit_grants where repaid <> 0
  union all
  -- As texts: what was imported may name in its metadata what is no grant's id.
  select l.account_id, case when l.grant_id is not null then l.metadata ->> 'repaid_to_grant_id'
      else coalesce(l.metadata ->> 'repaid_from_grant_id', l.metadata ->> 'source_grant_id') end,
    0, case when l.grant_id is null then l.delta else -l.delta end
  from public.credit_ledger as l
  where l.delta > 0 and (l.grant_id is null or (l.kind = 'refund' and l.metadata ? 'repaid_to_grant_id'))
) as m
where m.grant_id <> '0'
group by m.account_id, m.grant_id;
comment on view credits.grants_repaid is
  'What each grant has filled up of an overdraft and not got back, by credit_grants (told) and by the account''s entries (booked).';
revoke all on table credits.grants_repaid from public, anon, authenticated, service_role;

create view credits.members_counted
with (security_invoker = true)
as
with sums as (
  -- Of all jobs, so nothing is computed of each but sums. The interval of 0 is UTC, found without a search by name.
  select m.account_id, m.user_id, m.created_at, m.spent, m.spent_month, max(j.created_at) filter (where j.cost > 0) as latest,
    coalesce(sum(j.cost) filter (where j.created_at >= m.spent_month::timestamp at time zone interval '0')
      - sum(j.refunded) filter (where j.created_at >= m.spent_month::timestamp at time zone interval '0'), 0) as net
  from public.account_members as m
  left join public.generation_jobs as j on j.account_id = m.account_id and j.member_id = m.user_id
    and j.created_at >= m.spent_month::timestamp at time zone interval '0' - interval '1 hour'
  group by m.account_id, m.user_id
),
members as (
  select s.*, n.month, case when n.month = s.spent_month then s.spent else 0 end as told,
    n.month::timestamp at time zone 'utc' as begins, (n.month + interval '1 month') at time zone 'utc' as ends
  from sums as s cross join lateral (select greatest(s.spent_month, date_trunc('month', s.latest at time zone 'utc')::date) as month) as n
)
select m.account_id, m.user_id, m.created_at, m.spent_month, m.month, m.told,
  case when m.told = m.net then m.told else coalesce(e.least, 0) end as least, case when m.told = m.net then m.told else coalesce(e.most, 0) end as most
from members as m
cross join lateral (
  -- What was added to the month's jobs, or refunded, when it was over counts no more; a transaction that began before the
  -- month counts its charge in it. Asked for only where it matters.
  select sum(j.cost::numeric - j.refunded - coalesce(late.charged, 0)) filter (where j.created_at >= m.begins) as least,
    sum(case when j.created_at < m.begins then j.cost else j.cost::numeric - j.refunded + coalesce(late.refunded, 0) end) as most
  from public.generation_jobs as j
  cross join lateral (
    select -sum(l.delta) filter (where l.kind = 'charge') as charged, sum(l.delta) filter (where l.kind = 'refund') as refunded
    from public.credit_ledger as l
    where l.account_id = j.account_id and l.job_id = j.id and l.created_at >= m.ends - interval '10 seconds'
  ) as late
  where m.told <> m.net and j.account_id = m.account_id and j.member_id = m.user_id
    and j.created_at >= m.begins - interval '1 hour' and j.created_at < m.ends
) as e;
comment on view credits.members_counted is
  'What account_members tells that each member spent in the month of their latest charge (a month later than spent_month: nothing), and '
  'between which bounds that is by their jobs.';
revoke all on table credits.members_counted from public, anon, authenticated, service_role;

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
  select r.account_id from credits.grants_repaid as r where r.told <> r.booked
  union all
  select m.account_id from credits.members_counted as m where m.told not between m.least and m.most or m.spent_month > this_month;
end;
$$;
comment on function credits.suspect_counts() is
  'Accounts whose transfers are not what credit_transfers says, whose grants did not fill up what they say, or whose members have not '
  'spent what account_members says.';
revoke all on function credits.suspect_counts() from public, anon, authenticated, service_role;

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
    from public.credit_debts as d left join public.credit_debts as p on p.account_id = d.account_id and p.seq = d.seq - 1
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
  'Accounts whose debt or grants taken back are not what credit_debts says, or whose rows there do not follow from each other.';
revoke all on function credits.suspect_debts() from public, anon, authenticated, service_role;

create function credits.suspects()
returns setof uuid
language sql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
  select account_id from credits.suspect_chains() as s (account_id)
  union select account_id from credits.suspect_ends() as s (account_id)
  union select account_id from credits.suspect_sums(uuid_hash_extended(gen_random_uuid(), 0)) as s (account_id)
  union select account_id from credits.suspect_keys() as s (account_id)
  union select account_id from credits.suspect_archives() as s (account_id)
  union select account_id from credits.suspect_debts() as s (account_id)
  union select account_id from credits.suspect_counts() as s (account_id);
$$;
comment on function credits.suspects() is
  'Accounts, known or not, in which an invariant may be broken: never one too few, seldom one too many.';
revoke all on function credits.suspects() from public, anon, authenticated, service_role;

create function credits.changed_accounts()
returns table (account public.credit_accounts, checkpoint public.ledger_checkpoints)
language plpgsql
stable
set search_path = '', pg_temp
set enable_hashjoin = on
as $$
begin
  return query
  select a, case when c.account_id is null then credits.checkpoint_zero(a.id) else c end
  from public.credit_accounts as a left join public.ledger_checkpoints as c on c.account_id = a.id
  where (a.last_seq, a.balance) is distinct from (coalesce(c.seq, 0), coalesce(c.balance, 0)) or a.last_hash <> c.hash;
end;
$$;
comment on function credits.changed_accounts() is 'Accounts that are not as they were when they were verified last, with their checkpoints.';
revoke all on function credits.changed_accounts() from public, anon, authenticated, service_role;

-- Here by index, account by account: Postgres cannot know how few entries are new, and would read them all.
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
  cross join lateral (select coalesce(sum(g.remaining), 0) as remaining from public.credit_grants as g where g.account_id = t.id) as g
  where (t.follows and t.last_seq = (t.old).seq + t.entries and t.last_seq = t.newest and t.balance = (t.old).balance + t.total
    and t.balance = g.remaining - t.overdraft_used and t.balance::numeric + t.credit_limit >= 0 and t.latest <= bound) is not true
  union
  select f.account_id from (select distinct t.id as account_id, unnest(t.jobs) as job_id from tally as t) as f
  left join public.generation_jobs as j on j.id = f.job_id and j.account_id = f.account_id
  cross join lateral (select sum(l.delta) as total from public.credit_ledger as l where l.account_id = f.account_id and l.job_id = f.job_id) as t
  where (t.total = j.refunded::numeric - j.cost and j.refunded between 0 and j.cost
    and (j.refunded = j.cost or j.status not in ('failed', 'canceled', 'expired'))
    and (j.output is not null or j.status <> 'succeeded')) is not true;
end;
$$;
comment on function credits.suspects_among_changed() is
  'Changed accounts in which what is new may have broken an invariant: never one too few, seldom one too many.';
revoke all on function credits.suspects_among_changed() from public, anon, authenticated, service_role;

-- The views run as their reader. Without usage on the schema nobody can call these by name.
grant execute on function credits.suspects(), credits.suspect_chains(), credits.suspect_ends() to service_role;
