begin;
select plan(14);
set local client_min_messages = error;
create function pg_temp.id(p_name text) returns uuid language sql immutable
  as $$ select ('00000000-0000-4000-8000-0000000000' || p_name)::uuid $$;
insert into auth.users (id, email) values (pg_temp.id('a1'), 'a1@example.com');
select create_team_account(pg_temp.id('a1'), pg_temp.id('c1'));
select grant_credits(pg_temp.id('c1'), 5000);
select from atomic_charge_credits(pg_temp.id('c1'), 'standard-image', '{"prompt": "a cat"}',
  p_member_id => pg_temp.id('a1'));
create function pg_temp.team() returns text language sql as $$
  select concat_ws(', ', case when is_team then 'team' end, case when closed_at is not null then 'closed' end, balance,
    (select string_agg(role::text, ' ' order by role desc) from account_members where account_id = a.id),
    (select input ->> 'prompt' from generation_jobs where account_id = a.id),
    (select case when finished_at is null then 'to be erased' else 'erased' end from account_erasures
      where account_id = a.id))
  from credit_accounts as a where id = pg_temp.id('c1') $$;
create function pg_temp.comes_and_goes() returns void language plpgsql as $$ begin
  insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id('c1'), 'c1@example.com', now());
  delete from auth.users where id = pg_temp.id('c1');
end $$;

insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id('c1'), 'c1@example.com', now());
select is(pg_temp.team(), 'team, 4500, owner, a cat',
  'a user who signs up under a team''s id gets no sign-up grant into the team');
select is((atomic_charge_credits(pg_temp.id('c1'), 'standard-image', '{"prompt": "a"}',
  p_member_id => pg_temp.id('c1'))).code, 'not_a_member', 'and spends none of its credits');
delete from auth.users where id = pg_temp.id('c1');
select is(pg_temp.team(), 'team, 4500, owner, a cat', 'their deletion closes nothing');

update credit_settings set erase_on_user_deletion = true;
select pg_temp.comes_and_goes();
select is(pg_temp.team(), 'team, 4500, owner, a cat', 'and erases nothing');
insert into auth.users (id, email) values (pg_temp.id('c1'), 'c1@example.com');
update auth.users set deleted_at = now() where id = pg_temp.id('c1');
update auth.users set deleted_at = null where id = pg_temp.id('c1');
select is(pg_temp.team(), 'team, 4500, owner, a cat', 'nor does a soft deletion, or its end');

delete from auth.users where id = pg_temp.id('c1');
-- As where the account was busy.
insert into account_erasures (account_id) values (pg_temp.id('c1'));
select is(finish_erasures(), 0, 'the schedule has nothing to do where the deletion had to wait');
select is(pg_temp.team(), 'team, 4500, owner, a cat', 'either');

select set_account_member(pg_temp.id('c1'), pg_temp.id('b1'), 'admin');
select create_team_account(pg_temp.id('b1'), pg_temp.id('c2'));
select set_account_member(pg_temp.id('c2'), pg_temp.id('c1'), 'member');
select pg_temp.comes_and_goes();
select is_empty($$select from account_members where user_id = pg_temp.id('c1')$$,
  'they are taken out of the teams that they are in');
select is(pg_temp.team(), 'team, 4500, owner admin, a cat', 'which theirs is none of');

insert into account_erasures (account_id) values (pg_temp.id('c1'));
select is(erase_account(pg_temp.id('c1')), 1, 'an operator erases a team');
select is(pg_temp.team(), 'team, closed, 5000, erased', 'also where such a deletion waits');
select pg_temp.comes_and_goes();
select is(pg_temp.team(), 'team, closed, 5000, erased', 'which no user undoes');
select is(finish_erasures(), 0, 'nor leaves unfinished');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
