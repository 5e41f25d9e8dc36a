begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000);
select from set_model_price('by-pixel', '{"megapixel": 100}',
  p_settings => '{"provider": "placeholder", "provider_model": "p"}');
select is((select cost from quote_generation('standard-image', '{"prompt": "a", "n": 3}')), 1500::bigint,
  'by the image');
select is((select cost from quote_generation('by-pixel', '{"prompt": "a", "width": 1000, "height": 1001}')),
  101::bigint, 'by the megapixel, rounded up');
select is((select cost
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'by-pixel',
    '{"prompt": "a", "width": 1000, "height": 1001}')), 101::bigint, 'charged the same');
select is((select row(status, code) from quote_generation('nope', '{}')), row(400, 'invalid_model'::text),
  'a bad request is told, not raised');

select * from finish();
rollback;
