begin;
select plan(10);

create function pg_temp.import(p_rates jsonb, p_costs jsonb) returns timestamptz language sql as $$
  select import_model_price('writer', p_rates, p_costs, 1000,
    '{"provider": "upstream", "provider_model": "writer-1", "max_input_tokens": 100000}');
$$;
select is(pg_temp.import(
  '{"input_token": {"price": 3750, "per": 1000000}, "output_token": {"price": 15000, "per": 1000000}}',
  '{"input_token": {"price": 2.5, "per": 1000000}, "output_token": {"price": 10, "per": 1000000}}'), now(),
  'a version comes into force');
select results_eq($$select meter, price, per from generation_model_rates where model = 'writer' order by 1$$,
  $$values ('input_token', 3750::numeric, 1000000::numeric), ('output_token', 15000, 1000000)$$, 'with its prices');
select results_eq($$select meter, usd, per, credits_per_usd
  from generation_model_costs where model = 'writer' order by 1$$,
  $$values ('input_token', 2.5::numeric, 1000000::numeric, 1000::numeric), ('output_token', 10, 1000000, 1000)$$,
  'and what its provider asks');
select is(pg_temp.import(
  '{"input_token": {"price": 3750, "per": 1000000}, "output_token": {"price": 15000, "per": 1000000}}',
  '{"input_token": {"price": 2.4, "per": 1000000}, "output_token": {"price": 10, "per": 1000000}}'), now(),
  'the same price is no new version');
select is(min(usd), 2.4, 'but its cost is corrected') from generation_model_costs where model = 'writer';
select throws_ok($$select pg_temp.import('{"input_token": 0}', '{"input_token": 0}')$$, '22023', null,
  'a price of 0 is refused');
select throws_ok($$select pg_temp.import('{"input_token": 1, "output_token": 1}', '{"input_token": 1}')$$, '22023',
  null,
  'so is a meter without a cost');
select throws_ok($$select pg_temp.import('{"input_token": 1}', '{"input_token": 1, "output_token": 1}')$$, '22023',
  null,
  'and a cost that nothing is asked for');
select throws_ok($$select import_model_price('writer', '{"image": 1}', '{"image": 1}', 0)$$, '22023', null,
  'a dollar buys credits');
set local role authenticated;
select throws_ok('select from generation_model_costs', '42501', null, 'users do not read costs');

select * from finish();
rollback;
