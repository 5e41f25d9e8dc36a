begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
select throws_ok('update credit_ledger set delta = 1', 'PT405');
select throws_ok('delete from credit_ledger', 'PT405');
select throws_ok('truncate credit_ledger', 'PT405');
set local session_replication_role = replica;
select throws_ok('update credit_ledger set delta = 1', 'PT405', null, 'nor without rules: update');
select throws_ok('delete from credit_ledger', 'PT405', null, 'nor without rules: delete');
select throws_ok('truncate credit_ledger', 'PT405', null, 'nor without rules: truncate');
set local session_replication_role = origin;
select throws_ok('insert into credit_ledger select * from credit_ledger on conflict do nothing', '0A000', null,
  'on conflict is refused');
select throws_ok('update credit_ledger set delta = 1 returning seq', '0A000', null, 'and update returning');
select is((select count(*) from pg_constraint
  where contype = 'f' and 'public.credit_ledger'::regclass in (conrelid, confrelid)), 0::bigint,
  'no foreign key can cascade into it');

select * from finish();
rollback;
