begin;
select plan(13);

create temp view found as
  select invariant, right(account_id::text, 2) as account, seq, expected, actual from reconciliation_discrepancies;
create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000,
    p_metadata => '{"withdrawal_ref": "said by the app"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, p_priority => 1::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 500);
-- The first comes out of two grants.
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 150, p_external_ref => 'one');
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 50, (select grant_id from bought),
  p_external_ref => 'two');
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 25);
select from withdraw_credits('00000000-0000-4000-8000-0000000000b2', 600, p_external_ref => 'three');
select is_empty('select * from found', 'withdrawals are right, also with an app''s own metadata on its grants');
savepoint sound;

update credit_withdrawals set withdrawn = 140 where external_ref = 'one';
select set_eq('select * from found', $$values ('withdrawals', 'a1', 3::bigint, 150::bigint, 140::bigint)$$,
  'an amount that was changed');
select is((reconcile_credit_ledger(true)).discrepancies, 1::bigint, 'a deep run says so');
select ok(bool_and(remedy like '%withdrawal_ref%'), 'with the remedy') from reconciliation_discrepancies;
rollback to sound;
select throws_ok($$update credit_withdrawals set withdrawn = 151 where external_ref = 'one'$$, '23514', null,
  'no more than was asked for');

update credit_withdrawals set withdrawn = case external_ref when 'one' then 140 else 50 + 10 end, amount = null
  where account_id = '00000000-0000-4000-8000-0000000000a1';
select set_eq('select * from found',
  $$values ('withdrawals', 'a1', 3::bigint, 150::bigint, 140::bigint), ('withdrawals', 'a1', 5, 50, 60)$$,
  'two amounts that were changed so that the sums still fit');
rollback to sound;

update credit_withdrawals set external_ref = 'four' where external_ref = 'two';
select set_eq('select * from found',
  $$values ('withdrawals', 'a1', 5::bigint, 50::bigint, 0::bigint), ('withdrawals', 'a1', null, 0, 50)$$,
  'a reference under which it could be taken again');
rollback to sound;

delete from credit_withdrawals where external_ref = 'one';
select set_eq('select * from found', $$values ('withdrawals', 'a1', 3::bigint, 150::bigint, 0::bigint)$$,
  'so could one that is gone');
rollback to sound;

update credit_withdrawals set account_id = '00000000-0000-4000-8000-0000000000d4' where external_ref = 'three';
select set_eq('select * from found',
  $$values ('withdrawals', 'b2', 2::bigint, 500::bigint, 0::bigint), ('withdrawals', 'd4', null, 0, 500)$$,
  'an account, also one that does not exist');
rollback to sound;

insert into credit_withdrawals (external_ref, account_id, amount, withdrawn)
  values ('ghost', '00000000-0000-4000-8000-0000000000a1', 7, 7);
select set_eq('select * from found', $$values ('withdrawals', 'a1', null::bigint, 0::bigint, 7::bigint)$$,
  'and one that never was');
rollback to sound;

select from reconcile_credit_ledger();
select is(entries, 8::bigint, 'when they are archived') from archive_ledger(clock_timestamp());
select is_empty('select * from found', 'they are right as well');
rollback to sound;
select is_empty('select * from found', 'undamaged again');

select * from finish();
rollback;
