begin;
select plan(2);

select throws_ok($$select from atomic_charge_credits(null, 'standard-image', '{}')$$, '22023', null, 'no account');
select throws_ok($$select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{}',
  p_request_id => repeat('x', 129))$$, '22023', 'request_id must have 0 to 128 characters', 'too long a request id');

select * from finish();
rollback;
