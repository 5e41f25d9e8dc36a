begin;
select plan(18);

select from set_product('stripe', true, 'starter',
  '{"provider_price_id": "price_1", "kind": "pack", "credits": 500, "unit_amount": 1000, "currency": "usd"}');
select from link_payment_customer('00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'cus_1');
create function pg_temp.book(p_key text, p_disputes jsonb) returns payment_result language sql as
  $$select book_payment(jsonb_build_object('provider', 'stripe', 'livemode', true, 'key', 'stripe:cs:' || p_key,
    'kind', 'pack', 'customer', 'cus_1', 'lines', '[{"price_id": "price_1"}]'::jsonb, 'status', 'paid',
    'amount', 1000, 'currency', 'usd', 'created_at', '2026-01-02', 'disputes', p_disputes))$$;
create temp view account as select balance, closed_at is not null as is_closed from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';

update credit_settings set on_dispute = 'freeze';
select from pg_temp.book('cs_1', '[]');
select from pg_temp.book('cs_2', '[]');
select is((select outcome from pg_temp.book('cs_1', '[{"id": "dp_1", "status": "open", "amount": 400}]')),
  'nothing_to_do', 'freeze: a dispute that is opened takes no credits');
select is((select row(balance, is_closed) from account), row(1000::bigint, true), 'and closes the account');
select is((select status from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}')), 403, 'nothing can be charged');
select is((select cause from pg_temp.book('cs_3', '[]')), 'account_closed', 'what is paid meanwhile waits');
select from pg_temp.book('cs_2', '[{"id": "dp_2", "status": "open", "amount": 400}]');
select is((select row(outcome, reversed_credits) from pg_temp.book('cs_1',
  '[{"id": "dp_1", "status": "lost", "amount": 400, "withdrawn": 400}]')), row('booked'::text, 200::bigint),
  'money that is withdrawn takes them');
select is((select is_closed from account), true, 'while another dispute is open');
select from pg_temp.book('cs_2', '[{"id": "dp_2", "status": "won", "amount": 400}]');
select is((select row(balance, is_closed) from account), row(800::bigint, false), 'the last to end opens it again');
select is(retry_payments(), 1, 'and what waited is booked');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select from pg_temp.book('cs_2', '[{"id": "dp_3", "status": "open", "amount": 400}]');
select from pg_temp.book('cs_2', '[{"id": "dp_3", "status": "won", "amount": 400}]');
select is((select is_closed from account), true, 'one that somebody else has closed stays closed');
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000a1';
select from pg_temp.book('cs_2', '[{"id": "dp_4", "status": "won", "amount": 400}]');
select is((select is_closed from account), false, 'one that is heard of when it has ended freezes nothing');

update credit_settings set on_dispute = 'reverse';
select is((select row(outcome, reversed_credits) from pg_temp.book('cs_2',
  '[{"id": "dp_5", "status": "open", "amount": 400}]')), row('booked'::text, 200::bigint),
  'reverse: a dispute that is opened takes its part at once');
update credit_settings set on_dispute = 'none';
select is((select reversed_credits from pg_temp.book('cs_2', '[]')), 200::bigint,
  'a case keeps what the setting was when it was opened');
select is((select row(outcome, reversed_credits) from pg_temp.book('cs_2',
  '[{"id": "dp_5", "status": "open", "amount": 400, "withdrawn": 400}]')), row('nothing_to_do'::text, 200::bigint),
  'the money that is withdrawn takes no more');
select is((select reversed_credits from pg_temp.book('cs_2',
  '[{"id": "dp_5", "status": "won", "amount": 400, "withdrawn": 400, "reinstated": 400}]')), 0::bigint,
  'won, all comes back');
update credit_settings set on_dispute = 'reverse';
select from pg_temp.book('cs_2', '[{"id": "dp_6", "status": "open", "amount": 1000}]');
select is((select reversed_credits from pg_temp.book('cs_2', '[{"id": "dp_6", "status": "closed", "amount": 1000}]')),
  0::bigint, 'closed without a withdrawal, too');
select from pg_temp.book('cs_2', '[{"id": "dp_7", "status": "open", "amount": 1000}]');
select is((select reversed_credits from pg_temp.book('cs_2',
  '[{"id": "dp_7", "status": "lost", "amount": 1000, "withdrawn": 1000}]')), 500::bigint, 'lost, it stays taken');
select is((select count(*) from payment_disputes where ended_at is null), 0::bigint, 'no case is left open');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
