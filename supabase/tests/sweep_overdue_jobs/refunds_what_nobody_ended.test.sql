begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table overdue as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table running as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
update generation_jobs set deadline_at = now() where id = (select job_id from overdue);
select is(sweep_overdue_jobs(), 1, 'one job is overdue');
select is((select row(status, refunded) from generation_jobs where id = (select job_id from overdue)),
  row('expired'::generation_job_status, 500::bigint), 'it is refunded');
select is((select status from generation_jobs where id = (select job_id from running)),
  'pending'::generation_job_status, 'the other goes on');
select is(sweep_overdue_jobs(), 0, 'a second sweep finds nothing');

select * from finish();
rollback;
