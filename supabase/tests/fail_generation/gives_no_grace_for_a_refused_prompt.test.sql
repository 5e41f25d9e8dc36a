begin;
select plan(6);

-- A user can have any number of prompts refused: that must not keep credits alive.
update credit_plans set rate_limit_requests = 100;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 2000, 'promotion',
  p_expires_at => now() + interval '1 day');
create temp table jobs as
select i, c.job_id as id from generate_series(1, 4) as i,
  atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', i::text)) as c;
select is((select balance from fail_generation((select id from jobs where i = 1),
  '{"code": "provider_failed", "reason": "content_policy"}')), 500::bigint, 'before the expiry all of it comes back');
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
select is((select row(status, refunded, balance) from fail_generation((select id from jobs where i = 2),
  '{"code": "provider_failed", "reason": "content_policy", "message": "The provider refused the prompt."}')),
  row('failed'::generation_job_status, 500::bigint, 500::bigint), 'after it nothing that could be spent');
select is((select row(refunded, balance) from fail_generation((select id from jobs where i = 3),
  '{"code": "content_policy"}')), row(500::bigint, 500::bigint), 'also where the code says so');
select is((select count(*) from credit_grants where grace_ends_at is not null), 0::bigint, 'no grace period has begun');
select is((select balance from fail_generation((select id from jobs where i = 4), '{"code": "provider_timeout"}')),
  1000::bigint, 'a failure that is not the user''s gives one');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
