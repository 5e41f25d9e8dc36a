begin;
select plan(17);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into auth.users (id, email) select ('00000000-0000-4000-8000-0000000000' || l)::uuid, l || '@example.com'
  from unnest(array['e2', 'e3']) as l;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
create function pg_temp.appoint(p_last text, p_role text, p_action bigint default null, p_day bigint default null)
  returns text language sql as $$
  select concat_ws(' ', code, details -> 'after' ->> 'role', details -> 'after' ->> 'max_per_action')
  from operator_set(('00000000-0000-4000-8000-0000000000' || p_last)::uuid, p_role, p_action, p_day,
    'joined the team in May', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.appoint('e2', 'support', 500, 2000), 'done support 500', 'a user becomes an operator');
select is(pg_temp.appoint('e2', 'support', 500, 2000), 'unchanged support 500', 'once');
select is(pg_temp.appoint('e2', 'finance', 100), 'done finance 100', 'gets another role');
select throws_ok($$select pg_temp.appoint('e1', 'admin')$$, '42501', 'nobody changes their own role or limits',
  'nobody by themselves');
select throws_ok($$select pg_temp.appoint('ef', 'support')$$, 'PT404', null, 'nobody who is no user');
select throws_ok($$select pg_temp.appoint('e3', 'owner')$$, '22023', null, 'no role that is not there');
select throws_ok($$select pg_temp.appoint('e3', null)$$, '22023', null, 'nor none');
select throws_ok($$select pg_temp.appoint('e3', 'support', -1)$$, '22023', null, 'no limit below 0');
select pg_temp.sign_in('e2');
select throws_ok($$select pg_temp.appoint('e3', 'viewer')$$, '42501', null, 'finance makes nobody an operator');
select pg_temp.sign_in('e1');
select is((operator_remove('00000000-0000-4000-8000-0000000000e2', 'left the team in June', 'bye')).code, 'done',
  'who leaves is removed');
select is((operator_remove('00000000-0000-4000-8000-0000000000e2', 'left the team in June', 'bye-2')).code, 'unchanged',
  'once');
select throws_ok($$select operator_remove('00000000-0000-4000-8000-0000000000e1', 'left the team', 'bye')$$, 'PT409',
  null, 'with a key of its own');
select throws_ok($$select operator_remove('00000000-0000-4000-8000-0000000000e1', 'left the team', 'bye-3')$$, '42501',
  'nobody changes their own role or limits', 'nobody removes themselves, so there is always an admin');
select throws_ok($$select operator_remove('00000000-0000-4000-8000-0000000000e3', 'left the team', 'bye-3')$$, 'PT404',
  null, 'nor who is no operator');
select pg_temp.sign_in('e2');
select is_empty('select * from operator_abilities()', 'they may do nothing any more');
select pg_temp.sign_in('e1');
select is(pg_temp.appoint('e2', 'viewer'), 'done viewer', 'until they come back');
reset role;
select results_eq($$select action, subject = '00000000-0000-4000-8000-0000000000e2', before ->> 'role',
    after ->> 'role', after ->> 'disabled' from operator_actions order by seq$$,
  $$values ('set', true, null, 'support', 'false'), ('set', true, 'support', 'support', 'false'),
    ('set', true, 'support', 'finance', 'false'), ('remove', true, 'finance', 'finance', 'true'),
    ('remove', true, 'finance', 'finance', 'true'), ('set', true, 'finance', 'viewer', 'false')$$,
  'the trail has each change');

select * from finish();
rollback;
