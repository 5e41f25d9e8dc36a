begin;
select plan(5);

insert into credit_plans (name, monthly_credits, roll_over)
  values ('free', 0, 'none'), ('paid', 100, 'all'), ('later', 0, 'all');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'free');
update credit_accounts set refilled_for = '2020-01-01' where id = '00000000-0000-4000-8000-0000000000a1';
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'paid');
select is(refill_plans(), 1, 'an upgrade brings this month''s credits, none for the months on a free plan');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'free');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'paid');
select is(refill_plans(), 0, 'going to and fro within a month brings nothing');

select from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'later');
update credit_accounts set refilled_for = '2020-01-01' where id = '00000000-0000-4000-8000-0000000000b2';
set local role service_role;
update credit_plans set monthly_credits = 50 where name = 'later';
reset role;
select is(refill_plans(), 1, 'a plan that gets monthly credits grants them from now on');

update credit_accounts set refilled_for = '2020-01-01', closed_at = now()
  where id = '00000000-0000-4000-8000-0000000000b2';
set local role service_role;
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000b2';
reset role;
update credit_grants set external_ref = null where kind = 'refill';
update credit_grants as g set seal = credits.grant_seal(g);
select is(refill_plans(), 1, 'a closed account that is opened again is not paid for the time between');
select is((select sum(amount) from credit_grants), 200::numeric, 'three months'' credits in all, and one repeated');

select * from finish();
rollback;
