begin;
select plan(15);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action, max_per_day) values
  ('00000000-0000-4000-8000-0000000000e1', 'support', 500, 800),
  ('00000000-0000-4000-8000-0000000000e2', 'support', 0, null),
  ('00000000-0000-4000-8000-0000000000e3', 'support', null, 0);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
create function pg_temp.give(p_credits bigint, p_key text) returns text language sql as $$
  select concat_ws(' ', code, balance, case when replayed then 'replayed' end)
  from operator_grant('00000000-0000-4000-8000-0000000000a1', p_credits, null, 'for the trouble', p_key) $$;
select pg_temp.sign_in('e1');

set local role authenticated;
select is(pg_temp.give(501, 'key-1'), 'waiting_for_approval 100', 'an action above its limit waits');
select is(pg_temp.give(501, 'key-1'), 'waiting_for_approval 100 replayed', 'once');
select throws_ok($$select pg_temp.give(502, 'key-1')$$, 'PT409', null, 'a request''s key stands for it alone');
reset role;
select results_eq($$select operator_id, action, account_id, credits, arguments ->> 'credits', reason, state,
    expires_at - created_at from operator_approvals$$,
  $$values ('00000000-0000-4000-8000-0000000000e1'::uuid, 'grant', '00000000-0000-4000-8000-0000000000a1'::uuid,
    501::bigint, '501', 'for the trouble', 'waiting', interval '7 days')$$, 'what it asked for, for seven days');
select is_empty('select from operator_actions', 'nothing is done');
select results_eq('select count(*) from credit_ledger', array[1::bigint], 'nor booked');
select is_empty($$select from credit_grants where external_ref is not null$$, 'nor granted');

set local role authenticated;
select is(pg_temp.give(500, 'key-2'), 'done 600', 'up to the limit it is done');
select is(pg_temp.give(301, 'key-3'), 'waiting_for_approval 600', 'above what is left of the day it waits');
select is((operator_withdraw('00000000-0000-4000-8000-0000000000a1', 300, 'it was too much', 'key-4')).code, 'done',
  'what is taken counts as what is given');
select is(pg_temp.give(1, 'key-5'), 'waiting_for_approval 300', 'and then the day is used up');
reset role;
alter table operator_actions disable rule operator_actions_no_update;
alter table operator_actions disable trigger operator_actions_refuse_change;
update operator_actions set created_at = created_at - interval '1 day';
set local role authenticated;
select is(pg_temp.give(1, 'key-6'), 'done 301', 'until the next day (UTC)');

select pg_temp.sign_in('e2');
select throws_ok($$select pg_temp.give(1, 'key-1')$$, 'PT403', 'this operator moves no credits',
  'a limit of 0 is not to be approved');
select pg_temp.sign_in('e3');
select throws_ok($$select pg_temp.give(1, 'key-1')$$, 'PT403', 'this operator moves no credits', 'nor one a day');
reset role;
select is((select count(*) from operator_approvals), 3::bigint, 'three wait');

select * from finish();
rollback;
