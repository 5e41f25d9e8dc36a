begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'opening');
update credit_accounts set credit_limit = 1000 where id = '00000000-0000-4000-8000-0000000000a1';
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create temp table job as select pg_temp.charge() as id;
create temp table other as select pg_temp.charge() as id;
create temp view fillers as select reason, remaining, repaid, expires_at = '2099-01-01' as expires from credit_grants
  where reason like 'filler%' order by id;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 600, 'filler 1', p_expires_at => '2099-01-01');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 600, 'filler 2', p_expires_at => '2099-01-01');
select results_eq('select * from fillers',
  $$values ('filler 1', 0::bigint, 600::bigint, true), ('filler 2', 300, 300, true)$$, 'two grants fill the overdraft');
select is((select balance from cancel_generation((select id from other))), 800::bigint,
  'a refund of what was overdrawn');
select results_eq('select * from fillers',
  $$values ('filler 1', 200::bigint, 400::bigint, true), ('filler 2', 600, 0, true)$$,
  'comes back to them, with their expiry');
select is((select count(*) from credit_grants where kind = 'refund'), 0::bigint, 'and in no other grant');

-- Half of the other job was paid by what has expired meanwhile.
update credit_grants set expires_at = now() - interval '1 second' where reason = 'filler 1';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select balance from fail_generation((select id from job))), 1300::bigint,
  'a failure gives a grace period, here too');
select is((select row(remaining, expires_at > now() + interval '29 days') from credit_grants where kind = 'refund'),
  row(400::bigint, true), 'for what had expired');
select is((select sum(repaid) from credit_grants), 0::numeric, 'nothing of the overdraft is left');

-- A refund fills an overdraft, too.
update credit_accounts set credit_limit = 5000 where id = '00000000-0000-4000-8000-0000000000a1';
create temp table third as select i, pg_temp.charge() as id from generate_series(1, 3) as i;
select from cancel_generation((select id from third where i = 1));
select from cancel_generation((select id from third where i = 3));
select is((select row(balance, count(*) filter (where expires_at is null and remaining > 0))
  from credit_accounts as a, credit_grants as g group by balance), row(800::bigint, 1::bigint),
  'what it filled it with comes back as it was');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
