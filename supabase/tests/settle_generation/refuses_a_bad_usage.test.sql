begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a", "n": 2}');
select throws_ok(format($$select from settle_generation(%L, '{}', p_actual_usage => %L)$$, job_id, usage),
  '22023', null, usage)
from job, unnest(array['{"n": -5}', '{"n": "abc"}', '{"n": "NaN"}', '{"n": 1e30}', '{"n": 100001}', '{"n": true}',
  '{"n": [1]}']) as usage;
select is((select status from generation_jobs), 'pending'::generation_job_status, 'the job is as it was');
select is((select row(cost, refunded)
  from settle_generation((select job_id from job), '{}', p_actual_usage => '{"n": null, "other": "x"}')),
  row(1000::bigint, 0::bigint), 'what is null or no unit of ours is as it was asked for');

select * from finish();
rollback;
