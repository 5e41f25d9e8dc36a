begin;
select plan(2);

select from set_model_price('one', '{"image": 10}', p_settings => '{"provider": "none", "provider_model": "none"}');
update generation_models set created_at = now() - interval '1 day' where name = 'one';
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'one', '{"prompt": "a"}');

select throws_ok($$update generation_models set created_at = now() where name = 'one'$$, 'PT409',
  'jobs were charged by this price', 'a version that jobs were charged by does not become a new one');
select throws_ok($$insert into generation_model_rates (model, effective_from, meter, price)
  select name, effective_from, 'request', 7777 from generation_models where name = 'one'$$, 'PT409', null,
  'so that no meter is added to it');

select * from finish();
rollback;
