begin;
select plan(14);

insert into credit_events (type, payload) values ('alert.fired', '{"rule": "task_failed"}');
create temp table tries (try integer, waits interval);
create function pg_temp.try(p_times integer) returns void language plpgsql as $$
declare
  claimed credit_events;
begin
  for i in 1 .. p_times loop
    select * into strict claimed from claim_events(1000) as e where e.type = 'alert.fired';
    perform finish_event(claimed.id, 'the receiver answered 500');
    insert into tries values (claimed.attempts, claimed.next_attempt_at - now());
    update credit_events set next_attempt_at = now() where next_attempt_at is not null;
  end loop;
end;
$$;
select pg_temp.try(17);
select is_empty($$select try, waits from tries as t
  cross join lateral (select least(interval '30 seconds' * (1 << (try - 1)), interval '12 hours') as least) as l
  where try < 17 and waits not between l.least and l.least * 1.2 or (waits is null) <> (try = 17)$$,
  '30 seconds after the first try, then twice as long each time, up to 12 hours, and up to a fifth more; '
  'none after the seventeenth');
select cmp_ok((select sum(waits) from tries), '>', interval '3 days', 'more than three days in all');
select cmp_ok((select count(distinct extract(epoch from waits) / (30 << (try - 1))) from tries where try <= 10), '>',
  5::bigint, 'no two that failed together come back together');
select is((select row(attempts, next_attempt_at, delivered_at, last_error) from credit_events),
  row(17, null::timestamptz, null::timestamptz, 'the receiver answered 500'::text),
  'it is given up, with what went wrong');
select is((select count(*) from claim_events()), 0::bigint, 'and offered no more');

insert into credit_events (type, payload, created_at, attempts, next_attempt_at, delivered_at) values
  ('alert.resolved', '{"rule": "delivered"}', now(), 1, null, now()),
  ('alert.resolved', '{"rule": "waiting"}', now(), 3, now() + interval '2 minutes', null),
  ('alert.resolved', '{"rule": "earlier"}', now() - interval '2 days', 17, null, null);
set local role service_role;
select is(retry_events(now() - interval '1 day'), 1, 'what was given up since then is offered again');
select is(retry_events(now() - interval '1 day'), 0, 'once');
select is((select row(attempts, next_attempt_at <= now()) from credit_events where type = 'alert.fired'), row(0, true),
  'from the first try on');
select set_eq($$select payload ->> 'rule' from credit_events
  where type = 'alert.resolved' and (attempts = 0 or next_attempt_at <= now())$$, array[]::text[], 'nothing else');
select is(retry_events('-infinity', 0), 0, 'no more at once than asked for');
select is(retry_events('-infinity'), 1, 'from any time');
select throws_ok('select retry_events(null)', '22023', null, 'but from some time');
reset role;
select is((select count(*) from claim_events() where type = 'alert.fired'), 1::bigint, 'and it goes out');
select finish_event(id) from credit_events where type = 'alert.fired';
select is((select delivered_at is not null and next_attempt_at is null from credit_events where type = 'alert.fired'),
  true, 'until it is delivered');

select * from finish();
rollback;
