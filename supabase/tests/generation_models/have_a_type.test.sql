begin;
select plan(19);

create function pg_temp.type_of(p_rates jsonb, p_settings jsonb default '{}') returns text language plpgsql as $$
declare
  model constant text := 'm' || substr(md5(random()::text), 1, 12);
begin
  perform set_model_price(model, p_rates,
    p_settings => '{"provider": "placeholder", "provider_model": "p"}' || p_settings);
  return (select type from generation_models where name = model);
end;
$$;
select is(pg_temp.type_of(v.rates::jsonb), v.type, 'by the meters ' || v.rates)
from (values
  ('{"image": 1}', 'image'), ('{"megapixel": 1, "second": 1}', 'image'), ('{"request": 1}', 'image'),
  ('{"second": 1, "request": 1}', 'video'), ('{"character": 1}', 'speech'), ('{"input_token": 1}', 'text'),
  ('{"output_token": 1, "request": 1}', 'text')) as v (rates, type);
select is(pg_temp.type_of('{"second": 1}', '{"type": "image"}'), 'image', 'or as it is said');
select throws_ok($$select pg_temp.type_of('{"image": 1}', '{"type": "video"}')$$, '23514', null,
  'a video is not paid by the image');
select throws_ok($$select pg_temp.type_of('{"second": 1}', '{"type": "film"}')$$, '23514', null, 'there is no other');

select is((select array_agg(name || ' ' || type order by name) from generation_models where name like 'standard-%'),
  array['standard-image image', 'standard-speech speech', 'standard-text text', 'standard-video video'],
  'each type can be tried without a key');
set local role authenticated;
select is((select row(type, default_seconds, max_seconds) from generation_models where name = 'standard-video'),
  row('video'::text, 2, 5), 'apps read it, and what a request may ask for');
select is((select row(voices, formats) from generation_models where name = 'standard-speech'),
  row(null::text[], '{wav}'::text[]), 'of speech too');
reset role;

select from set_model_price('changes', '{"second": 1}', now() - interval '1 day',
  '{"provider": "placeholder", "provider_model": "p"}');
select from set_model_price('changes', '{"character": 1}');
select is((select array_agg(type order by effective_from) from generation_models where name = 'changes'),
  '{video,speech}', 'a type that follows from the rates follows new ones');
select from set_model_price('stays', '{"second": 1}', now() - interval '1 day',
  '{"provider": "placeholder", "provider_model": "p", "type": "image"}');
select from set_model_price('stays', '{"second": 2}');
select is((select array_agg(type order by effective_from) from generation_models where name = 'stays'),
  '{image,image}', 'one that was said stays');
select is(set_model_price('stays', '{"second": 2}'), now(), 'and the same price again is no new version');
select is((select count(*) from generation_models where name = 'stays'), 2::bigint, 'of it there are two');

select throws_ok($$select pg_temp.type_of('{"second": 1}', '{"max_seconds": 5, "default_seconds": 6}')$$, '23514',
  null, 'no more seconds by default than at most');
select throws_ok($$select pg_temp.type_of('{"character": 1}', '{"formats": ["midi"]}')$$, '23514', null,
  'no format that nobody makes');

select * from finish();
rollback;
