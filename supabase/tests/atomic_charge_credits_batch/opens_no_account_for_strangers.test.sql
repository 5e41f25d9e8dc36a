begin;
select plan(4);

create temp table batch as
  select '[{"model": "standard-image", "input": {"prompt": "a"}, "member_id": "00000000-0000-4000-8000-0000000000b2"},
    {"model": "standard-image", "input": {"prompt": "b"},
      "member_id": "00000000-0000-4000-8000-0000000000b3"}]'::jsonb as requests;
select results_eq($$select status, code, balance
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', (select requests from batch))$$,
  $$values (403, 'not_a_member', null::bigint)$$, 'the first denial ends a batch of all or nothing');
select results_eq($$select code
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', (select requests from batch), false)$$,
  $$values ('not_a_member'), ('not_a_member')$$, 'each is denied by itself');
select is_empty($$select from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'$$,
  'no account was opened for them');
select is((select array_agg(account_id order by account_id) from credit_request_events where status = 403),
  array['00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000b2',
    '00000000-0000-4000-8000-0000000000b3']::uuid[], 'each denial is on record, as of the user who asked');

select * from finish();
rollback;
