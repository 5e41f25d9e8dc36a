begin;
select plan(4);

select from set_model_price('open-ended', '{"image": 100}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder", "overage": "overdraft"}');
update credit_plans set rate_limit_requests = 100, max_concurrent_jobs = 100;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 20000);
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1',
  'member', 1000);
create function pg_temp.charge() returns uuid language sql as $$
  select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'open-ended', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1') $$;
create temp view member as select spent from account_members where user_id = '00000000-0000-4000-8000-0000000000a1';

create temp table jobs as select pg_temp.charge() as id from generate_series(1, 3);
update account_members set spent_month = (spent_month - interval '1 month')::date;
update generation_jobs set created_at = created_at - interval '1 month';
create temp table now_spent as select pg_temp.charge() as id from generate_series(1, 10);
select is((select spent from member), 1000::bigint, 'this month''s cap is used up');
create temp table settled as select (settle_generation(id, '{"outputs": []}', 700)).cost from jobs;
select is((select array_agg(cost order by cost desc) from settled), array[700, 200, 100]::bigint[],
  'last month''s jobs take what was left of last month''s');
select is((select spent from member), 1000::bigint, 'and nothing of this one''s');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
