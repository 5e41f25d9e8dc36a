begin;
select plan(31);

insert into credit_plans (name, refilled_by) values ('pro', 'payment');
select from set_product('stripe', true, 'starter', '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000,
  "unit_amount": 900, "currency": "usd", "max_quantity": 5}');
select from set_product('stripe', true, 'pro', '{"provider_price_id": "price_pro", "kind": "plan", "plan": "pro",
  "credits": 9, "unit_amount": 4000, "currency": "usd"}');
select from set_product('stripe', false, 'trial-only',
  '{"provider_price_id": "price_t", "kind": "pack", "credits": 1, "unit_amount": 1, "currency": "usd"}');
select from set_product('stripe', true, 'gone',
  '{"provider_price_id": "price_g", "kind": "pack", "credits": 1, "unit_amount": 1, "currency": "usd"}');
select from set_product('stripe', true, 'gone', '{"enabled": false}', now() + interval '1 microsecond');
update credit_products set effective_from = effective_from - interval '1 hour' where name = 'gone' and enabled;
update credit_products set effective_from = now() where name = 'gone' and not enabled;
create function pg_temp.ask(p_product text, p_quantity integer default 1, p_account uuid default null,
  p_user uuid default '00000000-0000-4000-8000-0000000000a1') returns payment_checkout language sql as
  $$select prepare_checkout(p_account, p_user, p_product, p_quantity, 'stripe', true)$$;
create function pg_temp.denial(p_product text, p_quantity integer default 1, p_account uuid default null,
  p_user uuid default '00000000-0000-4000-8000-0000000000a1') returns text language sql as
  $$select status || ' ' || code from pg_temp.ask(p_product, p_quantity, p_account, p_user)$$;

select is(pg_temp.ask('starter', 2), row(200, null, null, '00000000-0000-4000-8000-0000000000a1', 'starter', 'pack',
  'price_1', 2, 2000, 900, 'usd', null)::payment_checkout,
  'a user buys for themselves, also before they have an account');
select is((select count(*) from credit_accounts), 0::bigint, 'asking writes nothing');
select is((select quantity from pg_temp.ask('starter', null)), 1, 'without a quantity: one');
select is(pg_temp.denial('starter', 0), '400 invalid_request', 'not none');
select is(pg_temp.denial('starter', 6), '400 invalid_request', 'not more than the product allows');
select is((select message from pg_temp.ask('starter', 1000000000)), 'quantity must be 1 to 5', 'it says how many');
select is(pg_temp.denial('pro', 2), '400 invalid_request', 'a plan is bought once');
select is(pg_temp.denial('nothing'), '404 unknown_product', 'a product that is not there');
select is(pg_temp.denial('gone'), '404 unknown_product', 'one that is sold no more');
select is(pg_temp.denial('trial-only'), '404 unknown_product', 'one of the test mode');
select is(pg_temp.denial('starter', 1, '00000000-0000-4000-8000-0000000000b2'), '403 not_a_member',
  'not for another account');

select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000d1', 'admin');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000d2',
  'member');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000d3',
  'viewer');
select is((select array_agg(pg_temp.denial('starter', 1, '00000000-0000-4000-8000-0000000000c3', u) order by u)
  from unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
    '00000000-0000-4000-8000-0000000000d1', '00000000-0000-4000-8000-0000000000d2',
    '00000000-0000-4000-8000-0000000000d3', null]::uuid[]) as u),
  array['403 not_a_member', null, null, '403 not_allowed_to_pay', '403 not_allowed_to_pay', null],
  'a team''s owner and admin pay, and the app''s own server');
select is(pg_temp.denial('starter', 1, '00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000c3'),
  '403 not_a_member', 'nobody is a team');
select throws_ok($$select pg_temp.ask('starter', 1, null, null)$$, '22023', 'account is needed', 'for somebody');

select is((select row(status, code) from prepare_portal(null, '00000000-0000-4000-8000-0000000000a1', 'stripe', true)),
  row(404, 'no_customer'::text), 'there is no portal before something was bought');
select is(link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1'), 'cus_1',
  'a customer');
select is(link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_2'), 'cus_1',
  'the first one stays');
select is(link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', false, 'cus_1'), 'cus_1',
  'another mode has its own');
select throws_ok($$select link_payment_customer('00000000-0000-4000-8000-0000000000b2', 'stripe', true, 'cus_1')$$,
  'PT409', 'this customer is another account''s', 'one customer is one account');
select is((select customer_id from pg_temp.ask('starter')), 'cus_1', 'a checkout gets it');
select is((select row(status, customer_id) from prepare_portal(null, '00000000-0000-4000-8000-0000000000a1', 'stripe',
  true)), row(200, 'cus_1'::text), 'and the portal');

create function pg_temp.subscribe(p_status text, p_as_of text) returns text language sql as
  $$select (book_subscription(jsonb_build_object('provider', 'stripe', 'livemode', true, 'subscription', 'sub_1',
    'customer', 'cus_1', 'items', '[{"price_id": "price_pro"}]'::jsonb, 'status', p_status, 'created_at', '2026-01-02',
    'as_of', p_as_of))).outcome$$;
select is((select pg_temp.denial('pro') from pg_temp.subscribe('incomplete', '2026-01-02')), null,
  'a subscription that did not begin is in nobody''s way');
select is((select pg_temp.denial('pro') from pg_temp.subscribe('active', '2026-01-03')), '409 already_subscribed',
  'a second subscription is not sold');
select is(pg_temp.denial('starter'), null, 'packs are');
select is((select pg_temp.denial('pro') from pg_temp.subscribe('past_due', '2026-01-04')), '409 already_subscribed',
  'nor while the first is past due');
select is((select pg_temp.denial('pro') from pg_temp.subscribe('canceled', '2026-01-05')), null,
  'when it has ended, another one is');

update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select is(pg_temp.denial('starter'), '403 account_closed', 'a closed account buys nothing');
select is((select status from prepare_portal(null, '00000000-0000-4000-8000-0000000000a1', 'stripe', true)), 200,
  'but its subscription can be ended');

select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:in:in_1", "kind": "plan",
  "session": "cs_9", "customer": "cus_1", "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900,
  "currency": "usd", "created_at": "2026-01-02"}');
select is((select row(status, state, account_id) from payment_status('00000000-0000-4000-8000-0000000000a1',
  'stripe:in:in_1')), row(200, 'waiting'::text, uuid '00000000-0000-4000-8000-0000000000a1'),
  'a user sees how their payment stands');
select is((select payment_key from payment_status(null, 'stripe:cs:cs_9')), 'stripe:in:in_1',
  'by its checkout, too; and so does the app''s server');
select is((select row(status, code) from payment_status('00000000-0000-4000-8000-0000000000b2', 'stripe:in:in_1')),
  row(404, 'unknown_payment'::text), 'to others it is not there');

select * from finish();
rollback;
