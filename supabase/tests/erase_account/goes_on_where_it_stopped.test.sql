begin;
select plan(13);
set local client_min_messages = error;

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table jobs as
select c.job_id, i from generate_series(1, 3) as i,
  atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', i::text)) as c;
update generation_jobs set cost = cost + 1 where id = (select job_id from jobs where i = 2);
create temp view erasure as select finished_at is not null as finished from account_erasures
  where account_id = '00000000-0000-4000-8000-0000000000a1';
select is(erase_account('00000000-0000-4000-8000-0000000000a1'), 2,
  'a job whose books are wrong keeps no other from being erased');
select is((select row(status, input, erased_at) from generation_jobs where id = (select job_id from jobs where i = 2)),
  row('pending'::generation_job_status, '{}'::jsonb, null::timestamptz),
  'it stays open to be seen, without what was asked');
select is((select finished from erasure), false, 'and the erasure unfinished');
select is((select closed_at is not null from credit_accounts), true, 'of an account that is closed');
select is(finish_erasures(), 1, 'it is tried again');
update generation_jobs set cost = cost - 1 where id = (select job_id from jobs where i = 2);
select is(finish_erasures(), 0, 'until the books are right');
select is((select finished from erasure), true, 'then it is finished');
select results_eq($$select status, erased_at is not null, count(*) from generation_jobs group by 1, 2$$,
  $$values ('canceled'::generation_job_status, true, 3::bigint)$$, 'and everything is refunded and erased');

insert into credit_accounts (id, user_id)
  values ('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000b2');
insert into generation_jobs (account_id, status, model, price_effective_from, provider, cost, refunded, input,
  request_hash, ended_at, deadline_at)
select '00000000-0000-4000-8000-0000000000b2', 'failed', 'standard-image', '2026-01-01', 'none', 1, 1,
  '{"prompt": "a"}', '', now(), now() from generate_series(1, 10050);
select is(erase_account('00000000-0000-4000-8000-0000000000b2'), 10000, 'a long history is erased in parts');
select is((select user_id from credit_accounts where id = '00000000-0000-4000-8000-0000000000b2'), null,
  'the link to the person first');
select is((select ok from run_task('finish-erasures')), true, 'the schedule does the rest');
select is((select count(*) from generation_jobs where erased_at is null), 0::bigint, 'all of it');
select is((select count(*) from account_erasures where finished_at is null), 0::bigint, 'and nothing is left to do');

select * from finish();
rollback;
