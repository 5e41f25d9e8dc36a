begin;
select plan(20);

insert into credit_plans (name, refilled_by) values ('pro', 'payment');
select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 9, "unit_amount": 900, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.book(p_key text, p_changes jsonb default '{}', p_event text default null)
returns payment_result language sql as
  $$select book_payment('{"provider": "stripe", "livemode": true, "kind": "pack", "customer": "cus_1",
    "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900, "currency": "usd", "created_at": "2026-01-02",
    "refunds": [{"id": "re_1", "amount": 90, "status": "succeeded"}],
    "disputes": [{"id": "dp_1", "status": "open", "amount": 90, "withdrawn": 90}]}'::jsonb
    || jsonb_build_object('key', 'stripe:cs:' || p_key) || p_changes,
    case when p_event is not null then jsonb_build_object('id', p_event, 'type', 'checkout.session.completed') end)$$;
create function pg_temp.subscribe(p_changes jsonb) returns payment_result language sql as
  $$select book_subscription('{"provider": "stripe", "livemode": true, "subscription": "sub_1", "customer": "cus_1",
    "items": [{"price_id": "price_pro"}], "status": "active", "created_at": "2026-01-02", "as_of": "2026-01-02"}'::jsonb
    || p_changes)$$;
create temp view found as
  select discrepancy, payment_key, account_id, expected, actual from payment_discrepancies;
create temp table bought as select * from pg_temp.book('cs_1', '{}', 'evt_1');
select from pg_temp.subscribe('{}');
select is_empty('select * from found', 'nothing is wrong with what was booked');
savepoint sound;

select from pg_temp.book('cs_2', '{"customer": "cus_2"}', 'evt_2');
select set_eq('select * from found', $$values
  ('paid_without_grant', 'stripe:cs:cs_2', null::uuid, null::bigint, 0::bigint),
  ('event_waiting', 'stripe:cs:cs_2', null, 0, 1)$$, 'a payment of an unknown customer waits, and its event');
create temp table run as select * from reconcile_credit_ledger(true);
select is((select row(invariant, account_id, payment_key) from reconciliation_findings
  where run_id = (select id from run) and invariant = 'paid_without_grant'),
  row('paid_without_grant'::text, uuid '00000000-0000-0000-0000-000000000000', 'stripe:cs:cs_2'::text),
  'a deep run keeps what is nobody''s');
select is((select discrepancies from reconcile_credit_ledger()), 2::bigint, 'so does an incremental one');
select is((select discrepancies from reconciliation_summary), 2::bigint, 'and the summary counts them');
rollback to sound;

select from pg_temp.book('cs_2', '{"account_id": "00000000-0000-4000-8000-0000000000b2"}');
select set_eq('select discrepancy, expected, actual from found', $$values
  ('paid_without_grant', null::bigint, 0::bigint), ('customer_of_two_accounts', 1, 2)$$,
  'a payment whose metadata names another account');
rollback to sound;

drop index payment_customers_by_customer;
insert into payment_customers (account_id, provider, livemode, customer_id)
  values ('00000000-0000-4000-8000-0000000000b2', 'stripe', true, 'cus_1');
select set_eq('select discrepancy, payment_key, account_id from found', $$values
  ('customer_of_two_accounts', 'cus_1', uuid '00000000-0000-4000-8000-0000000000a1'),
  ('customer_of_two_accounts', 'cus_1', '00000000-0000-4000-8000-0000000000b2')$$, 'a customer who is two accounts');
rollback to sound;

select from note_payment_event('{"provider": "stripe", "livemode": true, "id": "evt_3", "type": "charge.refunded"}',
  'waiting', 'the provider did not answer');
select set_eq('select * from found', $$values ('event_waiting', null::text, null::uuid, 0::bigint, 1::bigint)$$,
  'an event that could not be looked up');
rollback to sound;

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 7, 'by hand', 'purchase',
  p_external_ref => 'stripe:in:in_1');
select set_eq('select * from found', $$values
  ('grant_without_payment', 'stripe:in:in_1', uuid '00000000-0000-4000-8000-0000000000a1', 0::bigint, 7::bigint)$$,
  'a grant of a payment that nobody has booked');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 7, 'by hand', 'purchase',
  p_external_ref => 'shop:in:1');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 7, 'by hand', 'purchase',
  p_external_ref => 'stripe:pi_1');
select is((select count(*) from found), 1::bigint, 'an app''s own references are its own');
rollback to sound;

delete from credit_grants where id = (select grant_id from bought);
select set_has('select * from found', $$values
  ('paid_without_grant', 'stripe:cs:cs_1', uuid '00000000-0000-4000-8000-0000000000a1', 1000::bigint, 0::bigint)$$,
  'a grant that was deleted');
rollback to sound;

update credit_grants set amount = 1001 where id = (select grant_id from bought);
select set_eq('select discrepancy, expected, actual from found',
  $$values ('credits_differ', 1000::bigint, 1001::bigint)$$,
  'a grant of another amount');
rollback to sound;

update payments set credits = 1001;
select set_eq('select discrepancy, expected, actual from found',
  $$values ('credits_differ', 1001::bigint, 1000::bigint),
  ('payment_changed', 1, 0)$$, 'a payment that was written by hand');
rollback to sound;

select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), 0, 'by hand');
select set_eq('select discrepancy, expected, actual from found',
  $$values ('reversal_differs', 200::bigint, 0::bigint)$$,
  'a grant that was given back by hand');
select is((select outcome from pg_temp.book('cs_1')), 'nothing_to_do', 'the same state again leaves it');
select is((select row(outcome, balance) from retry_payment('stripe:cs:cs_1')), row('booked'::text, 800::bigint),
  'the remedy takes it back');
select is_empty('select * from found', 'and all is right');
rollback to sound;

update payment_disputes set withdrawn = 180;
select set_eq('select discrepancy, expected, actual from found',
  $$values ('reversal_differs', 300::bigint, 200::bigint)$$,
  'a case that was written by hand');
rollback to sound;

select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default');
select set_eq('select * from found', $$values
  ('subscription_without_plan', 'sub_1', uuid '00000000-0000-4000-8000-0000000000a1', 1::bigint, 0::bigint)$$,
  'an account that is not on its subscription''s plan');
rollback to sound;

select from pg_temp.subscribe('{"items": [{"price_id": "price_2"}], "as_of": "2026-01-03"}');
select set_eq('select * from found', $$values
  ('subscription_without_plan', 'sub_1', uuid '00000000-0000-4000-8000-0000000000a1', 1::bigint, 0::bigint)$$,
  'a subscription whose price nobody has set up');

select * from finish();
rollback;
