begin;
select plan(5);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'admin');
create function pg_temp.mute(p_rule text, p_until timestamptz) returns text language sql as $$
  select code from operator_mute_alert(p_rule, p_until, 'we know of it, case 7', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.mute('success_rate', '2099-01-01'), 'done', 'a rule is muted');
select is(pg_temp.mute('success_rate', '2099-01-01'), 'unchanged', 'once');
select is(pg_temp.mute('success_rate', null), 'done', 'and heard again');
select throws_ok($$select pg_temp.mute('no such rule', null)$$, 'PT404', null, 'a rule that is not there');
reset role;
select results_eq($$select subject, (after ->> 'muted_until')::timestamptz from operator_actions order by seq$$,
  $$values ('success_rate', '2099-01-01'::timestamptz), ('success_rate', '2099-01-01'), ('success_rate', null)$$,
  'the trail says until when');

select * from finish();
rollback;
