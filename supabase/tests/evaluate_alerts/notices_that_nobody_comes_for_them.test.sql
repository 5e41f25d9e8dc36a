begin;
select plan(7);

-- However long ago the tasks were made, none is late.
update credit_scheduled_tasks set enabled = false;
-- Stand-ins for Supabase's extensions, which this server has not.
create schema if not exists vault;
create schema if not exists net;
create table vault.decrypted_secrets (name text, decrypted_secret text);
create temp view firing as select value, detail from credit_alerts
  where rule = 'alerts_undelivered' and resolved_at is null;
delete from credit_events;
insert into credit_events (type, account_id, payload, next_attempt_at) values
  ('alert.fired', null, '{}', now() - interval '16 minutes'),
  ('job.refunded', '00000000-0000-4000-8000-0000000000a1', '{}', now() - interval '2 days');

select evaluate_alerts();
select is_empty('select * from firing', 'nothing while nobody asked for deliveries');

create function net.http_post(
  url text, body jsonb default '{}'::jsonb, params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb, timeout_milliseconds integer default 5000)
returns bigint language sql as 'select 1::bigint';
insert into vault.decrypted_secrets values ('atomic_credits_functions_url', 'https://ref.example.com/functions/v1'),
  ('atomic_credits_delivery_secret', 'whsec_c2VjcmV0');
select is(ok, true, 'a request that comes to nothing is no task that failed') from run_task('deliver-events');
select evaluate_alerts();
select is(value, 960::numeric,
  'an alert that has been due for 16 minutes, although each minute somebody is asked to fetch it') from firing;
select matches(detail, '^1 alerts wait since \S+ \S+ UTC: .*deliver-events', 'with what to look at') from firing;

update credit_events set next_attempt_at = now() - interval '14 minutes' where type = 'alert.fired';
select evaluate_alerts();
select is_empty('select * from firing', 'a quarter of an hour is given');
update credit_events set next_attempt_at = now() - interval '1 hour' where type = 'alert.fired';
select evaluate_alerts();
select is(count(*), 1::bigint, 'no more') from firing;
select finish_event(id) from claim_events(100, true);
select evaluate_alerts();
select is_empty('select * from firing', 'it resolves when they are fetched, even while others wait');

select * from finish();
rollback;
