begin;
select plan(7);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300);
update credit_accounts set credit_limit = 400 where id = '00000000-0000-4000-8000-0000000000a1';
create temp table charged as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select row(status, balance) from charged), row(201, -200::bigint), 'the balance may go below zero');
select is((select overdraft_used from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 200::bigint,
  'the overdraft is counted');
select is((select status
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "again"}')), 402,
  'up to the limit');
select is((select balance from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000)), 800::bigint,
  'a grant comes in');
select is((select row(overdraft_used,
  (select sum(remaining) from credit_grants where account_id = '00000000-0000-4000-8000-0000000000a1'))
  from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), row(0::bigint, 800::numeric),
  'and fills the hole first');
select is((select balance from refund_credits((select job_id from charged))), 1300::bigint,
  'a refund of overdraft that was filled');
select results_eq($$select amount, remaining from credit_grants order by id$$,
  $$values (300::bigint, 300::bigint), (1000, 1000)$$, 'comes back to what filled it');

select * from finish();
rollback;
