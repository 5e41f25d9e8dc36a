-- Gives: how many files are kept, how large and how old they are, and how many wait to be deleted or moved.
-- Keeps: nothing is counted when somebody looks: the sweep has counted.
-- Needs: files, moving outputs, file deletion.

create function credits.file_counts()
returns table (
  files bigint, bytes numeric, oldest_at timestamptz, unneeded bigint, measured_at timestamptz, to_delete bigint,
  to_delete_since timestamptz, to_move bigint
)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select s.all_files, s.all_bytes, s.all_oldest_at, s.all_unneeded, s.measured_at, d.files, d.since,
    (select count(*) from credits.outputs_to_move)
  from credits.file_sweep as s,
    (select count(*) as files, min(created_at) as since from credits.storage_deletions) as d;
$$;
comment on function credits.file_counts() is 'The row of view generation_files.';

create view public.generation_files
with (security_invoker = true)
as
select files, bytes, oldest_at, unneeded, measured_at, to_delete, to_delete_since, to_move from credits.file_counts();
comment on view public.generation_files is
  'The files of outputs and uploads in Storage, one row: how many, how many bytes, the oldest, and how many nobody '
  'needed, at measured_at (null before the first round of the task delete-objects); how many are queued to be deleted, '
  'since when, and how many outputs are queued to be moved to Storage, now.';
