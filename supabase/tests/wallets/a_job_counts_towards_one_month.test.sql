begin;
select plan(6);

select from set_model_price('open-ended', '{"image": 100}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder", "overage": "overdraft"}');
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 20000);
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1',
  'member', 1000);
create function pg_temp.charge() returns credit_charge_result language sql as $$
  select c from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'open-ended', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1') as c $$;
create temp view member as select spent, spent_month from account_members
  where user_id = '00000000-0000-4000-8000-0000000000a1';

-- Charged last month, and settled above that in this one.
create temp table job as select (pg_temp.charge()).job_id;
update account_members set spent_month = (spent_month - interval '1 month')::date;
update generation_jobs set created_at = created_at - interval '1 month';
select from settle_generation((select job_id from job), '{"outputs": []}', 900);
select is((select spent from member), 100::bigint, 'what was added to last month''s job is last month''s');
select from refund_credits((select job_id from job));
select is((select spent from member), 100::bigint, 'and so is its refund');
select is((pg_temp.charge()).status, 201, 'this month begins');
select is((select spent from member), 100::bigint, 'with its own first charge');

-- As a transaction sees it that began in the month before.
update account_members set spent = 1000,
  spent_month = (date_trunc('month', now() at time zone 'utc') + interval '1 month')::date;
select is((pg_temp.charge()).code, 'member_cap_reached', 'a cap that is reached in a later month is not forgotten');
create temp table failed as select fail_generation(id) from generation_jobs where status = 'pending';
select is((select row(spent, spent_month) from member),
  row(1000::bigint, (date_trunc('month', now() at time zone 'utc') + interval '1 month')::date),
  'nor does a refund of the month before lower it or take it back');

select * from finish();
rollback;
