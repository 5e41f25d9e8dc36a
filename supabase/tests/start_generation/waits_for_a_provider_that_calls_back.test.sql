begin;
select plan(14);

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
select pg_temp.make('known'), pg_temp.make('unknown', false), pg_temp.make('called', false);
select is((select row(urls, asks, next_ask_at > now() + interval '59 seconds') from pg_temp.known('known')),
  row('{"status": "https://example.com/status"}'::jsonb, 0, true),
  'what its provider has is asked about after a minute');
select is((pg_temp.job('known')).deadline_at, now() + interval '7200 seconds',
  'it is waited for until the hard timeout');
select cmp_ok((pg_temp.known('known')).expected_by - now(), '<=', interval '661 seconds',
  'though it should end by the time limit');
select is((pg_temp.known('unknown')).job_id, null, 'what no provider is known to have, is not asked about');
select cmp_ok((pg_temp.job('unknown')).deadline_at - now(), '<=', interval '661 seconds',
  'and is refunded by its time limit');
select is(pg_temp.call_back('called', 'running'), 'running running', 'a callback may come first');
select is((pg_temp.job('called')).deadline_at, now() + interval '7200 seconds', 'and counts the same');
select is((select code from start_generation(pg_temp.id('called'), 'called', '{"cancel": "https://example.com"}')),
  'unchanged', 'then the note of the submission changes nothing');
select is((pg_temp.known('called')).urls, '{"cancel": "https://example.com"}', 'but brings the addresses');
select is((select code from start_generation(pg_temp.id('known'), 'known', '{"status": "https://example.org"}')),
  'unchanged', 'once');
select is((pg_temp.known('known')).urls, '{"status": "https://example.com/status"}', 'the first stay');
select throws_ok(format('select start_generation(pg_temp.id(''unknown''), ''x'', %L)', urls), '22023', null,
  'no address: ' || left(urls, 20))
from unnest(array['{"status": 7}', '["https://example.com"]']) as urls;

create temp table pictures as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select from start_generation((select job_id from pictures), 'at-the-provider');
select is((select count(*) from generation_provider_jobs where job_id = (select job_id from pictures)), 0::bigint,
  'a provider that answers within the request is not asked');

select * from finish();
rollback;
