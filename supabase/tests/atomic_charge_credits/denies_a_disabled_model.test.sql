begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);

create temp table before as select balance, last_seq from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';
create temp table verdict as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'gpt-image-1', '{"prompt": "a"}');

select is((select status from verdict), 400, 'status 400');
select is((select code from verdict), 'invalid_model', 'code invalid_model');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(balance, last_seq) from before), 'no credit has moved');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000a1' and status = 400 and code = 'invalid_model'), 1::bigint,
  'the denial is recorded');
update generation_models set enabled = true where name = 'gpt-image-1';
select is((select status
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'gpt-image-1', '{"prompt": "a"}')), 201,
  'it is there to be enabled');

select * from finish();
rollback;
