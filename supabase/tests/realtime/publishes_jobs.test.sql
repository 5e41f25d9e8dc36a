begin;
select plan(1);

select is((select count(*) from pg_publication_tables
  where pubname = 'supabase_realtime' and tablename = 'generation_jobs'),
  (select count(*) from pg_publication where pubname = 'supabase_realtime'),
  'jobs are in the publication where there is one');

select * from finish();
rollback;
