begin;
select plan(9);
delete from generation_models where name in ('standard-text', 'standard-video', 'standard-speech');

create temp table versions as select * from (values
  ('dearer', interval '-2 days', 100, true),
  ('dearer', interval '-1 day', 200, true),
  ('ended', interval '-2 days', 100, true),
  ('ended', interval '-1 day', 100, false),
  ('returned', interval '-3 days', 100, true),
  ('returned', interval '-2 days', 100, false),
  ('returned', interval '0', 300, true),
  ('ends-tomorrow', interval '-1 day', 100, true),
  ('ends-tomorrow', interval '1 day', 100, false)) as v (name, effective_in, price, enabled);
insert into generation_models (name, effective_from, provider, provider_model, enabled)
select name, now() + effective_in, 'placeholder', 'placeholder', enabled from versions;
insert into generation_model_rates (model, effective_from, meter, price)
  select name, now() + effective_in, 'image', price from versions;
create view pg_temp.price_book with (security_invoker = true) as
  select m.name, m.effective_from, m.enabled, r.price::bigint from generation_models as m
  join generation_model_rates as r on r.model = m.name and r.effective_from = m.effective_from;
grant select on pg_temp.price_book to public;
create function pg_temp.prices(p_role text, p_name text) returns bigint[] language plpgsql as $$
declare
  prices bigint[];
begin
  perform set_config('role', p_role, true);
  select coalesce(array_agg(price order by effective_from), '{}') into prices from price_book
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
  'select name, price from price_book',
  $$select name, (quote_generation(name, '{"prompt": "a"}')).cost
    from unnest(array['dearer', 'ended', 'returned', 'ends-tomorrow', 'standard-image', 'gpt-image-1']) as name
    where (quote_generation(name, '{"prompt": "a"}')).status = 200$$,
  'what a user reads is what a quote answers');
reset role;
select ok(not has_schema_privilege('anon', 'credits', 'usage'), 'what the policy asks cannot be called by name');

select * from finish();
rollback;
