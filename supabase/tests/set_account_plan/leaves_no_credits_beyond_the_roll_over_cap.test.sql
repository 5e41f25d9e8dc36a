begin;
select plan(25);

insert into credit_plans (name, monthly_credits, roll_over, roll_over_cap) values
  ('capped', 1000, 'capped', 200), ('wide', 3000, 'capped', 2000), ('all', 1000, 'all', 0),
  ('fleeting', 1000, 'none', 0);
create function pg_temp.account() returns uuid language sql as $$select uuid '00000000-0000-4000-8000-0000000000a1'$$;
create function pg_temp.charge() returns uuid language sql as
  $$select job_id from atomic_charge_credits(pg_temp.account(), 'standard-image', '{"prompt": "a"}')$$;
create function pg_temp.held() returns text language sql as $$
  select concat_ws(' ', (select balance from credit_accounts where id = pg_temp.account()),
    (select sum(remaining) from credit_grants where account_id = pg_temp.account() and expires_at is null)) $$;
create function pg_temp.month_ends() returns void language sql as $$
  update credit_accounts set refilled_for = refilled_for - interval '1 month';
  update credit_grants set external_ref = 'earlier:' || external_ref, expires_at = expires_at - interval '1 month';
  update credit_grants as g set seal = credits.grant_seal(g);
  select from expire_grants() $$;
select from set_account_plan(pg_temp.account(), 'capped');
select from refill_plans();
select is((select is_capped from credit_grants), true, 'the month''s credits come under a cap');

savepoint given;
select from set_account_plan(pg_temp.account(), 'default');
select is(pg_temp.held(), '1000 200', 'on another plan all can be spent, and what the cap lets stay does not expire');
select is((select expires_at from credit_grants where expires_at is not null),
  date_trunc('month', now() at time zone 'utc') at time zone 'utc' + interval '1 month',
  'the rest expires when its month ends');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');
select from set_account_plan(pg_temp.account(), 'capped');
select from set_account_plan(pg_temp.account(), 'all');
select is(pg_temp.held(), '1000 200', 'going to and fro lets no more stay');
select pg_temp.charge();
select is(pg_temp.held(), '500 200', 'what expires is spent first');
select pg_temp.month_ends();
select is(pg_temp.held(), '200 200', 'when the month ends the rest expires');

rollback to given;
select from set_account_plan(pg_temp.account(), 'wide');
select is(pg_temp.held(), '1000 200', 'a higher cap is the next month''s credits''');
select pg_temp.month_ends();
select from refill_plans();
select is(pg_temp.held(), '3200 3200', 'which it is for');

rollback to given;
create temp table job as select pg_temp.charge() as id;
select from set_account_plan(pg_temp.account(), 'all');
select from cancel_generation((select id from job));
select is(pg_temp.held(), '1000 200', 'what a job gives back that was charged before expires with its month too');
savepoint refunded;
rollback to given;
create temp table job as select pg_temp.charge() as id;
select from set_account_plan(pg_temp.account(), 'all');
select pg_temp.month_ends();
select from cancel_generation((select id from job));
select is(pg_temp.held(), '200 200', 'and has expired once that is over');

rollback to given;
update credit_accounts set refilled_for = refilled_for - interval '1 month';
update credit_grants set external_ref = 'earlier';
update credit_grants as g set seal = credits.grant_seal(g);
select from set_account_plan(pg_temp.account(), 'default');
select from expire_grants();
select is(pg_temp.held(), '200 200',
  'a change after the month''s end, before the next credits are booked, lets as much stay');

rollback to given;
select from set_account_plan(pg_temp.account(), 'default');
select is((select taken from reverse_grant(pg_temp.account(), (select min(id) from credit_grants))), 1000::bigint,
  'a month that is taken back is taken wherever it is');
select is((select debt from credit_accounts), 0::bigint, 'and nothing is owed');

rollback to given;
select from set_account_plan(pg_temp.account(), 'all');
select from grant_credits(pg_temp.account(), 5000, p_kind => 'refill', p_external_ref => 'by hand');
select from set_account_plan(pg_temp.account(), 'capped');
select from set_account_plan(pg_temp.account(), 'all');
select is(pg_temp.held(), '6000 5200',
  'a plan caps nothing that came of another, if it is left before its own credits come');
select from set_account_plan(pg_temp.account(), 'capped');
select pg_temp.month_ends();
select from refill_plans();
select from set_account_plan(pg_temp.account(), 'all');
select is(pg_temp.held(), '1200 200', 'and all once they came');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');
select from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'fleeting');
select from refill_plans();
select from set_account_plan('00000000-0000-4000-8000-0000000000b2', 'all');
select is_empty($$select from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000b2' and expires_at is null$$,
  'what does not roll over expires as it would have');


rollback to given;
update credit_plans set upgrade_gives = 'difference' where name = 'wide';
select from set_account_plan(pg_temp.account(), 'fleeting');
select pg_temp.month_ends();
select from refill_plans();
select from set_account_plan(pg_temp.account(), 'wide');
select from set_account_plan(pg_temp.account(), 'fleeting');
select is(pg_temp.held(), '3200 2000', 'what stayed of earlier months counts where an upgrade brings more');
select pg_temp.month_ends();
select from refill_plans();
select from set_account_plan(pg_temp.account(), 'wide');
select from set_account_plan(pg_temp.account(), 'fleeting');
select is(pg_temp.held(), '5000 2000', 'so that no more stays, however many months it is done');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

rollback to given;
update credit_plans set upgrade_gives = 'difference' where name = 'wide';
select from set_account_plan(pg_temp.account(), 'wide');
select from set_account_plan(pg_temp.account(), 'fleeting');
select pg_temp.month_ends();
select from refill_plans();
-- What expires first, then of what stayed.
select pg_temp.charge() from generate_series(1, 2);
create temp table job as select pg_temp.charge() as id;
select is(pg_temp.held(), '1500 1500', 'a job is paid with what stayed');
select from set_account_plan(pg_temp.account(), 'wide');
select from set_account_plan(pg_temp.account(), 'fleeting');
select is(pg_temp.held(), '3500 1500', 'no more stays in its place');
select from cancel_generation((select id from job));
select is(pg_temp.held(), '4000 2000', 'which the job may give back');

-- What stays of what had stayed is still the month's that gave it: where it expires, nobody has spent it.
rollback to given;
select from set_account_plan(pg_temp.account(), 'default');
create temp table month as select grant_id from credit_ledger order by seq limit 1;
select from set_account_plan(pg_temp.account(), 'capped');
select pg_temp.month_ends();
select from refill_plans();
select from withdraw_credits(pg_temp.account(), null, (select max(id) from credit_grants));
select from set_account_plan(pg_temp.account(), 'default');
select from set_account_plan(pg_temp.account(), 'capped');
select pg_temp.month_ends();
update credit_plans set roll_over_cap = 50 where name = 'capped';
select from refill_plans();
select from reverse_grant(pg_temp.account(), (select grant_id from month), null, 'chargeback');
select is(row(balance, debt), row(1000::bigint, 0::bigint), 'a month that is taken back owes nothing for it')
  from credit_accounts where id = pg_temp.account();

select * from finish();
rollback;
