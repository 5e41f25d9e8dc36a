begin;
select plan(8);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1500);
create temp table jobs as select n, (atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}')).job_id from generate_series(1, 3) as n;
grant select on jobs to authenticated;
select from start_generation((select job_id from jobs where n = 2));
select from start_generation((select job_id from jobs where n = 3));
update generation_jobs set provider = 'replicate', provider_job_id = 'p3'
  where id = (select job_id from jobs where n = 3);
create function pg_temp.cancel(p_n integer) returns text language sql as $$
  select concat_ws(' ', code, balance, details ->> 'credits', details -> 'after' ->> 'status',
    details -> 'after' ->> 'cancel_requested')
  from operator_cancel_job((select job_id from jobs where n = p_n), 'they asked for it', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.cancel(1), 'done 500 500 canceled', 'a job that waits ends refunded');
select is(pg_temp.cancel(1), 'unchanged 500 0 canceled', 'once');
select throws_ok('select pg_temp.cancel(2)', 'PT409', 'this job cannot be canceled now', 'one that is made goes on');
select is(pg_temp.cancel(3), 'done 500 0 running true', 'a provider that calls back is asked to stop');
select is((operator_refund_job((select job_id from jobs where n = 2), null, 'they cannot wait', 'key')).balance,
  1000::bigint, 'a refund ends any job');
select throws_ok($$select operator_cancel_job(gen_random_uuid(), 'they asked for it', 'key')$$, 'PT409', null,
  'with a key of its own');
select throws_ok($$select operator_cancel_job(gen_random_uuid(), 'they asked for it', 'key-2')$$, 'PT404', null,
  'a job that is not there');
reset role;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
