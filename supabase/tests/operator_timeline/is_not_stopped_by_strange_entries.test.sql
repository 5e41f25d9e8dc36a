begin;
select plan(3);

-- An app may put any object into a grant's metadata, also our own words with other values.
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5, p_metadata => '{"operator_action": "me",
  "reversed_grant_id": "x", "withdrawal_ref": "w", "repaid_from_grant_id": [1], "refund_key": {}, "external_ref": 7}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 6, p_metadata => '{"operator_action":
  "00000000-0000-4000-8000-0000000000e1:99999999999999999999", "withdrawal_ref": "w", "external_ref": 7}');
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
set local role authenticated;
select results_eq($$select kind, credits, operator_id
    from operator_timeline('00000000-0000-4000-8000-0000000000a1')$$,
  $$values ('grant', 6::bigint, null::uuid), ('grant', 5, null)$$, 'two grants, and nobody''s name');
select is_empty($$select from operator_timeline('00000000-0000-4000-8000-0000000000d9')$$,
  'an unknown account has no story');
select throws_ok($$select from operator_timeline('00000000-0000-4000-8000-0000000000a1', p_limit => 201)$$, '22023',
  'a page has 1 to 200 rows', 'a page has its limit');

select * from finish();
rollback;
