begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from set_account_plan('00000000-0000-4000-8000-0000000000a1', 'default');
update credit_plans set allowed_models = array[null]::text[];
select is((atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')).code,
  'model_not_in_plan', 'a null in the list allows none');
update credit_plans set allowed_models = array[null, 'standard-image'];
select is((atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')).status,
  201, 'what the list names is allowed');
update credit_plans set allowed_models = null;
select is((atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')).status,
  201, 'no list allows all');

select * from finish();
rollback;
