begin;
select plan(4);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'support', 5), ('00000000-0000-4000-8000-0000000000e2', 'support', 5),
  ('00000000-0000-4000-8000-0000000000e3', 'admin', 5);
select from grant_credits('00000000-0000-4000-8000-0000000000e1', 100);
create function pg_temp.ask(p_key text) returns text language sql as $$
  select code from operator_withdraw('00000000-0000-4000-8000-0000000000e1', 50, 'it was given twice', p_key) $$;
create function pg_temp.waiting(p_key text) returns uuid language sql security definer
  as $$ select id from public.operator_approvals where idempotency_key = p_key $$;
create function pg_temp.reject(p_key text) returns text language sql as $$
  select code from operator_reject(pg_temp.waiting(p_key), 'I would rather keep it', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e2');
select pg_temp.ask('key-' || n) from generate_series(1, 2) as n;
select pg_temp.sign_in('e1');
select throws_ok($$select pg_temp.reject('key-1')$$, '42501', 'this account is the operator''s own',
  'what is to be taken from them');
select pg_temp.sign_in('e3');
select is(pg_temp.reject('key-1'), 'done', 'others do');
reset role;
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
update operator_approvals set account_id = '00000000-0000-4000-8000-0000000000c3' where idempotency_key = 'key-2';
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000e2');
set local role authenticated;
select pg_temp.sign_in('e2');
select throws_ok($$select operator_approve(pg_temp.waiting('key-2'), 'this seems to be right', 'key-9')$$, '42501',
  null, 'who joined the account''s team since does not approve');
select is(pg_temp.reject('key-2'), 'done', 'but takes their own request back');

select * from finish();
rollback;
