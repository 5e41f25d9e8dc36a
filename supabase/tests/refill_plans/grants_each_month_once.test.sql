begin;
select plan(6);

insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap, credit_limit)
  values ('none', 100, 'none', 0, 50), ('all', 100, 'all', 0, 0), ('capped', 100, 'capped', 30, 0);
select is((select row(plan, credit_limit) from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'none')),
  row('none'::text, 50::bigint), 'a plan brings its overdraft');
select from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'all');
select from set_account_plan('00000000-0000-4000-8000-0000000000c3', 'capped');
select is(refill_plans(), 3, 'each account is refilled');
select is(refill_plans(), 0, 'once');
update credit_accounts set refilled_for = (refilled_for - interval '3 months')::date;
update credit_grants set external_ref = null where kind = 'refill';
update credit_grants as g set seal = credits.grant_seal(g);
select is(refill_plans(), 7, 'after three months down: this month''s only, or all three');
select results_eq($$select plan,
  (select sum(remaining) from credit_grants as g
    where g.account_id = a.id and (expires_at is null or expires_at > now())) from credit_accounts as a order by plan$$,
  $$values ('all', 400::numeric), ('capped', 130), ('none', 200)$$, 'what rolls over is as the plan says');
select throws_ok($$select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'nope')$$, 'PT404');

select * from finish();
rollback;
