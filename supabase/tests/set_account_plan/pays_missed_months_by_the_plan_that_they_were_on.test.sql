begin;
select plan(3);

-- The task was down for three months: two of them, and this one, are due.
insert into credit_plans (name, monthly_credits, roll_over) values ('small', 100, 'all'), ('large', 5000, 'all');
select set_account_plan('00000000-0000-4000-8000-0000000000a1', 'small');
select refill_plans();
update credit_accounts set refilled_for = refilled_for - interval '3 months';
update credit_grants set external_ref = 'earlier';
update credit_grants as g set seal = credits.grant_seal(g);

savepoint due;
select set_account_plan('00000000-0000-4000-8000-0000000000a1', 'large');
select refill_plans();
select is((select balance from credit_accounts), 5300::bigint,
  'an upgrade pays the missed months as before, and this month as now');
rollback to due;
select set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default');
select refill_plans();
select is((select balance from credit_accounts), 300::bigint, 'a downgrade loses none of the months before');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
