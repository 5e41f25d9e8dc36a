-- Gives: where the files of outputs are kept: the private bucket generations of Storage, and who may read it.
-- Keeps: a user reads files of their own accounts alone, nobody but the service writes, and no file is a page that a
--   browser would run. Without Storage nothing fails.
-- Needs: accounts; when called: deployed, repair.

create function credits.has_storage()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select to_regclass('storage.buckets') is not null and to_regclass('storage.objects') is not null;
$$;
comment on function credits.has_storage() is 'Whether this database has the tables of Supabase Storage.';

create function credits.keeps_files()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from pg_catalog.pg_class where oid = to_regclass('storage.objects') and relkind <> 'f');
$$;
comment on function credits.keeps_files() is
  'Whether Storage keeps its files in this database; a shard has foreign tables, and sees those of the router.';

create function credits.output_policy()
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- As text, and as Postgres prints it: a folder's name need not be a uuid.
  select 'CREATE POLICY generations_read_own ON storage.objects AS PERMISSIVE FOR SELECT TO authenticated USING '
    '(((bucket_id = ''generations''::text) AND ((storage.foldername(name))[1] = ANY (ARRAY( SELECT (a.id)::text AS id '
    'FROM credits.my_account_ids() a(id))))))';
$$;
comment on function credits.output_policy() is
  'The one policy for the bucket generations: users read what is in the folders of their own accounts.';

create function credits.file_types()
returns text[]
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Nothing that a browser would run: who has an address for an upload chooses the type that the file is served as.
  select '{image/png,image/jpeg,image/webp,image/gif,video/mp4,video/webm,audio/wav,audio/mpeg,audio/ogg,audio/flac,'
    'audio/aac}'::text[];
$$;
comment on function credits.file_types() is 'The types that a file in the bucket generations may have.';

create function credits.storage_statements()
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- The most that generation_models.max_output_bytes may be. Storage's own limit, where it is lower, holds as well.
  most_bytes constant bigint := 1073741824;
  bucket record;
begin
  if not credits.has_storage() or not credits.keeps_files() then
    return;
  end if;
  select b.public is false and b.file_size_limit <= most_bytes
    and b.allowed_mime_types <@ credits.file_types() as is_ours
  into bucket from storage.buckets as b where b.id = 'generations';
  if not found then
    return next format('insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values '
      '(''generations'', ''generations'', false, %s, %L)', most_bytes, credits.file_types());
  elsif bucket.is_ours is not true then
    return next format('update storage.buckets set public = false, file_size_limit = least(file_size_limit, %s), '
      'allowed_mime_types = %L where id = ''generations''', most_bytes, credits.file_types());
  end if;
  if not exists (
    select from credits.deployed_parts() as p
    where p.kind = 'policy' and p.table_name = 'storage.objects'
      and regexp_replace(p.definition, '[\s()]| AS \w+', '', 'g')
        = regexp_replace(credits.output_policy(), '[\s()]| AS \w+', '', 'g'))
  then
    return next 'drop policy if exists generations_read_own on storage.objects; ' || credits.output_policy();
  end if;
end;
$$;
comment on function credits.storage_statements() is
  'The statements that make the bucket and its policy what they have to be; none if they are, without Storage, or on a '
  'shard, where the router has them.';

create function credits.storage_set_up()
returns setof text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  statement text;
begin
  foreach statement in array array(select credits.storage_statements()) loop
    execute statement;
    return next statement;
  end loop;
exception when insufficient_privilege then
  raise warning 'the bucket generations is not set up: %', sqlerrm
    using hint = 'As a role that may change storage.buckets and policies of storage.objects: select '
      'public.repair_deployment();';
end;
$$;
comment on function credits.storage_set_up() is
  'Makes the private bucket generations and its policy, where Storage is there. One row per statement that it ran; '
  'none if all was right. Warns where the role may not.';
