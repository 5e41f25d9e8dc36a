begin;
select plan(2);

select is((select code
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}')),
  'insufficient_credits', 'an unknown account has nothing');
select is((select row(user_id, balance) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  row('00000000-0000-4000-8000-0000000000a1'::uuid, 0::bigint), 'and exists from then on');

select * from finish();
rollback;
