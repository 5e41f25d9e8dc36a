begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select row(code, status, refunded, balance)
  from settle_generation((select job_id from job), '{"a": 1}', 300)),
  row('settled'::text, 'succeeded'::generation_job_status, 200::bigint, 4700::bigint), 'what was not used comes back');
select is((select code from settle_generation((select job_id from job), '{"a": 2}', 100)), 'unchanged',
  'a second settle moves nothing');
select is((select row(output, ended_at is not null) from generation_jobs
  where account_id = '00000000-0000-4000-8000-0000000000a1'), row('{"a": 1}'::jsonb, true), 'the output is kept');
select is((select code from fail_generation((select job_id from job))), 'unchanged', 'a settled job cannot fail');
select is((select code from cancel_generation((select job_id from job))), 'unchanged', 'nor be canceled');
create temp table plain as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select row(code, status, cost, refunded, balance) from settle_generation((select job_id from plain), '{}')),
  row('settled'::text, 'succeeded'::generation_job_status, 500::bigint, 0::bigint, 4200::bigint),
  'another is settled as charged');
select is((select row(actual_cost, ended_at is not null) from generation_jobs where id = (select job_id from plain)),
  row(500::bigint, true), 'which is what it cost');
select throws_ok(format('select from settle_generation(%L, null)', (select job_id from job)), '22023');
select throws_ok('select from settle_generation(gen_random_uuid(), ''{}'')', 'PT404');

select * from finish();
rollback;
