begin;
select plan(16);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, disabled_at) values
  ('00000000-0000-4000-8000-0000000000e1', 'support', null),
  ('00000000-0000-4000-8000-0000000000e2', 'viewer', null),
  ('00000000-0000-4000-8000-0000000000e3', 'admin', now());
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
prepare give as select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'for the trouble', 'key-1');

set local role authenticated;
select throws_ok('give', '42501', 'this user is not an operator', 'nobody who is not signed in');
select pg_temp.sign_in('a1');
select throws_ok('give', '42501', 'this user is not an operator', 'no user');
select pg_temp.sign_in('e3');
select throws_ok('give', '42501', 'this user is not an operator', 'no operator who was removed');
select pg_temp.sign_in('e2');
select throws_ok('give', '42501', 'grant needs the role support, and this operator''s is viewer', 'no viewer');
select pg_temp.sign_in('e1', 'aal1');
select throws_ok('give', 'PT403', 'a second factor is needed', 'nobody without a second factor');
select pg_temp.sign_in('e1', null);
select throws_ok('give', 'PT403', 'a second factor is needed', 'nor whose token does not tell');
select pg_temp.sign_in('e1');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, null, 'key-1')$$, '22023',
  'a reason of 10 to 1000 characters is needed', 'no action without a reason');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'because  ' || E' \n', 'k')$$,
  '22023', null, 'nor with a short one that blanks fill up');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, repeat('x', 1001), 'k')$$,
  '22023', null, 'nor with a story');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'for the trouble', null)$$,
  '22023', 'an idempotency key of 1 to 255 characters is needed', 'nor without a key');
select lives_ok('give', 'else it is done');
reset role;
update credit_operators set role = 'viewer' where role = 'support';
set local role authenticated;
select throws_ok('give', '42501', null, 'the role is read live, not from the token');

set local role anon;
select throws_ok('give', '42501', null, 'anon has no operator function');
set local role service_role;
select throws_ok('give', '42501', null, 'nor has the service: an action has a user''s name');
reset role;
set local role authenticated;
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 5)$$, '42501', null,
  'the service''s own functions stay closed to operators');
reset role;
select is((select count(*) from operator_actions), 1::bigint, 'one action was done');

select * from finish();
rollback;
