begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
insert into credit_plans (name, max_concurrent_jobs) values ('one-job', 1);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'one-job');
create function pg_temp.charge() returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    p_start => true) $$;

create temp table job as select * from pg_temp.charge();
select is((select row(code, status, refunded, balance) from cancel_generation((select job_id from job))),
  row('job_running'::text, 'running'::generation_job_status, 0::bigint, 4500::bigint),
  'what runs within the request goes on, and nothing is refunded');
select is((select row(code, balance)
  from cancel_generation((select job_id from job), '00000000-0000-4000-8000-0000000000a1')),
  row('job_running'::text, 4500::bigint), 'also when the user is named who asks');
select is((select code from pg_temp.charge()), 'too_many_jobs', 'its place stays taken');
select is((select code from settle_generation((select job_id from job), '{"outputs": []}')), 'settled',
  'it ends charged');
create temp table next as select * from pg_temp.charge();
select is((select code from next), 'charged', 'then there is a place again');
select is((select code from fail_generation((select job_id from next))), 'failed', 'or it ends refunded');

create temp table worker as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from start_generation((select job_id from worker));
select is((select code from cancel_generation((select job_id from worker))), 'job_running',
  'nor what was started later');
select is((select row(code, status) from refund_credits((select job_id from worker))),
  row('refunded'::text, 'canceled'::generation_job_status), 'an operator can still end it');
select is((select row(balance, cancels) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row(4500::bigint, 0), 'one job was paid, and no cancel was used');

select * from finish();
rollback;
