begin;
select plan(6);

insert into credit_plans (name, credit_limit) values ('deep', 1000);
create function pg_temp.limits() returns table (credit_limit bigint, lowered bigint) language sql as
$$ select credit_limit, lowered_credit_limit from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1' $$;
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'deep');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select is((select row(credit_limit, lowered_credit_limit)
  from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default')),
  row(500::bigint, 0::bigint), 'the overdraft in use stays, and is to be lowered');

set local role service_role;
update credit_accounts set credit_limit = 5000 where id = '00000000-0000-4000-8000-0000000000a1';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10);
reset role;
select results_eq('select * from pg_temp.limits()', 'values (5000::bigint, null::bigint)',
  'a limit that is set by hand meanwhile outlasts a grant');

select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default');
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000a1';
select results_eq('select * from pg_temp.limits()', 'values (490::bigint, 0::bigint)',
  'the next plan is a later word, and other changes are none');
set local role service_role;
update credit_accounts set credit_limit = 490 where id = '00000000-0000-4000-8000-0000000000a1';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10);
reset role;
select results_eq('select * from pg_temp.limits()', 'values (490::bigint, null::bigint)',
  'the limit that stood there can be set to stay');

select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
select results_eq('select * from pg_temp.limits()', 'values (380::bigint, 0::bigint)',
  'what a plan lowers goes on falling with each grant');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 380);
select results_eq('select * from pg_temp.limits()', 'values (0::bigint, null::bigint)',
  'until it is where the plan has it');

select * from finish();
rollback;
