begin;
select plan(15);

insert into credit_plans (name, refilled_by) values ('basic', 'payment'), ('pro', 'payment');
select from set_product('stripe', true, 'basic', '{"provider_price_id": "price_basic", "kind": "plan", "plan": "basic",
  "credits": 1000, "unit_amount": 1000, "currency": "usd"}');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 5000, "unit_amount": 4000, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.read(p_status text, p_as_of text, p_changes jsonb default '{}') returns text language sql as
  $$select (book_subscription('{"provider": "stripe", "livemode": true, "subscription": "sub_1", "customer": "cus_1",
    "items": [{"price_id": "price_basic"}], "created_at": "2026-01-02"}'::jsonb
    || jsonb_build_object('status', p_status, 'as_of', p_as_of, 'current_period_end', now() + interval '29 days')
    || p_changes)).outcome$$;
create function pg_temp.bill(p_changes jsonb) returns text language sql as
  $$select (book_payment(jsonb_build_object('provider', 'stripe', 'livemode', true, 'key', 'stripe:in:in_1',
    'kind', 'plan', 'customer', 'cus_1', 'subscription', 'sub_1', 'status', 'paid', 'amount', 1000, 'currency', 'usd',
    'created_at', '2026-01-02', 'lines', jsonb_build_array(jsonb_build_object('price_id', 'price_basic',
      'amount', 1000, 'period_start', now() - interval '1 day', 'period_end', now() + interval '29 days')))
    || p_changes)).outcome$$;
create temp view account as
  select plan, balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';

select pg_temp.read('incomplete', '2026-01-02');
select is(pg_temp.read('canceled', '2026-01-03'), 'nothing_to_do', 'one that was never paid');
select is((select plan from account), 'default', 'ends without having given anything');

select pg_temp.read('active', '2026-01-04');
select is(pg_temp.bill('{}'), 'booked', 'its period is paid');
select is(pg_temp.read('active', '2026-01-05', '{"cancel_at_period_end": true}'), 'nothing_to_do',
  'to be canceled at the period''s end');
select is(pg_temp.read('canceled', '2026-01-06'), 'nothing_to_do', 'or at once');
select is((select row(plan, balance) from account), row('basic'::text, 1000::bigint), 'what was paid is kept');
savepoint paid;

update payments set period_end = now() - interval '1 second';
select is(follow_subscriptions(), 1, 'until the end of it');
select is((select plan from account), 'default', 'then the schedule ends the plan');
select is(follow_subscriptions(), 0, 'once');
rollback to paid;

select pg_temp.bill('{"refunds": [{"id": "re_1", "amount": 1000, "status": "succeeded"}]}');
select is((select plan from account), 'default', 'what was refunded is not kept');
select is(follow_subscriptions(), 0, 'the booking has ended it');
rollback to paid;

select pg_temp.read('incomplete', '2026-01-07', '{"subscription": "sub_3"}');
select pg_temp.read('canceled', '2026-01-08', '{"subscription": "sub_3", "items": [{"price_id": "price_pro"}]}');
select pg_temp.bill('{"key": "stripe:in:in_3", "subscription": "sub_3"}');
select is((select plan from account), 'pro', 'an invoice that is booked after the end gives the plan for what it paid');
rollback to paid;


select pg_temp.read('active', '2026-01-07');
select pg_temp.read('active', '2026-01-08', '{"subscription": "sub_2", "items": [{"price_id": "price_pro"}],
  "created_at": "2026-01-03"}');
select is((select plan from account), 'pro', 'of two subscriptions the one that came last');
select pg_temp.read('canceled', '2026-01-09', '{"subscription": "sub_2", "items": [{"price_id": "price_pro"}]}');
select is((select plan from account), 'basic', 'when it ends, the other one''s plan is left');
select is((select count(*) from payment_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
