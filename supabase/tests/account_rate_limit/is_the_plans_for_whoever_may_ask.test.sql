begin;
select plan(5);

select is((select row(requests, window_seconds) from account_rate_limit('00000000-0000-4000-8000-0000000000a1')), row(10, 60), 'the default plan''s before the first charge');
select is((select count(*) from credit_accounts), 0::bigint, 'which opens no account');
insert into credit_plans (name, rate_limit_requests, rate_limit_window_seconds) values ('large', 100, 10);
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
update credit_accounts set plan = 'large' where id = '00000000-0000-4000-8000-0000000000c3';
select is((select row(requests, window_seconds) from account_rate_limit('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2')), row(100, 10), 'the plan''s for a member');
select is_empty($$select from account_rate_limit('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1')$$, 'none for a stranger');
select set_eq($$select r from unnest(array['anon', 'authenticated', 'service_role']) as r where has_function_privilege(r, 'account_rate_limit(uuid, uuid)', 'execute')$$, array['service_role'], 'the functions alone may ask');

select * from finish();
rollback;
