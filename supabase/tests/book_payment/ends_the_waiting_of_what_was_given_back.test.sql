begin;
select plan(11);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.book(p_changes jsonb, p_event text default null) returns payment_result language sql as
  $$select book_payment('{"provider": "stripe", "livemode": true, "kind": "pack", "customer": "cus_1",
    "key": "stripe:cs:c1", "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900, "currency": "usd",
    "created_at": "2026-01-02"}'::jsonb || p_changes,
    case when p_event is not null then jsonb_build_object('id', p_event, 'type', 'checkout.session.completed') end)$$;
create temp view findings as select discrepancy from payment_discrepancies order by 1;

update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select is((select cause from pg_temp.book('{}', 'evt_1')), 'account_closed', 'a payment that cannot be booked waits');
select is((select outcome from pg_temp.book('{"refunds": [{"id": "re_1", "amount": 400, "status": "succeeded"}]}')),
  'waiting', 'also if a part of it was refunded');
select is((select array_agg(discrepancy) from findings),
  array['event_waiting', 'paid_without_grant'], 'operators see it');
select is((select row(outcome, cause, credits) from pg_temp.book(
  '{"refunds": [{"id": "re_2", "amount": 500, "status": "succeeded"}]}')),
  row('nothing_to_do'::text, null::text, 0::bigint), 'all of it refunded, it waits no more');
select is_empty('select * from findings', 'and there is nothing to see');
select is(retry_payments(), 0, 'nor to try again');
select is((select cause from pg_temp.book('{"refunds": [{"id": "re_2", "amount": 500, "status": "failed"}]}')),
  'account_closed', 'a refund that fails lets it wait again');
select is((select outcome from pg_temp.book('{"disputes": [{"id": "dp_1", "status": "open", "amount": 500,
  "withdrawn": 500}]}')), 'nothing_to_do', 'a dispute that has taken the rest ends it, too');
select is((select outcome from pg_temp.book('{"disputes": [{"id": "dp_1", "status": "won", "amount": 500,
  "withdrawn": 500, "reinstated": 500}]}')), 'waiting', 'until it is won');
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000a1';
select is((select row(outcome, credits, reversed_credits) from retry_payment('stripe:cs:c1')),
  row('booked'::text, 1000::bigint, 444::bigint), 'then it is booked as it stands');
select is_empty('select from reconciliation_discrepancies', 'and the books are right');

select * from finish();
rollback;
