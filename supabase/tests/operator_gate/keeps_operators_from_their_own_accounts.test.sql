begin;
select plan(11);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 100), ('00000000-0000-4000-8000-0000000000e2', 'finance', 100),
  ('00000000-0000-4000-8000-0000000000e3', 'admin', null);
select from grant_credits('00000000-0000-4000-8000-0000000000e1', 10), create_team_account(
  '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from grant_credits('00000000-0000-4000-8000-0000000000e3', 10);
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000e1',
  'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 1000);
create temp table job as select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3',
  'standard-image', '{"prompt": "a cat"}');
grant select on job to authenticated;
create function pg_temp.give(p_last text, p_credits bigint default 5, p_key text default 'key-1') returns text
  language sql as $$ select code from operator_grant(('00000000-0000-4000-8000-0000000000' || p_last)::uuid, p_credits,
    null, 'for the trouble', p_key) $$;

set local role authenticated;
select pg_temp.sign_in('e1');
select throws_ok($$select pg_temp.give('e1')$$, '42501', 'this account is the operator''s own', 'none to oneself');
select throws_ok($$select pg_temp.give('c3')$$, '42501', 'this account is the operator''s own', 'none to one''s team');
select throws_ok($$select operator_refund_job((select job_id from job), null, 'it looks bad', 'key-1')$$, '42501', null,
  'no refund there');
select throws_ok($$select operator_set_overdraft('00000000-0000-4000-8000-0000000000e1', 50, 'for a while', 'key-1')$$,
  '42501', null, 'no overdraft');
select throws_ok($$select operator_set_plan('00000000-0000-4000-8000-0000000000e1', 'default', 'for a while', 'key')$$,
  '42501', null, 'no plan');
select throws_ok($$select pg_temp.give('e1', 101)$$, '42501', null, 'nor a request for it');

select pg_temp.sign_in('e2');
select is(pg_temp.give('e1', 101), 'waiting_for_approval', 'what another asks for them');
select pg_temp.sign_in('e1');
select throws_ok($$select operator_approve((select approval_id from operator_grant(
    '00000000-0000-4000-8000-0000000000e1', 101, null, 'for the trouble', 'key-1')), 'they are right', 'key-9')$$,
  '42501', null, 'nor can they ask for it by the other''s key');
reset role;
create temp table approval as select id from operator_approvals;
grant select on approval to authenticated;
set local role authenticated;
select throws_ok($$select operator_approve((select id from approval), 'they are right', 'key-9')$$, '42501',
  'this account is the operator''s own', 'they do not approve');
select pg_temp.sign_in('e3');
select is(pg_temp.give('e3'), 'done', 'an admin may: it stands in the trail');
reset role;
select is((select count(*) from operator_actions), 1::bigint, 'nothing else was done');

select * from finish();
rollback;
