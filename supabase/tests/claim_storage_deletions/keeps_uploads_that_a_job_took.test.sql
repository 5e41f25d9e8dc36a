begin;
select plan(12);

update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 100;
create function pg_temp.account() returns uuid language sql as $$select '00000000-0000-4000-8000-0000000000a1'::uuid$$;
select from grant_credits(pg_temp.account(), 50000);
create temp table uploads (name text, path text);
-- An upload of 9 bytes that is in Storage, and a job that names it.
create function pg_temp.named(p_name text, p_metadata jsonb default '{"mimetype": "image/png", "size": 9}')
returns uuid language plpgsql as $$
declare
  at text := (create_upload(pg_temp.account(), null, 'image/png', 9)).path;
  job uuid := (atomic_charge_credits(pg_temp.account(), 'standard-image', '{"prompt": "a"}')).job_id;
begin
  insert into uploads values (p_name, at);
  insert into storage.objects (bucket_id, name, metadata) values ('generations', at, p_metadata);
  update generation_jobs set input = input || jsonb_build_object('image', at) where id = job;
  return job;
end;
$$;
create function pg_temp.claimed() returns setof text language sql as $$
  select u.name from claim_storage_deletions() as c (path) join uploads as u using (path) $$;

select from pg_temp.named('large', '{"mimetype": "image/png", "size": 5368709120}');
select from pg_temp.named('page', '{"mimetype": "text/html", "size": 9}');
select from pg_temp.named('begun', null);
select set_eq('select pg_temp.claimed()', array['large', 'page'],
  'a file that is not what was announced goes at once, not after a day');
select set_eq('select distinct reason from credits.storage_deletions', array['wrong'], 'as what it is');
select is((select count(*) from generation_uploads where deleted_at is not null), 2::bigint,
  'and can be used no longer');
delete from credits.storage_deletions;
select set_eq('select pg_temp.claimed()', array['large', 'page'],
  'so is what is sent to the same address again, at once');
select is(credits.unused_uploads(pg_temp.account()), 0::bigint, 'three jobs named these');

create temp table failed as select pg_temp.named('failed') as id;
create temp table refused as select pg_temp.named('refused') as id;
create temp table running as select pg_temp.named('running') as id;
create temp table made as select pg_temp.named('made') as id;
create temp table late as select pg_temp.named('late') as id;
select from failed, fail_generation(id);
select from refused, fail_generation(id, '{"reason": "content_policy"}');
select from made, settle_generation(id, '{"outputs": []}');
select from late, fail_generation(id);
update credit_settings set late_outputs = 'keep';
select is(keep_late_output(id, '{"outputs": []}'), true) from late;
select is(credits.unused_uploads(pg_temp.account()), 2::bigint, 'a job that was refunded makes no room for others');
update generation_uploads set created_at = created_at - interval '2 days';
update generation_jobs set created_at = created_at - interval '2 days';
update credits.storage_deletions set next_attempt_at = now() + interval '1 hour';
select set_eq('select pg_temp.claimed()', array['failed', 'refused'],
  'what a job took stays; what only refunded jobs named goes after a day');

-- One account with many jobs must not hold up the deletions of all others.
insert into generation_jobs (id, account_id, model, price_effective_from, provider, cost, input, request_hash,
  status, deadline_at, created_at)
select gen_random_uuid(), pg_temp.account(), j.model, j.price_effective_from, j.provider, 0, '{"prompt": "a"}', '',
  'succeeded', now(), now() - interval '1 day'
from generation_jobs as j, generate_series(1, 20000) where j.id = (select id from made);
analyze generation_jobs;
create function pg_temp.pages(p_path text) returns integer language plpgsql as $$
declare
  plan json;
begin
  for i in 1 .. 2 loop
    execute format('explain (analyze, buffers, format json) select credits.upload_is_named(%L, %L, %L)',
      pg_temp.account(), p_path, now() - interval '3 days') into plan;
  end loop;
  return (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::integer
    + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::integer;
end;
$$;
select is(credits.upload_is_named(pg_temp.account(), path, now() - interval '3 days'), true, 'the job is found')
  from uploads where name = 'made';
select cmp_ok(pg_temp.pages(path), '<', 20, 'without a look at the account''s other jobs') from uploads
  where name = 'made';
select is(credits.upload_is_named(pg_temp.account(), path, now() - interval '3 days'), false, 'or that there is none')
  from uploads where name = 'failed';
select cmp_ok(pg_temp.pages('no such path'), '<', 20, 'as fast');

select * from finish();
rollback;
