begin;
select plan(8);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
create temp table made as select key_id as id from create_app_key('00000000-0000-4000-8000-0000000000a1', null, 'a');
create temp table jobs as
  select place, (select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    format('{"prompt": "%s"}', place)::jsonb)) as id from generate_series(1, 5) as place;
insert into generation_usage (account_id, job_id, app_key_id)
  select '00000000-0000-4000-8000-0000000000a1', j.id, m.id from jobs as j, made as m where j.place < 5;
create function pg_temp.spent() returns bigint language sql as $$
  select spent from list_app_keys('00000000-0000-4000-8000-0000000000a1', null); $$;
select from jobs, credits.app_key_spend('00000000-0000-4000-8000-0000000000a1', id, 500, 'infinity');

select is(pg_temp.spent(), 2000::bigint, 'charges count, by the jobs of the key alone');
select isnt(last_used_at, null, 'and say when it was used') from credit_app_keys;
select from fail_generation((select id from jobs where place = 1));
select is(pg_temp.spent(), 1500::bigint, 'a failed job gives back');
select from settle_generation((select id from jobs where place = 2), '{}', 100);
select is(pg_temp.spent(), 1100::bigint, 'so does what was not used');
update generation_jobs set deadline_at = now() - interval '1 minute' where id = (select id from jobs where place = 3);
select is(sweep_overdue_jobs(), 1, 'a job is swept');
select is(pg_temp.spent(), 600::bigint, 'and gives back too');
select from fail_generation((select id from jobs where place = 5));
select is(pg_temp.spent(), 600::bigint, 'a job of no key changes nothing');
update credit_app_keys set spent_month = spent_month - interval '1 month';
select is(pg_temp.spent(), 0::bigint, 'a new month begins at 0');

select * from finish();
rollback;
