begin;
select plan(9);

-- As psql runs a dump of the data of another installation.
set local session_replication_role = replica;
insert into credits.secrets values ('mailbox', sha256('another installation'));
insert into credit_settings (sign_up_credits) values (7);
insert into credit_plans (name, rate_limit_requests) values ('default', 99);
insert into generation_model_rates (model, effective_from, meter, price)
  values ('standard-image', '2026-01-01', 'image', 400);
insert into generation_models (name, effective_from, provider, provider_model)
  values ('standard-image', '2026-01-01', 'placeholder', 'placeholder');
insert into generation_model_rates (model, effective_from, meter, price)
  values ('gpt-image-1', '2026-01-01', 'output_token', 5), ('gpt-image-1', '2026-01-01', 'input_token', 1);
insert into credit_scheduled_tasks (name, schedule, command, max_age, description)
  select name, '1 1 * * *', command, max_age, description from credit_scheduled_tasks;
set local session_replication_role = origin;

select results_eq('select secret from credits.secrets', array[sha256('another installation')],
  'the secret is the restored one, so mailboxes are known again');
select results_eq('select sign_up_credits from credit_settings', array[7::bigint], 'settings are the restored ones');
select results_eq($$select rate_limit_requests from credit_plans where name = 'default'$$, array[99], 'plans too');
select results_eq($$select count(*) from generation_models where name = 'standard-image'$$, array[1::bigint],
  'a price version is there once');
select results_eq($$select price from generation_model_rates where model = 'standard-image'$$, array[400::numeric],
  'at the restored price');
select set_eq($$select meter from generation_model_rates where model = 'gpt-image-1'$$,
  array['output_token', 'input_token'], 'and a restored version has its own meters alone');
select results_eq('select distinct schedule from credit_scheduled_tasks', array['1 1 * * *'], 'and so is each task');
select throws_ok($$insert into credit_plans (name, rate_limit_requests) values ('default', 1)$$, '23505', null,
  'outside of a restore a row replaces none');
select set_eq($$select t.tgrelid::regclass::text from pg_trigger as t
  where t.tgname = 'restored_row_wins' and t.tgenabled = 'R'
  and t.tgrelid not in ('reconciliation_runs'::regclass, 'credit_task_runs'::regclass)$$,
  array['credits.installation', 'credits.secrets', 'credits.file_sweep', 'credit_alert_rules', 'credit_anomaly_rules',
    'credit_plans', 'credit_settings', 'reconciliation_classes', 'generation_models',
    'generation_model_rates', 'credit_scheduled_tasks'],
  'so it is with every table that the migrations fill');

select * from finish();
rollback;
