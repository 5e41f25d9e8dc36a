begin;
select plan(5);

-- The first three of five accounts cannot be refilled: a grant with their month's reference is there.
insert into credit_plans (name, monthly_credits) values ('monthly', 100);
create temp table accounts as select ('00000000-0000-4000-8000-0000000000a' || n)::uuid as id, n
  from generate_series(1, 5) as n;
insert into credit_accounts (id, plan) select id, 'monthly' from accounts;
select count(grant_credits(id, 99,
  p_external_ref => 'refill:' || id || ':' || to_char(now() at time zone 'utc', 'YYYY-MM'))) from accounts where n <= 3;
set local client_min_messages = error;
select is(refill_plans(1), 1, 'who cannot be refilled takes nobody''s turn');
select results_eq('select n from accounts join credit_accounts using (id) where refilled_for is not null', 'values (4)',
  'the next one has it');
select is((select row(ok, done) from run_task('refill-plans')), row(true, 1::bigint),
  'and the task says how much it did');
select is((select row(ok, done) from run_task('refill-plans')), row(true, 0::bigint),
  'until it has nothing more to do');

-- Three grants that cannot expire, and have waited longest.
select from grant_credits('00000000-0000-4000-8000-0000000000a5', 10, 'expiring');
update credit_grants set expires_at = now() - amount * interval '1 second' where amount in (99, 10);
update credit_accounts set balance = 50 where id in (select id from accounts where n <= 3);
select is(expire_grants(1), 1, 'nor does a grant that cannot expire');

select * from finish();
rollback;
