begin;
select plan(24);

insert into credit_plans (name, refilled_by, monthly_credits) values
  ('basic', 'payment', 1000), ('pro', 'payment', 5000);
select from set_product('stripe', true, 'basic', '{"provider_price_id": "price_basic", "kind": "plan", "plan": "basic",
  "credits": 1000, "unit_amount": 1000, "currency": "usd", "trial_credits": 50}');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 5000, "unit_amount": 4000, "currency": "usd"}');
select from set_product('stripe', true, 'set-up', '{"provider_price_id": "price_set_up", "kind": "pack",
  "credits": 0, "unit_amount": 500, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.bill(p_key text, p_amount bigint, p_lines text, p_changes jsonb default '{}')
returns payment_result language sql as
  $$select book_payment(jsonb_build_object('provider', 'stripe', 'livemode', true, 'key', 'stripe:in:' || p_key,
    'kind', 'plan', 'invoice', p_key, 'customer', 'cus_1', 'subscription', 'sub_1', 'status', 'paid',
    'amount', p_amount, 'currency', 'usd', 'created_at', '2026-01-02',
    'lines', replace(replace(replace(p_lines, 'NEXT', '2999-03-01'), 'NOW', '2999-01-01'), 'END', '2999-02-01')::jsonb)
    || p_changes)$$;
create temp view left_over as select remaining from credit_grants order by id;

select is((select row(outcome, kind, credits, balance) from pg_temp.bill('in_1', 1500, '[
  {"price_id": "price_set_up", "amount": 500},
  {"price_id": "price_basic", "amount": 1000, "period_start": "NOW", "period_end": "END"}]')),
  row('booked'::text, 'plan'::text, 1000::bigint, 1000::bigint),
  'a paid invoice grants the period''s credits; a set-up fee brings none');
select is((select row(kind, expires_at, priority, external_ref, reason) from credit_grants),
  row('purchase'::credit_entry_kind, timestamptz '2999-02-01', 90::smallint, 'stripe:in:in_1'::text, 'basic'::text),
  'until the period''s end, and they are spent before packs');
select is((select row(product, quantity, period_start, period_end, subscription_id) from payments),
  row('basic'::text, 1::bigint, timestamptz '2999-01-01', timestamptz '2999-02-01', 'sub_1'::text),
  'the payment says which period');
select is((select outcome from pg_temp.bill('in_1', 1500, '[]')), 'nothing_to_do', 'once');
select is((select plan from credit_accounts), 'default', 'it does not set the plan: the subscription does');

select is((select credits from pg_temp.bill('in_2', 1500, '[
  {"price_id": "price_basic", "amount": -500, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"},
  {"price_id": "price_pro", "amount": 2000, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"}
  ]')),
  4000::bigint, 'an upgrade within the period grants the difference of both plans on its own invoice');
select is((select row(outcome, credits) from pg_temp.bill('in_3', 0, '[
  {"price_id": "price_pro", "amount": -2000, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"},
  {"price_id": "price_basic", "amount": 500, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"}
  ]')), row('booked'::text, 0::bigint), 'a downgrade grants nothing, and takes nothing');
select is((select credits from pg_temp.bill('in_4', 0, '[
  {"price_id": "price_basic", "amount": -400, "is_proration": true, "period_start": "2999-01-17", "period_end": "END"},
  {"price_id": "price_pro", "amount": 1900, "is_proration": true, "period_start": "2999-01-17", "period_end": "END"}
  ]')),
  0::bigint, 'up again, the same credits are not granted twice');
select is((select credits from pg_temp.bill('in_5', 9500, '[
  {"price_id": "price_pro", "amount": -1900, "is_proration": true, "period_start": "2999-01-17", "period_end": "END"},
  {"price_id": "price_pro", "quantity": 3, "amount": 5700, "is_proration": true, "period_start": "2999-01-17",
    "period_end": "END"}]')), 10000::bigint, 'more of the same are an upgrade, too');
select is((select credits from pg_temp.bill('in_5b', 100, '[
  {"price_id": "price_basic", "amount": -5, "is_proration": true, "period_start": "2999-01-18", "period_end": "END"},
  {"price_id": "price_pro", "amount": 20, "is_proration": true, "period_start": "2999-01-18", "period_end": "END"},
  {"price_id": "price_pro", "amount": -20, "is_proration": true, "period_start": "2999-01-19", "period_end": "END"},
  {"price_id": "price_pro", "quantity": 2, "amount": 90, "is_proration": true, "period_start": "2999-01-19",
    "period_end": "END"}]', '{"subscription": "sub_0"}')), 9000::bigint,
  'of two changes on one invoice: from what was before the first to what is after the last');
select is((select credits from pg_temp.bill('in_5c', 100, '[
  {"price_id": "price_basic", "amount": 1000, "period_start": "NOW", "period_end": "END"},
  {"price_id": "price_pro", "amount": 3000, "period_start": "2999-01-10", "period_end": "END"}]',
  '{"subscription": "sub_00"}')), 6000::bigint, 'of several items each grants its own');
select is((select credits from pg_temp.bill('in_6', 4000, '[
  {"price_id": "price_pro", "amount": 4000, "period_start": "END", "period_end": "NEXT"}]')), 5000::bigint,
  'the next period grants its own');
select is((select credits from pg_temp.bill('in_7', 3000, '[
  {"price_id": "price_basic", "amount": -500, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"},
  {"price_id": "price_pro", "amount": 2000, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"},
  {"price_id": "price_pro", "amount": 4000, "period_start": "END", "period_end": "NEXT"}]',
  '{"subscription": "sub_2"}')), 9000::bigint,
  'prorations on the next period''s invoice grant the difference beside its credits');

select is((select credits from pg_temp.bill('in_8', 2000, '[
  {"price_id": "price_basic", "amount": -500, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"},
  {"price_id": "price_pro", "amount": 2000, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"}]',
  '{"subscription": "sub_3"}')), 4000::bigint, 'an upgrade that is booked before its period');
select is((select credits from pg_temp.bill('in_9', 1000, '[
  {"price_id": "price_basic", "amount": 1000, "period_start": "NOW", "period_end": "END"}]',
  '{"subscription": "sub_3"}')), 1000::bigint, 'leaves the period its own credits');
select is((select row(reversed_credits, outcome) from pg_temp.bill('in_8', 2000, '[]',
  '{"subscription": "sub_3", "refunds": [{"id": "re_1", "amount": 2000, "status": "succeeded"}]}')),
  row(4000::bigint, 'booked'::text), 'an upgrade that is refunded');
select is((select credits from pg_temp.bill('in_10', 2000, '[
  {"price_id": "price_basic", "amount": -500, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"},
  {"price_id": "price_pro", "amount": 2000, "is_proration": true, "period_start": "2999-01-16", "period_end": "END"}]',
  '{"subscription": "sub_3"}')), 4000::bigint, 'can be bought again');

select is((select row(cause, credits) from pg_temp.bill('in_10b', 1000, '[
  {"price_id": "price_basic", "amount": 1000, "period_start": "NOW", "period_end": "END"},
  {"price_id": "price_set_up", "quantity": 0, "amount": 0, "period_start": "NOW", "period_end": "END"}]',
  '{"subscription": "sub_3b"}')), row(null::text, 1000::bigint),
  'a line without credits may have a quantity of 0, such as a meter that nobody used');

select is((select row(outcome, credits) from pg_temp.bill('in_11', 0, '[
  {"price_id": "price_basic", "amount": 0, "period_start": "NOW", "period_end": "END"}]',
  '{"subscription": "sub_4"}')),
  row('booked'::text, 50::bigint), 'a trial grants what the product gives for one');
select is((select credits from pg_temp.bill('in_12', 0, '[
  {"price_id": "price_basic", "amount": 1000, "period_start": "NOW", "period_end": "END"}]',
  '{"subscription": "sub_5"}')),
  1000::bigint, 'a period that a coupon pays is a period');

select is((select credits from pg_temp.bill('in_13', 1000, '[
  {"price_id": "price_basic", "amount": 1000, "period_start": "2026-01-01", "period_end": "2026-02-01"}]',
  '{"subscription": "sub_6"}')), 1000::bigint, 'a period that is booked when it is over');
select is((select round(extract(epoch from expires_at - now()) / 86400) from credit_grants
  where external_ref = 'stripe:in:in_13'), 30::numeric, 'has the grace period of a refund');
alter table credit_plans disable trigger refill_source_is_free;
update credit_plans set refilled_by = 'schedule' where name = 'pro';
select is((select credits from pg_temp.bill('in_14', 4000, '[
  {"price_id": "price_pro", "amount": 4000, "period_start": "NOW", "period_end": "END"}]',
  '{"subscription": "sub_7"}')),
  0::bigint, 'a plan that the schedule refills gets nothing by payment');
select is((select count(*) from payment_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
