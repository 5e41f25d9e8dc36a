begin;
select plan(10);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 60);
select pg_temp.sign_in('e1');
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'for the trouble', 'key-1');

select throws_ok('update operator_actions set reason = ''another reason''', 'PT405', 'operator_actions is append-only',
  'an update raises');
select throws_ok('delete from operator_actions', 'PT405', null, 'a delete raises');
select throws_ok('truncate operator_actions', 'PT405', null, 'a truncate raises');
set local session_replication_role = replica;
select throws_ok('truncate operator_actions', 'PT405', null, 'also to a replica');
set local session_replication_role = origin;
alter table operator_actions disable rule operator_actions_no_update;
alter table operator_actions disable rule operator_actions_no_delete;
select throws_ok('update operator_actions set reason = ''another reason''', 'PT405', null,
  'where the rules are off, triggers remain');
select throws_ok('delete from operator_actions', 'PT405', null, 'for deletes, too');
set local role service_role;
select throws_ok('update operator_actions set reason = ''another reason''', '42501', null, 'the service may not try');
select throws_ok('insert into operator_actions (operator_id) values (gen_random_uuid())', '42501', null,
  'nor write one');
select throws_ok('update credit_operators set role = ''admin''', '42501', null, 'nor make an operator');
reset role;
select is((select count(*) from operator_actions where reason = 'for the trouble'), 1::bigint, 'it stands');

select * from finish();
rollback;
