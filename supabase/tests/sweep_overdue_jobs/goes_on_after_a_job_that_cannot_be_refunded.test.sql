begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table jobs as
select c.job_id from generate_series(1, 2) as i,
  atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', i::text)) as c;
update generation_jobs
  set deadline_at = now() - interval '1 minute' * (case when id = (select min(job_id::text)::uuid from jobs) then 2
    else 1 end);
update generation_jobs set cost = cost + 1 where id = (select min(job_id::text)::uuid from jobs);
set local client_min_messages = error;
select is(sweep_overdue_jobs(), 1, 'the sound job is swept');
select results_eq($$select status from generation_jobs order by deadline_at$$,
  array['pending', 'expired']::generation_job_status[], 'the other stays open, to be seen');
select is((select balance from credit_accounts), 4500::bigint, 'nothing of it was booked');

select * from finish();
rollback;
