-- A pack of 10,000 credits is sold for 9.00 USD, by the price of that id at Stripe.
select set_product('stripe', false, 'large', '{"provider_price_id": "price_large", "kind": "pack", "credits": 10000, "unit_amount": 900, "currency": "usd"}') is not null as written;

-- Ada is a customer there.
select link_payment_customer('00000000-0000-4000-8000-000000000ada', 'stripe', false, 'cus_ada');

-- May she buy it, and by which price?
select status, product, credits, provider_price_id, unit_amount, customer_id
from prepare_checkout(null, '00000000-0000-4000-8000-000000000ada', 'large', 1, 'stripe', false);

-- What Stripe says of her checkout: everything that is not listed in docs/payment_states.md is left out.
create temp table checkout as
select '{"provider": "stripe", "livemode": false, "key": "stripe:cs:cs_1", "kind": "pack", "customer": "cus_ada", "lines": [{"price_id": "price_large", "quantity": 1, "amount": 900}], "currency": "usd", "created_at": "2026-01-02T12:00:00Z"}'::jsonb as state;

-- She has not paid yet.
select outcome, status, credits from checkout, book_payment(state || '{"status": "open"}');

-- She pays. The event comes twice, as events do.
select outcome, credits, balance
from checkout, book_payment(state || '{"status": "paid", "amount": 900, "fee": 56, "paid_at": "2026-01-02T12:05:00Z"}', '{"id": "evt_1", "type": "checkout.session.completed", "object": "cs_1"}');

select outcome, credits, balance
from checkout, book_payment(state || '{"status": "paid", "amount": 900}', '{"id": "evt_1", "type": "checkout.session.completed", "object": "cs_1"}');

-- A third of the price is given back: a third of the credits goes, in whole credits.
select outcome, reversed_credits, balance
from checkout, book_payment(state || '{"status": "paid", "amount": 900, "refunds": [{"id": "re_1", "amount": 300, "status": "succeeded"}]}', '{"id": "evt_2", "type": "refund.created", "object": "re_1"}');

-- An older event arrives late. It undoes nothing.
select outcome, reversed_credits, balance
from checkout, book_payment(state || '{"status": "paid", "amount": 900}', '{"id": "evt_0", "type": "charge.updated", "object": "ch_1"}');

-- The refund fails at her bank: the credits come back.
select outcome, reversed_credits, balance
from checkout, book_payment(state || '{"status": "paid", "amount": 900, "refunds": [{"id": "re_1", "amount": 300, "status": "failed"}]}', '{"id": "evt_3", "type": "refund.failed", "object": "re_1"}');

-- It is tried again, and arrives.
select outcome, reversed_credits, balance
from checkout, book_payment(state || '{"status": "paid", "amount": 900, "refunds": [{"id": "re_2", "amount": 300, "status": "succeeded"}]}', '{"id": "evt_4", "type": "refund.created", "object": "re_2"}');

-- What she sees, what came of each event, and what finance sees: in cents.
select product, status, state, amount, refunded, credits, reversed_credits from payments;

select event_id, outcome, tries from payment_events order by event_id;

select product, currency, gross, refunded, fees, net from payment_revenue_daily;

select product, credits_outstanding, deferred from payment_deferred_revenue;

-- Payments and ledger agree.
select (select count(*) from payment_discrepancies) as payment_discrepancies, discrepancies from reconciliation_summary;
