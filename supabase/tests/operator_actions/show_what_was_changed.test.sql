begin;
select plan(17);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'support'),
  ('00000000-0000-4000-8000-0000000000e2', 'support');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 60);
create function pg_temp.give(p_last text, p_key text) returns void language sql as $$
  select pg_temp.sign_in(p_last);
  select from operator_grant('00000000-0000-4000-8000-0000000000a1', 5, null, 'for the trouble', p_key);
$$;
select pg_temp.give('e1', 'key-' || n), pg_temp.give('e2', 'key-' || n) from generate_series(1, 3) as n;
create function pg_temp.verdict() returns text language sql as $$
  select concat_ws(' ', case when sound then 'sound' else 'broken' end, checked, broken_seq, problem)
  from verify_operator_actions('00000000-0000-4000-8000-0000000000e1') $$;
create function pg_temp.found() returns setof text language sql as $$
  select concat_ws(' ', invariant, account_id, seq) from reconciliation_discrepancies order by 1 $$;

select is(pg_temp.verdict(), 'sound 3', 'three actions follow from each other');
select throws_ok('select verify_operator_actions(gen_random_uuid())', 'PT404', null, 'of an operator that is there');
select is_empty('select pg_temp.found()', 'nothing is found');

-- By somebody who can turn off what guards.
alter table operator_actions disable rule operator_actions_no_update;
alter table operator_actions disable rule operator_actions_no_delete;
alter table operator_actions disable trigger user;
savepoint sound;
update operator_actions set reason = 'another reason' where operator_id::text like '%e1' and seq = 2;
select is(pg_temp.verdict(), 'broken 1 2 hash', 'another reason breaks the chain');
select results_eq('select pg_temp.found()',
  array['operator chain 00000000-0000-4000-8000-0000000000e1 2'], 'reconciliation names operator and action');
select is((select discrepancies from reconciliation_summary), 1::bigint, 'so does the summary');
select is((reconcile_credit_ledger()).discrepancies, 1::bigint, 'and an incremental run');
rollback to sound;
delete from operator_actions where operator_id::text like '%e1' and seq = 2;
select is(pg_temp.verdict(), 'broken 1 2 gap', 'one that is gone leaves a gap');
select results_eq('select pg_temp.found()', array['operator chain 00000000-0000-4000-8000-0000000000e1 2',
  'operator entry 00000000-0000-4000-8000-0000000000a1 4'], 'and an entry without its action');
rollback to sound;
delete from operator_actions where operator_id::text like '%e1' and seq = 3;
select is(pg_temp.verdict(), 'broken 2 3 end', 'also at the end');
rollback to sound;
delete from credit_operators where user_id::text like '%e1';
select is(pg_temp.verdict(), 'broken 3 4 end', 'an operator''s row that is gone is found');
rollback to sound;

alter table credit_ledger disable rule credit_ledger_no_delete;
alter table credit_ledger disable trigger user;
delete from credit_ledger where seq = 7;
select ok(array(select pg_temp.found()) @> array['operator action 00000000-0000-4000-8000-0000000000a1 7'],
  'an action whose entry is gone is found');
rollback to sound;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 9,
  p_metadata => '{"operator_action": "00000000-0000-4000-8000-0000000000e1:9"}');
select results_eq('select pg_temp.found()', array['operator entry 00000000-0000-4000-8000-0000000000a1 8'],
  'an entry in an operator''s name without their action is found');
rollback to sound;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 9,
  p_metadata => '{"operator_action": "00000000-0000-4000-8000-0000000000e1:3"}');
select results_eq('select pg_temp.found()', array['operator entry 00000000-0000-4000-8000-0000000000a1 8'],
  'also with an action that is another''s');
rollback to sound;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 9, p_metadata => '{"operator_action": "me:x"}');
select results_eq('select pg_temp.found()', array['operator entry 00000000-0000-4000-8000-0000000000a1 8'],
  'or with no action at all');
rollback to sound;
select is((reconcile_credit_ledger(true)).discrepancies, 0::bigint, 'a deep run of sound books finds nothing');
set local role service_role;
select is((verify_operator_actions('00000000-0000-4000-8000-0000000000e2')).sound, true, 'the service may verify');

select * from finish();
rollback;
