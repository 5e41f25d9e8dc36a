begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 2000, p_kind => 'purchase');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from fail_generation((select job_id
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')));
select set_eq('select account_id, seq from credit_journal', 'select account_id, seq from credit_ledger',
  'every entry is a transaction');
select is_empty('select account_id, seq from credit_journal group by 1, 2 having sum(amount) <> 0', 'by transaction');
select is((select sum(debit) - sum(credit) from credit_journal), 0::numeric, 'overall');
select is((select recognised from credit_revenue_daily order by day desc limit 1), 500::bigint,
  'revenue is what was used');
select is((select outstanding from credit_liability_daily order by day desc limit 1), 1600::bigint,
  'liability is what is owed');

select * from finish();
rollback;
