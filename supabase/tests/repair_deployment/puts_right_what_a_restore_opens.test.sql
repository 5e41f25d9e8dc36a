begin;
select plan(12);

-- pg_cron's first minute may not be over.
create temp view not_ok as select check_name, detail, remedy from verify_deployment()
  where not ok and check_name <> 'pg_cron has begun';
update credit_scheduled_tasks set created_at = now();
select sweep_overdue_jobs();
select is_empty('select * from repair_deployment()', 'where all is right it does nothing');

-- As a dump and its restore leave it, where default privileges are generous.
grant all on all tables in schema public to anon, authenticated, service_role;
grant all on all functions in schema public to anon, authenticated, service_role;
grant all on all sequences in schema public to anon, authenticated, service_role;
-- Who is not the owner of auth.users loses a trigger only with its function.
do $$
declare
  made_as text := pg_get_functiondef('credits.user_created()'::regprocedure);
begin
  drop function credits.user_created() cascade;
  execute made_as;
end;
$$;
create or replace trigger atomic_credits_user_deleted after delete
  on auth.users for each row execute function credits.ledger_refuse_change();
alter publication supabase_realtime drop table generation_jobs;
drop schema supabase_migrations cascade;
-- As where the role of the auditor was missing when policies and grants came.
drop owned by credits_auditor;
drop policy credit_accounts_read_own on credit_accounts;
-- What is not ours, and what the owner gave to a role of their own.
create role reporter;
grant select on credit_ledger to reporter;
create table public.pictures (id bigint);
grant all on public.pictures to anon;

select set_eq('select check_name from not_ok', array[
  'every trigger is there, also on auth.users', 'every policy is there', 'users see their jobs change',
  'privileges are the delivered ones',
  'no function is executable by PUBLIC or anon', 'users execute only functions that read',
  'anon reads the price book and nothing else',
  'users write no table'], 'verify_deployment names all of it');
select is_empty($$select check_name from not_ok
  where remedy !~ 'select public\.repair_deployment\(\)'$$, 'and the one remedy');

set local role service_role;
select throws_ok('select repair_deployment()', '42501', null, 'the service cannot repair');
reset role;

select isnt_empty('select * from repair_deployment()', 'the owner can: a row for each statement');
select is_empty('select check_name, detail from not_ok', 'everything is ok');
select is_empty('select * from repair_deployment()', 'a second call does nothing');

insert into auth.users (id, email, email_confirmed_at)
  values ('00000000-0000-4000-8000-0000000000d1', 'd@example.com', now());
select results_eq($$select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000d1'$$,
  array[5000::bigint], 'who signs up gets the sign-up grant again');
set local role credits_auditor;
select results_eq('select count(*)::integer from credit_accounts', array[1], 'the auditor reads again');
reset role;
select ok(has_table_privilege('reporter', 'credit_ledger', 'select'),
  'what the owner gave to a role of their own stays');
select ok(has_table_privilege('anon', 'pictures', 'insert'), 'so does what is not ours');
select ok(not has_function_privilege('anon',
  'grant_credits(uuid,bigint,text,credit_entry_kind,timestamptz,text,smallint,jsonb)', 'execute'),
  'anon executes nothing');

select * from finish();
rollback;
