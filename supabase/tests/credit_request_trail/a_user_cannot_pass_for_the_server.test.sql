begin;
select plan(2);

select from set_model_price('gratis', '{"image": 0}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
create temp table single as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'gratis',
  '{"prompt": "a", "asked_by": "server"}', p_member_id => '00000000-0000-4000-8000-0000000000a1');
select is((select input from generation_jobs where id = (select job_id from single)) ? 'asked_by', false,
  'the mark of a server is not a user''s to set');
create temp table batch as select b.job_id from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "gratis", "input": {"prompt": "b", "asked_by": "server"},
    "member_id": "00000000-0000-4000-8000-0000000000a1"}]') as b;
select is((select input from generation_jobs where id = (select job_id from batch)) ? 'asked_by', false,
  'nor in a batch');

select * from finish();
rollback;
