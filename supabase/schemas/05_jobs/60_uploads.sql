-- Gives: uploads, the files that users bring for a request.
-- Keeps: size, type and path are fixed before the upload; a file counts only where it is what was announced.
-- Needs: foundation, accounts, denials, jobs, outputs, files; when called: members.

create table public.generation_uploads (
  account_id uuid not null,
  id uuid not null default gen_random_uuid(),
  member_id uuid,
  media_type text not null check (media_type in ('image/png', 'image/jpeg', 'image/webp')),
  bytes bigint not null check (bytes between 1 and 16777216),
  path text not null generated always as (account_id::text || '/uploads/' || id::text
    || case media_type when 'image/png' then '.png' when 'image/jpeg' then '.jpg' else '.webp' end) stored,
  created_at timestamptz not null default now(),
  used_at timestamptz,
  deleted_at timestamptz,
  primary key (account_id, id)
);
-- An upload by its path: check_input_object, claim_storage_deletions.
create unique index generation_uploads_by_path on public.generation_uploads (account_id, path);
-- What a person uploaded for any team: their erasure.
create index generation_uploads_by_member on public.generation_uploads (member_id) where member_id is not null;
comment on table public.generation_uploads is
  'Files that users upload for a request, such as the first frame of a video. One that no job uses within a day is '
  'deleted.';
comment on column public.generation_uploads.member_id is
  'The member of a team''s account who asked for it; null for the account''s own user or server.';
comment on column public.generation_uploads.bytes is 'Size that was announced; the file must have exactly this one.';
comment on column public.generation_uploads.path is 'Its place in the bucket generations.';
comment on column public.generation_uploads.used_at is 'When a request last named it, and it was what was announced.';
comment on column public.generation_uploads.deleted_at is 'When its file was queued to be deleted.';

alter table public.generation_uploads enable row level security;
create policy generation_uploads_read_own on public.generation_uploads
  for select to authenticated using (account_id = any (array(select credits.my_account_ids())));

create type public.generation_upload as (
  status integer,
  code text,
  message text,
  path text,
  expires_at timestamptz,
  errors jsonb
);
comment on type public.generation_upload is
  'Answer to create_upload: 201 created, with the path and until when to upload; 400 invalid_request, with errors '
  '[{"field", "message"}]; 403 account_closed, not_a_member or not_allowed_to_spend; 402 member_cap_reached; 429 '
  'too_many_uploads.';

-- The jobs that name an upload, without a look at the account's other jobs: the sweep asks for each upload.
create index generation_jobs_by_image on public.generation_jobs (account_id, (input ->> 'image'))
  where input ->> 'image' is not null;

create function credits.upload_is_named(p_account_id uuid, p_path text, p_since timestamptz)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (
    select from public.generation_jobs
    where account_id = p_account_id and created_at >= p_since and input ->> 'image' = p_path
      -- A prompt that is refused costs nothing: it must not make a place to keep files.
      and (status in ('pending', 'running', 'succeeded') or output is not null));
$$;
comment on function credits.upload_is_named(uuid, text, timestamptz) is
  'Whether a job since then names an upload as its input: one that is open or has a result.';

create function credits.unused_uploads(p_account_id uuid)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- A request that is denied marks an upload as used, too, and would make room for the next: so only jobs count.
  select count(*) from public.generation_uploads as u
  where u.account_id = p_account_id and u.created_at > now() - interval '1 day'
    and not credits.upload_is_named(u.account_id, u.path, u.created_at);
$$;
comment on function credits.unused_uploads(uuid) is
  'How many of an account''s uploads of the last day no job names that is open or has a result.';

create function credits.upload_errors(p_media_type text, p_bytes bigint)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select jsonb_agg(jsonb_build_object('field', e.field, 'message', e.message)) from (values
    ('media_type', 'must be image/png, image/jpeg or image/webp',
      coalesce(p_media_type in ('image/png', 'image/jpeg', 'image/webp'), false)),
    ('bytes', 'must be a whole number from 1 to 16777216 (16 MiB)', coalesce(p_bytes between 1 and 16777216, false))
  ) as e (field, message, ok) where not e.ok;
$$;
comment on function credits.upload_errors(text, bigint) is 'What is wrong with an announced upload; null if nothing.';

create function credits.upload_denied(p_code text, p_errors jsonb)
returns public.generation_upload
language sql
stable
set search_path = '', pg_temp
as $$
  select row(d.status, d.code, coalesce(d.message, 'The upload is not valid.'), null, null,
    p_errors)::public.generation_upload
  from credits.denials as d where d.code = p_code;
$$;
comment on function credits.upload_denied(text, jsonb) is 'The answer for an upload that is denied.';

create function public.create_upload(p_account_id uuid, p_member_id uuid, p_media_type text, p_bytes bigint)
returns public.generation_upload
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  asking_member uuid;
  made public.generation_uploads;
begin
  perform credits.caller_check('create_upload');
  if credits.upload_errors(p_media_type, p_bytes) is not null then
    return credits.upload_denied('invalid_request', credits.upload_errors(p_media_type, p_bytes));
  end if;
  -- A stranger opens no account by its lock, and holds up nobody's.
  if p_member_id <> p_account_id
    and not exists (select from public.credit_accounts where id = p_account_id and user_id = p_member_id)
    and credits.member_denial(p_account_id, p_member_id, null, false) = 'not_a_member' then
    return credits.upload_denied('not_a_member', null);
  end if;
  -- The lock makes uploads at the same time count each other.
  account := credits.account_lock(p_account_id);
  asking_member := case when p_member_id is distinct from account.user_id then p_member_id end;
  if account.closed_at is not null then
    return credits.upload_denied('account_closed', null);
  elsif asking_member is not null
    and credits.member_denial(p_account_id, asking_member, null, false) is not null then
    return credits.upload_denied(credits.member_denial(p_account_id, asking_member, null, false), null);
  elsif credits.unused_uploads(p_account_id) >= 20 then
    return credits.upload_denied('too_many_uploads', null);
  end if;
  insert into public.generation_uploads (account_id, member_id, media_type, bytes)
  values (p_account_id, asking_member, p_media_type, p_bytes) returning * into strict made;
  -- As long as Storage's signed addresses for uploads work.
  return row(201, 'created', null, made.path, made.created_at + interval '2 hours', null)::public.generation_upload;
end;
$$;
comment on function public.create_upload(uuid, uuid, text, bigint) is
  'Announces a file that a user will upload, and says where: sign an upload address for that path. At most 16 MiB of '
  'PNG, JPEG or WebP, and 20 uploads a day per account that no job has used. p_member_id: the user who asks; null: '
  'the app''s own server. See type generation_upload for the answers.';

create function credits.file_differs(p_path text, p_media_type text, p_bytes bigint)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  facts jsonb;
begin
  if credits.has_storage() then
    select coalesce(o.metadata, '{}') into facts from storage.objects as o
    where o.bucket_id = 'generations' and o.name = p_path;
  end if;
  return case
    when facts is null then 'not_found'
    when lower(split_part(facts ->> 'mimetype', ';', 1)) is distinct from p_media_type then 'wrong_type'
    when p_bytes is not null and facts ->> 'size' is distinct from p_bytes::text then 'wrong_size'
    else 'ok' end;
end;
$$;
comment on function credits.file_differs(text, text, bigint) is
  'What Storage says of a file: not_found, wrong_type, wrong_size, or ok. p_bytes null: of any size.';

create function public.check_input_object(p_account_id uuid, p_path text)
returns text
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  upload public.generation_uploads;
  made_as text;
  answer text;
begin
  perform credits.caller_check('check_input_object');
  -- Its row is locked: whichever comes first, this or its deletion, decides.
  select * into upload from public.generation_uploads
  where account_id = p_account_id and path = p_path and deleted_at is null for update;
  if not found then
    select o.media_type into made_as
    from public.generation_jobs as j cross join lateral credits.output_files(j.output) as o
    where j.account_id = p_account_id and j.id = credits.job_of_file(p_path) and o.path = p_path
      and j.status = 'succeeded' and j.output_deleted_at is null;
    return case when made_as is null then 'not_found' when made_as !~ '^image/' then 'wrong_type'
      else credits.file_differs(p_path, made_as, null) end;
  end if;
  answer := credits.file_differs(p_path, upload.media_type, upload.bytes);
  if answer = 'ok' then
    update public.generation_uploads set used_at = clock_timestamp() where account_id = upload.account_id
      and id = upload.id;
  elsif answer <> 'not_found' then
    update public.generation_uploads set deleted_at = clock_timestamp() where account_id = upload.account_id
      and id = upload.id;
    perform credits.deletions_add(p_account_id, array[p_path], 'wrong');
  end if;
  return answer;
end;
$$;
comment on function public.check_input_object(uuid, text) is
  'Whether a request of an account may name this file as its input: ok, not_found, wrong_type or wrong_size. It may '
  'name an upload of its own that is what was announced, and is marked as used; and a picture that a job of its own '
  'made. An upload that is not what was announced is queued to be deleted. Call it before the charge.';
