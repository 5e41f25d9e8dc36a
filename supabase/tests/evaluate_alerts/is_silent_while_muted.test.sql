begin;
select plan(5);

update credit_scheduled_tasks set enabled = false;
update credit_alert_rules set enabled = name = 'overdue_jobs';
create temp view told as select type from credit_events where type like 'alert.%';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
update generation_jobs set deadline_at = now() - interval '6 minutes';

select from mute_alert_rule('overdue_jobs', now() + interval '1 hour');
select is(evaluate_alerts(), 1, 'a muted alert fires');
select is_empty('select * from told', 'unheard');
select from mute_alert_rule('overdue_jobs', null);
select evaluate_alerts();
select results_eq('select type from told', array['alert.fired'], 'what still fires afterwards is told');

update credit_alert_rules set enabled = false;
select is(evaluate_alerts(), 0, 'a rule that is turned off resolves');
select is((select count(*) from told), 2::bigint, 'and says so');

select * from finish();
rollback;
