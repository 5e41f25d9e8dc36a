begin;
select plan(12);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
select throws_ok(format('select transfer_credits_batch(%L)', batch), '22023', null, coalesce(batch::text, 'null'))
from (values (null::jsonb), ('[]'), ('{}'), ('1'), ('[1]'), ('[null]'), ('[{}]'),
  ('[{"from_account_id": "me", "to_account_id": "you", "amount": 1, "external_ref": "r"}]'),
  ('[{"from_account_id": "00000000-0000-4000-8000-0000000000a1",
    "to_account_id": "00000000-0000-4000-8000-0000000000b2", "amount": 1.5, "external_ref": "r"}]'),
  ('[{"from_account_id": "00000000-0000-4000-8000-0000000000a1",
    "to_account_id": "00000000-0000-4000-8000-0000000000b2", "amount": 1e30, "external_ref": "r"}]'),
  ('[{"from_account_id": "00000000-0000-4000-8000-0000000000a1",
    "to_account_id": "00000000-0000-4000-8000-0000000000b2", "amount": 1}]')
  ) as b (batch);
select throws_ok($$select transfer_credits_batch(jsonb_agg(jsonb_build_object('from_account_id',
  '00000000-0000-4000-8000-0000000000a1',
  'to_account_id', '00000000-0000-4000-8000-0000000000b2', 'amount', 1, 'external_ref', i::text)))
  from generate_series(1, 1001) as i$$,
  '22023', 'a batch is a JSON array of 1 to 1000 transfers', 'more than a thousand');

select * from finish();
rollback;
