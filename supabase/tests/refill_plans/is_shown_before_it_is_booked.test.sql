begin;
select plan(3);

-- Plans and states of accounts, each with what it has: what is shown of them is what the tasks make of them.
insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap, credit_limit)
values ('none', 100, 'none', 0, 500), ('all', 100, 'all', 0, 500), ('capped', 100, 'capped', 130, 500),
  ('free', 0, 'none', 0, 500);
create temp table accounts as
  select gen_random_uuid() as id, p.name as plan, months, debt, overdrawn, held
  from unnest(array['none', 'all', 'capped', 'free']) as p (name), unnest(array[null, 0, 1, 3]) as months,
    unnest(array[0, 40, 250]) as debt, unnest(array[0, 70, 180]) as overdrawn, unnest(array[0, 170]) as held
  where (debt = 0 or held = 0) and (overdrawn = 0 or held = 0);
select count(set_account_plan(id, plan)) from accounts;
select count(grant_credits(id, 60, p_expires_at => now() + interval '1 day')) from accounts where overdrawn = 0;
select count(grant_credits(id, held, p_kind => 'refill')) from accounts where held > 0;
update credit_grants set expires_at = now() where amount = 60;
select from set_model_price('ten', '{"image": 10}',
  p_settings => '{"provider": "placeholder", "provider_model": "p", "max_n": 100}');
-- Not refilled by these charges.
update credit_accounts set refilled_for = date_trunc('month', now() at time zone 'utc')::date;
select count(*) from accounts, atomic_charge_credits(id, 'ten', jsonb_build_object('prompt', 'a', 'n', overdrawn / 10))
  where overdrawn > 0;
select count(credits.debt_append(a, b.debt, null, null, null, 0, null)) from accounts as b
  join credit_accounts as a on a.id = b.id where b.debt > 0;
update credit_accounts as a
  set refilled_for = (date_trunc('month', now() at time zone 'utc') - make_interval(months => b.months))::date
from accounts as b where b.id = a.id;

create temp table shown as select account_id, balance from account_balances;
select cmp_ok((select count(*) from shown join credit_accounts as a on a.id = account_id
  where a.balance <> shown.balance), '>', 50::bigint, 'much is due');
select count(n) from (select refill_plans() + expire_grants() as n) as booked;
select results_eq('select id, balance from credit_accounts order by id',
  'select account_id, balance from shown order by account_id', 'what was shown is what is booked');
update credit_grants as g set seal = credits.grant_seal(g);
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
