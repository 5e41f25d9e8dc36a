begin;
select plan(11);

update credit_plans set rate_limit_requests = 3, rate_limit_window_seconds = 60 where name = 'default';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create function pg_temp.ask(p_key text, p_prompt text default 'a cat') returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', p_prompt), p_key)
$$;
create function pg_temp.account() returns credit_accounts language sql as $$
  select a from credit_accounts as a where id = '00000000-0000-4000-8000-0000000000a1'
$$;

create temp table first as select * from pg_temp.ask('key');
create temp table before as select * from pg_temp.account();
select is((select array_agg(row(status, code, rate_limit, rate_remaining)::text)
  from generate_series(1, 60) as i, pg_temp.ask(left('key' || i, 3))),
  array_fill('(409,request_in_flight,,)'::text, array[60]),
  'one repeat per second of the window is free: so often does Retry-After ask for it');
select is((pg_temp.account()).version, (select version from before), 'they write nothing to the account');

select is((select row(code, rate_remaining) from pg_temp.ask('key')), row('request_in_flight'::text, 1),
  'the next counts as a request does');
select is((select row(code, rate_remaining) from pg_temp.ask('key', 'a dog')), row('idempotency_key_reused'::text, 0),
  'and so does one under a key of another request');
select is((select row(status, code, rate_remaining, retry_after_seconds > 0) from pg_temp.ask('key')),
  row(429, 'rate_limited'::text, 0, true),
  'until the limit is used up');
select is((select code from pg_temp.ask('another')), 'rate_limited', 'for new requests as well');
select is((pg_temp.account()).balance, 4500::bigint, 'one charge stands');

update credit_accounts set rate_full_at = '-infinity' where id = '00000000-0000-4000-8000-0000000000a1';
select from settle_generation((select job_id from first), '{"a": 1}');
select is((select row(status, code, rate_remaining) from pg_temp.ask('key')), row(200, 'replayed'::text, 2),
  'what has ended is replayed, and counted');

update credit_request_events set created_at = created_at - interval '61 seconds'
  where account_id = '00000000-0000-4000-8000-0000000000a1';
select is((select row(status, code, rate_remaining) from pg_temp.ask('key')), row(200, 'replayed'::text, null::integer),
  'a window later repeats are free again');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000a1' and job_id is not null), 64::bigint,
  'each repeat is on record');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
