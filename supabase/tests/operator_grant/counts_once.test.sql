begin;
select plan(9);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support'),
  ('00000000-0000-4000-8000-0000000000e2', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
prepare again as select * from operator_grant('00000000-0000-4000-8000-0000000000a1', 500, '2099-01-01T00:00:00Z',
  'for the trouble', 'key-1');
select pg_temp.sign_in('e1');
set local role authenticated;
create temp table first as execute again;
set local timezone = 'Asia/Tokyo';
create temp table second as execute again;
select results_eq('select code, action_seq, balance, details from second',
  'select code, action_seq, balance, details from first', 'a repeated call gets the same answer');
select results_eq('select replayed from first union all select replayed from second', 'values (false), (true)',
  'which says so');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 501, '2099-01-01T00:00:00Z',
  'for the trouble', 'key-1')$$, 'PT409', 'this idempotency key was used for another action', 'another amount');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a2', 500, '2099-01-01T00:00:00Z',
  'for the trouble', 'key-1')$$, 'PT409', null, 'another account');
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 500, '2099-01-01T00:00:00Z',
  'for something else', 'key-1')$$, 'PT409', null, 'another reason');
select throws_ok($$select operator_withdraw('00000000-0000-4000-8000-0000000000a1', 500, 'for the trouble', 'key-1')$$,
  'PT409', null, 'or another action is no repetition');
reset role;
select is((select sum(delta) from credit_ledger), 600::numeric, 'it moved credits once');
select pg_temp.sign_in('e2');
set local role authenticated;
create temp table other as execute again;
select is((select replayed from other), false, 'another operator''s key is another key');
reset role;
select is((select count(*) from operator_actions), 2::bigint, 'one action each');

select * from finish();
rollback;
