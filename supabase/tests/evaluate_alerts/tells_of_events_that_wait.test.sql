begin;
select plan(14);

-- However long ago the tasks were made, none is late.
update credit_scheduled_tasks set enabled = false;
delete from credit_events;
-- Its own announcements would be events as well.
select mute_alert_rule('events_undelivered', 'infinity');
create function pg_temp.event(p_type text) returns uuid language sql as $$
  insert into credit_events (type, account_id, payload)
  values (p_type, case when p_type not like 'alert.%' then '00000000-0000-4000-8000-0000000000a1'::uuid end, '{}')
  returning id $$;
-- The schedule comes each minute, and asks for what is due, for the address that is set.
create function pg_temp.minute(p_address text, p_alerts boolean) returns bigint language sql as $$
  select count(*) from claim_events(20, p_alerts, p_address) $$;
create function pg_temp.firing() returns text[] language plpgsql as $$
begin
  perform evaluate_alerts();
  return (select coalesce(array_agg(format('%s %s', subject, value) order by subject), '{}') from credit_alerts
    where rule = 'events_undelivered' and resolved_at is null);
end;
$$;
create temp table address as select repeat('a', 64) as webhook, repeat('b', 64) as moved, repeat('c', 64) as chat;

select pg_temp.event('balance.low');
select finish_event(e.id, 'the receiver answered 410', webhook, null, true)
  from address, claim_events(20, false, webhook) as e;
select is(pg_temp.firing(), array['given_up 1'], 'an event that a receiver refused with 410 was given up');
update credit_events set created_at = now() - interval '7 days';
select is(pg_temp.firing(), '{}', 'which is told for six days');
select pg_temp.event(t) from unnest(array['balance.low', 'job.refunded', 'alert.fired']) as t;
select is(pg_temp.minute(webhook, false), 0::bigint, 'nothing more goes to that address') from address;
update credit_events set next_attempt_at = now() - interval '14 minutes' where next_attempt_at is not null;
select is(pg_temp.firing(), '{}', 'a quarter of an hour is given');
update credit_events set next_attempt_at = now() - interval '16 minutes' where next_attempt_at is not null;
select is(pg_temp.firing(), array['waiting 2'],
  'then the events that wait for it are told of, however long ago the 410 was; not those for another address');
select matches(detail, 'answered 410.*credit_event_endpoints', 'with where to look') from credit_alerts
  where subject = 'waiting';
update credit_event_endpoints set others_asked_at = now() - interval '16 minutes';
select is(pg_temp.firing(), '{}',
  'an address that the schedule asks for no more, as it was taken away, holds nothing up');
select pg_temp.minute(webhook, false) from address;
select is(pg_temp.firing(), array['waiting 2'], 'as long as it is set');
select finish_event(e.id) from address, claim_events(20, false, moved) as e;
select is(pg_temp.firing(), '{}', 'it resolves by itself once another address is set');

update credit_event_endpoints set others_asked_at = null;
select pg_temp.event('balance.low');
update credit_events set next_attempt_at = now() - interval '16 minutes' where next_attempt_at is not null;
select pg_temp.minute(webhook, true) from address;
select is(pg_temp.firing(), array['waiting 1'], 'alerts that wait for their address are told of alike');
delete from credit_events;

select finish_event(pg_temp.event('balance.low'), 'the receiver answered 429', moved, 86400) from address;
select pg_temp.event('balance.low');
update credit_events set next_attempt_at = now() - interval '16 minutes';
select pg_temp.minute(moved, null) from address;
select is(pg_temp.firing(), array['waiting 2'], 'a receiver that asks for a long pause is told of');
delete from credit_event_endpoints;
delete from credit_events;

select pg_temp.event('balance.low');
update credit_events set attempts = 6, next_attempt_at = now() + interval '1 hour';
select is(pg_temp.firing(), '{}', 'a receiver that has failed for less than an hour is tried again first');
update credit_events set attempts = 7;
select is(pg_temp.firing(), array['waiting 1'],
  'one that fails for longer is told of, long before its events are given up');
select finish_event(id) from credit_events;
select is(pg_temp.firing(), '{}', 'until it takes them');

select * from finish();
rollback;
