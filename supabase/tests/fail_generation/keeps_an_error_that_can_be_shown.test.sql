begin;
select plan(12);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
update credit_plans set rate_limit_requests = 100, max_concurrent_jobs = 100;
create function pg_temp.kept(p_error jsonb) returns jsonb language sql as $$
  with charge as materialized (
    select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
      '{"prompt": "a cat"}')),
  failed as materialized (select f.job_id from charge cross join fail_generation(job_id, p_error) as f)
  select error from failed cross join credits.job_lock(failed.job_id);
$$;

select is(pg_temp.kept('{"code": "provider_failed", "message": "It broke.", "reason": "quota", "attempt": 2}'),
  '{"code": "provider_failed", "message": "It broke.", "reason": "quota", "attempt": 2}',
  'an error in form stays as it is');
select is(pg_temp.kept(null), '{"code": "provider_failed"}', 'none is a failure of the provider');
select is(pg_temp.kept('null'), '{"code": "provider_failed"}', 'also as JSON');
select is(pg_temp.kept('{"reason": "quota"}'), '{"code": "provider_failed", "reason": "quota"}',
  'a code is added where there is none');
select is(pg_temp.kept('{"code": "", "message": null, "detail": {"line": null}}'),
  '{"code": "provider_failed", "detail": {}}', 'nulls and an empty code are none');
select is(pg_temp.kept('{"code": 5, "message": 7, "reason": true}'), '{"code": "5", "message": "7", "reason": "true"}',
  'what is shown is text');
select is(pg_temp.kept('{"code": ["x"], "message": {"en": "It broke."}}'),
  '{"code": "[\"x\"]", "message": "{\"en\": \"It broke.\"}"}', 'in any form');
select is(pg_temp.kept('"It broke."'), '{"code": "provider_failed", "message": "It broke."}', 'a text is the message');
select is(pg_temp.kept('[]'), '{"code": "provider_failed"}', 'a list says nothing');
select is(pg_temp.kept(jsonb_build_object('code', 'provider_failed', 'stack', repeat('m', 9000))),
  '{"code": "provider_failed"}', 'beyond 8 KiB code, message and reason stay');
select is(pg_temp.kept(jsonb_build_object('code', repeat('c', 9000), 'message', repeat('m', 9000), 'reason',
  repeat('r', 9000))),
  jsonb_build_object('code', repeat('c', 100), 'message', repeat('m', 1000), 'reason', repeat('r', 100)), 'each cut');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 10000::bigint,
  'and each was refunded');

select * from finish();
rollback;
