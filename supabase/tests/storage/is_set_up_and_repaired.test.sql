begin;
select plan(18);

-- pg_cron's first minute may not be over.
create temp view not_ok as select check_name, detail, remedy from verify_deployment()
  where not ok and check_name <> 'pg_cron has begun';
update credit_scheduled_tasks set created_at = now();
select sweep_overdue_jobs();
select is((select public from storage.buckets where id = 'generations'), false, 'the migrations make a private bucket');
select is_empty('select credits.storage_set_up()', 'a second call does nothing');
select is_empty('select check_name, detail from not_ok', 'which verify_deployment confirms');

update storage.buckets set public = true where id = 'generations';
drop policy generations_read_own on storage.objects;
create policy generations_read_own on storage.objects for select to authenticated using (bucket_id = 'generations');
select set_eq('select check_name from not_ok', array['outputs are in a private bucket with one policy'],
  'a bucket that is open, or a policy that lets through more, is found');
create temp table statements as select * from credits.storage_statements();
select set_eq('select * from repair_deployment()', 'table statements',
  'the repairing call says what it does');
select is_empty('select check_name from not_ok', 'and all is right again');
update storage.buckets set allowed_mime_types = null, file_size_limit = null where id = 'generations';
select set_eq('select check_name from not_ok', array['outputs are in a private bucket with one policy'],
  'a bucket that takes pages, or files of any size, is found');
select isnt_empty('select * from repair_deployment()', 'and repaired');
select is((select row(file_size_limit, 'text/html' = any (allowed_mime_types),
  'image/svg+xml' = any (allowed_mime_types), 'video/mp4' = any (allowed_mime_types))
  from storage.buckets where id = 'generations'),
  row(1073741824::bigint, false, false, true), 'to what an output or an upload may be');
update storage.buckets set allowed_mime_types = '{image/png}', file_size_limit = 1000 where id = 'generations';
select is_empty('select credits.storage_set_up()', 'an operator may allow less');
delete from storage.buckets where id = 'generations';
drop policy generations_read_own on storage.objects;
select isnt_empty('select * from repair_deployment()', 'a project that got Storage later is set up');
select is_empty('select check_name from not_ok', 'in the same way');

create policy names_ours on storage.objects for all to public using (bucket_id in ('avatars', 'generations'));
create policy names_none on storage.objects for insert to authenticated with check (owner = auth.uid());
create policy names_another on storage.objects for select to authenticated using (bucket_id = 'avatars');
create policy is_for_another on storage.objects for all to service_role using (true);
select set_eq('select check_name from not_ok', array['no other policy lets users into that bucket'],
  'a policy that lets users into the bucket is found');
select set_eq('select credits.foreign_storage_policies()', array['names_ours', 'names_none'], 'and named');
drop policy names_ours on storage.objects;
drop policy names_none on storage.objects;

drop policy generations_read_own on storage.objects;
grant create on schema credits to authenticated;
grant usage on schema credits to authenticated;
grant execute on all functions in schema credits to authenticated;
alter function credits.storage_set_up() security definer;
alter function credits.storage_set_up() owner to authenticated;
select lives_ok('select credits.storage_set_up()', 'a role that may not make policies is only warned');
drop policy names_another on storage.objects;
drop policy is_for_another on storage.objects;

drop table storage.objects;
select is(credits.has_storage(), false, 'without Storage');
select is_empty('select credits.storage_statements()', 'nothing is set up');
select is_empty('select credits.check_storage()', 'or checked');

select * from finish();
rollback;
