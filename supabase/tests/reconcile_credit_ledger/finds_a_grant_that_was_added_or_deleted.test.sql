begin;
select plan(9);

create temp view found as
  select invariant, grant_id, expected, actual from reconciliation_discrepancies;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, p_external_ref => 'payment-1');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, p_external_ref => 'payment-2');
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create function pg_temp.id(p_ref text) returns bigint language sql
  as $$ select id from credit_grants where external_ref = p_ref $$;
create temp table used_up as select pg_temp.id('payment-1') as id;
select is_empty('select * from found', 'the books are right');
savepoint sound;

-- With its external_ref, payment-3 would count as granted.
insert into credit_grants (account_id, kind, amount, external_ref)
  values ('00000000-0000-4000-8000-0000000000a1', 'purchase', 1000, 'payment-3');
select set_eq('select * from found',
  $$values ('grant without entry', pg_temp.id('payment-3'), 0::bigint, 1000::bigint)$$,
  'a grant that was never granted');
update credit_grants set repaid = amount where external_ref = 'payment-3';
select set_eq('select invariant from found', $$values ('grant repaid'), ('grant without entry')$$,
  'nor has it repaid an overdraft');
rollback to sound;

-- Without it, payment-1 could be granted again.
delete from credit_grants where external_ref = 'payment-1';
select set_eq('select * from found',
  $$values ('entry without grant', (select id from used_up), 0::bigint, 0::bigint)$$,
  'a used-up grant that was deleted');
select is((select discrepancies from reconcile_credit_ledger(true)), 1::bigint, 'is found by the deep check');
rollback to sound;
delete from credit_grants where external_ref = 'payment-2';
select set_has('select invariant from found', $$values ('entry without grant'), ('grants')$$,
  'and so is one with credits in it');
rollback to sound;

-- A grant that fills an overdraft has no entry of its own.
update credit_accounts set credit_limit = 1000;
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a dog"}');
create temp table overdrawn as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a hen"}');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, p_expires_at => now() + interval '1 day',
  p_external_ref => 'payment-4');
select is_empty('select * from found', 'one that only repaid an overdraft is right');
update credit_grants set expires_at = now() - interval '1 second' where external_ref = 'payment-4';
update credit_grants as g set seal = credits.grant_seal(g) where external_ref = 'payment-4';
select is((select refunded from fail_generation((select job_id from overdrawn))), 500::bigint, 'its credits come back');
select is_empty('select * from found', 'also where they come back into its grace period');

select * from finish();
rollback;
