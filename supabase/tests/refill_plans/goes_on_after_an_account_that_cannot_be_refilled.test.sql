begin;
select plan(6);

insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap, credit_limit)
  values ('monthly', 100, 'none', 0, 50), ('capped', 100, 'capped', 0, 0);
select set_account_plan(a, 'monthly')
  from unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
    '00000000-0000-4000-8000-0000000000c3']::uuid[]) as a;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 99, p_kind => 'refill',
  p_external_ref => 'refill:00000000-0000-4000-8000-0000000000a1:' || to_char(now() at time zone 'utc', 'YYYY-MM'));
select from credits.debt_append((select a from credit_accounts as a where id = '00000000-0000-4000-8000-0000000000c3'),
  30, null, null, null, 0, 'owed');
set local client_min_messages = error;
select is(refill_plans(), 2, 'the others get their credits');
select results_eq($$select balance, debt, refilled_for < date_trunc('month', now() at time zone 'utc')
  from credit_accounts order by id$$, $$values (99::bigint, 0::bigint, true), (100, 0, false), (70, 0, false)$$,
  'and pay their debt');
select results_eq($$select kind, amount, remaining, is_open, external_ref, reason, expires_at from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000b2'$$,
  $$select 'refill'::credit_entry_kind, 100::bigint, 100::bigint, true,
    'refill:00000000-0000-4000-8000-0000000000b2:' || to_char(now() at time zone 'utc', 'YYYY-MM'),
    'plan monthly, ' || to_char(now() at time zone 'utc', 'YYYY-MM'),
    (date_trunc('month', now() at time zone 'utc') + interval '1 month') at time zone 'utc'$$,
  'the grant says which month it is');
select is(refill_plans(), 0, 'once');

update credit_settings set low_balance_credits = 200;
select from set_account_plan('00000000-0000-4000-8000-0000000000d4', 'capped');
select from grant_credits('00000000-0000-4000-8000-0000000000d4', 5000, p_kind => 'refill');
select from refill_plans();
select results_eq($$select type, (payload ->> 'balance')::bigint from credit_events$$,
  $$values ('balance.low', 100::bigint)$$, 'who loses more than comes is told');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
