begin;
select plan(20);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50000);
select from set_model_price('painter', '{"image": 500}', '2026-01-01',
  '{"provider": "replicate", "provider_model": "acme/painter", "timeout_seconds": 600, "hard_timeout_seconds": 7200}');
update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 100;
create temp table jobs (name text, job_id uuid);
create function pg_temp.make(p_name text, p_is_known boolean default true) returns uuid language plpgsql as $$
declare
  id uuid;
begin
  id := (atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'painter',
    jsonb_build_object('prompt', p_name))).job_id;
  insert into jobs values (p_name, id);
  if p_is_known then
    perform start_generation(id, p_name, '{"status": "https://example.com/status"}');
  end if;
  return id;
end;
$$;
create function pg_temp.id(p_name text) returns uuid language sql as
  $$ select job_id from jobs where name = p_name $$;
create function pg_temp.job(p_name text) returns generation_jobs language sql as
  $$ select j from generation_jobs as j where id = pg_temp.id(p_name) $$;
create function pg_temp.known(p_name text) returns generation_provider_jobs language sql as
  $$ select p from generation_provider_jobs as p where job_id = pg_temp.id(p_name) $$;
create function pg_temp.answer(p_name text, p_answer text, p_error jsonb default null) returns text language sql as $$
  select concat_ws(' ', r.code, r.status)
  from provider_answered(pg_temp.id(p_name), 'replicate', p_name, p_answer, p_error) as r $$;
create function pg_temp.call_back(p_name text, p_outcome text, p_error jsonb default null)
returns text language sql as $$
  select concat_ws(' ', r.code, r.status)
  from receive_callback(pg_temp.id(p_name), 'replicate', p_name, p_outcome, p_error) as r $$;
select pg_temp.make(name) from unnest(array['works', 'made', 'broke', 'stopped', 'lost']) as name;
select is(pg_temp.answer('works', 'running'), 'running running', 'a job that its provider makes goes on');
select is((pg_temp.known('works')).last_answer, 'running', 'and that is known');
select is((select row(r.code, r.input ->> 'prompt', r.account_id, r.max_output_bytes)
  from provider_answered(pg_temp.id('made'), 'replicate', 'made', 'succeeded') as r),
  row('running'::text, 'made'::text, '00000000-0000-4000-8000-0000000000a1'::uuid, 52428800::bigint),
  'one that is made is to be fetched');
select is((select code from settle_generation(pg_temp.id('made'), '{"outputs": []}')), 'settled', 'and settled');
select is(array[pg_temp.answer('made', 'failed'), pg_temp.answer('made', 'unknown'),
  pg_temp.answer('made', 'succeeded')],
  array['unchanged succeeded', 'unchanged succeeded', 'unchanged succeeded'], 'once');
select is(pg_temp.answer('broke', 'failed', '{"code": "provider_failed", "message": "no memory"}'), 'failed failed',
  'one that failed is refunded');
select is((select row(refunded, error ->> 'message') from pg_temp.job('broke')), row(500::bigint, 'no memory'::text),
  'with the reason');
select is(pg_temp.answer('stopped', 'canceled'), 'failed failed', 'so is one that was stopped there unasked');

-- A lost job: its provider does not know it, or does not answer.
update generation_jobs set deadline_at = now() where id = pg_temp.id('works');
select is(pg_temp.answer('works', 'running'), 'running running', 'a job that runs at its deadline');
select is((pg_temp.job('works')).deadline_at, now() + interval '7200 seconds', 'has until the hard timeout');
select is(pg_temp.answer('lost', 'unknown', '{"code": "timeout", "message": "no answer"}'), 'running running',
  'what cannot be told waits');
select is((select row(last_answer, last_error ->> 'message') from pg_temp.known('lost')),
  row('unknown'::text, 'no answer'::text), 'with what was in the way');
select is(sweep_overdue_jobs(), 0, 'and is not refunded');
update generation_provider_jobs set expected_by = now() - interval '3 minutes';
select results_eq($$select subject, value from credits.provider_findings_now()$$,
  $$values ('replicate', 1::numeric)$$, 'beyond its time limit an alert says so');
select is((select count(*) from generation_jobs where status = 'running'), 2::bigint, 'two jobs are open');
update generation_jobs set deadline_at = now() where id = pg_temp.id('lost');
select is(sweep_overdue_jobs(), 1, 'at the hard timeout it is refunded');
select is(pg_temp.answer('lost', 'succeeded'), 'late expired', 'a result after that is late');
select is((select row(late_settled_at is not null, output, refunded) from pg_temp.job('lost')),
  row(true, null::jsonb, 500::bigint), 'recorded, not kept, not charged');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 49000::bigint,
  'two jobs are charged');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
