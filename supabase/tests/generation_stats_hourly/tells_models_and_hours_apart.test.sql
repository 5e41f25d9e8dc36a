begin;
select plan(4);

update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 1000;
select from set_model_price('other', '{"image": 30}', '2026-01-01', '{"provider": "elsewhere", "provider_model": "m"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000000);
-- A hundred that took 1 to 100 seconds, and two of another model: one failed, one was canceled.
create temp table job as
  select i as n, v.job_id from generate_series(1, 102) as i,
    atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
    case when i <= 100 then 'standard-image' else 'other' end, '{"prompt": "a cat"}', 'key-' || i) as v;
select settle_generation(job_id, '{}') from job where n <= 100;
select fail_generation(job_id) from job where n = 101;
select cancel_generation(job_id) from job where n = 102;
update generation_jobs as j set created_at = '2026-03-01 12:59:59+00',
  ended_at = timestamptz '2026-03-01 12:59:59+00' + n * interval '1 second'
from job where job.job_id = j.id;
-- One of the hundred an hour later, by a second.
update generation_jobs as j set created_at = '2026-03-01 13:00:00+00' from job where job.job_id = j.id and n = 100;

select set_eq(
  'select hour, provider, model, jobs, succeeded, failed, canceled, success_rate from generation_stats_hourly',
  $$select t::timestamptz, p, m, j, s, f, c, r from (values
    ('2026-03-01 12:00+00', 'placeholder', 'standard-image', 99::bigint, 99::bigint, 0::bigint, 0::bigint, 1.0),
    ('2026-03-01 13:00+00', 'placeholder', 'standard-image', 1, 1, 0, 0, 1.0),
    ('2026-03-01 12:00+00', 'elsewhere', 'other', 2, 0, 1, 1, 0.0)) as v (t, p, m, j, s, f, c, r)$$,
  'hour, provider and model');
select is(row(p50_seconds, p95_seconds, p99_seconds), row(50.000, 95.000, 99.000), 'how long they took')
from generation_stats_hourly where jobs = 99;
select is(row(p50_seconds, p95_seconds, p99_seconds), row(null::numeric, null::numeric, null::numeric),
  'nothing of what did not succeed')
from generation_stats_hourly where model = 'other';
select set_eq('select credits_charged, credits_refunded from generation_stats_hourly',
  'values (49500::bigint, 0::bigint), (500, 0), (60, 60)', 'what they cost, and what came back');

select * from finish();
rollback;
