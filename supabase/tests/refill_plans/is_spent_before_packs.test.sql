begin;
select plan(6);

-- 1000 credits a month, of which at most 200 roll over; a pack of 1000 bought in January; 1000 used in January, 500 in
-- February.
insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap) values ('monthly', 1000, 'capped', 200);
create temp table months as
  select m at time zone 'utc' as march, (m - interval '1 month') at time zone 'utc' as february,
    (m - interval '2 months') at time zone 'utc' as january
  from date_trunc('month', now() at time zone 'utc') as m;
insert into credit_accounts (id, plan) values ('00000000-0000-4000-8000-0000000000a1', 'monthly');
-- The charges book what is due by today; here time is told.
create function pg_temp.use(p_credits bigint) returns bigint language sql as $$
  select (credits.burn(a, credits.burn_plan(a.id, p_credits), 'charge', null, null)).balance from credit_accounts as a
$$;

select is((select credits.account_refill('00000000-0000-4000-8000-0000000000a1', january) from months), 1,
  'January''s credits come');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'pack', 'purchase');
select pg_temp.use(1000);
select is((select credits.account_refill('00000000-0000-4000-8000-0000000000a1', february) from months), 1,
  'then February''s');
select pg_temp.use(500);
select is((select credits.account_refill('00000000-0000-4000-8000-0000000000a1', march) from months), 1,
  'then March''s');
select is((select balance from credit_accounts), 2200::bigint,
  '1000 of March, 200 that rolled over, and the whole pack');
select results_eq('select priority, kind, remaining from credit_grants where is_open order by priority, id',
  $$values (90::smallint, 'refill'::credit_entry_kind, 200::bigint), (90::smallint, 'refill', 1000),
    (100::smallint, 'purchase', 1000)$$, 'the pack is spent last');

update credit_plans set refill_priority = 110 where name = 'monthly';
select from credits.account_refill('00000000-0000-4000-8000-0000000000a1',
  (select march + interval '31 days' from months));
select is((select priority from credit_grants order by id desc limit 1), 110::smallint, 'a plan may say otherwise');

select * from finish();
rollback;
