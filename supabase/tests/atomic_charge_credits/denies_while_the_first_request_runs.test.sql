begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
  'key', 'first');
create temp table before as select balance, last_seq from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';
create temp table verdict as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    'key', 'second');

select is((select status from verdict), 409, 'status 409');
select is((select code from verdict), 'request_in_flight', 'code request_in_flight');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(balance, last_seq) from before), 'no credit has moved');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000a1' and status = 409 and code = 'request_in_flight'), 1::bigint,
  'the denial is recorded');
select is((select retry_after_seconds from verdict), 1, 'and says when to return');

select * from finish();
rollback;
