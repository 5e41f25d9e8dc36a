begin;
select plan(9);

update credit_settings set low_balance_credits = 1000;
create temp view told as select account_id, type, (payload ->> 'balance')::bigint as balance from credit_events
  where type like 'balance.%';

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200);
select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
  300, 'first');
select results_eq('select * from told',
  $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 'balance.low', 900::bigint)$$, 'a transfer leaves little');
select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
  300, 'first');
select is((select count(*) from told), 1::bigint, 'a repetition is not told');
select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
  900, 'rest');
select is((select count(*) from told where type = 'balance.exhausted' and balance = 0), 1::bigint, 'or nothing');

delete from credit_events;
create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000c3', 700, p_kind => 'purchase');
create temp table more as select *
  from grant_credits('00000000-0000-4000-8000-0000000000c3', 500, p_kind => 'purchase');
select from reverse_grant('00000000-0000-4000-8000-0000000000c3', (select grant_id from bought), null, 'chargeback');
select results_eq('select type, balance from told', $$values ('balance.low', 500::bigint)$$,
  'a revocation leaves little');
select from reverse_grant('00000000-0000-4000-8000-0000000000c3', (select grant_id from bought), null, 'chargeback');
select from reverse_grant('00000000-0000-4000-8000-0000000000c3', (select grant_id from more), null, 'chargeback');
select results_eq('select type, balance from told order by balance desc',
  $$values ('balance.low', 500::bigint), ('balance.exhausted', 0)$$, 'or nothing, and is told once');

delete from credit_events;
update credit_settings set low_balance_credits = 0;
select from grant_credits('00000000-0000-4000-8000-0000000000d4', 500);
update credit_accounts set credit_limit = 2000 where id = '00000000-0000-4000-8000-0000000000d4';
create function pg_temp.charge() returns integer language sql as $$
  select status from atomic_charge_credits('00000000-0000-4000-8000-0000000000d4', 'standard-image',
    '{"prompt": "a cat"}') $$;
select is(pg_temp.charge(), 201, 'the last credits are spent');
select results_eq('select type, balance from told', $$values ('balance.exhausted', 0::bigint)$$,
  'which is told also where low balances are not');
select is(pg_temp.charge(), 201, 'and the overdraft');
select is((select count(*) from told), 1::bigint, 'which is no low balance where the setting is 0');

select * from finish();
rollback;
