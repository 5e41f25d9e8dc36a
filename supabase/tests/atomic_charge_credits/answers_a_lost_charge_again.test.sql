begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table first as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'key', 'request');
create temp table again as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'key', 'request');
select is((select row(status, code, job_id, job) from again), (select row(status, code, job_id, job) from first), 'the same request gets the same verdict');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 4500::bigint, 'charged once');
select is((select count(*) from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1'), 1::bigint, 'one job');

select * from finish();
rollback;
