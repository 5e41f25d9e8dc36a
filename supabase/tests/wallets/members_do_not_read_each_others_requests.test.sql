begin;
select plan(5);

select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2', 'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a"}', 'key',
  'request', '00000000-0000-4000-8000-0000000000a1');
set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000b2", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000b2', true);
select throws_ok(format('select %I from generation_jobs', c), '42501', null, c || ' is not shown')
from unnest(array['idempotency_key', 'request_hash', 'request_id', 'provider_job_id']) as c;
select is((select row(account_id, member_id, status, model, cost, refunded, input, output, error,
  deadline_at is not null) from generation_jobs),
  row('00000000-0000-4000-8000-0000000000c3'::uuid, '00000000-0000-4000-8000-0000000000a1'::uuid,
    'pending'::generation_job_status, 'standard-image'::text, 500::bigint, 0::bigint,
    (select input from generation_jobs), null::jsonb, null::jsonb, true), 'the job is');

select * from finish();
rollback;
