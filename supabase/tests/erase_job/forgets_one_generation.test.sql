begin;
select plan(13);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create function pg_temp.ask(p_key text) returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    '{"prompt": "a secret", "asked_by": "server"}', p_key)
$$;
create temp table done as select * from pg_temp.ask('done');
create temp table other as select * from pg_temp.ask('other');
create temp table failed as select * from pg_temp.ask('failed');
grant select on done, failed to service_role;
select throws_ok(format('select erase_job(%L)', (select job_id from done)), 'PT409', null,
  'a job that runs still needs its prompt');
select from settle_generation((select job_id from done), '{"outputs": ["a picture"]}');
select from settle_generation((select job_id from other), '{"outputs": ["a picture"]}');
select from fail_generation((select job_id from failed),
  '{"code": "provider_failed", "message": "a secret is no prompt"}');

set local role service_role;
select is(erase_job((select job_id from done)), true, 'once it has ended it can be forgotten');
select is(erase_job((select job_id from done)), false, 'once');
select is(erase_job((select job_id from failed)), true, 'a failed one too');
reset role;
select is((select row(input, output, idempotency_key, erased_at is not null) from generation_jobs
  where id = (select job_id from done)),
  row('{"asked_by": "server"}'::jsonb, '{}'::jsonb, null::text, true), 'prompt, input, output and key are gone');
select is((select row(error, output) from generation_jobs where id = (select job_id from failed)),
  row('{"code": "provider_failed"}'::jsonb, null::jsonb), 'and what an error may quote');
select is_empty($$select j from generation_jobs as j
  where erased_at is not null and (to_jsonb(j)::text ~ 'secret|picture')$$,
  'nowhere in the row is anything left of it');
select is((select row(cost, refunded, status, model) from generation_jobs where id = (select job_id from done)),
  row(500::bigint, 0::bigint, 'succeeded'::generation_job_status, 'standard-image'::text),
  'what it cost and how it ended stays');
select is((select input ->> 'prompt' from generation_jobs where id = (select job_id from other)), 'a secret',
  'no other job is touched');
select is((select code from pg_temp.ask('done')), 'idempotency_key_reused', 'its key stays spent');
select is((select row(sound, checked) from verify_ledger('00000000-0000-4000-8000-0000000000a1', true)),
  row(true, 5::bigint), 'the chain is sound');
select is((select discrepancies from reconciliation_summary), 0::bigint, 'and so are the books');
select throws_ok('select erase_job(gen_random_uuid())', 'PT404', null, 'an unknown job is told');

select * from finish();
rollback;
