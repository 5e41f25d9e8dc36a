begin;
select plan(6);

select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2', 'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create function pg_temp.ask(p_request_id text, p_account_id uuid, p_member_id uuid) returns void language sql as $$
  select from atomic_charge_credits(p_account_id, 'no-such-model', '{}', p_request_id => p_request_id,
    p_member_id => p_member_id) $$;
create function pg_temp.booked(p_request_id text) returns record language sql as $$
  select row(account_id, member_id, code) from credit_request_events where request_id = p_request_id $$;

select pg_temp.ask('viewer', '00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2');
select is(pg_temp.booked('viewer'),
  row('00000000-0000-4000-8000-0000000000c3'::uuid, '00000000-0000-4000-8000-0000000000b2'::uuid,
    'not_allowed_to_spend'::text), 'a member by name');
select pg_temp.ask('own', '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000a1');
select is(pg_temp.booked('own'), row('00000000-0000-4000-8000-0000000000a1'::uuid, null::uuid, 'invalid_model'::text),
  'a person''s own request under their account');
select pg_temp.ask('stranger', '00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000e5');
select is(pg_temp.booked('stranger'),
  row('00000000-0000-4000-8000-0000000000e5'::uuid, null::uuid, 'not_a_member'::text),
  'a stranger''s try is their own');
select from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000c3',
  '[{"model": "no-such-model", "input": {}, "request_id": "mixed", "member_id": "00000000-0000-4000-8000-0000000000a1"},
    {"model": "standard-image", "input": {}, "request_id": "mixed-stranger",
      "member_id": "00000000-0000-4000-8000-0000000000e5"}]', false);
select is(pg_temp.booked('mixed'),
  row('00000000-0000-4000-8000-0000000000c3'::uuid, '00000000-0000-4000-8000-0000000000a1'::uuid,
    'invalid_model'::text), 'in a batch, too, a member''s');
select is(pg_temp.booked('mixed-stranger'),
  row('00000000-0000-4000-8000-0000000000e5'::uuid, null::uuid, 'not_a_member'::text), 'and a stranger''s');
select is_empty($$select from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000c3' and code = 'not_a_member'$$,
  'nothing of a stranger''s is booked under the account that they named');

select * from finish();
rollback;
