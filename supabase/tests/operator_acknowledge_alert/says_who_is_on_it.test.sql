begin;
select plan(4);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support'),
  ('00000000-0000-4000-8000-0000000000e2', 'support');
insert into credit_alerts (id, rule, severity, subject, value, threshold, detail, fired_at, updated_at)
  select '00000000-0000-4000-8000-0000000000f1', name, severity, 'a test', 1, 0, '', now(), now()
  from credit_alert_rules where name = 'task_failed';
create function pg_temp.take(p_last text) returns text language sql as $$
  select code from operator_acknowledge_alert(('00000000-0000-4000-8000-0000000000' || p_last)::uuid,
    'I look into the logs', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.take('f1'), 'done', 'the first who takes it');
select pg_temp.sign_in('e2');
select is(pg_temp.take('f1'), 'unchanged', 'has it');
select throws_ok($$select pg_temp.take('f9')$$, 'PT404', null, 'an alert that is not there');
reset role;
select is((select acknowledged_by from credit_alerts where subject = 'a test'),
  'operator 00000000-0000-4000-8000-0000000000e1', 'the alert says who');

select * from finish();
rollback;
