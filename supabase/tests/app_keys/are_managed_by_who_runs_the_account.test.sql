begin;
select plan(14);

-- b2 owns the team c3, b3 is an admin, b4 a member.
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b3', 'admin');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b4');
create function pg_temp.make(p_account text, p_user text, p_name text default 'a') returns uuid language sql as $$
  select key_id from create_app_key(('00000000-0000-4000-8000-0000000000' || p_account)::uuid,
    ('00000000-0000-4000-8000-0000000000' || p_user)::uuid, p_name);
$$;
create temp table made as select pg_temp.make('c3', 'b3') as id;

select isnt(pg_temp.make('c3', 'b2'), null, 'an owner makes keys');
select is(member_id, '00000000-0000-4000-8000-0000000000b3', 'an admin''s key is the admin''s')
from credit_app_keys where id = (select id from made);
select isnt(pg_temp.make('a1', 'a1'), null, 'a user makes keys, also before their account is opened');
select is(member_id, null, 'which are the account''s own')
from credit_app_keys where account_id = '00000000-0000-4000-8000-0000000000a1';
select isnt(pg_temp.make('c3', null), null, 'so does the app''s own server');
select throws_ok($$select pg_temp.make('c3', 'b4')$$, 'PT403', null, 'a member does not');
select throws_ok($$select pg_temp.make('a1', 'b2')$$, 'PT403', null, 'nor a stranger');
select throws_ok($$select list_app_keys('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b4')$$,
  'PT403', null, 'a member lists none');
select throws_ok($$select revoke_app_key('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b4',
  (select id from made))$$, 'PT403', null, 'and revokes none');
select throws_ok($$select revoke_app_key('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a1',
  (select id from made))$$, 'PT404', null, 'nobody revokes another account''s key');
select ok(revoke_app_key('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2', id),
  'an owner revokes an admin''s') from made;
select ok(not revoke_app_key('00000000-0000-4000-8000-0000000000c3', null, id), 'a second time does nothing') from made;
select throws_ok($$select pg_temp.make('a1', 'a1', '')$$, '22023', null, 'a key has a name');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select throws_ok($$select pg_temp.make('a1', 'a1')$$, 'PT403', null, 'a closed account takes no key');

select * from finish();
rollback;
