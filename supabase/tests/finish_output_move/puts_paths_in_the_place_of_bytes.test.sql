begin;
select plan(25);

update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 1000;
create function pg_temp.account() returns uuid language sql as $$select '00000000-0000-4000-8000-0000000000a1'::uuid$$;
select from grant_credits(pg_temp.account(), 50000);
create temp table jobs (name text, id uuid);
create function pg_temp.make(p_name text, p_output jsonb) returns void language plpgsql as $$
declare
  job uuid := (atomic_charge_credits(pg_temp.account(), 'standard-image', '{"prompt": "a"}')).job_id;
begin
  perform settle_generation(job, p_output);
  insert into jobs values (p_name, job);
end;
$$;
select pg_temp.make(name, output) from (values
  ('data', '{"outputs": [{"data": "AA==", "media_type": "image/png"}]}'::jsonb),
  ('url', '{"outputs": [{"width": 1}, {"url": "data:image/png;base64,AA==", "media_type": "image/png"}]}'),
  ('link', '{"outputs": [{"url": "https://example.com/data:/a.png"}]}'), ('strings', '{"outputs": ["data:"]}'),
  ('text', '{"usage_source": "reported", "data": "AA=="}'), ('array', '[{"data": "AA=="}]'), ('true', 'true'),
  ('word', '"outputs"'), ('object', '{"outputs": {"data": "AA=="}}'),
  ('erased', '{"outputs": [{"data": "AA=="}]}'), ('deleted', '{"outputs": [{"data": "AA=="}]}'),
  ('erased late', '{"outputs": [{"data": "AA=="}]}'), ('changed', '{"outputs": [{"data": "AA=="}]}')
) as o (name, output);
create function pg_temp.id(p_name text) returns uuid language sql as $$ select id from jobs where name = p_name $$;
create function pg_temp.moved(p_name text, p_file text default '0.png') returns jsonb language sql as $$
  select jsonb_build_object('outputs', jsonb_build_array(jsonb_build_object('path',
    format('%s/%s/%s', pg_temp.account(), pg_temp.id(p_name), p_file), 'media_type', 'image/png', 'bytes', 1)))
$$;
create function pg_temp.output(p_name text) returns jsonb language sql as
  $$ select output from generation_jobs where id = pg_temp.id(p_name) $$;
select erase_job(pg_temp.id('erased'));
select delete_output(pg_temp.id('deleted'));

set local role service_role;
select is(find_outputs_to_move(), 4::bigint, 'outputs that have bytes are found');
select is(find_outputs_to_move(), 0::bigint, 'once');
reset role;
select set_eq('select name from jobs join credits.outputs_to_move on job_id = id',
  array['data', 'url', 'erased late', 'changed'], 'also in an address, and nothing else');
select is(finish_output_move(pg_temp.id('data'), pg_temp.moved('data')), false,
  'what was not handed out is not replaced');
select is(find_outputs_to_move(), 1::bigint, 'and can be found again');

create temp table claimed as select * from claim_outputs_to_move();
select results_eq('select count(*), count(distinct job_id) from claimed', 'values (4::bigint, 4::bigint)',
  'all of them are handed out');
select is((select row(account_id, output) from claimed where job_id = pg_temp.id('data')),
  row(pg_temp.account(), pg_temp.output('data')), 'with account and output');
select is_empty('select * from claim_outputs_to_move()', 'and not again at once');

select throws_ok($$select finish_output_move(pg_temp.id('data'), pg_temp.moved('url'))$$, '22023', null,
  'a path of another job is refused');
select throws_ok($$select finish_output_move(pg_temp.id('data'), pg_temp.moved('data', '../x.png'))$$, '22023', null,
  'or one that leads elsewhere');
select throws_ok($$select finish_output_move(pg_temp.id('data'), pg_temp.output('data'))$$, '22023', null,
  'or an output that still has bytes');
select throws_ok('select finish_output_move(gen_random_uuid(), ''{}'')', 'PT404', null, 'or an unknown job');
grant select on jobs to service_role;
select is(finish_output_move(pg_temp.id('data'), pg_temp.moved('data')), true, 'paths come in the place of bytes');
select is(pg_temp.output('data'), pg_temp.moved('data'), 'the output shrinks');
select is((select row(cost, status, output_deleted_at) from generation_jobs where id = pg_temp.id('data')),
  row(500::bigint, 'succeeded'::generation_job_status, null::timestamptz), 'nothing else changes');
select is(finish_output_move(pg_temp.id('data'), pg_temp.moved('data')), true, 'a repeated call is told the same');
select is(finish_output_move(pg_temp.id('data'), pg_temp.moved('data', '9.png')), false,
  'another output does not replace it');

select erase_job(pg_temp.id('erased late'));
select is(finish_output_move(pg_temp.id('erased late'), pg_temp.moved('erased late')), false,
  'what was erased meanwhile stays so');
select is(pg_temp.output('erased late'), '{}', 'nothing comes back');
update generation_jobs set output = '{"outputs": [{"data": "BB=="}]}' where id = pg_temp.id('changed');
select is(finish_output_move(pg_temp.id('changed'), pg_temp.moved('changed')), false,
  'nor is an output replaced that is another by now');
select is(pg_temp.output('changed'), '{"outputs": [{"data": "BB=="}]}', 'it stays');

-- As after a crash: handed out, and never finished.
update credits.outputs_to_move set next_attempt_at = now();
select set_eq('select job_id from claim_outputs_to_move()', $$values (pg_temp.id('url'))$$,
  'what was not finished is handed out again');
update credits.outputs_to_move set next_attempt_at = now();
update generation_jobs set output = pg_temp.moved('url') where id = pg_temp.id('url');
select is_empty('select * from claim_outputs_to_move()', 'what has no bytes any more is not');
select is_empty('select * from credits.outputs_to_move', 'and nothing is left to move');
select is((select discrepancies from reconciliation_summary), 0::bigint, 'the books are sound');

select * from finish();
rollback;
