begin;
select plan(6);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    p_start => true);
select is((select row(status, started_at = created_at, provider_job_id) from generation_jobs),
  row('running'::generation_job_status, true, null::text), 'a job runs from its charge on');
select is((select code from start_generation((select job_id from job))), 'unchanged', 'it has started');
select is((select row(code, status) from start_generation((select job_id from job), 'at-the-provider')),
  row('started'::text, 'running'::generation_job_status), 'the provider''s id is noted');
select is((select row(provider_job_id, started_at = created_at) from generation_jobs),
  row('at-the-provider'::text, true), 'and the time stays');
select is((select code from start_generation((select job_id from job), 'another')), 'unchanged', 'once');
select is((select provider_job_id from generation_jobs), 'at-the-provider', 'which stays');

select * from finish();
rollback;
