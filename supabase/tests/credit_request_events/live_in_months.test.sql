begin;
select plan(9);

create temp view months as
  select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
  where i.inhparent = 'public.credit_request_events'::regclass;
select is(maintain_request_events(), 0, 'the partitions are there');
select set_has('select relname::text from months',
  $$select 'request_events_' || to_char(now() at time zone 'utc' + make_interval(months => i), 'YYYY_MM')
    from generate_series(-3, 2) as i$$,
  'for the months that are kept, this one and the next two');

insert into credit_request_events (account_id, status, code, created_at)
values ('00000000-0000-4000-8000-0000000000a1', 429, 'ahead', now() + interval '5 months'),
  ('00000000-0000-4000-8000-0000000000a1', 429, 'now', now());
select is((select array_agg(code) from credits.request_events_rest), array['ahead'],
  'what no month takes is kept as well');
select ok(credits.request_events_month(date_trunc('month', now() at time zone 'utc' + interval '5 months')::date),
  'a month can be made later');
select is((select count(*) from credits.request_events_rest), 0::bigint, 'and takes what is its');
select is((select count(*) from credit_request_events), 2::bigint, 'nothing is lost');

select credits.request_events_month(date_trunc('month', now() at time zone 'utc' - make_interval(months => i))::date)
  from generate_series(3, 5) as i;
select is(maintain_request_events(), 2, 'months beyond the retention are dropped');
select is_empty($$select relname from pg_class
  where relname like 'credit_request_events%' and relkind in ('r', 'p') and not relrowsecurity$$,
  'every partition has row level security');
select is_empty($$select c.relname, r from pg_class as c, unnest(array['anon', 'authenticated', 'service_role']) as r
  where c.relname like 'request_events_%' and c.relkind = 'r'
    and has_table_privilege(r, c.oid, 'select, insert, update, delete, truncate')$$, 'and is nobody''s by name');

select * from finish();
rollback;
