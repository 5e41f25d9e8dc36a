begin;
select plan(8);

create function pg_temp.person(p_letter text) returns uuid language sql
  as $$ select format('00000000-0000-4000-8000-0000000000%s1', p_letter)::uuid $$;
insert into auth.users (id, email) select pg_temp.person(p), p || '@example.com' from unnest(array['a', 'b']) as p;
select create_team_account(pg_temp.person('b'), pg_temp.person('f'));
select set_account_member(pg_temp.person('f'), pg_temp.person('a'), 'member');
select grant_credits(pg_temp.person(a), 5000) from unnest(array['a', 'b', 'f']) as a;
create function pg_temp.store(p_path text) returns text language sql as
  $$ insert into storage.objects (bucket_id, name) values ('generations', p_path) returning name $$;
-- A job that listed one file and has another in its folder.
create function pg_temp.job(p_account text, p_member text, p_settles boolean) returns uuid language plpgsql as $$
declare
  job uuid := (atomic_charge_credits(pg_temp.person(p_account), 'standard-image', '{"prompt": "a"}',
    p_member_id => pg_temp.person(p_member))).job_id;
  folder text := pg_temp.person(p_account) || '/' || job;
begin
  perform pg_temp.store(folder || '/0.png'), pg_temp.store(folder || '/1.png');
  if p_settles then
    perform settle_generation(job, format('{"outputs": [{"path": "%s/0.png"}]}', folder)::jsonb);
  end if;
  return job;
end;
$$;
create temp table jobs as select pg_temp.job('a', 'a', true) as own, pg_temp.job('a', 'a', false) as open,
  pg_temp.job('f', 'a', true) as in_team, pg_temp.job('f', 'b', true) as of_another, pg_temp.job('b', 'b',
    true) as others;
insert into generation_uploads (account_id, member_id, media_type, bytes) values
  (pg_temp.person('a'), null, 'image/png', 9), (pg_temp.person('f'), pg_temp.person('a'), 'image/png', 9),
  (pg_temp.person('f'), pg_temp.person('b'), 'image/png', 9);
select pg_temp.store(path) from generation_uploads;
select pg_temp.store(pg_temp.person('a') || '/anything.txt');
create temp table uploads as select * from generation_uploads;
insert into credits.outputs_to_move (account_id, job_id) select pg_temp.person('a'), own from jobs;

select erase_account(pg_temp.person('a'));
create function pg_temp.queued(p_pattern text) returns bigint language sql as
  $$ select count(*) from credits.storage_deletions where path like p_pattern $$;
select is(pg_temp.queued(pg_temp.person('a') || '/%'), (select count(*) from storage.objects
  where starts_with(name, pg_temp.person('a')::text)), 'every file in the person''s own folder, of each kind');
select is(pg_temp.queued(format('%s/%s/%%', pg_temp.person('f'), (select in_team from jobs))), 2::bigint,
  'the files of the jobs that they asked for in a team');
select is(pg_temp.queued('%' || (select path from uploads where account_id = pg_temp.person('f')
  and member_id = pg_temp.person('a'))), 1::bigint, 'and what they uploaded there');
select is(pg_temp.queued(pg_temp.person('f') || '/%'), 3::bigint, 'nothing else of the team');
select is(pg_temp.queued(pg_temp.person('b') || '/%'), 0::bigint, 'nothing of anybody else');
select set_eq('select member_id from generation_uploads', array[pg_temp.person('b')],
  'no row tells what they uploaded');
select is_empty('select * from credits.outputs_to_move', 'nothing of theirs is moved any more');
select is((select count(*) from claim_storage_deletions(1000)),
  (select count(*) from credits.storage_deletions), 'all of it is handed out, also of the job that was running');

select * from finish();
rollback;
