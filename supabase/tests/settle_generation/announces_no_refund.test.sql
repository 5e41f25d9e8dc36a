begin;
select plan(2);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from settle_generation((select job_id
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')),
  '{"outputs": []}', 100);
select is_empty($$select from credit_events where type = 'job.refunded'$$,
  'what a job did not use goes back unannounced: that is its price');
select from refund_credits((select job_id from credit_ledger where kind = 'charge' limit 1), 50, 'sorry');
select is((select payload -> 'credits' from credit_events where type = 'job.refunded'), '50', 'a refund is announced');

select * from finish();
rollback;
