  ) as chapters (version, name, body) order by version
  loop
    seen := seen || chapter.version;
    -- Without white space and semicolons, which supabase db push does not keep.
    select name, md5(regexp_replace(array_to_string(statements, ''), '[\s;]+', '', 'g')) as hash into recorded
    from supabase_migrations.schema_migrations where version = chapter.version;
    if found and chapter.version <> all (installed_chapters) then
      raise exception using message = format(
          'migration %s (%s) is none of Atomic Credits, which has a chapter of this number', chapter.version, recorded.name),
        hint = 'Nothing was changed. Give your migration another number, in its file and in supabase_migrations.schema_migrations.';
    end if;
    if recorded.hash <> md5(regexp_replace(chapter.body, '[\s;]+', '', 'g')) then
      raise exception using message = format('another version of Atomic Credits is installed: chapter %s (%s) differs', chapter.version, chapter.name),
        hint = 'Nothing was changed. Run scripts/rollback.sql first (it keeps a copy of the data), or stay with the installed version.';
    end if;
    continue when chapter.version = any (installed_chapters);
    if chapter.version < any (installed_chapters) then
      raise exception using message = format('another version of Atomic Credits is installed: it lacks chapter %s (%s)', chapter.version, chapter.name),
        hint = 'Nothing was changed. Run scripts/rollback.sql first (it keeps a copy of the data), or stay with the installed version.';
    end if;
    execute chapter.body;
    insert into supabase_migrations.schema_migrations (version, name, statements)
    values (chapter.version, chapter.name, array[chapter.body]);
    installed := installed + 1;
  end loop;

  if not installed_chapters <@ seen then
    raise exception using message = 'another version of Atomic Credits is installed: it has chapters that this bundle lacks',
      hint = 'Nothing was changed. Take the bundle of the newer version.';
  end if;
  -- What was restored since the last time, or granted by default privileges.
  if to_regproc('public.repair_deployment') is not null then
    perform public.repair_deployment();
  end if;
  raise notice 'Atomic Credits: % of % chapters applied, the others were there', installed, cardinality(seen);
end;
$bundle$;
