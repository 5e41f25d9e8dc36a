begin;
select plan(6);

select set_model_price('talk', '{"output_token": {"price": 30, "per": 1000}, "input_token": 2}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
create function pg_temp.copy(p_name text) returns text language sql as $$
  select format('%s %s', meters, prices) from generation_models where name = p_name $$;
select is(pg_temp.copy('talk'), '{input_token,output_token} {18000000,270000}',
  'a price version holds its meters, and of each the credits per 9,000,000 units');
select is(pg_temp.copy('standard-image'), '{image} {4500000000}', 'as do those of the migrations');
update generation_model_rates set price = 3 where model = 'talk' and meter = 'input_token';
select is(pg_temp.copy('talk'), '{input_token,output_token} {27000000,270000}', 'a corrected price is copied');
update generation_models set meters = '{image}', prices = '{0}' where name = 'talk';
select is(pg_temp.copy('talk'), '{input_token,output_token} {27000000,270000}', 'nothing else is: the rates win');
update generation_models set name = 'speech' where name = 'talk';
select is(pg_temp.copy('speech'), '{input_token,output_token} {27000000,270000}', 'the copy goes with a new name');
select throws_ok($$select set_model_price('speech', p_settings => '{"meters": ["image"]}',
  p_effective_from => now() + interval '1 day')$$,
  '22023', null, 'and is no setting');

select * from finish();
rollback;
