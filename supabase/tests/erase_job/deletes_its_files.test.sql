begin;
select plan(6);

create function pg_temp.account() returns uuid language sql as $$select '00000000-0000-4000-8000-0000000000a1'::uuid$$;
select from grant_credits(pg_temp.account(), 5000);
insert into generation_uploads (account_id, id, media_type, bytes) values
  (pg_temp.account(), '00000000-0000-4000-8000-0000000000c1', 'image/png', 9),
  (pg_temp.account(), '00000000-0000-4000-8000-0000000000c2', 'image/png', 9);
create function pg_temp.made(p_upload text) returns uuid language plpgsql as $$
declare
  job uuid := (atomic_charge_credits(pg_temp.account(), 'standard-image', '{"prompt": "a"}')).job_id;
  image text := format('%s/uploads/00000000-0000-4000-8000-0000000000%s.png', pg_temp.account(), p_upload);
begin
  update generation_jobs set input = input || jsonb_build_object('image', image) where id = job;
  perform settle_generation(job, format('{"outputs": [{"path": "%s/%s/0.png"}]}', pg_temp.account(), job)::jsonb);
  return job;
end;
$$;
create temp table jobs as select pg_temp.made('c1') as first, pg_temp.made('c1') as second, pg_temp.made('c2') as third;
insert into storage.objects (bucket_id, name)
  select 'generations', pg_temp.account() || '/' || first || '/1.png' from jobs;
select find_outputs_to_move();

select erase_job(first) from jobs;
select set_eq('select path from credits.storage_deletions',
  $$select pg_temp.account() || '/' || first || '/' || f from jobs, unnest(array['0.png', '1.png']) as f$$,
  'the files that it lists, and any other in its folder, but no upload that another job names');
select set_eq('select distinct reason from credits.storage_deletions', array['erased'], 'with the reason');
select set_eq('select claim_storage_deletions()', 'select path from credits.storage_deletions',
  'all of them are handed out');
select erase_job(second) from jobs;
select is(count(*), 1::bigint, 'an upload goes with the last job that names it') from credits.storage_deletions
  where path ~ 'uploads/.*c1.png$';
select is((select deleted_at is not null from generation_uploads where id::text ~ 'c1$'), true,
  'and can be named no longer');
select is((select deleted_at from generation_uploads where id::text ~ 'c2$'), null, 'the other one stays');

select * from finish();
rollback;
