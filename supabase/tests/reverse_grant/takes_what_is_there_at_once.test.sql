begin;
select plan(12);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'pack', 'purchase');
create function pg_temp.charge() returns credit_charge_result language sql as
  $$select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create temp table job as select (pg_temp.charge()).job_id as id from generate_series(1, 2);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'soon', p_expires_at => '2099-01-01');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'later');

select is((select row(reversed, taken, debt, balance)
  from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), 1000, 'chargeback')),
  row(1000::bigint, 600::bigint, 400::bigint, 0::bigint),
  'other credits pay for what was spent, and the rest is a debt');
select results_eq($$select delta, target, taken, reason from credit_debts order by seq$$,
  $$values (0::bigint, 1000::bigint, 300::bigint, 'chargeback'), (0, 1000, 300, 'chargeback'),
    (400, 1000, 0, 'chargeback')$$, 'which credit_debts tells');
update credit_accounts set credit_limit = 5000;
select is((select row(status, code, debt) from pg_temp.charge()), row(402, 'insufficient_credits'::text, 400::bigint),
  'while any is left nothing is charged, overdraft or not');
select is((select message from pg_temp.charge()),
  'The account owes 400 credits of a payment that was taken back; the next credits pay them. Nothing was charged.',
  'and the answer says so');
select is((select row(status, debt)
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
    '[{"model": "standard-image", "input": {"prompt": "a"}}]')), row(402, 400::bigint), 'so does that to a batch');
select is((select balance from settle_generation((select id from job limit 1), '{}', 900)), 0::bigint,
  'nor does a job cost more than was charged');
select is((select row(refunded, balance) from cancel_generation((select id from job offset 1))),
  row(500::bigint, 100::bigint), 'what comes back pays it');
select is((select (pg_temp.charge()).status), 201, 'then charges go on');
select is((select row(sum(delta), sum(taken)) from credit_debts), row(0::numeric, 1000::numeric), 'all is taken');
select results_eq($$select line, credits, balance, reason
  from account_statement('00000000-0000-4000-8000-0000000000a1', '-infinity', 'infinity') where line = 'debt'$$,
  $$values ('debt', 400::bigint, 400::bigint, 'chargeback'), ('debt', -400, 0, 'debt paid')$$,
  'a statement shows what was owed');
select results_eq($$select book, sum(amount) from credit_journal where debt_seq is not null group by 1 order by 1$$,
  $$values ('clearing', 0::numeric), ('debts', 0)$$, 'and the journal');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
