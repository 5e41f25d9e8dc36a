begin;
select plan(9);

insert into generation_models (name, effective_from, provider, provider_model, unit_price, enabled) values
  ('dearer', now() - interval '2 days', 'placeholder', 'placeholder', 100, true),
  ('dearer', now() - interval '1 day', 'placeholder', 'placeholder', 200, true),
  ('ended', now() - interval '2 days', 'placeholder', 'placeholder', 100, true),
  ('ended', now() - interval '1 day', 'placeholder', 'placeholder', 100, false),
  ('returned', now() - interval '3 days', 'placeholder', 'placeholder', 100, true),
  ('returned', now() - interval '2 days', 'placeholder', 'placeholder', 100, false),
  ('returned', now(), 'placeholder', 'placeholder', 300, true),
  ('ends-tomorrow', now() - interval '1 day', 'placeholder', 'placeholder', 100, true),
  ('ends-tomorrow', now() + interval '1 day', 'placeholder', 'placeholder', 100, false);
create function pg_temp.prices(p_role text, p_name text) returns bigint[] language plpgsql as $$
declare
  prices bigint[];
begin
  perform set_config('role', p_role, true);
  select coalesce(array_agg(unit_price order by effective_from), '{}') into prices from generation_models
    where name = p_name and enabled;
  reset role;
  return prices;
end;
$$;
select is(pg_temp.prices('authenticated', 'dearer'), '{200}', 'a model has one price: the newest that has come');
select is(pg_temp.prices('authenticated', 'ended'), '{}',
  'a model that its newest row disables is not shown by an older row');
select is(pg_temp.prices('authenticated', 'returned'), '{300}', 'one that is enabled again is, by its newest row');
select is(pg_temp.prices('authenticated', 'ends-tomorrow'), '{100}', 'a row to come changes nothing yet');
select is(pg_temp.prices('anon', 'dearer') || pg_temp.prices('anon', 'ended'), '{200}', 'anon sees the same');
select is(pg_temp.prices('service_role', 'ended'), '{100}', 'the service sees every row');
select is(pg_temp.prices('credits_auditor', 'dearer'), '{100,200}', 'and so does an auditor');
set local role authenticated;
select set_eq(
  'select name, unit_price from generation_models',
  $$select name, (quote_generation(name, '{"prompt": "a"}')).cost
    from unnest(array['dearer', 'ended', 'returned', 'ends-tomorrow', 'standard-image', 'gpt-image-1']) as name
    where (quote_generation(name, '{"prompt": "a"}')).status = 200$$,
  'what a user reads is what a quote answers');
reset role;
select ok(not has_schema_privilege('anon', 'credits', 'usage'), 'what the policy asks cannot be called by name');

select * from finish();
rollback;
