begin;
select plan(5);

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000e1', 'anna@example.com');
insert into credit_operators (user_id, role, note) values
  ('00000000-0000-4000-8000-0000000000e1', 'admin', 'Anna'), ('00000000-0000-4000-8000-0000000000e2', 'support', 'Ben');
insert into credit_plans (name) values ('pro');
create function pg_temp.act(p_operator text, p_call text) returns void language plpgsql as $$
begin
  perform set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_operator, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_operator,
      'role', 'authenticated', 'aal', 'aal2')::text, true);
  execute p_call;
end;
$$;
select grant_credits('00000000-0000-4000-8000-0000000000a1', 300) from generate_series(1, 3);
create temp table job as select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a cat"}');
select pg_temp.act('e1', format('select operator_refund_job(%L, null, %L, %L)', job_id, 'it was grey', 'k1')) from job;
select pg_temp.act('e2', format('select operator_%s, %L, %L)', call, 'for ' || call, 'k' || call))
from unnest(array['grant(''00000000-0000-4000-8000-0000000000a1'', 50, null',
  'withdraw(''00000000-0000-4000-8000-0000000000a1'', 650']) as call;
select pg_temp.act('e1', format('select operator_%s, %L, %L)', call, 'for ' || call, 'k' || call))
from unnest(array['set_plan(''00000000-0000-4000-8000-0000000000a1'', ''pro''',
  'set_overdraft(''00000000-0000-4000-8000-0000000000a1'', 9',
  'close_account(''00000000-0000-4000-8000-0000000000a1''']) as call;

set local role authenticated;
create temp table timeline as select row_number() over () as place, t.*
  from operator_timeline('00000000-0000-4000-8000-0000000000a1') as t;
reset role;
select results_eq($$select kind, title, credits, action_seq, detail ->> 'operator' from timeline
    where operator_id is not null order by place desc$$, $$values
  ('refund', 'Refunded: the job was canceled', 500::bigint, 1::bigint, 'anna@example.com'),
  ('grant', 'Granted', 50, 1, 'Ben'),
  ('withdrawal', 'Withdrawn', -650, 2, 'Ben'),
  ('operator', 'Plan changed from default to pro', null, 2, 'anna@example.com'),
  ('operator', 'Overdraft changed from 0 to 9', null, 3, 'anna@example.com'),
  ('operator', 'Account closed', null, 4, 'anna@example.com')$$,
  'each action is one row, by the operator''s mail, or what is noted of them');
select is((select array_agg(detail ->> 'reason' order by place desc) from timeline where kind in ('refund', 'grant')
  and operator_id is not null), array['it was grey', 'for grant(''00000000-0000-4000-8000-0000000000a1'', 50, null'],
  'with the reason');
select is((select count(*) from timeline), 3 + 1 + 6::bigint, 'and none of it is there twice');
select is((select sum(credits)::bigint from timeline), (select balance from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1'), 'movements are the balance');

-- Somebody who has left is still named, by id.
delete from auth.users where id = '00000000-0000-4000-8000-0000000000e1';
select pg_temp.act('e2', 'select 1');
set local role authenticated;
select set_eq($$select detail ->> 'operator' from operator_timeline('00000000-0000-4000-8000-0000000000a1')
  where operator_id = '00000000-0000-4000-8000-0000000000e1'$$, array['00000000-0000-4000-8000-0000000000e1'],
  'an operator who was deleted is an id');

select * from finish();
rollback;
