begin;
select plan(5);

-- An account here, and one of another shard; a file in the folder of each that no job lists, and one in no folder.
create temp table ids as
  select distinct on (mine) id, mine
  from (select md5(n::text)::uuid as id from generate_series(1, 1000) as n) as made,
    lateral (select credits.slot_group(id) = 6 as mine) as of_it
  order by mine;
create function pg_temp.file_of(p_mine boolean) returns text language sql as $$
  select format('%s/%s/0.png', id, md5(id::text)::uuid) from ids where mine = p_mine $$;
insert into storage.objects (bucket_id, name, metadata, created_at, updated_at)
select 'generations', name, '{"size": 7}', now() - interval '2 days', now() - interval '2 days'
from (values (pg_temp.file_of(true)), (pg_temp.file_of(false)), ('nobody.png')) as files (name);
select grant_credits(id, 1) from ids where mine;
select credits.become_shard('s1', '{6}');

select set_eq($$select path, verdict from credits.files_judged('', 100)$$,
  $$values (pg_temp.file_of(true), 'orphan'), (pg_temp.file_of(false), 'elsewhere'), ('nobody.png', 'elsewhere')$$,
  'a shard judges the files of its own accounts');
select set_eq('select claim_storage_deletions()', array[pg_temp.file_of(true)], 'and deletes no other');
select is((select files from generation_files), 1::bigint, 'nor counts them');
select is_empty(format($$select * from credits.file_discrepancies() where account_id = %L$$,
  (select id from ids where not mine)), 'nor reports them');

select credits.cease_shard();
select credits.become_shard('s0', array[6, credits.slot_group('00000000-0000-0000-0000-000000000000')]);
select is((select verdict from credits.files_judged('', 100) where path = 'nobody.png'), 'foreign',
  'what is in no account''s folder is judged by one shard');

select * from finish();
rollback;
