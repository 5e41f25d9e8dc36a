begin;
select plan(13);

insert into credit_plans (name, monthly_credits, roll_over, upgrade_gives, refill_priority, credit_limit) values
  ('small', 1000, 'none', 'difference', 90, 0), ('large', 3000, 'none', 'difference', 80, 0),
  ('huge', 4000, 'none', 'difference', 90, 0),
  ('nothing', 5000, 'none', 'nothing', 90, 0), ('by-time', 3000, 'none', 'difference_by_time_left', 90, 0),
  ('free', 0, 'none', 'nothing', 90, 500);
create temp table months as select m as this, (m + interval '1 month') at time zone 'utc' as ends
  from date_trunc('month', now() at time zone 'utc') as m;

-- Before this month's credits have come, they come whole, by the new plan.
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'small');
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'large')), 0::bigint,
  'a month that is due comes by the plan that the account has then');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'small');
select from refill_plans();
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'nothing')), 1000::bigint,
  'nothing, where the plan says so');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'small');
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'large')), 3000::bigint,
  'or the difference at once');
select results_eq($$select kind, amount, priority, expires_at, reason from credit_grants order by id desc limit 1$$,
  $$select 'refill'::credit_entry_kind, 2000::bigint, 80::smallint, ends,
    'upgrade to plan large, ' || to_char(this, 'YYYY-MM')
  from months$$, 'as credits of this month');
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'large')),
  3000::bigint, 'once');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'free');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'small');
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'large')), 3000::bigint,
  'however often the plan changes');
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'huge')), 4000::bigint,
  'a third plan brings what it has more than the second');
select is(refill_plans(), 0, 'the month is had');
update credit_plans set monthly_credits = 4500 where name = 'huge';
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'huge')), 4000::bigint,
  'the same plan again is no upgrade, even if it brings more from the next month on');

-- By the time that is left: of 30 days in June.
create function pg_temp.worth(p_at timestamptz) returns bigint language sql as $$
  select credits.upgrade_credits(p, jsonb_populate_record(a, '{"refilled_for": "2026-06-01"}'), p_at)
  from credit_plans as p, credit_accounts as a
  where p.name = 'by-time' and a.id = '00000000-0000-4000-8000-0000000000b2'
$$;
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1000, p_kind => 'refill',
  p_external_ref => 'refill:00000000-0000-4000-8000-0000000000b2:2026-06');
select results_eq($$select pg_temp.worth(t)
  from unnest(array['2026-06-01 00:00+00', '2026-06-16 00:00+00', '2026-06-30 23:59:59+00']::timestamptz[]) as t$$,
  'values (2000::bigint), (1000), (0)', 'or the difference by the time that is left');
update credit_accounts set refilled_for = (select this::date from months), plan = 'small'
  where id = '00000000-0000-4000-8000-0000000000b2';
update credit_grants
  set external_ref = 'refill:00000000-0000-4000-8000-0000000000b2:' || to_char((select this from months), 'YYYY-MM')
  where account_id = '00000000-0000-4000-8000-0000000000b2';
create temp table upgraded as select balance from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'by-time');
select from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'small');
select is((select balance from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'by-time')),
  (select balance from upgraded), 'that, too, once');

update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000b2';
select is((select plan from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'huge')), 'huge',
  'a closed account gets nothing, and no error');
update credit_grants as g set seal = credits.grant_seal(g);
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
