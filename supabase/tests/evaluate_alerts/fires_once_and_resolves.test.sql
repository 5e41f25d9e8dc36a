begin;
select plan(15);

update credit_scheduled_tasks set enabled = false;
update credit_alert_rules set enabled = name in ('discrepancies', 'discrepancy_share');
create temp view firing as select rule, value, threshold from credit_alerts where resolved_at is null;
create temp view told as select type, payload ->> 'rule' as rule from credit_events where type like 'alert.%';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 100);
select from reconcile_credit_ledger(true);
select is(evaluate_alerts(), 0, 'nothing fires while all is well');

update credit_accounts set balance = 101 where id = '00000000-0000-4000-8000-0000000000a1';
select from reconcile_credit_ledger(true);
select is(evaluate_alerts(), 2, 'a broken account fires');
select set_eq('select * from firing',
  $$values ('discrepancies', 3::numeric, 0::numeric), ('discrepancy_share', 0.5, 0.01)$$, 'with its value');
select is(evaluate_alerts(), 2, 'and goes on firing');
select set_eq('select * from told', $$values ('alert.fired', 'discrepancies'), ('alert.fired', 'discrepancy_share')$$,
  'but is told');
select is((select count(*) from told), 2::bigint, 'once');

update credit_grants set remaining = 99 where account_id = '00000000-0000-4000-8000-0000000000b2';
select from reconcile_credit_ledger(true);
select evaluate_alerts();
select is((select value from firing where rule = 'discrepancies'), 5::numeric, 'it follows its cause');

select is(acknowledged_by, 'ada', 'somebody takes it on')
  from acknowledge_alert((select id from credit_alerts where rule = 'discrepancies'), 'ada');
select is(acknowledged_by, 'ada', 'the first one counts')
  from acknowledge_alert((select id from credit_alerts where rule = 'discrepancies'), 'bob');

update credit_accounts set balance = 100 where id = '00000000-0000-4000-8000-0000000000a1';
update credit_grants set remaining = 100 where account_id = '00000000-0000-4000-8000-0000000000b2';
select from reconcile_credit_ledger();
select is(evaluate_alerts(), 2, 'what only a deep run saw stands until the next deep one');
select from reconcile_credit_ledger(true);
select is(evaluate_alerts(), 0, 'it resolves by itself');
select evaluate_alerts();
select is((select count(*) from told where type = 'alert.resolved'), 2::bigint, 'which is told once');

update credit_accounts set balance = 101 where id = '00000000-0000-4000-8000-0000000000a1';
select from reconcile_credit_ledger(true);
select evaluate_alerts();
select is((select count(*) from credit_alerts where rule = 'discrepancies'), 2::bigint,
  'a cause that returns is a new alert');
select throws_ok($$select from acknowledge_alert('00000000-0000-4000-8000-0000000000a1', 'ada')$$, 'PT404');
select throws_ok($$select from mute_alert_rule('none', now())$$, 'PT404');

select * from finish();
rollback;
