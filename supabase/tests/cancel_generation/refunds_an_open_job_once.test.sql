begin;
select plan(8);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from set_model_price('painter', '{"image": 500}', '2026-01-01',
  '{"provider": "replicate", "provider_model": "acme/painter"}');
create function pg_temp.charge(p_prompt text) returns uuid language sql as $$
  select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'painter',
    jsonb_build_object('prompt', p_prompt)) $$;
create temp table jobs as select name, pg_temp.charge(name) as job_id
  from unnest(array['pending', 'running', 'settled']) as name;
create function pg_temp.cancel(p_name text) returns generation_job_result language sql as $$
  select cancel_generation(job_id, p_acknowledged => true) from jobs where name = p_name $$;
select from start_generation((select job_id from jobs where name = 'running'), 'at-the-provider');
select from settle_generation((select job_id from jobs where name = 'settled'), '{"outputs": []}');

select is((select row(code, status, refunded, balance) from pg_temp.cancel('pending')),
  row('canceled'::text, 'canceled'::generation_job_status, 500::bigint, 4000::bigint), 'a job that has not begun');
select is((select row(code, status, refunded, balance) from pg_temp.cancel('running')),
  row('canceled'::text, 'canceled'::generation_job_status, 500::bigint, 4500::bigint),
  'and one that its provider has stopped');
select is((select row(code, balance) from pg_temp.cancel('running')), row('unchanged'::text, 4500::bigint), 'once');
select is((select row(code, status, balance) from pg_temp.cancel('settled')),
  row('unchanged'::text, 'succeeded'::generation_job_status, 4500::bigint), 'not what has ended');
select results_eq($$select kind::text, count(*), sum(delta) from credit_ledger where job_id is not null group by 1
  order by 1$$, $$values ('charge', 3::bigint, -1500::numeric), ('refund', 2, 1000)$$, 'the ledger shows it');
select is((select count(*) from generation_jobs where status = 'canceled' and ended_at is not null and refunded = cost),
  2::bigint, 'and so do the jobs');
select throws_ok('select from cancel_generation(gen_random_uuid())', 'PT404');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
