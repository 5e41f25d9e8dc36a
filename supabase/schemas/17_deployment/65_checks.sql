-- Gives: the checks of the schedule, whether pg_cron has every task and has begun to run them; of the bucket that
-- outputs are in; and of a shard's accounts.
-- Keeps: nothing that it reads changes.
-- Needs: shards, outputs, tasks, deployed, repair.

create function credits.cron_jobs()
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  jobs regclass := to_regclass('cron.job');
begin
  if jobs is not null then
    return query execute format('select jobname || '' '' || schedule from %s where active and jobname is not null',
      jobs);
  end if;
end;
$$;
comment on function credits.cron_jobs() is
  'The active jobs of pg_cron, each as its name and its schedule; none where there is no pg_cron.';

create function credits.cron_silence()
returns text[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  silence text[];
begin
  -- Without a record of the runs nothing can be said.
  if exists (select from pg_catalog.pg_settings where name = 'cron.log_run' and setting = 'off') then
    return null;
  end if;
  -- By the job's id: what ran before a roll back had another.
  execute $runs$
    select array[coalesce(
      max(format('every run failed, of %s: %s', j.jobname, d.return_message)) filter (where d.status = 'failed'),
      format('none of its %s jobs has run yet', count(*)))]
    from cron.job as j left join cron.job_run_details as d on d.jobid = j.jobid
    where j.active and j.jobname like 'atomic-credits:%' and j.database = pg_catalog.current_database()
    having count(*) > 0 and coalesce(bool_and(d.status = 'failed'), true)
  $runs$ into silence;
  return silence;
end;
$$;
comment on function credits.cron_silence() is
  'What shows that pg_cron has run none of its jobs since they were scheduled; null where it has run one, or has none.';

create function credits.check_schedule()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Without pg_cron the schedule runs elsewhere, and only its runs can be seen: this check is left out.
  if exists (select from pg_catalog.pg_available_extensions where name = 'pg_cron') then
    return next credits.check_none('pg_cron runs every task',
      (select array_agg(t.name order by t.name) from public.credit_scheduled_tasks as t
       where t.enabled and format('atomic-credits:%s %s', t.name, t.schedule) not in (select credits.cron_jobs())),
      'create extension if not exists pg_cron; then: select public.apply_schedule();');
  end if;
  if to_regclass('cron.job') is not null then
    return next credits.check_none('pg_cron has begun', credits.cron_silence(),
      'It begins with the next full minute: check again then. If it has not: select public.apply_schedule(); Why runs '
      'fail: select * from cron.job_run_details order by start_time desc;');
  end if;
  return next credits.check_none('every task has run when it was due',
    (select array_agg(f.detail order by f.subject) from credits.operation_findings_now() as f
      where f.rule = 'task_not_running'),
    'Something must run the tasks of credit_scheduled_tasks: pg_cron (select public.apply_schedule()), or select '
    'public.run_task(name) from outside.');
end;
$$;
comment on function credits.check_schedule() is
  'Checks that pg_cron has every task and has begun, if it is available, and that each has run within its max_age.';

create function credits.foreign_storage_policies()
returns setof text
language sql
stable
set search_path = '', pg_temp
as $$
  select p.polname::text
  from pg_catalog.pg_policy as p
  cross join lateral (
    select concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as text
  ) as condition
  where p.polrelid = to_regclass('storage.objects') and p.polpermissive and p.polname <> 'generations_read_own'
    and p.polroles && array(select 0::oid union all select oid from pg_catalog.pg_roles
      where rolname in ('anon', 'authenticated'))
    and (condition.text ~ '\mgenerations\M' or condition.text !~ '\mbucket_id\M');
$$;
comment on function credits.foreign_storage_policies() is
  'Policies of storage.objects other than ours that let users into the bucket generations: they name it, or no bucket '
  'at all.';

create function credits.check_broadcast()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not credits.has_broadcast() then
    if (select broadcast_balance from public.credit_settings) then
      return next credits.check_none('balances are broadcast',
        array['Supabase Realtime cannot send from this database'],
        'Update Realtime, or update public.credit_settings set broadcast_balance = false.');
    end if;
    return;
  end if;
  return next credits.check_none('balances are broadcast to those who may see them, by the setting',
    nullif(array(select credits.broadcast_statements()), '{}'), 'As the owner: select public.repair_deployment();');
end;
$$;
comment on function credits.check_broadcast() is
  'Whether broadcasts of balances are as the setting says. No rows without Realtime, where they are off.';

create function credits.check_storage()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Where there is no Storage nothing can be kept in it.
  if not credits.has_storage() then
    return;
  end if;
  -- A shard sees the router's: who may read them is checked there.
  if credits.keeps_files() then
    return next credits.check_none('outputs are in a private bucket with one policy',
      nullif(array(select credits.storage_statements()), '{}'), 'As the owner: select public.repair_deployment();');
    return next credits.check_none('no other policy lets users into that bucket',
      nullif(array(select credits.foreign_storage_policies()), '{}'),
      'drop policy … on storage.objects; or let its condition name another bucket: bucket_id = ''…''.');
  end if;
  return next credits.check_none('files in Storage can be seen',
    case when row_security_active('storage.objects') then array['row level security hides them'] end,
    'The owner of the functions needs BYPASSRLS, as postgres has it on Supabase.');
end;
$$;
comment on function credits.check_storage() is
  'Checks the bucket generations: that it is there and private, who may read it, and that our functions see all of it.';

create function credits.check_shard()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  shard credits.shard;
  foreign_accounts bigint;
begin
  select * into shard from credits.shard;
  -- A database that is no shard holds every account.
  if not found then
    return;
  end if;
  if credits.is_router() then
    return next row('the router holds no account', not credits.has_accounts_here(), 'router ' || shard.name,
      case when credits.has_accounts_here() then 'select id from credit_accounts; names them. Move them to the shard '
        'that holds their group.' end)::credits.deployment_check;
    return;
  end if;
  select count(*) into foreign_accounts from public.credit_accounts
  where credits.slot_group(id) <> all (shard.slot_groups);
  return next row('the shard has its own accounts alone', foreign_accounts = 0,
    format('shard %s, slot groups %s, %s accounts of others', shard.name, array_to_string(shard.slot_groups, ', '),
      foreign_accounts),
    case when foreign_accounts > 0 then 'select id, credits.slot_group(id) from credit_accounts; names them. Move them '
      'to the shard that holds their group, or name it in credits.become_shard.' end)::credits.deployment_check;
end;
$$;
comment on function credits.check_shard() is
  'Says which shard this is, and checks that each account''s slot group is one of its own. No rows where it is none. '
  'Of a router: that it has none.';
