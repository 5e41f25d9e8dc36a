begin;
select plan(6);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into auth.users (id, email) select ('00000000-0000-4000-8000-0000000000' || l)::uuid, l || '@example.com'
  from unnest(array['e1', 'e2']) as l;
insert into credit_operators (user_id, role, note) select id, 'support', 'somebody' from auth.users
  where email in ('e1@example.com', 'e2@example.com');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
select pg_temp.sign_in('e1');
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'for the trouble', 'key-1');
delete from auth.users where email = 'e1@example.com';
select throws_ok($$select operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'for the trouble', 'key-2')$$,
  '42501', 'this user is not an operator', 'a token that is still valid opens nothing');
select is((select note from credit_operators where user_id = '00000000-0000-4000-8000-0000000000e1'), null,
  'what was noted of them is gone');
select is((select count(*) from operator_actions), 1::bigint, 'what they did stays');
select is((select sound from verify_operator_actions('00000000-0000-4000-8000-0000000000e1')), true, 'and holds');
select results_eq($$select note, disabled_at is null from credit_operators
    where user_id = '00000000-0000-4000-8000-0000000000e2'$$, $$values ('somebody', true)$$, 'others go on');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
