begin;
select plan(9);

select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b3', 'admin');
create temp table made as
  select key_id as id from create_app_key('00000000-0000-4000-8000-0000000000c3',
    '00000000-0000-4000-8000-0000000000b3', 'a');
create function pg_temp.state() returns text language sql as $$
  select credits.app_key_state(k) from made left join credit_app_keys as k on k.id = made.id;
$$;

select is(pg_temp.state(), null, 'a key may be used');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b3', 'viewer');
select is(pg_temp.state(), 'not_allowed_to_spend', 'not once its member may only look');
select from remove_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b3');
select is(pg_temp.state(), 'not_a_member', 'nor once they are removed');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b3', 'admin');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000c3';
select is(pg_temp.state(), 'account_closed', 'nor on a closed account');
update credit_accounts set closed_at = null where id = '00000000-0000-4000-8000-0000000000c3';
select is(pg_temp.state(), null, 'what comes back, the key comes back with');
update credit_app_keys set expires_at = clock_timestamp();
select is(pg_temp.state(), 'invalid_app_key', 'an expired key is unknown');
update credit_app_keys set expires_at = null, revoked_at = now();
select is(pg_temp.state(), 'invalid_app_key', 'so is a revoked one');
update credit_app_keys set revoked_at = null;
select from erase_account('00000000-0000-4000-8000-0000000000b3');
select is(pg_temp.state(), 'invalid_app_key', 'and one whose member was erased');
select is_empty('select from credit_app_keys', 'with its name');

select * from finish();
rollback;
