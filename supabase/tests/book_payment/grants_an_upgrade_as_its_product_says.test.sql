begin;
select plan(6);

insert into credit_plans (name, refilled_by) values ('basic', 'payment'), ('pro', 'payment');
select from set_product('stripe', true, 'basic', '{"provider_price_id": "price_basic", "kind": "plan", "plan": "basic",
  "credits": 1000, "unit_amount": 1000, "currency": "usd"}');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 4001, "unit_amount": 4000, "currency": "usd", "upgrade_gives": "difference_by_time_left"}');
select from set_product('stripe', true, 'team', '{"provider_price_id": "price_team", "kind": "plan", "plan": "pro",
  "credits": 5000, "unit_amount": 4000, "currency": "usd", "upgrade_gives": "nothing"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.upgrade(p_key text, p_price text, p_subscription text) returns bigint language sql as
  $$select (book_payment('{"provider": "stripe", "livemode": true, "kind": "plan", "customer": "cus_1",
    "status": "paid", "amount": 900, "currency": "usd", "created_at": "2026-01-02"}'::jsonb || jsonb_build_object(
    'key', 'stripe:in:' || p_key, 'subscription', p_subscription, 'lines', format('[
    {"price_id": "price_basic", "amount": -250, "is_proration": true, "period_start": "2999-01-24",
      "period_end": "2999-01-31"},
    {"price_id": "%s", "amount": 1000, "is_proration": true, "period_start": "2999-01-24",
      "period_end": "2999-01-31"}]', p_price)::jsonb))).credits$$;
create function pg_temp.subscribe(p_subscription text) returns text language sql as
  $$select (book_subscription(jsonb_build_object('provider', 'stripe', 'livemode', true, 'subscription', p_subscription,
    'customer', 'cus_1', 'items', '[{"price_id": "price_basic"}]'::jsonb, 'status', 'active',
    'created_at', '2026-01-02', 'as_of', '2026-01-02', 'current_period_start', '2999-01-03',
    'current_period_end', '2999-01-31'))).outcome$$;

select pg_temp.subscribe('sub_1');
select is(pg_temp.upgrade('in_1', 'price_pro', 'sub_1'), 750::bigint,
  'a quarter of the period is left: a quarter of the 3001 credits, in whole ones');
select is((select credits from book_payment('{"provider": "stripe", "livemode": true, "kind": "plan",
  "customer": "cus_1", "status": "paid", "amount": 900, "currency": "usd", "created_at": "2026-01-02",
  "key": "stripe:in:in_0",
  "subscription": "sub_0", "lines": [{"price_id": "price_basic", "amount": 1000, "period_start": "2999-01-17",
  "period_end": "2999-01-31"}]}')), 1000::bigint, 'a period of two weeks is paid');
select is(pg_temp.upgrade('in_0b', 'price_pro', 'sub_0'), 1500::bigint, 'half of it is left, by that payment');
select is(pg_temp.upgrade('in_2', 'price_pro', 'sub_2'), 3001::bigint, 'all of it where the period is not known');
select is(pg_temp.upgrade('in_3', 'price_team', 'sub_3'), 0::bigint, 'nothing, where the product says so');
select is((select count(*) from payment_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
