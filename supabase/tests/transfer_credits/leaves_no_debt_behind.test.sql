begin;
select plan(6);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300);
create function pg_temp.transfer(p_ref text) returns bigint language sql as $$
  select from_balance
    from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
      100, p_ref) $$;
select is(pg_temp.transfer('before'), 200::bigint, 'who owes nothing may give');
select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), null, 'chargeback');
select throws_ok($$select pg_temp.transfer('after')$$, 'PT402', 'the account owes 300 credits of a revoked grant',
  'who owes credits of a revoked grant may not');
select is(pg_temp.transfer('before'), 0::bigint, 'but is answered for what was done before');
select is((select to_balance
  from transfer_credits('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000a1', 100, 'back')),
  0::bigint, 'they may be given credits, which pay the debt');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 400);
select is((select debt from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 0::bigint,
  'once that is paid');
select is(pg_temp.transfer('after'), 100::bigint, 'they may give again');

select * from finish();
rollback;
