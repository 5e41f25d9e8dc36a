begin;
select plan(6);

update credit_scheduled_tasks set enabled = false;
create temp view announced as select (payload ->> 'value')::numeric as value from credit_events
  where type = 'alert.fired' order by 1;
create function pg_temp.evaluate_with(p_discrepancies bigint) returns void language sql as $$
  insert into reconciliation_runs (deep, started_at, finished_at, accounts_checked, accounts_broken, discrepancies)
  values (true, clock_timestamp(), clock_timestamp(), 1000000, 1, p_discrepancies);
  select evaluate_alerts();
$$;
select pg_temp.evaluate_with(3);
select results_eq('select value from announced', 'values (3::numeric)', 'an alert is announced');
select pg_temp.evaluate_with(5);
select results_eq('select value from announced', 'values (3::numeric)', 'and not again for a little more');
select pg_temp.evaluate_with(6);
select results_eq('select value from announced', 'values (3::numeric), (6)', 'but for twice as much');
select pg_temp.evaluate_with(6);
select pg_temp.evaluate_with(4);
select pg_temp.evaluate_with(11);
select results_eq('select value from announced', 'values (3::numeric), (6)', 'once, counted from what was announced');
select is((select count(*) from credit_alerts where rule = 'discrepancies'), 1::bigint, 'it is one alert');

select mute_alert_rule('discrepancies', now() + interval '1 hour');
select pg_temp.evaluate_with(500);
select results_eq('select value from announced', 'values (3::numeric), (6)', 'and none while it is muted');

select * from finish();
rollback;
