begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
insert into credit_plans (name, max_concurrent_jobs) values ('one-job', 1);
update credit_accounts set plan = 'one-job' where id = '00000000-0000-4000-8000-0000000000a1';
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table before as select balance, last_seq from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';
create temp table verdict as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');

select is((select status from verdict), 429, 'status 429');
select is((select code from verdict), 'too_many_jobs', 'code too_many_jobs');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(balance, last_seq) from before), 'no credit has moved');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000a1' and status = 429 and code = 'too_many_jobs'), 1::bigint,
  'the denial is recorded');

select * from finish();
rollback;
