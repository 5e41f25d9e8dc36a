begin;
select plan(11);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
update credit_plans set rate_limit_requests = 1000;
create function pg_temp.charge(p_key text, p_hash text default 'a', p_request_id text default null)
returns generation_text_charge language sql as $$
  select charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-text',
    jsonb_build_object('input_tokens', 20000, 'input_estimate', 5000, 'sha256', p_hash,
      'body', '{"messages": "zanzibar"}'),
    p_key, p_request_id);
$$;
create function pg_temp.job(p_key text) returns uuid language sql as $$
  select id from generation_jobs where idempotency_key = p_key; $$;

select is((pg_temp.charge('one', 'a', 'r1')).code, 'charged', 'the first request is charged');
select is(row(c.code, c.output_tokens, c.cost), row('charged'::text, 1024, 25::bigint),
  'its answer was lost: the same request again') from pg_temp.charge('one', 'a', 'r1') as c;
select is((pg_temp.charge('one')).code, 'request_in_flight', 'while it runs, a repeat waits');
-- What is there now would hold less: a repeat is still the same request.
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 74);
select is((pg_temp.charge('one')).code, 'request_in_flight', 'also when the balance has changed');
select from settle_generation(pg_temp.job('one'), '{"finish_reason": "stop"}');
select is(row(c.status, c.code, c.job_id, c.cost), row(409, 'answer_not_kept'::text, pg_temp.job('one'), 25::bigint),
  'once it has ended its answer is not there') from pg_temp.charge('one') as c;
select is((pg_temp.charge('one', 'b')).code, 'answer_not_kept', 'no hash is kept that could tell another body');
select is_empty($$select from generation_jobs where to_jsonb(generation_jobs)::text ~ 'zanzibar|sha256'$$,
  'nor a word of it');

update credit_settings set text_store = 'hash';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
select from pg_temp.charge('two');
select is(row(b.code, a.code), row('idempotency_key_reused'::text, 'request_in_flight'::text),
  'with a hash, another body is told apart')
from pg_temp.charge('two', 'b') as b, pg_temp.charge('two') as a;
update credit_settings set text_store = 'full';
select from pg_temp.charge('three');
select is(input -> 'request', '"{\"messages\": \"zanzibar\"}"', 'what is kept in full has the request')
from generation_jobs where id = pg_temp.job('three');
select is((pg_temp.charge('three')).code, 'request_in_flight', 'and knows a repeat by its hash');
select from fail_generation(pg_temp.job('three'), '{"code": "provider_failed"}');
select is(row(c.code, c.job ->> 'status'), row('replayed'::text, 'failed'::text), 'a failure is told again')
from pg_temp.charge('three') as c;

select * from finish();
rollback;
