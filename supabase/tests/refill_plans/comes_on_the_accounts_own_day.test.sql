begin;
select plan(13);

insert into credit_plans (name, monthly_credits, roll_over, refill_day, refill_time_zone) values
  ('own', 100, 'all', 'account', 'UTC'), ('own-berlin', 100, 'none', 'account', 'Europe/Berlin'),
  ('berlin', 100, 'none', 'calendar_month', 'Europe/Berlin');
insert into credit_accounts (id, plan, refill_anchor, created_at)
  values ('00000000-0000-4000-8000-0000000000a1', 'own', '2026-01-31', '2026-01-14 23:30+00');

create function pg_temp.begins(p_plan text, p_month date) returns timestamptz language sql as $$
  select credits.refill_ends(p, a, (p_month - interval '1 month')::date) from credit_plans as p, credit_accounts as a
    where p.name = p_plan
$$;
create function pg_temp.month_at(p_plan text, p_at timestamptz) returns date language sql as $$
  select credits.refill_month(p, a, p_at) from credit_plans as p, credit_accounts as a where p.name = p_plan
$$;

select results_eq($$select (pg_temp.begins('own', m) at time zone 'utc')::date
  from unnest(array['2026-01-01', '2026-02-01', '2026-03-01', '2026-04-01', '2028-02-01']::date[]) as m$$,
  $$values (date '2026-01-31'), ('2026-02-28'), ('2026-03-31'), ('2026-04-30'), ('2028-02-29')$$,
  'the 31st is the last day of a shorter month, and the 31st again');
select results_eq($$select pg_temp.month_at('own', t)
  from unnest(array['2026-02-27 23:59:59+00', '2026-02-28 00:00+00', '2026-03-30 23:59:59+00',
    '2026-03-31 00:00+00']::timestamptz[]) as t$$,
  $$values (date '2026-01-01'), ('2026-02-01'), ('2026-02-01'), ('2026-03-01')$$,
  'a month begins at midnight of that day');
select results_eq($$select pg_temp.month_at('berlin', t)
  from unnest(array['2026-02-28 22:59:59+00', '2026-02-28 23:00+00']::timestamptz[]) as t$$,
  $$values (date '2026-02-01'), ('2026-03-01')$$, 'in the plan''s time zone');
select is(pg_temp.begins('berlin', '2026-04-01'), '2026-03-31 22:00+00'::timestamptz,
  'also where that changes its clocks');
select throws_ok($$insert into credit_plans (name, refill_time_zone) values ('nowhere', 'Europe/Nowhere')$$, '23514');

select is(credits.account_refill('00000000-0000-4000-8000-0000000000a1', '2026-01-31 00:00+00'), 1,
  'January''s credits come on the 31st');
select is(credits.account_refill('00000000-0000-4000-8000-0000000000a1', '2026-02-27 23:59:59+00'), 0,
  'nothing before the month is over');
select is(credits.batch_refill(array['00000000-0000-4000-8000-0000000000a1'::uuid], '2026-02-28 00:00+00'), 1,
  'February''s on the 28th');
select is(credits.account_refill('00000000-0000-4000-8000-0000000000a1', '2026-03-31 00:00+00'), 1,
  'March''s on the 31st');
select is(credits.account_refill('00000000-0000-4000-8000-0000000000a1', '2026-07-30 12:00+00'), 3,
  'three that were missed, and not yet July''s');

update credit_accounts set refill_anchor = null;
select results_eq($$select (pg_temp.begins(p, '2026-03-01') at time zone 'Europe/Berlin')
  from unnest(array['own', 'own-berlin']) as p$$,
  $$values (timestamp '2026-03-14 01:00'), ('2026-03-15 00:00')$$,
  'without a day of its own, the one on which the account was opened, there');

-- The month is named by where it began; what an account has next does not matter.
select from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'own-berlin');
select refill_plans();
select is((select expires_at from credit_grants where account_id = '00000000-0000-4000-8000-0000000000b2'),
  (least((date_trunc('month', d) + interval '1 month')::date + extract(day from d)::integer - 1,
    (date_trunc('month', d) + interval '2 months')::date - 1)::timestamp
    at time zone 'Europe/Berlin'), 'credits that do not roll over last until that day of the next month')
from (select now() at time zone 'Europe/Berlin') as today (d);
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
