begin;
select plan(9);

insert into credit_plans (name, monthly_credits, refilled_by) values ('paid', 1000, 'payment');
insert into credit_plans (name, monthly_credits) values ('scheduled', 1000);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'paid');

select is(refill_plans(), 0, 'the schedule grants nothing on a plan that payments refill');
select is((select status from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}')), 402, 'nor does a charge');
select is((select balance from account_balances), 1::bigint, 'nothing is shown as due');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'scheduled');
select is(refill_plans(), 1, 'on a plan of the schedule it does');
update credit_plans set upgrade_gives = 'difference', monthly_credits = 5000 where name = 'paid';
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'paid');
select is((select balance from account_balances), 1001::bigint, 'a change to a paid plan grants nothing');
update credit_plans set refilled_by = 'payment' where name = 'scheduled';
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'scheduled');
select is(refill_plans(), 0, 'a plan that payments refill from now on is left');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1);
update credit_accounts set plan = 'scheduled', refilled_for = '2020-01-01'
  where id = '00000000-0000-4000-8000-0000000000b2';
update credit_plans set refilled_by = 'schedule', roll_over = 'all' where name = 'scheduled';
select is(refill_plans(), 1, 'one that the schedule refills again gets this month');
select is((select balance from account_balances where account_id = '00000000-0000-4000-8000-0000000000b2'),
  1001::bigint, 'and not the months that were paid');
select throws_ok($$update credit_plans set refilled_by = 'both' where name = 'paid'$$, '23514', null,
  'exactly one source');

select * from finish();
rollback;
