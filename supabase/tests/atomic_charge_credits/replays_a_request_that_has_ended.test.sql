begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table first as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'good');
select from settle_generation((select job_id from first), '{"outputs": []}');
create temp table second as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'bad');
select from fail_generation((select job_id from second), '{"code": "provider_failed"}');

create temp table replay as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    'good', 'a-replay');
select is((select row(status, code, job_id) from credit_request_events where request_id = 'a-replay'),
  (select row(200, 'replayed'::text, job_id) from first), 'which is on record');
select is((select row(status, code, job_id) from replay), (select row(200, 'replayed'::text, job_id) from first),
  'a settled job is replayed');
select is((select job -> 'output' from replay), '{"outputs": []}'::jsonb, 'with its output');
select is((select job ->> 'status'
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'bad')),
  'failed', 'a failed job as well');
select ok((select not job ? 'request_hash' from replay), 'without the request''s hash');
select is((select count(*) from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1'), 2::bigint,
  'no job is added');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 4500::bigint,
  'one charge stands');

select * from finish();
rollback;
