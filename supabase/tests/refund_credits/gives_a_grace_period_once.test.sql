begin;
select plan(9);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1500, 'pack', 'purchase', now() + interval '1 day',
    p_priority => 7::smallint);
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create temp table jobs as select i, pg_temp.charge() as id from generate_series(1, 3) as i;
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
create temp view refunds as select id, remaining, breakage, priority, expires_at, expires_at - clock_timestamp() as life
  from credit_grants where kind = 'refund' order by id;

select from fail_generation((select id from jobs where i = 1));
select is((select life > interval '29 days' from refunds), true,
  'what had expired while its job failed comes back for the grace period');
select is((select priority from refunds), 7::smallint, 'to be spent in its turn');
select from fail_generation((select id from jobs where i = 2));
select is((select count(distinct expires_at) from refunds), 1::bigint,
  'the next failure of the same grant adds no time');
update credit_grants set grace_ends_at = now() where id = (select grant_id from bought);
select is((select balance from fail_generation((select id from jobs where i = 3))), 1000::bigint,
  'and one after the grace period gives nothing back');

-- What came back is charged, and expires while its job fails.
create temp table again as select pg_temp.charge() as id;
update credit_grants set expires_at = now() - interval '1 second' where kind = 'refund' and remaining = 0;
update credit_grants as g set seal = credits.grant_seal(g);
select is((select row(status, refunded, balance) from fail_generation((select id from again))),
  row('failed'::generation_job_status, 500::bigint, 500::bigint), 'a second time it does not live on');
select is((select count(*) from refunds), 2::bigint, 'in no grant of its own');
select is((select breakage from refunds limit 1), 500::bigint, 'but expires where it was');
select results_eq($$select kind::text, delta, reason from credit_ledger order by seq desc limit 2$$,
  $$values ('expiry', -500::bigint, 'grant expired before the refund'), ('refund', 500, 'generation failed')$$,
  'and the ledger shows both');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
