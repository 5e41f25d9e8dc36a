begin;
select plan(16);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 500, "unit_amount": 1000, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.book(p_disputes jsonb) returns payment_result language sql as
  $$select book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs_1", "kind": "pack",
    "customer": "cus_1", "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 1000, "currency": "usd",
    "created_at": "2026-01-02"}'::jsonb || jsonb_build_object('disputes', p_disputes))$$;
create temp view account as
  select balance, debt from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';

select is((select balance from pg_temp.book('[]')), 500::bigint, 'paid');
select is((select row(outcome, reversed_credits) from pg_temp.book(
  '[{"id": "dp_1", "status": "open", "amount": 1000, "opened_at": "2026-02-01"}]')),
  row('nothing_to_do'::text, 0::bigint), 'a dispute that is opened moves no credit');
select is((select row(payment_key, account_id, status, amount, response, ended_at) from payment_disputes),
  row('stripe:cs:cs_1'::text, uuid '00000000-0000-4000-8000-0000000000a1', 'open'::text, 1000::bigint, 'none'::text,
    null::timestamptz), 'it is a case');
select is((select row(outcome, reversed_credits, balance) from pg_temp.book(
  '[{"id": "dp_1", "status": "open", "amount": 1000, "withdrawn": 1000, "fee": 1500}]')),
  row('booked'::text, 500::bigint, 0::bigint), 'the money that is withdrawn takes the credits back');
select is((select row(outcome, reversed_credits) from pg_temp.book(
  '[{"id": "dp_1", "status": "open", "amount": 1000}]')), row('nothing_to_do'::text, 500::bigint),
  'a state from before it gives nothing back');
select is((select row(outcome, reversed_credits, balance) from pg_temp.book(
  '[{"id": "dp_1", "status": "open", "amount": 1000, "withdrawn": 1000, "reinstated": 1000}]')),
  row('booked'::text, 0::bigint, 500::bigint), 'the money that is reinstated brings all 500 back');
select is((select outcome from pg_temp.book(
  '[{"id": "dp_1", "status": "won", "amount": 1000, "withdrawn": 1000, "reinstated": 1000}]')), 'nothing_to_do',
  'winning it moves no more');
select is((select outcome from pg_temp.book(
  '[{"id": "dp_1", "status": "open", "amount": 1000, "withdrawn": 1000}]')), 'nothing_to_do',
  'nor does an older state that comes late');
select is((select row(status, withdrawn, reinstated, fee, ended_at is not null) from payment_disputes),
  row('won'::text, 1000::bigint, 1000::bigint, 1500::bigint, true), 'the case has ended');
select is((select row(reversed_credits, balance) from pg_temp.book(
  '[{"id": "dp_2", "status": "open", "amount": 400, "withdrawn": 400}]')), row(200::bigint, 300::bigint),
  'a second dispute of a part of the payment');
select is((select reversed_credits from pg_temp.book(
  '[{"id": "dp_3", "status": "open", "amount": 300, "withdrawn": 300}]')), 350::bigint, 'adds to a third');
select is((select row(outcome, reversed_credits) from pg_temp.book(
  '[{"id": "dp_3", "status": "lost", "amount": 300, "withdrawn": 300}]')), row('nothing_to_do'::text, 350::bigint),
  'one that is lost leaves it there');
select is((select reversed_credits from pg_temp.book(
  '[{"id": "dp_2", "status": "closed", "amount": 400, "withdrawn": 400, "reinstated": 100}]')), 300::bigint,
  'a part that comes back counts as a part');
select is((select reversed_credits from pg_temp.book('[
  {"id": "dp_2", "status": "closed", "amount": 400, "withdrawn": 400, "reinstated": 100},
  {"id": "dp_2", "status": "open", "amount": 400, "withdrawn": 400}]')), 300::bigint,
  'one that is listed twice counts once');
select is((select row(disputed, refunded) from payments), row(600::bigint, 0::bigint),
  'the payment says what its disputes take in all');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
