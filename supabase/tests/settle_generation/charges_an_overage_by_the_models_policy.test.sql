begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
update credit_accounts set credit_limit = 300 where id = '00000000-0000-4000-8000-0000000000a1';
select from set_model_price('open', '{"second": 100}',
  p_settings => '{"provider": "placeholder", "provider_model": "p", "overage": "overdraft", "max_seconds": 5}');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'open', '{"prompt": "a", "seconds": 5}');
select is((select row(cost, balance)
  from settle_generation((select job_id from job), '{}', p_actual_usage => '{"seconds": 20}')),
  row(1300::bigint, -300::bigint), 'charged as far as credits and overdraft go');
select is((select actual_cost from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1'),
  2000::bigint, 'the rest is known');
select is((select code
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'open', '{"prompt": "b", "seconds": 1}')),
  'insufficient_credits', 'the next charge is blocked');
select is((select refunded from refund_credits((select job_id from job))), 1300::bigint, 'all of it can be refunded');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
