begin;
select plan(19);
set local client_min_messages = error;

update credit_settings set sign_up_credits = 5000;
create function pg_temp.sign_up(variadic p_names text[]) returns void language sql as $$
  insert into auth.users (id, email, email_confirmed_at)
  select ('00000000-0000-4000-8000-0000000000' || u)::uuid, u || '@example.com', now() from unnest(p_names) as u
$$;
create function pg_temp.charge(p_account uuid, p_team uuid default null) returns text language sql as
$$ select status || ' ' || code
  from atomic_charge_credits(coalesce(p_team, p_account), 'standard-image', '{"prompt": "a"}',
    p_member_id => p_account) $$;
create function pg_temp.state(p_account uuid) returns text language sql as $$
  select concat_ws(', ', case when closed_at is null then 'open' else 'closed' end,
    case when user_id = id then 'theirs' end, balance,
    (select 'noted' from account_erasures where account_id = p_account))
  from credit_accounts where id = p_account $$;

select pg_temp.sign_up('a1', 'b2');
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a1'), '201 charged', 'who has an account');
update auth.users set deleted_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
update auth.users set deleted_at = null where id = '00000000-0000-4000-8000-0000000000a1';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'open, theirs, 4500',
  'has it again when their deletion is undone');
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a1'), '201 charged', 'and is charged');

delete from auth.users where id = '00000000-0000-4000-8000-0000000000a1';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'closed, 4000', 'who is deleted');
select pg_temp.sign_up('a1');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'open, theirs, 4000',
  'and made again under the same id, too, without a second sign-up grant');
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a1'), '201 charged', 'and is charged');

update credit_settings set erase_on_user_deletion = true;
delete from auth.users where id = '00000000-0000-4000-8000-0000000000a1';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'closed, 5000, noted', 'who is erased');
select pg_temp.sign_up('a1');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'open, theirs, 5000', 'has what the ledger says');
select is_empty($$select id from generation_jobs where erased_at is null or input <> '{}'$$, 'without what was erased');
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000a1'), '201 charged', 'and goes on');
update credit_settings set erase_on_user_deletion = false;
delete from auth.users where id = '00000000-0000-4000-8000-0000000000a1';
select is((select input ->> 'prompt' from generation_jobs where erased_at is null), 'a',
  'what they do then is erased when that is asked for again, not before');

-- An erasure that cannot be finished yet: the return waits for it.
update credit_settings set erase_on_user_deletion = true;
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000b2'), '201 charged', 'another');
update generation_jobs set cost = cost + 1 where account_id = '00000000-0000-4000-8000-0000000000b2';
update auth.users set deleted_at = now() where id = '00000000-0000-4000-8000-0000000000b2';
update auth.users set deleted_at = null where id = '00000000-0000-4000-8000-0000000000b2';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000b2'), 'closed, 4500, noted',
  'comes back before they are erased');
update generation_jobs set cost = cost - 1 where account_id = '00000000-0000-4000-8000-0000000000b2';
select is(finish_erasures(), 0, 'the erasure is finished first');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000b2'), 'open, theirs, 5000', 'then the account is opened');

delete from auth.users where id = '00000000-0000-4000-8000-0000000000b2';
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000b2';
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000b2'), '201 charged',
  'an account that an operator opens is its person''s too');


-- Whom an operator has shut out.
update credit_settings set erase_on_user_deletion = false;
select pg_temp.sign_up('d4');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000d4';
delete from auth.users where id = '00000000-0000-4000-8000-0000000000d4';
select pg_temp.sign_up('d4');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000d4'), 'closed, theirs, 5000',
  'a closed account does not open by a deletion that is undone');
select is(finish_erasures(), 0, 'nothing is left to do');
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000d4';
select is(pg_temp.charge('00000000-0000-4000-8000-0000000000d4'), '201 charged', 'but when the operator opens it');

select * from finish();
rollback;
