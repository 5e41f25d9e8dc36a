begin;
select plan(23);

create function pg_temp.rates(p_model text, p_from timestamptz) returns text language sql as $$
  select string_agg(format('%s %s/%s', meter, price, per), ', ' order by meter) from generation_model_rates
  where model = p_model and effective_from = p_from $$;
create function pg_temp.versions(p_model text) returns bigint language sql
  as $$ select count(*) from generation_models where name = p_model $$;
set local role service_role;
select is(set_model_price('chat', '{"input_token": {"price": 0.15, "per": 1000000}, "request": 1}',
    p_settings => '{"provider": "openai", "provider_model": "small", "max_n": 2}'),
  now(), 'the first version of a model counts from now on');
select is(pg_temp.rates('chat', now()), 'input_token 0.15/1000000, request 1/1', 'by its rates');
select is((select row(provider, provider_model, max_n, max_width, enabled) from generation_models where name = 'chat'),
  row('openai'::text, 'small'::text, 2, 2048, true), 'with its settings, and the others by default');
select is(set_model_price('chat', '{"input_token": {"per": 1000000, "price": 0.150}, "request": 1.0}'), now(),
  'the same again, as after an answer that was lost');
select is(set_model_price('chat',
    '{"input_token": {"per": 1000000.0, "price": 0.15}, "request": {"price": 1, "per": 1.0}}'),
  now(), 'or with its numbers written in another way');
select is(pg_temp.versions('chat'), 1::bigint, 'writes nothing');
select is(set_model_price('chat', '{"input_token": 2}', now() + interval '1 day'), now() + interval '1 day',
  'a price to come');
select is(set_model_price('chat', '{"input_token": 2}', now() + interval '1 day'), now() + interval '1 day',
  'is written once too');
select is(pg_temp.rates('chat', now() + interval '1 day'), 'input_token 2/1', 'has its meters alone');
select is((select row(provider_model, max_n) from generation_models where name = 'chat' and effective_from > now()),
  row('small'::text, 2),
  'and the settings of before');
select is(set_model_price('chat', p_effective_from => now() + interval '2 days', p_settings => '{"enabled": false}'),
  now() + interval '2 days',
  'an end');
select is(pg_temp.rates('chat', now() + interval '2 days'), 'input_token 2/1', 'at the price of before');
select is(set_model_price('chat', '{"input_token": 2}', now() + interval '3 days', '{"enabled": false}'),
  now() + interval '2 days',
  'what counts by then already is not written again: the answer says from when');
select is(pg_temp.versions('chat'), 3::bigint, 'three versions');

select throws_ok($$select set_model_price('chat', '{"input_token": 3}', now() + interval '1 day')$$, 'PT409',
  'the model has another price from that time on already', 'two prices for one time');
select throws_ok($$select set_model_price('chat', '{"input_token": 3}', now() - interval '1 minute')$$, '22023',
  'a new price cannot count from a time that has passed', 'a past time');
select throws_ok(format('select set_model_price(''new'', %L, p_settings => %L)', c.rates, c.settings), c.code,
  null, c.reason)
from (values
  ('{}', '{"provider": "a", "provider_model": "b"}', '22023', 'no meter'),
  ('{"image": "5"}', '{"provider": "a", "provider_model": "b"}', '22023', 'a text for a price'),
  ('{"image": {"price": 5, "pre": 1000}}', '{"provider": "a", "provider_model": "b"}', '22023',
    'a slip that would make a price a thousand times as high'),
  ('{"picture": 5}', '{"provider": "a", "provider_model": "b"}', '23514', 'an unknown meter'),
  ('{"image": 5}', '{"provider": "a", "provider_model": "b", "max_m": 5}', '22023', 'an unknown setting'),
  ('{"image": 5}', '{"provider": "a"}', '22023', 'a first version without what makes it')) as c (rates, settings,
  code, reason);
reset role;
select ok(not has_function_privilege('authenticated', 'set_model_price(text, jsonb, timestamptz, jsonb)', 'execute'),
  'a user sets no price');

select * from finish();
rollback;
