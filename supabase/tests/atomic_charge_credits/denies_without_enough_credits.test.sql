begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000b2', 100);
create temp table before as select balance, last_seq from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000b2';
create temp table verdict as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000b2', 'standard-image', '{"prompt": "a cat"}');

select is((select status from verdict), 402, 'status 402');
select is((select code from verdict), 'insufficient_credits', 'code insufficient_credits');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000b2'),
  (select row(balance, last_seq) from before), 'no credit has moved');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000b2' and status = 402 and code = 'insufficient_credits'),
  1::bigint, 'the denial is recorded');
select is((select row(balance, required) from verdict), row(100::bigint, 500::bigint), 'balance and price are told');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000b2'), 100::bigint,
  'the balance is still 100');
select is((select count(*) from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000b2'), 0::bigint,
  'there is no job');

select * from finish();
rollback;
