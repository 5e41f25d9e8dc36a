begin;
select plan(8);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), null, 'chargeback');
select throws_ok('update credit_debts set delta = 0', 'PT405');
select throws_ok('delete from credit_debts', 'PT405');
select throws_ok('truncate credit_debts', 'PT405');
set local session_replication_role = replica;
select throws_ok('delete from credit_debts', 'PT405', null, 'nor as a replica');
set local session_replication_role = origin;

update credit_accounts set user_id = '00000000-0000-4000-8000-0000000000b2';
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000a1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000a1', true);
set local role authenticated;
select is((select count(*) from credit_debts), 0::bigint, 'nobody reads another''s');
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000b2", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000b2', true);
select is((select sum(delta) from credit_debts), 500::numeric, 'everybody their own');
select throws_ok($$insert into credit_debts
  values ('00000000-0000-4000-8000-0000000000a1', 2, -500, 0, null, null, null, 0, null, now(), sha256(''))$$, '42501',
  null, 'and writes nothing');
reset role;
select is((select row(d.seq, d.hash = credits.debt_hash(null, d)) from credit_debts as d), row(1::bigint, true),
  'each row is hashed');

select * from finish();
rollback;
