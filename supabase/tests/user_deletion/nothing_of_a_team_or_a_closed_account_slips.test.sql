begin;
select plan(5);
set local client_min_messages = error;
create function pg_temp.id(p_name text) returns uuid language sql immutable
  as $$ select ('00000000-0000-4000-8000-0000000000' || p_name)::uuid $$;
update credit_settings set sign_up_credits = 0;
insert into auth.users (id, email) select pg_temp.id(u), u || '@example.com'
  from unnest(array['a1', 'a2', 'a3', 'b1', 'b2', 'e1', 'e2']) as u;

select create_team_account(pg_temp.id('a1'), pg_temp.id('c1'));
select set_account_member(pg_temp.id('c1'), pg_temp.id('b1'), 'admin');
update credit_accounts set closed_at = now() where id = pg_temp.id('c1');
delete from auth.users where id = pg_temp.id('a1');
select is((select role::text from account_members where account_id = pg_temp.id('c1') and user_id = pg_temp.id('b1')),
  'owner',
  'a team that is closed while its owner leaves has its next owner when it is opened again');

select create_team_account(pg_temp.id('a2'), pg_temp.id('c2'));
select set_account_member(pg_temp.id('c2'), pg_temp.id('e1'), 'viewer');
delete from auth.users where id = pg_temp.id('a2');
update credit_accounts set closed_at = null where id = pg_temp.id('c2');
select isnt_empty($$select from account_teams_without_owner where account_id = pg_temp.id('c2')$$,
  'a frozen team that is opened without an owner is found still');

select create_team_account(pg_temp.id('a3'), pg_temp.id('c3'));
select set_account_member(pg_temp.id('c3'), pg_temp.id('e2'), 'member', 0);
select set_account_member(pg_temp.id('c3'), pg_temp.id('b1'), 'member');
delete from auth.users where id = pg_temp.id('a3');
select is((select user_id from account_members where account_id = pg_temp.id('c3') and role = 'owner'),
  pg_temp.id('b1'),
  'who may not spend does not become the owner');

update credit_accounts set closed_at = now() where id = pg_temp.id('b2');
select erase_account(pg_temp.id('b2'));
delete from auth.users where id = pg_temp.id('b2');
insert into auth.users (id, email) values (pg_temp.id('b2'), 'b2@example.com');
select finish_erasures(100);
select isnt((select closed_at from credit_accounts where id = pg_temp.id('b2')), null,
  'an account that an operator closed before its erasure stays closed');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
