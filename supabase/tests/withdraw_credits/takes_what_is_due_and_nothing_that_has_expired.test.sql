begin;
select plan(8);

-- The schedule has not come yet: neither is this month booked, nor the expiry.
insert into credit_plans (name, monthly_credits) values ('monthly', 500);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'monthly');
select is((select balance from account_balances), 500::bigint, 'this month''s credits are there');
select is((select row(withdrawn, balance) from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 600)),
  row(500::bigint, 0::bigint), 'and are taken');
select is((select row(withdrawn, balance) from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 600)),
  row(0::bigint, 0::bigint), 'once');

create temp table promotion as select * from grant_credits('00000000-0000-4000-8000-0000000000a2', 300);
-- As time passes.
alter table credit_grants disable trigger user;
update credit_grants as g set expires_at = now() where id = (select grant_id from promotion);
update credit_grants as g set seal = credits.grant_seal(g) where id = (select grant_id from promotion);
alter table credit_grants enable trigger user;
select is((select row(withdrawn, balance) from withdraw_credits('00000000-0000-4000-8000-0000000000a2',
    p_grant_id => (select grant_id from promotion), p_external_ref => 'ticket-1')),
  row(0::bigint, 300::bigint), 'of a grant that has expired there is nothing to take');
select is((select row(withdrawn, balance) from withdraw_credits('00000000-0000-4000-8000-0000000000a2', 300)),
  row(0::bigint, 300::bigint), 'nor of the account');
select is((select count(*) from credit_withdrawals), 0::bigint, 'which uses up no external_ref');
select is(expire_grants(), 1, 'it expires');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'and the books are right');

select * from finish();
rollback;
