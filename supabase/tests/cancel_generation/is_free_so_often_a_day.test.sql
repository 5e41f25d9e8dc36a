begin;
select plan(13);

select from unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2']::uuid[]) as id,
  grant_credits(id, 9000);
insert into credit_plans (name, rate_limit_requests, max_concurrent_jobs) values ('busy', 1000, 100);
select from unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2']::uuid[]) as id,
  set_account_plan(id, 'busy');
select from set_model_price('painter', '{"image": 500}', '2026-01-01',
  '{"provider": "replicate", "provider_model": "acme/painter"}');
create function pg_temp.cancel_new(p_start boolean, p_account_id uuid default '00000000-0000-4000-8000-0000000000a1')
  returns generation_job_result language plpgsql as $$
declare
  charge credit_charge_result := atomic_charge_credits(p_account_id, 'painter', '{"prompt": "a cat"}',
    p_start => p_start);
begin
  return cancel_generation(charge.job_id);
end;
$$;

select is((select free_cancels_per_day from credit_plans where name = 'busy'), 5,
  'five, unless the plan says otherwise');
select is((select array_agg((pg_temp.cancel_new(true)).code) from generate_series(1, 5)),
  array_fill('canceled'::text, array[5]), 'so many jobs that run are canceled');
select from generation_jobs as j, cancel_generation(j.id);
select is((select row(cancels, cancels_on) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row(5, (now() at time zone 'utc')::date), 'each counts once');
create temp table sixth as select * from pg_temp.cancel_new(true);
select is((select row(code, status, refunded, balance) from sixth),
  row('cancels_used_up'::text, 'running'::generation_job_status, 0::bigint, 8500::bigint), 'the sixth goes on');
select is((select row(code, status) from pg_temp.cancel_new(false)),
  row('canceled'::text, 'canceled'::generation_job_status), 'what has not begun can be canceled all the same');
select is((select code from pg_temp.cancel_new(true, '00000000-0000-4000-8000-0000000000b2')), 'canceled',
  'another account has its own');
select is((select code from settle_generation((select job_id from sixth), '{"outputs": []}')), 'settled',
  'the sixth is charged');
select is((select code from cancel_generation((select job_id from sixth))), 'unchanged', 'and has ended');

update credit_plans set free_cancels_per_day = 6 where name = 'busy';
select is((select code from pg_temp.cancel_new(true)), 'canceled', 'a plan may give away more');
select is((select code from pg_temp.cancel_new(true)), 'cancels_used_up', 'up to its number');
update credit_accounts set cancels_on = cancels_on - 1 where id = '00000000-0000-4000-8000-0000000000a1';
select is((select code from pg_temp.cancel_new(true)), 'canceled', 'the next day has its own');
select is((select cancels from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 1,
  'counted from one');
update credit_plans set free_cancels_per_day = 0 where name = 'busy';
select is((select code from pg_temp.cancel_new(true)), 'cancels_used_up', 'none is free where the plan allows none');

select * from finish();
rollback;
