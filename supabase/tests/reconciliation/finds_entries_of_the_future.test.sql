begin;
select plan(8);

create temp view found as select invariant, account_id, seq, expected, actual from reconciliation_discrepancies;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 5000);
update credit_accounts set last_entry_at = clock_timestamp() + interval '50 seconds'
  where id = '00000000-0000-4000-8000-0000000000b2';
-- As if the clock had jumped ahead by a day: no entry is earlier than the one before.
update credit_accounts set last_entry_at = clock_timestamp() + interval '1 day'
  where id = '00000000-0000-4000-8000-0000000000a1';
select from credit_accounts, atomic_charge_credits(id, 'standard-image', '{"prompt": "a cat"}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select cmp_ok((select max(created_at) from credit_ledger), '>', now() + interval '23 hours',
  'an entry has a date to come');
select set_eq('select * from found',
  $$values ('entry in the future', '00000000-0000-4000-8000-0000000000a1'::uuid, 2::bigint, 0::bigint, 2::bigint)$$,
  'which is a discrepancy, by the first such entry and their number; less than a minute is none');
select is((select count(*) from credits.suspects()), 1::bigint, 'no other account is looked at closely');
select is((select likely_cause like '%clock%' from reconciliation_discrepancies), true, 'and its cause is told');
select is((select max(discrepancies) from reconcile_credit_ledger(false)), 1::bigint,
  'the check of what is new finds it');
select is((select max(discrepancies) from reconcile_credit_ledger(true)), 1::bigint, 'and the deep one');
select is((select sound from verify_ledger('00000000-0000-4000-8000-0000000000a1', true)), true,
  'the chain is sound all the same');

create or replace function credits.clock_bound() returns timestamptz language sql set search_path = '', pg_temp
  as $$ select clock_timestamp() + interval '2 days' $$;
select is((select count(*) from found), 0::bigint, 'once the clock has reached it, it is none');

select * from finish();
rollback;
