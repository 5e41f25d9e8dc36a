begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);

create temp table before as select balance, last_seq from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';
create temp table verdict as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '[]');

select is((select status from verdict), 400, 'status 400');
select is((select code from verdict), 'invalid_request', 'code invalid_request');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(balance, last_seq) from before), 'no credit has moved');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000a1' and status = 400 and code = 'invalid_request'), 1::bigint,
  'the denial is recorded');

select * from finish();
rollback;
