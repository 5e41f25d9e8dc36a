begin;
select plan(55);

-- Breaks something, and tells which checks say so; then it is whole again.
create function pg_temp.found_after(p_breakage text) returns setof text language plpgsql as $$
declare
  found_checks text[];
begin
  begin
    execute p_breakage;
    found_checks := array(select check_name from verify_deployment() where not ok);
    raise exception using errcode = 'UNDO1';
  exception when sqlstate 'UNDO1' then
    return query select unnest(found_checks);
  end;
end;
$$;

create temp table can_fail (check_name text);
create function pg_temp.is_found(p_breakage text, p_check text) returns setof text language sql as $$
  insert into can_fail values (p_check);
  select set_has(format('select * from pg_temp.found_after(%L)', p_breakage), format('values (%L)', p_check),
    p_check || ': ' || p_breakage);
$$;

-- Who is not the owner of auth.users loses a trigger only with its function.
select pg_temp.is_found(format('drop function credits.user_deleted() cascade; %s',
  pg_get_functiondef('credits.user_deleted()'::regprocedure)), 'every trigger is there, also on auth.users');
select pg_temp.is_found('alter table credit_plans disable trigger refills_start_now',
  'every trigger is there, also on auth.users');
select pg_temp.is_found('create or replace trigger atomic_credits_user_created after insert on auth.users '
  'for each row execute function credits.ledger_refuse_change()', 'every trigger is there, also on auth.users');
select pg_temp.is_found('drop policy credit_ledger_read_own on credit_ledger', 'every policy is there');
select pg_temp.is_found('alter policy generation_jobs_read_own on generation_jobs using (true)',
  'no policy lets through more');
select pg_temp.is_found('create policy everything on credit_ledger for select to authenticated using (true)',
  'no policy lets through more');
select pg_temp.is_found('create role reporter; create policy a on credit_ledger for select to reporter using (true)',
  'no policy lets through more');
select pg_temp.is_found('alter publication supabase_realtime drop table generation_jobs',
  'users see their jobs change');
select pg_temp.is_found('drop publication supabase_realtime', 'users see their jobs change');
select pg_temp.is_found('revoke execute on function grant_credits from service_role',
  'privileges are the delivered ones');
select pg_temp.is_found('grant update (balance) on credit_accounts to service_role',
  'privileges are the delivered ones');
select pg_temp.is_found('grant all on sequence credit_grants_id_seq to anon', 'privileges are the delivered ones');
select pg_temp.is_found('create role kiosk; grant kiosk to authenticator;
  grant execute on function refund_credits to kiosk',
  'privileges are the delivered ones');
select pg_temp.is_found(format('grant select on %s to authenticated', min(inhrelid)::regclass),
  'privileges are the delivered ones') from pg_inherits where inhparent = 'credit_request_events'::regclass;
select pg_temp.is_found('delete from credits.installation', 'the installed release is on record');
select pg_temp.is_found('drop view credit_liability_daily', 'tables, views, functions and types exist');
select pg_temp.is_found('drop function sweep_overdue_jobs(integer)', 'tables, views, functions and types exist');
select pg_temp.is_found(
  'create function public.grant_credits(p_account_id uuid) returns void language sql as ''select''',
  'every function has one signature');
select pg_temp.is_found('alter function refund_credits(uuid, bigint, text) reset search_path',
  'security definer functions have an empty search_path');
select pg_temp.is_found('grant execute on function grant_credits to public',
  'no function is executable by PUBLIC or anon');
select pg_temp.is_found('grant execute on function refund_credits to authenticated',
  'users execute only functions that read');
select pg_temp.is_found('grant usage on schema credits to anon', 'schema credits is closed');
select pg_temp.is_found('alter table credit_grants disable row level security', 'every table has row level security');
select pg_temp.is_found(format('alter table %s disable row level security', min(inhrelid)::regclass),
  'every table has row level security') from pg_inherits where inhparent = 'credit_request_events'::regclass;
select pg_temp.is_found('alter view reconciliation_summary reset (security_invoker)',
  'every view runs with its reader''s rights');
select pg_temp.is_found('alter view operator_jobs reset (security_barrier)',
  'views of operators show nothing before their gate');
select pg_temp.is_found('grant select (delta) on credit_ledger to anon', 'anon reads the price book and nothing else');
select pg_temp.is_found('grant truncate on credit_ledger to authenticated', 'users write no table');
select pg_temp.is_found('alter table credit_ledger alter column delta drop not null',
  'credit_ledger.delta is not null');
select pg_temp.is_found('drop rule credit_ledger_no_delete on credit_ledger',
  'the ledger''s rules are in place and loud');
select pg_temp.is_found(
  'create or replace rule credit_ledger_no_update as on update to credit_ledger do instead nothing',
  'an entry cannot be updated');
select pg_temp.is_found('alter table credit_ledger enable trigger credit_ledger_refuse_change',
  'the ledger''s triggers are always enabled');
select pg_temp.is_found('alter table credit_ledger_archive disable trigger credit_ledger_archive_refuse_change',
  'the ledger''s triggers are always enabled');
select pg_temp.is_found($$select atomic_charge_credits('00000000-0000-4000-8000-0000000000d1', 'standard-image',
  '{"prompt": "a cat"}') from grant_credits('00000000-0000-4000-8000-0000000000d1', 500);
  update generation_jobs set deadline_at = now() - interval '1 hour'
    where account_id = '00000000-0000-4000-8000-0000000000d1'$$, 'no job is overdue');
select pg_temp.is_found($$select grant_credits('00000000-0000-4000-8000-0000000000d1', 500); update credit_accounts
  set balance = 501 where id = '00000000-0000-4000-8000-0000000000d1'$$, 'every credit is accounted for');
select pg_temp.is_found($$update credit_plans set rate_limit_requests = 100, max_concurrent_jobs = 100;
  select fail_generation(c.job_id) from grant_credits('00000000-0000-4000-8000-0000000000d1', 10000) as g,
    generate_series(1, 20) as i,
    lateral (select *
      from atomic_charge_credits(g.account_id, 'standard-image', '{"prompt": "a cat"}', 'key-' || i)) as c$$,
  'generations succeed');
select pg_temp.is_found($$update generation_model_rates set price = 1 where model = 'standard-image'$$,
  'standard-image was delivered at 500 credits');
select pg_temp.is_found($$lock table credit_task_runs in share row exclusive mode; delete from credit_task_runs;
  update credit_scheduled_tasks set created_at = now() - interval '1 year'$$,
  'every task has run when it was due');
select pg_temp.is_found('create or replace rule credit_ledger_no_delete
  as on delete to credit_ledger do instead nothing', 'an entry cannot be deleted');
select pg_temp.is_found($$select set_model_price('slow', '{"image": 1}',
  p_settings => '{"provider": "openai", "provider_model": "slow", "timeout_seconds": 61}')$$,
  'models that answer in the request do so in time');
select set_hasnt($$select * from pg_temp.found_after($b$select set_model_price('later', '{"image": 1}',
    p_settings => '{"provider": "replicate", "provider_model": "later", "timeout_seconds": 600}');
  select set_model_price('off', '{"image": 1}', p_settings =>
    '{"provider": "openai", "provider_model": "off", "timeout_seconds": 600, "enabled": false}');
  select set_model_price('allowed', '{"image": 1}',
    p_settings => '{"provider": "openai", "provider_model": "allowed", "timeout_seconds": 180}');
  update credit_settings set request_timeout_seconds = 180$b$)$$,
  $$values ('models that answer in the request do so in time')$$,
  'but one whose provider calls back may take longer, and so may all on a paid plan');
select pg_temp.is_found($$select set_model_price('asked', '{"image": 0}',
    p_settings => '{"provider": "replicate", "provider_model": "asked"}');
  select start_generation(c.job_id, 'at-the-provider')
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'asked', '{"prompt": "a cat"}') as c;
  update generation_provider_jobs set expected_by = now() - interval '3 minutes', last_answer = 'unknown'$$,
  'providers that call back say how their jobs stand');
create function pg_temp.nothing_happens() returns text language sql as $$ select
  'create or replace function public.atomic_charge_credits(
     p_account_id uuid, p_model text, p_input jsonb,
     p_idempotency_key text default null, p_request_id text default null,
     p_member_id uuid default null, p_start boolean default false)
   returns public.credit_charge_result language sql as ''select null::public.credit_charge_result'''
$$;
select pg_temp.is_found(pg_temp.nothing_happens(), check_name)
  from unnest(array['a charge is booked', 'without enough credits nothing is charged',
  'bad dimensions are refused', 'an unknown model is refused', 'requests beyond the plan are refused',
  'a failed job is refunded']) as check_name;
select pg_temp.is_found($$create function public.meddle() returns trigger
  language plpgsql as 'begin new.reason := ''forged''; return new; end';
  create trigger meddle before insert on credit_ledger for each row execute function public.meddle()$$,
    'the hash chain verifies');
select pg_temp.is_found('update storage.buckets set public = true',
  'outputs are in a private bucket with one policy');
select pg_temp.is_found('drop policy generations_read_own on storage.objects',
  'outputs are in a private bucket with one policy');
select pg_temp.is_found('create policy everything on storage.objects for select to public using (true)',
  'no other policy lets users into that bucket');
select pg_temp.is_found('drop table credit_settings cascade', 'every check can run');

select set_eq($$select check_name from verify_deployment() where check_name !~ '^pg_cron '
  except select check_name from can_fail$$,
  -- Nobody here can take BYPASSRLS from the owner.
  array['the default plan has a rate limit', 'files in Storage can be seen'],
  'every check can fail, but one that only tells, and one that goes by a role');
select is(exists (select from verify_deployment() where check_name = 'pg_cron runs every task'),
  exists (select from pg_available_extensions where name = 'pg_cron'),
  'where pg_cron cannot be had, nothing is said of it');

select * from finish();
rollback;
