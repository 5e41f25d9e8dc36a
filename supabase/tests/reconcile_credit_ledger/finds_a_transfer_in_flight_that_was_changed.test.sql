begin;
select plan(15);

create temp view found as
  select invariant, right(account_id::text, 2) as account, expected, actual from reconciliation_discrepancies;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
select from transfer_send('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 100, 'one')
  as s cross join lateral transfer_receive(s.to_account_id, s.transfer_id, s.from_account_id, 'one', s.parts);
select from unnest(array['two', 'back']) as ref, transfer_send('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 100, ref);
select transfer_finish(account_id, transfer_id, 'closed') from credit_transfers_sent where external_ref = 'back';
select is_empty('select * from found', 'one was received, one is in flight, one has come back: all is well');
savepoint sound;

update credit_transfers_sent set amount = 900, parts = '[{"amount": 900, "priority": 1}]' where external_ref = 'two';
select set_has('select invariant, account from found', $$values ('transfer sent', 'a1')$$, 'more than was taken');
rollback to sound;
update credit_transfers_sent set parts = jsonb_set(parts, '{0,amount}', '101') where external_ref = 'two';
select set_eq('select * from found', $$values ('transfer sent', 'a1', 100::bigint, 101::bigint)$$,
  'parts that are more');
rollback to sound;
update credit_transfers_sent set to_account_id = '00000000-0000-4000-8000-0000000000c3' where external_ref = 'two';
select set_has('select invariant, account from found', $$values ('transfer sent', 'a1')$$, 'another recipient');
rollback to sound;
update credit_transfers_sent set to_account_id = '00000000-0000-4000-8000-0000000000c3',
  transfer_id = credits.transfer_id(account_id, '00000000-0000-4000-8000-0000000000c3', amount, external_ref)
where external_ref = 'two';
select set_eq('select * from found', $$values ('transfer sent', 'a1', 100::bigint, 0::bigint)$$,
  'also with an id that fits');
rollback to sound;
update credit_transfers_sent set transfer_id = gen_random_uuid() where external_ref = 'one';
select set_eq('select * from found', $$values ('transfer sent', 'a1', 100::bigint, 0::bigint)$$,
  'an id under which it could be received a second time');
rollback to sound;
insert into credit_transfers_sent (account_id, transfer_id, external_ref, to_account_id, amount, parts)
select '00000000-0000-4000-8000-0000000000a1', credits.transfer_id('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 7, 'ghost'), 'ghost', '00000000-0000-4000-8000-0000000000b2', 7,
  '[{"amount": 7, "priority": 1}]';
select set_eq('select * from found', $$values ('transfer sent', 'a1', 0::bigint, 7::bigint)$$,
  'one that was never taken from anybody');
select is((select discrepancies from reconciliation_summary), 1::bigint, 'the summary counts it');
rollback to sound;
insert into credit_transfers_sent (account_id, transfer_id, external_ref, to_account_id, amount, parts)
select '00000000-0000-4000-8000-0000000000d4', credits.transfer_id('00000000-0000-4000-8000-0000000000d4',
  '00000000-0000-4000-8000-0000000000b2', 7, 'ghost'), 'ghost', '00000000-0000-4000-8000-0000000000b2', 7,
  '[{"amount": 7, "priority": 1}]';
select set_eq('select * from found', $$values ('transfer sent', 'd4', 0::bigint, 7::bigint)$$, 'not even by nobody');
rollback to sound;
delete from credit_transfers_received where external_ref = 'one';
select set_has('select invariant, account, expected, actual from found',
  $$values ('transfers', 'b2', 100::bigint, 0::bigint)$$, 'a receipt that is gone: it could be booked again');
rollback to sound;
insert into credit_transfers_received (account_id, transfer_id, external_ref, from_account_id, amount)
select to_account_id, transfer_id, external_ref, account_id, amount from credit_transfers_sent
where external_ref = 'two';
select set_has('select * from found', $$values ('transfers', 'b2', 0::bigint, 100::bigint)$$,
  'one for what never came: it would be lost');
rollback to sound;
update credit_transfers_sent set returned_at = null, refusal = null, next_attempt_at = now()
where external_ref = 'back';
select set_has('select * from found', $$values ('transfers', 'a1', 100::bigint, 0::bigint)$$,
  'one that has come back, and is sent again');
rollback to sound;
update credit_transfers_sent set returned_at = now(), refusal = 'closed', next_attempt_at = null
where external_ref = 'two';
select set_has('select * from found', $$values ('transfers', 'a1', 0::bigint, 100::bigint)$$,
  'one that is said to have come back');
rollback to sound;

-- On a shard, whose recipients live elsewhere.
delete from credit_ledger_checkpoints;
insert into credits.shard (name, slot_groups, since) select 's0',
  array_remove(array(select generate_series(0, 15)), credits.slot_group('00000000-0000-4000-8000-0000000000b2')),
  now() - interval '1 hour';
select set_hasnt('select invariant, account from found', $$values ('transfer sent', 'a1')$$,
  'on a shard it is the same');
delete from credit_transfers_sent where external_ref = 'two';
select set_has('select * from found', $$values ('transfer sent', 'a1', 100::bigint, 0::bigint)$$,
  'what is lost on its way is found');

select * from finish();
rollback;
