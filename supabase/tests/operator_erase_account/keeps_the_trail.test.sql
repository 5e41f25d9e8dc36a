begin;
select plan(12);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, note) values ('00000000-0000-4000-8000-0000000000e1', 'admin', null),
  ('00000000-0000-4000-8000-0000000000a1', 'support', 'Anna, until 2025');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1500);
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-000000000003');
select from set_account_member('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-0000000000a1');
select from grant_credits('00000000-0000-4000-8000-000000000003', 500);
create temp table jobs as select (atomic_charge_credits(a, 'standard-image', '{"prompt": "a secret"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1')).job_id
  from unnest(array['00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-000000000003']::uuid[]) as a;
set local role authenticated;
select pg_temp.sign_in('e1');
create temp table answers as select * from operator_erase_account('00000000-0000-4000-8000-0000000000a1',
  'they asked for it by mail', 'key');
create temp table again as select * from operator_erase_account('00000000-0000-4000-8000-0000000000a1',
  'they asked for it by mail', 'key-2');
reset role;
select results_eq($$select code, balance, details ->> 'credits', details -> 'after' ->> 'jobs_erased' from answers$$,
  $$values ('done', 1500::bigint, null, '2')$$, 'it erases, and refunds what was open');
select is((select code from again), 'unchanged', 'once');
select is_empty($$select from generation_jobs where input ->> 'prompt' = 'a secret'$$, 'no prompt is left');
select isnt((select closed_at from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), null,
  'the account is closed');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-000000000003'), 500::bigint,
  'their job in a team is refunded, too');
select results_eq($$select account_id::text, metadata ->> 'operator_action' from credit_ledger where kind = 'refund'
    order by 1$$,
  $$values ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-0000000000e1:1'),
    ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000e1:1')$$,
  'each of these entries names the action');
select is((select note from credit_operators where user_id = '00000000-0000-4000-8000-0000000000a1'), null,
  'what was noted of them as an operator is gone');
select is((select sound from verify_operator_actions('00000000-0000-4000-8000-0000000000e1')), true, 'the trail holds');
set local role authenticated;
select throws_ok($$select operator_erase_account('00000000-0000-4000-8000-0000000000af', 'they asked for it', 'k')$$,
  'PT404', null, 'an account that is not there');
reset role;

-- A member of a team who never had an account.
select from set_account_member('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-0000000000d4');
delete from credit_accounts where id = '00000000-0000-4000-8000-0000000000d4';
set local role authenticated;
select is((operator_erase_account('00000000-0000-4000-8000-0000000000d4', 'they asked for it', 'key-4')).code, 'done',
  'a person who is in a team alone can be erased');
reset role;
select is_empty($$select from account_members where user_id = '00000000-0000-4000-8000-0000000000d4'$$,
  'and is gone from it');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
