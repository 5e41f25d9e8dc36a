begin;
select plan(10);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
select throws_ok($$select transfer_credits('00000000-0000-4000-8000-0000000000a1', null, 1, 'r')$$, '22023', null,
  'nobody to give to');
select throws_ok($$select transfer_credits(null, '00000000-0000-4000-8000-0000000000a1', 1, 'r')$$, '22023', null,
  'nobody to take from');
select throws_ok($$select transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000a1', 1, 'r')$$, '22023', null, 'one and the same');
select throws_ok(format($$select transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 1, %L)$$, ref), '22023', null,
  coalesce('a reference of ' || length(ref) || ' characters', 'no reference'))
from unnest(array[null, '', repeat('x', 256)]) as ref;
select throws_ok(format($$select transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', %L, 'r')$$, amount), '22023', null,
  coalesce(amount || ' credits', 'no amount'))
from unnest(array[null, 0, -1]) as amount;
select throws_ok($$select transfer_credits('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000b2', 1, 'r', repeat('x', 501))$$, '22023', 'reason must have 0 to 500 characters',
  'too long a reason');

select * from finish();
rollback;
