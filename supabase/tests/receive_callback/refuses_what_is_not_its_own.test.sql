begin;
select plan(8);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from start_generation((select job_id from job), 'one');
select throws_ok($$select receive_callback((select job_id from job), 'openai', 'one', 'failed')$$, 'PT404',
  'no such job', 'another provider''s job');
select throws_ok($$select receive_callback((select job_id from job), null, 'one', 'failed')$$, 'PT404',
  'no such job', 'nobody''s');
select throws_ok($$select receive_callback((select job_id from job), 'placeholder', 'two', 'failed')$$, 'PT404',
  'no such job', 'another job of the provider''s');
select throws_ok($$select receive_callback(gen_random_uuid(), 'placeholder', 'one', 'failed')$$, 'PT404', 'no such job',
  'an unknown job is refused in the same words');
select throws_ok($$select receive_callback((select job_id from job), 'placeholder', '', 'failed')$$, '22023', null,
  'an empty id');
select throws_ok($$select receive_callback((select job_id from job), 'placeholder', repeat('x', 256), 'failed')$$,
  '22023', null, 'too long an id');
select throws_ok($$select receive_callback((select job_id from job), 'placeholder', 'one', 'unknown')$$, '22023', null,
  'an outcome that there is not');
select is((select row(status, refunded) from generation_jobs where id = (select job_id from job)),
  row('running'::generation_job_status, 0::bigint), 'the job goes on');

select * from finish();
rollback;
