begin;
select plan(11);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 700, p_priority => 1::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 600, p_priority => 2::smallint);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 900, p_priority => 3::smallint);
create temp table each as select row_number() over () as place, v.*
  from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', '[
  {"model": "standard-image", "input": {"prompt": "a"}, "idempotency_key": "k", "request_id": "r1"},
  {"model": "standard-image", "input": {"prompt": "a"}, "idempotency_key": "k", "request_id": "r2"},
  {"model": "none", "input": {"prompt": "a"}},
  {"model": "standard-image", "input": {"prompt": "a"}, "member_id": "00000000-0000-4000-8000-0000000000b2"},
  {"model": "standard-image", "input": {"prompt": "b"}, "idempotency_key": "k"},
  {"model": "standard-image", "input": {"prompt": "c", "n": 2}},
  {"model": "standard-image", "input": {"prompt": "d", "n": 2}},
  {"model": "standard-image", "input": {"prompt": "e"}}]', false) as v;
select results_eq('select status, code, cost, balance from each', $$values
  (201, 'charged', 500::bigint, 1700::bigint), (409, 'request_in_flight', 500, 1700),
  (400, 'invalid_model', null, 1700), (403, 'not_a_member', null, null), (422, 'idempotency_key_reused', null, 1700),
  (201, 'charged', 1000, 700), (402, 'insufficient_credits', null, 700), (201, 'charged', 500, 200)$$,
  'each as if charged alone, on what those before left');
select results_eq($$select delta, balance_after from credit_ledger
  where account_id = '00000000-0000-4000-8000-0000000000a1' and kind = 'charge' order by seq$$,
  $$values (-500::bigint, 1700::bigint), (-200, 1500), (-600, 900), (-200, 700), (-500, 200)$$,
  'grants burn down across the requests of a batch');
select results_eq($$select remaining, is_open from credit_grants
  where account_id = '00000000-0000-4000-8000-0000000000a1' order by priority$$,
  'values (0::bigint, false), (0, false), (200, true)', 'and hold what is left');
select results_eq('select account_id, count(*) from credit_request_events group by 1 order by 1',
  $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 4::bigint), ('00000000-0000-4000-8000-0000000000b2', 1)$$,
  'each denial is recorded, a stranger''s under their own account');
select is((select rate_remaining from each order by rate_remaining limit 1), 5, 'what is new counts towards the limit');
select is((select rate_limit from each where code = 'not_a_member'), null, 'and a stranger''s request does not');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select from settle_generation((select job_id from each where place = 1), '{"outputs": []}');
create temp table undone as select * from atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1', '[
  {"model": "standard-image", "input": {"prompt": "a"}, "idempotency_key": "k", "request_id": "r1"},
  {"model": "standard-image", "input": {"prompt": "d", "n": 2}},
  {"model": "none", "input": {"prompt": "a"}}]');
select results_eq('select status, code, balance from undone', $$values (402, 'insufficient_credits', 200::bigint)$$,
  'the first denial ends all or nothing');
select is((select count(*) from credit_request_events where request_id = 'r1'), 0::bigint,
  'of what came before it nothing is on record');
select is((select rate_remaining from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'none', '{}')), 4,
  'which does not count towards the limit');
select is((select count(*) from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1'), 8::bigint,
  'and books nothing');

select * from finish();
rollback;
