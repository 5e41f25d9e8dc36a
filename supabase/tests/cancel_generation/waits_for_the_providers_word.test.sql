begin;
select plan(22);

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
update credit_plans set free_cancels_per_day = 4;
create function pg_temp.cancel(p_name text, p_acknowledged boolean default false) returns text language sql as $$
  select concat_ws(' ', r.code, r.status, r.refunded)
  from cancel_generation(pg_temp.id(p_name), p_acknowledged => p_acknowledged) as r $$;
create function pg_temp.cancels() returns integer language sql as $$
  select cancels from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1' $$;
select pg_temp.make(name, name <> 'unknown')
from unnest(array['acknowledged', 'made', 'stopped', 'broke', 'unknown', 'beyond', 'silent']) as name;

select is(pg_temp.cancel('acknowledged'), 'cancel_requested running 0', 'a job that its provider has goes on');
select is((pg_temp.known('acknowledged')).cancel_requested_at is not null, true, 'the wish is noted');
select is(pg_temp.cancels(), 1, 'and uses a free cancel');
select is(pg_temp.cancel('acknowledged'), 'cancel_requested running 0', 'asked again it is the same');
select is(pg_temp.cancels(), 1, 'and uses no other');
select is(pg_temp.cancel('acknowledged', true), 'canceled canceled 500',
  'once its provider has stopped it is refunded');
select is(pg_temp.cancels(), 1, 'for the same cancel');
select is(pg_temp.cancel('acknowledged', true), 'unchanged canceled 500', 'once');
select is(pg_temp.call_back('acknowledged', 'succeeded'), 'late canceled', 'a result after it is late');

select pg_temp.cancel('made');
select is(pg_temp.call_back('made', 'succeeded'), 'running running', 'one that its provider made all the same');
select is((select row(code, refunded) from settle_generation(pg_temp.id('made'), '{"outputs": []}')),
  row('settled'::text, 0::bigint), 'is charged');
select is(pg_temp.cancel('made', true), 'unchanged succeeded 0', 'also when the provider says that it stopped');

select pg_temp.cancel('stopped'), pg_temp.cancel('broke');
select is(pg_temp.answer('stopped', 'canceled'), 'canceled canceled', 'an answer may bring the word');
select is(pg_temp.call_back('broke', 'failed', '{"code": "provider_failed"}'), 'canceled canceled',
  'a failure after the wish is one too');
select is((select error from pg_temp.job('broke')), '{"code": "canceled"}', 'its user''s own doing');

select is(pg_temp.cancel('beyond'), 'cancels_used_up running 0', 'beyond the free cancels nothing is asked for');
select is(pg_temp.cancel('beyond', true), 'cancels_used_up running 0', 'nor by a word of the provider alone');
select is((pg_temp.known('beyond')).cancel_requested_at, null, 'and nothing noted');
select is(pg_temp.cancel('unknown'), 'canceled canceled 500', 'what no provider has ends at once');
select is(pg_temp.cancels(), 4, 'and uses none, before it has begun');

update credit_plans set free_cancels_per_day = 5;
select pg_temp.cancel('silent');
update generation_jobs set deadline_at = now() where id = pg_temp.id('silent');
select from sweep_overdue_jobs();
select is((select row(status, refunded) from pg_temp.job('silent')),
  row('expired'::generation_job_status, 500::bigint), 'without a word it is refunded at the hard timeout');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
