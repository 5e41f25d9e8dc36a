begin;
select plan(34);

select from set_model_price('flat-clip', '{"request": 30}', p_settings => '{"provider": "placeholder",
  "provider_model": "p", "type": "video", "max_seconds": 8, "default_seconds": 4, "allowed_sizes": ["1280x720"]}');
select from set_model_price('speaker', '{"character": {"price": 15, "per": 1000}}', p_settings =>
  '{"provider": "placeholder", "provider_model": "p", "voices": ["ada", "ben"], "formats": ["mp3", "opus"]}');
select from set_model_price('gpu-image', '{"second": 2}', p_settings =>
  '{"provider": "placeholder", "provider_model": "p", "type": "image", "max_seconds": 10}');
create function pg_temp.quote(p_model text, p_input jsonb default '{}') returns text language sql as $$
  select coalesce(cost::text, (select string_agg(e ->> 'field', ' ') from jsonb_array_elements(errors) as e))
  from quote_generation(p_model, '{"prompt": "a wave"}' || p_input) $$;
create function pg_temp.input(p_model text, p_input jsonb default '{}') returns jsonb language sql as $$
  select (credits.request_price(p_model, '{"prompt": "a wave"}' || p_input)).input - 'prompt' $$;

select is(pg_temp.quote('standard-video'), '100', 'a video that names no seconds reserves the model''s default');
select is(pg_temp.quote('standard-video', '{"seconds": 5}'), '250', 'one that does, those');
select is(pg_temp.quote('standard-video', jsonb_build_object('seconds', s)), 'seconds', format('but not %s seconds', s))
from jsonb_array_elements('[0, 6, 1.5, "2"]') as s;
select is(pg_temp.quote('flat-clip', '{"seconds": 8}'), '30', 'paid by the request, seconds cost nothing');
select is(pg_temp.quote('flat-clip', '{"seconds": 9}'), 'seconds', 'and have a most');
select is(pg_temp.input('flat-clip'), '{"type": "video", "seconds": 4}', 'the job knows what to make');
select is(pg_temp.input('standard-video', '{"aspect_ratio": "9:16", "image": "a/b/0.png", "type": "video"}'),
  '{"type": "video", "seconds": 2, "aspect_ratio": "9:16", "image": "a/b/0.png"}',
  'an aspect ratio, a first frame by its path');
select is(pg_temp.input('standard-video', '{"width": 320}'),
  '{"type": "video", "seconds": 2, "width": 320, "height": 360}', 'a size, filled up');
select is(pg_temp.quote('standard-video', v.input::jsonb), v.field, v.reason)
from (values
  ('{"aspect_ratio": "2:1"}', 'aspect_ratio', 'no other ratio'),
  ('{"aspect_ratio": "1:1", "width": 320}', 'aspect_ratio', 'nor a ratio and a size'),
  ('{"aspect_ratio": null, "width": 320, "image": null, "type": null}', '100', 'null is left out'),
  ('{"width": 1281}', 'width', 'nor a size beyond the model''s'),
  ('{"image": ""}', 'image', 'nor a path that is none'),
  ('{"image": {"url": "https://example.com"}}', 'image', 'nor an address'),
  ('{"type": "image"}', 'type', 'nor another type'),
  ('{"n": 2}', 'n', 'nor two for the price of one'),
  ('{"n": 1}', '100', 'one is one')) as v (input, field, reason);
select is(pg_temp.quote('flat-clip', '{"width": 1280, "height": 720}'), '30', 'a size that the model makes');
select is(pg_temp.quote('flat-clip', '{"width": 720, "height": 720}'), 'width', 'and one that it does not');

select is(pg_temp.quote('standard-speech', jsonb_build_object('prompt', repeat('a', 1001))), '21',
  'speech is paid by its characters, rounded up');
select is(pg_temp.input('standard-speech'), '{"type": "speech", "format": "wav", "characters": 6}',
  'in the model''s first format');
select is(pg_temp.input('speaker'), '{"type": "speech", "format": "mp3", "voice": "ada", "characters": 6}',
  'and by its first voice');
select is(pg_temp.input('speaker', '{"format": "opus", "voice": "ben"}'),
  '{"type": "speech", "format": "opus", "voice": "ben", "characters": 6}', 'or as asked for');
select is(pg_temp.quote('speaker', v.input::jsonb), v.field, v.reason)
from (values ('{"format": "wav"}', 'format', 'in no other format'), ('{"voice": "eve"}', 'voice', 'by no other voice'),
  ('{"n": 2, "voice": 7}', 'n voice', 'once')) as v (input, field, reason);
select is(pg_temp.quote('standard-speech', jsonb_build_object('voice', repeat('v', 64))), 'voice',
  'a voice of a model without a list has 63 characters at most');
select is(pg_temp.quote('standard-speech', '{"voice": "any"}'), '1', 'and any name');

select is(pg_temp.input('gpu-image', '{"n": 2}'), '{"n": 2, "width": 1024, "height": 1024, "seconds": 10}',
  'an image that is paid by the second of its making has a size and a number');
select is(pg_temp.quote('standard-image', '{"type": "video"}'), 'type', 'a model of images makes no videos');

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select is((select row(cost, job ->> 'type', job -> 'input' ->> 'seconds', job ->> 'max_output_bytes')
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-video', '{"prompt": "a wave"}')),
  row(100::bigint, 'video'::text, '2'::text, '52428800'::text),
  'a charge answers with the type, what was reserved, and how large a file may be');

select * from finish();
rollback;
