begin;
select plan(8);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 5), ('00000000-0000-4000-8000-0000000000e2', 'finance', 5);
insert into credit_plans (name, monthly_credits) values ('pro', 200);
create temp table given as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
grant select on given to authenticated;
create function pg_temp.waiting(p_key text) returns uuid language sql security definer
  as $$ select id from public.operator_approvals where idempotency_key = p_key $$;
create function pg_temp.approve(p_key text) returns text language sql as $$
  select concat_ws(' ', code, details -> 'after' ->> 'credits') from operator_approve(pg_temp.waiting(p_key),
    'this seems to be right', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select from operator_set_plan('00000000-0000-4000-8000-0000000000a1', 'pro', 'they upgraded by mail', 'plan');
select from operator_reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from given), 50,
  'the bank took it back', 'reverse');
select from operator_grant('00000000-0000-4000-8000-0000000000a1', 50, null, 'for the trouble', 'grant');
reset role;
update credit_plans set monthly_credits = 2000000 where name = 'pro';
select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from given), 100, 'at once');
set local role authenticated;
select pg_temp.sign_in('e2');
select throws_ok($$select pg_temp.approve('plan')$$, 'PT409', 'it would move more credits than were asked for',
  'a plan that gives more by now');
select throws_ok($$select pg_temp.approve('reverse')$$, 'PT409', 'it would move more credits than were asked for',
  'what would give where taking was asked for');
reset role;
select is((select plan from credit_accounts), 'default', 'nothing of it stays');
select is((select count(*) from operator_actions), 0::bigint, 'in nobody''s trail');
update credit_plans set monthly_credits = 150 where name = 'pro';
set local role authenticated;
select is(pg_temp.approve('plan'), 'done 150', 'less than was asked for is done');
reset role;
update credit_operators set max_per_day = 0 where user_id = '00000000-0000-4000-8000-0000000000e1';
set local role authenticated;
select throws_ok($$select pg_temp.approve('grant')$$, 'PT409', 'who asked for this may not do it any more',
  'for an operator who moves no credits any more');
reset role;
update credit_operators set max_per_day = 1;
set local role authenticated;
select is(pg_temp.approve('grant'), 'done 50', 'a low limit is what approvals are for');
reset role;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
