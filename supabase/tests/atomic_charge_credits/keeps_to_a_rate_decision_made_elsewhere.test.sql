begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
create function pg_temp.charge(p_decision jsonb, p_key text default null) returns charge_verdict language sql as $$
  select v from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', p_key, p_rate_decision => p_decision) as v;
$$;

select is((select row(status, rate_limit, rate_remaining, rate_reset_seconds) from pg_temp.charge('{"allowed": true, "remaining": 3, "reset_seconds": 20}', 'k')), row(201, 10, 3, 20), 'what may pass is charged, and the answer says what is left');
select is((select rate_full_at from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), '-infinity'::timestamptz, 'it is not counted here again');
select is((select row(status, code, retry_after_seconds, rate_remaining) from pg_temp.charge('{"allowed": false, "remaining": 0, "reset_seconds": 20}')), row(429, 'rate_limited'::text, 20, 0), 'what may not is denied');
select is((select retry_after_seconds from pg_temp.charge('{"allowed": false, "remaining": 0, "reset_seconds": 0}')), 1, 'for a second at least');
select is((select count(*) from request_events where code = 'rate_limited' and account_id = '00000000-0000-4000-8000-0000000000a1'), 2::bigint, 'each denial is recorded');
select from fail_generation((select job_id from pg_temp.charge('{"allowed": true, "remaining": 2, "reset_seconds": 20}', 'l')));
select is((select row(status, rate_remaining) from pg_temp.charge('{"allowed": false, "remaining": 0, "reset_seconds": 20}', 'l')), row(200, null::integer), 'a replay is answered beyond the limit too');
select is((select status from pg_temp.charge(null)), 201, 'without a decision it is made here');
select ok((select rate_full_at > now() from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 'and counted');
create function pg_temp.refused(p_decision text) returns text language plpgsql as $$
begin
  perform pg_temp.charge(p_decision::jsonb);
  return null;
exception when others then return sqlstate;
end;
$$;
select is_empty($$select d from unnest(array['[]', '1', '"a"', 'null', '{}', '{"allowed": true}', '{"allowed": "true", "remaining": 1, "reset_seconds": 1}',
  '{"allowed": true, "remaining": -1, "reset_seconds": 1}', '{"allowed": true, "remaining": 1e99, "reset_seconds": 1}', '{"allowed": true, "remaining": "1", "reset_seconds": 1}']) as d
  where pg_temp.refused(d) is distinct from '22023'$$, 'what is no decision is refused');

select * from finish();
rollback;
