begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'first');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 200, 'second');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'third');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 100);
select from reconcile_credit_ledger();
alter table credit_ledger disable rule credit_ledger_no_update;
alter table credit_ledger disable rule credit_ledger_no_delete;
alter table credit_ledger disable trigger user;
create temp view broken as select account_id, seq, problem from credit_ledger_chain_breaks;
create temp view found as select invariant, account_id, seq from reconciliation_discrepancies where invariant = 'chain';
select is_empty('select * from broken', 'none on a sound system');
savepoint sound;

update credit_ledger set reason = 'forged' where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 2;
select set_eq('select * from broken', $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 2::bigint, 'hash')$$,
  'an entry that was changed');
select set_eq('select * from found', $$values ('chain', '00000000-0000-4000-8000-0000000000a1'::uuid, 2::bigint)$$,
  'is a discrepancy');
rollback to sound;

delete from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 2;
select set_eq('select * from broken', $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 2::bigint, 'gap')$$,
  'an entry that was deleted');
rollback to sound;

delete from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 3;
select set_eq('select * from broken', $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 3::bigint, 'end')$$,
  'a tail that was cut off');
rollback to sound;

update credit_ledger set seq = 5 - seq + 100
  where account_id = '00000000-0000-4000-8000-0000000000a1' and seq in (2, 3);
update credit_ledger set seq = seq - 100 where account_id = '00000000-0000-4000-8000-0000000000a1' and seq > 100;
select set_eq('select * from broken', $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 2::bigint, 'hash')$$,
  'a pair that was swapped');
rollback to sound;

select is_empty('select * from broken', 'undamaged again');

select * from finish();
rollback;
