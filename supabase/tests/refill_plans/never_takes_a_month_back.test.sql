begin;
select plan(8);

create temp table months as
  select m::date as this, (m - interval '1 month')::date as last, (m + interval '1 month')::date as next
  from date_trunc('month', now() at time zone 'utc') as m;
insert into credit_plans (name, monthly_credits, roll_over)
  values ('all', 1000, 'all'), ('none', 1000, 'none'), ('more', 2000, 'all');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'all');
select from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'none');
select from refill_plans();

-- A run that began before midnight comes to accounts that another has refilled since.
create function pg_temp.refilled_for() returns setof date language sql
  as $$ select distinct refilled_for from credit_accounts $$;
select is((select sum(credits.account_refill(id, last)) from credit_accounts, months), 0::bigint,
  'a late run grants nothing for a month that is over');
select results_eq('select * from pg_temp.refilled_for()', 'select this from months',
  'nor forgets the month that was granted');
select is((select credits.batch_refill(array(select id from credit_accounts order by id), last) from months), 0,
  'together neither');
select results_eq('select * from pg_temp.refilled_for()', 'select this from months', 'nothing is forgotten');

select set_account_plan(id, 'more') from credit_accounts;
select is(refill_plans(), 0, 'with another plan the month stays granted');
select is((select credits.batch_refill(array(select id from credit_accounts order by id), next) from months), 2,
  'and the next one comes');
select results_eq('select id, balance from credit_accounts order by id',
  $$select a.id, 3000::bigint from credit_accounts as a order by a.id$$, 'to each account');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
