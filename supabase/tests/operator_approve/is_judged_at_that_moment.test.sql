begin;
select plan(12);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 5), ('00000000-0000-4000-8000-0000000000e2', 'finance', 5);
insert into credit_plans (name) values ('pro');
create temp table given as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'pack', 'purchase');
grant select on given to authenticated;
create function pg_temp.waiting(p_key text) returns uuid language sql security definer
  as $$ select id from public.operator_approvals where idempotency_key = p_key $$;
create function pg_temp.approve(p_key text) returns text language sql as $$
  select concat_ws(' ', code, balance) from operator_approve(pg_temp.waiting(p_key), 'this seems to be right',
    gen_random_uuid()::text) $$;

set local role authenticated;
select pg_temp.sign_in('e1');
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 50, null, 'for the trouble', 'grant');
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 50, now() + interval '1 hour',
  'for a moment', 'soon');
select from operator_withdraw('00000000-0000-4000-8000-0000000000a1', 80, 'it was too much', 'withdraw');
select from operator_reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from given), null,
  'the bank took it back', 'reverse');

reset role;
update credit_accounts set closed_at = now();
set local role authenticated;
select pg_temp.sign_in('e2');
select throws_ok($$select pg_temp.approve('grant')$$, 'PT403', 'the account is closed', 'an account closed meanwhile');
reset role;
select is((select state from operator_approvals where idempotency_key = 'grant'), 'waiting',
  'what cannot be done goes on waiting');
select is((select count(*) from operator_actions), 0::bigint, 'and is in nobody''s trail');
update credit_accounts set closed_at = null;
update operator_approvals set arguments = jsonb_set(arguments, '{expires_at}', to_jsonb(now()))
  where idempotency_key = 'soon';
set local role authenticated;
select throws_ok($$select pg_temp.approve('soon')$$, '22023', null, 'an expiry that is over by now');
reset role;
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 70);
set local role authenticated;
select is(pg_temp.approve('withdraw'), 'done 0', 'a withdrawal takes what is there by now');
reset role;
select is((select credits from operator_actions where action = 'withdraw'), -30::bigint, 'and says how much');
select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from given), null, 'at once');
set local role authenticated;
select is(pg_temp.approve('reverse'), 'done 0', 'what was done meanwhile is not done twice');
reset role;
select is((select credits from operator_actions where action = 'reverse_grant'), 0::bigint, 'it moved nothing');

update credit_operators set role = 'viewer' where user_id = '00000000-0000-4000-8000-0000000000e1';
set local role authenticated;
select throws_ok($$select pg_temp.approve('grant')$$, 'PT409', 'who asked for this may not do it any more',
  'one who asked and is a viewer now');
reset role;
update credit_operators set role = 'finance', disabled_at = now()
  where user_id = '00000000-0000-4000-8000-0000000000e1';
set local role authenticated;
select throws_ok($$select pg_temp.approve('grant')$$, 'PT409', null, 'or who left');
reset role;
update credit_operators set disabled_at = null;
select from create_team_account('00000000-0000-4000-8000-0000000000e1', '00000000-0000-4000-8000-0000000000c3');
update operator_approvals set account_id = '00000000-0000-4000-8000-0000000000c3' where idempotency_key = 'grant';
set local role authenticated;
select throws_ok($$select pg_temp.approve('grant')$$, '42501', 'this account is the operator''s own',
  'or to whom the account belongs by now');
reset role;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
