begin;
select plan(22);

create temp view found as select invariant, expected, actual from reconciliation_discrepancies;
create temp view month as select date_trunc('month', now() at time zone 'utc')::date as this,
  (date_trunc('month', now() at time zone 'utc') - interval '1 month')::date as last;
select from set_model_price('open-ended', '{"image": 500}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder", "overage": "overdraft"}');
update credit_plans set rate_limit_requests = 100, max_concurrent_jobs = 100;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 20000);
create function pg_temp.charge() returns uuid language sql as $$
  select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'open-ended', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1') $$;
create function pg_temp.write(p_spent bigint, p_month date) returns void language sql as $$
  update account_members set spent = p_spent, spent_month = p_month
    where user_id = '00000000-0000-4000-8000-0000000000a1' $$;
-- To its tenth day or so. Entries, too: the chain is another test's.
create function pg_temp.pass_a_month() returns void language plpgsql as $$
begin
  alter table credit_ledger disable trigger user;
  alter table credit_ledger disable rule credit_ledger_no_update;
  update credit_ledger set created_at = date_trunc('month', created_at) - interval '20 days';
  alter table credit_ledger enable rule credit_ledger_no_update;
  alter table credit_ledger enable trigger user;
  update generation_jobs set created_at = date_trunc('month', created_at) - interval '20 days';
  update account_members set spent_month = (spent_month - interval '1 month')::date;
end;
$$;
create temp view member_found as select * from found where invariant <> 'chain';

create temp table job as select i, pg_temp.charge() as id from generate_series(1, 4) as i;
select from refund_credits((select id from job where i = 1), 100);
select is_empty('select * from found', 'what was spent in this month is right');
select pg_temp.write(1900, last) from month;
select set_eq('select * from found', $$values ('member', 1900::bigint, 0::bigint)$$,
  'unless its month was written back: the cap would begin anew');
select is((reconcile_credit_ledger(true)).discrepancies, 1::bigint, 'a deep run says so');
select ok(bool_and(remedy like '%members_counted%'), 'with the remedy') from reconciliation_discrepancies;
select results_eq('select user_id, month, told, least::bigint from credits.members_counted where told <> least',
  $$select '00000000-0000-4000-8000-0000000000a1'::uuid, this, 0::bigint, 1900::bigint from month$$,
  'which names the member and the month');
select pg_temp.write(1900, (this + interval '1 month')::date) from month;
select set_eq('select * from found', $$values ('member', 0::bigint, 1900::bigint)$$, 'or set ahead');
select pg_temp.write(0, (this + interval '1 month')::date) from month;
select set_eq('select * from found', $$values ('member', 0::bigint, 0::bigint)$$, 'also with nothing spent in it');
select pg_temp.write(1900, this) from month;
select is_empty('select * from found', 'the remedy rights it');

select pg_temp.pass_a_month();
select is_empty('select * from member_found', 'what was spent in an earlier month is right');
select pg_temp.write(1899, last) from month;
select set_eq('select * from member_found', $$values ('member', 1900::bigint, 1899::bigint)$$, 'unless it was written');
select pg_temp.write(1901, last) from month;
select set_eq('select * from member_found', $$values ('member', 1900::bigint, 1901::bigint)$$, 'either way');
select pg_temp.write(1900, last) from month;

select from refund_credits((select id from job where i = 2));
select from settle_generation((select id from job where i = 4), '{"outputs": []}', 400);
select is_empty('select * from member_found', 'what is refunded or released when the month is over is known');
select from settle_generation((select id from job where i = 3), '{"outputs": []}', 700);
select is((select row(spent, spent_month) from account_members where user_id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(1900::bigint, last) from month),
  'what is refunded, released or added when the month is over does not count');
select is_empty('select * from member_found', 'and is right so');
select pg_temp.write(2401, last) from month;
select is((select row(invariant, actual) from member_found), row('member'::text, 2401::bigint),
  'more than was ever charged is not');
select pg_temp.write(1900, last) from month;

select from pg_temp.charge();
select is_empty('select * from member_found', 'a new month is right');
select pg_temp.write(500, last) from month;
select set_eq('select * from member_found', $$values ('member', 500::bigint, 0::bigint)$$,
  'and its charge is missed in the one before');
select pg_temp.write(500, this) from month;
select from remove_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
select is_empty('select * from member_found', 'who leaves and comes back has spent what they spent');

select pg_temp.pass_a_month();
select pg_temp.pass_a_month();
select is_empty('select * from member_found', 'months without a charge change nothing');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000d4');
select from erase_account('00000000-0000-4000-8000-0000000000a1');
select is_empty('select * from member_found', 'nor does the erasure of a member');
update account_members set spent = 1 where user_id = '00000000-0000-4000-8000-0000000000d4';
select set_eq('select * from member_found', $$values ('member', 0::bigint, 1::bigint)$$,
  'who has charged nothing has spent nothing');
update account_members set spent = 0, spent_month = '2026-01-01' where user_id = '00000000-0000-4000-8000-0000000000d4';
select is_empty('select * from member_found', 'in whichever month');

select * from finish();
rollback;
