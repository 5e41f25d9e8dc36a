begin;
select plan(11);

select throws_ok(format($$select grant_credits('00000000-0000-4000-8000-0000000000a1', %L)$$, amount), '22023',
  'amount must be 1 to 1000000000000 credits', coalesce(amount || ' credits', 'no amount'))
from unnest(array[null, 0, -5, 1000000000001]) as amount;
select is((grant_credits('00000000-0000-4000-8000-0000000000a1', 1000000000000)).balance, 1000000000000, 'the most');
select throws_ok(format($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 5, p_kind => %L)$$, kind),
  '22023', 'kind must be grant, purchase, refill or adjustment', coalesce('a ' || kind, 'no kind'))
from unnest(array[null, 'charge']) as kind;
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 5, p_expires_at => now())$$, '22023',
  null, 'what expires at once');
select throws_ok('select grant_credits(null, 5)', '22023', null, 'to nobody');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000a1';
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 5)$$, 'PT403', null,
  'to a closed account');
select is((select count(*) from credit_ledger), 1::bigint, 'none of it is booked');

select * from finish();
rollback;
