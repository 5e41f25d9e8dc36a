begin;
select plan(3);

-- The batch opens the account and books the month's credits, and is undone.
update credit_plans set monthly_credits = 900 where name = 'default';
create temp table poor as select *
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
    '[{"model": "standard-image", "input": {"prompt": "a"}}, {"model": "standard-image", "input": {"prompt": "b"}}]');
select results_eq('select status, balance, message from poor', $$values (402, 900::bigint,
  'The batch costs more than the 900 credits that are there. Nothing was charged.')$$,
  'the month''s credits are there');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row(900::bigint, 1::bigint), 'and stay booked');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
