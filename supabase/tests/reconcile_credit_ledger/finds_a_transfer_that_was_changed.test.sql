begin;
select plan(11);

create temp view found as
  select invariant, right(account_id::text, 2) as account, seq, expected, actual from reconciliation_discrepancies;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 1000);
select from credits.account_lock('00000000-0000-4000-8000-0000000000b2');
update credit_accounts set credit_limit = 30 where id = '00000000-0000-4000-8000-0000000000b2';
create function pg_temp.transfer(p_from text, p_to text, p_amount bigint, p_ref text) returns credit_transfer_result
  language sql as $$
  select transfer_credits(('00000000-0000-4000-8000-0000000000' || p_from)::uuid,
    ('00000000-0000-4000-8000-0000000000' || p_to)::uuid, p_amount, p_ref, 'gift');
$$;
-- The first fills an overdraft, the third comes out of two grants.
select from credits.entry_append('00000000-0000-4000-8000-0000000000b2', -30, 'adjustment', null, null, null, null);
select from pg_temp.transfer('a1', 'b2', 100, 'one');
select from pg_temp.transfer('a1', 'b2', 50, 'two');
select from pg_temp.transfer('b2', 'a1', 100, 'back');
select from pg_temp.transfer('c3', 'b2', 100, 'three');
select from transfer_credits_batch($$[
  {"from_account_id": "00000000-0000-4000-8000-0000000000a1", "to_account_id": "00000000-0000-4000-8000-0000000000c3",
    "amount": 5, "external_ref": "four"},
  {"from_account_id": "00000000-0000-4000-8000-0000000000a1", "to_account_id": "00000000-0000-4000-8000-0000000000c3",
    "amount": 5, "external_ref": "five"}]$$);
select is_empty('select * from found', 'transfers there and back, in parts and in a batch are right');
savepoint sound;

update credit_transfers set amount = case external_ref when 'one' then 90 else 60 end
  where external_ref in ('one', 'two');
select set_eq('select * from found',
  $$values ('transfers', 'b2', 2::bigint, 100::bigint, 90::bigint), ('transfers', 'b2', 4, 50, 60)$$,
  'two amounts that were changed so that the sums still fit');
select is((reconcile_credit_ledger(true)).discrepancies, 2::bigint, 'a deep run says so');
select ok(bool_and(remedy like '%external_ref%'), 'with the remedy') from reconciliation_discrepancies;
rollback to sound;

update credit_transfers
  set from_account_id = case external_ref when 'one' then '00000000-0000-4000-8000-0000000000c3'::uuid
    else '00000000-0000-4000-8000-0000000000a1' end
where external_ref in ('one', 'three');
select set_eq('select * from found',
  $$values ('transfers', 'b2', 2::bigint, 100::bigint, 0::bigint), ('transfers', 'b2', null, 0, 100),
    ('transfers', 'b2', 7, 100, 0)$$,
  'two senders of one amount that were swapped: two entries that are not told so, and two rows');
rollback to sound;

update credit_transfers set external_ref = case external_ref when 'four' then 'six' else 'seven' end
  where external_ref in ('four', 'five');
select set_eq('select * from found',
  $$values ('transfers', 'c3', 3::bigint, 5::bigint, 0::bigint), ('transfers', 'c3', 4, 5, 0),
    ('transfers', 'c3', null, 0, 5)$$,
  'references under which a transfer could be repeated');
rollback to sound;

update credit_transfers set to_account_id = '00000000-0000-4000-8000-0000000000d4' where external_ref = 'two';
select set_eq('select * from found',
  $$values ('transfers', 'b2', 4::bigint, 50::bigint, 0::bigint), ('transfers', 'd4', null, 0, 50)$$,
  'a recipient, also one without an account');
rollback to sound;

delete from credit_transfers where external_ref = 'back';
select set_eq('select * from found',
  $$values ('transfers', 'a1', 4::bigint, 100::bigint, 0::bigint), ('transfers', 'b2', null, 100, 0)$$,
  'a transfer that is gone, at both ends');
rollback to sound;

insert into credit_transfers
  values ('ghost', '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3', 7);
select set_eq('select * from found',
  $$values ('transfers', 'a1', null::bigint, 155 + 5::bigint, 160 + 7::bigint), ('transfers', 'c3', null, 0, 7)$$,
  'and one that never was');
rollback to sound;

update credit_transfers set reason = 'another', created_at = '2020-01-01';
select is_empty('select * from found', 'words and dates move no credits');
rollback to sound;
select is_empty('select * from found', 'undamaged again');

select * from finish();
rollback;
