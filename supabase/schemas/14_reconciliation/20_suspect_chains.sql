-- Gives: the accounts whose chain of entries, live or archived, needs a closer check.
-- Keeps: nothing; a chain that does not hold makes its account a suspect.
-- Needs: archive.
--
-- Each pass, here and in the next chapter, reads a whole table and groups it: with millions of entries that is 20 times
-- as fast as account by account. So nested loops are off, JIT is off (it takes longer than it saves), and a table from
-- half a megabyte on gets a second process, as a row costs far more here than Postgres estimates. Hash tables beyond
-- work_mem go to disk, so memory stays flat.

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
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total,
      bool_and(l.follows) as follows
    from credits.chain_links as l group by l.account_id
  )
  select coalesce(a.id, t.account_id)
  from public.credit_accounts as a full join tally as t on t.account_id = a.id
  where (coalesce(t.follows, true) and a.last_seq = coalesce(t.entries, 0) and a.last_seq = coalesce(t.last_seq, 0)
    and a.balance = coalesce(t.total, 0)) is not true;
end;
$$;
comment on function credits.suspect_chains() is
  'Accounts with an entry that does not follow from the one before it, or whose entries differ in number or sum from '
  'the account.';

create function credits.suspect_ends()
returns setof uuid
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
-- A second process takes longer to start than a thousand accounts take.
set parallel_setup_cost = 20000
as $$
declare
  bound timestamptz := credits.clock_bound();
begin
  return query
  -- A few entries per account, by the primary key. Entries ascend in time, so the last one shows whether any is in the
  -- future.
  select a.id from public.credit_accounts as a
  where a.last_seq > 0 and not exists (
    select from public.credit_ledger as l
    where l.account_id = a.id and l.seq = a.last_seq and l.hash = a.last_hash and l.balance_after = a.balance
      and l.created_at <= bound)
  union all
  select a.id from public.credit_accounts as a where a.last_seq = 0 and a.last_hash <> decode(repeat('00', 32), 'hex')
  union all
  -- A checkpoint at the account's end has just been looked at.
  select c.account_id
  from public.credit_ledger_checkpoints as c left join public.credit_accounts as a on a.id = c.account_id
  where (c.seq, c.hash, c.balance) is distinct from (a.last_seq, a.last_hash, a.balance)
    and not exists (
      select from public.credit_ledger as l
      where l.account_id = c.account_id and l.seq = c.seq and l.hash = c.hash and l.balance_after = c.balance)
  union all
  select n.account_id from public.credit_ledger_anchors as n
  where not exists (
    select from only public.credit_ledger_archive as l
    where l.account_id = n.account_id and l.seq = n.seq and l.hash = n.hash and l.balance_after = n.balance);
end;
$$;
comment on function credits.suspect_ends() is
  'Accounts whose last, last verified or last archived entry is not as the account, its checkpoint or its anchor '
  'says, or is dated in the future.';

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
  from public.credit_ledger_anchors as n
  full join (
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total
    from only public.credit_ledger_archive as l group by l.account_id
  ) as e on e.account_id = n.account_id
  where (n.seq = e.entries and n.seq = e.last_seq and n.balance = e.total) is not true;
end;
$$;
comment on function credits.suspect_archives() is
  'Accounts whose archived entries differ in number or sum from their anchor.';
