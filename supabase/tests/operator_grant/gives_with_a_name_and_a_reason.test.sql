begin;
select plan(14);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'welcome');

select pg_temp.sign_in('e1');
set local role authenticated;
create temp table answers as select * from operator_grant('00000000-0000-4000-8000-0000000000a1', 500, null,
  'for the trouble on Monday', 'key-1');
reset role;

select results_eq('select code, operator_id, action_seq, approval_id, replayed, account_id, balance from answers',
  $$values ('done', '00000000-0000-4000-8000-0000000000e1'::uuid, 1::bigint, null::uuid, false,
    '00000000-0000-4000-8000-0000000000a1'::uuid, 600::bigint)$$, 'it answers with the action and the balance');
select results_eq($$select delta, kind::text, reason, metadata from credit_ledger where seq = 2$$,
  $$values (500::bigint, 'grant', 'for the trouble on Monday',
    '{"operator_action": "00000000-0000-4000-8000-0000000000e1:1"}'::jsonb)$$,
  'the entry has the reason and names the action');
select results_eq($$select action, account_id, credits, first_seq, last_seq, reason, idempotency_key
  from operator_actions$$,
  $$values ('grant', '00000000-0000-4000-8000-0000000000a1'::uuid, 500::bigint, 2::bigint, 2::bigint,
    'for the trouble on Monday', 'key-1')$$, 'the action names the entry');
select results_eq($$select before ->> 'balance', after ->> 'balance' from operator_actions$$,
  $$values ('100', '600')$$, 'with what was before and after');
select results_eq($$select (after ->> 'grant_id')::bigint, details -> 'after' ->> 'balance'
  from operator_actions, answers$$,
  $$select id, '600' from credit_grants where external_ref = 'operator:00000000-0000-4000-8000-0000000000e1:1'$$,
  'and with the grant, whose external_ref names the action, too');

set local role authenticated;
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 5, '2099-01-01', 'a trial of two months', 'key-2');
reset role;
select is((select expires_at from credit_grants where amount = 5), '2099-01-01'::timestamptz, 'it may expire');

set local role authenticated;
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 0, null, 'for the trouble', 'key-3')$$,
  '22023', null, 'no grant of nothing');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', null, null, 'for the trouble', 'k')$$,
  '22023', null, 'nor without an amount');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, now(), 'for the trouble', 'key')$$,
  '22023', null, 'nor of what has expired');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000af', 5, null, 'for the trouble', 'key-3')$$,
  'PT404', 'no such account', 'nor to a mistyped account');
reset role;
update credit_accounts set closed_at = now();
set local role authenticated;
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'for the trouble', 'key-3')$$,
  'PT403', 'the account is closed', 'nor to a closed one');
reset role;
select is((select count(*) from operator_actions), 2::bigint, 'what was refused is no action');

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000b2', 'new@example.com');
delete from credit_accounts where id = '00000000-0000-4000-8000-0000000000b2' and last_seq = 0;
set local role authenticated;
select is((operator_grant('00000000-0000-4000-8000-0000000000b2', 5, null, 'a welcome of ours', 'key-3')).code, 'done',
  'a user whose account was never used can be given some');
reset role;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
