begin;
select plan(4);

-- 89.995 %: four places would round it to 90.
update credit_scheduled_tasks set enabled = false;
insert into generation_jobs (account_id, status, model, price_effective_from, provider, cost, refunded, input, output,
  request_hash, created_at, ended_at, deadline_at)
select '00000000-0000-4000-8000-0000000000a1',
  (case when i <= 17999 then 'succeeded' else 'failed' end)::generation_job_status, 'm', now(), 'p', 1,
  (i > 17999)::integer, '{}', '{}', '', now(), now(), now()
from generate_series(1, 20000) as i;
select is((select row(completed_jobs, failed_jobs, healthy) from get_generation_stats()),
  row(17999::bigint, 2001::bigint, false), 'is not healthy');
select evaluate_alerts();
select is((select value from credit_alerts where rule = 'success_rate' and resolved_at is null), 0.8999,
  'and fires the alert');
select is((select value from operational_metrics() where metric = 'atomic_credits_success_ratio'), 0.8999,
  'nor does the metric say 90 %');
update generation_jobs set status = 'succeeded', refunded = 0
  where id = (select id from generation_jobs where status = 'failed' limit 1);
select is((select healthy from get_generation_stats()), true, '90 % is healthy');

select * from finish();
rollback;
