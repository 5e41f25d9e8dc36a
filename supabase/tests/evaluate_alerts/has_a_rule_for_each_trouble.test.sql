begin;
select plan(23);

update credit_scheduled_tasks set enabled = false;
delete from credit_alerts;
create temp view firing as select rule, subject, value from credit_alerts where resolved_at is null;
update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 1000;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50000);
create temp table jobs as
  select v.* from generate_series(1, 20) as i,
    atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
      'key-' || i) as v;
select settle_generation(job_id, '{}') from (select job_id from jobs limit 18) as good;
select fail_generation(job_id) from jobs;
select is(evaluate_alerts(), 0, 'two of twenty jobs that failed are usual');
select fail_generation(job_id)
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select evaluate_alerts();
select set_eq('select * from firing', $$values ('success_rate', '', 0.8571)$$, 'one more is not');
update credit_alert_rules set minimum = 22 where name = 'success_rate';
select is(evaluate_alerts(), 0, 'too few to say');

insert into credit_request_events (account_id, status, code, created_at)
select '00000000-0000-4000-8000-0000000000a1', 429, 'rate_limited', now() - interval '3 days'
from generate_series(1, 3360);
insert into credit_request_events (account_id, status, code)
select '00000000-0000-4000-8000-0000000000a1', 429, 'rate_limited' from generate_series(1, 100);
select is(evaluate_alerts(), 0, 'twenty 429 an hour are usual, and so are five times as many');
insert into credit_request_events (account_id, status, code)
select '00000000-0000-4000-8000-0000000000a1', 429, 'rate_limited' from generate_series(1, 20);
select evaluate_alerts();
select set_eq('select * from firing', $$values ('rate_limit_spike', '', 6::numeric)$$, 'six times is a spike');
update credit_alert_rules set minimum = 121 where name = 'rate_limit_spike';
select is(evaluate_alerts(), 0, 'unless they are few');
delete from credit_request_events;

insert into credit_request_events (account_id, status, code)
select '00000000-0000-4000-8000-0000000000a1', 402, 'insufficient_credits' from generate_series(1, 51);
select is(record_anomalies(), 1, 'suspicious activity is recorded');
select evaluate_alerts();
select set_eq('select * from firing', $$values ('suspicious_activity', 'spike_of_402', 1::numeric)$$, 'and fires');
delete from credit_anomaly_findings;

select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
update generation_jobs set deadline_at = now() - interval '6 minutes' where status = 'pending';
select evaluate_alerts();
select set_eq('select * from firing', $$values ('overdue_jobs', '', 1::numeric)$$, 'a job after its deadline');
select sweep_overdue_jobs();
update credit_alert_rules set enabled = false where name = 'success_rate';

select from set_model_price('painter', '{"image": 1}', p_settings =>
  '{"provider": "replicate", "provider_model": "p"}');
create temp table asked as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'painter', '{"prompt": "a cat"}');
select from start_generation((select job_id from asked), 'at-the-provider');
update generation_provider_jobs set expected_by = now() - interval '3 minutes';
select from provider_answered((select job_id from asked), 'replicate', 'at-the-provider', 'unknown');
select evaluate_alerts();
select set_eq('select * from firing', $$values ('provider_unreachable', 'replicate', 1::numeric)$$,
  'a provider that does not say how its jobs stand');
select from provider_answered((select job_id from asked), 'replicate', 'at-the-provider', 'failed');

-- Where pg_cron runs the schedule meanwhile, its run counts too.
lock table credit_task_runs;
delete from credit_task_runs;
update credit_scheduled_tasks set enabled = true, created_at = now() - interval '2 hours'
  where name = 'sweep-overdue-jobs';
insert into credit_task_runs (task, started_at, finished_at, ok)
  values ('sweep-overdue-jobs', now() - interval '11 minutes', now(), true);
select evaluate_alerts();
select set_eq('select * from firing', $$values ('task_not_running', 'sweep-overdue-jobs', 660::numeric)$$,
  'a task that does not run');
insert into credit_task_runs (task, started_at, finished_at, ok)
  values ('sweep-overdue-jobs', now() - interval '5 minutes', now(), true);
select is(evaluate_alerts(), 0, 'until it runs');
insert into credit_task_runs (task, started_at, finished_at, ok, detail)
  values ('sweep-overdue-jobs', now(), now(), false, '57014 canceled');
select evaluate_alerts();
select set_eq('select * from firing', $$values ('task_failed', 'sweep-overdue-jobs', 1::numeric)$$,
  'a task that fails');
delete from credit_task_runs where not ok;

update credit_events set next_attempt_at = null, attempts = 12;
select evaluate_alerts();
select set_eq('select rule, subject from firing', $$values ('events_undelivered', 'given_up')$$,
  'events that cannot be delivered');
delete from credit_events;

insert into reconciliation_runs (deep, started_at, finished_at, accounts_checked, accounts_broken, discrepancies)
values (true, clock_timestamp(), clock_timestamp(), 100, 2, 5);
select evaluate_alerts();
select set_eq('select * from firing', $$values ('discrepancies', '', 5::numeric), ('discrepancy_share', '', 0.02)$$,
  'books that are not right');

update reconciliation_runs set discrepancies = 0, accounts_broken = 0;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
insert into auth.users (id) values ('00000000-0000-4000-8000-0000000000b2');
delete from auth.users where id = '00000000-0000-4000-8000-0000000000b2';
select evaluate_alerts();
select set_eq('select * from firing', $$values ('teams_without_owner', '', 1::numeric)$$,
  'a team that nobody owns any more');

delete from credit_accounts where is_team;
select credits.deletions_add('00000000-0000-4000-8000-0000000000b2',
  array['00000000-0000-4000-8000-0000000000b2/uploads/1.png'], 'erased');
select evaluate_alerts();
select is_empty('select * from firing', 'a file that is to be deleted since a moment ago is fine');
update credits.storage_deletions set created_at = now() - interval '25 hours';
insert into credits.outputs_to_move (account_id, job_id, attempts) select account_id, id,
  6 from generation_jobs limit 1;
select evaluate_alerts();
select set_eq('select * from firing', $$values ('files_waiting', 'delete', 1::numeric), ('files_waiting', 'move', 1)$$,
  'files that cannot be deleted, or moved');
delete from credits.storage_deletions;
delete from credits.outputs_to_move;

select from transfer_send('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2', 10, 'gift');
update credit_transfers_sent set sent_at = now() - interval '901 seconds';
select evaluate_alerts();
select set_eq('select * from firing', $$values ('transfers_in_flight', '', 901::numeric)$$,
  'a transfer that does not arrive');
select transfer_finish(account_id, transfer_id) from credit_transfers_sent;

select from book_payment('{"provider": "stripe", "livemode": true, "key": "stripe:cs:cs_1", "kind": "pack",
  "account_id": "00000000-0000-4000-8000-0000000000b2", "status": "paid", "amount": 1, "currency": "usd",
  "created_at": "2026-01-01"}', '{"id": "evt_1", "type": "checkout.session.completed"}');
select evaluate_alerts();
select set_eq('select * from firing', $$values ('payments_waiting', '', 1::numeric)$$,
  'a payment that cannot be booked, with its event');

insert into credits.handovers (kind, person_id, slot_group, requested_at)
values ('leave', '00000000-0000-4000-8000-0000000000b2', 3, now() - interval '14 minutes');
select evaluate_alerts();
select is_empty($$select from firing where rule = 'handovers_waiting'$$, 'another shard may hear a little later');
update credits.handovers set requested_at = now() - interval '16 minutes';
select evaluate_alerts();
select is((select value >= 960 from firing where rule = 'handovers_waiting'), true, 'but not for long');

-- alerts_undelivered wants pg_net: notices_that_nobody_comes_for_them has it.
select set_eq('select rule from credit_alerts',
  $$select name from credit_alert_rules where name <> 'alerts_undelivered'$$, 'no rule is left');

select * from finish();
rollback;
