begin;
select plan(12);

create temp view found as select rule, account_id, observed from detect_anomalies(24);
update credit_plans set rate_limit_requests = 10, max_concurrent_jobs = 1000;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500000);
select is_empty('select * from found', 'nothing on a quiet system');
savepoint quiet;

insert into credit_request_events (account_id, status, code)
select '00000000-0000-4000-8000-0000000000a1', s, 'denied' from unnest(array[402, 429]) as s, generate_series(1, 201);
select set_eq('select * from found',
  $$values ('spike_of_402', '00000000-0000-4000-8000-0000000000a1'::uuid, 201::numeric),
  ('spike_of_429', '00000000-0000-4000-8000-0000000000a1', 201)$$, 'spikes of denials');
update credit_request_events set created_at = now() - interval '25 hours';
select is_empty('select * from found', 'of the hours asked for');
select is((select count(*) from detect_anomalies(26)), 2::bigint, 'and no others');
rollback to quiet;

create temp table jobs as
  select v.* from generate_series(1, 10) as i,
    atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}', null,
      'request-' || i) as v;
select settle_generation(job_id, '{}') from jobs;
select refund_credits(job_id) from (select job_id from jobs limit 5) as half;
select is_empty('select * from found', 'half of it refunded is a bad day');
select refund_credits(job_id, 100) from jobs;
select set_eq('select * from found', $$values ('refund_farming', '00000000-0000-4000-8000-0000000000a1'::uuid, 0.6)$$,
  'more is farming');
rollback to quiet;

insert into auth.users (id, email) select gen_random_uuid(), format('Throw.away%s+%s@example.com', i, i)
  from generate_series(1, 6) as i;
select set_eq('select * from found', $$values ('accounts_of_one_pattern', null::uuid, 6::numeric)$$,
  'accounts of one pattern');
rollback to quiet;

select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select is_empty('select * from found', 'charges in SQL are usual where there are no others');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}',
  null, 'request');
select set_eq('select * from found',
  $$values ('charges_without_request', '00000000-0000-4000-8000-0000000000a1'::uuid, 1::numeric)$$,
  'and suspicious where there are');
rollback to quiet;

do $$ begin
  for i in 1 .. 21 loop
    update credit_accounts set rate_full_at = '-infinity';
    perform atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}',
      null, 'request');
  end loop;
end; $$;
update generation_jobs set created_at = date_trunc('minute', now());
select set_eq('select * from found', $$values ('impossible_rate', '00000000-0000-4000-8000-0000000000a1'::uuid, 2.1)$$,
  'more than the limiter lets pass');
rollback to quiet;

alter table credit_accounts drop constraint account_is_sound;
update credit_accounts set balance = -5;
select set_eq('select * from found',
  $$values ('negative_balance', '00000000-0000-4000-8000-0000000000a1'::uuid, 5::numeric)$$,
  'a balance below its limit');
update credit_anomaly_rules set enabled = false;
select is_empty('select * from found', 'rules can be turned off');

select * from finish();
rollback;
