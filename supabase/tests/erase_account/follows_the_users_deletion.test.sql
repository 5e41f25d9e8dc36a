begin;
select plan(10);
set local client_min_messages = error;

insert into auth.users (id, email) select ('00000000-0000-4000-8000-0000000000' || u)::uuid, u || '@example.com'
  from unnest(array['a1', 'a2', 'a3', 'b2']) as u;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
select grant_credits(id, 5000) from credit_accounts;
create function pg_temp.charge(p_account uuid, p_member uuid default null) returns uuid language sql as
$$ select job_id
  from atomic_charge_credits(p_account, 'standard-image', '{"prompt": "a cat"}', p_member_id => p_member) $$;
create function pg_temp.state(p_account uuid) returns text language sql as $$
  select concat_ws(', ', case when closed_at is not null then 'closed' end,
    case when user_id is null then 'unlinked' end,
    (select case when finished_at is null then 'to be erased' else 'erased' end from account_erasures
      where account_id = p_account))
  from credit_accounts where id = p_account $$;
select pg_temp.charge('00000000-0000-4000-8000-0000000000a1'), pg_temp.charge('00000000-0000-4000-8000-0000000000a2'),
  pg_temp.charge('00000000-0000-4000-8000-0000000000a3'),
  pg_temp.charge('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');

update credit_settings set erase_on_user_deletion = true;
delete from auth.users where id = '00000000-0000-4000-8000-0000000000a1';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a1'), 'closed, unlinked, erased',
  'the account goes with the user');
select is_empty($$select id from generation_jobs
  where member_id is not null or account_id = '00000000-0000-4000-8000-0000000000a1'
    and (input <> '{}' or refunded < cost)$$, 'with what it asked for, also in a team');
select is_empty($$select user_id from account_members where user_id = '00000000-0000-4000-8000-0000000000a1'$$,
  'and its membership');

update generation_jobs set cost = cost + 1 where account_id = '00000000-0000-4000-8000-0000000000a2';
select lives_ok($$delete from auth.users where id = '00000000-0000-4000-8000-0000000000a2'$$,
  'a job whose books are wrong does not keep a user from being deleted');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a2'), 'closed, unlinked, to be erased',
  'nor the account from being closed');
update generation_jobs set cost = cost - 1 where account_id = '00000000-0000-4000-8000-0000000000a2';

alter table generation_jobs rename column erased_at to hidden;
select lives_ok($$delete from auth.users where id = '00000000-0000-4000-8000-0000000000a3'$$,
  'nor does an erasure that fails');
select is(pg_temp.state('00000000-0000-4000-8000-0000000000a3'), 'closed, unlinked, to be erased',
  'the account is closed all the same');
alter table generation_jobs rename column hidden to erased_at;
select is(finish_erasures(), 0, 'the schedule makes up for both');
select is_empty($$select id from generation_jobs where erased_at is null or refunded < cost$$, 'completely');

update credit_settings set erase_on_user_deletion = false;
delete from auth.users where id = '00000000-0000-4000-8000-0000000000b2';
select is(pg_temp.state('00000000-0000-4000-8000-0000000000b2'), 'closed, unlinked',
  'without the setting it is closed and no more');

select * from finish();
rollback;
