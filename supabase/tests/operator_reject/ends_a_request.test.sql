begin;
select plan(9);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'support', 5), ('00000000-0000-4000-8000-0000000000e2', 'support', 5),
  ('00000000-0000-4000-8000-0000000000e3', 'admin', 5);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
create function pg_temp.ask(p_key text) returns text language sql as $$
  select code from operator_grant('00000000-0000-4000-8000-0000000000a1', 50, null, 'for the trouble', p_key) $$;
create function pg_temp.waiting(p_key text) returns uuid language sql security definer
  as $$ select id from public.operator_approvals where idempotency_key = p_key $$;
create function pg_temp.reject(p_key text, p_own_key text) returns text language sql as $$
  select concat_ws(' ', code, details -> 'after' ->> 'state', case when replayed then 'replayed' end)
  from operator_reject(pg_temp.waiting(p_key), 'that is far too much', p_own_key) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select pg_temp.ask('key-' || n) from generate_series(1, 2) as n;
select pg_temp.sign_in('e2');
select is(pg_temp.reject('key-1', 'no-1'), 'done rejected', 'by a second operator');
select is(pg_temp.reject('key-1', 'no-1'), 'done rejected replayed', 'whose call may be repeated');
select throws_ok($$select operator_approve(pg_temp.waiting('key-1'), 'it is not too much', 'yes-1')$$, 'PT409', null,
  'it is not approved any more');
select pg_temp.sign_in('e1');
select throws_ok($$select pg_temp.ask('key-1')$$, 'PT409', 'this request was rejected or has expired',
  'who asked learns of it');
select is(pg_temp.ask('key-3'), 'waiting_for_approval', 'and may ask anew');
select is(pg_temp.reject('key-2', 'no-2'), 'done rejected', 'or take their own request back');
select throws_ok($$select operator_reject(gen_random_uuid(), 'that is far too much', 'no-3')$$, 'PT404', null,
  'a request that is not there');
reset role;
select results_eq($$select operator_id::text, action, account_id, reason from operator_actions order by created_at$$,
  $$select '00000000-0000-4000-8000-0000000000' || o, 'reject', '00000000-0000-4000-8000-0000000000a1'::uuid,
    'that is far too much' from unnest(array['e2', 'e1']) as o$$, 'the trail has who rejected');
select is((select sum(delta) from credit_ledger), 100::numeric, 'nothing moved');

select * from finish();
rollback;
