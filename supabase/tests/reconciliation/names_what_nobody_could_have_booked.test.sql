begin;
select plan(8);

select grant_credits('00000000-0000-4000-8000-0000000000a1', i) from generate_series(1, 3) as i;
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000b2', 'standard-image', '{"prompt": "a cat"}',
    p_idempotency_key => 'k');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 5000);
insert into job select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000b2', 'standard-image', '{"prompt": "a cat"}');
create temp view broken as select account_id, seq, problem from credit_ledger_chain_breaks;
create temp view found as select invariant, account_id from reconciliation_discrepancies;
alter table credit_ledger disable rule credit_ledger_no_update;
alter table credit_ledger disable trigger user;
savepoint sound;

update credit_ledger set created_at = 'infinity' where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 2;
select set_eq('select * from broken', $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 2::bigint, 'hash')$$,
  'a time without end');
rollback to sound;

update credit_ledger set delta = 9223372036854775807 where account_id = '00000000-0000-4000-8000-0000000000a1';
select set_eq('select * from broken', $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 1::bigint, 'hash')$$,
  'amounts beyond what a sum can hold');
select set_has('select * from found', $$values ('balance', '00000000-0000-4000-8000-0000000000a1'::uuid)$$,
  'and their sum');
select ok(ledger_total = 9223372036854775807, 'the summary goes on') from reconciliation_summary;
select ok(discrepancies > 0, 'so does a run') from reconcile_credit_ledger();
rollback to sound;

insert into credit_ledger select account_id, -9223372036854775808, delta, balance_after, kind, grant_id, job_id, reason,
  metadata, created_at, hash from credit_ledger where seq = 1 and account_id = '00000000-0000-4000-8000-0000000000a1';
select set_eq('select * from broken', $$values ('00000000-0000-4000-8000-0000000000a1'::uuid, 1::bigint, 'gap')$$,
  'a number that no entry has');
rollback to sound;

alter table generation_jobs drop constraint job_is_sound;
update generation_jobs set cost = -9223372036854775808, refunded = 9223372036854775807;
select set_eq('select * from found',
  $$values ('job', '00000000-0000-4000-8000-0000000000b2'::uuid),
    ('job refund', '00000000-0000-4000-8000-0000000000b2'), ('job cost', '00000000-0000-4000-8000-0000000000b2')$$,
  'a cost that is none');
rollback to sound;

alter table credit_accounts drop constraint account_is_sound;
update credit_accounts set credit_limit = -9223372036854775808;
select set_has('select * from found', $$values ('credit limit', '00000000-0000-4000-8000-0000000000a1'::uuid)$$,
  'a limit that is none');

select * from finish();
rollback;
