begin;
select plan(14);

-- Credits for 1,000,000 tokens: input 1000, cached 250, output 4000; 1024 output tokens unless a maximum is named.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000);
update credit_plans set rate_limit_requests = 100, max_concurrent_jobs = 100;
create function pg_temp.charge(p_request jsonb, p_key text default null) returns generation_text_charge language sql
as $$ select charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-text', p_request, p_key); $$;

create temp table charged as
  select * from pg_temp.charge('{"input_tokens": 3000, "input_estimate": 700, "output_tokens": 500}');
select is(row(status, code), row(201, 'charged'::text), 'a text is charged') from charged;
select is(cost, 5::bigint, 'for the input''s bound and the named maximum: 3 + 2') from charged;
select is(output_tokens, 500, 'which is sent on as the cap') from charged;
select is(j.status, 'running', 'its job runs at once') from charged join generation_jobs as j on j.id = job_id;
select is((select row(usage, usage_source, app_key_id) from generation_usage as u where u.job_id = c.job_id),
  row(null::jsonb, null::text, null::uuid), 'nothing is used yet') from charged as c;

select is(row(c.cost, c.output_tokens), row(6::bigint, 1024), 'without a maximum, for the model''s default')
from pg_temp.charge('{"input_tokens": 1000, "input_estimate": 700}') as c;
select is(row(c.cost, c.output_tokens, c.job -> 'input' ->> 'output_tokens'), row(13::bigint, 1000, '3000'::text),
  'each choice has the maximum')
from pg_temp.charge('{"input_tokens": 1000, "input_estimate": 700, "output_tokens": 1000, "n": 3}') as c;
select is(row(c.output_tokens, c.job -> 'input' ->> 'output_tokens'), row(81, '8100'::text),
  'all choices together get no more than the model gives')
from pg_temp.charge('{"input_tokens": 1000, "input_estimate": 700, "n": 100}') as c;
select is(c.cost, 37::bigint, 'the bound is cut to what the model takes')
from pg_temp.charge('{"input_tokens": 900000, "input_estimate": 20000}') as c;
select is(row(c.status, c.errors -> 0 ->> 'field'), row(400, 'input_tokens'::text), 'an estimate beyond it is refused')
from pg_temp.charge('{"input_tokens": 900000, "input_estimate": 40000}') as c;
select is(row(c.status, c.errors -> 0 ->> 'field'), row(400, 'output_tokens'::text),
  'so is a maximum beyond the model''s')
from pg_temp.charge('{"input_tokens": 10, "input_estimate": 10, "output_tokens": 9000}') as c;
select is(row(c.status, c.code), row(400, 'invalid_model'::text), 'a model that makes pictures makes no text')
from charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-image', '{"input_tokens": 1}') as c;

select is(row(c.cost, c.output_tokens), row(4::bigint, null::integer), 'an embedding holds no output: 3 + a token')
from pg_temp.charge('{"input_tokens": 3000, "input_estimate": 700, "embedding": true}') as c;
select from set_model_price('embedder', '{"input_token": {"price": 100, "per": 1000000}}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder-embedding"}');
select is(row(c.code, c.cost, c.output_tokens), row('charged'::text, 1::bigint, null::integer),
  'nor does a model that is paid by its input alone')
from charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'embedder', '{"input_tokens": 300}') as c;

select * from finish();
rollback;
