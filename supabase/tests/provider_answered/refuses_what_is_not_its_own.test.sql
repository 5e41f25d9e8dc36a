begin;
select plan(7);

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
select pg_temp.make('one'), pg_temp.make('unknown', false);
select throws_ok($$select provider_answered(pg_temp.id('one'), 'replicate', 'two', 'failed')$$, 'PT404', 'no such job',
  'another job of the provider''s');
select throws_ok($$select provider_answered(pg_temp.id('one'), 'openai', 'one', 'failed')$$, 'PT404', 'no such job',
  'another provider''s');
select throws_ok($$select provider_answered(pg_temp.id('unknown'), 'replicate', 'unknown', 'failed')$$, 'PT404',
  'no such job', 'one that no provider is known to have');
select throws_ok($$select provider_answered(gen_random_uuid(), 'replicate', 'one', 'failed')$$, 'PT404', 'no such job',
  'an unknown one');
select throws_ok($$select provider_answered(pg_temp.id('one'), 'replicate', null, 'failed')$$, 'PT404', 'no such job',
  'without an id');
select throws_ok($$select provider_answered(pg_temp.id('one'), 'replicate', 'one', 'perhaps')$$, '22023', null,
  'an answer that there is not');
select is((select count(*) from generation_jobs where status in ('pending', 'running')), 2::bigint, 'the jobs go on');

select * from finish();
rollback;
