-- Two plans are paid by the month. Their credits come with each paid invoice, never by the schedule.
insert into credit_plans (name, refilled_by, rate_limit_requests) values ('basic', 'payment', 20), ('pro', 'payment', 100);

select set_product('stripe', false, 'basic', '{"provider_price_id": "price_basic", "kind": "plan", "plan": "basic", "credits": 1000, "unit_amount": 1000, "currency": "usd"}') is not null as written;

select set_product('stripe', false, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro", "credits": 5000, "unit_amount": 4000, "currency": "usd"}') is not null as written;

select link_payment_customer('00000000-0000-4000-8000-000000000ada', 'stripe', false, 'cus_ada');

create temp table known as
select '{"provider": "stripe", "livemode": false, "subscription": "sub_1", "customer": "cus_ada", "created_at": "2026-01-01T00:00:00Z", "current_period_start": "2999-01-01T00:00:00Z", "current_period_end": "2999-02-01T00:00:00Z"}'::jsonb as subscription,
  '{"provider": "stripe", "livemode": false, "kind": "plan", "subscription": "sub_1", "customer": "cus_ada", "status": "paid", "currency": "usd", "created_at": "2026-01-01T00:00:00Z"}'::jsonb as invoice;

-- Ada subscribes. Her subscription sets the plan and grants nothing; her invoice grants the month's credits.
select outcome, status, balance
from known, book_subscription(subscription || '{"status": "active", "items": [{"price_id": "price_basic"}], "as_of": "2026-01-01T00:00:01Z"}');

select outcome, credits, balance
from known, book_payment(invoice || '{"key": "stripe:in:in_1", "amount": 1000, "lines": [{"price_id": "price_basic", "amount": 1000, "period_start": "2999-01-01T00:00:00Z", "period_end": "2999-02-01T00:00:00Z"}]}');

select plan, balance from credit_accounts where id = '00000000-0000-4000-8000-000000000ada';

-- In the middle of the month she goes up to pro: the paid proration invoice grants the difference of the two plans.
select outcome, status
from known, book_subscription(subscription || '{"status": "active", "items": [{"price_id": "price_pro"}], "as_of": "2026-01-16T00:00:01Z"}');

select outcome, credits, balance
from known, book_payment(invoice || '{"key": "stripe:in:in_2", "amount": 1500, "lines": [{"price_id": "price_basic", "amount": -500, "is_proration": true, "period_start": "2999-01-16T00:00:00Z", "period_end": "2999-02-01T00:00:00Z"}, {"price_id": "price_pro", "amount": 2000, "is_proration": true, "period_start": "2999-01-16T00:00:00Z", "period_end": "2999-02-01T00:00:00Z"}]}');

select plan, balance from credit_accounts where id = '00000000-0000-4000-8000-000000000ada';

-- She disputes that invoice. Opening the dispute moves nothing: it is a case.
select outcome, reversed_credits, balance
from known, book_payment(invoice || '{"key": "stripe:in:in_2", "amount": 1500, "disputes": [{"id": "dp_1", "status": "open", "amount": 1500}]}');

-- Her bank withdraws the money: the upgrade's credits go.
select outcome, reversed_credits, balance
from known, book_payment(invoice || '{"key": "stripe:in:in_2", "amount": 1500, "disputes": [{"id": "dp_1", "status": "open", "amount": 1500, "withdrawn": 1500, "fee": 1500}]}');

-- The dispute is lost. That ends the case, and moves nothing more.
select outcome, reversed_credits, balance
from known, book_payment(invoice || '{"key": "stripe:in:in_2", "amount": 1500, "disputes": [{"id": "dp_1", "status": "lost", "amount": 1500, "withdrawn": 1500, "fee": 1500}]}');

select dispute_id, status, amount, withdrawn, reinstated, ended_at is not null as has_ended from payment_disputes;

-- Her subscription is canceled at once. What she has paid for and kept, she keeps: the plan, until the month's end.
select outcome, status
from known, book_subscription(subscription || '{"status": "canceled", "items": [{"price_id": "price_pro"}], "as_of": "2026-01-20T00:00:01Z"}');

select plan, balance from credit_accounts where id = '00000000-0000-4000-8000-000000000ada';

-- A state that was asked for before that changes nothing.
select outcome, cause
from known, book_subscription(subscription || '{"status": "active", "items": [{"price_id": "price_basic"}], "as_of": "2026-01-10T00:00:01Z"}');

-- Finance, in cents; the fee of the dispute is a fee.
select product, gross, disputed, fees, net, credits, reversed_credits from payment_revenue_daily order by product;

select (select count(*) from payment_discrepancies) as payment_discrepancies, discrepancies from reconciliation_summary;
