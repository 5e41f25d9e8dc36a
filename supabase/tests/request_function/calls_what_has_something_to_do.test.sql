begin;
select plan(19);

-- Stand-ins for Supabase's extensions, which this server has not.
create schema if not exists vault;
create schema if not exists net;
create temp table sent (url text);
create table vault.decrypted_secrets (name text primary key, decrypted_secret text);
create function net.http_post(
  url text, body jsonb default '{}'::jsonb, params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb, timeout_milliseconds integer default 5000)
returns bigint language sql as $$ insert into sent values (url) returning 1::bigint $$;
insert into vault.decrypted_secrets values ('atomic_credits_delivery_secret', 'whsec_c2VjcmV0'),
  ('atomic_credits_functions_url', 'https://ref.example.com/functions/v1');
delete from credit_events;

select is_empty('select * from function_calls_due()', 'where nothing is due, nothing is called');
create function pg_temp.run_all() returns setof text language plpgsql as $$
begin
  delete from sent;
  perform run_task(t) from unnest(array['deliver-events', 'ask-providers', 'delete-objects', 'move-outputs']) as t;
  return query select s.url from sent as s;
end;
$$;
select is_empty('select pg_temp.run_all()', 'the tasks are idle');
select is_empty($$select name from credit_scheduled_tasks as t
  where name in ('deliver-events', 'ask-providers', 'delete-objects', 'move-outputs')
    and not exists (select from credit_task_runs as r where r.task = t.name and r.ok)$$, 'and run');

insert into credit_events (type, payload) values ('alert.fired', '{}');
select results_eq('select * from function_calls_due()', array['deliver-events'], 'events that are due');
select set_eq('select pg_temp.run_all()', array['https://ref.example.com/functions/v1/deliver-events'],
  'are delivered by their function');
delete from credit_events;

select credits.deletions_add('00000000-0000-4000-8000-0000000000a1',
  array['00000000-0000-4000-8000-0000000000a1/uploads/1.png'], 'unused');
select results_eq('select * from function_calls_due()', array['tasks/delete-objects'], 'files that are to be deleted');
select set_eq('select pg_temp.run_all()', array['https://ref.example.com/functions/v1/tasks/delete-objects'],
  'by theirs');
select claim_storage_deletions();
select is_empty('select * from function_calls_due()', 'not while they are being deleted');
delete from credits.storage_deletions;
insert into storage.objects (bucket_id, name) values ('generations', 'a file');
select is_empty('select * from function_calls_due()', 'nor after the bucket was looked at');
update credits.file_sweep set swept_at = now() - interval '5 minutes';
select results_eq('select * from function_calls_due()', array['tasks/delete-objects'], 'minutes later it is again');
select claim_storage_deletions();
select is_empty('select * from function_calls_due()', 'which was all there was to do');
delete from storage.objects where name = 'a file';
update credits.file_sweep set swept_at = now() - interval '5 minutes';
select is_empty('select * from function_calls_due()', 'an empty bucket is not looked at');

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a"}');
update generation_jobs set status = 'succeeded', actual_cost = cost, ended_at = now(),
  output = '{"outputs": [{"data": "AA=="}]}';
select find_outputs_to_move();
select results_eq('select * from function_calls_due()', array['tasks/move-outputs'], 'outputs to move');
select set_eq('select pg_temp.run_all()', array['https://ref.example.com/functions/v1/tasks/move-outputs'],
  'by theirs');
select claim_outputs_to_move();
select is_empty('select * from function_calls_due()', 'not while they are being moved');

select throws_ok($$select request_function('generate')$$, '22023', null, 'no other function is called');
select throws_ok('select request_function(null)', '22023', null, 'nor none');
set local role service_role;
select is(request_function('deliver-events'), false, 'the service may ask, too');
reset role;
select is_empty('select url from sent where url ~ ''generate''', 'and nothing else was called');

select * from finish();
rollback;
