begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1);
update credit_accounts set credit_limit = 1000 where id = '00000000-0000-4000-8000-0000000000a1';
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 1, repeat('x', 501))$$, '22023',
  'reason must have 0 to 500 characters', 'too long a reason');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 1, p_external_ref => '')$$, '22023',
  'external_ref must have 1 to 255 characters', 'an empty external_ref');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 1, p_metadata => '[1]')$$, '22023',
  null, 'metadata that is no object');
select throws_ok($$select grant_credits('00000000-0000-4000-8000-0000000000a1', 1,
  p_metadata => jsonb_build_object('a', repeat('x', 4000)))$$, '22023', null, 'too much metadata');
select is((grant_credits('00000000-0000-4000-8000-0000000000a1', 100,
  p_metadata => jsonb_build_object('a', repeat('x', 3980)))).balance, -399::bigint,
  'the most, where it fills up an overdraft');

select * from finish();
rollback;
