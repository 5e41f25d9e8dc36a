begin;
select plan(6);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 900, 'expiring',
  p_expires_at => now() + interval '1 day');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 600, 'staying');
update credit_grants set expires_at = now() - interval '1 second'
  where account_id = '00000000-0000-4000-8000-0000000000a1' and reason = 'expiring';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select status
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')), 201,
  'a charge leaves the expired grant alone');
select is(expire_grants(), 1, 'one grant has expired');
select is((select row(delta, kind, reason) from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1'
  order by seq desc limit 1), row(-900::bigint, 'expiry'::credit_entry_kind, 'grant expired'::text), 'it is booked');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 100::bigint,
  'the balance is what can be spent');
select is(expire_grants(), 0, 'a second run finds nothing');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
