begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 7);
set local session_replication_role = replica;
alter table credit_ledger disable trigger credit_ledger_refuse_change;
savepoint sound;
update credit_ledger set reason = 'edited' where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 1;
select is((select row(v.sound, v.broken_seq, v.problem)
  from verify_ledger('00000000-0000-4000-8000-0000000000a1') as v),
  row(false, 1::bigint, 'hash'::text), 'an entry that was edited before anybody verified');
select is_empty('select from credit_ledger_checkpoints', 'and no checkpoint says that it is sound');
rollback to sound;
select is((select row(sound, checked) from verify_ledger('00000000-0000-4000-8000-0000000000a1')), row(true, 2::bigint),
  'without a checkpoint every entry is checked');
select is((select row(sound, checked) from verify_ledger('00000000-0000-4000-8000-0000000000a1')), row(true, 0::bigint),
  'and then none again');

select * from finish();
rollback;
