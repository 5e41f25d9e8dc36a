begin;
select plan(15);

update credit_scheduled_tasks set enabled = false;
delete from credit_alerts;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
create temp table sent as select * from transfer_send('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 200, 'ref-1');
create temp view metrics as select replace(metric, 'atomic_credits_', '') as name, value from operational_metrics()
  where metric ~ 'in_flight';
create temp view books as select book, sum(amount) as amount from credit_journal group by 1 having sum(amount) <> 0;

select is((select row(balance_total, ledger_total, in_flight, discrepancies) from reconciliation_summary),
  row(300::bigint, 300::bigint, 200::bigint, 0::bigint), 'the summary has what no balance has');
select is((select row(sent, arrived, returned, in_flight, received, moved) from credit_transfer_totals),
  row(200::numeric, 0::numeric, 0::numeric, 200::numeric, 0::numeric, -200::numeric), 'so have the transfers'' totals');
select set_eq('select * from books',
  $$values ('promotions', 500::numeric), ('customer credits', -300), ('in flight', -200)$$,
  'finance sees it as owed, on its way');
select is_empty('select account_id, seq, debt_seq, transfer_id from credit_journal group by 1, 2, 3, 4
  having sum(amount) <> 0', 'and every transaction sums to zero');
select is((select row(outstanding, in_flight) from credit_liability_daily), row(300::bigint, 200::bigint),
  'also by the day');
select is((select array_agg(value order by name) filter (where name !~ 'age') from metrics),
  array[200::numeric, 1], 'the metrics have it');
select is(evaluate_alerts(), 0, 'nobody is woken');
update credit_transfers_sent set sent_at = now() - interval '16 minutes';
select is((select value from metrics where name ~ 'age'), 960::numeric, 'after sixteen minutes');
select is(evaluate_alerts(), 1, 'somebody is');
select is((select row(rule, value) from credit_alerts), row('transfers_in_flight'::text, 960::numeric),
  'because credits are in no account');
select is((select discrepancies from reconcile_credit_ledger(true)), 0::bigint, 'but it is no discrepancy');

select from sent, transfer_receive(to_account_id, transfer_id, from_account_id, external_ref, parts, reason);
select is((select moved + in_flight + arrived - received from credit_transfer_totals), 0::numeric,
  'what was received and not marked counts once');
select transfer_finish(from_account_id, transfer_id) from sent;
select is((select row(sent, arrived, in_flight, received, moved) from credit_transfer_totals),
  row(200::numeric, 200::numeric, 0::numeric, 200::numeric, 0::numeric), 'it has arrived');
select set_eq('select * from books', $$values ('promotions', 500::numeric), ('customer credits', -500)$$,
  'the customers are owed all of it again');
select is(evaluate_alerts(), 0, 'and the alert is over');

select * from finish();
rollback;
