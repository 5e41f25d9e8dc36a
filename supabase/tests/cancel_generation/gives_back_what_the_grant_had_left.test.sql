begin;
select plan(8);

update credit_settings set refund_grace_seconds = 2592000;
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'pack', 'purchase', now() + interval '1 day');
create temp table jobs as select i, pg_temp.charge() as id from generate_series(1, 2) as i;
select is((select balance from cancel_generation((select id from jobs where i = 1))), 500::bigint,
  'before the expiry all of it');
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select row(status, refunded, balance) from cancel_generation((select id from jobs where i = 2))),
  row('canceled'::generation_job_status, 500::bigint, 500::bigint), 'after it nothing that could be spent');
select results_eq($$select kind::text, delta from credit_ledger order by seq desc limit 2$$,
  $$values ('expiry', -500::bigint), ('refund', 500)$$, 'refund and expiry both are booked');
select is((select row(count(*), sum(breakage)) from credit_grants), row(1::bigint, 500::numeric),
  'in the grant that paid');

-- Nor does it fill an overdraft.
select is(expire_grants(), 1, 'the rest expires');
update credit_accounts set credit_limit = 1000;
create temp table live as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase', now() + interval '1 day');
create temp table paid as select pg_temp.charge() as id;
create temp table overdrawn as select pg_temp.charge() as id;
update credit_grants set expires_at = now() - interval '1 second' where id = (select grant_id from live);
update credit_grants as g set seal = credits.grant_seal(g);
select is((select balance from cancel_generation((select id from paid))), -500::bigint,
  'what has expired pays no overdraft');
select is((select balance from cancel_generation((select id from overdrawn))), 0::bigint, 'which its own job does');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
