begin;
select plan(3);

insert into generation_jobs (account_id, status, model, price_effective_from, provider, cost, refunded, input, output,
  request_hash, created_at, ended_at, deadline_at)
select '00000000-0000-4000-8000-0000000000a1',
  (case when i <= 17 then 'succeeded' else 'failed' end)::generation_job_status, 'm', now(), 'p', 1, (i > 17)::integer,
  '{}', '{}', '', now(), now(), now()
from generate_series(1, 20) as i;
select is((select healthy from get_generation_stats()), false, '85 % of 20 is not healthy as delivered');
update credit_alert_rules set minimum = 21 where name = 'success_rate';
select is((select healthy from get_generation_stats()), true, 'unless the rule wants more of them');
update credit_alert_rules set minimum = 20, threshold = 0.85 where name = 'success_rate';
select is((select healthy from get_generation_stats()), true, 'or is content with less');

select * from finish();
rollback;
