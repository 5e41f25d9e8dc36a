  ) as chapters (version, name, body) order by version
  loop
    seen := seen || chapter.version;
    -- Without white space and semicolons, which supabase db push does not keep.
    select md5(regexp_replace(array_to_string(statements, ''), '[\s;]+', '', 'g')) into applied
    from supabase_migrations.schema_migrations where version = chapter.version;
    if applied <> md5(regexp_replace(chapter.body, '[\s;]+', '', 'g')) then
      raise exception using message = format('another version of Atomic Credits is installed: chapter %s (%s) differs', chapter.version, chapter.name),
        hint = 'Nothing was changed. Run scripts/rollback.sql first (it keeps a copy of the data), or stay with the installed version.';
    end if;
    continue when found;
    if exists (select from supabase_migrations.schema_migrations where version ~ ours and version > chapter.version) then
      raise exception using message = format('another version of Atomic Credits is installed: it lacks chapter %s (%s)', chapter.version, chapter.name),
        hint = 'Nothing was changed. Run scripts/rollback.sql first (it keeps a copy of the data), or stay with the installed version.';
    end if;
    execute chapter.body;
    insert into supabase_migrations.schema_migrations (version, name, statements)
    values (chapter.version, chapter.name, array[chapter.body]);
    installed := installed + 1;
  end loop;

  if exists (select from supabase_migrations.schema_migrations where version ~ ours and version <> all (seen)) then
    raise exception using message = 'another version of Atomic Credits is installed: it has chapters that this bundle lacks',
      hint = 'Nothing was changed. Take the bundle of the newer version.';
  end if;
  raise notice 'Atomic Credits: % of % chapters applied, the others were there', installed, cardinality(seen);
end;
$bundle$;
