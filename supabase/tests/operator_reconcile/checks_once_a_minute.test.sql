begin;
select plan(8);

insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support'),
  ('00000000-0000-4000-8000-0000000000e2', 'viewer');
delete from reconciliation_runs;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700);
create temp table job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}');
update generation_jobs set status = 'failed', ended_at = now();
update credit_accounts set credit_limit = 5;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
grant select on job to public;
set local role authenticated;
select is_empty('select from operator_discrepancies', 'opening the board checks nothing');
create temp table runs as select * from operator_reconcile();
select is((select array[deep, is_latest] from runs), array[false, true], 'the quick check');
select set_eq('select class, subject, fix from operator_discrepancies',
  $$select 'job refund' as class, job_id::text as subject, 'refund_credits' as fix from job$$,
    'what it found, and what fixes it');
select ok((select bool_and(length(cause) > 10 and length(remedy) > 10 and length(meaning) > 10)
  from operator_discrepancies), 'with its meaning, cause and remedy');
select is((select run_id from operator_reconcile()), (select run_id from runs), 'within a minute the same run answers');
reset role;
update reconciliation_runs set started_at = started_at - interval '2 minutes';
set local role authenticated;
select isnt((select run_id from operator_reconcile()), (select run_id from runs), 'then another');
select is((select count(*) from operator_reconciliations where is_latest), 1::bigint, 'whose findings stand');

select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e2", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e2', true);
select throws_ok('select from operator_reconcile()', '42501', null, 'a viewer only looks');

select * from finish();
rollback;
