begin;
select plan(3);

update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 1000;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50000);
create temp table jobs as select (atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a"}')).job_id as id from generate_series(1, 4);
update generation_jobs set status = 'succeeded', actual_cost = cost, ended_at = now(),
  output = jsonb_build_object('outputs',
  jsonb_build_array(jsonb_build_object('data', repeat('A', 5000000))));
select find_outputs_to_move();
select is((select count(*) from claim_outputs_to_move(10)), 2::bigint, 'as many as make 8 MiB, the last one included');
update generation_jobs set output = jsonb_build_object('outputs',
  jsonb_build_array(jsonb_build_object('data', repeat('A', 9000000))));
select is((select count(*) from claim_outputs_to_move(10)), 1::bigint, 'one that is larger comes alone');
select is((select count(*) from claim_outputs_to_move(0)), 0::bigint, 'none if none are asked for');

select * from finish();
rollback;
