begin;
select plan(27);
set local client_min_messages = error;

select from set_model_price('painter', '{"image": 1}', p_settings => '{"provider": "none", "provider_model": "none"}');
insert into credit_plans (name, monthly_credits, roll_over) values ('later', 0, 'all');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'later');
update credit_accounts set refilled_for = '2020-01-01';
select lives_ok($$update generation_models set overage = 'cap' where name = 'painter'$$,
  'one database changes a price that nothing was charged by');
select from set_product('stripe', true, 'pack', '{"provider_price_id": "price_1", "kind": "pack",
  "credits": 10, "unit_amount": 100, "currency": "usd"}');

-- A shard.
select credits.become_shard('s1', array(select generate_series(0, 15)));
set local role service_role;
create function pg_temp.refused(p_statement text) returns text language sql as $$
  select throws_ok(p_statement, 'PT409', null, p_statement) $$;
select pg_temp.refused($$select set_model_price('painter', '{"image": 2}')$$);
select pg_temp.refused($$update credit_plans set monthly_credits = 50$$);
select pg_temp.refused($$insert into credit_plans (name) values ('own')$$);
select pg_temp.refused($$update credit_settings set sign_up_credits = 1$$);
select pg_temp.refused($$select mute_alert_rule('discrepancies', now() + interval '1 hour')$$);
select pg_temp.refused($$delete from generation_models where name = 'painter'$$);
reset role;
select lives_ok($$insert into credit_alert_rules (name, severity, threshold, description)
  values ('x', 'warning', 0, 'x')$$,
  'a migration writes them all the same');
select throws_ok($$delete from generation_models where name = 'painter'$$, 'PT409',
  'a price of shards is never changed or deleted', 'but no price goes, whose jobs may be elsewhere');
select throws_ok($$update generation_models set overage = 'overdraft' where name = 'painter'$$, 'PT409',
  'a price of shards is never changed or deleted', 'nor changes');
select lives_ok($$update generation_models set enabled = false where name = 'painter'$$,
  'though it may be sold no more');
select is_empty($$select check_name, detail from verify_deployment()
  where not ok and check_name in ('every check can run', 'a charge is booked', 'a failed job is refunded')$$,
  'the trial of verify_deployment has its own plan and model');
select is((select name from credits.shard), 's1', 'and leaves the shard a shard');

select throws_ok($$delete from credit_products where name = 'pack'$$, 'PT409',
  'a product version of shards is never changed or deleted', 'a product stays as well');
select lives_ok($$update credit_products set enabled = false where name = 'pack'$$, 'and may be sold no more');

-- As the apply worker of a subscription writes.
do $$ begin
  if to_regclass('cron.job') is null then
    create schema cron;
    create table cron.job (jobid bigint primary key, jobname text, schedule text, command text,
      database text default current_database(), username text default current_user, active boolean default true);
    create function cron.unschedule(text) returns boolean language sql as 'select true';
    create function cron.schedule(text, text, text) returns bigint language sql as
      'delete from cron.job where jobname = $1;
       insert into cron.job (jobid, jobname, schedule, command)
       select coalesce(max(jobid), 0) + 1, $1, $2, $3 from cron.job returning jobid';
  end if;
end; $$;
set local session_replication_role = replica;
select lives_ok($$update credit_plans set monthly_credits = 50 where name = 'later'$$, 'a plan arrives');
select is((select refilled_for > current_date - 70 from credit_accounts where plan = 'later'), true,
  'and grants monthly credits from now on, none for the months before');
select lives_ok($$insert into credit_scheduled_tasks (name, schedule, command, max_age, description)
  values ('x', '* * * * *', 'select 1', '1 hour', 'x')$$, 'a restore brings a task');
select is_empty($$select from cron.job where jobname = 'atomic-credits:x'$$, 'which is not run before it is done');
select lives_ok($$update credit_scheduled_tasks set schedule = '1 * * * *' where name = 'x'$$,
  'a changed task arrives');
select is((select schedule from cron.job where jobname = 'atomic-credits:x'), '1 * * * *', 'and pg_cron has it');
select lives_ok($$update generation_models set overage = 'overdraft' where name = 'painter'$$,
  'what the router has decided is not asked again');
set local session_replication_role = origin;

-- Its router.
alter table credit_accounts disable trigger account_opened;
select credits.shard_note('router', '{}');
select lives_ok($$select set_model_price('painter', '{"image": 3}', now() + interval '1 hour')$$,
  'the router writes new prices');
select throws_ok($$delete from generation_models where name = 'painter'$$, 'PT409',
  'a price of shards is never changed or deleted', 'and keeps the old ones');
update credit_accounts set refilled_for = '2020-01-01';
update credit_plans set monthly_credits = 0 where name = 'later';
select lives_ok($$update credit_plans set monthly_credits = 50 where name = 'later'$$, 'and plans');
select is((select refilled_for from credit_accounts where plan = 'later'), '2020-01-01',
  'whose accounts are elsewhere');
select lives_ok('update credit_settings set sign_up_credits = 1', 'with settings of all shards');

select * from finish();
rollback;
