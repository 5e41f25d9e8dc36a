begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200);
create temp table batch (requests jsonb);
insert into batch
  values ('[{"model": "standard-image", "input": {"prompt": "a"}},
    {"model": "standard-image", "input": {"prompt": "b"}, "idempotency_key": "k"},
    {"model": "standard-image", "input": {"prompt": "c"}}]');
create temp table whole as select *
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', (select requests from batch));
select results_eq('select status, code from whole', $$values (402, 'insufficient_credits')$$,
  'the denial that ended the batch');
select is((select row(balance,
  (select count(*) from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1')) from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1'), row(1200::bigint, 0::bigint), 'nothing was charged');
select is((select count(*) from credit_request_events where account_id = '00000000-0000-4000-8000-0000000000a1'),
  1::bigint, 'it is recorded');
create temp table each as select *
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', (select requests from batch), false);
select results_eq('select status from each', 'values (201), (201), (402)', 'each by itself, in order');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 200::bigint,
  'what could be was charged');
select throws_ok($$select from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', '{}')$$, '22023');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
