begin;
select plan(5);

create temp table bought as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase', now() + interval '1 day');
create temp table job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
update credit_grants set expires_at = now() - interval '1 second';
select from cancel_generation((select job_id from job));
create temp view refunds as select id, remaining, expires_at - clock_timestamp() as life from credit_grants where kind = 'refund' order by id;
select is((select life > interval '29 days' from refunds), true, 'what had expired while it was charged comes back for the grace period');

-- Charged two hours before its end, refunded after it.
create temp table again as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
update generation_jobs set created_at = now() - interval '10 hours' where id = (select job_id from again);
update credit_grants set expires_at = now() - interval '8 hours' where kind = 'refund';
select from cancel_generation((select job_id from again));
select is((select count(*) from refunds), 2::bigint, 'the second time it comes back too');
select is((select life between interval '119 minutes' and interval '2 hours' from refunds offset 1), true, 'for the two hours that it had left');
create temp table late as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
update credit_grants set expires_at = now() - interval '1 second' where kind = 'refund';
select from cancel_generation((select job_id from late));
select is((select life between interval '59 minutes' and interval '1 hour' from refunds offset 2), true, 'or for an hour at least');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
