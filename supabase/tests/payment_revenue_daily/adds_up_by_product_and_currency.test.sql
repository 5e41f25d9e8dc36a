begin;
select plan(6);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.book(p_key text, p_changes jsonb default '{}') returns payment_result language sql as
  $$select book_payment('{"provider": "stripe", "livemode": true, "kind": "pack", "customer": "cus_1",
    "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 1000, "currency": "usd", "fee": 50,
    "created_at": "2026-01-02", "paid_at": "2026-01-03T23:00:00Z"}'::jsonb
    || jsonb_build_object('key', 'stripe:cs:' || p_key) || p_changes)$$;
select from pg_temp.book('cs_1', '{"refunds": [{"id": "re_1", "amount": 300, "status": "succeeded"}],
  "disputes": [{"id": "dp_1", "status": "lost", "amount": 200, "withdrawn": 200, "fee": 15}]}');
select from pg_temp.book('cs_2');
select from pg_temp.book('cs_3', '{"currency": "eur", "fee": null}');
select from pg_temp.book('cs_4', '{"lines": [{"price_id": "price_2"}]}');
select from pg_temp.book('cs_5', '{"status": "open"}');

select results_eq('select day, product, currency, payments, gross, refunded, disputed, fees, net, without_fee, credits,
  reversed_credits from payment_revenue_daily order by product, currency', $$values
  (date '2026-01-03', 'starter', 'eur', 1::bigint, 1000::bigint, 0::bigint, 0::bigint, 0::bigint, 1000::bigint,
    1::bigint, 1000::bigint, 0::bigint),
  ('2026-01-03', 'starter', 'usd', 2, 2000, 300, 200, 115, 1385, 0, 2000, 500),
  ('2026-01-03', null, 'usd', 1, 1000, 0, 0, 50, 950, 0, 0, 0)$$,
  'what was paid by product and currency, less refunds, disputes and fees; what waits has no product');
select results_eq('select product, currency, credits_outstanding, deferred, kept from payment_deferred_revenue
  order by currency', $$values ('starter', 'eur', 1000::bigint, 1000::bigint, 1000::bigint),
  ('starter', 'usd', 1500, 1500, 1500)$$, 'before anything is used, all of it is owed');
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 250,
  (select grant_id from payments where key = 'stripe:cs:cs_1'));
select is((select row(credits_outstanding, deferred, kept) from payment_deferred_revenue where currency = 'usd'),
  row(1250::bigint, 1250::bigint, 1500::bigint),
  'half of what was kept of a payment is used, half of its money is owed');
select from reverse_grant('00000000-0000-4000-8000-0000000000a1',
  (select grant_id from payments where key = 'stripe:cs:cs_2'));
select is((select deferred from payment_deferred_revenue where currency = 'usd'), 250::bigint,
  'credits that are gone otherwise are not owed');
select is((select sum(value) from operational_metrics() where metric = 'atomic_credits_payments_waiting'), 1::numeric,
  'Prometheus sees what waits');
select is((select sum(value) from operational_metrics() where metric = 'atomic_credits_open_disputes'), 0::numeric,
  'and open disputes');

select * from finish();
rollback;
