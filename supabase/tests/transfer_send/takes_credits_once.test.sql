begin;
select plan(13);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'promo', p_expires_at => '2099-01-01',
  p_priority => 7::smallint);
create temp table pack as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'pack', 'purchase');
create function pg_temp.send(p_amount bigint, p_ref text) returns credit_transfer_sent language sql as $$
  select transfer_send('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', p_amount, p_ref,
    'gift') $$;
create temp table sent as select * from pg_temp.send(400, 'ref-1');
select is((select row(from_balance, amount, external_ref, reason, arrived_at, replayed) from sent),
  row(200::bigint, 400::bigint, 'ref-1'::text, 'gift'::text, null::timestamptz, false), 'the sender''s balance moves');
select is_empty($$select from credit_accounts where id = '00000000-0000-4000-8000-0000000000b2'$$,
  'the recipient''s account is not opened here');
select results_eq($$select p.amount, p.priority, p.expires_at = '2099-01-01', p.grace_ends_at
  from sent, jsonb_to_recordset(parts) as p (amount bigint, priority smallint, expires_at timestamptz,
    grace_ends_at timestamptz)$$,
  $$values (300::bigint, 7::smallint, true, null::timestamptz), (100, 100::smallint, null, null)$$,
  'its parts have the amount, priority and expiry of each grant');
select is((select in_flight from reconciliation_summary), 400::bigint, 'the credits are in flight');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'which is no discrepancy');

select is((select row(transfer_id, parts, from_balance, replayed) from pg_temp.send(400, 'ref-1')),
  (select row(transfer_id, parts, 200::bigint, true) from sent), 'a repetition takes nothing, and says the same');
select throws_ok($$select pg_temp.send(399, 'ref-1')$$, 'PT409', null, 'it is the same transfer, or refused');
select throws_ok($$select pg_temp.send(201, 'ref-2')$$, 'PT402', null, 'no overdraft is sent');
select throws_ok($$select pg_temp.send(0, 'ref-2')$$, '22023');
select is_empty($$select from credit_transfers where external_ref = 'ref-2'$$, 'what was refused left nothing');

select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from pack), null, 'chargeback');
select throws_ok($$select pg_temp.send(1, 'ref-3')$$, 'PT402', null, 'nor is anything by who owes credits');
update credit_accounts set closed_at = now();
select throws_ok($$select pg_temp.send(1, 'ref-4')$$, 'PT403', null, 'or is closed');
select is((select replayed from pg_temp.send(400, 'ref-1')), true, 'but they are answered for what was sent before');

select * from finish();
rollback;
