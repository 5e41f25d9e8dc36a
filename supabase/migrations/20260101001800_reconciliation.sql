-- Gives: the views in which a DBA sees that every credit is accounted for.
-- Keeps: nothing; shows where an invariant does not hold.
-- Needs: every chapter before.

create view public.reconciliation_discrepancies
with (security_invoker = true)
as
with entries as (
  select account_id, sum(delta) as total, count(*) as entries, max(seq) as last_seq
  from public.credit_ledger group by account_id
),
grants as (
  select account_id, sum(remaining) as remaining from public.credit_grants group by account_id
),
jobs as (
  select account_id, job_id, sum(delta) as total
  from public.credit_ledger where job_id is not null group by account_id, job_id
)
select 'balance' as invariant, a.id as account_id, null::uuid as job_id,
  coalesce(e.total, 0)::bigint as expected, a.balance as actual
from public.credit_accounts as a left join entries as e on e.account_id = a.id
where a.balance <> coalesce(e.total, 0)
union all
select 'sequence', a.id, null, a.last_seq, coalesce(e.entries, 0)
from public.credit_accounts as a left join entries as e on e.account_id = a.id
where a.last_seq <> coalesce(e.entries, 0) or a.last_seq <> coalesce(e.last_seq, 0)
union all
select 'grants', a.id, null, a.balance, (coalesce(g.remaining, 0) - a.overdraft_used)::bigint
from public.credit_accounts as a left join grants as g on g.account_id = a.id
where a.balance <> coalesce(g.remaining, 0) - a.overdraft_used
union all
select 'job', j.account_id, j.id, j.refunded - j.cost, coalesce(e.total, 0)::bigint
from public.generation_jobs as j left join jobs as e on e.account_id = j.account_id and e.job_id = j.id
where coalesce(e.total, 0) <> j.refunded - j.cost
union all
select 'entry without account', e.account_id, null, 0, e.total::bigint
from entries as e where not exists (select from public.credit_accounts as a where a.id = e.account_id)
union all
select 'entry without job', e.account_id, e.job_id, 0, e.total::bigint
from jobs as e
where not exists (select from public.generation_jobs as j where j.id = e.job_id and j.account_id = e.account_id);

comment on view public.reconciliation_discrepancies is
  'One row a broken invariant: none on a sound system. balance: differs from the sum of the ledger. sequence: an entry is '
  'missing. grants: what remains in them, less the overdraft, differs from the balance. job: its entries differ from what '
  'it was charged and refunded. entry without account, entry without job: an entry that belongs to nothing. Credits.';
revoke all on table public.reconciliation_discrepancies from public, anon, authenticated, service_role;
grant select on table public.reconciliation_discrepancies to service_role;

create view public.reconciliation_summary
with (security_invoker = true)
as
select
  (select count(*) from public.credit_accounts) as accounts,
  (select count(*) from public.credit_ledger) as entries,
  (select coalesce(sum(balance), 0)::bigint from public.credit_accounts) as balance_total,
  (select coalesce(sum(delta), 0)::bigint from public.credit_ledger) as ledger_total,
  (select coalesce(sum(delta) filter (where delta > 0 and job_id is null), 0)::bigint from public.credit_ledger) as credits_in,
  (select coalesce(sum(cost), 0)::bigint from public.generation_jobs) as charged,
  (select coalesce(sum(refunded), 0)::bigint from public.generation_jobs) as refunded,
  (select count(*) from public.generation_jobs where status in ('pending', 'running')) as open_jobs,
  (select count(*) from public.generation_jobs
    where status in ('pending', 'running') and deadline_at <= now()) as overdue_jobs,
  (select count(*) from public.reconciliation_discrepancies) as discrepancies;

comment on view public.reconciliation_summary is
  'Everything in one row: totals in whole credits, and how many discrepancies there are (0 on a sound system).';
revoke all on table public.reconciliation_summary from public, anon, authenticated, service_role;
grant select on table public.reconciliation_summary to service_role;
