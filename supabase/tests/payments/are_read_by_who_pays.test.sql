begin;
select plan(14);

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'a@example.com'),
  ('00000000-0000-4000-8000-0000000000b2', 'b@example.com'), ('00000000-0000-4000-8000-0000000000d2', 'd@example.com');
insert into credit_plans (name, refilled_by) values ('pro', 'payment');
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1', 'admin');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000d2',
  'member');
select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900, "currency": "usd"}');
select from set_product('stripe', true, 'starter', '{"credits": 1100}', now() + interval '1 day');
select from set_product('stripe', true, 'gone', '{"provider_price_id": "price_g", "kind": "pack", "credits": 1000,
  "unit_amount": 900, "currency": "usd", "enabled": false}');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 9, "unit_amount": 4000, "currency": "usd"}');
create function pg_temp.buy(p_account uuid) returns text language sql as
  $$select link_payment_customer(p_account, 'stripe', true, p_account::text);
  select outcome from book_payment(jsonb_build_object('provider', 'stripe', 'livemode', true,
    'key', 'stripe:cs:' || p_account, 'kind', 'pack', 'customer', p_account,
    'lines', '[{"price_id": "price_1"}]'::jsonb,
    'status', 'paid', 'amount', 900, 'currency', 'usd', 'created_at', '2026-01-02'));
  select outcome from book_subscription(jsonb_build_object('provider', 'stripe', 'livemode', true,
    'subscription', p_account, 'customer', p_account, 'items', '[{"price_id": "price_pro"}]'::jsonb, 'status', 'active',
    'created_at', '2026-01-02', 'as_of', '2026-01-02'))$$;
select pg_temp.buy(a) from unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
  '00000000-0000-4000-8000-0000000000c3']::uuid[]) as a;
create function pg_temp.as_user(p_user uuid) returns text language sql as
  $$select set_config('request.jwt.claims', jsonb_build_object('sub', p_user, 'role', 'authenticated')::text, true),
    set_config('request.jwt.claim.sub', p_user::text, true);
  select set_config('role', 'authenticated', true)$$;

select pg_temp.as_user('00000000-0000-4000-8000-0000000000a1');
select set_eq('select account_id from payments', array['00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000c3']::uuid[],
  'a user reads their own payments, and those of a team whose admin they are');
select set_eq('select account_id from payment_subscriptions', array['00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000c3']::uuid[], 'subscriptions, too');
select is((select row(product, quantity, status, state, amount, currency, credits, reversed_credits) from payments
  where account_id = '00000000-0000-4000-8000-0000000000a1'),
  row('starter'::text, 1::bigint, 'paid'::text, 'booked'::text, 900::bigint, 'usd'::text, 1000::bigint, 0::bigint),
  'what was bought, paid and granted');
select set_eq('select name, credits from credit_products', $$values ('starter', 1000::bigint), ('pro', 9)$$,
  'and the products in force');
select throws_ok('select customer_id from payments', '42501');
select throws_ok('select seal from payments', '42501');
select throws_ok($$select from payment_events$$, '42501');
select throws_ok($$select from payment_customers$$, '42501');
select throws_ok($$select from payment_disputes$$, '42501');
select throws_ok($$update payments set credits = 1$$, '42501');
select throws_ok($$select book_payment('{}')$$, '42501');
select throws_ok($$insert into credit_products (name) values ('free')$$, '42501');
reset role;
select pg_temp.as_user('00000000-0000-4000-8000-0000000000d2');
select is((select count(*) from payments), 0::bigint, 'a member who does not pay reads none of the team''s');
reset role;
set local role anon;
select throws_ok('select from credit_products', '42501');

select * from finish();
rollback;
