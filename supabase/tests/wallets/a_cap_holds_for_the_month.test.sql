begin;
select plan(12);

update credit_plans set rate_limit_requests = 100;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 20000);
create function pg_temp.join_team() returns void language sql as $$
  select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1',
    'member', 1000) $$;
create function pg_temp.leave_team() returns boolean language sql as $$
  select remove_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1') $$;
create function pg_temp.charge(p_member uuid default '00000000-0000-4000-8000-0000000000a1')
  returns credit_charge_result language sql as $$
  select c from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a"}',
    p_member_id => p_member) as c $$;
create temp view member as select spent, spent_month from account_members
  where user_id = '00000000-0000-4000-8000-0000000000a1';
select from pg_temp.charge('00000000-0000-4000-8000-0000000000b2');
select pg_temp.join_team();
create temp table jobs as select (pg_temp.charge()).job_id from generate_series(1, 2);
select is((pg_temp.charge()).code, 'member_cap_reached', 'the cap is reached');

select pg_temp.leave_team();
select pg_temp.join_team();
select is((select spent from member), 1000::bigint, 'who leaves and comes back has spent what they spent');
select is((pg_temp.charge()).code, 'member_cap_reached', 'so the cap is reached still');
select pg_temp.leave_team();
select from fail_generation((select job_id from jobs limit 1));
select pg_temp.join_team();
select is((select spent from member), 500::bigint, 'less what was refunded meanwhile');
select pg_temp.join_team();
select is((select spent from member), 500::bigint, 'counted once');

-- A month later.
update account_members set spent_month = (spent_month - interval '1 month')::date;
update generation_jobs set created_at = created_at - interval '1 month';
create temp table later as select * from pg_temp.charge();
select is((select status from later), 201, 'a new month has the whole cap');
select is((select row(spent, spent_month) from member),
  row(500::bigint, date_trunc('month', now() at time zone 'utc')::date), 'and counts from zero');
select from refund_credits((select job_id from jobs
  where job_id in (select id from generation_jobs where status = 'pending')));
select is((select spent from member), 500::bigint,
  'a refund of an earlier month''s charge does not raise this month''s cap');
select is((pg_temp.charge()).status, 201, 'the rest of it');
select is((pg_temp.charge()).code, 'member_cap_reached', 'and no more');
select pg_temp.leave_team();
select pg_temp.join_team();
select is((select spent from member), 1000::bigint, 'also for who comes back, where only this month counts');
select from refund_credits((select job_id from later));
select is((select spent from member), 500::bigint, 'a refund of this month''s charge does');

select * from finish();
rollback;
