-- Gives: reconcile_credit_ledger, which checks the books and keeps what it found as evidence.
-- Keeps: an incremental run reads only what is new; one snapshot per run, so traffic is never mistaken for damage.
-- Needs: reconciliation.

create table public.reconciliation_runs (
  id bigint generated always as identity primary key,
  deep boolean not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz not null default clock_timestamp(),
  accounts_checked bigint not null default 0,
  entries_checked bigint not null default 0,
  accounts_broken bigint not null default 0,
  discrepancies bigint not null default 0,
  unseen_from bigint
);
-- The last runs: reconciliation_latest, alerts, metrics.
create index reconciliation_runs_newest on public.reconciliation_runs (started_at desc);

comment on table public.reconciliation_runs is 'Every run of reconcile_credit_ledger and its outcome.';
comment on column public.reconciliation_runs.deep is
  'true: everything was checked; false: what was new since each account''s checkpoint.';
comment on column public.reconciliation_runs.accounts_checked is
  'Accounts looked at: all in a deep run, those with something new in an incremental one.';
comment on column public.reconciliation_runs.accounts_broken is 'Accounts with at least one discrepancy.';
comment on column public.reconciliation_runs.unseen_from is
  'Of a deep run: the number of the oldest transaction (xid8) that it may not have seen. What an earlier one wrote was '
  'checked.';

create table public.reconciliation_findings (
  id bigint generated always as identity,
  run_id bigint not null references public.reconciliation_runs (id) on delete cascade,
  invariant text not null references public.reconciliation_classes (invariant),
  account_id uuid not null,
  job_id uuid,
  grant_id bigint,
  seq bigint,
  expected bigint,
  actual bigint,
  since timestamptz,
  payment_key text,
  -- Without a primary key, a publication for all tables would block deletes.
  primary key (account_id, id)
);
-- What a run found.
create index reconciliation_findings_by_run on public.reconciliation_findings (run_id);

comment on table public.reconciliation_findings is
  'What each run found, as reconciliation_discrepancies shows it: the first 10,000 of a run. Cause and remedy: '
  'reconciliation_classes.';
comment on column public.reconciliation_findings.account_id is
  'The account; 00000000-0000-0000-0000-000000000000 for a payment that is nobody''s yet.';

alter table public.reconciliation_runs enable row level security;
alter table public.reconciliation_findings enable row level security;
create view public.reconciliation_latest
with (security_invoker = true)
as
(select * from public.reconciliation_runs where deep order by started_at desc limit 1)
union all
(select * from public.reconciliation_runs
 where not deep
   and started_at > coalesce((select max(started_at) from public.reconciliation_runs where deep), '-infinity')
 order by started_at desc limit 1);
comment on view public.reconciliation_latest is
  'The runs that count now: the latest deep one, and the latest incremental one after it. Findings of a deep run stand '
  'until the next deep run, those of an incremental run until any later run.';

create function credits.reconcile_all(
  p_run_id bigint, out accounts_checked bigint, out entries_checked bigint, out accounts_broken bigint,
  out discrepancies bigint
)
language sql
set search_path = '', pg_temp
-- JIT takes longer than it saves.
set jit = off
as $$
  with found as (select * from public.reconciliation_discrepancies),
  kept as (
    insert into public.reconciliation_findings (run_id, invariant, account_id, job_id, grant_id, seq, expected,
      actual, since, payment_key)
    select p_run_id, invariant, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), job_id, grant_id, seq,
      expected, actual, since, payment_key
    from found limit 10000
  )
  select (select count(*) from public.credit_accounts),
    (select credits.to_bigint(coalesce(sum(last_seq), 0)) from public.credit_accounts),
    (select count(distinct account_id) from found), (select count(*) from found);
$$;
comment on function credits.reconcile_all(bigint) is 'Checks everything in one snapshot, and keeps the findings.';

create function credits.reconcile_new(
  p_run_id bigint, out accounts_checked bigint, out entries_checked bigint, out accounts_broken bigint,
  out discrepancies bigint
)
language sql
set search_path = '', pg_temp
-- JIT takes longer than it saves.
set jit = off
as $$
  with changed as materialized (
    select * from credits.changed_accounts()
  ),
  broken as materialized (
    select d.* from (
      select n.account, n.checkpoint from credits.suspects_among_changed() as s (account_id)
      join changed as n on (n.account).id = s.account_id
      offset 0
    ) as n
    cross join lateral credits.account_discrepancies(n.account, n.checkpoint) as d
  ),
  overdue as (
    select 'overdue job' as invariant, u.account_id, u.job_id, null::bigint as grant_id, null::bigint as seq,
      0::bigint as expected, u.credits as actual, u.deadline_at as since
    from public.credit_unsettled_jobs as u where u.deadline_at < now() - credits.sweep_grace()
  ),
  found as materialized (
    select b.*, null::text as payment_key from broken as b
    union all select o.*, null from overdue as o
    union all
    select p.discrepancy, p.account_id, null, p.grant_id, null, p.expected, p.actual, p.since, p.payment_key
    from credits.payment_discrepancies() as p
    union all
    select a.*, null from credits.operator_discrepancies(false) as a
  ),
  kept as (
    insert into public.reconciliation_findings (run_id, invariant, account_id, job_id, grant_id, seq, expected,
      actual, since, payment_key)
    select p_run_id, invariant, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), job_id, grant_id, seq,
      expected, actual, since, payment_key
    from found limit 10000
  ),
  moved as (
    insert into public.credit_ledger_checkpoints as c (account_id, seq, hash, balance)
    select (n.account).id, (n.account).last_seq, (n.account).last_hash, (n.account).balance
    from changed as n
    where (n.account).last_seq > 0 and not exists (select from broken as b where b.account_id = (n.account).id)
    order by 1
    on conflict (account_id) do update
    set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, verified_at = now()
    where c.seq <= excluded.seq
  )
  select (select count(*) from changed),
    (select credits.to_bigint(coalesce(sum((n.account).last_seq::numeric - (n.checkpoint).seq), 0)) from changed as n),
    (select count(distinct account_id) from found), (select count(*) from found);
$$;
comment on function credits.reconcile_new(bigint) is
  'Checks in one snapshot what is new since each account''s checkpoint, keeps the findings, and moves the checkpoints '
  'of sound accounts.';

create function public.reconcile_credit_ledger(p_deep boolean default false)
returns public.reconciliation_runs
language plpgsql
security definer
set search_path = '', pg_temp
-- The most that the Data API allows; elsewhere the caller's own limit applies.
set statement_timeout = '60s'
as $$
declare
  run public.reconciliation_runs;
  checked record;
begin
  perform credits.caller_check('reconcile_credit_ledger');
  insert into public.reconciliation_runs (deep, unseen_from)
  values (coalesce(p_deep, false), case when p_deep then pg_snapshot_xmin(pg_current_snapshot())::text::bigint end)
  returning * into run;
  if run.deep then
    select * into checked from credits.reconcile_all(run.id);
  else
    select * into checked from credits.reconcile_new(run.id);
  end if;
  update public.reconciliation_runs
  set finished_at = clock_timestamp(), accounts_checked = checked.accounts_checked,
    entries_checked = checked.entries_checked,
      accounts_broken = checked.accounts_broken, discrepancies = checked.discrepancies
  where id = run.id
  returning * into run;
  return run;
end;
$$;
comment on function public.reconcile_credit_ledger(boolean) is
  'Checks that every credit is accounted for and stores the run and its findings. By default it checks what is new '
  'since each account''s checkpoint: its entries and chain, the jobs they touch, its grants in total, jobs left open '
  'past their deadline, and all payments. p_deep: everything, as reconciliation_discrepancies. Locks no account; '
  'in-flight transactions are not seen. Meant to run daily, deep weekly.';
