begin;
select plan(2);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 900, 'expiring',
  p_expires_at => now() + interval '1 day');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
update credit_grants set expires_at = now() where account_id = '00000000-0000-4000-8000-0000000000a1' and amount = 900;
update credit_grants as g set seal = credits.grant_seal(g);
select is((select row(status, balance)
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')),
  row(402, 100::bigint), 'only 100 of 1000 can be spent');
select results_eq($$select kind, delta from credit_ledger
  where account_id = '00000000-0000-4000-8000-0000000000a1' and seq > 2$$,
  $$values ('expiry'::credit_entry_kind, -900::bigint)$$, 'the expired grant is not spent, but booked as breakage');

select * from finish();
rollback;
