begin;
select plan(7);

-- a1 and b2 gave to each other on one database, and a1 to c3 in steps. Then a1 stays, and b2 and c3 move away; both
-- databases keep the rows of credit_transfers, which have no account of their own.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 300,
  'there');
select from transfer_credits('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000a1', 100,
  'back');
select from transfer_send('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3', 50, 'steps')
  as s cross join lateral transfer_receive(s.to_account_id, s.transfer_id, s.from_account_id, 'steps', s.parts) as r
  cross join lateral transfer_finish(s.from_account_id, s.transfer_id, r.refusal);
select isnt(credits.slot_group('00000000-0000-4000-8000-0000000000a1'),
  credits.slot_group('00000000-0000-4000-8000-0000000000b2'), 'they are of two slot groups');
select isnt(credits.slot_group('00000000-0000-4000-8000-0000000000a1'),
  credits.slot_group('00000000-0000-4000-8000-0000000000c3'), 'or three');
alter table credit_ledger disable trigger user;
alter table credit_ledger disable rule credit_ledger_no_delete;
create function pg_temp.keep(p_account uuid) returns void language plpgsql as $$
begin
  delete from credit_ledger where account_id <> p_account;
  delete from credit_grants where account_id <> p_account;
  delete from credit_transfers_sent where account_id <> p_account;
  delete from credit_transfers_received where account_id <> p_account;
  delete from credit_accounts where id <> p_account;
  insert into credits.shard (name, slot_groups) values ('kept', array[credits.slot_group(p_account)]);
end;
$$;
savepoint one;

select pg_temp.keep('00000000-0000-4000-8000-0000000000a1');
select is_empty('select * from reconciliation_discrepancies', 'the first is sound by itself');
select is((select row(transfer_id, arrived_at is not null, replayed) from transfer_send(
  '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 300, 'there')),
  row(null::uuid, true, true), 'a repeat of what was done before is answered, and sends nothing');
rollback to one;

select pg_temp.keep('00000000-0000-4000-8000-0000000000b2');
select is_empty('select * from reconciliation_discrepancies', 'so is the second');
select throws_ok($$select transfer_credits('00000000-0000-4000-8000-0000000000b2',
  '00000000-0000-4000-8000-0000000000a1', 100, 'back')$$, 'PT421', null, 'which makes no transfer to the first');
rollback to one;

select pg_temp.keep('00000000-0000-4000-8000-0000000000c3');
select is_empty('select * from reconciliation_discrepancies', 'and the third');

select * from finish();
rollback;
