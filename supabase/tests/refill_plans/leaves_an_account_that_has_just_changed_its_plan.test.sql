begin;
select plan(3);

insert into credit_plans (name, monthly_credits, roll_over) values ('free', 0, 'none'), ('paid', 100, 'all');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'paid');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'free');
-- A run that listed the account before it changed its plan comes to it now.
select is(credits.account_refill('00000000-0000-4000-8000-0000000000a1',
  date_trunc('month', now() at time zone 'utc')::date), 0,
  'nothing for a plan without monthly credits');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'paid');
select is(refill_plans(), 1, 'the month was not used up: back on the plan, its credits come');
select is(refill_plans(), 0, 'once');

select * from finish();
rollback;
