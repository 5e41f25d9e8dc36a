begin;
select plan(9);

create temp view found as select rule, account_id, observed from detect_anomalies(24);
update credit_plans set rate_limit_requests = 100, max_concurrent_jobs = 1000;
create temp table account as select ('00000000-0000-4000-8000-0000000000a' || i)::uuid as id
  from generate_series(1, 4) as i;
select from account, grant_credits(id, 50000);
create temp table jobs as
  select a.id as account_id, v.job_id from account as a, generate_series(1, 10) as i,
    atomic_charge_credits(a.id, 'standard-image', '{"prompt": "a"}', null, 'request-' || i) as v;
savepoint charged;

select settle_generation(job_id, '{}', 50) from jobs;
select is((select round(sum(refunded) / sum(cost), 1) from generation_jobs), 0.9,
  'most of what was reserved comes back');
select is_empty('select * from found', 'which is no refund farming: it was released');
select refund_credits(job_id) from jobs where account_id = '00000000-0000-4000-8000-0000000000a1';
select set_eq('select * from found',
  $$values ('refund_farming', '00000000-0000-4000-8000-0000000000a1'::uuid, 1::numeric)$$,
  'what they used and one alone got back is');
rollback to charged;

select fail_generation(job_id) from jobs;
select is_empty('select * from found', 'nor is what everybody got back, from a provider that failed');
rollback to charged;

select fail_generation(job_id) from jobs where account_id = '00000000-0000-4000-8000-0000000000a1';
select settle_generation(job_id, '{}') from jobs where account_id <> '00000000-0000-4000-8000-0000000000a1';
select set_eq('select * from found',
  $$values ('refund_farming', '00000000-0000-4000-8000-0000000000a1'::uuid, 1::numeric)$$,
  'what one alone got back is');
rollback to charged;

insert into auth.users (id, email) select gen_random_uuid(), format('%s@qq.com', 123456789 + i)
  from generate_series(1, 20) as i;
select is_empty('select * from found', 'mailboxes that are numbers have no pattern');
insert into auth.users (id, email) select gen_random_uuid(), format('jane%sdoe@example.com', i)
  from generate_series(1, 6) as i;
select is((select count(*) from found where rule = 'accounts_of_one_pattern'), 1::bigint, 'others have');
select matches((select detail from detect_anomalies(24) where rule = 'accounts_of_one_pattern'),
  '^6 accounts opened at example\.com \(pattern [0-9a-f]{8}\)$', 'and no address is shown');
rollback to charged;

update credit_settings set sign_up_grants_per_hour = 1;
insert into auth.users (id, email, email_confirmed_at)
  select gen_random_uuid(), format('%s@example.com', md5(i::text)), now() from generate_series(1, 301) as i;
select is(row((select count(*) from credit_request_events where code = 'sign_up_grants_exhausted'),
  (select count(*) from credit_rate_limit_hits), (get_generation_stats(1)).rate_limit_hits),
  row(300::bigint, 0::bigint, 0::bigint), 'who gets no sign-up grant hit no rate limit');

select * from finish();
rollback;
