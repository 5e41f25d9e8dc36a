begin;
select plan(7);

select from set_model_price('clips', '{"second": 10}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder",
    "max_seconds": 60, "allowed_sizes": ["1280x720"]}');
create function pg_temp.quote(p_input jsonb) returns text language sql as $$
  select coalesce(cost::text, errors -> 0 ->> 'field') from quote_generation('clips', p_input) $$;
select is(pg_temp.quote('{"prompt": "a", "seconds": 5, "width": 1280, "height": 720}'), '50',
  'a size that the model makes');
select is(pg_temp.quote('{"prompt": "a", "seconds": 5}'), '50', 'none');
select is(pg_temp.quote('{"prompt": "a", "seconds": 5, "width": null}'), '50', 'null, which is none');
select is(pg_temp.quote('{"prompt": "a", "seconds": 5, "width": 720, "height": 1280}'), 'width',
  'one that it does not make');
select is(pg_temp.quote('{"prompt": "a", "seconds": 5, "width": 128000, "height": 720}'), 'width',
  'one beyond its bounds');
select is(pg_temp.quote('{"prompt": "a", "seconds": 5, "height": "abc"}'), 'height', 'what is no number');

select from set_model_price('words',
  '{"input_token": {"price": 10, "per": 1000}, "output_token": {"price": 10, "per": 1000}}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder",
    "max_input_tokens": 1000, "max_output_tokens": 1000, "allowed_sizes": ["1280x720"]}');
select is((select status from quote_generation('words', '{"prompt": "a"}')), 200, 'text has no size');

select * from finish();
rollback;
