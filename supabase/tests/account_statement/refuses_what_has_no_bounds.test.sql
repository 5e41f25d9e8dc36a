begin;
select plan(6);

select throws_ok($$select from account_statement('00000000-0000-4000-8000-0000000000a1', null, now())$$, '22023', null,
  'no beginning');
select throws_ok($$select from account_statement('00000000-0000-4000-8000-0000000000a1', now(), null)$$, '22023',
  null, 'no end');
select throws_ok($$select from account_statement('00000000-0000-4000-8000-0000000000a1', now(),
  now() - interval '1 day')$$, '22023', null, 'an end before the beginning');
select throws_ok($$select from account_statement(null, now(), now())$$, '22023', null, 'no account');
select throws_ok($$select balance_as_of('00000000-0000-4000-8000-0000000000a1', null)$$, '22023', null,
  'a balance at no time');
set local role authenticated;
select throws_ok($$select balance_as_of('00000000-0000-4000-8000-0000000000a1', null)$$, '22023', null,
  'the same for a user');

select * from finish();
rollback;
