begin;
select plan(11);

-- Jobs of before their ids named the slot: charged by the rule of then.
create temp table rule as
  select pg_get_functiondef('credits.job_ids(uuid, uuid, text, jsonb)'::regprocedure) as definition;
do $do$ begin
  execute (select replace(definition, $$(right(to_hex(65536 + credits.slot(p_account_id)), 4)
      || right(coalesce(id_of_key, overlay(gen_random_uuid()::text placing '8' from 15)), -4))::uuid$$,
    'coalesce(id_of_key, gen_random_uuid()::text)::uuid') from rule);
end $do$;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table earlier as
  select k.key, c.job_id
  from (values ('ended', '{"prompt": "a cat"}'::jsonb), ('open', '{"prompt": "a cat"}'),
      ('erased', '{"prompt": "a cat"}'), (null, '{"prompt": "a cat"}'),
      ('open', '{"prompt": "a cat", "asked_by": "server"}')) as k (key, input),
    atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', k.input, k.key) as c;
do $$ begin execute (select definition from rule); end; $$;
select is((select count(*) from earlier
  where left(job_id::text, 4) = lpad(to_hex(credits.slot('00000000-0000-4000-8000-0000000000a1')), 4, '0')),
  0::bigint, 'five jobs whose ids do not name their slot');
select from settle_generation((select job_id from earlier where key = 'ended'), '{"outputs": []}');
select from settle_generation((select job_id from earlier where key = 'erased'), '{"outputs": []}');
select from erase_job((select job_id from earlier where key = 'erased'));
create temp table before as select balance, last_seq from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';

create temp table answers as
  select k.key, c.status, c.code, c.job_id, c.job
  from (values ('ended'), ('open'), ('erased')) as k (key),
    atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', k.key) as c;
select is((select row(status, code, job_id) from answers where key = 'ended'),
  (select row(200, 'replayed'::text, job_id) from earlier where key = 'ended'),
  'a repeat of an earlier job is replayed');
select is((select job -> 'output' from answers where key = 'ended'), '{"outputs": []}'::jsonb, 'with its output');
select is((select row(status, code) from answers where key = 'open'), row(409, 'request_in_flight'::text),
  'one of an open job waits for it');
select is((select row(status, code) from answers where key = 'erased'), row(422, 'idempotency_key_reused'::text),
  'and the key of an erased job is taken');
select is((select code
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a dog"}', 'open')),
  'idempotency_key_reused', 'as is that of another request');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(balance, last_seq) from before), 'no credit has moved');
select is((select count(*) from generation_jobs), 5::bigint, 'no job is added');

select is((select code from refund_credits((select job_id from earlier where key is null))), 'refunded',
  'earlier jobs are refunded as any other');
select isnt_empty('select from reconcile_credit_ledger(true) where discrepancies = 0', 'and are sound');
select is((select code
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', 'new')),
  'charged', 'a new key is charged');

select * from finish();
rollback;
