begin;
select plan(2);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase', now() + interval '1 day');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select row(refunded, balance) from settle_generation((select job_id from job), '{}', 1)),
  row(499::bigint, 0::bigint), 'what was reserved and not used has expired with its grant');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
