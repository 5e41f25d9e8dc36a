-- Gives: claim_storage_deletions and finish_storage_deletions, with which a function deletes files that nobody needs;
--   and the sweep that finds them.
-- Keeps: a path is handed out to one worker at a time, until its file is gone; each call reads a bounded part of the
--   bucket.
-- Needs: foundation, plans, accounts, shards, jobs, outputs, files, uploads, moving outputs, output deletion.

create table credits.file_sweep (
  only_row boolean primary key default true check (only_row),
  reached text not null default '',
  swept_at timestamptz not null default '-infinity',
  files bigint not null default 0,
  bytes numeric not null default 0,
  oldest_at timestamptz,
  unneeded bigint not null default 0,
  measured_at timestamptz,
  all_files bigint not null default 0,
  all_bytes numeric not null default 0,
  all_oldest_at timestamptz,
  all_unneeded bigint not null default 0
);
comment on table credits.file_sweep is
  'How far the sweep through the bucket generations has come, in the order of names, and what it has counted: one row. '
  'The columns all_… are the last whole round.';
comment on column credits.file_sweep.reached is 'The last path that was looked at; empty at the beginning of a round.';
comment on column credits.file_sweep.unneeded is 'Files that were queued to be deleted, or that are nobody''s.';
alter table credits.file_sweep enable row level security;
insert into credits.file_sweep default values;

create function credits.file_account(p_path text)
returns uuid
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_path ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/'
    and (credits.job_of_file(p_path) is not null or p_path ~ '^[^/]+/uploads/[^/]+$') then left(p_path, 36)::uuid end;
$$;
comment on function credits.file_account(text) is
  'The account in whose folder a file is; null where it is in no folder of a job or of uploads.';

create type credits.judged_file as (
  path text,
  account_id uuid,
  bytes numeric,
  created_at timestamptz,
  verdict text
);
comment on type credits.judged_file is
  'A file in the bucket, and what is to be done. verdict: kept; foreign (in no folder of ours: left alone); orphan (no '
  'job and no upload lists it); unused (an upload that no job names); wrong (an upload that is not what was '
  'announced); expired (older than its plan keeps outputs); elsewhere (another shard judges it).';

create function credits.job_file_verdict(
  p_job public.generation_jobs, p_path text, p_is_moving boolean, p_keep_days integer
)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select case
    when p_job.id is null then 'orphan'
    when p_job.ended_at is null or p_is_moving then 'kept'
    when p_job.output_deleted_at is not null
      or p_path not in (select o.path from credits.output_files(p_job.output) as o) then 'orphan'
    when p_job.ended_at < now() - make_interval(days => p_keep_days) then 'expired'
    else 'kept' end;
$$;
comment on function credits.job_file_verdict(public.generation_jobs, text, boolean, integer) is
  'What is to be done with a file in a job''s folder: see type judged_file.';

create function credits.upload_verdict(p_upload public.generation_uploads, p_size numeric, p_keep_days integer)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select case
    when p_upload.id is null or p_upload.deleted_at is not null then 'orphan'
    -- Storage takes any size at a signed address, and any type of the bucket. Without a size it is not there yet.
    when p_size > 0 and credits.file_differs(p_upload.path, p_upload.media_type, p_upload.bytes) <> 'ok' then 'wrong'
    when p_upload.created_at > now() - interval '1 day' or p_upload.used_at > now() - interval '1 hour'
      or credits.upload_is_named(p_upload.account_id, p_upload.path,
        greatest(p_upload.created_at, now() - make_interval(days => p_keep_days + 1))) then 'kept'
    else 'unused' end;
$$;
comment on function credits.upload_verdict(public.generation_uploads, numeric, integer) is
  'What is to be done with an upload of this size in Storage: see type judged_file. One that a job names is kept as '
  'long as outputs are.';

create function credits.files_judged(p_after text, p_limit integer)
returns setof credits.judged_file
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  with slice as materialized (
    select o.name, credits.file_account(o.name) as account_id, credits.job_of_file(o.name) as job_id, o.created_at,
      greatest(o.created_at, o.updated_at) as written_at,
      case when o.metadata ->> 'size' ~ '^\d{1,15}$' then (o.metadata ->> 'size')::numeric else 0 end as bytes
    from storage.objects as o where o.bucket_id = 'generations' and o.name > p_after order by o.name limit p_limit
  )
  select s.name, s.account_id, s.bytes, s.created_at, case
    -- All shards see one bucket. What is in no account's folder is for the shard of the lowest id.
    when not credits.is_own_account(coalesce(s.account_id, '00000000-0000-0000-0000-000000000000')) then 'elsewhere'
    when s.account_id is null then 'foreign'
    -- An output is in Storage before its job is settled. What was deleted may be sent once more, and is deleted again.
    when v.verdict = 'orphan' and u.id is null and coalesce(j.output_deleted_at, j.erased_at) is null
      and s.written_at > now() - interval '1 hour' then 'kept'
    else v.verdict end
  from slice as s
  left join public.credit_accounts as a on a.id = s.account_id
  left join public.credit_plans as p on p.name = a.plan
  left join public.generation_jobs as j on j.id = s.job_id and j.account_id = s.account_id
  left join credits.outputs_to_move as m on m.job_id = s.job_id and m.account_id = s.account_id
  left join public.generation_uploads as u on u.account_id = s.account_id and u.path = s.name
  cross join lateral (select case when s.job_id is null then credits.upload_verdict(u, s.bytes, p.keep_outputs_days)
    else credits.job_file_verdict(j, s.name, m.job_id is not null, p.keep_outputs_days) end as verdict) as v
  order by s.name;
end;
$$;
comment on function credits.files_judged(text, integer) is
  'The next files of the bucket in the order of their names, and what is to be done with each. Only where Storage is.';

create function credits.outputs_expire(p_paths text[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expired record;
begin
  for expired in
    with due as (
      -- The rest is for the next round: nothing here waits for a job.
      select j.account_id, j.id from public.generation_jobs as j
      where (j.id, j.account_id) in (
          select credits.job_of_file(p.path), credits.file_account(p.path) from unnest(p_paths) as p (path))
        and j.output_deleted_at is null
      order by j.account_id, j.id for update skip locked
    )
    select d.account_id, array_agg(d.id) as ids from due as d group by d.account_id
  loop
    perform credits.deletions_add(expired.account_id, credits.job_files(expired.account_id, expired.ids), 'expired');
    update public.generation_jobs set output = credits.output_emptied(output), output_deleted_at = clock_timestamp()
    where account_id = expired.account_id and id = any (expired.ids);
  end loop;
end;
$$;
comment on function credits.outputs_expire(text[]) is
  'Deletes the outputs of the jobs that have these files, as delete_output does. Skips a job that is locked.';

create function credits.uploads_expire(p_paths text[], p_reason text)
returns void
language sql
set search_path = '', pg_temp
as $$
  with due as (
    select u.account_id, u.id from public.generation_uploads as u
    where (u.account_id, u.path) in (
        select credits.file_account(p.path), p.path from unnest(p_paths) as p (path))
      and u.deleted_at is null and coalesce(u.used_at, '-infinity') <= now() - interval '1 hour'
    for update skip locked
  ),
  gone as (
    update public.generation_uploads as u set deleted_at = clock_timestamp() from due as d
    where u.account_id = d.account_id and u.id = d.id returning u.account_id, u.path
  )
  select credits.deletions_add(g.account_id, array_agg(g.path), p_reason) from gone as g group by g.account_id;
$$;
comment on function credits.uploads_expire(text[], text) is
  'Deletes uploads that no job names, or that are not what was announced. One that a request has named in the '
  'last hour, or that is locked, is left.';

create function credits.files_sweep(p_limit integer)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  sweep credits.file_sweep;
  slice credits.judged_file[];
  file credits.judged_file;
begin
  select * into sweep from credits.file_sweep for update skip locked;
  if not found or not credits.has_storage() then
    return;
  end if;
  slice := array(select f from credits.files_judged(sweep.reached, p_limit) as f);
  foreach file in array slice loop
    continue when file.verdict = 'elsewhere';
    sweep.files := sweep.files + 1;
    sweep.bytes := sweep.bytes + file.bytes;
    sweep.oldest_at := least(sweep.oldest_at, file.created_at);
    sweep.unneeded := sweep.unneeded + (file.verdict <> 'kept')::integer;
  end loop;
  insert into credits.storage_deletions (path, account_id, reason)
  select f.path, f.account_id, 'orphan' from unnest(slice) as f where f.verdict = 'orphan' order by f.path
  on conflict do nothing;
  perform credits.outputs_expire(array(select f.path from unnest(slice) as f where f.verdict = 'expired'));
  perform credits.uploads_expire(array(select f.path from unnest(slice) as f where f.verdict = v.verdict), v.verdict)
  from unnest(array['unused', 'wrong']) as v (verdict);
  if cardinality(slice) < p_limit then
    update credits.file_sweep set reached = '', swept_at = now(), files = 0, bytes = 0, oldest_at = null, unneeded = 0,
      measured_at = now(), all_files = sweep.files, all_bytes = sweep.bytes, all_oldest_at = sweep.oldest_at,
      all_unneeded = sweep.unneeded;
  else
    update credits.file_sweep set reached = file.path, swept_at = now(), files = sweep.files, bytes = sweep.bytes,
      oldest_at = sweep.oldest_at, unneeded = sweep.unneeded;
  end if;
end;
$$;
comment on function credits.files_sweep(integer) is
  'Looks at the next p_limit files of the bucket, queues those that nobody needs, and counts all. Nothing while '
  'another does so.';

create function credits.file_deletion_is_due()
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from credits.storage_deletions where next_attempt_at <= now()) then
    return true;
  end if;
  return credits.has_storage()
    and exists (select from credits.file_sweep where swept_at < now() - interval '4 minutes')
    and exists (select from storage.objects where bucket_id = 'generations');
end;
$$;
comment on function credits.file_deletion_is_due() is
  'Whether claim_storage_deletions has something to do: files to delete, or files that were not looked at for minutes.';

create function public.claim_storage_deletions(p_limit integer default 100)
returns setof text
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  most constant integer := least(greatest(p_limit, 0), 1000);
  paths text[];
begin
  perform credits.caller_check('claim_storage_deletions');
  if (select count(*) from credits.storage_deletions where next_attempt_at <= now()) < most then
    -- As many as are looked at within a fraction of a second.
    perform credits.files_sweep(10000);
  end if;
  paths := array(
    select d.path from credits.storage_deletions as d where d.next_attempt_at <= now()
    order by d.next_attempt_at, d.path limit most for update skip locked);
  -- What a job lists again: its row was restored from a backup, or an account's erasure has more jobs to do.
  delete from credits.storage_deletions as d where d.path = any (paths) and credits.file_is_kept(d.account_id, d.path);
  return query
  update credits.storage_deletions as d
  set attempts = d.attempts + 1,
    next_attempt_at = now() + least(interval '5 minutes' * power(2, least(d.attempts, 10)), interval '12 hours')
  where d.path = any (paths)
  returning d.path;
end;
$$;
comment on function public.claim_storage_deletions(integer) is
  'Hands out up to p_limit paths of the bucket generations to delete, to one worker each; where fewer are queued, it '
  'first looks at the next 10,000 files of the bucket: outputs older than their plan keeps them, uploads that are not '
  'what was announced, those of a day ago that no job names, files older than an hour that no job lists. Delete them '
  'through Storage, then call finish_storage_deletions. What is not finished is handed out again after 5 minutes, '
  'then after twice as long each time, 12 hours at most. Call it until it returns nothing.';

create function public.finish_storage_deletions(p_paths text[])
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  still_there text[] := '{}'::text[];
  finished integer;
begin
  perform credits.caller_check('finish_storage_deletions');
  if credits.has_storage() then
    still_there := array(
      select o.name from storage.objects as o where o.bucket_id = 'generations' and o.name = any (p_paths));
  end if;
  delete from credits.storage_deletions where path in (
    select d.path from credits.storage_deletions as d
    where d.path = any (p_paths) and d.path <> all (still_there) order by d.path for update);
  get diagnostics finished = row_count;
  return finished;
end;
$$;
comment on function public.finish_storage_deletions(text[]) is
  'Takes paths whose files are gone out of the queue; returns how many. A file that is still in storage.objects stays '
  'queued. Idempotent.';
