begin;
select plan(14);

create temp view found as select invariant from reconciliation_discrepancies;
create temp view verdict as select row(broken_seq, problem)::text as broken
  from verify_ledger('00000000-0000-4000-8000-0000000000a1', true);
select grant_credits('00000000-0000-4000-8000-0000000000a1', i) from generate_series(1, 6) as i;
select from verify_ledger('00000000-0000-4000-8000-0000000000a1');
select from archive_ledger(clock_timestamp(), 4);
select is((select row(seq, balance)::text from credit_ledger_anchors), '(4,10)', 'four of six entries are archived');

select throws_ok('update credit_ledger_archive set delta = 1', 'PT405');
select throws_ok('delete from credit_ledger_archive', 'PT405');
select throws_ok('truncate credit_ledger_archive', 'PT405');
select throws_ok('delete from credit_ledger where seq = 4', 'PT405', null, 'nor by way of the ledger');
select throws_ok('delete from credit_ledger where seq = 5', 'PT405', null,
  'an entry that is not archived does not leave the ledger');
set local session_replication_role = replica;
select throws_ok('update credit_ledger set delta = 1 where seq = 4', 'PT405', null, 'nor without rules: update');
select throws_ok('delete from credit_ledger_archive', 'PT405', null, 'nor without rules: delete');
insert into credit_ledger_archive select account_id, seq, delta + 1, balance_after, kind, grant_id, job_id, reason,
  metadata, created_at, hash from credit_ledger where seq = 5;
select throws_ok('delete from only credit_ledger where seq = 5', 'PT405', null, 'nor against a copy that differs');

alter table credit_ledger_archive disable trigger credit_ledger_archive_refuse_change;
delete from credit_ledger_archive where seq = 5;
savepoint sound;
update credit_ledger_archive set reason = 'edited' where seq = 2;
select is((select broken from verdict), '(2,hash)', 'an archived entry that was edited is named');
rollback to sound;
delete from credit_ledger_archive where seq = 4;
select is((select broken from verdict), '(4,gap)', 'one that was deleted too');
select set_has('select * from found', $$values ('archive'), ('chain'), ('balance'), ('sequence')$$,
  'and the archive differs from its anchor');
rollback to sound;
delete from credit_ledger_anchors;
select results_eq('select * from found', $$values ('archive')$$, 'an anchor that was removed is missed');
rollback to sound;
select is_empty('select * from found', 'undamaged again');

select * from finish();
rollback;
