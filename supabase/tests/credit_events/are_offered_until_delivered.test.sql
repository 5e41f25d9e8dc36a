begin;
select plan(9);

update credit_settings set low_balance_credits = 1000;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1500);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select count(*) from credit_events where account_id = '00000000-0000-4000-8000-0000000000a1'), 0::bigint,
  'at the threshold: nothing');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select results_eq($$select type, (payload ->> 'balance')::bigint from credit_events
  order by payload ->> 'balance' desc$$, $$values ('balance.low', 500::bigint), ('balance.exhausted', 0)$$,
  'low, then exhausted');
select from fail_generation((select job_id from job));
select is((select payload ->> 'credits' from credit_events where type = 'job.refunded'), '500', 'a refund');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10, p_expires_at => now() + interval '1 day');
select is(announce_expiring_grants(), 1, 'a grant about to expire');
select is(announce_expiring_grants(), 0, 'once');
select is((select count(*) from claim_events()), 4::bigint, 'all are due');
select is((select count(*) from claim_events()), 0::bigint, 'each goes to one worker');
update credit_events set next_attempt_at = now() where type = 'balance.low';
select is((select attempts from claim_events()), 2, 'and is offered again');
select finish_event(id) from credit_events;
select is((select count(*) from credit_events where delivered_at is not null and next_attempt_at is null), 4::bigint,
  'until it is delivered');

select * from finish();
rollback;
