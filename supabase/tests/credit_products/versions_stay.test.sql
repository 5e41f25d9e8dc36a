begin;
select plan(25);

create function pg_temp.set(p_settings jsonb, p_from timestamptz default now()) returns timestamptz language sql as
  $$select set_product('stripe', true, 'starter', p_settings, p_from)$$;
create function pg_temp.at(p_at timestamptz) returns bigint language sql as
  $$select (credits.product_of_price('stripe', true, 'price_1', p_at)).credits$$;

select throws_ok($$select pg_temp.set('{"credits": 1000}')$$, '22023',
  'a product needs provider_price_id, kind, credits, unit_amount and currency', 'a first version says all');
select is(pg_temp.set('{"provider_price_id": "price_1", "kind": "pack", "credits": 1000, "unit_amount": 900,
  "currency": "usd", "expires_after_seconds": 31536000}', now() - interval '2 days'), now() - interval '2 days',
  'the first may count from earlier on');
select is(pg_temp.set('{"credits": 1000}'), now() - interval '2 days', 'the same again writes nothing');
select is(pg_temp.set('{"credits": 1200}'), now(), 'a later version');
select is((select row(credits, unit_amount, expires_after_seconds, priority) from credit_products
  where effective_from = now()), row(1200::bigint, 900::bigint, 31536000::bigint, 100::smallint),
  'keeps what it does not name');
select throws_ok($$select pg_temp.set('{"credits": 1300}')$$, 'PT409', null, 'one version a time');
select throws_ok($$select pg_temp.set('{"credits": 1300}', now() - interval '1 day')$$, '22023', null,
  'the past does not change');
select is(pg_temp.set('{"credits": 9000}', now() + interval '1 day'), now() + interval '1 day', 'one that is to come');
select throws_ok($$select pg_temp.set('{"colour": "red"}', now() + interval '2 days')$$, '22023',
  'colour is not a setting of a product', 'what is no column');
select throws_ok($$select pg_temp.set('{"credits": -1}', now() + interval '2 days')$$, '23514');
select throws_ok($$select set_product('stripe', true, 'other', '{"provider_price_id": "price_1", "kind": "pack",
  "credits": 1, "unit_amount": 1, "currency": "usd"}')$$, 'PT409', 'this price belongs to another product');
select lives_ok($$select set_product('stripe', false, 'starter', '{"provider_price_id": "price_t", "kind": "pack",
  "credits": 7, "unit_amount": 1, "currency": "usd"}')$$, 'another mode has products of its own');

insert into credit_plans (name, monthly_credits) values ('monthly', 500);
select throws_ok($$select set_product('stripe', true, 'monthly', '{"provider_price_id": "price_m", "kind": "plan",
  "plan": "monthly", "credits": 500, "unit_amount": 1, "currency": "usd"}')$$, '22023',
  'the schedule refills this plan, so its payments bring no credits', 'exactly one source refills a plan');
select lives_ok($$select set_product('stripe', true, 'monthly', '{"provider_price_id": "price_m", "kind": "plan",
  "plan": "monthly", "credits": 0, "unit_amount": 1, "currency": "usd"}')$$, 'it may be sold without credits');
update credit_plans set refilled_by = 'payment' where name = 'monthly';
select lives_ok($$select set_product('stripe', true, 'monthly', '{"credits": 500}', now() + interval '1 hour')$$,
  'with credits, once payments refill the plan');
select throws_ok($$update credit_plans set refilled_by = 'schedule' where name = 'monthly'$$, 'PT409',
  'payments refill this plan: a product of it brings credits', 'which the schedule then cannot refill, too');
delete from credit_products where name = 'monthly' and credits > 0;
select lives_ok($$update credit_plans set refilled_by = 'schedule' where name = 'monthly'$$,
  'but again when no product brings credits');
select is((select priority from credit_products where name = 'monthly'), 90::smallint,
  'a plan''s credits are spent before packs');

select is(pg_temp.at(now() - interval '1 day'), 1000::bigint, 'a payment is booked by the version of its time');
select is(pg_temp.at(now() + interval '1 hour'), 1200::bigint, 'whenever that is booked');
select is(pg_temp.at('2020-01-01'), 1000::bigint, 'one of before the product by its first version');

select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
select is((select credits from book_payment(jsonb_build_object('provider', 'stripe', 'livemode', true,
  'key', 'stripe:cs:cs_1', 'kind', 'pack', 'customer', 'cus_1', 'lines', '[{"price_id": "price_1"}]'::jsonb,
  'status', 'paid', 'amount', 900, 'currency', 'usd', 'created_at', now() - interval '1 day'))), 1000::bigint,
  'so it is');
select throws_ok($$update credit_products set credits = 5 where name = 'starter' and livemode$$, 'PT409',
  'this version of the product was sold', 'a version that was sold stays');
select throws_ok($$delete from credit_products where name = 'starter' and livemode$$, 'PT409');
select lives_ok($$update credit_products set enabled = false where name = 'starter' and livemode$$,
  'but can be taken off the shelf');

select * from finish();
rollback;
