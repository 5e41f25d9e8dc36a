begin;
select plan(25);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
insert into credit_plans (name, refilled_by) values ('pro', 'payment');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 9, "unit_amount": 900, "currency": "usd"}');
select from set_product('stripe', false, 'starter',
  '{"provider_price_id": "price_test", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.book(p_key text, p_changes jsonb default '{}', p_event text default null)
returns payment_result language sql as
  $$select book_payment('{"provider": "stripe", "livemode": true, "kind": "pack", "customer": "cus_1",
    "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900, "currency": "usd",
    "created_at": "2026-01-02"}'::jsonb || jsonb_build_object('key', 'stripe:cs:' || p_key) || p_changes,
    case when p_event is not null then jsonb_build_object('id', p_event, 'type', 'checkout.session.completed') end)$$;
create function pg_temp.cause(p_key text, p_changes jsonb) returns text language sql as
  $$select outcome || ' ' || cause from pg_temp.book(p_key, p_changes)$$;

select is(pg_temp.cause('c1', '{"customer": "cus_2"}'), 'waiting unknown_customer', 'a customer who is no account');
select is(pg_temp.cause('c2', '{"customer": null}'), 'waiting unknown_customer', 'no customer, for a price of ours');
select is(pg_temp.cause('c3', '{"customer": null, "lines": [{"price_id": "price_of_a_shirt"}]}'), 'refused not_ours',
  'neither a customer nor a price of ours');
select is((select count(*) from payments where key = 'stripe:cs:c3'), 0::bigint, 'is no payment of ours');
select is(pg_temp.cause('c4', '{"customer": null, "account_id": "00000000-0000-4000-8000-0000000000a1"}'),
  'waiting unknown_customer', 'metadata alone, which anybody may write, makes nobody rich');
select is(pg_temp.cause('c5', '{"account_id": "00000000-0000-4000-8000-0000000000b2"}'), 'waiting account_differs',
  'nor does it where the customer is another account');
select is(pg_temp.cause('p1', '{"lines": [{"price_id": "price_2"}]}'), 'waiting unknown_price',
  'a price that nobody has set up');
select is(pg_temp.cause('p2', '{"lines": [{"price_id": "price_1"}, {"price_id": "price_2"}]}'),
  'waiting unknown_price', 'also beside one that is known');
select is(pg_temp.cause('p3', '{"lines": []}'), 'waiting unknown_price', 'no line at all');
select is(pg_temp.cause('p4', '{"lines": [{"price_id": "price_test"}]}'), 'waiting livemode_mixed',
  'a price of the test mode');
select is(pg_temp.cause('p5', '{"lines": [{"price_id": "price_pro"}]}'), 'waiting kind_differs', 'a plan as a pack');
select is(pg_temp.cause('q1', '{"lines": [{"price_id": "price_1", "quantity": 0}]}'), 'waiting quantity',
  'a quantity of 0');
select is(pg_temp.cause('q2', '{"lines": [{"price_id": "price_1", "quantity": 1000000001}]}'), 'waiting quantity',
  'more credits than a grant may have');
select throws_ok($$select pg_temp.book('q3', '{"lines": [{"price_id": "price_1", "quantity": 1.5}]}')$$, '22023');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1000, p_external_ref => 'stripe:cs:g1');
select is(pg_temp.cause('g1', '{}'), 'waiting granted_elsewhere', 'one that was granted to another account by hand');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select is((select row(outcome, cause, account_id, credits) from pg_temp.book('a1', '{}', 'evt_1')),
  row('waiting'::text, 'account_closed'::text, uuid '00000000-0000-4000-8000-0000000000a1', 0::bigint),
  'a closed account');
select is((select row(outcome, cause) from payment_events), row('waiting'::text, 'account_closed'::text),
  'its event waits with it');
select is(retry_payments(), 0, 'waiting is tried again');
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000a1';
select is(retry_payments(), 1, 'and booked once the cause is gone');
select is((select row(outcome, cause) from payment_events), row('booked'::text, null::text), 'with its event');
select from link_payment_customer('00000000-0000-4000-8000-0000000000d4', 'stripe', true, 'cus_2');
select is((select row(outcome, account_id, balance) from retry_payment('stripe:cs:c1')),
  row('booked'::text, uuid '00000000-0000-4000-8000-0000000000d4', 1000::bigint),
  'an operator tries one by its key');
select from set_product('stripe', true, 'other',
  '{"provider_price_id": "price_2", "kind": "pack", "credits": 50, "unit_amount": 5, "currency": "usd"}');
select is((select row(outcome, credits) from pg_temp.book('p1', '{"lines": [{"price_id": "price_2"}]}')),
  row('booked'::text, 50::bigint), 'the next state books what waited, too');
select is((select row(outcome, cause) from pg_temp.book('a1', '{"livemode": false}')),
  row('refused'::text, 'livemode_mixed'::text), 'a payment stays in its mode');
select throws_ok($$select retry_payment('stripe:cs:nothing')$$, 'PT404');
select is((select array_agg(distinct account_id) from credit_grants where kind = 'purchase'),
  array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000d4']::uuid[],
  'nothing else was granted');

select * from finish();
rollback;
