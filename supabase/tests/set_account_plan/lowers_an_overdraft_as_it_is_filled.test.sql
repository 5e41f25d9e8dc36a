begin;
select plan(6);

insert into credit_plans (name, credit_limit) values ('deep', 1000), ('shallow', 100);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'deep');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select is((select credit_limit from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'shallow')), 500::bigint,
  'an overdraft in use stays');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 150);
select is((select credit_limit from credit_accounts), 350::bigint, 'a grant that fills it lowers it');
select from refund_credits((select job_id from job));
select is((select row(balance, credit_limit) from credit_accounts), row(150::bigint, 100::bigint),
  'a refund too, down to the plan''s');
update credit_accounts set credit_limit = 700;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50);
create temp table another as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
select is((select credit_limit from credit_accounts), 700::bigint, 'a limit that was set by hand afterwards stays');
select is((select credit_limit from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'shallow')), 100::bigint,
  'an unused overdraft goes at once');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
