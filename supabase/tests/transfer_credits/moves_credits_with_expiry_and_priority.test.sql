begin;
select plan(10);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'promo', p_expires_at => '2099-01-01',
  p_priority => 7::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300);
select is((select row(from_balance, to_balance, replayed)
  from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 400, 'ref-1',
    'gift')), row(200::bigint, 400::bigint, false), 'both balances move');
select results_eq($$select amount, expires_at = '2099-01-01', priority from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000b2' order by id$$,
  $$values (300::bigint, true, 7::smallint), (100, null, 100::smallint)$$, 'with their expiry and priority');
select is((select row(from_balance, to_balance, replayed)
  from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 400, 'ref-1',
    'gift')), row(200::bigint, 400::bigint, true), 'a repetition moves nothing');
select throws_ok($$select from transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 399, 'ref-1')$$, 'PT409');
select throws_ok($$select from transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 201, 'ref-2')$$, 'PT402');
select throws_ok($$select from transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000a1', 1, 'ref-3')$$, '22023');
select throws_ok($$select from transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 1, null)$$, '22023');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000b2';
select throws_ok($$select from transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 1, 'ref-4')$$, 'PT403', null, 'to a closed account');
select throws_ok($$select from transfer_credits('00000000-0000-4000-8000-0000000000b2',
  '00000000-0000-4000-8000-0000000000a1', 1, 'ref-5')$$, 'PT403', null, 'or from one');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
