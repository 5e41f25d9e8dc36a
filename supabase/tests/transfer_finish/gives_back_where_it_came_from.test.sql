begin;
select plan(12);

create temp table promo as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'promo',
  p_expires_at => now() + interval '1 day');
create temp table pack as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase');
create function pg_temp.send(p_amount bigint, p_ref text) returns uuid language sql as $$
  select transfer_id from transfer_send('00000000-0000-4000-8000-0000000000a1',
    '00000000-0000-4000-8000-0000000000b2', p_amount, p_ref) $$;
create function pg_temp.back(p_ref text) returns boolean language sql as $$
  select transfer_finish(account_id, transfer_id, 'closed') from credit_transfers_sent where external_ref = p_ref $$;
create temp view account as select * from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';

select pg_temp.send(300, 'ref-1');
select pg_temp.back('ref-1');
select set_eq('select id, remaining from credit_grants',
  $$select grant_id, amount from promo union all select grant_id, amount from pack$$,
  'each grant has its credits again, with its own expiry');
select is((select count(*) from credit_journal where book = 'in flight' having sum(amount) = 0), 2::bigint,
  'what was in flight is so no more');

-- An overdraft that was used meanwhile is filled up first.
select pg_temp.send(600, 'ref-2');
update credit_accounts set credit_limit = 500 where id = '00000000-0000-4000-8000-0000000000a1';
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select row(balance, overdraft_used) from account), row(-500::bigint, 500::bigint),
  'who sent all may use their overdraft');
select pg_temp.back('ref-2');
select is((select row(balance, overdraft_used) from account), row(100::bigint, 0::bigint), 'which is then filled up');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

-- A chargeback that came while they were away took what was there; the rest is a debt.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'pack', 'purchase', p_external_ref => 'two');
select pg_temp.send(350, 'ref-3');
select from reverse_grant('00000000-0000-4000-8000-0000000000a1',
  (select id from credit_grants where external_ref = 'two'), null, 'chargeback');
select is((select row(balance, debt) from account), row(0::bigint, 250::bigint), 'what is away cannot be taken back');
select pg_temp.back('ref-3');
select is((select row(balance, debt) from account), row(100::bigint, 0::bigint), 'until it comes back');

-- What expired on its way is gone as it would have been at home: a transfer that is refused renews nothing.
create temp table brief as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 40, 'brief',
  p_expires_at => now() + interval '1 minute', p_priority => 1::smallint);
select pg_temp.send(40, 'ref-4');
update credit_grants set expires_at = now() - interval '1 second' where id = (select grant_id from brief);
update credit_grants as g set seal = credits.grant_seal(g) where id = (select grant_id from brief);
select pg_temp.back('ref-4');
select is((select row(a.balance, g.remaining, g.breakage) from account as a, credit_grants as g
  where g.id = (select grant_id from brief)), row(100::bigint, 0::bigint, 40::bigint), 'and is booked as expired');

-- Also where the sender is gone, whose open job the erasure refunds.
select pg_temp.send(60, 'ref-5');
select from erase_account('00000000-0000-4000-8000-0000000000a1');
select is(pg_temp.back('ref-5'), true, 'an account that was erased meanwhile');
select is((select balance from account), 100::bigint + 500, 'has its credits in the books');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'which are right');
select is((select sound from verify_ledger('00000000-0000-4000-8000-0000000000a1')), true, 'and so is its chain');

select * from finish();
rollback;
