begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select throws_ok(format('select from start_generation(%L, %L)', (select job_id from job), id), '22023',
  'the provider''s job id must have 1 to 255 characters', length(id) || ' characters are no id')
from unnest(array['', repeat('x', 256)]) as id;
select is((select row(code, status, balance) from start_generation((select job_id from job), 'at-the-provider')),
  row('started'::text, 'running'::generation_job_status, 4500::bigint), 'a job starts');
select is((select row(status, provider_job_id, started_at is not null) from generation_jobs),
  row('running'::generation_job_status, 'at-the-provider'::text, true), 'under the provider''s id');
select is((select code from start_generation((select job_id from job), 'another')), 'unchanged', 'once');
select is((select provider_job_id from generation_jobs), 'at-the-provider', 'which stays');
select from fail_generation((select job_id from job));
select is((select row(code, status) from start_generation((select job_id from job))),
  row('unchanged'::text, 'failed'::generation_job_status), 'not after its end');
select is((select count(*) from credit_ledger where job_id is not null), 2::bigint, 'and books nothing');
select throws_ok('select from start_generation(gen_random_uuid())', 'PT404');

select * from finish();
rollback;
