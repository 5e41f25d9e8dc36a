-- Gives: the type of a discrepancy, and the checks of an account's jobs, grants and archive against its entries.
-- Keeps: nothing; reports what is wrong and what was expected. No value, however impossible, stops a check.
-- Needs: archive.

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
  'A sum as a bigint, clamped to its range: forged amounts may exceed it.';

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
comment on function credits.discrepancy(text, uuid, numeric, numeric, timestamptz, uuid, bigint, bigint) is
  'One discrepancy as a row.';

create function credits.job_discrepancies(p_account_id uuid, p_after_seq bigint)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- PL/pgSQL keeps the plan; a function in SQL would be planned again for each account.
  return query
  with touched as (
    select distinct l.job_id from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > p_after_seq and l.job_id is not null
    union
    select j.id from public.generation_jobs as j where j.account_id = p_account_id and p_after_seq = 0
  ),
  totals as (
    select t.job_id, j.id is not null as known, j.cost::numeric as cost, j.refunded::numeric as refunded, j.status,
      j.output is not null as has_output, coalesce(j.ended_at, j.created_at) as since,
      (j.status = 'succeeded') = (j.actual_cost is not null)
        and j.seal is not distinct from case
          when j.actual_cost <> j.cost then credits.job_seal(j.account_id, j.id, j.actual_cost) end as is_as_settled,
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

create function credits.grant_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- PL/pgSQL keeps the plan; a function in SQL would be planned again for each account.
  return query
  with totals as (
    select l.grant_id, sum(l.delta) as total,
      -coalesce(sum(l.delta) filter (where l.kind = 'expiry'
        and (l.metadata is null or l.metadata ? 'operator_action')), 0) as gone
    from public.credit_ledger as l where l.account_id = p_account.id group by l.grant_id
  ),
  grants as (
    select g.*, coalesce(t.total, 0) as total, coalesce(t.gone, 0) as gone, t.grant_id is not null as has_entry
    from public.credit_grants as g left join totals as t on t.grant_id = g.id where g.account_id = p_account.id
  )
  select (credits.discrepancy('grant', p_account.id, total, remaining, created_at, p_grant_id => id)).*
  from grants where remaining <> total
  union all
  select (credits.discrepancy('grant terms', p_account.id, 1, 0, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g where g.account_id = p_account.id and g.seal is distinct from credits.grant_seal(g)
  union all
  select (credits.discrepancy('grant breakage', p_account.id, gone, breakage, created_at, p_grant_id => id)).*
  from grants where breakage <> gone
  union all
  select (credits.discrepancy('grant bounds', p_account.id, amount, remaining, created_at, p_grant_id => id)).*
  from grants where remaining not between 0 and amount
  union all
  select (credits.discrepancy('grant open', p_account.id, (remaining > 0)::integer, is_open::integer, created_at,
    p_grant_id => id)).*
  from grants where is_open <> (remaining > 0)
  union all
  -- A grant that repaid an overdraft with all of its credits is named by the entries that say so.
  select (credits.discrepancy('grant without entry', p_account.id, 0, amount, created_at, p_grant_id => id)).*
  from grants as g
  where not g.has_entry and not exists (
    select from public.credit_ledger as l
    where l.account_id = p_account.id and l.metadata ->> 'repaid_from_grant_id' = g.id::text)
  union all
  select (credits.discrepancy('entry without grant', p_account.id, 0, t.total, p_account.last_entry_at,
    p_grant_id => t.grant_id)).*
  from totals as t
  where t.grant_id is not null
    and not exists (select from public.credit_grants as g where g.account_id = p_account.id and g.id = t.grant_id)
  union all
  select (credits.discrepancy('overdraft', p_account.id, -o.total, p_account.overdraft_used, p_account.last_entry_at)).*
  from (select coalesce(sum(total), 0) as total from totals where grant_id is null) as o
  where p_account.overdraft_used <> -o.total;
end;
$$;
comment on function credits.grant_discrepancies(public.credit_accounts) is
  'The broken invariants of an account''s grants and overdraft, by the sums of their entries.';

create function credits.archive_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- PL/pgSQL keeps the plan; a function in SQL would be planned again for each account.
  return query
  with anchor as (
    select * from public.credit_ledger_anchors where account_id = p_account.id
  ),
  archived as (
    select count(*) as entries, coalesce(max(seq), 0) as last_seq, coalesce(sum(delta), 0) as total
    from only public.credit_ledger_archive where account_id = p_account.id
  )
  select (credits.discrepancy('archive', p_account.id, coalesce(n.seq, 0), a.entries, n.archived_at,
    p_seq => a.last_seq)).*
  from archived as a left join anchor as n on true
  where (a.entries, a.last_seq, a.total)
      is distinct from (coalesce(n.seq, 0), coalesce(n.seq, 0), coalesce(n.balance, 0)::numeric)
    or (n.seq > 0 and not exists (
      select from only public.credit_ledger_archive as l
      where l.account_id = p_account.id and l.seq = n.seq and l.hash = n.hash and l.balance_after = n.balance));
end;
$$;
comment on function credits.archive_discrepancies(public.credit_accounts) is
  'Whether an account''s archive matches its anchor: number of entries without a gap, sum and last hash.';
