-- Gives: the books in one row, live, in half the time of a deep reconciliation.
-- Keeps: nothing; counts what reconciliation_discrepancies would show.
-- Needs: reconciliation runs.
--
-- Every row names the transaction that wrote it (xmin). The last deep run noted the oldest transaction that it may not
-- have seen: a row of that one or of a later one is new, or was changed by hand; every other row is as that run saw
-- it, so its hash and its key need not be checked again.

create type credits.run_horizon as (
  run_id bigint,
  newest bigint,
  reach bigint
);
comment on type credits.run_horizon is
  'What the last deep run has not seen: rows whose transaction is at most reach before newest, modulo 2^32, as rows '
  'keep only the low 32 bits: ((newest - xmin::text::bigint) & 4294967295) <= reach.';

create function credits.deep_horizon()
returns credits.run_horizon
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Beyond every transaction that may be seen here, this one's own included.
  newest constant bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 16777216;
begin
  return (
    select row(r.id, newest, newest - r.unseen_from)::credits.run_horizon
    from (select *, xmin from public.reconciliation_runs where deep order by started_at desc limit 1) as r
    -- Of this server (a restored row was written by another transaction), not too long ago, its findings kept whole.
    where newest - r.unseen_from between 0 and 1073741824
      and ((newest - r.xmin::text::bigint) & 4294967295) <= newest - r.unseen_from and r.discrepancies < 10000);
end;
$$;
comment on function credits.deep_horizon() is
  'What the last deep run has not seen; null where there is no run to go by.';

create function credits.suspect_entries_since(p_since credits.run_horizon)
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_mergejoin = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  return query
  with tally as (
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total
    from public.credit_ledger as l group by l.account_id
  )
  select coalesce(a.id, t.account_id)
  from public.credit_accounts as a full join tally as t on t.account_id = a.id
  where (a.last_seq = coalesce(t.entries, 0) and a.last_seq = coalesce(t.last_seq, 0)
    and a.balance = coalesce(t.total, 0)) is not true;
  -- Its own link, the next one's, and that there is only one of it: then an account with as many entries as its last
  -- number has every number once.
  return query
  select n.account_id
  from (
    select l.account_id, l.seq, case when l.seq < 9223372036854775807 then l.seq + 1 else l.seq end as next_seq
    from public.credit_ledger as l
    where ((p_since.newest - l.xmin::text::bigint) & 4294967295) <= p_since.reach
    offset 0
  ) as n
  cross join lateral (
    select bool_and(k.follows) and count(*) filter (where k.seq = n.seq) = 1 as follows from credits.chain_links as k
    where k.account_id = n.account_id and k.seq between n.seq and n.next_seq
  ) as k
  where not k.follows;
end;
$$;
comment on function credits.suspect_entries_since(credits.run_horizon) is
  'What suspect_chains finds and the last deep run has not seen.';

create function credits.suspect_repeats_since(p_since credits.run_horizon)
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
set min_parallel_table_scan_size = '512kB'
as $$
declare
  -- As arrays, whose number is known where the join is planned.
  account_ids uuid[];
  ids uuid[];
  keys text[];
begin
  select array_agg(j.account_id), array_agg(j.id), array_agg(j.idempotency_key) into account_ids, ids, keys
  from public.generation_jobs as j
  where ((p_since.newest - j.xmin::text::bigint) & 4294967295) <= p_since.reach and j.idempotency_key is not null;
  if ids is null then
    return;
  end if;
  -- Of any member: the closer check finds the real duplicates.
  return query
  select j.account_id
  from unnest(account_ids, ids, keys) as n (account_id, id, idempotency_key)
  join public.generation_jobs as j on j.account_id = n.account_id and j.idempotency_key = n.idempotency_key
    and j.id <> n.id;
end;
$$;
comment on function credits.suspect_repeats_since(credits.run_horizon) is
  'What suspect_repeats finds and the last deep run has not seen.';

create function credits.suspects_now()
returns setof uuid
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
as $$
declare
  since credits.run_horizon := credits.deep_horizon();
begin
  -- Entry by entry is the slower way where more than one in twenty are new.
  if since.run_id is null or (
    select count(*) from public.credit_ledger as l
    where ((since.newest - l.xmin::text::bigint) & 4294967295) <= since.reach
  ) > (select greatest(sum(last_seq) / 20, 10000) from public.credit_accounts) then
    return query select * from credits.suspects();
  else
    return query
    select account_id from public.reconciliation_findings where run_id = since.run_id
    union select account_id from credits.suspect_entries_since(since) as s (account_id)
    union select account_id from credits.suspect_repeats_since(since) as s (account_id)
    union select account_id from credits.suspects_of_any_age() as s (account_id);
  end if;
end;
$$;
comment on function credits.suspects_now() is
  'The same as suspects(), by what the last deep run found and what has been written since.';

create view public.reconciliation_summary
with (security_invoker = true)
as
select a.accounts, l.entries, a.balance_total, l.ledger_total, l.credits_in, j.charged, j.refunded, u.open_jobs,
  u.overdue_jobs,
  (select count(*) from credits.discrepancies_of(array(select credits.suspects_now())))
    + (select count(*) from credits.payment_discrepancies())
    + (select count(*) from credits.operator_discrepancies(false)) as discrepancies,
  f.in_flight
from (
  select count(*) as accounts, credits.to_bigint(coalesce(sum(balance), 0)) as balance_total
  from public.credit_accounts
) as a,
(
  select count(*) as entries, credits.to_bigint(coalesce(sum(delta), 0)) as ledger_total,
    credits.to_bigint(coalesce(sum(delta) filter (where delta > 0 and job_id is null), 0)) as credits_in
  from public.credit_ledger
) as l,
(
  select credits.to_bigint(coalesce(sum(cost), 0)) as charged, credits.to_bigint(coalesce(sum(refunded), 0)) as refunded
  from public.generation_jobs
) as j,
(
  select count(*) as open_jobs, count(*) filter (where overdue) as overdue_jobs from public.credit_unsettled_jobs
) as u,
(
  select credits.to_bigint(coalesce(sum(amount), 0)) as in_flight
  from public.credit_transfers_sent where next_attempt_at is not null
) as f;

comment on view public.reconciliation_summary is
  'Everything in one row: totals in whole credits (refunded: what jobs gave back in all, released and refunded; '
  'in_flight: on the way to accounts of other shards, in no balance), '
  'and how many discrepancies there are (0 on a sound system). The number is live: the last deep run''s findings are '
  'looked at again, all sums are compared, and hashes and keys are checked of the rows that were written since that '
  'run, also by hand; of all rows where there is no such run. Files in Storage, and entries that name an operator''s '
  'action, are compared by deep runs alone.';
