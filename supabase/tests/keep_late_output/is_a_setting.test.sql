begin;
select plan(21);

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
create function pg_temp.output(p_name text) returns jsonb language sql as $$
  select jsonb_build_object('outputs', jsonb_build_array(jsonb_build_object('path',
    '00000000-0000-4000-8000-0000000000a1/' || pg_temp.id(p_name) || '/0.png'))) $$;
create function pg_temp.keep(p_name text) returns boolean language sql as
  $$ select keep_late_output(pg_temp.id(p_name), pg_temp.output(p_name)) $$;
select pg_temp.make(name)
from unnest(array['dropped', 'kept', 'canceled', 'refused', 'erased', 'made', 'open', 'asked']) as name;
select fail_generation(pg_temp.id(name)) from unnest(array['dropped', 'kept', 'erased', 'asked']) as name;
select from fail_generation(pg_temp.id('refused'), '{"reason": "content_policy"}');
select from cancel_generation(pg_temp.id('canceled'), p_acknowledged => true);
select from erase_job(pg_temp.id('erased'));
select from settle_generation(pg_temp.id('made'), '{"outputs": []}');

select is(pg_temp.call_back('dropped', 'succeeded'), 'late failed', 'by default a late result is dropped');
select is(pg_temp.keep('dropped'), false, 'and cannot be kept');
update credit_settings set late_outputs = 'keep';
select is((select row(r.code, r.input ->> 'prompt', r.account_id)
  from receive_callback(pg_temp.id('kept'), 'replicate', 'kept', 'succeeded') as r),
  row('late_keep'::text, 'kept'::text, '00000000-0000-4000-8000-0000000000a1'::uuid), 'by a setting it is kept');
select is(pg_temp.answer('asked', 'succeeded'), 'late_keep failed', 'however it is known');
select is(pg_temp.keep('kept'), false, 'what is not in Storage is no result');
insert into storage.objects (bucket_id, name)
select 'generations', pg_temp.output('kept') #>> '{outputs,0,path}';
select is(pg_temp.keep('kept'), true, 'the user gets it');
select is((select row(status, output, refunded, late_settled_at is not null, error is not null)
  from pg_temp.job('kept')),
  row('failed'::generation_job_status, pg_temp.output('kept'), 500::bigint, true, true),
  'and status and refund stay');
select is(pg_temp.keep('kept'), false, 'once');
select is(pg_temp.call_back('kept', 'succeeded'), 'late failed', 'a repeated callback is late');
select is(pg_temp.call_back('canceled', 'succeeded'), 'late canceled', 'what its user canceled is not theirs');
select is(pg_temp.call_back('refused', 'succeeded'), 'late failed', 'nor what was refused for its content');
select is(pg_temp.keep(name), false, name || ': no output is kept')
from unnest(array['canceled', 'refused', 'erased', 'made', 'open']) as name;
select throws_ok('select keep_late_output(gen_random_uuid(), ''{}'')', 'PT404');
select throws_ok(format('select keep_late_output(pg_temp.id(''asked''), %L)', output), '22023', null, 'no output')
from unnest(array['[]', jsonb_build_object('data', repeat('x', 262144))::text]) as output;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');
select is((select discrepancies from reconcile_credit_ledger(true)), 0::bigint, 'deeply, too');

select * from finish();
rollback;
