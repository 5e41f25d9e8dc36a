begin;
select plan(8);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 60);
select from grant_credits(
  '00000000-0000-4000-8000-0000000000a1', 40, p_expires_at => '2099-01-01');
select pg_temp.sign_in('e1');
set local role authenticated;
create temp table answers as
  select 1 as at, * from operator_withdraw('00000000-0000-4000-8000-0000000000a1', 70, 'granted by mistake', 'key-1')
  union all
  select 2, * from operator_withdraw('00000000-0000-4000-8000-0000000000a1', 70, 'granted by mistake', 'key-2')
  union all
  select 3, * from operator_withdraw('00000000-0000-4000-8000-0000000000a1', 70, 'granted by mistake', 'key-3')
  union all
  select 4, * from operator_withdraw('00000000-0000-4000-8000-0000000000a1', 70, 'granted by mistake', 'key-1');
reset role;
select results_eq('select code, balance, (details ->> ''credits'')::bigint, replayed from answers order by at',
  $$values ('done', 30::bigint, -70::bigint, false), ('done', 0, -30, false), ('unchanged', 0, 0, false),
    ('done', 0, -70, true)$$, 'the most that is there, each time');
select results_eq('select seq, credits, first_seq, last_seq from operator_actions order by seq',
  'values (1::bigint, -70::bigint, 3::bigint, 4::bigint), (2, -30, 5, 5), (3, 0, null, null)',
  'each action names its entries');
select results_eq($$select seq, kind::text, metadata ->> 'operator_action', metadata ->> 'withdrawal_ref', reason
    from credit_ledger where seq > 2 order by seq$$,
  $$select s, 'adjustment', '00000000-0000-4000-8000-0000000000e1:' || a,
      'operator:00000000-0000-4000-8000-0000000000e1:' || a, 'granted by mistake'
    from (values (3::bigint, 1), (4, 1), (5, 2)) as v (s, a)$$, 'and each entry its action');
set local role authenticated;
select throws_ok($$select operator_withdraw('00000000-0000-4000-8000-0000000000a1', 0, 'granted by mistake', 'k')$$,
  '22023', null, 'nothing is no withdrawal');
select throws_ok($$select operator_withdraw('00000000-0000-4000-8000-0000000000a1', null, 'granted by mistake', 'k')$$,
  '22023', null, 'nor is everything');
select throws_ok($$select operator_withdraw('00000000-0000-4000-8000-0000000000af', 1, 'granted by mistake', 'k')$$,
  'PT404', null, 'an account that is not there');
reset role;
select is_empty($$select from credit_accounts where id = '00000000-0000-4000-8000-0000000000af'$$,
  'is not there afterwards');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
