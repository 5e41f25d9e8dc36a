begin;
select plan(21);

create function pg_temp.account() returns uuid language sql as $$select '00000000-0000-4000-8000-0000000000a1'::uuid$$;
create function pg_temp.other() returns uuid language sql as $$select '00000000-0000-4000-8000-0000000000b1'::uuid$$;
select grant_credits(a, 5000) from unnest(array[pg_temp.account(), pg_temp.other()]) as a;
create function pg_temp.announced(p_type text default 'image/png',
  p_bytes bigint default 9) returns text language sql as
  $$ select path from create_upload(pg_temp.account(), null, p_type, p_bytes) $$;
create function pg_temp.stored(p_path text, p_metadata jsonb) returns text language sql as $$
  insert into storage.objects (bucket_id, name, metadata) values ('generations', p_path, p_metadata) returning name
$$;
create function pg_temp.check(p_path text) returns text language sql as
  $$ select check_input_object(pg_temp.account(), p_path) $$;

create temp table good as select pg_temp.announced() as path;
grant select on good to service_role;
select is(pg_temp.check(path), 'not_found', 'nothing was uploaded yet') from good;
select is((select used_at from generation_uploads), null, 'so nothing is used');
select pg_temp.stored(path, '{"mimetype": "image/png", "size": 9}') from good;
set local role service_role;
select is(check_input_object('00000000-0000-4000-8000-0000000000a1', path), 'ok', 'what was announced may be named')
  from good;
reset role;
select isnt((select used_at from generation_uploads), null, 'and is marked as used');
select is(pg_temp.check(path), 'ok', 'again and again') from good;
select is(check_input_object(pg_temp.other(), path), 'not_found', 'by nobody else') from good;

create function pg_temp.answers(p_path text) returns text[] language sql as
  $$ select array[pg_temp.check(p_path), pg_temp.check(p_path)] $$;
create function pg_temp.wrong(p_metadata jsonb) returns text[] language sql as
  $$ select pg_temp.answers(pg_temp.stored(pg_temp.announced(), p_metadata)) $$;
select is(pg_temp.wrong('{"mimetype": "text/html", "size": 9}'), array['wrong_type', 'not_found'],
  'another type is told once, and is then gone');
select is(pg_temp.wrong('{"mimetype": "image/png", "size": 10}'), array['wrong_size', 'not_found'],
  'another size, too');
select is(pg_temp.wrong('{"mimetype": "image/png"}'), array['wrong_size', 'not_found'], 'and none');
select is(pg_temp.wrong(null), array['wrong_type', 'not_found'], 'and where Storage says nothing');
select is(pg_temp.answers(pg_temp.stored(pg_temp.announced('image/jpeg'),
  '{"mimetype": "image/JPEG; q=1", "size": 9}')),
  array['ok', 'ok'], 'a type may be written in another way');
select is((select array_agg(distinct reason) from credits.storage_deletions), array['wrong'],
  'what is wrong is queued');
select is((select count(*) from claim_storage_deletions()), 4::bigint, 'and handed out to be deleted');

create function pg_temp.made(p_account uuid, p_type text) returns text language plpgsql as $$
declare
  job uuid := (atomic_charge_credits(p_account, 'standard-image', '{"prompt": "a"}')).job_id;
  path text := format('%s/%s/0.bin', p_account, job);
begin
  perform settle_generation(job, jsonb_build_object('outputs',
    jsonb_build_array(jsonb_build_object('path', path, 'media_type', p_type))));
  return pg_temp.stored(path, jsonb_build_object('mimetype', p_type, 'size', 100));
end;
$$;
create temp table picture as select pg_temp.made(pg_temp.account(), 'image/png') as path;
select is(pg_temp.check(path), 'ok', 'a picture that a job of theirs made may be named') from picture;
select is(check_input_object(pg_temp.other(), path), 'not_found', 'by nobody else') from picture;
select is(pg_temp.check(pg_temp.made(pg_temp.account(), 'video/mp4')), 'wrong_type', 'a video may not');
select is(pg_temp.check(replace(path, '0.bin', '1.bin')), 'not_found', 'nor what it did not make') from picture;
select delete_output(credits.job_of_file(path)) from picture;
select is(pg_temp.check(path), 'not_found', 'nor what was deleted') from picture;

select pg_temp.stored(pg_temp.account() || '/uploads/x.png', '{"mimetype": "image/png", "size": 9}');
select is(pg_temp.check(pg_temp.account() || '/uploads/x.png'), 'not_found', 'nor an upload that nobody announced');
select is(array(select pg_temp.check(p) from unnest(array['', '/', '../' || pg_temp.account(),
  'https://example.com/a.png',
  pg_temp.account() || '/x/0.png', pg_temp.account() || '/' || repeat('0', 36) || '/0.png', null]) as p),
  array_fill('not_found'::text, array[7]), 'nor what is no path');
select is((select count(*) from generation_uploads where deleted_at is null), 2::bigint, 'nothing else changes');

select * from finish();
rollback;
