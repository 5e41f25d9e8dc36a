begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create function pg_temp.fail(p_error jsonb) returns jsonb language sql as $$
  select fail_generation(job_id, p_error)
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
  select error from generation_jobs order by ended_at desc limit 1;
$$;

select is(pg_temp.fail(null), '{"code": "provider_failed"}', 'what no error is told for');
select is(pg_temp.fail('{"code": "quota", "message": "none left", "reason": "quota"}'),
  '{"code": "quota", "message": "none left", "reason": "quota"}', 'what is told is kept');
select is(pg_temp.fail(jsonb_build_object('code', 'quota', 'message', repeat('x', 9000), 'log', repeat('y', 9000))),
  jsonb_build_object('code', 'quota', 'message', repeat('x', 1000)), 'of what has no end, code and beginning');
select is((select count(*) from generation_jobs where status = 'failed' and refunded = cost), 3::bigint,
  'and each is refunded');

select * from finish();
rollback;
