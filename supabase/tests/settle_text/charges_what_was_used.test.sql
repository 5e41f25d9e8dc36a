begin;
select plan(17);

-- Credits for 1,000,000 tokens: input 1000, cached 250, output 4000.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
update credit_plans set max_concurrent_jobs = 100, rate_limit_requests = 100;
create function pg_temp.settled(p_usage jsonb, p_source text, p_output jsonb default '{}') returns generation_jobs
language plpgsql as $$
declare
  job generation_jobs;
begin
  select c.job_id into job.id from charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-text',
    '{"input_tokens": 20000, "input_estimate": 5000, "output_tokens": 4000}') as c;
  perform settle_text(job.id, p_usage, p_source, p_output);
  select * into job from generation_jobs where id = job.id;
  return job;
end;
$$;
create function pg_temp.charged(p_usage jsonb, p_source text) returns bigint language sql as $$
  select j.cost - j.refunded from pg_temp.settled(p_usage, p_source) as j $$;

select is(pg_temp.charged('{"input_tokens": 6000, "output_tokens": 1000}', 'reported'), 10::bigint,
  'the provider''s numbers are charged: 6 + 4');
select is(pg_temp.charged('{"input_tokens": 6000, "cache_read_tokens": 4000, "output_tokens": 1000}', 'reported'),
  7::bigint, 'cached tokens at their own price: 2 + 1 + 4');
select is(pg_temp.charged('{"input_tokens": 0, "output_tokens": 0}', 'reported'), 0::bigint, 'a reported 0 is 0');
select is(pg_temp.charged('{"output_tokens": 1000}', 'reported'), 24::bigint, 'what is not reported is as it was held');
select is(pg_temp.charged('{"input_tokens": 0, "output_tokens": 0}', 'estimated'), 1::bigint, 'an estimate is never 0');
select is(pg_temp.charged('{}', 'estimated'), 1::bigint, 'also without numbers');
select is(pg_temp.charged('{"input_tokens": 90000, "output_tokens": 1000}', 'reported'), 36::bigint,
  'beyond the hold nothing more is charged');
select is((pg_temp.settled('{"input_tokens": 90000, "output_tokens": 1000}', 'reported')).actual_cost, 94::bigint,
  'and shows what it came to');

select is(j.output, '{"finish_reason": "stop", "usage": {"input_tokens": 9, "output_tokens": 4},
  "usage_source": "reported"}', 'the job tells its usage, and no word of the answer')
from pg_temp.settled('{"input_tokens": 9, "output_tokens": 4, "usage_source": "x"}', 'reported',
  '{"finish_reason": "stop", "response": {"text": "zanzibar"}}') as j;
select is(row(u.usage, u.usage_source), row('{"input_tokens": 9, "output_tokens": 4}'::jsonb, 'reported'::text),
  'so does the table of usage')
from generation_usage as u order by noted_at desc limit 1;
update credit_settings set text_store = 'full';
select is(j.output -> 'response', '{"text": "zanzibar"}', 'unless everything is kept')
from pg_temp.settled('{"input_tokens": 9, "output_tokens": 4}', 'reported', '{"response": {"text": "zanzibar"}}') as j;
select is(s.code, 'unchanged', 'a second settlement changes nothing')
from settle_text((select id from generation_jobs order by created_at, ended_at desc limit 1), '{"input_tokens": 1}',
  'estimated') as s;
select throws_ok($$select settle_text('00000000-0000-4000-8000-000000000000', '{}', 'reported')$$, 'PT404', null,
  'an unknown job');
select throws_ok(format('select settle_text(%L, %L, %L)', id, '{}', 'guessed'), '22023', null, 'an unknown source')
from generation_jobs limit 1;
select throws_ok(format('select settle_text(%L, %L, %L)', id, '[]', 'reported'), '22023', null, 'no usage')
from generation_jobs limit 1;
select is_empty('select from reconciliation_discrepancies', 'the books are right');
select is((select count(*) from generation_usage where usage_source is null), 0::bigint, 'every text has a usage');

select * from finish();
rollback;
