begin;
select plan(12);

insert into generation_models (name, effective_from, provider, provider_model, unit, unit_price, output_unit_price)
values ('chat', '2026-01-01', 'none', 'none', '1k_tokens', 10, 20),
  ('chat', '2099-01-01', 'none', 'none', '1k_tokens', 10, 20);
set local role service_role;
select lives_ok($$update generation_models set unit_price = 11 where name = 'chat'$$,
  'before the first charge a price may be corrected');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'chat',
    '{"prompt": "a", "input_tokens": 1000, "output_tokens": 1000}');

create function pg_temp.change(p_set text) returns text language sql as
$$ select format('update generation_models set %s where name = ''chat'' and effective_from < now()', p_set) $$;
select throws_ok(pg_temp.change(c.change), 'PT409', 'jobs were charged by this price', c.change || ' is refused')
from (values ('unit_price = 12'), ('output_unit_price = 1'), ('unit = ''second'', output_unit_price = null'),
  ('overrun = ''overdraft'''),
  ('effective_from = ''2025-01-01'''), ('name = ''talk''')) as c (change);
select lives_ok(pg_temp.change('enabled = false, max_n = 9, timeout_seconds = 5, unit_price = 11'),
  'what no past job depends on may change');
select lives_ok($$update generation_models set unit_price = 99 where name = 'chat' and effective_from > now()$$,
  'and the version to come');
select is((select refunded
  from settle_generation((select job_id from job), '{"text": "b"}', p_actual_usage => '{"input_tokens": 500}')),
  5::bigint, 'the job is settled by the price that it was charged by');
select from fail_generation((select job_id
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')));
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select throws_ok($$update generation_models set unit_price = 1 where name = 'standard-image'$$, 'PT409', null,
  'also where every job has ended and its account is closed');
select throws_ok($$insert into generation_models select * from generation_models
  where name = 'chat' and effective_from < now() on conflict (name, effective_from) do update set unit_price = 1$$,
  'PT409', null, 'by an upsert neither');

select * from finish();
rollback;
