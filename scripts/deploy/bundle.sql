-- Atomic Credits {release} in one statement, made by npm run bundle.
-- Paste it into the SQL editor, or: psql --set ON_ERROR_STOP=1 -f atomic-credits.sql <database url>
-- It applies whole or not at all, then starts pg_cron's jobs, and keeps the migration history as db push of the Supabase CLI does:
-- each of the two knows what the other has applied. Run again, it changes nothing. An earlier release, from 0.9.0 on, is upgraded.
do $bundle$
declare
  migration record;
  -- The newest row of credits.installation; the checksum moves on with each step.
  installed_release text;
  installed_checksum text;
  recorded text;
  body text;
  is_applied boolean;
  is_upgrade boolean := false;
  is_new boolean := to_regclass('credits.installation') is null;
begin
  perform pg_advisory_xact_lock(hashtextextended('atomic-credits', 0));
  if to_regclass('supabase_migrations.schema_migrations') is null then
    create schema if not exists supabase_migrations;
    create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);
    comment on table supabase_migrations.schema_migrations is 'Migration history, begun by the bundle of Atomic Credits.';
  end if;
  if is_new and to_regproc('credits.raise_misuse') is not null then
    raise exception using message = 'Atomic Credits is here, but nothing says which release: credits.installation is missing',
      hint = 'Nothing was changed. Restore that table from a backup.';
  elsif is_new and to_regclass('public.credit_ledger') is not null then
    raise exception using errcode = '42P07', message = 'this database has a credit_ledger of its own',
      hint = 'Nothing was changed. npm run adopt -- --db-url <url> shows what taking it over would do; or give yours another name first.';
  elsif not is_new then
    execute 'select release, checksum from credits.installation order by applied_at desc limit 1'
    into installed_release, installed_checksum;
  end if;

  for migration in select * from (values
{migrations}
  ) as migrations (version, name, from_checksum, to_checksum, fresh, step) order by version
  loop
    select name into recorded from supabase_migrations.schema_migrations where version = migration.version;
    if found and recorded is distinct from migration.name then
      raise exception using message = format('migration %s (%s) is none of Atomic Credits, which has one of this number',
          migration.version, recorded),
        hint = 'Nothing was changed. Give your migration another number, in its file and in supabase_migrations.schema_migrations.';
    end if;
    -- A restore may have lost the history alone: what is recorded is not applied again.
    is_applied := recorded is null;
    body := coalesce(migration.step, migration.fresh);
    if is_new then
      body := migration.fresh;
      execute body;
    elsif migration.from_checksum = installed_checksum then
      execute body;
      installed_checksum := migration.to_checksum;
      is_upgrade := true;
    elsif recorded is null then
      execute 'select exists (select from credits.installation where file = $1)' into is_applied
      using format('%s_%s.sql', migration.version, migration.name);
    end if;
    if is_applied and recorded is null then
      insert into supabase_migrations.schema_migrations (version, name, statements)
      values (migration.version, migration.name, array[body]);
    end if;
  end loop;

  if not is_new and installed_checksum is distinct from '{checksum}' then
    raise exception using message = format('another version of Atomic Credits is installed: release %s, checksum %s',
        installed_release, left(installed_checksum, 8)),
      hint = 'Nothing was changed. No migration leads from it to this one: docs/upgrade.md has the steps.';
  end if;

  -- What was restored since the last time, or granted by default privileges.
  perform public.repair_deployment();
  raise notice 'Atomic Credits {release} %', case when is_new then 'is applied' when is_upgrade then 'is applied, after ' || installed_release
    else 'was there' end;
end;
$bundle$;
