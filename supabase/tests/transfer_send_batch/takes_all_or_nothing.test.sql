begin;
select plan(14);

-- An account of each slot group: 0 and 2 live here, 1 and 3 on another shard.
create temp table ids as
  select distinct on (credits.slot_group(id)) credits.slot_group(id) as slot_group, id
  from (select md5(n::text)::uuid as id from generate_series(1, 1000) as n) as made
  order by 1, 2;
create function pg_temp.id_of(p_group integer) returns uuid language sql as $$
  select id from ids where slot_group = p_group $$;
create function pg_temp.part(p_from integer, p_to integer, p_amount bigint, p_ref text) returns jsonb language sql as $$
  select jsonb_build_object('from_account_id', pg_temp.id_of(p_from), 'to_account_id', pg_temp.id_of(p_to),
    'amount', p_amount, 'external_ref', p_ref) $$;
create function pg_temp.balance(p_group integer) returns bigint language sql as $$
  select balance from credit_accounts where id = pg_temp.id_of(p_group) $$;
select credits.become_shard('s0', '{0,2}');
select from grant_credits(pg_temp.id_of(0), 100);

create temp table batch as select jsonb_build_array(pg_temp.part(0, 1, 10, 'ref-1'), pg_temp.part(0, 2, 20, 'ref-2'),
  pg_temp.part(2, 3, 5, 'ref-3'), pg_temp.part(0, 1, 10, 'ref-1')) as it;
create temp table sent as select * from batch, transfer_send_batch(it) with ordinality;
select results_eq('select amount, from_balance, to_balance, replayed from sent order by ordinality',
  $$values (10::bigint, 90::bigint, null::bigint, false), (20, 70, 20, false), (5, 15, null, false),
    (10, 70, null, true)$$, 'in their order, with the balance of who lives here');
select results_eq('select transfer_id is null, arrived_at is null from sent order by ordinality',
  'values (false, true), (true, false), (false, true), (false, true)',
  'what stays here is made, and what goes elsewhere is in flight');
select is((select in_flight from reconciliation_summary), 15::bigint, 'as transfer_send notes it');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'which is no discrepancy');
select results_eq('select replayed, transfer_id from transfer_send_batch((select it from batch)) order by external_ref',
  'select true, transfer_id from sent order by external_ref', 'a repetition takes nothing, and says the same');
select is((select row(transfer_id, replayed) from transfer_send(pg_temp.id_of(0), pg_temp.id_of(1), 10, 'ref-1')),
  (select row(transfer_id, true) from sent where ordinality = 1), 'nor does transfer_send of one of them');

select throws_ok($$select transfer_send_batch(jsonb_build_array(pg_temp.part(0, 1, 10, 'ref-4'),
  pg_temp.part(0, 3, 61, 'ref-5')))$$, 'PT402', '1 credits are missing for this transfer', 'all or nothing');
select throws_ok($$select transfer_send_batch(jsonb_build_array(pg_temp.part(0, 1, 10, 'ref-4'),
  pg_temp.part(0, 3, 1, 'ref-5')), array[pg_temp.id_of(3)])$$, 'PT403', 'an account of this transfer is closed',
  'also where a recipient is closed elsewhere');
select throws_ok($$select transfer_send_batch(jsonb_build_array(pg_temp.part(0, 1, 11, 'ref-1')))$$, 'PT409');
select throws_ok($$select transfer_send_batch(jsonb_build_array(pg_temp.part(0, 1, 1, 'ref-4'),
  pg_temp.part(1, 0, 1, 'ref-5')))$$, 'PT421', null, 'who sends lives here');
select throws_ok($$select transfer_send_batch('{}')$$, '22023');
select is(pg_temp.balance(0), 70::bigint, 'what was refused took nothing');
select is((select count(*) from transfer_send_batch((select it from batch), array[pg_temp.id_of(1)])), 4::bigint,
  'who is closed by now was not when it was made');

-- One that came back.
select from sent, transfer_finish(from_account_id, transfer_id, 'no') where ordinality = 3;
select throws_ok($$select transfer_send_batch((select it from batch))$$, 'PT403', 'this transfer came back: no',
  'is said to have');

select * from finish();
rollback;
