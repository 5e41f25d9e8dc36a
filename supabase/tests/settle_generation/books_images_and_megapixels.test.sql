begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000);
select from set_model_price('area', '{"megapixel": 100}',
  p_settings => '{"provider": "placeholder", "provider_model": "p", "overage": "overdraft"}');
select from set_model_price('picture', '{"image": 300}',
  p_settings => '{"provider": "placeholder", "provider_model": "p"}');
create function pg_temp.charge(p_model text, p_input jsonb) returns table (job_id uuid, cost bigint) language sql as $$
  select job_id, cost
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', p_model, p_input || '{"prompt": "a"}') $$;
create temp table area as select * from pg_temp.charge('area', '{"n": 3, "width": 1000, "height": 1500}');
select is((select cost from area), 450::bigint, 'three of a megapixel and a half');
select is((select row(cost, refunded)
  from settle_generation((select job_id from area), '{"outputs": []}',
    p_actual_usage => '{"n": 2, "width": 1001, "height": 999}')), row(450::bigint, 250::bigint),
  '1.999998 megapixels cost 200, rounded up once for the job');
create temp table smaller as select * from pg_temp.charge('area', '{"n": 2, "width": 1000, "height": 1000}');
select is((select refunded
  from settle_generation((select job_id from smaller), '{"outputs": []}', p_actual_usage => '{"height": 500}')),
  100::bigint, 'what the usage does not name is as it was asked for');
create temp table larger as select * from pg_temp.charge('area', '{"n": 1, "width": 1000, "height": 1000}');
select is((select row(cost, refunded)
  from settle_generation((select job_id from larger), '{"outputs": []}',
    p_actual_usage => '{"width": 2048, "height": 2048}')), row(420::bigint, 0::bigint),
  'more than was asked for is charged where the model says so: 4.194304 megapixels');

create temp table pictures as select * from pg_temp.charge('picture', '{"n": 4}');
select is((select cost from pictures), 1200::bigint, 'four images');
select is((select refunded
  from settle_generation((select job_id from pictures), '{"outputs": []}', p_actual_usage => '{"n": 1}')), 900::bigint,
  'three that did not come are given back');
create temp table none as select * from pg_temp.charge('picture', '{"n": 2}');
select is((select row(code, refunded)
  from settle_generation((select job_id from none), '{"outputs": []}', p_actual_usage => '{"n": 0}')),
  row('settled'::text, 600::bigint), 'so are all, when none came');
create temp table more as select * from pg_temp.charge('picture', '{"n": 1}');
select is((select row(cost, refunded)
  from settle_generation((select job_id from more), '{"outputs": []}', p_actual_usage => '{"n": 3}')),
  row(300::bigint, 0::bigint), 'and what came on top is the provider''s gift where the model caps');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
