begin;
select plan(2);

insert into credit_plans (name, rate_limit_requests, rate_limit_window_seconds)
  values ('daily', 1, 86400), ('minutely', 10, 60);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'daily');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'minutely');
select is((select row(code, rate_remaining)
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')),
  row('insufficient_credits'::text, 9), 'the plan before had the account wait for a day');
select is((select rate_remaining
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')), 8,
  'then every request counts');

select * from finish();
rollback;
