begin;
select plan(3);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table old as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from set_model_price('standard-image', '{"image": 900}', now() + interval '1 hour');
insert into generation_models (name, effective_from, provider, provider_model)
values ('standard-image', now() - interval '1 second', 'placeholder', 'placeholder');
insert into generation_model_rates (model, effective_from, meter, price)
  values ('standard-image', now() - interval '1 second', 'image', 700);
select is((select cost from quote_generation('standard-image', '{"prompt": "a"}')), 700::bigint,
  'the latest version that has begun counts');
select is((select cost from generation_jobs where id = (select job_id from old)), 500::bigint, 'a job keeps its price');
select is((select balance from fail_generation((select job_id from old))), 5000::bigint, 'and is refunded by it');

select * from finish();
rollback;
