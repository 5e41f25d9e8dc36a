begin;
select plan(9);

update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 5;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50000);
create temp table jobs as
  select i as n, v.* from generate_series(1, 6) as i,
    atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
      'key-' || i) as v;
select is((select array_agg(status order by n) from jobs), array[201, 201, 201, 201, 201, 429],
  'five are charged, one is denied');
select settle_generation(job_id, '{}') from jobs where n <= 2;
select fail_generation(job_id) from jobs where n = 3;
select cancel_generation(job_id) from jobs where n = 4;
update generation_jobs set ended_at = created_at + interval '2 seconds'
  where id = (select job_id from jobs where n = 1);
update generation_jobs set ended_at = created_at + interval '4 seconds'
  where id = (select job_id from jobs where n = 2);

select is(row(total_jobs, completed_jobs, failed_jobs, canceled_jobs, open_jobs),
  row(5::bigint, 2::bigint, 1::bigint, 1::bigint, 1::bigint), 'jobs')
from get_generation_stats();
select is(row(success_rate, p50_seconds, p99_seconds, healthy), row(0.6667, 2.000, 4.000, true), 'rate and percentiles')
  from get_generation_stats();
select is(row(credits_charged, credits_refunded, denials, rate_limit_hits),
  row(2500::bigint, 1000::bigint, 1::bigint, 1::bigint), 'credits and denials')
from get_generation_stats();
select is(row(jobs, succeeded, failed, canceled, open, p95_seconds, credits_refunded),
  row(5::bigint, 2::bigint, 1::bigint, 1::bigint, 1::bigint, 4.000, 1000::bigint), 'the same by the hour')
from generation_stats_hourly where hour = date_trunc('hour', now()) and model = 'standard-image';
select is(row(account_id, code, hits),
  row('00000000-0000-4000-8000-0000000000a1'::uuid, 'too_many_jobs'::text, 1::bigint), 'who ran into limits')
  from credit_rate_limit_hits;
update generation_jobs set created_at = now() - interval '2 hours';
select is(total_jobs, 0::bigint, 'of the hours asked for') from get_generation_stats(1);
select throws_ok('select get_generation_stats(0)', '22023', null, 'no hours');
select throws_ok('select get_generation_stats(2147483647)', '22023', null, 'hours without end');

select * from finish();
rollback;
