begin;
select plan(42);

create function pg_temp.cost(p_rates text, p_usage text) returns bigint language sql as $$
  select credits.usage_cost(array_agg(r.meter), array_agg(r.price * (9000000 / r.per)), p_usage::jsonb)
  from credits.rates_read(p_rates::jsonb) as r $$;
select is(pg_temp.cost(c.rates, c.usage), c.cost::bigint, c.reason)
from (values
  ('{"image": 7}', '{"n": 3}', 21, 'images'),
  ('{"megapixel": 100}', '{"n": 2, "width": 1001, "height": 999}', 200, 'megapixels'),
  ('{"second": {"price": 1, "per": 60}}', '{"seconds": 61}', 2, 'seconds by the minute'),
  ('{"second": {"price": 1, "per": 3600}}', '{"seconds": 7200}', 2, 'or the hour'),
  ('{"second": 0.5}', '{"seconds": 2.2}', 2, 'and parts of one'),
  ('{"input_token": {"price": 10, "per": 1000}}', '{"input_tokens": 1200}', 12, 'input tokens'),
  ('{"output_token": {"price": 0.15, "per": 1000000}}', '{"output_tokens": 20000000}', 3, 'output tokens'),
  ('{"character": {"price": 15, "per": 1000}}', '{"characters": 100}', 2, 'characters'),
  ('{"request": 4}', '{}', 4, 'a request'),
  ('{"request": 0}', '{}', 0, 'for nothing'),
  ('{"image": 7}', '{"n": 0}', 0, 'or none of it'),
  ('{"image": 7}', '{"n": 2, "seconds": 90, "input_tokens": 90, "characters": 9}', 14,
    'what has no rate costs nothing'),
  ('{"image": 3, "megapixel": 2, "request": 1}', '{"n": 2, "width": 1000, "height": 500}', 9, 'several meters add up'),
  ('{"input_token": {"price": 10, "per": 1000}, "output_token": {"price": 30, "per": 1000}}',
    '{"input_tokens": 1, "output_tokens": 1}', 1,
    'and are rounded up once, not each'),
  ('{"image": {"price": 40, "per": 60}, "second": {"price": 40, "per": 60}, "character": {"price": 40, "per": 60}}',
    '{"n": 1, "seconds": 1, "characters": 1}', 2, 'thrice two thirds is 2, without a remainder'),
  ('{"image": {"price": 1, "per": 60}}', '{"n": 60}', 1, 'nor is there one in a sixtieth'),
  ('{"second": 0.000000000001}', '{"seconds": 1}', 1, 'the least price costs a credit'),
  ('{"second": 1000000000, "request": 0.000000000001}', '{"seconds": 1}', 1000000001, 'beside the largest too'),
  ('{"input_token": 4, "cache_read_token": 1}', '{"input_tokens": 100, "cache_read_tokens": 60}', 220,
    'input tokens from a cache are paid by their own rate, and not twice'),
  ('{"input_token": 4, "cache_write_token": 5}', '{"input_tokens": 100, "cache_write_tokens": 60}', 460,
    'so are those to a cache'),
  ('{"input_token": 4, "cache_read_token": 1, "cache_write_token": 5}',
    '{"input_tokens": 100, "cache_read_tokens": 60, "cache_write_tokens": 30}', 250,
    'and both'),
  ('{"input_token": 4}', '{"input_tokens": 100, "cache_read_tokens": 60, "cache_write_tokens": 30}', 400,
    'without a rate of their own they are input'),
  ('{"input_token": 4, "cache_read_token": 0}', '{"input_tokens": 100, "cache_read_tokens": 100}', 0,
    'a rate of 0 is one'),
  ('{"input_token": 4, "cache_read_token": 1}', '{"input_tokens": 10, "cache_read_tokens": 60}', 60,
    'never less than none'),
  ('{"input_token": 4, "cache_read_token": 1}', '{"input_tokens": 10}', 40, 'a usage need not tell of caches'),
  ('{"input_token": {"price": 10, "per": 1000.0}}', '{"input_tokens": 1200}', 12, 'however a number is written'),
  ('{"image": 7}', '{}', null, 'what is not known costs not 0, but is not known'),
  ('{"input_token": 4, "cache_read_token": 1, "cache_write_token": 5}', '{"cache_read_tokens": 60}', null,
    'so it is with input, although what comes from a cache is known'),
  ('{"input_token": 4, "cache_read_token": 0}', '{"input_tokens": null}', null, 'or where its cache is free,'),
  ('{"request": 4, "output_token": 1}', '{}', null, 'and with one of several meters')) as c (rates, usage, cost,
  reason);

select is(credits.usage_cost('{}', '{}', '{"n": 1}'), null, 'nor does anything without a rate');
select is(pg_temp.cost(
  (select jsonb_object_agg(m.meter, 1000000000)::text
    from unnest(array['image', 'megapixel', 'second', 'input_token', 'cache_read_token',
    'cache_write_token', 'output_token', 'character', 'request']) as m (meter)),
  credits.usage_reported('{"n": 100000, "width": 100000, "height": 100000, "seconds": 100000000,
    "input_tokens": 100000000, "cache_read_tokens": 100000000,
    "cache_write_tokens": 100000000, "output_tokens": 100000000, "characters": 100000000}')::text),
  1500100001000000000, 'the highest price of the most of everything is a bigint');
select set_eq($$select unnest(regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g')) from pg_constraint
  where conname = 'meter_is_known'$$,
  $$select distinct m[1]
    from regexp_matches(pg_get_functiondef('credits.usage_cost'::regproc),
      '(?:p_meters\[i\] =|case p_meters\[i\] when) ''([a-z_]+)''', 'g') as m$$,
  'every meter has its quantity');

insert into generation_models (name, provider, provider_model) values ('bounds', 'none', 'none');
select throws_ok(format('insert into generation_model_rates values (''bounds'', now(), %s)', c.rate), '23514', null,
  c.rate || ' is refused')
from (values ('''image'', -1'), ('''image'', ''NaN'''), ('''image'', ''Infinity'''), ('''image'', 1000000001'),
  ('''image'', 0.0000000000001'),
  ('''image'', 1, 0'), ('''image'', 1, 7'), ('''image'', 1, ''NaN'''), ('''picture'', 1')) as c (rate);

select * from finish();
rollback;
