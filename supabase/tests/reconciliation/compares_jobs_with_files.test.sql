begin;
select plan(16);

create temp view found as
  select invariant, account_id, job_id, expected, actual from reconciliation_discrepancies;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create function pg_temp.path(p_job uuid, p_file integer) returns text language sql as
  $$ select format('00000000-0000-4000-8000-0000000000a1/%s/%s.png', p_job, p_file) $$;
create function pg_temp.store(p_path text, p_age interval default '0') returns void language sql as $$
  insert into storage.objects (bucket_id, name, created_at, updated_at)
  values ('generations', p_path, now() - p_age, now() - p_age)
$$;
create temp table job as select job_id as id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a"}');
select pg_temp.store(pg_temp.path(id, 0)), pg_temp.store(pg_temp.path(id, 1)) from job;
select settle_generation(id, jsonb_build_object('outputs', jsonb_build_array(
  jsonb_build_object('path', pg_temp.path(id, 0)), jsonb_build_object('path', pg_temp.path(id, 1))))) from job;
select is_empty('select * from found', 'a job whose files are there is right');
savepoint sound;

delete from storage.objects where name = (select pg_temp.path(id, 1) from job);
select set_eq('select * from found', $$select 'output without object', '00000000-0000-4000-8000-0000000000a1'::uuid,
  id, 2::bigint as listed, 1::bigint as there from job$$, 'one of which is gone, is not');
select is((select row(discrepancies, accounts_broken) from reconcile_credit_ledger(true)), row(1::bigint, 1::bigint),
  'a deep run keeps it');
select is((select discrepancies from reconcile_credit_ledger()), 0::bigint, 'the daily run does not look');
select is((select discrepancies from reconciliation_summary), 0::bigint, 'nor does the summary of the credits');
select is((select ok from verify_deployment() where check_name = 'every credit is accounted for'), false,
  'verify_deployment does');
select delete_output(id) from job;
select is_empty('select * from found', 'a deleted output has no files');
rollback to sound;
delete from storage.objects where name = (select pg_temp.path(id, 1) from job);
select erase_job(id) from job;
select is_empty('select * from found', 'nor has an erased one');
rollback to sound;

create temp table failed as select job_id as id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a"}');
select pg_temp.store(pg_temp.path(id, 0), '25 hours'), pg_temp.store(pg_temp.path(id, 1), '23 hours') from failed;
select is_empty('select * from found', 'the files of a job that runs are right');
select fail_generation(id) from failed;
select set_eq('select * from found', $$select 'object without job', '00000000-0000-4000-8000-0000000000a1'::uuid,
  id, 0::bigint as listed, 1::bigint as there from failed$$, 'those of one that failed are not, after a day');
select pg_temp.store('readme.txt', '25 hours'), pg_temp.store('x/readme.txt', '25 hours');
select set_has('select * from found', $$values ('object without job', null::uuid, null::uuid, 0::bigint, 2::bigint)$$,
  'nor are files in no folder of a job');
select is((select row(discrepancies, accounts_broken) from reconcile_credit_ledger(true)), row(2::bigint, 1::bigint),
  'a deep run keeps them, too');
set local role credits_auditor;
select is((select count(*) from reconciliation_discrepancies), 2::bigint, 'which an auditor sees');
reset role;
select is((select count(*) from claim_storage_deletions()), 2::bigint, 'the task takes those of the job');
delete from storage.objects where name like '%/%' and name in (select path from credits.storage_deletions);
delete from storage.objects where name ~ 'readme';
select is_empty('select * from found', 'and then all is right');
rollback to sound;

drop table storage.objects;
delete from generation_jobs where false;
select is_empty('select * from found', 'without Storage there is nothing to compare');

select * from finish();
rollback;
