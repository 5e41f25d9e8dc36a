begin;
select plan(4);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'pack', 'purchase', now() + interval '1 day');
create temp view account as select balance, debt from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create temp table job as select pg_temp.charge() as id;
create temp table other as select pg_temp.charge() as id;
update credit_grants set expires_at = now();
update credit_grants as g set seal = credits.grant_seal(g);
select from fail_generation((select id from job));
-- What came back is charged again, and expires meanwhile.
create temp table again as select pg_temp.charge() as id;
update credit_grants set expires_at = now();
update credit_grants as g set seal = credits.grant_seal(g);
select from fail_generation((select id from again));
select is((select breakage from credit_grants where kind = 'refund'), 500::bigint,
  'what comes back for the second time expires');
select is((select row(balance, debt) from account), row(0::bigint, 0::bigint), 'nothing is left');
select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), null, 'chargeback');
select is((select row(balance, debt) from account), row(0::bigint, 500::bigint),
  'only what the other job cost is owed');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
