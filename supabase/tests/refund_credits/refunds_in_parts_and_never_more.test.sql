begin;
select plan(10);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from settle_generation((select job_id from job), '{}');
select is((select row(code, refunded) from refund_credits((select job_id from job), 100, 'blurry')),
  row('refunded'::text, 100::bigint), 'a part');
select is((select row(code, refunded) from refund_credits((select job_id from job), 100, 'blurry')),
  row('unchanged'::text, 100::bigint), 'the same part again is a retry');
select is((select refunded from refund_credits((select job_id from job), 100, 'also late')), 200::bigint,
  'another reason, another refund');
select is((select refunded from refund_credits((select job_id from job), 9999, 'all of it')), 500::bigint,
  'never more than was charged');
select is((select row(code, balance) from refund_credits((select job_id from job))),
  row('unchanged'::text, 5000::bigint), 'nothing is left');
select is((select status from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1'),
  'succeeded'::generation_job_status, 'the job stays what it was');
select throws_ok(format('select from refund_credits(%L, 0)', (select job_id from job)), '22023');
select throws_ok(format('select from refund_credits(%L, 1, repeat(''x'', 501))', (select job_id from job)), '22023',
  'reason must have 0 to 500 characters', 'too long a reason');
select throws_ok('select from refund_credits(gen_random_uuid())', 'PT404');
create temp table open as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select status from refund_credits((select job_id from open))), 'canceled'::generation_job_status,
  'an open job that is refunded whole ends');

select * from finish();
rollback;
