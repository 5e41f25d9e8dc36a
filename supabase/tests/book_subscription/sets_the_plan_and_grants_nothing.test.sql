begin;
select plan(27);

insert into credit_plans (name, refilled_by) values ('basic', 'payment'), ('pro', 'payment'), ('vip', 'schedule');
select from set_product('stripe', true, 'basic', '{"provider_price_id": "price_basic", "kind": "plan", "plan": "basic",
  "credits": 1000, "unit_amount": 1000, "currency": "usd"}');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 5000, "unit_amount": 4000, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.read(p_status text, p_as_of text, p_changes jsonb default '{}') returns payment_result
language sql as
  $$select book_subscription('{"provider": "stripe", "livemode": true, "subscription": "sub_1", "customer": "cus_1",
    "items": [{"price_id": "price_addon"}, {"price_id": "price_basic"}], "created_at": "2026-01-02"}'::jsonb
    || jsonb_build_object('status', p_status, 'as_of', p_as_of, 'current_period_start', now() - interval '1 day',
      'current_period_end', now() + interval '29 days') || p_changes)$$;
create temp view account as
  select plan, balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';

select is((select row(outcome, status) from pg_temp.read('incomplete', '2026-01-02')),
  row('nothing_to_do'::text, 'incomplete'::text), 'one whose first payment has not come');
select is((select plan from account), 'default', 'gives no plan');
select is((select row(outcome, account_id, kind, payment_key) from pg_temp.read('active', '2026-01-03')),
  row('booked'::text, uuid '00000000-0000-4000-8000-0000000000a1', 'plan'::text, 'sub_1'::text), 'an active one');
select is((select row(plan, balance) from account), row('basic'::text, 0::bigint),
  'sets the plan of its first item that is one, and grants nothing');
select is((select outcome from pg_temp.read('active', '2026-01-03')), 'nothing_to_do', 'once');
select is((select row(outcome, cause) from pg_temp.read('incomplete', '2026-01-02')),
  row('nothing_to_do'::text, 'older_state'::text), 'a state that was asked for earlier changes nothing');
select is((select outcome from pg_temp.read('active', '2026-01-04', '{"items": [{"price_id": "price_pro"}]}')),
  'booked', 'an upgrade');
select is((select row(plan, balance) from account), row('pro'::text, 0::bigint),
  'sets the new plan, and grants nothing');
select is((select outcome from pg_temp.read('past_due', '2026-02-01', '{"items": [{"price_id": "price_pro"}]}')),
  'nothing_to_do', 'while it is past due');
select is((select plan from account), 'pro', 'the plan stays');
select is((select outcome from pg_temp.read('past_due', '2026-02-02',
  jsonb_build_object('items', '[{"price_id": "price_pro"}]'::jsonb, 'current_period_end', now()))), 'booked',
  'until the period''s end');
select is((select plan from account), 'default', 'then it is the plan default');
select is((select outcome from pg_temp.read('active', '2026-02-03')), 'booked', 'it is paid after all');
select is((select plan from account), 'basic', 'and has its plan again');
select from pg_temp.read('unpaid', '2026-02-04');
select is((select plan from account), 'default', 'unpaid, it gives none');
select from pg_temp.read('trialing', '2026-02-05');
select is((select plan from account), 'basic', 'in trial it does');
select from pg_temp.read('paused', '2026-02-06');
select is((select plan from account), 'default', 'paused it does not');

select from pg_temp.read('active', '2026-02-07');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'vip');
select from pg_temp.read('active', '2026-02-08');
select is((select plan from account), 'vip', 'a plan that an operator has set stays');
select from pg_temp.read('canceled', '2026-02-09');
select is((select plan from account), 'vip', 'also when the subscription ends');

select is((select row(outcome, cause) from pg_temp.read('active', '2026-02-10',
  '{"items": [{"price_id": "price_x"}]}')), row('waiting'::text, 'unknown_price'::text),
  'a price that is not ours waits');
select is((select row(outcome, cause) from pg_temp.read('active', '2026-02-09')),
  row('waiting'::text, 'unknown_price'::text), 'also when an older state comes');
select is((select row(outcome, cause) from pg_temp.read('active', '2026-02-10',
  '{"subscription": "sub_2", "customer": "cus_2"}')), row('waiting'::text, 'unknown_customer'::text),
  'a customer that is not ours waits');
select is((select row(outcome, cause) from pg_temp.read('active', '2026-02-10',
  '{"subscription": "sub_3", "customer": "cus_2", "items": [{"price_id": "price_x"}]}')),
  row('refused'::text, 'not_ours'::text), 'neither: it is not ours');
select is((select row(outcome, cause) from pg_temp.read('active', '2026-02-10',
  '{"subscription": "sub_4", "account_id": "00000000-0000-4000-8000-0000000000b2"}')),
  row('waiting'::text, 'account_differs'::text), 'metadata that names another account');
select is((select row(outcome, cause) from pg_temp.read('active', '2026-02-11', '{"livemode": false}')),
  row('refused'::text, 'livemode_mixed'::text), 'it stays in its mode');
select from link_payment_customer('00000000-0000-4000-8000-0000000000d4', 'stripe', true, 'cus_2');
select is(follow_subscriptions(), 1, 'what waits is tried again');
select is((select plan from credit_accounts where id = '00000000-0000-4000-8000-0000000000d4'), 'basic',
  'and booked once its customer is known');

select * from finish();
rollback;
