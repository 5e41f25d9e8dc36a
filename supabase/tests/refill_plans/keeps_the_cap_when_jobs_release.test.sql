begin;
select plan(4);

insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap) values ('capped', 1000, 'capped', 200);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'capped');
select from refill_plans();
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create temp table jobs as select i, pg_temp.charge() as id from generate_series(1, 2) as i;
-- The month ends.
update credit_accounts set refilled_for = refilled_for - interval '1 month';
update credit_grants set external_ref = 'earlier';
update credit_grants as g set seal = credits.grant_seal(g);
select from refill_plans();
select is((select balance from settle_generation((select id from jobs where i = 1), '{}', 350)), 1150::bigint,
  'what is released comes back as far as it would have rolled over');
select is((select balance from settle_generation((select id from jobs where i = 2), '{}', 350)), 1200::bigint,
  'and counts against the cap for the next');
select results_eq('select kind, delta from credit_ledger where seq > 4',
  $$values ('release'::credit_entry_kind, 150::bigint), ('release', 150), ('expiry', -100)$$, 'the rest has breakage');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
