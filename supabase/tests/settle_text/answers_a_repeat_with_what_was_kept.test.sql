begin;
select plan(2);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
update credit_settings set text_store = 'full';
create function pg_temp.charge() returns generation_text_charge language sql as $$
  select charge_text('00000000-0000-4000-8000-0000000000a1', null, null, 'standard-text',
    '{"input_tokens": 20, "input_estimate": 20, "sha256": "a", "body": {"messages": []}}', 'one') $$;
select from pg_temp.charge() as c, settle_text(c.job_id, '{"input_tokens": 9, "output_tokens": 4}', 'reported',
  '{"response": {"choices": []}}');
select is(row(c.status, c.code, c.job -> 'output' -> 'response'), row(200, 'replayed'::text, '{"choices": []}'::jsonb),
  'a repeat gets the answer') from pg_temp.charge() as c;
update generation_jobs set output = output - 'response';
select is(row(c.status, c.code), row(409, 'answer_not_kept'::text), 'unless it was not kept')
  from pg_temp.charge() as c;

select * from finish();
rollback;
