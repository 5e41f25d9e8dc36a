begin;
select plan(18);

select from set_product('stripe', true, 'starter', '{"provider_price_id": "price_1", "kind": "pack", "credits": 1000,
  "unit_amount": 900, "currency": "usd", "expires_after_seconds": 86400, "priority": 50}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.state(p_changes jsonb) returns jsonb language sql as
  $$select '{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs_1", "kind": "pack", "customer": "cus_1",
    "lines": [{"price_id": "price_1"}], "status": "paid", "amount": 900, "currency": "usd",
    "created_at": "2026-01-02"}'::jsonb || p_changes$$;
create function pg_temp.book(p_changes jsonb) returns payment_result language sql as
  $$select book_payment(pg_temp.state(p_changes), '{"id": "evt_1", "type": "checkout.session.completed"}')$$;

create function pg_temp.fail() returns trigger language plpgsql as $$begin raise exception 'the disk is full'; end$$;
create trigger fail before insert on credit_ledger for each row execute function pg_temp.fail();
select throws_ok($$select pg_temp.book('{}')$$, 'P0001', 'the disk is full',
  'a fault is raised, so the provider repeats');
select is((select count(*) from payment_events), 0::bigint, 'nothing of the event stays');
select is((select count(*) from payments), 0::bigint, 'nor of the payment');
drop trigger fail on credit_ledger;
select is((select row(outcome, credits) from preview_payment(pg_temp.state('{}'))), row('booked'::text, 1000::bigint),
  'a preview says what would be booked');
select is((select count(*) from payments) + (select count(*) from credit_grants), 0::bigint,
  'and keeps nothing of it');
select is((select outcome from pg_temp.book('{}')), 'booked', 'the repeated event books it');
select is((select row(expires_at - now(), priority) from credit_grants), row(interval '1 day', 50::smallint),
  'with the expiry and priority of its product');

select throws_ok(format('select book_payment(%L)', pg_temp.state(s::jsonb)), '22023', null, s)
from unnest(array['{"status": "stolen"}', '{"key": "stripe:in:in_1"}', '{"provider": "Stripe"}', '{"amount": -1}',
  '{"refunds": [{"amount": 5, "status": "succeeded"}]}', '{"currency": null, "key": "stripe:cs:cs_2"}',
  '{"created_at": "soon"}', '{"livemode": "yes"}', '{"account_id": "me"}']) as s;

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'by own code',
  p_external_ref => 'stripe:cs:own');
select is((select row(outcome, credits, balance) from pg_temp.book('{"key": "stripe:cs:own"}')),
  row('booked'::text, 1000::bigint, 2000::bigint),
  'what an app''s own code has granted for a payment counts as its grant');
select erase_account('00000000-0000-4000-8000-0000000000a1');
select is((select row(outcome, cause) from pg_temp.book('{"key": "stripe:cs:late"}')),
  row('waiting'::text, 'account_closed'::text), 'what an erased account still pays waits');

select * from finish();
rollback;
