begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000);
select from set_model_price('chat',
  '{"input_token": {"price": 10, "per": 1000}, "output_token": {"price": 30, "per": 1000}}',
  p_settings => '{"provider": "placeholder", "provider_model": "p",
    "max_input_tokens": 4000, "max_output_tokens": 2000}');
select from set_model_price('video', '{"second": 50}',
  p_settings => '{"provider": "placeholder", "provider_model": "p", "max_seconds": 20}');
create temp table chat as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'chat', '{"prompt": "a", "output_tokens": 1000}');
select is((select cost from chat), 70::bigint, 'the upper bound is reserved: 4,000 in, 1,000 out');
select is((select row(cost, refunded, balance)
  from settle_generation((select job_id from chat), '{"text": "b"}',
    p_actual_usage => '{"input_tokens": 1200, "output_tokens": 301}')),
  row(70::bigint, 48::bigint, 99978::bigint), '12 + 9.03 credits, rounded up once: 22');
select is((select actual_cost from generation_jobs where id = (select job_id from chat)), 22::bigint,
  'the real cost is kept');
create temp table video as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'video', '{"prompt": "a", "seconds": 8}');
select is((select cost from video), 400::bigint, 'by the second');
select is((select refunded
  from settle_generation((select job_id from video), '{}', p_actual_usage => '{"seconds": 5}')), 150::bigint,
  'three seconds come back');
create temp table clip as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-video', '{"prompt": "a"}');
select is((select row(cost, refunded)
  from settle_generation((select job_id from clip), '{"outputs": []}', p_actual_usage => '{"seconds": 1.5}')),
  row(100::bigint, 25::bigint), 'so does what a video is shorter than by default');
create temp table short as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'video', '{"prompt": "b", "seconds": 2}');
select throws_ok(format($$select from settle_generation(%L, '{}', p_actual_usage => '[]')$$,
  (select job_id from short)), '22023');
select throws_ok(format($$select from settle_generation(%L, '{}', -1)$$, (select job_id from short)), '22023');
select is((select errors -> 0 ->> 'field'
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'video', '{"prompt": "a", "seconds": 21}')),
  'seconds', 'bounds hold for every unit');

select * from finish();
rollback;
