begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select row(code, status, refunded, balance)
  from fail_generation((select job_id from job), '{"code": "provider_failed"}')),
  row('failed'::text, 'failed'::generation_job_status, 500::bigint, 5000::bigint), 'all comes back');
select is((select code from fail_generation((select job_id from job))), 'unchanged', 'once');
select results_eq($$select kind::text, delta from credit_ledger
  where account_id = '00000000-0000-4000-8000-0000000000a1' and job_id is not null order by seq$$,
  $$values ('charge', -500::bigint), ('refund', 500)$$, 'the ledger shows both');
select is((select error ->> 'code' from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1'),
  'provider_failed', 'and the job why');
select throws_ok('select from fail_generation(gen_random_uuid())', 'PT404');

select * from finish();
rollback;
