begin;
select plan(13);

-- Stand-ins for Supabase's extensions, which this server has not.
create schema if not exists vault;
create schema if not exists net;
create temp table sent (message_id text);
create table vault.decrypted_secrets (name text primary key, decrypted_secret text);
create function net.http_post(
  url text, body jsonb default '{}'::jsonb, params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb, timeout_milliseconds integer default 5000)
returns bigint language sql as $$ insert into sent values (headers ->> 'webhook-id') returning 1::bigint $$;
delete from credit_events;
insert into credit_events (type, payload) values ('alert.fired', '{}');

select is(request_function('deliver-events'), false, 'nothing while Vault has no secret');
insert into vault.decrypted_secrets values ('atomic_credits_delivery_secret', 'whsec_c2VjcmV0');
select is(request_function('deliver-events'), false, 'nor while it does not say where the functions are');
insert into vault.decrypted_secrets values ('atomic_credits_functions_url', 'https://ref.example.com/functions/v1');
delete from vault.decrypted_secrets where name = 'atomic_credits_delivery_secret';
select is(request_function('deliver-events'), false, 'nor without what requests are signed with');
insert into vault.decrypted_secrets values ('atomic_credits_delivery_secret', 'whsec_c2VjcmV0');
select is(row(request_function('deliver-events'), request_function('deliver-events')), row(true, true),
  'a request came to nothing: the next run asks again');
select is(count(distinct message_id), 2::bigint, 'in another message, which no receiver takes for a repetition')
  from sent;

select is(count(*), 1::bigint, 'the function came and took the event') from claim_events();
select is(request_function('deliver-events'), false, 'which is not asked for while it is on its way');
select finish_event(id, 'the receiver answered 500') from credit_events;
select is(request_function('deliver-events'), false, 'nor before its next try');
update credit_events set next_attempt_at = now() - interval '1 second';
select is(request_function('deliver-events'), true, 'which is asked for when it is due');
select finish_event(id) from claim_events();
select is(request_function('deliver-events'), false, 'delivered: there is nothing to ask for');

-- Where pg_cron runs the schedule meanwhile, its run counts too.
lock table credit_task_runs;
update credit_events set delivered_at = null, next_attempt_at = now();
create or replace function net.http_post(
  url text, body jsonb default '{}'::jsonb, params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb, timeout_milliseconds integer default 5000)
returns bigint language plpgsql as $$ begin raise exception 'the pg_net background worker is not up'; end $$;
select is(row(r.ok, r.detail), row(false, 'P0001 the pg_net background worker is not up'::text),
  'pg_net that fails is a task that failed')
from run_task('deliver-events') as r;
select is(count(*), 1::bigint, 'the event waits') from credit_events where next_attempt_at <= now();
select evaluate_alerts();
select is(count(*), 1::bigint, 'and an alert tells of it') from credit_alerts
  where rule = 'task_failed' and subject = 'deliver-events' and resolved_at is null;

select * from finish();
rollback;
