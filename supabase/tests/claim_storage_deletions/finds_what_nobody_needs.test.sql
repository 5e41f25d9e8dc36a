begin;
select plan(18);

insert into credit_plans (name, keep_outputs_days) values ('brief', 7);
create function pg_temp.account(p_letter text) returns uuid language sql
  as $$ select format('00000000-0000-4000-8000-0000000000%s1', p_letter)::uuid $$;
select grant_credits(pg_temp.account(a), 5000) from unnest(array['a', 'b']) as a;
select set_account_plan(pg_temp.account('b'), 'brief');
create function pg_temp.store(p_path text, p_age interval) returns text language sql as $$
  insert into storage.objects (bucket_id, name, created_at, updated_at, metadata)
  values ('generations', p_path, now() - p_age, now() - p_age, '{"size": 1000, "mimetype": "image/png"}') returning name
$$;
-- A job with a file 0.png that it lists and a file 1.png that it does not, both older than an hour.
create function pg_temp.job(p_account text, p_age interval default '2 hours') returns uuid language plpgsql as $$
declare
  job uuid := (atomic_charge_credits(pg_temp.account(p_account), 'standard-image', '{"prompt": "a"}')).job_id;
  folder text := pg_temp.account(p_account) || '/' || job;
begin
  perform pg_temp.store(folder || '/0.png', p_age), pg_temp.store(folder || '/1.png', p_age);
  return job;
end;
$$;
create function pg_temp.settled(p_account text, p_age interval default '2 hours') returns uuid language plpgsql as $$
declare
  job uuid := pg_temp.job(p_account, p_age);
begin
  perform settle_generation(job, format('{"outputs": [{"path": "%s/%s/0.png", "media_type": "image/png"}]}',
    pg_temp.account(p_account), job)::jsonb);
  update generation_jobs set ended_at = now() - p_age where id = job;
  return job;
end;
$$;
create temp table jobs (name text, id uuid);
insert into jobs values ('open', pg_temp.job('a')), ('failed', pg_temp.job('a')), ('just failed', pg_temp.job('a',
  '1 minute')),
  ('settled', pg_temp.settled('a')), ('old', pg_temp.settled('a', '8 days')), ('expired', pg_temp.settled('b',
    '8 days')),
  ('not expired', pg_temp.settled('b', '6 days')), ('moving', pg_temp.job('a'));
select fail_generation(id) from jobs where name in ('failed', 'just failed');
-- The sweep finds what the refund did not queue, such as a file that was written after it.
delete from credits.storage_deletions;
select settle_generation(id, '{"outputs": [{"data": "AA==", "media_type": "image/png"}]}') from jobs where name =
  'moving';
select find_outputs_to_move();
create function pg_temp.path(p_account text, p_job text, p_file text) returns text language sql as
  $$ select format('%s/%s/%s', pg_temp.account(p_account), (select id from jobs where name = p_job), p_file) $$;
insert into generation_uploads (account_id, id, media_type, bytes, created_at, used_at) values
  (pg_temp.account('a'), '00000000-0000-4000-8000-0000000000c1', 'image/png', 1000, now() - interval '25 hours', null),
  (pg_temp.account('a'), '00000000-0000-4000-8000-0000000000c2', 'image/png', 1000, now() - interval '23 hours', null),
  (pg_temp.account('a'), '00000000-0000-4000-8000-0000000000c3', 'image/png', 1000, now() - interval '25 hours',
    now() - interval '24 hours'),
  (pg_temp.account('a'), '00000000-0000-4000-8000-0000000000c4', 'image/png', 1000, now() - interval '25 hours', null),
  (pg_temp.account('a'), '00000000-0000-4000-8000-0000000000c5', 'image/png', 1000, now() - interval '25 hours',
    now() - interval '1 minute'),
  (pg_temp.account('b'), '00000000-0000-4000-8000-0000000000c6', 'image/png', 1000, now() - interval '20 days', null),
  (pg_temp.account('b'), '00000000-0000-4000-8000-0000000000c7', 'image/png', 1000, now() - interval '20 days', null);
select pg_temp.store(path, now() - created_at) from generation_uploads;
select atomic_charge_credits(account_id, 'standard-image', '{"prompt": "a"}', 'names ' || id) from generation_uploads
  where id::text ~ 'c[467]$';
update generation_jobs as j set input = j.input || jsonb_build_object('image', u.path),
  created_at = case when u.id::text ~ 'c6$' then now() - interval '10 days' else j.created_at end
from generation_uploads as u where j.idempotency_key = 'names ' || u.id;
select pg_temp.store(f, '2 hours') from unnest(array[pg_temp.account('a') || '/uploads/nobodys.png',
  pg_temp.account('c') || '/' || gen_random_uuid() || '/0.png', 'readme.txt', pg_temp.account('a') || '/picture.png',
  'avatars/00000000-0000-4000-8000-0000000000a1/0.png']) as f;
insert into storage.buckets (id, name) values ('avatars', 'avatars');
insert into storage.objects (bucket_id, name, created_at, updated_at)
  values ('avatars', pg_temp.account('a') || '/uploads/1.png', '2020-01-01', '2020-01-01');

set local role service_role;
create temp table claimed as select path from claim_storage_deletions() as c (path);
reset role;
grant select on claimed to service_role;
create function pg_temp.has(p_path text) returns boolean language sql as
  $$ select exists (select from claimed where path = p_path) $$;
select is(row(pg_temp.has(pg_temp.path('a', 'open', '0.png')), pg_temp.has(pg_temp.path('a', 'open', '1.png'))),
  row(false, false), 'nothing of a job that runs');
select is(row(pg_temp.has(pg_temp.path('a', 'failed', '0.png')), pg_temp.has(pg_temp.path('a', 'failed', '1.png'))),
  row(true, true), 'all of a job that failed');
select is(pg_temp.has(pg_temp.path('a', 'just failed', '0.png')), false, 'not within an hour');
select is(row(pg_temp.has(pg_temp.path('a', 'settled', '0.png')), pg_temp.has(pg_temp.path('a', 'settled', '1.png'))),
  row(false, true), 'of a job that succeeded what it does not list');
select is(pg_temp.has(pg_temp.path('a', 'old', '0.png')), false, 'a plan without a number of days keeps outputs');
select is(row(pg_temp.has(pg_temp.path('b', 'expired', '0.png')), pg_temp.has(pg_temp.path('b', 'not expired',
  '0.png'))),
  row(true, false), 'a plan with one deletes what is older');
select is((select output_deleted_at is not null from generation_jobs
  where id = (select id from jobs where name = 'expired')), true, 'whose job says that its output is deleted');
select is(pg_temp.has(pg_temp.path('a', 'moving', '0.png')), false,
  'nothing of an output that is being moved to Storage');
select set_eq($$select right(path, 5) from claimed where path ~ '/uploads/0'$$, array['1.png', '3.png', '6.png'],
  'uploads that no job names: not those of today, of a request of this hour, or of a job, while outputs are kept');
select set_eq($$select id from generation_uploads where deleted_at is not null$$, array[
  '00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000c6']::uuid[], 'which can be used no longer');
select is(pg_temp.has(pg_temp.account('a') || '/uploads/nobodys.png'), true, 'an upload that nobody announced');
select is(count(*), 1::bigint, 'a file whose job there never was') from claimed
  where starts_with(path, pg_temp.account('c')::text);
select is_empty($$select path from claimed where path ~ 'readme|picture|avatars'$$,
  'nothing outside of the folders of jobs and uploads');
select is(count(*), (select count(distinct path) from claimed), 'each once') from claimed;
select is_empty('select claim_storage_deletions()', 'what is handed out is not handed out again at once');
select is((select row(all_files, all_bytes) from credits.file_sweep),
  (select row(count(*), count(*) * 1000::numeric) from storage.objects where bucket_id = 'generations'),
  'what is kept is counted');
delete from storage.objects where name in (select path from claimed);
set local role service_role;
select is(finish_storage_deletions(array(select path from claimed)), (select count(*)::integer from claimed),
  'deleted, all of them are finished');
reset role;
select is((select row(count(*), (select count(*) from credits.storage_deletions)) from claim_storage_deletions()),
  row(0::bigint, 0::bigint), 'and nothing is left to do');

select * from finish();
rollback;
