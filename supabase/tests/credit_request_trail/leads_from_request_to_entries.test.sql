begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700);
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    null, 'request-1');
select from fail_generation((select job_id from job), '{"code": "provider_failed"}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat", "n": 2}', null, 'request-2');

select results_eq($$select step, detail, credits from credit_request_trail where request_id = 'request-1'
  order by at, step$$,
  $$values ('charged', 'standard-image', -500::bigint), ('entry 2', 'charge', -500),
    ('entry 3', 'refund: generation failed', 500), ('failed', 'provider_failed', null)$$,
  'a charge, its entries and its end');
select is((select array_agg(distinct job_id) from credit_request_trail where request_id = 'request-1'),
  (select array_agg(job_id) from job), 'of one job');
select results_eq($$select step, detail from credit_request_trail where request_id = 'request-2'$$,
  $$values ('denied', '402 insufficient_credits')$$, 'or the denial');

insert into credit_request_events (account_id, request_id, status, code, job_id)
  select account_id, 'request-3', 200, 'replayed', job_id from job;
select results_eq($$select step, detail, job_id from credit_request_trail where request_id = 'request-3'$$,
  $$select 'answered', '200 replayed', job_id from job$$, 'an answer that was repeated leads to the job');
select is((get_generation_stats(1)).denials, 1::bigint, 'and is no denial');

select * from finish();
rollback;
