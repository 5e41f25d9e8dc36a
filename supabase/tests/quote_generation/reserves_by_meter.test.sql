begin;
select plan(18);

select from (values
  ('chat', '{"input_token": {"price": 4, "per": 1000}, "cache_read_token": {"price": 1, "per": 1000},
    "cache_write_token": {"price": 5, "per": 1000}, "output_token": {"price": 8, "per": 1000}}'),
  ('embed', '{"input_token": {"price": 1, "per": 1000}}'),
  ('speak', '{"character": {"price": 15, "per": 1000}}'),
  ('flat', '{"request": 7}'),
  ('film', '{"second": 2, "request": 5}')
) as m (name, rates), set_model_price(m.name, m.rates::jsonb, p_settings =>
  '{"provider": "none", "provider_model": "none", "max_input_tokens": 8000, "max_output_tokens": 1000,
    "max_seconds": 10, "overage": "overdraft"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100000);
update credit_plans set rate_limit_requests = 100, max_concurrent_jobs = 100;
create function pg_temp.quote(p_model text, p_input jsonb default '{}') returns text language sql as $$
  select coalesce(cost::text, errors -> 0 ->> 'field')
    from quote_generation(p_model, '{"prompt": "a picture"}' || p_input) $$;
create function pg_temp.charge(p_model text, p_input jsonb default '{}') returns credit_charge_result language sql as $$
  select c from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', p_model,
    '{"prompt": "a picture"}' || p_input) as c $$;

select is(pg_temp.quote('chat'), '48',
  'input is reserved at the dearest that a cache makes of it: 8,000 written, and 1,000 out');
select is(pg_temp.quote('chat', '{"input_tokens": 1000, "output_tokens": 100}'), '6',
  'what is asked for, not the most');
select is(pg_temp.quote('chat', '{"input_tokens": 8001}'), 'input_tokens', 'within the model''s bounds');
select is(pg_temp.quote('chat', '{"cache_read_tokens": 8000}'), '48', 'no request says what comes from a cache');
select is(pg_temp.quote('embed', '{"output_tokens": 5000}'), '8', 'without a rate for output there is no such field');
select is(pg_temp.quote('speak'), '1', 'characters are the prompt''s');
select is(pg_temp.quote('speak', jsonb_build_object('prompt', repeat('ä', 1000), 'characters', 1)), '15',
  'counted, not asked for');
select is(pg_temp.quote('film', '{"width": 1}'), 'width', 'a size is one that the model makes, where it is asked for');
select is(pg_temp.quote('speak', '{"type": "image"}'), 'type', 'it makes no images');
select is(pg_temp.quote('flat', '{"n": 4, "type": "image"}'), '7', 'by the request, for any number of images');
select is(pg_temp.quote('flat', '{"n": 5}'), 'n', 'that the model makes');
select is(pg_temp.quote('film'), '25', 'seconds and the request');
select is(pg_temp.quote('film', '{"seconds": 3}'), '11', 'of which fewer cost less');

create temp table chat as select *
  from pg_temp.charge('chat', '{"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 1000}');
select is((select cost from chat), 6::bigint, 'a request cannot say that it was cached');
select is((select row(cost, refunded)
  from settle_generation((select job_id from chat), '{"text": "b"}', p_actual_usage =>
  '{"input_tokens": 1000, "output_tokens": 100}')), row(6::bigint, 1::bigint),
  'nor is it settled so: 4 + 0.8 credits');
create temp table cached as select * from pg_temp.charge('chat', '{"input_tokens": 1000, "output_tokens": 100}');
select is((select row(cost, refunded)
  from settle_generation((select job_id from cached), '{"text": "b"}', p_actual_usage =>
  '{"input_tokens": 1000, "cache_read_tokens": 900, "output_tokens": 100}')), row(6::bigint, 3::bigint),
  'but by what the provider says: 0.4 + 0.9 + 0.8');
select throws_ok(format($$select settle_generation(%L, '{}', p_actual_usage => '{"cache_read_tokens": -1}')$$,
  (pg_temp.charge('chat')).job_id), '22023', null,
  'within bounds');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
