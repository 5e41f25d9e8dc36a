begin;
select plan(11);

select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2', 'member');
select from unnest(array['00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1']::uuid[]) as id,
  grant_credits(id, 5000);
create function pg_temp.charge(p_member_id uuid, p_prompt text,
  p_account_id uuid default '00000000-0000-4000-8000-0000000000c3') returns credit_charge_result language sql as $$
  select atomic_charge_credits(p_account_id, 'standard-image', jsonb_build_object('prompt', p_prompt), 'key',
    p_member_id => p_member_id) $$;

create temp table owners as select * from pg_temp.charge('00000000-0000-4000-8000-0000000000a1', 'a cat');
create temp table members as select * from pg_temp.charge('00000000-0000-4000-8000-0000000000b2', 'a dog');
select is((select code from owners), 'charged', 'a key of one member');
select is((select code from members), 'charged', 'is none of another''s');
select is((select row(code, job_id) from pg_temp.charge('00000000-0000-4000-8000-0000000000a1', 'a cat')),
  (select row('request_in_flight'::text, job_id) from owners), 'it finds their own job');
select is((select code from pg_temp.charge('00000000-0000-4000-8000-0000000000b2', 'a cat')), 'idempotency_key_reused',
  'and no other, with any request');
select is((select code from pg_temp.charge(null, 'a cow')), 'charged', 'nor is it that of the app itself');
select is((select array_agg(code order by code) from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000c3',
  '[{"model": "standard-image", "input": {"prompt": "a cat"}, "idempotency_key": "key",
    "member_id": "00000000-0000-4000-8000-0000000000a1"},
    {"model": "standard-image", "input": {"prompt": "a dog"}, "idempotency_key": "key",
      "member_id": "00000000-0000-4000-8000-0000000000b2"}]', false)),
  array['request_in_flight', 'request_in_flight'], 'so also in a batch');
select is((select count(distinct code) from unnest(array[null, '00000000-0000-4000-8000-0000000000a1'::uuid]) as m,
  pg_temp.charge(m, 'a cat', '00000000-0000-4000-8000-0000000000a1') as c where m is null or c.code <> 'charged'),
  2::bigint, 'a person''s keys are theirs, with or without their name');
create function pg_temp.serve(p_account_id uuid, p_member_id uuid default null) returns credit_charge_result
  language sql as $$
  select atomic_charge_credits(p_account_id, 'standard-image', '{"prompt": "a sheep", "asked_by": "server"}', 'key',
    p_member_id => p_member_id) $$;
select is((select code from pg_temp.serve('00000000-0000-4000-8000-0000000000a1')), 'charged',
  'the keys of the app''s server are its own, beside the person''s');
select is((select array_agg(code) from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "input": {"prompt": "a sheep", "asked_by": "server"}, "idempotency_key": "key"}]')),
  array['request_in_flight'], 'and find its job');
select is((select code
  from pg_temp.serve('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a1')),
  'idempotency_key_reused', 'which a person''s do not, also with a forged mark');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'no job counts as a double');

select * from finish();
rollback;
