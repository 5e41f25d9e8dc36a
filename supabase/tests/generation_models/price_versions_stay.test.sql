begin;
select plan(6);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from set_model_price('unused', '{"image": 1}', p_settings => '{"provider": "none", "provider_model": "none"}');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
grant select on job to service_role;
set local role service_role;
select throws_ok($$delete from generation_models where name = 'standard-image'$$, 'PT409',
  'jobs were charged by this price', 'what a job was charged by cannot be deleted');
select lives_ok($$update generation_models set enabled = false where name = 'standard-image'$$,
  'but no longer be sold');
select lives_ok($$delete from generation_models where name = 'unused'$$, 'what nothing was charged by can');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select throws_ok($$delete from generation_models where name = 'standard-image'$$, 'PT409', null,
  'an open job of a closed account is still to be settled by it');
select is((select code
  from settle_generation((select job_id from job), '{"outputs": []}', p_actual_usage => '{"n": 1}')),
  'settled', 'as it is');
select lives_ok($$delete from generation_models where name = 'standard-image'$$,
  'then it can be deleted: only closed accounts were charged by it');

select * from finish();
rollback;
