begin;
select plan(17);

insert into credit_events (account_id, type, payload)
select '00000000-0000-4000-8000-0000000000a1', 'balance.low', '{}' from generate_series(1, 3);
create temp table events as select id, row_number() over (order by id) as place from credit_events;
grant select on events to service_role;
create function pg_temp.endpoint(p_letter text) returns text language sql as $$ select repeat(p_letter, 64) $$;
create function pg_temp.due(p_letter text) returns bigint language plpgsql as $$
declare
  due bigint;
begin
  update credit_events set next_attempt_at = now() where next_attempt_at is not null;
  select count(*) into due from claim_events(10, null, pg_temp.endpoint(p_letter));
  return due;
end;
$$;
create function pg_temp.fail(p_place integer, p_retry_after integer, p_is_gone boolean default false) returns interval
  language plpgsql as $$
begin
  perform finish_event(id, 'the receiver answered', pg_temp.endpoint('a'), p_retry_after, p_is_gone) from events
    where place = p_place;
  return (select e.next_attempt_at - now() from credit_events as e join events as o on o.id = e.id
    where o.place = p_place);
end;
$$;
select is(pg_temp.due('a'), 3::bigint, 'all are due');
select cmp_ok(pg_temp.fail(1, 600), '=', interval '10 minutes', 'a receiver that says when is asked then');
select is(pg_temp.due('a'), 0::bigint, 'and for no other event before');
select is(pg_temp.due('b'), 3::bigint, 'another address gets them');
select cmp_ok(pg_temp.fail(2, 5), '>', interval '30 seconds', 'no earlier than it would be anyway');
select is((select not_before - now() from credit_event_endpoints), interval '10 minutes',
  'a shorter wish does not shorten a longer one');
select is(pg_temp.fail(3, 2000000000), interval '1 day', 'nor may it last for ever');
update credit_event_endpoints set not_before = now();
select is(pg_temp.due('a'), 3::bigint, 'when the time has come they are offered again');
select cmp_ok(pg_temp.fail(1, -5), '<', interval '1 hour', 'what is no time is none');
select is(pg_temp.due('a'), 3::bigint, 'and holds nothing up');

select is(pg_temp.fail(1, null, true), null, 'a receiver that is gone gives the event up');
select is(pg_temp.due('a'), 0::bigint, 'and gets no other one');
select is(pg_temp.due('b'), 2::bigint, 'another address gets those that wait');
select is((select array_agg(subject) from credits.delivery_findings_now() where rule = 'events_undelivered'),
  array['given_up'], 'an alert tells of it');
select is(retry_events('-infinity'), 1, 'once it works again what was given up is offered again');
select is(pg_temp.due('a'), 3::bigint, 'to the same address too');
select throws_ok('select finish_event(gen_random_uuid(), ''failed'', ''https://example.com'', 5)', '22023', null,
  'an address itself is not kept');

select * from finish();
rollback;
