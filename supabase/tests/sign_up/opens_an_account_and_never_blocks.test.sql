begin;
select plan(10);

update credit_settings set sign_up_credits = 5000;
insert into auth.users (id, email, email_confirmed_at)
  values ('00000000-0000-4000-8000-0000000000a1', 'a@example.com', now());
select is((select row(user_id, balance) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row('00000000-0000-4000-8000-0000000000a1'::uuid, 5000::bigint), 'a new user has an account and the sign-up grant');
update credit_settings set sign_up_credits = 0;
insert into auth.users (id, email, email_confirmed_at)
  values ('00000000-0000-4000-8000-0000000000b2', 'b@example.com', now());
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000b2'), 0::bigint,
  'the setting turns the grant off');
alter table credit_settings rename to hidden_settings;
select lives_ok($$insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000c3', 'c@example.com')$$,
  'a failure does not block a sign-up');
select lives_ok($$update auth.users set email_confirmed_at = now() where id = '00000000-0000-4000-8000-0000000000c3'$$,
  'nor a confirmation');
alter table hidden_settings rename to credit_settings;
update credit_settings set sign_up_credits = 5000;
select is(grant_due_sign_ups(), 1, 'whose sign-up grant is made up for');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000c3'), 5000::bigint,
  'by the schedule');
create temp table ledger as select * from credit_ledger;
select lives_ok($$delete from auth.users where id = '00000000-0000-4000-8000-0000000000a1'$$, 'a user can be deleted');
select is((select count(*) from credit_ledger), (select count(*) from ledger), 'the ledger stays whole');
select is((select row(user_id, closed_at is not null) from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1'), row(null::uuid, true), 'the account is closed and unlinked');
select is((select code
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')),
  'account_closed', 'and cannot be charged');

select * from finish();
rollback;
