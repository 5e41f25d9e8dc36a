begin;
select plan(13);

update credit_plans set max_concurrent_jobs = 100, rate_limit_requests = 100;
update credit_settings set late_outputs = 'keep';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50000);
create function pg_temp.job() returns uuid language sql as $$
  select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')
$$;
create temp table other as select pg_temp.job() as id;
-- How a job ends that lists this path; $ stands for its folder.
create function pg_temp.lists(p_path text, p_cost bigint default null) returns text language plpgsql as $$
declare
  job uuid := pg_temp.job();
  path text := replace(p_path, '$', '00000000-0000-4000-8000-0000000000a1/' || job);
begin
  begin
    perform settle_generation(job, jsonb_build_object('outputs', jsonb_build_array(jsonb_build_object('path', path))),
      p_cost);
  exception when sqlstate '22023' then
    return (select 'refused, ' || status from generation_jobs where id = job);
  end;
  return (select status::text from generation_jobs where id = job);
end;
$$;
select is(pg_temp.lists('$/0.png'), 'succeeded', 'a job lists a file in its folder');
select is(pg_temp.lists('$/12.webm', 100), 'succeeded', 'also where it cost less');
select is(pg_temp.lists('00000000-0000-4000-8000-0000000000a1/' || id || '/0.png'), 'refused, pending',
  'one of another job is refused, and the job goes on') from other;
select is(pg_temp.lists('00000000-0000-4000-8000-0000000000b1/' || id || '/0.png', 100), 'refused, pending',
  'one of another account') from other;
select is(array(select pg_temp.lists(p) from unnest(array['$', '$/', '$/a.png', '$/0', '$/0.PNG', '$/../0.png',
  '/$/0.png',
  '$/0.png/0.png', '$/0.png' || chr(10), ' $/0.png', 'uploads/0.png', '']) as p),
  array_fill('refused, pending'::text, array[12]), 'and what is no path of an output');
select is(pg_temp.lists('$/0.' || repeat('a', 9)), 'refused, pending', 'or a long one');

create function pg_temp.settles(p_output jsonb) returns text language sql as
  $$ select code from settle_generation(pg_temp.job(), p_output) $$;
select is(pg_temp.settles('{"outputs": [{"path": 1}, "a path", null]}'), 'settled', 'other forms list nothing');
select is(pg_temp.settles('"outputs"'), 'settled', 'nor does a word');
select is(pg_temp.settles(jsonb_build_object('data', repeat('a', 262144 - 12))), 'settled',
  'an output may have 256 KiB');
select throws_ok($$select pg_temp.settles(jsonb_build_object('data', repeat('a', 262145 - 12)))$$, '22023',
  'an output has at most 256 KiB', 'and no more');
select is(pg_temp.settles(jsonb_build_object('usage_source', 'reported', 'response', repeat('a', 300000))), 'settled',
  'but the answer of a text that is kept');

create temp table late as select pg_temp.job() as id;
select fail_generation(id) from late;
select throws_ok($$select keep_late_output(late.id, jsonb_build_object('outputs', jsonb_build_array(jsonb_build_object(
  'path', '00000000-0000-4000-8000-0000000000a1/' || other.id || '/0.png')))) from late, other$$, '22023', null,
  'a late result lists files of its own job alone, too');
select credits.deletions_add('00000000-0000-4000-8000-0000000000a1',
  array['00000000-0000-4000-8000-0000000000a1/' || id || '/0.png'], 'orphan') from late;
select is(keep_late_output(id, jsonb_build_object('outputs', jsonb_build_array(jsonb_build_object('path',
  '00000000-0000-4000-8000-0000000000a1/' || id || '/0.png')))), false, 'and none that is being deleted') from late;

select * from finish();
rollback;
