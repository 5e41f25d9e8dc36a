-- Gives: delete_output, which deletes the files of one job and keeps its prompt; how an erasure reaches files.
-- Keeps: who may erase a job may delete its output; paths are queued in the transaction that makes them unreadable.
-- Needs: foundation, jobs, files, moving outputs, job erasure.

create function credits.output_emptied(p_output jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select case
    when jsonb_typeof(p_output -> 'outputs') = 'array' then jsonb_build_object('outputs', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('path', o.file -> 'path',
        'media_type', o.file -> 'media_type', 'bytes', o.file -> 'bytes', 'width', o.file -> 'width',
        'height', o.file -> 'height', 'seconds', o.file -> 'seconds')) order by o.place), '[]')
      from jsonb_array_elements(p_output -> 'outputs') with ordinality as o (file, place)))
    -- Of a text: what it used stays.
    when p_output ? 'usage_source' then p_output - 'response'
    else '{}' end;
$$;
comment on function credits.output_emptied(jsonb) is
  'What stays of an output that is deleted: what its files were, or what a text used.';

create function public.delete_output(p_job_id uuid, p_member_id uuid default null)
returns setof text
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  files text[];
begin
  perform credits.caller_check('delete_output');
  job := credits.job_to_erase(p_job_id, p_member_id);
  files := credits.job_files(job.account_id, array[job.id]);
  perform credits.deletions_add(job.account_id, files, 'deleted');
  if job.output is not null and job.output_deleted_at is null and job.erased_at is null then
    update public.generation_jobs
    set output = credits.output_emptied(output), output_deleted_at = clock_timestamp()
    where id = job.id and account_id = job.account_id;
    delete from credits.outputs_to_move where account_id = job.account_id and job_id = job.id;
  end if;
  -- The caller has claimed them: the task comes later.
  return query
  update credits.storage_deletions as d
  set attempts = d.attempts + 1, next_attempt_at = clock_timestamp() + interval '5 minutes'
  where d.path in (
    select o.path from credits.storage_deletions as o where o.path = any (files) order by o.path for update)
  returning d.path;
end;
$$;
comment on function public.delete_output(uuid, uuid) is
  'Deletes the output of a job that has ended: marks it (output_deleted_at), and returns the paths of its files, which '
  'the caller deletes through Storage and reports to finish_storage_deletions; the task delete-objects does what the '
  'caller leaves. Prompt, amounts and what the files were stay. p_member_id: the user who asks; null: no check. '
  'Idempotent. Raises PT404, PT403 and PT409 as erase_job does.';
