begin;
select plan(4);

create temp table first as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'pack', 'purchase', p_external_ref => 'evt_1');
select is((select row(grant_id, balance, replayed)
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000, 'pack', 'purchase', p_external_ref => 'evt_1')),
  (select row(grant_id, 1000::bigint, true) from first), 'a repeated event is a replay');
select is((select count(*) from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1'), 1::bigint,
  'and moves nothing');
select throws_ok($$select from grant_credits('00000000-0000-4000-8000-0000000000a1', 999, p_external_ref => 'evt_1')$$,
  'PT409');
select throws_ok($$select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1000, p_external_ref => 'evt_1')$$,
  'PT409');

select * from finish();
rollback;
