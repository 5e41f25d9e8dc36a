begin;
select plan(5);

-- Every class that any check can raise, as the checks' own text says.
create temp view raised as
  select distinct m[1] as invariant from pg_proc as p,
    regexp_matches(p.prosrc, $$credits\.discrepancy\('([a-z ]+)'$$, 'g') as m
  where p.pronamespace = 'credits'::regnamespace
  union select 'overdue job'
  union select m[1] from pg_proc as p, regexp_matches(p.prosrc, $$select '([a-z]+_[a-z_]+)', \w+$$, 'g') as m
  where p.proname in ('payment_book_discrepancies', 'payment_waiting_discrepancies', 'subscription_discrepancies',
    'witness_discrepancies');
select set_eq('select invariant from raised', 'select invariant from reconciliation_classes',
  'every class is described, and no other');
select is_empty($$select invariant from reconciliation_classes
  where length(meaning) < 20 or length(likely_cause) < 20 or length(remedy) < 20$$, 'in whole sentences');

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
alter table generation_jobs drop constraint job_is_sound;
update credit_accounts set balance = balance + 1 where id = '00000000-0000-4000-8000-0000000000a1';
update generation_jobs set status = 'failed', ended_at = now() - interval '3 days',
  created_at = now() - interval '4 days' where id = (select job_id from job);
select set_eq('select invariant, since from reconciliation_discrepancies',
  $$select i, a.last_entry_at from unnest(array['balance', 'grants', 'chain']) as i, credit_accounts as a
    union all values ('job refund', now() - interval '3 days')$$,
  'since the last entry of an account, or the end of a job');
select results_eq('select d.invariant, d.likely_cause, d.remedy from reconciliation_discrepancies as d order by 1',
  $$select invariant, likely_cause, remedy from reconciliation_classes
    where invariant in ('balance', 'grants', 'chain', 'job refund') order by 1$$,
  'with its cause and remedy');
create temp table run as select * from reconcile_credit_ledger(true);
select set_eq('select invariant, account_id, job_id, since from reconciliation_discrepancies',
  'select invariant, account_id, job_id, since from reconciliation_findings where run_id = (select id from run)',
  'as a run keeps it');

select * from finish();
rollback;
