begin;
select plan(14);
delete from generation_models where name in ('standard-text', 'standard-video', 'standard-speech');

select from (values
  ('standard-image', now() + interval '1 day', 900, '{}'),
  ('to-come', now() + interval '1 second', 100, '{}'),
  ('hidden', now() - interval '1 day', 100, '{"enabled": false}')
) as m (name, effective_from, price, settings),
set_model_price(m.name, jsonb_build_object('image', m.price), m.effective_from,
  '{"provider": "placeholder", "provider_model": "placeholder"}' || m.settings::jsonb);
create function pg_temp.prices(p_role text) returns text[] language plpgsql as $$
declare
  prices text[];
begin
  perform set_config('role', p_role, true);
  select array_agg(format('%s %s', name, price) order by name) into prices
  from generation_models join generation_model_rates as r on r.model = name
    and r.effective_from = generation_models.effective_from;
  reset role;
  return prices;
end;
$$;
create function pg_temp.column_is_readable(p_role text, p_column text) returns boolean language sql as $$
  select has_column_privilege(p_role, 'public.generation_models', p_column, 'select') $$;
select is(pg_temp.prices(r), array['standard-image 500'], r || ' reads the prices that count')
  from unnest(array['anon', 'authenticated']) as r;
select is(cardinality(pg_temp.prices('service_role')), 5, 'the service all of them');
select ok(not pg_temp.column_is_readable(r, 'provider_model'), r || ' does not read what is behind a model')
  from unnest(array['anon', 'authenticated']) as r;
select set_eq($$select attname::text from pg_attribute
  where attrelid = 'generation_models'::regclass and attnum > 0 and not attisdropped
    and not pg_temp.column_is_readable('anon', attname)$$, array['meters', 'prices', 'provider_model'],
  'nor a charge''s copy of its rates, but every other column');
select ok(pg_temp.column_is_readable('service_role', 'provider_model'), 'the service does');
create function pg_temp.rates(p_role text) returns bigint language plpgsql as $$
declare
  rates bigint;
begin
  perform set_config('role', p_role, true);
  select count(*) into rates from generation_model_rates;
  reset role;
  return rates;
end;
$$;
select is(pg_temp.rates(r.role), r.rates, format('%s reads %s rates by themselves', r.role, r.rates))
from (values ('anon', 1::bigint), ('authenticated', 1), ('service_role', 5), ('credits_auditor', 5)) as r (role, rates);
set local role anon;
select throws_ok('select * from generation_models', '42501', null, 'nor by a star');
select throws_ok($$select from generation_models where provider_model like 'p%'$$, '42501', null, 'nor by a filter');
select throws_ok('select from generation_models order by provider_model', '42501', null, 'nor by an order');

select * from finish();
rollback;
