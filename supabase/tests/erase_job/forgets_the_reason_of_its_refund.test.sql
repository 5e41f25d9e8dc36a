begin;
select plan(2);

select grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select settle_generation((select job_id from job), '{}');
select refund_credits((select job_id from job), 100, 'the user said: my secret prompt was ignored');
select isnt((select payload ->> 'reason' from credit_events where type = 'job.refunded'), null,
  'an event tells why a job was refunded');
select erase_job((select job_id from job));
select is((select payload ->> 'reason' from credit_events where type = 'job.refunded'), null,
  'and no longer once the job is erased');

select * from finish();
rollback;
