-- Gives: which files a job has, which of them are kept, and the queue of those to delete.
-- Keeps: a path is queued once, for the account whose folder it is in; what a job lists is never handed out. Files are
--   deleted through Storage alone: deleting their rows by SQL would leave them behind.
-- Needs: foundation, jobs, outputs; when called: uploads, moving outputs.

create table credits.storage_deletions (
  path text primary key,
  account_id uuid not null,
  reason text not null
    check (reason in ('deleted', 'erased', 'expired', 'unused', 'wrong', 'orphan')),
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  constraint path_is_of_account check (starts_with(path, account_id::text || '/'))
);
-- The files to delete next: claim_storage_deletions.
create index storage_deletions_due on credits.storage_deletions (next_attempt_at);
comment on table credits.storage_deletions is
  'Files of the bucket generations that are to be deleted. A row stays until the file is gone.';
comment on column credits.storage_deletions.reason is
  'deleted: its user did. erased: its job or account was. expired: credit_plans.keep_outputs_days. unused: an upload '
  'that no job used within a day. wrong: an upload that is not what was announced. orphan: no job and no upload lists '
  'it.';
comment on column credits.storage_deletions.next_attempt_at is 'When it is handed out next.';
alter table credits.storage_deletions enable row level security;

create function credits.output_files(p_output jsonb)
returns table (path text, media_type text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select o.file ->> 'path', o.file ->> 'media_type'
  from jsonb_array_elements(
    case jsonb_typeof(p_output -> 'outputs') when 'array' then p_output -> 'outputs' else '[]' end) as o (file)
  where jsonb_typeof(o.file -> 'path') = 'string';
$$;
comment on function credits.output_files(jsonb) is 'The files in Storage that an output lists.';

create function credits.output_check(p_account_id uuid, p_job_id uuid, p_output jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- The answer of a text (settle_text) has a bound of its own.
  if octet_length(p_output::text) > 262144 and not p_output ? 'usage_source' then
    perform credits.raise_misuse('22023', 'an output has at most 256 KiB',
      'Put the file in Storage and pass its path.');
  end if;
  if exists (
    select from credits.output_files(p_output) as f
    where f.path !~ format('^%s/%s/[0-9]{1,4}\.[a-z0-9]{1,8}$', p_account_id, p_job_id)) then
    perform credits.raise_misuse('22023', 'an output lists a file that is not its job''s',
      'A path is <account>/<job>/<n>.<extension>.');
  end if;
end;
$$;
comment on function credits.output_check(uuid, uuid, jsonb) is
  'Raises 22023 for an output above 256 KiB, or one that lists a path outside of its job''s folder.';

create function credits.files_below(p_folder text)
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if credits.has_storage() then
    -- By the index on patterns: 0 is the character after the slash.
    return query select o.name from storage.objects as o
    where o.bucket_id = 'generations' and o.name ~>=~ (p_folder || '/') and o.name ~<~ (p_folder || '0');
  end if;
end;
$$;
comment on function credits.files_below(text) is
  'The files of the bucket generations in a folder; none without Storage.';

create function credits.deletions_add(p_account_id uuid, p_paths text[], p_reason text)
returns void
language sql
set search_path = '', pg_temp
as $$
  -- In one order, so that two that queue the same paths do not wait for each other.
  insert into credits.storage_deletions (path, account_id, reason)
  select distinct p.path, p_account_id, p_reason from unnest(p_paths) as p (path)
  where starts_with(p.path, p_account_id::text || '/') order by 1
  on conflict do nothing;
$$;
comment on function credits.deletions_add(uuid, text[], text) is
  'Queues files of an account to be deleted. A path that is not in its folder is left out.';

create function credits.job_files(p_account_id uuid, p_job_ids uuid[])
returns text[]
language sql
stable
set search_path = '', pg_temp
as $$
  select array(
    select f.path
    from public.generation_jobs as j
    cross join lateral (
      select o.path from credits.output_files(j.output) as o where j.output_deleted_at is null
      union
      select credits.files_below(j.account_id || '/' || j.id)
    ) as f (path)
    where j.account_id = p_account_id and j.id = any (p_job_ids));
$$;
comment on function credits.job_files(uuid, uuid[]) is
  'The files of jobs: those that their outputs list, and any other in their folders.';

create function credits.job_of_file(p_path text)
returns uuid
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_path ~ '^[^/]+/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[^/]+$'
    then split_part(p_path, '/', 2)::uuid end;
$$;
comment on function credits.job_of_file(text) is 'The job in whose folder a file is; null if it is in another.';

create function credits.file_is_kept(p_account_id uuid, p_path text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  of_job constant uuid := credits.job_of_file(p_path);
begin
  return exists (
      select from public.generation_uploads as u
      where u.account_id = p_account_id and u.path = p_path and u.deleted_at is null)
    or exists (
      select from public.generation_jobs as j
      where j.id = of_job and j.account_id = p_account_id
        and (j.ended_at is null
          or j.output_deleted_at is null and p_path in (select o.path from credits.output_files(j.output) as o)))
    or exists (select from credits.outputs_to_move as m where m.account_id = p_account_id and m.job_id = of_job);
end;
$$;
comment on function credits.file_is_kept(uuid, text) is
  'Whether a file must stay: its job lists it, has not ended, or is being moved to Storage, or its upload was not '
  'deleted.';
