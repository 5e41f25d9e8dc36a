begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create function pg_temp.ask() returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'key')
$$;
create function pg_temp.events_read() returns numeric language sql as $$
  select sum(idx_tup_fetch + seq_tup_read) from pg_stat_xact_user_tables where relname like 'credit_request_events%'
$$;
create temp table first as select * from pg_temp.ask();
insert into credit_request_events (account_id, status, code)
  select '00000000-0000-4000-8000-0000000000a1', 429, 'rate_limited' from generate_series(1, 2000);
insert into credit_request_events (account_id, status, code, job_id, created_at)
  select '00000000-0000-4000-8000-0000000000a1', 409, 'request_in_flight', (select job_id from first),
    now() - interval '1 hour' from generate_series(1, 2000);

create temp table before as select pg_temp.events_read() as events;
select is((select code from pg_temp.ask()), 'request_in_flight', 'a repeat, after many denials and many old repeats');
select is((select code from pg_temp.ask()), 'request_in_flight', 'and another');
select cmp_ok(pg_temp.events_read() - (select events from before), '<=', 10::numeric,
  'reads only the repeats of the last window');

select * from finish();
rollback;
