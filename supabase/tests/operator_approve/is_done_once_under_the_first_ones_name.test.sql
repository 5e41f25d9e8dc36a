begin;
select plan(22);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action, max_per_day) values
  ('00000000-0000-4000-8000-0000000000e1', 'support', 100, 100),
  ('00000000-0000-4000-8000-0000000000e2', 'support', 100, null),
  ('00000000-0000-4000-8000-0000000000e3', 'finance', 100, null),
  ('00000000-0000-4000-8000-0000000000e4', 'viewer', null, null),
  ('00000000-0000-4000-8000-0000000000e5', 'admin', null, 0);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10);
create function pg_temp.give(p_credits bigint, p_key text) returns operator_result language sql as $$
  select operator_grant('00000000-0000-4000-8000-0000000000a1', p_credits, null, 'for the trouble', p_key) $$;
create function pg_temp.waiting(p_key text) returns uuid language sql security definer
  as $$ select id from public.operator_approvals where idempotency_key = p_key $$;
create function pg_temp.own_grants() returns table (grant_id bigint) language sql security definer
  as $$ select id from public.credit_grants $$;
create function pg_temp.approve(p_key text, p_own_key text default gen_random_uuid()::text)
  returns operator_result language sql as $$
  select operator_approve(pg_temp.waiting(p_key), 'they had to wait for long', p_own_key) $$;

set local role authenticated;
select pg_temp.sign_in('e1');
select is((pg_temp.give(500, 'key-1')).code, 'waiting_for_approval', 'a request');
select throws_ok($$select pg_temp.approve('key-1')$$, '42501', 'nobody approves their own request', 'not by oneself');
select pg_temp.sign_in('e4');
select throws_ok($$select pg_temp.approve('key-1')$$, '42501', null, 'not by a viewer');
select pg_temp.sign_in('a1');
select throws_ok($$select pg_temp.approve('key-1')$$, '42501', 'this user is not an operator', 'nor by the customer');
select pg_temp.sign_in('e2', 'aal1');
select throws_ok($$select pg_temp.approve('key-1')$$, 'PT403', null, 'nor without a second factor');
select pg_temp.sign_in('e5');
select throws_ok($$select pg_temp.approve('key-1')$$, 'PT403', 'this operator moves no credits',
  'nor by one who moves no credits at all');
select pg_temp.sign_in('e2');
create temp table answers as select * from pg_temp.approve('key-1', 'yes-1');
select results_eq($$select code, operator_id, action_seq, balance, details -> 'after' ->> 'action_seq',
    details -> 'after' ->> 'operator_id' from answers$$,
  $$values ('done', '00000000-0000-4000-8000-0000000000e2'::uuid, 1::bigint, 510::bigint, '1',
    '00000000-0000-4000-8000-0000000000e1')$$, 'by a second one of the same role');
select is((pg_temp.approve('key-1', 'yes-1')).replayed, true, 'whose call may be repeated');
select throws_ok($$select pg_temp.approve('key-1')$$, 'PT409', 'this request waits no more', 'it is done once');
select pg_temp.sign_in('e3');
select throws_ok($$select pg_temp.approve('key-1')$$, 'PT409', null, 'by nobody else again');
reset role;
select results_eq($$select operator_id, seq, action, credits, reason, subject = approval_id::text,
    approval_id = pg_temp.waiting('key-1') from operator_actions order by operator_id$$,
  $$values ('00000000-0000-4000-8000-0000000000e1'::uuid, 1::bigint, 'grant', 500::bigint, 'for the trouble',
      null::boolean, true),
    ('00000000-0000-4000-8000-0000000000e2', 1, 'approve', null, 'they had to wait for long', true, true)$$,
  'both have a row: the grant is the first one''s');
select results_eq($$select metadata ->> 'operator_action', reason from credit_ledger where seq = 2$$,
  $$values ('00000000-0000-4000-8000-0000000000e1:1', 'for the trouble')$$, 'so is the entry');
select results_eq('select state, decided_by, decision_reason from operator_approvals',
  $$values ('approved', '00000000-0000-4000-8000-0000000000e2'::uuid, 'they had to wait for long')$$,
  'the request says who decided');
set local role authenticated;
select pg_temp.sign_in('e1');
select results_eq($$select code, replayed, action_seq from pg_temp.give(500, 'key-1')$$,
  $$values ('done', true, 1::bigint)$$, 'the first one''s call, repeated, is answered as done');
select is((pg_temp.give(100, 'key-2')).code, 'done', 'what was approved does not use up their day');

select is((pg_temp.give(101, 'key-3')).code, 'waiting_for_approval', 'another request');
select pg_temp.sign_in('e3');
select is((pg_temp.approve('key-3')).code, 'done', 'a higher role may approve');
select is((operator_reverse_grant('00000000-0000-4000-8000-0000000000a1', (select max(l.grant_id)
    from pg_temp.own_grants() as l), null, 'it was the wrong one', 'key-4')).code, 'waiting_for_approval',
  'a request of finance''s');
select pg_temp.sign_in('e2');
select throws_ok($$select pg_temp.approve('key-4')$$, '42501',
  'who decides needs the role of the one who asks, or a higher one', 'is not support''s to approve');
reset role;
update operator_approvals set expires_at = now() where idempotency_key = 'key-4';
set local role authenticated;
select pg_temp.sign_in('e3');
select throws_ok($$select operator_reverse_grant('00000000-0000-4000-8000-0000000000a1', (select max(l.grant_id)
    from pg_temp.own_grants() as l), null, 'it was the wrong one', 'key-4')$$, 'PT409',
  'this request was rejected or has expired', 'after its time nobody waits for it');
reset role;
select apply_retention();
select is((select state from operator_approvals where idempotency_key = 'key-4'), 'expired', 'and it says so');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
