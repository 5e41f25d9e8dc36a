begin;
select plan(9);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 500);
insert into credit_plans (name, monthly_credits, credit_limit, upgrade_gives, roll_over) values
  ('small', 100, 0, 'nothing', 'none'), ('middle', 500, 0, 'difference', 'none'), ('large', 1000, 0, 'nothing', 'none'),
  ('generous', 100, 501, 'nothing', 'none'), ('paid', 5000, 0, 'nothing', 'none');
update credit_plans set refilled_by = 'payment' where name = 'paid';
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'small');
select refill_plans();
create function pg_temp.plan(p_plan text) returns text language sql as $$
  select concat_ws(' ', code, balance, details ->> 'credits', details -> 'after' ->> 'plan')
  from operator_set_plan('00000000-0000-4000-8000-0000000000a1', p_plan, 'they upgraded by mail',
    gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.plan('middle'), 'done 500 400 middle', 'what it gives at once');
select is(pg_temp.plan('middle'), 'unchanged 500 0 middle', 'once');
select is(pg_temp.plan('large'), 'done 500 500 large', 'or what it gives more in a month');
select is(pg_temp.plan('small'), 'done 500 0 small', 'a smaller one gives nothing');
select is(pg_temp.plan('large'), 'waiting_for_approval 500 900', 'beyond the limit it waits');
select is(pg_temp.plan('generous'), 'waiting_for_approval 500 501', 'its overdraft counts, too');
select is(pg_temp.plan('paid'), 'done 500 0 paid', 'what will be paid for does not');
select throws_ok($$select pg_temp.plan('no such plan')$$, 'PT404', null, 'a plan that is not there');
reset role;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
