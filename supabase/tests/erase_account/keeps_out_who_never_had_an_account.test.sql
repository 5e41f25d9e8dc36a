begin;
select plan(13);

update credit_settings set sign_up_credits = 0;
insert into auth.users (id, email) select ('00000000-0000-4000-8000-0000000000' || u)::uuid, u || '@example.com'
  from unnest(array['a1', 'a2', 'a3']) as u;
-- They were there before the installation: no account until they use it.
delete from credit_accounts;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a3');
update credit_plans set monthly_credits = 100 where name = 'default';
create function pg_temp.state(p_account uuid) returns text language sql as $$
  select concat_ws(', ', case when closed_at is not null then 'closed' end,
    case when user_id is null then 'unlinked' end,
    (select case when finished_at is null then 'to be erased' else 'erased' end from account_erasures
      where account_id = p_account))
  from credit_accounts where id = p_account $$;
create function pg_temp.charge(p_account uuid) returns text language sql as
$$ select status || ' ' || code from atomic_charge_credits(p_account, 'standard-image', '{"prompt": "a"}') $$;

update credit_settings set erase_on_user_deletion = true;
delete from auth.users where id = '00000000-0000-4000-8000-0000000000a1';
select is(finish_erasures(), 0, 'an erasure that finds nothing is finished');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'closed, unlinked, erased',
  'the account is closed before it is opened');
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a1'), '403 account_closed',
  'a token that is still valid opens none');

update credit_settings set erase_on_user_deletion = false;
delete from auth.users where id = '00000000-0000-4000-8000-0000000000a2';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a2'), 'closed, unlinked', 'nor without erasure');
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a2'), '403 account_closed', 'is anything charged');
delete from auth.users where id = '00000000-0000-4000-8000-0000000000a3';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a3'), 'closed, unlinked', 'nor for who was in a team alone');
select is_empty($$select user_id from account_members where user_id = '00000000-0000-4000-8000-0000000000a3'$$,
  'and is no more');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000c3';
select is(refill_plans(), 0, 'no month is paid to any of them');

select is(erase_account('00000000-0000-4000-8000-0000000000d4'), 0, 'an unknown account has nothing to erase');
select is_empty($$select id from credit_accounts where id = '00000000-0000-4000-8000-0000000000d4'$$,
  'and is not opened by that');
select is(erase_account('00000000-0000-4000-8000-0000000000b2'), 0, 'a member without an account is erased');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000b2'), 'closed, unlinked, erased', 'and closed all the same');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
