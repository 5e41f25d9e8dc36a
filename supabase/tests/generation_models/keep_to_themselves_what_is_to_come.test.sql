begin;
select plan(10);

insert into generation_models (name, effective_from, provider, provider_model, unit_price, enabled) values
  ('standard-image', now() + interval '1 day', 'placeholder', 'placeholder', 900, true),
  ('to-come', now() + interval '1 second', 'placeholder', 'placeholder', 100, true),
  ('hidden', now() - interval '1 day', 'placeholder', 'placeholder', 100, false);
create function pg_temp.prices(p_role text) returns text[] language plpgsql as $$
declare
  prices text[];
begin
  perform set_config('role', p_role, true);
  select array_agg(format('%s %s', name, unit_price) order by name) into prices from generation_models;
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
    and not pg_temp.column_is_readable('anon', attname)$$, array['provider_model'], 'but every other column');
select ok(pg_temp.column_is_readable('service_role', 'provider_model'), 'the service does');
set local role anon;
select throws_ok('select * from generation_models', '42501', null, 'nor by a star');
select throws_ok($$select from generation_models where provider_model like 'p%'$$, '42501', null, 'nor by a filter');
select throws_ok('select from generation_models order by provider_model', '42501', null, 'nor by an order');

select * from finish();
rollback;
