begin;
select plan(10);

create temp view outcome as select array[accounts_checked, entries_checked, accounts_broken, discrepancies] as outcome
  from reconcile_credit_ledger();
create temp view findings as
  select invariant, account_id, job_id from reconciliation_findings
  where run_id = (select max(id) from reconciliation_runs);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 100);

select is((select outcome from outcome), array[2, 3, 0, 0]::bigint[], 'the first run checks all');
select is((select outcome from outcome), array[0, 0, 0, 0]::bigint[], 'the next one nothing');
select from refund_credits((select job_id from job));
select is((select outcome from outcome), array[1, 1, 0, 0]::bigint[], 'and then what is new');
savepoint sound;

update credit_accounts set balance = balance + 7 where id = '00000000-0000-4000-8000-0000000000b2';
select is((select outcome from outcome), array[1, 0, 1, 3]::bigint[], 'a balance that moved without an entry is new');
select set_eq('select invariant from findings', array['balance', 'grants', 'chain'], 'it is found');
select is((select outcome from outcome), array[1, 0, 1, 3]::bigint[], 'and stays new until it is sound');
rollback to sound;

alter table credit_grants drop constraint grant_is_sound;
select from credits.entry_append('00000000-0000-4000-8000-0000000000a1', 500, 'refund',
  (select id from credit_grants where account_id = '00000000-0000-4000-8000-0000000000a1'), (select job_id from job),
  'again', null);
select from reconcile_credit_ledger();
select set_has('select invariant, job_id from findings', $$values ('job', (select job_id from job))$$,
  'a refund that is booked twice is found by its entry');
rollback to sound;

update credit_grants set remaining = remaining - 1, amount = amount + 1
  where account_id = '00000000-0000-4000-8000-0000000000a1';
select is(discrepancies, 0::bigint, 'what is old is not looked at') from reconcile_credit_ledger();
select is(row(deep, accounts_checked, entries_checked, accounts_broken, discrepancies),
  row(true, 2::bigint, 4::bigint, 1::bigint, 3::bigint), 'a deep run looks at everything')
from reconcile_credit_ledger(true);
select cmp_ok(count(*) filter (where finished_at > started_at), '>=', 5::bigint, 'every run is kept')
  from reconciliation_runs;

select * from finish();
rollback;
