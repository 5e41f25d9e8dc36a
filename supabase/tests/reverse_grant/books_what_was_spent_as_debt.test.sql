begin;
select plan(10);

create temp table bought as
  select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200, 'pack', 'purchase');
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp view revoke as
  select * from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought),
    null, 'chargeback');
create temp view account as
  select balance, debt from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';

select is((select row(balance, replayed) from revoke), row(0::bigint, false), 'what remains is taken');
select is((select debt from account), 500::bigint, 'what was spent is a debt');
select is((select row(balance, replayed) from revoke), row(0::bigint, true), 'once');
select is((select balance from grant_credits('00000000-0000-4000-8000-0000000000a1', 300)), 0::bigint,
  'the next credits pay it');
select is((select debt from account), 200::bigint, 'in part');
select is((select balance from refund_credits((select job_id from job))), 300::bigint,
  'so does a refund of what was spent');
select is((select debt from account), 0::bigint, 'until nothing is owed');
select throws_ok($$select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought),
  null, repeat('x', 501))$$, '22023', 'reason must have 0 to 500 characters', 'too long a reason');
select throws_ok($$select from reverse_grant('00000000-0000-4000-8000-0000000000a1', 0, null, 'none')$$, 'PT404');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
