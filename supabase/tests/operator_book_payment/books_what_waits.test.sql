begin;
select plan(10);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 0);
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:1", "kind": "pack",
  "customer": "cus_1", "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900, "currency": "usd",
  "created_at": "2026-01-02"}');
create function pg_temp.book(p_key text) returns text language sql as $$
  select concat_ws(' ', code, details -> 'after' ->> 'state', details -> 'after' ->> 'cause', details ->> 'credits')
  from operator_book_payment(p_key, 'they paid and got nothing', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.book('stripe:cs:1'), 'unchanged waiting unknown_price', 'what cannot be booked goes on waiting');
reset role;
select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
set local role authenticated;
select is(pg_temp.book('stripe:cs:1'), 'done booked', 'then it is booked, also by an operator whose limit is 0');
select is(pg_temp.book('stripe:cs:1'), 'unchanged booked', 'once');
select throws_ok($$select pg_temp.book('stripe:cs:2')$$, 'PT404', null, 'a payment that is not there');
reset role;
select is((select sum(delta) from credit_ledger), 1000::numeric, 'the credits are there');
select results_eq('select seq, subject, first_seq, last_seq from operator_actions order by seq',
  $$values (1::bigint, 'stripe:cs:1', null::bigint, null::bigint), (2, 'stripe:cs:1', 1, 1), (3, 'stripe:cs:1', null,
    null)$$, 'by an entry that the action names');

select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:3", "kind": "pack",
  "customer": "cus_3", "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900, "currency": "usd",
  "created_at": "2026-01-02"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a3', 'stripe', true, 'cus_3');
set local role authenticated;
select is(pg_temp.book('stripe:cs:3'), 'done booked', 'a payment that was nobody''s yet');
reset role;
select results_eq('select account_id, first_seq from operator_actions where seq = 4',
  $$values ('00000000-0000-4000-8000-0000000000a3'::uuid, 1::bigint)$$, 'is in the trail with its account');
select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:4", "kind": "pack",
  "customer": "cus_4", "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900, "currency": "usd",
  "created_at": "2026-01-02"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000e1', 'stripe', true, 'cus_4');
set local role authenticated;
select throws_ok($$select pg_temp.book('stripe:cs:4')$$, '42501', 'this account is the operator''s own',
  'which is not to be the operator''s own');
reset role;
select from retry_payment('stripe:cs:4');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
