begin;
select plan(10);
set local client_min_messages = error;

update credit_settings set sign_up_credits = 0;
insert into auth.users (id, email) select ('00000000-0000-4000-8000-0000000000' || u)::uuid, u || '@example.com'
  from unnest(array['a1', 'a2', 'b2']) as u;
update credit_plans set monthly_credits = 100 where name = 'default';
select grant_credits(id, 5000) from credit_accounts;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
create function pg_temp.charge(p_account uuid) returns text language sql as
$$ select status || ' ' || code
  from atomic_charge_credits(p_account, 'standard-image', '{"prompt": "a"}', p_member_id => p_account) $$;
create function pg_temp.state(p_account uuid) returns text language sql as $$
  select concat_ws(', ', case when closed_at is not null then 'closed' end,
    case when user_id is null then 'unlinked' end,
    (select case when finished_at is null then 'to be erased' else 'erased' end from account_erasures
      where account_id = p_account))
  from credit_accounts where id = p_account $$;

-- As Auth does it.
update auth.users set deleted_at = now(), email = 'MmI4Nzk0', encrypted_password = ''
  where id = '00000000-0000-4000-8000-0000000000a1';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'closed, unlinked',
  'the account is closed and unlinked');
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a1'), '403 account_closed',
  'a token that is still valid charges nothing');
select is_empty($$select user_id from account_members where user_id = '00000000-0000-4000-8000-0000000000a1'$$,
  'they are in no team any more');
select is(refill_plans(), 3, 'no month is paid to them');
update auth.users set updated_at = now(), email = 'MmI4Nzk1' where id = '00000000-0000-4000-8000-0000000000a1';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'closed, unlinked',
  'what else is changed of who is gone changes nothing');

update credit_settings set erase_on_user_deletion = true;
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a2'), '201 charged', 'another');
update auth.users set deleted_at = now()
  where id in ('00000000-0000-4000-8000-0000000000a2', '00000000-0000-4000-8000-0000000000a1');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a2'), 'closed, unlinked, erased',
  'is erased where the setting says so');
select is_empty($$select id from generation_jobs where input <> '{}' or refunded < cost$$, 'with what they asked for');

alter table account_erasures rename to hidden;
select lives_ok($$update auth.users set deleted_at = now() where id = '00000000-0000-4000-8000-0000000000b2'$$,
  'a failure does not keep a user from being deleted');
alter table hidden rename to account_erasures;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
