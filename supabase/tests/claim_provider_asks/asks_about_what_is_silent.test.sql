begin;
select plan(17);

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
create function pg_temp.claimed() returns text[] language sql as $$
  select array_agg(provider_job_id order by provider_job_id) from claim_provider_asks() $$;
create function pg_temp.silent(p_name text, p_for interval default '1 second') returns void language sql as $$
  update generation_provider_jobs set next_ask_at = now() - p_for where job_id = pg_temp.id(p_name) $$;
create function pg_temp.next_ask(p_name text) returns integer language sql as $$
  select round(extract(epoch from next_ask_at - clock_timestamp()) / 10) * 10
  from generation_provider_jobs where job_id = pg_temp.id(p_name) $$;
select pg_temp.make('one'), pg_temp.make('two');

select is(pg_temp.claimed(), null, 'for a minute nobody asks');
select is(credits.provider_asks_due(), false, 'nothing is due');
select pg_temp.silent('one');
select is(credits.provider_asks_due(), true, 'then it is');
select is((select to_jsonb(a) - 'input' from claim_provider_asks() as a), jsonb_build_object(
  'job_id', pg_temp.id('one'), 'account_id', '00000000-0000-4000-8000-0000000000a1', 'provider', 'replicate',
  'provider_job_id', 'one', 'urls', '{"status": "https://example.com/status"}'::jsonb, 'cancel_requested', false,
  'max_output_bytes', 52428800),
  'with what its provider needs');
select is(pg_temp.claimed(), null, 'once');
update generation_jobs set provider_job_id = null where id = pg_temp.id('one');
select pg_temp.silent('one');
select is(row(credits.provider_asks_due(), pg_temp.claimed()), row(false, null::text[]),
  'nor a job whose id at its provider was erased, and the schedule is not called for it');
update generation_jobs set provider_job_id = 'one' where id = pg_temp.id('one');
update generation_provider_jobs set next_ask_at = now() + interval '1 minute' where job_id = pg_temp.id('one');

create temp table waits as select null::integer as ask, null::integer as seconds where false;
do $$
begin
  for ask in 2 .. 7 loop
    perform pg_temp.silent('one');
    perform claim_provider_asks();
    insert into waits values (ask, pg_temp.next_ask('one'));
  end loop;
end;
$$;
select is((select array_agg(seconds order by ask) from waits), array[240, 480, 660, 660, 660, 660],
  'it waits twice as long each time, and asks when the job should have ended');
update generation_provider_jobs set expected_by = now() where job_id = pg_temp.id('one');
select pg_temp.silent('one');
select pg_temp.claimed();
select is(pg_temp.next_ask('one'), 900, 'then at most 15 minutes');
update generation_jobs set deadline_at = now() + interval '5 minutes' where id = pg_temp.id('one');
select pg_temp.silent('one');
select pg_temp.claimed();
select is(pg_temp.next_ask('one'), 210, 'and once more before its deadline');

select pg_temp.silent('two');
select pg_temp.call_back('two', 'running');
select is(pg_temp.claimed(), null, 'what calls back is not silent');
select is(pg_temp.next_ask('two'), 60, 'for a minute');
select pg_temp.silent('two');
select from cancel_generation(pg_temp.id('two'));
select is((select cancel_requested from claim_provider_asks()), true, 'a cancel is asked for again');
select from settle_generation(pg_temp.id('two'), '{"outputs": []}');
select pg_temp.silent('two');
select is(pg_temp.claimed(), null, 'what has ended is not asked about');
select is((select count(*) from generation_provider_jobs), 2::bigint, 'it is known until the sweep');
select from sweep_overdue_jobs();
select is((select array_agg(job_id) from generation_provider_jobs), array[pg_temp.id('one')], 'which deletes it');

select pg_temp.make('oldest'), pg_temp.make('older');
select pg_temp.silent('older', '1 minute'), pg_temp.silent('oldest', '1 hour'), pg_temp.silent('one');
select is((select array_agg(provider_job_id) from claim_provider_asks(1)), array['oldest'],
  'the longest silent first');
select is((select count(*) from claim_provider_asks(-1)), 0::bigint, 'none is none');

select * from finish();
rollback;
