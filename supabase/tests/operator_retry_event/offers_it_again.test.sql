begin;
select plan(8);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
insert into credit_events (id, account_id, type, payload, attempts, next_attempt_at, delivered_at) values
  ('00000000-0000-4000-8000-0000000000f1', '00000000-0000-4000-8000-0000000000a1', 'balance.low', '{}', 17, null, null),
  ('00000000-0000-4000-8000-0000000000f2', null, 'alert.fired', '{}', 17, null, null),
  ('00000000-0000-4000-8000-0000000000f3', null, 'alert.fired', '{}', 1, null, now()),
  ('00000000-0000-4000-8000-0000000000f4', '00000000-0000-4000-8000-0000000000e1', 'balance.low', '{}', 17, null, null);
insert into credit_event_endpoints (id, not_before) values (repeat('0', 64), now());
create function pg_temp.retry(p_last text) returns text language sql as $$
  select concat_ws(' ', code, details ->> 'credits', details -> 'after' ->> 'given_up')
  from operator_retry_event(('00000000-0000-4000-8000-0000000000' || p_last)::uuid, 'their receiver works again',
    gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.retry('f1'), 'done false', 'an event that was given up');
select is(pg_temp.retry('f1'), 'unchanged false', 'once');
select is(pg_temp.retry('f3'), 'unchanged false', 'one that was delivered is not sent again');
select throws_ok($$select pg_temp.retry('f9')$$, 'PT404', null, 'one that is not there');
select throws_ok($$select pg_temp.retry('f4')$$, '42501', 'this account is the operator''s own', 'one''s own');
reset role;
select results_eq($$select right(id::text, 2), attempts, next_attempt_at = now() from credit_events order by id$$,
  $$values ('f1', 0, true), ('f2', 17, null), ('f3', 1, null), ('f4', 17, null)$$, 'no other is touched');
select is_empty('select from credit_event_endpoints', 'its address is tried at once');
select results_eq('select account_id, subject from operator_actions where seq = 1',
  $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, '00000000-0000-4000-8000-0000000000f1')$$,
  'the trail names the event and its account');

select * from finish();
rollback;
