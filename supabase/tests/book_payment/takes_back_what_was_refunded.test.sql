begin;
select plan(17);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
-- Paid in another currency than the product's: the payment's own amounts count.
create function pg_temp.book(p_refunds jsonb, p_amount bigint default 777, p_key text default 'cs_1')
returns payment_result language sql as
  $$select book_payment(jsonb_build_object('provider', 'stripe', 'livemode', true, 'key', 'stripe:cs:' || p_key,
    'kind', 'pack', 'customer', 'cus_1', 'lines', '[{"price_id": "price_1"}]'::jsonb, 'status', 'paid',
    'amount', p_amount, 'currency', 'eur', 'created_at', '2026-01-02', 'refunds', p_refunds))$$;
create temp view account as
  select balance, debt from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';

select is((select credits from pg_temp.book('[]')), 1000::bigint, 'paid');
select is((select row(outcome, reversed_credits, balance) from pg_temp.book(
  '[{"id": "re_1", "amount": 100, "status": "succeeded"}]')), row('booked'::text, 129::bigint, 871::bigint),
  'a part of it is refunded: 1000 × 100 / 777 = 128.7 credits are taken back, rounded');
select is((select row(outcome, reversed_credits) from pg_temp.book(
  '[{"id": "re_1", "amount": 100, "status": "succeeded"}]')), row('nothing_to_do'::text, 129::bigint), 'once');
select is((select row(outcome, reversed_credits) from pg_temp.book(
  '[{"id": "re_2", "amount": 50, "status": "pending"}]')), row('nothing_to_do'::text, 129::bigint),
  'one that is pending takes nothing');
select is((select reversed_credits from pg_temp.book('[{"id": "re_2", "amount": 50, "status": "succeeded"}]')),
  193::bigint, 'a second one counts with the first, which this state does not mention: 1000 × 150 / 777');
select is((select row(outcome, reversed_credits) from pg_temp.book('[]')), row('nothing_to_do'::text, 193::bigint),
  'a state from before the refunds gives nothing back');
select is((select reversed_credits from pg_temp.book('[{"id": "re_2", "amount": 50, "status": "failed"}]')),
  129::bigint, 'a refund that fails is out again');
select is((select row(outcome, reversed_credits) from pg_temp.book(
  '[{"id": "re_2", "amount": 50, "status": "succeeded"}]')), row('nothing_to_do'::text, 129::bigint),
  'and stays out, though an older state of it comes later');
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 800, p_reason => 'used');
select is((select row(reversed_credits, balance) from pg_temp.book(
  '[{"id": "re_3", "amount": 677, "status": "succeeded"}]')), row(1000::bigint, 0::bigint), 'all of it is refunded');
select is((select debt from account), 800::bigint, 'what was used is owed');
select is((select row(refunded, reversed_credits, state) from payments), row(777::bigint, 1000::bigint, 'booked'::text),
  'the payment says so');
select is((select reversed_credits from pg_temp.book('[{"id": "re_4", "amount": 500, "status": "succeeded"}]')),
  1000::bigint, 'more is never taken back than was granted');
select is((select row(reversed_credits, balance) from pg_temp.book(
  '[{"id": "re_1", "amount": 100, "status": "failed"}, {"id": "re_4", "amount": 500, "status": "failed"}]')),
  row(871::bigint, 0::bigint), 'given back, it pays the debt first');
select is((select debt from account), 671::bigint, 'in whole credits');
select is((select reversed_credits from pg_temp.book('[{"id": "re_5", "amount": 90, "status": "failed"},
  {"id": "re_5", "amount": 90, "status": "succeeded"}]')), 871::bigint,
  'one that is listed twice counts as it is last');
select is((select row(credits, reversed_credits) from pg_temp.book(
  '[{"id": "re_9", "amount": 10, "status": "succeeded"}]', 0, 'cs_free')), row(1000::bigint, 0::bigint),
  'of what cost nothing, nothing is taken back');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
