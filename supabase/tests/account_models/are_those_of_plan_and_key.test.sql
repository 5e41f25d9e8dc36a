begin;
select plan(5);

select results_eq($$select name, makes, rates -> 'image' from account_models('00000000-0000-4000-8000-0000000000a1')$$,
  $$values ('standard-image', 'image', '{"per": 1, "price": 500}'::jsonb), ('standard-speech', 'speech', null),
    ('standard-text', 'text', null), ('standard-video', 'video', null)$$,
  'the enabled models with their rates');
create temp table made as select * from create_app_key('00000000-0000-4000-8000-0000000000a1', null, 'a',
  array['standard-text', 'gone']);
select set_eq($$select name from account_models('00000000-0000-4000-8000-0000000000a1', (select key_id from made))$$,
  array['standard-text'], 'a key has those that it names');
select is_empty($$select name from account_models('00000000-0000-4000-8000-0000000000b2', (select key_id from made))$$,
  'on its own account');
update credit_plans set allowed_models = '{standard-image}';
select set_eq($$select name from account_models('00000000-0000-4000-8000-0000000000a1')$$, array['standard-image'],
  'a plan has those that it names');
select set_model_price('standard-image', '{"image": 1}', p_settings => '{"enabled": false}');
select is_empty($$select name from account_models('00000000-0000-4000-8000-0000000000a1')$$, 'of those in force');

select * from finish();
rollback;
