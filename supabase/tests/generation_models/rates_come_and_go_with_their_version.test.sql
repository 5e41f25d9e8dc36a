begin;
select plan(14);

-- As if it had been written in an earlier transaction.
create function pg_temp.committed() returns void language sql
  as $$ update generation_models set created_at = now() - interval '1 hour' $$;
select from set_model_price('chat', '{"input_token": 2, "output_token": 3}', '2026-01-01',
  '{"provider": "none", "provider_model": "none"}');
select pg_temp.committed();
set local role service_role;
select throws_ok($$insert into generation_model_rates values ('chat', '2026-01-01', 'request', 5)$$, 'PT409',
  'a rate is written in one transaction with its price version', 'no meter is added to a version');
select throws_ok($$insert into generation_model_rates values ('talk', '2026-01-01', 'request', 5)$$, 'PT409', null,
  'nor to none');
select throws_ok($$delete from generation_model_rates where model = 'chat' and meter = 'output_token'$$, 'PT409', null,
  'nor taken from it, though no job was charged by it');
select lives_ok($$update generation_models set effective_from = '2026-02-01' where name = 'chat'$$,
  'a version that no job was charged by may move');
select results_eq($$select distinct effective_from from generation_model_rates where model = 'chat'$$,
  array['2026-02-01'::timestamptz],
  'and its rates with it');
select lives_ok($$delete from generation_models where name = 'chat'$$, 'or be deleted');
select is_empty($$select from generation_model_rates where model = 'chat'$$, 'and its rates with it');

insert into generation_models (name, provider, provider_model) values ('priceless', 'none', 'none');
select is((select code from quote_generation('priceless', '{"prompt": "a"}')), 'invalid_model',
  'what has no price is not sold');
select throws_ok('set constraints public.price_is_complete immediate', '23514', null,
  'and no transaction ends with such a model');
update generation_models set enabled = false where name = 'priceless';
select lives_ok('set constraints public.price_is_complete immediate', 'unless it is disabled');
set constraints public.price_is_complete deferred;
update generation_models set enabled = true where name = 'priceless';
select throws_ok('set constraints public.price_is_complete immediate', '23514', null,
  'enabling it later is refused the same');
insert into generation_model_rates (model, effective_from, meter, price) values ('priceless', now(), 'request', 0);
select lives_ok('set constraints public.price_is_complete immediate', 'a price of 0 is a price');
reset role;
select is((select cost from quote_generation('priceless', '{"prompt": "a"}')), 0::bigint, 'it is free');
select ok((select count(*) from pg_trigger
  where tgrelid = 'generation_model_rates'::regclass and tgname = 'rate_is_kept' and tgenabled = 'O') = 1,
  'a restore writes rates as they were');

select * from finish();
rollback;
