begin;
select plan(13);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.state(p_changes jsonb) returns jsonb language sql as
  $$select '{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs_1", "kind": "pack", "session": "cs_1",
    "customer": "cus_1", "lines": [{"price_id": "price_1", "quantity": 3, "amount": 2700}], "status": "paid",
    "amount": 2700, "currency": "usd", "created_at": "2026-01-02"}'::jsonb || p_changes$$;
create function pg_temp.book(p_changes jsonb, p_event text default null) returns payment_result language sql as
  $$select book_payment(pg_temp.state(p_changes), case when p_event is not null then
    jsonb_build_object('id', p_event, 'type', 'checkout.session.completed', 'object', 'cs_1') end)$$;

select is((select row(outcome, credits, balance) from pg_temp.book('{"status": "open", "amount": 0}', 'evt_0')),
  row('nothing_to_do'::text, 0::bigint, 0::bigint), 'an open checkout grants nothing');
select is((select outcome from pg_temp.book('{"status": "unpaid", "amount": 0}')), 'nothing_to_do',
  'nor does one whose money is on its way');
select is((select row(outcome, cause, status, account_id, kind, credits, reversed_credits, balance)
  from pg_temp.book('{"intent": "pi_1", "charge": "ch_1", "fee": 108, "paid_at": "2026-01-03"}', 'evt_1')),
  row('booked'::text, null::text, 'paid'::text, uuid '00000000-0000-4000-8000-0000000000a1', 'pack'::text,
    3000::bigint, 0::bigint, 3000::bigint), 'a paid one grants the product''s credits, as often as it was bought');
select is((select row(outcome, credits, balance) from pg_temp.book('{}', 'evt_1')),
  row('nothing_to_do'::text, 3000::bigint, 3000::bigint), 'once, though the event comes again');
select is((select outcome from pg_temp.book('{}')), 'nothing_to_do', 'and though the page of the buyer books it, too');
select is((select row(outcome, status) from pg_temp.book('{"status": "open", "amount": 0, "lines": []}')),
  row('nothing_to_do'::text, 'paid'::text), 'a state of before undoes nothing');
select is((select row(kind, amount, remaining, priority, expires_at, external_ref, reason) from credit_grants),
  row('purchase'::credit_entry_kind, 3000::bigint, 3000::bigint, 100::smallint, null::timestamptz,
    'stripe:cs:cs_1'::text, '3 × starter'::text), 'the grant names the payment');
select is((select row(status, state, amount, currency, fee, intent_id, charge_id, product, quantity, paid_at)
  from payments), row('paid'::text, 'booked'::text, 2700::bigint, 'usd'::text, 108::bigint, 'pi_1'::text, 'ch_1'::text,
    'starter'::text, 3::bigint,
    timestamptz '2026-01-03'), 'the payment says what is known of it');
select results_eq('select event_id, outcome, tries, payment_key from payment_events order by event_id',
  $$values ('evt_0', 'nothing_to_do', 1, 'stripe:cs:cs_1'), ('evt_1', 'booked', 2, 'stripe:cs:cs_1')$$,
  'each event is kept with what came of it');
select is(find_payment('stripe', 'ch_1'), 'stripe:cs:cs_1', 'a payment is found by its charge');
select is(find_payment('stripe', 'cs_1'), 'stripe:cs:cs_1', 'by its session');
select is(find_payment('other', 'pi_1'), null, 'of its provider alone');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
