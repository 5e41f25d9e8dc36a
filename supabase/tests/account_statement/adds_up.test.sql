begin;
select plan(6);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 2000);
create temp table marks as select clock_timestamp() as start;
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from fail_generation((select job_id
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')));
create temp table stop as select clock_timestamp() as at;
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table lines as select *
  from account_statement('00000000-0000-4000-8000-0000000000a1', (select start from marks), (select at from stop));
select is((select balance from lines where line = 'opening'), 2000::bigint, 'opening');
select is((select balance from lines where line = 'closing'), 1500::bigint, 'closing');
select is((select sum(credits) from lines where line = 'entry'), -500::numeric, 'opening + entries = closing');
select results_eq($$select kind::text, credits from lines where line = 'sum' order by 1$$,
  $$values ('charge', -1000::bigint), ('refund', 500)$$, 'sums by kind');
select is(balance_as_of('00000000-0000-4000-8000-0000000000a1', '2020-01-01'), 0::bigint,
  'nothing before the first entry');
select is(balance_as_of('00000000-0000-4000-8000-0000000000a1', now() + interval '1 day'), 1000::bigint,
  'the balance at the end');

select * from finish();
rollback;
