begin;
select plan(11);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select grant_credits('00000000-0000-4000-8000-0000000000a1', i) from generate_series(1, 5) as i;
create temp view verdict as select sound, broken_seq, problem
  from verify_ledger('00000000-0000-4000-8000-0000000000a1', true);
set local session_replication_role = replica;
select is((select sound from verdict), true, 'a sound chain');
alter table credit_ledger disable trigger credit_ledger_refuse_change;
savepoint sound;
update credit_ledger set reason = 'edited' where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 3;
select is((select row(v.sound, v.broken_seq, v.problem) from verdict as v), row(false, 3::bigint, 'hash'::text),
  'an edited entry');
rollback to sound;
delete from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 3;
select is((select row(v.sound, v.broken_seq, v.problem) from verdict as v), row(false, 3::bigint, 'gap'::text),
  'a deleted entry');
rollback to sound;
update credit_ledger set seq = 103 where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 3;
update credit_ledger set seq = 3 where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 4;
update credit_ledger set seq = 4 where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 103;
select is((select row(v.sound, v.broken_seq, v.problem) from verdict as v), row(false, 3::bigint, 'hash'::text),
  'a swapped pair');
rollback to sound;
delete from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1' and seq >= 6;
select is((select row(v.sound, v.broken_seq, v.problem) from verdict as v), row(false, 6::bigint, 'end'::text),
  'a truncated tail');
rollback to sound;
set local session_replication_role = origin;
select from verify_ledger('00000000-0000-4000-8000-0000000000a1');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 7);
select is((select row(sound, checked) from verify_ledger('00000000-0000-4000-8000-0000000000a1')), row(true, 1::bigint),
  'from the checkpoint, only what is new');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 8);
set local session_replication_role = replica;
savepoint checked;
update credit_ledger set delta = 9 where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 8;
select is((select row(sound, problem) from verify_ledger('00000000-0000-4000-8000-0000000000a1')),
  row(false, 'hash'::text), 'a new entry that was edited');
rollback to checked;
update credit_ledger set hash = sha256('') where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 7;
select is((select sound from verify_ledger('00000000-0000-4000-8000-0000000000a1')), false, 'the last entry''s hash');
rollback to checked;
select is((select sound from verify_ledger('00000000-0000-4000-8000-0000000000a1')), true, 'sound again');
insert into credit_accounts (id) values ('00000000-0000-4000-8000-0000000000b2');
select from verify_ledger('00000000-0000-4000-8000-0000000000b2', true);
select is(xmax::text, '0', 'no account is locked') from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000b2';
select throws_ok('select from verify_ledger(gen_random_uuid())', 'PT404');

select * from finish();
rollback;
