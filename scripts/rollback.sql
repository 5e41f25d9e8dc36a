-- Removes Atomic Credits from a database: everything that it delivered (credits.delivered_objects), the triggers on auth.users,
-- pg_cron's jobs, its rows of the migration history, and the role of the auditor, unless it was there before or something else
-- uses it. Nothing else: if something of yours depends on it, this ends with an error that names it, and changes nothing.
--
--   psql --set ON_ERROR_STOP=1 -f scripts/rollback.sql <database url>      or paste it into the SQL editor
--
-- A ledger that npm run adopt took over goes back to its name as it was then, writable; what moved since is in the copy.
--
-- The tables are copied to a schema credits_backup_<time> first. To give the data up instead, put this
-- line before it (psql: -c "set …" -f …):   set atomic_credits.keep_data = 'off';
-- It waits ten seconds for others who use the tables, or as long as you say in the same way:   set lock_timeout = '1min';
begin isolation level read committed;
-- The platform's roles give a statement two minutes: too short to copy a large ledger.
set local statement_timeout = 0;

-- What is delivered, by name, and the object that it is now. A release applies whole or not at all, so what it lists is ours even
-- where another project would have used the same name.
create temporary table atomic_credits_objects (kind text, identity text, classid oid, objid oid) on commit drop;
create temporary table atomic_credits_migrations (file text) on commit drop;

do $find$
begin
  if current_setting('lock_timeout') = '0' then
    set local lock_timeout = '10s';
  end if;
  -- One at a time: neither another rollback nor a bundle that is being applied.
  perform pg_advisory_xact_lock(hashtextextended('atomic-credits', 0));
  if to_regprocedure('credits.delivered_objects()') is null or to_regclass('credits.installation') is null then
    if to_regproc('credits.raise_misuse') is not null then
      raise exception using message = 'Atomic Credits is here, but nothing says what belongs to it',
        hint = 'credits.installation and credits.delivered_objects() tell: restore them from a backup. Then run this again.';
    end if;
    return;
  end if;

  execute $list$
    insert into atomic_credits_migrations select distinct regexp_replace(file, '\.sql$', '') from credits.installation
  $list$;
  execute $list$
    insert into atomic_credits_objects
    select o.kind, o.identity, case o.kind when 'function' then 'pg_proc' when 'type' then 'pg_type' else 'pg_class' end::regclass,
      case o.kind when 'function' then to_regprocedure(o.identity)::oid when 'type' then to_regtype(o.identity)::oid
        else to_regclass(o.identity)::oid end
    from credits.delivered_objects() as o
    union all
    select 'schema', 'credits', 'pg_namespace'::regclass, to_regnamespace('credits')::oid
    union all
    -- By its comment, which is there in every database: another role of this name is somebody's own.
    select 'role', 'credits_auditor', 'pg_authid'::regclass, to_regrole('credits_auditor')::oid
    where shobj_description(to_regrole('credits_auditor'), 'pg_authid') like 'Reads the books of Atomic Credits: %'
    union all
    select 'usage', 'credits_auditor', 'pg_authid'::regclass, to_regrole('credits_auditor')::oid
    where obj_description(to_regprocedure('credits.auditor_create()'), 'pg_proc') like '% Its usage of schema public came with this function.'
    union all
    select 'trigger', format('%I on %s', t.tgname, t.tgrelid::regclass), 'pg_trigger'::regclass, t.oid
    from credits.delivered_parts() as p
    join pg_trigger as t on t.tgrelid = to_regclass(p.table_name) and t.tgname = p.part_name
    where p.kind = 'trigger'
    union all
    -- They go with the function that they call.
    select 'policy', format('%I on %s', polname, polrelid::regclass), 'pg_policy'::regclass, oid
    from pg_policy where polrelid = to_regclass('storage.objects') and polname = 'generations_read_own'
      or polrelid = to_regclass('realtime.messages') and polname = 'credits_hear_own'
  $list$;

  if to_regclass('adopted.adoption') is not null then
    execute 'insert into atomic_credits_objects
      select ''adopted'', pg_describe_object(classid, objid, 0), classid, objid from adopted.made()
      union all
      select ''returned'', moved::text, ''pg_class''::regclass, moved from adopted.adoption';
  end if;
  delete from atomic_credits_objects where objid is null or identity is null;
end;
$find$;

-- All of them before anything is read, so that the copy is of one instant and nothing commits behind it. In the order of
-- a movement of credits: a sign-up comes from the table of users, then accounts, jobs, grants.
do $lock$
declare
  tables text;
  users text;
begin
  select string_agg(name, ', ' order by place, name) into tables
  from (
    select t.tgrelid::regclass::text as name, 0 as place
    from atomic_credits_objects as o join pg_trigger as t on t.oid = o.objid
    where o.classid = 'pg_trigger'::regclass and has_table_privilege(t.tgrelid, 'update, delete, truncate')
      and t.tgrelid not in (select objid from atomic_credits_objects where kind = 'table')
    union
    select p.polrelid::regclass::text, 4
    from atomic_credits_objects as o join pg_policy as p on p.oid = o.objid
    where o.kind = 'policy' and has_table_privilege(p.polrelid, 'update, delete, truncate')
    union
    select identity, coalesce(array_position(array['public.credit_accounts', 'public.generation_jobs', 'public.credit_grants'], identity), 4)
    from atomic_credits_objects where kind = 'table'
  ) as used;
  if tables is not null then
    execute 'lock table ' || tables || ' in access exclusive mode';
  end if;
exception when lock_not_available or deadlock_detected then
  select string_agg(named, ', ') into users
  from (
    select format('%s (%s) on %s', a.pid, coalesce(nullif(a.application_name, ''), a.usename),
      string_agg(distinct l.relation::regclass::text, ', ')) as named
    from pg_locks as l
    join pg_stat_activity as a on a.pid = l.pid and a.pid <> pg_backend_pid()
    where l.granted and l.database = (select oid from pg_database where datname = current_database())
      and l.relation in (
        select objid from atomic_credits_objects where kind = 'table'
        union
        -- auth.users, which the triggers are on.
        select t.tgrelid from atomic_credits_objects as o join pg_trigger as t on t.oid = o.objid
        where o.classid = 'pg_trigger'::regclass
        union
        select p.polrelid from atomic_credits_objects as o join pg_policy as p on p.oid = o.objid where o.kind = 'policy')
    group by a.pid, a.application_name, a.usename
  ) as holders;
  raise exception using errcode = '55P03', message = 'the tables of Atomic Credits are in use by ' || coalesce(users, 'somebody'),
    hint = 'Nothing was changed. Stop what uses them, or wait longer: set lock_timeout = ''1min''; then run this again.';
end;
$lock$;

do $refuse$
declare
  foreign_dependents text;
begin
  with recursive removed as (
    select classid, objid, kind = 'returned' as stays from atomic_credits_objects
    union
    -- Goes with its table: index, constraint, policy, rule, row type, sequence, place in a publication.
    select d.classid, d.objid, r.stays from pg_depend as d
    join removed as r on d.refclassid = r.classid and d.refobjid = r.objid
    where d.deptype in ('a', 'i', 'P', 'S')
  )
  select string_agg(distinct format('%s depends on %s',
    pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, 0)), '; ')
  into foreign_dependents
  from pg_depend as d
  join removed as r on d.refclassid = r.classid and d.refobjid = r.objid
  where d.deptype = 'n' and not r.stays and not exists (
    select from removed as also where also.classid = d.classid and also.objid = d.objid
      -- An adopted ledger leaves the schema before that goes.
      and (not also.stays or d.refclassid = 'pg_namespace'::regclass));
  if foreign_dependents is not null then
    raise exception using message = 'something of yours depends on Atomic Credits: ' || foreign_dependents,
      hint = 'Nothing was changed. Drop or change it, then run this again.';
  end if;
end;
$refuse$;

-- Plain copies without our types, so that they outlive what they were copied from.
do $keep$
declare
  backup text := 'credits_backup_' || to_char(clock_timestamp() at time zone 'utc', 'YYYYMMDD_HH24MISS');
  kept record;
begin
  if not exists (select from atomic_credits_objects where kind = 'table')
     or coalesce(nullif(current_setting('atomic_credits.keep_data', true), ''), 'on')::boolean = false then
    return;
  end if;
  execute format('create schema %I', backup);
  execute format('comment on schema %I is %L', backup, 'What Atomic Credits held when it was removed.');
  execute format('revoke all on schema %I from public, anon, authenticated, service_role', backup);
  for kept in
    -- Without those that inherit from it, which are copied themselves; a partitioned table is its partitions.
    select c.relname, case c.relkind when 'p' then o.identity else 'only ' || o.identity end as source, string_agg(
      case when exists (select from atomic_credits_objects as own where own.kind = 'type' and own.objid in (a.atttypid, t.typelem))
        then format('%I::text', a.attname) else quote_ident(a.attname) end, ', ' order by a.attnum) as columns
    from atomic_credits_objects as o
    join pg_class as c on c.oid = o.objid and c.relpersistence = 'p' and not c.relispartition
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as t on t.oid = a.atttypid
    where o.kind = 'table' group by c.relname, c.relkind, o.identity
  loop
    execute format('create table %I.%I as select %s from %s', backup, kept.relname, kept.columns, kept.source);
    execute format('alter table %I.%I enable row level security', backup, kept.relname);
    execute format('revoke all on table %I.%I from public, anon, authenticated, service_role', backup, kept.relname);
  end loop;
  raise notice 'the tables were copied to schema %', backup;
end;
$keep$;

-- Only what apply_schedule made, in this database. Another job that calls one of our functions is somebody's own: it is named, and left.
do $unschedule$
declare
  called text := (select string_agg(distinct p.proname, '|') from atomic_credits_objects as o
    join pg_proc as p on p.oid = o.objid where o.kind = 'function');
  job record;
begin
  if to_regclass('cron.job') is null or called is null then
    return;
  end if;
  for job in execute 'select jobid, jobname, command from cron.job where database = current_database()'
  loop
    if job.jobname ~ '^atomic-credits:' and (
      job.command ~ '^(set statement_timeout = \d+; )?select from public\.run_task\(''[a-z0-9-]+''\)$'
      or job.command ~ '^do \$task\$ begin loop exit when \([^;]* from public\.run_task\(''[a-z0-9-]+''\)\) is not true; commit; end loop; end \$task\$$') then
      execute 'select cron.unschedule($1)' using job.jobid;
    elsif job.command ~ ('(?<![\w.])((public|credits)\.)?(' || called || ')\s*\(') then
      raise warning 'the pg_cron job % (%) calls Atomic Credits and will fail: %', job.jobid, job.jobname, job.command;
    end if;
  end loop;
end;
$unschedule$;

-- Nothing foreign hangs on any of it (see above), so cascade only spares the order. The triggers on
-- auth.users go with their functions: dropped by name, they would ask for the owner of that table.
do $remove$
declare
  object record;
  told text := current_setting('client_min_messages');
begin
  -- Hundreds of lines about what goes with what would hide the few that matter.
  set local client_min_messages = warning;
  for object in
    select o.* from atomic_credits_objects as o
    join unnest(array['view', 'table', 'function', 'type', 'schema']) with ordinality as k (kind, place) on k.kind = o.kind
    order by k.place
  loop
    execute format('drop %s if exists %s cascade', object.kind, object.identity);
  end loop;
  perform set_config('client_min_messages', told, true);
end;
$remove$;

-- The name of an adopted ledger is free again. What else is in schema adopted says nothing that the old table does not.
do $adopted$
declare
  given_back text;
begin
  if to_regclass('adopted.adoption') is null then
    return;
  end if;
  execute 'select adopted.give_back()' into given_back;
  drop schema adopted cascade;
  raise notice '%', coalesce(given_back || ' is back as it was when it was adopted', 'the ledger that was adopted had been dropped');
end;
$adopted$;

-- Files are deleted through Storage alone.
do $bucket$
declare
  files bigint;
begin
  if to_regclass('storage.objects') is not null and exists (select from atomic_credits_objects
    where kind = 'policy' and identity like '% on storage.objects') then
    execute 'select count(*) from storage.objects where bucket_id = ''generations''' into files;
    if files > 0 then
      raise notice 'the bucket generations stays with its % files: delete it in the dashboard if nobody needs them', files;
    end if;
  end if;
end;
$bucket$;

-- A role is the whole server's: it stays where another database uses it, or something of yours is for it.
do $dismiss$
declare
  auditor text;
  what_for text;
begin
  if exists (select from atomic_credits_objects where kind = 'usage') then
    revoke usage on schema public from credits_auditor;
  end if;
  for auditor in select identity from atomic_credits_objects where kind = 'role'
  loop
    begin
      execute format('drop role %I', auditor);
    exception when dependent_objects_still_exist or insufficient_privilege then
      get stacked diagnostics what_for = pg_exception_detail;
      raise notice 'role % stays: %', auditor, coalesce(nullif(what_for, ''), sqlerrm);
    end;
  end loop;
end;
$dismiss$;

do $forget$
declare
  history regclass := to_regclass('supabase_migrations.schema_migrations');
begin
  if history is null then
    return;
  end if;
  delete from supabase_migrations.schema_migrations where concat_ws('_', version, name) in (select file from atomic_credits_migrations);
  if obj_description(history, 'pg_class') = 'Migration history, begun by the bundle of Atomic Credits.'
     and not exists (select from supabase_migrations.schema_migrations) then
    drop table supabase_migrations.schema_migrations;
    if not exists (select from pg_depend where refclassid = 'pg_namespace'::regclass and refobjid = to_regnamespace('supabase_migrations')) then
      drop schema supabase_migrations;
    end if;
  end if;
end;
$forget$;

commit;

-- In a transaction of its own: pg_cron does not notice jobs that go with one as large as this, and would call what is gone.
do $notice$
begin
  if to_regclass('cron.job') is not null then
    execute $$select cron.unschedule(cron.schedule('atomic-credits: removed', '0 0 1 1 *', 'select 1'))$$;
  end if;
end;
$notice$;
