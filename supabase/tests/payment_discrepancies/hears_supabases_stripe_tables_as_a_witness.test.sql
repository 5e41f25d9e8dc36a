begin;
select plan(9);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs_1", "kind": "pack",
  "customer": "cus_1", "intent": "pi_1", "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900,
  "currency": "usd", "created_at": "2026-01-02"}');
create temp view found as select discrepancy, payment_key, account_id, expected, actual from payment_discrepancies;
create function pg_temp.made(p_ago interval) returns bigint language sql as
  $$select extract(epoch from now() - p_ago)::bigint$$;
select is_empty('select * from found', 'without these tables nobody asks them');

-- In an earlier version the fields are columns, in a later one they are in _raw_data.
create schema stripe;
create table stripe.checkout_sessions (id text, customer text, livemode boolean, mode text, status text,
  payment_status text, created integer);
create table stripe.invoices (id text, _raw_data jsonb);
create table stripe.refunds (id text, payment_intent text, status text, amount bigint, created integer);
insert into stripe.checkout_sessions values
  ('cs_1', 'cus_1', true, 'payment', 'complete', 'paid', pg_temp.made('2 hours')),
  ('cs_2', 'cus_stranger', true, 'payment', 'complete', 'paid', pg_temp.made('2 hours')),
  ('cs_3', 'cus_1', true, 'payment', 'complete', 'unpaid', pg_temp.made('2 hours')),
  ('cs_4', 'cus_1', false, 'payment', 'complete', 'paid', pg_temp.made('2 hours')),
  ('cs_5', 'cus_1', true, 'payment', 'complete', 'paid', pg_temp.made('10 minutes'));
select is_empty('select * from found', 'they know no more than payments');
insert into stripe.checkout_sessions values
  ('cs_6', 'cus_1', true, 'payment', 'complete', 'paid', pg_temp.made('2 hours'));
select set_eq('select * from found', $$values ('paid_without_grant', 'stripe:cs:cs_6',
  uuid '00000000-0000-4000-8000-0000000000a1', null::bigint, 0::bigint)$$, 'a checkout that was paid and never told');
delete from stripe.checkout_sessions where id = 'cs_6';
insert into stripe.invoices values ('in_1', jsonb_build_object('id', 'in_1', 'customer', 'cus_1', 'livemode', true,
  'status', 'paid', 'created', pg_temp.made('2 hours'),
  'parent', '{"subscription_details": {"subscription": "sub_1"}}'::jsonb));
select set_eq('select discrepancy, payment_key from found', $$values ('paid_without_grant', 'stripe:in:in_1')$$,
  'an invoice');
delete from stripe.invoices;
insert into stripe.refunds values ('re_1', 'pi_1', 'succeeded', 90, pg_temp.made('2 hours')),
  ('re_2', 'pi_1', 'failed', 90, pg_temp.made('2 hours'));
select set_eq('select discrepancy, payment_key, expected, actual from found',
  $$values ('reversal_differs', 'stripe:cs:cs_1', 100::bigint, 0::bigint)$$, 'a refund');
select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs_1", "kind": "pack",
  "customer": "cus_1", "status": "paid", "amount": 900, "currency": "usd", "created_at": "2026-01-02",
  "refunds": [{"id": "re_1", "amount": 90, "status": "succeeded"}]}');
select is_empty('select * from found', 'until it is booked');
alter table stripe.refunds drop column created, add column created text default 'yesterday';
select is_empty('select * from found', 'a table of another form is left out, with a warning');

drop table stripe.invoices;
create temp table called (by text);
create function pg_temp.spy() returns text language sql as $$insert into called values (current_user) returning by$$;
create view stripe.invoices as select pg_temp.spy() as id;
select is_empty('select * from found', 'a view in the place of such a table is not read');
select is_empty('select * from called', 'as what it calls would have the owner''s rights');

select * from finish();
rollback;
