-- Gives: the views in which a DBA sees that every credit is accounted for.
-- Keeps: nothing; shows where an invariant does not hold.
-- Needs: every chapter before.

create view public.unsettled_jobs
with (security_invoker = true)
as
select account_id, id as job_id, status, model, provider, cost - refunded as credits, created_at, deadline_at,
  deadline_at <= now() as overdue
from public.generation_jobs
where status in ('pending', 'running');
comment on view public.unsettled_jobs is
  'Jobs that are charged and have not ended. overdue: past the deadline, the next sweep refunds it. credits: what is charged and not refunded.';
revoke all on table public.unsettled_jobs from public, anon, authenticated, service_role;
grant select on table public.unsettled_jobs to service_role;

create view public.ledger_chain_breaks
with (security_invoker = true)
as
select a.id as account_id, v.broken_seq as seq, v.problem, v.checked, a.last_seq, a.last_entry_at
from public.credit_accounts as a
cross join lateral credits.account_chain(a, credits.checkpoint_zero(a.id)) as v
where not v.sound;
comment on view public.ledger_chain_breaks is
  'The first broken entry of every account whose hash chain does not hold (problem: see type ledger_verdict). Recomputes the whole '
  'chain of each account that it is asked for: reconcile_credit_ledger is the cheap way.';
revoke all on table public.ledger_chain_breaks from public, anon, authenticated, service_role;
grant select on table public.ledger_chain_breaks to service_role;

create table public.discrepancy_classes (
  invariant text primary key,
  meaning text not null,
  likely_cause text not null,
  remedy text not null
);
comment on table public.discrepancy_classes is 'What each class of discrepancy means, what causes it as a rule, and what to do.';
insert into public.discrepancy_classes (invariant, meaning, likely_cause, remedy) values
  ('balance', 'The account''s balance differs from the sum of its entries.',
    'credit_accounts was written by hand, or an entry was removed or added by hand.',
    'Find the hand''s change (verify_ledger names a broken entry). If the ledger is right, set the balance to the sum of the ledger.'),
  ('sequence', 'The account''s last_seq differs from how many entries there are.',
    'An entry was deleted, or credit_accounts restored from another time than credit_ledger.',
    'Restore the missing entries from a backup; verify_ledger says where the gap is.'),
  ('chain', 'An entry does not follow from the one before it.',
    'An entry was changed, deleted, inserted or swapped by somebody who had turned rules and triggers off.',
    'Compare the entry with a backup and restore it. Until then trust neither it nor what follows.'),
  ('archive', 'The account''s archived entries differ from what its anchor says was archived.',
    'Entries of credit_ledger_archive, or ledger_anchors, were removed or changed by somebody who had turned rules and triggers off.',
    'Restore the account''s rows of credit_ledger_archive and ledger_anchors from a backup; verify_ledger (from the start) names the first broken entry.'),
  ('grants', 'What remains in the grants, less the overdraft, differs from the balance.',
    'credit_grants or credit_accounts was written by hand.',
    'See the rows grant and overdraft of the same account: they name the one that is off.'),
  ('grant', 'What remains in a grant differs from the sum of its entries.',
    'credit_grants.remaining was written by hand.',
    'Set remaining to the expected value, and is_open to whether that is above 0.'),
  ('grant bounds', 'A grant holds less than 0 or more than its amount.',
    'Its constraint was dropped, and the row written by hand.',
    'Restore the constraint remaining_within_amount; set remaining to the sum of the grant''s entries.'),
  ('overdraft', 'The overdraft in use differs from the sum of the entries without a grant.',
    'credit_accounts.overdraft_used was written by hand.', 'Set overdraft_used to the expected value.'),
  ('credit limit', 'The balance is below what the credit limit allows.',
    'The constraint account_is_sound was dropped or the limit lowered by hand.',
    'Raise credit_limit to the overdraft in use, or grant credits; restore the constraint.'),
  ('job', 'A job''s entries differ from what it was charged and refunded.',
    'A charge or refund was booked or undone by hand.',
    'Decide which is right. A refund that is missing in the ledger: correct refunded, then refund_credits. One too many: book an adjustment.'),
  ('job refund', 'A job that ended without a result keeps credits, or was refunded more than it cost.',
    'Its constraints were dropped, and the row written by hand.', 'Call refund_credits for what is missing; restore the constraints.'),
  ('overdue job', 'A job is open ten minutes after its deadline.',
    'sweep_overdue_jobs does not run.', 'Look at the task in task_runs; run select sweep_overdue_jobs().'),
  ('entry without account', 'Entries belong to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('entry without job', 'Entries belong to a job that does not exist.',
    'The job''s row was deleted by hand.', 'Restore the job''s row from a backup. To remove personal data, use erase_account.'),
  ('job without account', 'A job belongs to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('grant without account', 'A grant belongs to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.');

alter table public.discrepancy_classes enable row level security;
revoke all on table public.discrepancy_classes from public, anon, authenticated, service_role;
grant select on table public.discrepancy_classes to service_role;

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

create function credits.discrepancy(
  p_invariant text, p_account_id uuid, p_expected numeric, p_actual numeric, p_since timestamptz,
  p_job_id uuid default null, p_grant_id bigint default null, p_seq bigint default null
)
returns credits.discrepancy
language sql
immutable
set search_path = '', pg_temp
as $$
  select row(p_invariant, p_account_id, p_job_id, p_grant_id, p_seq, p_expected, p_actual, p_since)::credits.discrepancy;
$$;
comment on function credits.discrepancy(text, uuid, numeric, numeric, timestamptz, uuid, bigint, bigint) is 'One discrepancy as a row.';

create function credits.account_discrepancies(p_account public.credit_accounts, p_after public.ledger_checkpoints)
returns setof credits.discrepancy
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  chain public.ledger_verdict := credits.account_chain(p_account, p_after);
  entries record;
  remaining numeric;
begin
  select count(*) + p_after.seq as count, coalesce(max(seq), p_after.seq) as last_seq,
    coalesce(sum(delta), 0) + p_after.balance as total into entries
  from public.credit_ledger where account_id = p_account.id and seq > p_after.seq;
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
  if p_account.balance < -p_account.credit_limit then
    return next credits.discrepancy('credit limit', p_account.id, -p_account.credit_limit, p_account.balance, p_account.last_entry_at);
  end if;
  return query select d.* from credits.job_discrepancies(p_account.id, p_after.seq) as d;
  if p_after.seq = 0 then
    return query select d.* from credits.grant_discrepancies(p_account) as d;
    return query select d.* from credits.archive_discrepancies(p_account) as d;
  end if;
end;
$$;
comment on function credits.account_discrepancies(public.credit_accounts, public.ledger_checkpoints) is
  'The broken invariants of one account: all of them from its beginning, and from a checkpoint those that what came after it can '
  'have broken. Reads in the caller''s snapshot and locks nothing.';

create function credits.job_discrepancies(p_account_id uuid, p_after_seq bigint)
returns setof credits.discrepancy
language plpgsql
stable
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
    select t.job_id, j.id is not null as known, j.cost, j.refunded, j.status, coalesce(j.ended_at, j.created_at) as since,
      (select coalesce(sum(l.delta), 0) from public.credit_ledger as l
       where l.account_id = p_account_id and l.job_id = t.job_id) as total
    from touched as t left join public.generation_jobs as j on j.id = t.job_id and j.account_id = p_account_id
  )
  select (credits.discrepancy('job', p_account_id, refunded - cost, total, since, job_id)).*
  from totals where known and total <> refunded - cost
  union all
  select (credits.discrepancy('job refund', p_account_id, cost, refunded, since, job_id)).*
  from totals where known
    and (refunded not between 0 and cost or (status in ('failed', 'canceled', 'expired') and refunded <> cost))
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
set search_path = '', pg_temp
as $$
begin
  -- plpgsql keeps the plan; a function in SQL would be planned anew for each account.
  return query
  with totals as (
    select l.grant_id, sum(l.delta) as total from public.credit_ledger as l where l.account_id = p_account.id group by l.grant_id
  ),
  grants as (
    select g.*, coalesce(t.total, 0) as total
    from public.credit_grants as g left join totals as t on t.grant_id = g.id where g.account_id = p_account.id
  )
  select (credits.discrepancy('grant', p_account.id, total, remaining, created_at, p_grant_id => id)).*
  from grants where remaining <> total
  union all
  select (credits.discrepancy('grant bounds', p_account.id, amount, remaining, created_at, p_grant_id => id)).*
  from grants where remaining not between 0 and amount
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
revoke all on function credits.discrepancy(text, uuid, numeric, numeric, timestamptz, uuid, bigint, bigint)
  from public, anon, authenticated, service_role;
revoke all on function credits.account_discrepancies(public.credit_accounts, public.ledger_checkpoints)
  from public, anon, authenticated, service_role;
revoke all on function credits.job_discrepancies(uuid, bigint)
  from public, anon, authenticated, service_role;
revoke all on function credits.grant_discrepancies(public.credit_accounts)
  from public, anon, authenticated, service_role;
-- The view runs as its reader. Without usage on the schema nobody can call it by name.
grant execute on function credits.account_discrepancies(public.credit_accounts, public.ledger_checkpoints) to service_role;

create view public.reconciliation_discrepancies
with (security_invoker = true)
as
with orphans as (
  select 'entry without account' as invariant, l.account_id, null::uuid as job_id, null::bigint as grant_id,
    max(l.seq) as seq, 0 as expected, sum(l.delta) as actual, max(l.created_at) as since
  from public.credit_ledger as l
  where not exists (select from public.credit_accounts as a where a.id = l.account_id)
  group by l.account_id
  union all
  select 'job without account', j.account_id, j.id, null, null, 0, j.cost - j.refunded, j.created_at
  from public.generation_jobs as j where not exists (select from public.credit_accounts as a where a.id = j.account_id)
  union all
  select 'grant without account', g.account_id, null, g.id, null, 0, g.remaining, g.created_at
  from public.credit_grants as g where not exists (select from public.credit_accounts as a where a.id = g.account_id)
),
overdue as (
  select 'overdue job' as invariant, u.account_id, u.job_id, null::bigint as grant_id, null::bigint as seq,
    0 as expected, u.credits as actual, u.deadline_at as since
  from public.unsettled_jobs as u where u.deadline_at < now() - interval '10 minutes'
),
found as (
  select d.* from public.credit_accounts as a
  cross join lateral credits.account_discrepancies(a, credits.checkpoint_zero(a.id)) as d
  union all select * from overdue
  union all select * from orphans
)
select f.invariant, f.account_id, f.job_id, f.grant_id, f.seq, f.expected::bigint, f.actual::bigint, f.since,
  c.likely_cause, c.remedy
from found as f join public.discrepancy_classes as c on c.invariant = f.invariant;

comment on view public.reconciliation_discrepancies is
  'One row a broken invariant, with the account, job, grant or entry (seq) that it is about: none on a sound system. expected and '
  'actual are whole credits, numbers of entries (sequence), or the last entry and the last sound one (chain). since: the last '
  'regular movement of what is broken. discrepancy_classes says what each invariant means. Reads everything: '
  'reconcile_credit_ledger is the cheap way.';
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
  (select count(*) from public.unsettled_jobs) as open_jobs,
  (select count(*) from public.unsettled_jobs where overdue) as overdue_jobs,
  (select count(*) from public.reconciliation_discrepancies) as discrepancies;

comment on view public.reconciliation_summary is
  'Everything in one row: totals in whole credits, and how many discrepancies there are (0 on a sound system).';
revoke all on table public.reconciliation_summary from public, anon, authenticated, service_role;
grant select on table public.reconciliation_summary to service_role;
