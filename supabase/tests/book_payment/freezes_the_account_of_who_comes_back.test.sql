begin;
select plan(9);
set local client_min_messages = error;

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 500, "unit_amount": 1000, "currency": "usd"}');
create function pg_temp.sign_up() returns void language sql as $$
  insert into auth.users (id, email, email_confirmed_at)
  values ('00000000-0000-4000-8000-0000000000a1', 'a@example.com', now()) $$;
create function pg_temp.book(p_disputes jsonb) returns payment_result language sql as
  $$select book_payment(jsonb_build_object('provider', 'stripe', 'livemode', true, 'key', 'stripe:cs:cs_1',
    'kind', 'pack', 'customer', 'cus_1', 'lines', '[{"price_id": "price_1"}]'::jsonb, 'status', 'paid',
    'amount', 1000, 'currency', 'usd', 'created_at', '2026-01-02', 'disputes', p_disputes))$$;
create function pg_temp.state() returns text language sql as $$
  select concat_ws(', ', case when closed_at is null then 'open' else 'closed' end,
    case when user_id = id then 'theirs' end)
  from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1' $$;

update credit_settings set on_dispute = 'freeze';
select pg_temp.sign_up();
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
select from pg_temp.book('[{"id": "dp_1", "status": "open", "amount": 400}]');
select is(pg_temp.state(), 'closed, theirs', 'a dispute freezes an account');
delete from auth.users;
select is(pg_temp.state(), 'closed', 'whose user is deleted meanwhile');
select from pg_temp.book('[{"id": "dp_1", "status": "won", "amount": 400}]');
select is(pg_temp.state(), 'closed', 'its end does not open it for nobody');
select pg_temp.sign_up();
select is(pg_temp.state(), 'open, theirs', 'but who comes back has it again');

delete from auth.users;
select from pg_temp.book('[{"id": "dp_2", "status": "open", "amount": 400}]');
select is(pg_temp.state(), 'closed', 'a dispute is opened when the user is deleted');
select pg_temp.sign_up();
select is(pg_temp.state(), 'closed, theirs', 'who comes back finds the account frozen');
delete from auth.users;
select pg_temp.sign_up();
select is(pg_temp.state(), 'closed, theirs', 'also by another deletion');
select from pg_temp.book('[{"id": "dp_2", "status": "won", "amount": 400}]');
select is(pg_temp.state(), 'open, theirs', 'until it has ended');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
delete from auth.users;
select pg_temp.sign_up();
select is(pg_temp.state(), 'closed, theirs', 'what an operator has closed stays closed');

select * from finish();
rollback;
