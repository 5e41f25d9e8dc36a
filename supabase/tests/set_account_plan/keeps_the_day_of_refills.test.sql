begin;
select plan(7);

insert into credit_plans (name, monthly_credits, roll_over, refill_day) values
  ('calendar', 100, 'all', 'calendar_month'), ('own', 100, 'all', 'account'), ('own-too', 200, 'all', 'account'),
  ('free', 0, 'all', 'calendar_month');

-- When an account comes from one plan to another at noon of 10 March 2026.
create function pg_temp.anchor(p_before text, p_plan text, p_anchor date, p_refilled_for date) returns date language sql
  as $$
  select credits.refill_anchor_on(b, n, a, '2026-03-10 12:00+00')
  from credit_plans as b, credit_plans as n,
    jsonb_populate_record(null::credit_accounts,
      jsonb_build_object('created_at', '2025-05-20T00:00:00Z', 'refill_anchor', p_anchor, 'refilled_for',
        p_refilled_for)) as a
  where b.name = p_before and n.name = p_plan
$$;
select is(pg_temp.anchor('free', 'own', null, null), '2026-03-10'::date,
  'monthly credits begin on the day of the plan');
select is(pg_temp.anchor('own', 'own-too', '2026-01-31', '2026-02-01'), '2026-01-31'::date,
  'another plan keeps the day');
select is(pg_temp.anchor('own', 'own-too', '2026-01-31', '2026-01-01'), '2026-01-31'::date,
  'also while the month is still due');
select is(pg_temp.anchor('free', 'own', '2026-01-05', '2026-03-01'), '2026-01-05'::date,
  'also when the account was on a free one within the month');
select is(pg_temp.anchor('calendar', 'own', null, '2026-03-01'), '2026-03-01'::date,
  'where the 1st was it, it stays the 1st: nobody waits longer than a month');
select is(pg_temp.anchor('own', 'calendar', '2026-01-31', '2026-02-01'), '2026-01-31'::date,
  'the calendar forgets nothing');

insert into credit_accounts (id, plan, refilled_for)
  values ('00000000-0000-4000-8000-0000000000a1', 'calendar', '2026-03-01'),
  ('00000000-0000-4000-8000-0000000000b2', 'calendar', null);
set local role service_role;
update credit_plans set refill_day = 'account' where name = 'calendar';
reset role;
select results_eq('select refill_anchor from credit_accounts order by id', $$values (date '2026-03-01'), (null)$$,
  'nor is the 1st forgotten when the plan itself changes');

select * from finish();
rollback;
