-- Gives: where jobs and the files in Storage do not agree.
-- Keeps: nothing; reports. Without Storage there is nothing to compare.
-- Needs: jobs, outputs, files, book discrepancies; when called: file deletion.

create function credits.file_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
begin
  if not credits.has_storage() then
    return;
  end if;
  return query
  select (credits.discrepancy('output without object', j.account_id, f.listed, f.there, j.ended_at, j.id)).*
  from public.generation_jobs as j
  cross join lateral (
    select count(*) as listed, count(o.id) as there
    from credits.output_files(j.output) as p
    left join storage.objects as o on o.bucket_id = 'generations' and o.name = p.path
  ) as f
  where j.output ? 'outputs' and j.output_deleted_at is null and f.there < f.listed
  union all
  select (credits.discrepancy('object without job', f.account_id, 0, count(*), min(f.created_at),
    credits.job_of_file(f.path))).*
  from credits.files_judged('', null) as f
  where f.verdict in ('orphan', 'foreign') and f.created_at < now() - interval '1 day'
  group by f.account_id, credits.job_of_file(f.path);
end;
$$;
comment on function credits.file_discrepancies() is
  'Jobs that list files which are not in Storage, and files older than a day that no job and no upload lists. expected '
  'and actual are numbers of files; account and job are those in whose folder the files are.';
