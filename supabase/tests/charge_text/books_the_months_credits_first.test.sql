begin;
select plan(3);

select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default');
update credit_plans set monthly_credits = 1000;
create temp table charged as select * from charge_text('00000000-0000-4000-8000-0000000000a1', null, null,
  'standard-text', '{"input_tokens": 4000, "input_estimate": 4000, "output_tokens": 8000}');
select is(row(status, cost, output_tokens), row(201, 36::bigint, 8000), 'a text is charged to credits that were due')
from charged;
select is(balance, 964::bigint, 'which are booked with it') from charged;
select is((charge_text('00000000-0000-4000-8000-0000000000a2', null, null, 'standard-text',
  '{"input_tokens": 40, "input_estimate": 40}')).status, 201, 'also on an account that is not open yet');

select * from finish();
rollback;
