begin;
select plan(5);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table before as select balance, last_seq from credit_accounts
  where id = '00000000-0000-4000-8000-0000000000a1';
create temp table verdict as
  select v.* from unnest(array['', repeat('k', 256)]) as key,
    atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}', key) as v;

select results_eq('select status, code from verdict', $$values (400, 'invalid_request'), (400, 'invalid_request')$$,
  'both are refused');
select is((select array_agg(distinct errors -> 0 ->> 'field') from verdict), array['idempotency_key'],
  'naming the field');
select is((select row(balance, last_seq) from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'),
  (select row(balance, last_seq) from before), 'no credit has moved');
select is((select count(*) from credit_request_events
  where account_id = '00000000-0000-4000-8000-0000000000a1' and status = 400 and code = 'invalid_request'), 2::bigint,
  'each denial is recorded');
select is((select status
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    repeat('k', 255))), 201, 'the longest is taken');

select * from finish();
rollback;
