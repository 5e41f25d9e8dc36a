begin;
select plan(13);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
create function pg_temp.send(p_ref text) returns uuid language sql as $$
  select transfer_id from transfer_send('00000000-0000-4000-8000-0000000000a1',
    '00000000-0000-4000-8000-0000000000b2', 100, p_ref) $$;
create function pg_temp.finish(p_ref text, p_refusal text default null) returns boolean language sql as $$
  select transfer_finish(account_id, transfer_id, p_refusal) from credit_transfers_sent where external_ref = p_ref $$;
create temp view state as select external_ref, arrived_at is not null as arrived, returned_at is not null as returned
  from credit_transfers_sent;

select pg_temp.send(ref) from unnest(array['there', 'back']) as ref;
select is((select in_flight from reconciliation_summary), 200::bigint, 'two are in flight');
select is(pg_temp.finish('there'), true, 'one has arrived');
select is(pg_temp.finish('there'), false, 'once');
select throws_ok($$select pg_temp.finish('there', 'closed')$$, 'PT409', null, 'what has arrived cannot come back');
select is(pg_temp.finish('back', 'closed'), true, 'the other comes back');
select is(pg_temp.finish('back', 'closed'), false, 'once');
select throws_ok($$select pg_temp.finish('back')$$, 'PT409', null, 'and has not arrived then');
select results_eq('select * from state order by 1',
  $$values ('back', false, true), ('there', true, false)$$, 'each has ended in one way');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 400::bigint,
  'the sender has what came back');
select is((select in_flight from reconciliation_summary), 0::bigint, 'nothing is in flight');
select is((select transfer_id is not null and arrived_at is not null and replayed from transfer_send(
  '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 100, 'there')), true,
  'a repeated call hears that it has arrived');
select throws_ok($$select transfer_finish('00000000-0000-4000-8000-0000000000a1', gen_random_uuid())$$, 'PT404', null,
  'what was never sent does not end');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
