begin;
select plan(5);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, disabled_at) values
  ('00000000-0000-4000-8000-0000000000e1', 'viewer', null), ('00000000-0000-4000-8000-0000000000e2', 'support', null),
  ('00000000-0000-4000-8000-0000000000e3', 'admin', null), ('00000000-0000-4000-8000-0000000000e4', 'admin', now());
set local role authenticated;
select pg_temp.sign_in('e1');
select is((select count(*) from operator_abilities() where allowed), 0::bigint, 'a viewer does nothing');
select pg_temp.sign_in('e2');
select set_eq('select action from operator_abilities() where allowed', array['grant', 'withdraw', 'refund_job',
  'cancel_job', 'retry_event', 'acknowledge_alert', 'approve', 'reject'], 'support helps');
select pg_temp.sign_in('e3', 'aal1');
select is_empty('select action from operator_abilities() where not allowed', 'an admin may do everything');
select pg_temp.sign_in('e4');
select is_empty('select * from operator_abilities()', 'who is no operator learns nothing');
reset role;
select set_eq($$select 'operator_' || action from credits.operator_rights()$$,
  $$select proname::text from pg_proc where pronamespace = 'public'::regnamespace
    and prorettype = 'operator_result'::regtype$$, 'the list has every function that writes');

select * from finish();
rollback;
