-- Ada buys 2,000 credits. The payment's own id makes the purchase count once.
select amount, balance, replayed
from grant_credits('00000000-0000-4000-8000-000000000ada', 2000, 'starter pack', 'purchase', p_external_ref => 'evt_1');

-- Her payment provider sends the event again.
select amount, balance, replayed
from grant_credits('00000000-0000-4000-8000-000000000ada', 2000, 'starter pack', 'purchase', p_external_ref => 'evt_1');

-- What would a picture cost?
select status, cost from quote_generation('standard-image', '{"prompt": "a lighthouse"}');

-- She asks for one: charged, and the job is there.
create temp table first as
select * from atomic_charge_credits('00000000-0000-4000-8000-000000000ada', 'standard-image', '{"prompt": "a lighthouse"}', 'key-1');

select status, code, cost, balance from first;

-- The provider delivers.
select code, status, balance
from settle_generation((select job_id from first), '{"outputs": ["…"]}');

-- The next one fails: refunded in the same call.
create temp table second as
select * from atomic_charge_credits('00000000-0000-4000-8000-000000000ada', 'standard-image', '{"prompt": "a storm"}', 'key-2');

select code, status, cost, refunded, balance
from fail_generation((select job_id from second), '{"code": "provider_failed"}');

-- Everything is in the ledger.
select seq, kind, delta, balance_after, reason from credit_ledger where account_id = '00000000-0000-4000-8000-000000000ada' order by seq;
