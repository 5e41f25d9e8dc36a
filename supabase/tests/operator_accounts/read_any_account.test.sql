begin;
select plan(4);

-- Values as only somebody's hand could write them: then an operator needs to see the account most of all.
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
alter table credit_accounts drop constraint account_is_sound;
alter table generation_jobs drop constraint job_is_sound;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700);
create temp table job as select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a cat"}');
update generation_jobs set refunded = -9223372036854775807 where id = (select job_id from job);
insert into credit_ledger (account_id, seq, delta, balance_after, kind, job_id, created_at, hash)
  select '00000000-0000-4000-8000-0000000000a1', n, 9223372036854775807, 0, 'refund', job_id, now(), '\x00'
  from job, generate_series(3, 4) as n;
update credit_accounts set balance = 9223372036854775807, credit_limit = 5, last_seq = 4;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
select is((select spendable from operator_accounts), 9223372036854775807, 'an account beyond every bound');
select is((select count(*) from operator_accounts_page()), 1::bigint, 'is in the list');
select is((select paid from operator_jobs), null, 'a job that gave back less than nothing');
select is((select max(credits) from operator_timeline('00000000-0000-4000-8000-0000000000a1')), 9223372036854775807,
  'and the timeline is told');

select * from finish();
rollback;
