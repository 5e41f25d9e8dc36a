begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select row(code, status) from start_generation((select job_id from job), 'at-the-provider')), row('started'::text, 'running'::job_status), 'a job starts');
select is((select code from start_generation((select job_id from job))), 'unchanged', 'once');
select is((select row(code, status, balance) from cancel_generation((select job_id from job))), row('canceled'::text, 'canceled'::job_status, 5000::bigint), 'and is canceled and refunded');

select * from finish();
rollback;
