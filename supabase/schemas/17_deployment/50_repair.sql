-- Gives: repair_deployment, which repairs what a restore loses: privileges, policies, triggers, the publication, the
-- bucket of outputs, the auditor's role.
-- Keeps: only the owner may call it; it changes no row but the bucket's, no column or function body, and nothing that
--   is right already.
-- Needs: outputs, auditor, deployed; when called: privileges.

create function credits.repair_statements(p_step text)
returns setof text
language sql
stable
set search_path = '', pg_temp
as $$
  select format('alter table %s enable row level security', oid::regclass) from credits.deployed_relations()
  where p_step = 'tables' and relkind in ('r', 'p') and not relrowsecurity
  union all
  select format('alter view %s set (security_invoker = true)', oid::regclass) from credits.deployed_relations()
  where p_step = 'tables' and relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
    and not credits.is_operator_view(oid)
  union all
  select format('alter view %s set (security_invoker = false, security_barrier = true)', oid::regclass)
  from credits.deployed_relations()
  where p_step = 'tables' and credits.is_operator_view(oid) and not credits.has_barrier(reloptions)
  union all
  select format('drop policy if exists %I on %s; %s', part_name, table_name, definition)
  from credits.part_differences('policy')
  where p_step = 'policies' and to_regclass(table_name) is not null
  union all
  select definition from credits.part_differences('trigger')
  where p_step = 'triggers' and to_regclass(table_name) is not null
  union all
  select 'alter publication supabase_realtime add table public.generation_jobs' from pg_catalog.pg_publication
  where p_step = 'publication' and pubname = 'supabase_realtime' and not exists (
    select from pg_catalog.pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'generation_jobs');
$$;
comment on function credits.repair_statements(text) is
  'The statements of a step of repair_deployment: tables, policies, triggers or publication. No rows if nothing needs '
  'repair.';

create function public.repair_deployment()
returns setof text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  step text;
  statement text;
begin
  if not (select pg_has_role(current_user, nspowner, 'usage') from pg_catalog.pg_namespace
    where nspname = 'credits') then
    perform credits.raise_misuse('42501', 'only the owner of schema credits may repair the deployment',
      'Call it in the SQL editor, or with psql as postgres.');
  end if;
  perform credits.auditor_create();
  return query select * from credits.privileges_apply();
  return query select * from credits.storage_set_up();
  return query select * from credits.broadcast_set_up();
  -- Each step sees what the one before it has done.
  foreach step in array array['tables', 'policies', 'triggers', 'publication'] loop
    foreach statement in array array(select credits.repair_statements(step)) loop
      execute statement;
      return next statement;
    end loop;
  end loop;
end;
$$;
comment on function public.repair_deployment() is
  'Repairs what a restore into another project loses or opens: row level security, the privileges of tables, columns, '
  'functions, sequences and schema credits, policies, triggers (also those on auth.users), the place in the '
  'publication supabase_realtime, the bucket generations and its policy, broadcasts, the role credits_auditor. One row '
  'per statement that it ran; none if all was right, also when called again. For the owner only (the SQL editor, psql '
  'as postgres); privileges that you gave to roles of your own stay.';
