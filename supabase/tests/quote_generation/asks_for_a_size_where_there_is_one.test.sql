begin;
select plan(7);

insert into generation_models (name, provider, provider_model, unit, unit_price, max_seconds, allowed_sizes)
values ('clips', 'placeholder', 'placeholder', 'second', 10, 60, array['1280x720']);
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

insert into generation_models (name, provider, provider_model, unit, unit_price, output_unit_price, max_input_tokens,
  max_output_tokens, allowed_sizes)
values ('words', 'placeholder', 'placeholder', '1k_tokens', 10, 10, 1000, 1000, array['1280x720']);
select is((select status from quote_generation('words', '{"prompt": "a"}')), 200, 'text has no size');

select * from finish();
rollback;
