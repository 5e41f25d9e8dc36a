begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create function pg_temp.charge(p_key text, p_start boolean) returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', p_key,
    'request', p_start => p_start) $$;
create temp table first as select * from pg_temp.charge('key', false);
create temp table again as select * from pg_temp.charge('key', false);
select is((select row(status, code, job_id, job) from again), (select row(status, code, job_id, job) from first),
  'the same request gets the same verdict');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 4500::bigint,
  'charged once');
select is((select count(*) from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1'),
  1::bigint, 'one job');
create temp table started as select * from pg_temp.charge('started', true);
select is((select row(status, code, job_id, job) from pg_temp.charge('started', true)),
  (select row(status, code, job_id, job) from started), 'so where the charge starts the job');
select from start_generation((select job_id from started), 'at-the-provider');
select is((select code from pg_temp.charge('started', true)), 'request_in_flight',
  'until its provider is known to have it');
select from start_generation((select job_id from first));
select is((select code from pg_temp.charge('key', false)), 'request_in_flight', 'or it was started later');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 4000::bigint,
  'each was charged once');

select * from finish();
rollback;
