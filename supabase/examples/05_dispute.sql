-- Ada buys 1,200 credits and uses 500.
create temp table bought as
select * from grant_credits('00000000-0000-4000-8000-000000000ada', 1200, 'pack', 'purchase', p_external_ref => 'evt_9');

select status, balance
from atomic_charge_credits('00000000-0000-4000-8000-000000000ada', 'standard-image', '{"prompt": "a lighthouse"}');

-- Her bank takes the payment back: what remains goes at once, what was spent is a debt.
select reversed, taken, debt, balance from reverse_grant('00000000-0000-4000-8000-000000000ada', (select grant_id from bought), null, 'chargeback');

select balance, debt from credit_accounts where id = '00000000-0000-4000-8000-000000000ada';

-- While anything is owed, nothing is charged. She buys again: the debt is paid first.
select balance from grant_credits('00000000-0000-4000-8000-000000000ada', 2000, 'pack', 'purchase', p_external_ref => 'evt_10');

select balance, debt from credit_accounts where id = '00000000-0000-4000-8000-000000000ada';

-- The whole story adds up, for her and for finance.
select line, kind, credits, balance
from account_statement('00000000-0000-4000-8000-000000000ada', '2020-01-01', '2999-01-01');

select book, sum(debit) as debit, sum(credit) as credit from credit_journal
where account_id = '00000000-0000-4000-8000-000000000ada' group by book order by book;

select sound, checked from verify_ledger('00000000-0000-4000-8000-000000000ada', true);
