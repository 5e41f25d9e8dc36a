begin;
select plan(15);

update credit_plans set rate_limit_requests = 100;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50000);
create function pg_temp.ask(p_max_cost jsonb, p_key text default null) returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', 'a cat', 'max_cost', p_max_cost), p_key)
$$;
select is((select row(code, cost) from pg_temp.ask('500')), row('charged'::text, 500::bigint),
  'what it costs is charged');
select is((select code from pg_temp.ask('null')), 'charged', 'null is no limit');
select from set_model_price('standard-image', '{"image": 4500}');
select is((select row(status, code, required, balance, cost, job_id) from pg_temp.ask('500', 'a key')),
  row(409, 'price_changed'::text, 4500::bigint, 49000::bigint, null::bigint, null::uuid),
  'a price that has risen meanwhile is told, not charged');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 49000::bigint,
  'no credit has moved');
select is((select count(*) from credit_request_events where status = 409 and code = 'price_changed'), 1::bigint,
  'the denial is recorded');
select is((select row(status, code, cost) from quote_generation('standard-image', '{"prompt": "a", "max_cost": 500}')),
  row(409, 'price_changed'::text, 4500::bigint), 'the quote says the same');
select is((select row(code, cost) from pg_temp.ask('4500', 'a key')), row('charged'::text, 4500::bigint),
  'the key is still free for who agrees');
select is((select code from pg_temp.ask('99999999999999999999')), 'charged', 'a limit may be any number');
select is((select array_agg(code) from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
    '[{"model": "standard-image", "input": {"prompt": "a", "max_cost": 4500}},
      {"model": "standard-image", "input": {"prompt": "a", "max_cost": 0}}]', false)),
  array['charged', 'price_changed'], 'each of a batch has its own');
select is((select row(status, errors -> 0 ->> 'field') from pg_temp.ask(bad)), row(400, 'max_cost'::text),
  format('%s is none', bad))
from unnest(array['"500"', '-1', '0.5', 'true', '[]', '{}']::jsonb[]) as bad;

select * from finish();
rollback;
