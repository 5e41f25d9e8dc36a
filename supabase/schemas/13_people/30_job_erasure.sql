-- Gives: erase_job, which erases the content of one job.
-- Keeps: amounts, entries and outcome; a key stays spent. Only the member who asked for a job, or the account's user,
-- owner or admin, may erase it.
-- Needs: foundation, jobs, provider jobs, files, uploads, moving outputs, events.

create function credits.may_erase_job(p_job public.generation_jobs, p_member_id uuid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from public.credit_accounts where id = p_job.account_id and user_id = p_member_id)
    or exists (
      select from public.account_members
      where account_id = p_job.account_id and user_id = p_member_id
        and (role in ('owner', 'admin') or user_id = p_job.member_id));
$$;
comment on function credits.may_erase_job(public.generation_jobs, uuid) is
  'Whether a user may erase a job: the account''s own user, the member who asked for it, or the team''s owner or '
  'admin.';

create function credits.input_delete(p_account_id uuid, p_path text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.generation_uploads as u set deleted_at = clock_timestamp()
  where u.account_id = p_account_id and u.path = p_path and u.deleted_at is null
    and not credits.upload_is_named(u.account_id, u.path, u.created_at);
  if found then
    perform credits.deletions_add(p_account_id, array[p_path], 'erased');
  end if;
end;
$$;
comment on function credits.input_delete(uuid, text) is
  'Queues an upload to be deleted, unless a job still names it.';

create function credits.job_to_erase(p_job_id uuid, p_member_id uuid)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  job := credits.job_lock(p_job_id);
  if p_member_id is not null and not credits.may_erase_job(job, p_member_id) then
    perform credits.raise_misuse('PT403', 'this user may not delete the job''s content',
      'The member who asked for it can, and the account''s owner or an admin.');
  end if;
  if job.status in ('pending', 'running') then
    perform credits.raise_misuse('PT409', 'the job has not ended', 'Cancel it first, or wait for its end.');
  end if;
  return job;
end;
$$;
comment on function credits.job_to_erase(uuid, uuid) is
  'Locks a job that a user wants to erase. Raises PT404 for an unknown job, PT403 for a user who may not, PT409 while '
  'it has not ended.';

create function public.erase_job(p_job_id uuid, p_member_id uuid default null)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  perform credits.caller_check('erase_job');
  job := credits.job_to_erase(p_job_id, p_member_id);
  if job.erased_at is not null then
    return false;
  end if;
  perform credits.deletions_add(job.account_id, credits.job_files(job.account_id, array[job.id]), 'erased');
  delete from credits.outputs_to_move where account_id = job.account_id and job_id = job.id;
  update public.generation_jobs
  set input = credits.job_provenance(input), output = case when output is not null then '{}'::jsonb end,
      -- A message may quote the prompt.
      error = case when error is not null then jsonb_strip_nulls(jsonb_build_object('code', error -> 'code')) end,
      idempotency_key = null, request_hash = '', provider_job_id = null, erased_at = clock_timestamp()
  where id = job.id and account_id = job.account_id;
  delete from public.generation_provider_jobs where account_id = job.account_id and job_id = job.id;
  perform credits.input_delete(job.account_id, job.input ->> 'image');
  -- A refund's reason may quote the prompt.
  update public.credit_events set payload = payload - 'reason'
  where account_id = job.account_id and type = 'job.refunded' and payload ->> 'job_id' = job.id::text;
  return true;
end;
$$;
comment on function public.erase_job(uuid, uuid) is
  'Erases the prompt, input, output, error message and key of a job that has ended, and queues its files to be '
  'deleted, with the upload that it alone names; amounts, entries, model and outcome stay, and its key stays spent '
  '(422). p_member_id: the user who asks; null: no check. Idempotent: false when '
  'it was erased before. Raises PT404 for an unknown job, PT403 when the member neither asked for it nor is owner or '
  'admin of the account, PT409 while it has not ended.';
