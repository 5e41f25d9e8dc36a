begin;
select plan(14);

-- The 1st has begun, and no task has run: last month's credits have expired, this month's are due.
insert into credit_plans (name, monthly_credits, max_concurrent_jobs) values ('monthly', 1000, 100);
create temp table months as select date_trunc('month', now() at time zone 'utc')::date as this;
select set_account_plan('00000000-0000-4000-8000-0000000000a1', 'monthly');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 600, p_kind => 'refill',
  p_expires_at => now() + interval '1 day');
update credit_grants set expires_at = now() - interval '1 second';
create temp view entries as select kind, delta from credit_ledger
  where account_id = '00000000-0000-4000-8000-0000000000a1' and seq > 1 order by seq;

select is((select row(balance, booked_balance) from account_balances
  where account_id = '00000000-0000-4000-8000-0000000000a1'),
  row(1000::bigint, 600::bigint), 'the balance is shown as it will be booked');
select is((select row(status, balance)
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')),
  row(201, 500::bigint), 'a charge does not wait for the task');
select results_eq('select * from entries',
  $$values ('expiry'::credit_entry_kind, -600::bigint), ('refill', 1000), ('charge', -500)$$,
  'it books what is due before it charges');
select is((select row(balance, booked_balance) from account_balances
  where account_id = '00000000-0000-4000-8000-0000000000a1'),
  row(500::bigint, 500::bigint), 'what is shown is what is booked');
select is((select refilled_for from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select this from months), 'the month is had');
select is(refill_plans(), 0, 'and comes once');

-- A batch, and a denial.
update credit_accounts set refilled_for = (refilled_for - interval '1 month')::date;
update credit_grants set external_ref = null;
select results_eq($$select status from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "input": {"prompt": "a", "n": 2}},
    {"model": "standard-image", "input": {"prompt": "b"}}]')$$,
  'values (201), (201)', 'a batch is paid by them too');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 70, p_expires_at => now() + interval '1 day');
update credit_grants set expires_at = now() where amount = 70;
select results_eq($$select status, balance from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "input": {"prompt": "c", "n": 4}}]', false)$$, 'values (402, 0::bigint)',
  'more than there is is denied');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row(0::bigint, (select max(seq) from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1')),
  'and what has expired is booked before');
select results_eq('select * from entries offset 7',
  $$values ('grant'::credit_entry_kind, 70::bigint), ('expiry', -70)$$, 'as an entry');

-- Refused by its own month's reference: the account goes by what it has.
update credit_accounts set refilled_for = (refilled_for - interval '1 month')::date;
update credit_grants set external_ref = null;
update credit_grants
  set external_ref = 'refill:00000000-0000-4000-8000-0000000000a1:' || to_char((select this from months), 'YYYY-MM')
  where amount = 70;
set local client_min_messages = error;
select is((select status
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "d"}')), 402,
  'what cannot be booked is no error of the charge');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
select is((select status
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "d"}')), 201,
  'which is paid by what is there');

-- A closed account gets nothing.
update credit_accounts set closed_at = now();
select is((select row(balance, booked_balance) from account_balances), row(0::bigint, 0::bigint),
  'nothing is due to a closed account');
update credit_grants as g set seal = credits.grant_seal(g);
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
