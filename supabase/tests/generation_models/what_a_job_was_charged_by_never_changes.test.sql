begin;
select plan(16);

create function pg_temp.price(p_input bigint, p_from timestamptz) returns timestamptz language sql as $$
  select set_model_price('chat', jsonb_build_object('input_token', jsonb_build_object('price', p_input, 'per', 1000),
    'output_token', '{"price": 20, "per": 1000}'::jsonb), p_from, '{"provider": "none", "provider_model": "none"}') $$;
select from pg_temp.price(10, '2026-01-01');
select from pg_temp.price(12, '2099-01-01');
set local role service_role;
select lives_ok($$update generation_model_rates set price = 11
  where model = 'chat' and meter = 'input_token' and effective_from < now()$$,
  'before the first charge a price may be corrected');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as
select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'chat',
  '{"prompt": "a", "input_tokens": 1000, "output_tokens": 1000}');

create function pg_temp.change(p_set text) returns text language sql as
$$ select format('update generation_models set %s where name = ''chat'' and effective_from < now()', p_set) $$;
create function pg_temp.rate(p_set text) returns text language sql as
$$ select format('update generation_model_rates set %s
  where model = ''chat'' and meter = ''input_token'' and effective_from < now()', p_set) $$;
select throws_ok(pg_temp.change(c.change), 'PT409', 'jobs were charged by this price', c.change || ' is refused')
from (values ('overage = ''overdraft'''), ('effective_from = ''2025-01-01'''), ('name = ''talk''')) as c (change);
select throws_ok(pg_temp.rate(c.change), 'PT409', 'jobs were charged by this price', c.change || ' is refused')
from (values ('price = 12'), ('per = 1000000'), ('price = 11')) as c (change);
select throws_ok(pg_temp.rate(c.change), 'PT409', 'the meters of a price version stay', c.change || ' is refused')
from (values ('meter = ''second'''), ('model = ''talk''')) as c (change);
select throws_ok($$delete from generation_model_rates
  where model = 'chat' and meter = 'input_token' and effective_from < now()$$, 'PT409',
  'the meters of a price version stay', 'a meter does not go');
select lives_ok(pg_temp.change('enabled = false, max_n = 9, timeout_seconds = 5'),
  'what no past job depends on may change');
select lives_ok($$update generation_model_rates set price = 99 where model = 'chat' and effective_from > now()$$,
  'and the version to come');
select is((select refunded
  from settle_generation((select job_id from job), '{"text": "b"}', p_actual_usage => '{"input_tokens": 500}')),
  5::bigint,
  'the job is settled by the price that it was charged by');
select from fail_generation((select job_id
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')));
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select throws_ok($$update generation_model_rates set price = 1 where model = 'standard-image'$$, 'PT409',
  'jobs were charged by this price',
  'also where every job has ended and its account is closed');
select throws_ok($$insert into generation_models select * from generation_models
  where name = 'chat' and effective_from < now()
  on conflict (name, effective_from) do update set overage = 'overdraft'$$, 'PT409', null, 'by an upsert neither');
select throws_ok($$insert into generation_model_rates select * from generation_model_rates
  where model = 'chat' and effective_from < now()
  on conflict (model, effective_from, meter) do update set price = 1$$, 'PT409', null, 'nor by one of rates');

select * from finish();
rollback;
