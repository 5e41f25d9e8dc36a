begin;
select plan(24);

create function pg_temp.account() returns uuid language sql as $$select '00000000-0000-4000-8000-0000000000a1'::uuid$$;
select from grant_credits(pg_temp.account(), 5000);
create function pg_temp.path(p_job uuid, p_file text) returns text language sql as
  $$ select format('%s/%s/%s', pg_temp.account(), p_job, p_file) $$;
create function pg_temp.store(p_job uuid, p_file text) returns void language sql as
  $$ insert into storage.objects (bucket_id, name) values ('generations', pg_temp.path(p_job, p_file)) $$;
create function pg_temp.made(p_output text) returns uuid language plpgsql as $$
declare
  job uuid := (atomic_charge_credits(pg_temp.account(), 'standard-image', '{"prompt": "a secret"}')).job_id;
begin
  perform settle_generation(job, replace(p_output, '$', pg_temp.account() || '/' || job)::jsonb);
  return job;
end;
$$;
create temp table job as select pg_temp.made('{"outputs": [{"path": "$/0.png", "media_type": "image/png", "bytes": 9,
  "width": 64, "height": 64}, {"path": "$/1.png", "media_type": "image/png", "bytes": 9}]}') as id;
create temp table other as select pg_temp.made('{"outputs": [{"path": "$/0.png", "media_type": "image/png"}]}') as id;
grant select on job, other to service_role;
select pg_temp.store(id, f) from job, unnest(array['0.png', '1.png', '2.png']) as f;
select pg_temp.store(id, '0.png') from other;

set local role service_role;
create temp table returned as select path from job, delete_output(job.id) as d (path);
reset role;
select set_eq('table returned', $$select pg_temp.path(id, f) from job, unnest(array['0.png', '1.png', '2.png']) as f$$,
  'the paths of all its files are returned, also of one that it does not list');
select is((select output from generation_jobs where id = (select id from job)),
  (select jsonb_build_object('outputs', jsonb_build_array(
    jsonb_build_object('path', pg_temp.path(id, '0.png'), 'media_type', 'image/png', 'bytes', 9, 'width', 64,
      'height', 64),
    jsonb_build_object('path', pg_temp.path(id, '1.png'), 'media_type', 'image/png', 'bytes', 9))) from job),
  'the job still says what they were');
select is((select row(output_deleted_at is not null, erased_at, input ->> 'prompt') from generation_jobs
  where id = (select id from job)), row(true, null::timestamptz, 'a secret'::text),
    'its output is deleted, its prompt is not');
select is((select output_deleted_at from generation_jobs where id = (select id from other)), null,
  'another job''s output stays');
select is_empty('select claim_storage_deletions()', 'the task leaves them to the caller for a while');
select set_eq('select delete_output(id) from job', 'table returned', 'asked again, the files are returned again');

create temp table deleted_at as select output_deleted_at from generation_jobs where id = (select id from job);
delete from storage.objects where name in (select path from returned) and name like '%/0.png';
select is(finish_storage_deletions(array(select path from returned)), 1, 'a file that is gone is finished');
select is(count(*), 2::bigint, 'one that is still there is not') from credits.storage_deletions;
update credits.storage_deletions set next_attempt_at = now();
select set_eq('select claim_storage_deletions()', $$select path from returned where path not like '%/0.png'$$,
  'the task does what the caller left');
delete from storage.objects where name in (select path from returned);
select is(finish_storage_deletions(array(select path from returned)), 2, 'and finishes it');
select is(finish_storage_deletions(array(select path from returned)), 0, 'once');
select is_empty('select delete_output(id) from job', 'asked again, nothing is left to delete');
select is((select output_deleted_at from generation_jobs where id = (select id from job)),
  (select output_deleted_at from deleted_at), 'the time of the deletion stays');
select is((select status from generation_jobs where id = (select id from job)), 'succeeded',
  'the job is one that succeeded');
select is(count(*), 1::bigint, 'the other job''s file is there') from storage.objects
  where name = (select pg_temp.path(id, '0.png') from other);

create temp table text_job as select pg_temp.made('{"usage_source": "reported", "usage": {"output_tokens": 1},
  "response": {"content": "a secret"}}') as id;
select delete_output(id) from text_job;
select is((select output from generation_jobs where id = (select id from text_job)),
  '{"usage_source": "reported", "usage": {"output_tokens": 1}}', 'of a text what it used stays');
create temp table old_job as select pg_temp.made('{"outputs": [{"data": "c2VjcmV0", "media_type": "image/png"}]}') as
  id;
select find_outputs_to_move();
select is_empty('select delete_output(id) from old_job', 'what was not moved to Storage has no file');
select is((select output from generation_jobs where id = (select id from old_job)),
  '{"outputs": [{"media_type": "image/png"}]}', 'and is deleted from the database');
select is_empty('select * from credits.outputs_to_move', 'and no longer moved');
create temp table own_job as select pg_temp.made('{"link": "https://example.com/secret.png"}') as id;
select delete_output(id) from own_job;
select is((select output from generation_jobs where id = (select id from own_job)), '{}',
  'an output of another form is deleted whole');

-- As a client does with an address from before, or a callback that was slow.
select pg_temp.store(id, '0.png') from job;
select set_eq('select claim_storage_deletions()', 'select pg_temp.path(id, ''0.png'') from job',
  'a file that is written in the place of one that was deleted goes at once');
delete from credits.storage_deletions;
select erase_job(id) from job;
delete from credits.storage_deletions;
select set_eq('select claim_storage_deletions()', 'select pg_temp.path(id, ''0.png'') from job', 'or erased');
delete from storage.objects where name in (select path from returned);
delete from credits.storage_deletions;
select is_empty('select delete_output(id) from job', 'an erased job has nothing to delete');
select is((select discrepancies from reconciliation_summary), 0::bigint, 'the books are sound');

select * from finish();
rollback;
