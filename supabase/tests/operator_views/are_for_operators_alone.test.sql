begin;
select plan(15);

-- An operator of each kind, a customer, and a row of everything.
insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000e1', 'viewer@example.com'),
  ('00000000-0000-4000-8000-0000000000a1', 'customer@example.com');
insert into credit_operators (user_id, role, disabled_at) values
  ('00000000-0000-4000-8000-0000000000e1', 'viewer', null),
  ('00000000-0000-4000-8000-0000000000e2', 'admin', now());
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000f1');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
  null, 'request-1');
insert into credit_events (account_id, type, payload) values
  ('00000000-0000-4000-8000-0000000000a1', 'balance.low', '{}');
insert into credit_alerts (rule, severity, value, threshold, detail) values ('discrepancies', 'warning', 1, 0, 'one');
insert into reconciliation_runs (deep) values (true);
insert into reconciliation_findings (run_id, invariant, account_id)
  select id, 'balance', '00000000-0000-4000-8000-0000000000a1' from reconciliation_runs
    order by started_at desc limit 1;
insert into payments (key, account_id, provider, livemode, kind, created_at) values
  ('stripe:cs:1', '00000000-0000-4000-8000-0000000000a1', 'stripe', true, 'pack', now());
insert into operator_approvals (operator_id, action, arguments, credits, reason, idempotency_key) values
  ('00000000-0000-4000-8000-0000000000e2', 'grant', '{}', 5, 'a usual reason', 'key');
select credits.action_append(jsonb_populate_record(null::operator_actions,
  '{"operator_id": "00000000-0000-4000-8000-0000000000e2", "action": "grant", "arguments": {},
    "reason": "a usual reason", "idempotency_key": "key"}'));

create function pg_temp.become(p_user text) returns void language sql as $$
  select set_config('request.jwt.claim.sub', p_user, true), set_config('request.jwt.claims',
    jsonb_build_object('sub', p_user, 'role', 'authenticated', 'aal', 'aal1')::text, true);
$$;
create function pg_temp.rows_of(p_view text) returns bigint language plpgsql as $$
declare
  found_rows bigint;
begin
  execute format('select count(*) from public.%I', p_view) into found_rows;
  return found_rows;
end;
$$;
create function pg_temp.outcome(p_call text) returns text language plpgsql as $$
begin
  execute p_call;
  return 'done';
exception when others then
  return concat_ws('|', sqlstate, sqlerrm);
end;
$$;
create temp table views as select name from credits.operator_views() as o (name);
create temp table calls as select format('select from %s(%s)', p.oid::regproc, case p.proname
    when 'operator_search' then '''customer@example.com'''
    when 'operator_people' then 'array[''00000000-0000-4000-8000-0000000000a1'']::uuid[]'
    when 'operator_timeline' then '''00000000-0000-4000-8000-0000000000a1'''
    when 'operator_request_trail' then '''request-1''' else '' end) as call
  from pg_proc as p where p.pronamespace = 'public'::regnamespace and p.proretset and p.proname ~ '^operator_'
    and p.proname <> 'operator_abilities';
grant select on views, calls to public;
select is(count(*), 8::bigint, 'eight functions read') from calls;

select set_eq('select name from views', $$select relname from pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'v' and relname ~ '^operator_'$$,
  'the list of views has each of them');

set local role authenticated;
select pg_temp.become('00000000-0000-4000-8000-0000000000e1');
select is_empty('select name from views where pg_temp.rows_of(name) = 0', 'a viewer sees rows in each view');
select set_eq('select pg_temp.outcome(call) from calls where call !~ ''reconcile''', array['done'],
  'and calls each function that reads');
select is(pg_temp.outcome('select from operator_reconcile()'),
  '42501|reconcile needs the role support, and this operator''s is viewer', 'but starts no reconciliation');

select pg_temp.become('00000000-0000-4000-8000-0000000000e2');
select is_empty('select name from views where pg_temp.rows_of(name) > 0', 'an operator who was disabled sees none');
select set_eq('select pg_temp.outcome(call) from calls', array['42501|this user is not an operator'],
  'and is told that they are none');
select pg_temp.become('00000000-0000-4000-8000-0000000000a1');
select is_empty('select name from views where pg_temp.rows_of(name) > 0', 'nor does the account''s own user');
select set_eq('select pg_temp.outcome(call) from calls', array['42501|this user is not an operator'],
  'who is told the same');
select pg_temp.become('00000000-0000-4000-8000-0000000000d9');
select is_empty('select name from views where pg_temp.rows_of(name) > 0', 'nor does a user without a row');
select set_eq('select pg_temp.outcome(call) from calls', array['42501|this user is not an operator'],
  'nor what is there: a stranger gets the same answer for any account');
select is(pg_temp.outcome('select from operator_search(''a'')') ||
  pg_temp.outcome('select from operator_timeline(null)'),
  '42501|this user is not an operator42501|this user is not an operator', 'also for a bad argument');

set local role anon;
select set_config('request.jwt.claim.sub', '', true), set_config('request.jwt.claims', '{"role": "anon"}', true);
select set_eq('select left(pg_temp.outcome(format(''select from %I'', name)), 5) from views', array['42501'],
  'anon reads no view');
select set_eq('select left(pg_temp.outcome(call), 5) from calls', array['42501'], 'and calls no function');
set local role service_role;
select set_eq('select left(pg_temp.outcome(format(''select from %I'', name)), 5) from views', array['42501'],
  'the service has the tables');

select * from finish();
rollback;
