begin;
select plan(34);

create temp view found as
  select invariant, account_id, job_id, grant_id, seq, expected, actual from reconciliation_discrepancies;
create temp table granted as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select row(discrepancies, balance_total - ledger_total) from reconciliation_summary),
  row(0::bigint, 0::bigint), 'a sound system has none');
savepoint sound;

update credit_accounts set balance = balance + 1, credit_limit = 1, overdraft_used = 0
  where id = '00000000-0000-4000-8000-0000000000a1';
select set_eq('select invariant, expected, actual from found',
  $$values ('balance', 4500::bigint, 4501::bigint), ('grants', 4501, 4500), ('chain', 2, 2)$$,
  'a balance that was touched');
rollback to sound;

update credit_grants set remaining = remaining - 1 where id = (select grant_id from granted);
select set_eq('select invariant, grant_id, expected, actual from found',
  $$select * from (values ('grants', null::bigint, 4500::bigint, 4499::bigint),
    ('grant', (select grant_id from granted), 4500, 4499)) as v$$,
  'a grant that was touched, and which');
rollback to sound;

alter table credit_grants drop constraint grant_is_sound;
update credit_grants set remaining = 5001 where id = (select grant_id from granted);
select set_has('select invariant, grant_id, expected, actual from found',
  $$select * from (values ('grant bounds', (select grant_id from granted), 5000::bigint, 5001::bigint)) as v$$,
  'a grant beyond its amount');
rollback to sound;

update credit_accounts set credit_limit = 5, overdraft_used = 5 where id = '00000000-0000-4000-8000-0000000000a1';
select set_has('select invariant, expected, actual from found', $$values ('overdraft', 0::bigint, 5::bigint)$$,
  'an overdraft that was touched');
rollback to sound;

alter table credit_accounts drop constraint account_is_sound;
update credit_accounts set balance = -1 where id = '00000000-0000-4000-8000-0000000000a1';
select set_has('select invariant, expected, actual from found', $$values ('credit limit', 0::bigint, -1::bigint)$$,
  'a balance below its limit');
rollback to sound;

update credit_accounts set last_seq = last_seq + 1 where id = '00000000-0000-4000-8000-0000000000a1';
select set_eq('select invariant, seq, expected, actual from found',
  $$values ('sequence', null::bigint, 2::bigint, 3::bigint), ('chain', 3, 3, 2)$$, 'an entry that is missing');
rollback to sound;

update generation_jobs set refunded = 100 where id = (select job_id from job);
select set_eq('select invariant, job_id, expected, actual from found',
  $$values ('job', (select job_id from job), -400::bigint, -500::bigint)$$, 'a refund that was not booked');
rollback to sound;

select from refund_credits((select job_id from job));
alter table credit_grants drop constraint grant_is_sound;
select from credits.entry_append('00000000-0000-4000-8000-0000000000a1', 500, 'refund', (select grant_id from granted),
  (select job_id from job), 'again', null);
select set_has('select invariant, job_id, expected, actual from found',
  $$values ('job', (select job_id from job), 0::bigint, 500::bigint)$$, 'a refund that was booked twice');
rollback to sound;

alter table generation_jobs drop constraint job_is_sound;
update generation_jobs set status = 'failed', ended_at = now() where id = (select job_id from job);
select set_eq('select invariant, job_id, expected, actual from found',
  $$values ('job refund', (select job_id from job), 500::bigint, 0::bigint)$$, 'a failure that was not refunded');
rollback to sound;

alter table generation_jobs drop constraint job_is_sound;
update generation_jobs set status = 'succeeded', actual_cost = cost, ended_at = now()
  where id = (select job_id from job);
select set_eq('select invariant, job_id, expected, actual from found',
  $$values ('job output', (select job_id from job), 1::bigint, 0::bigint)$$, 'a success without an output');
rollback to sound;

alter table credit_grants drop constraint grant_is_sound;
update credit_grants set is_open = false where id = (select grant_id from granted);
select set_eq('select invariant, grant_id, expected, actual from found',
  $$values ('grant open', (select grant_id from granted), 1::bigint, 0::bigint)$$,
  'a grant that is closed with credits in it');
rollback to sound;

create temp table twice as
  select (atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a dog"}',
    p_idempotency_key => k)).job_id from unnest(array['one', 'two']) as k;
update generation_jobs set idempotency_key = 'one' where id in (select job_id from twice);
select set_eq('select invariant, account_id, expected, actual from found',
  $$values ('duplicate job', '00000000-0000-4000-8000-0000000000a1'::uuid, 1::bigint, 2::bigint)$$,
  'two jobs under one idempotency key');
rollback to sound;

drop index credit_grants_external_ref;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1, p_external_ref => 'payment-1');
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 1, p_external_ref => 'payment-2');
update credit_grants set external_ref = 'payment-1' where external_ref = 'payment-2';
update credit_grants as g set seal = credits.grant_seal(g);
select set_eq('select invariant, account_id, expected, actual from found',
  $$values ('duplicate grant', '00000000-0000-4000-8000-0000000000a1'::uuid, 1::bigint, 2::bigint),
    ('duplicate grant', '00000000-0000-4000-8000-0000000000b2', 1, 2)$$, 'two grants for one event outside');
rollback to sound;

update generation_jobs set deadline_at = now() - interval '11 minutes' where id = (select job_id from job);
select set_eq('select invariant, job_id, actual from found',
  $$values ('overdue job', (select job_id from job), 500::bigint)$$, 'a job that nobody ends');
select is((select row(job_id, credits, overdue) from credit_unsettled_jobs),
  (select row(job_id, 500::bigint, true) from job), 'credit_unsettled_jobs shows it');
rollback to sound;

delete from generation_jobs where id = (select job_id from job);
select set_eq('select invariant, job_id, actual from found',
  $$values ('entry without job', (select job_id from job), -500::bigint)$$, 'a charge without its job');
rollback to sound;

select from refund_credits((select job_id from job));
delete from generation_jobs where id = (select job_id from job);
select set_eq('select invariant, job_id, actual from found',
  $$values ('entry without job', (select job_id from job), 0::bigint)$$, 'a charge and its refund without their job');
rollback to sound;

create temp table other as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a dog"}');
alter table credit_ledger disable trigger user;
alter table credit_ledger disable rule credit_ledger_no_update;
update credit_ledger set job_id = (select job_id from job) where job_id = (select job_id from other);
select set_has('select invariant, job_id, actual from found',
  $$values ('job', (select job_id from job), -1000::bigint), ('job', (select job_id from other), 0)$$,
  'two jobs that are wrong and even out');
rollback to sound;

update generation_jobs set cost = cost + 100, refunded = refunded + 100 where id = (select job_id from job);
select set_eq('select invariant, job_id, expected, actual from found',
  $$values ('job cost', (select job_id from job), 500::bigint, 600::bigint)$$,
  'a cost and a refund that were changed together');
rollback to sound;

savepoint terms;
update credit_grants set amount = amount + 1;
select set_eq('select invariant, grant_id from found', $$values ('grant terms', (select grant_id from granted))$$,
  'an amount that was changed');
rollback to terms;
update credit_grants set expires_at = '2099-01-01';
select set_eq('select invariant, grant_id from found',
  $$values ('grant terms', (select grant_id from granted))$$, 'an expiry');
rollback to terms;
update credit_grants set external_ref = 'another';
select set_eq('select invariant, grant_id from found', $$values ('grant terms', (select grant_id from granted))$$,
  'an external_ref');
rollback to terms;
update credit_grants set seal = null;
select set_eq('select invariant, grant_id from found', $$values ('grant terms', (select grant_id from granted))$$,
  'or the seal');
rollback to sound;

update credit_grants set breakage = 7 where id = (select grant_id from granted);
select set_eq('select invariant, grant_id, expected, actual from found',
  $$values ('grant breakage', (select grant_id from granted), 0::bigint, 7::bigint)$$, 'a grant that has not expired');
rollback to sound;

update credit_grants set reversed = 7 where id = (select grant_id from granted);
select set_eq('select invariant, grant_id, expected, actual from found',
  $$values ('grant reversed', (select grant_id from granted), 0::bigint, 7::bigint)$$, 'nor been taken back');
rollback to sound;

select from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from granted), null, 'chargeback');
select is((select count(*) from found), 0::bigint, 'a debt is right');
update credit_accounts set debt = 0;
select set_eq('select invariant, seq, expected, actual from found',
  $$values ('debt', null::bigint, 500::bigint, 0::bigint)$$, 'until somebody forgives it by hand');
alter table credit_debts disable trigger user;
alter table credit_debts disable rule credit_debts_no_update;
update credit_debts set delta = 0, debt_after = 0 where delta > 0;
select set_eq('select invariant, seq, expected, actual from found',
  $$values ('debt', 2::bigint, 0::bigint, 0::bigint)$$, 'in its row, too');
rollback to sound;

select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
  100, 'gift');
update credit_transfers set amount = 90;
select set_eq('select invariant, account_id, expected, actual from found',
  $$values ('transfers', '00000000-0000-4000-8000-0000000000a1'::uuid, 100::bigint, 90::bigint),
    ('transfers', '00000000-0000-4000-8000-0000000000b2', 100, 90)$$, 'a transfer that was changed');
rollback to sound;

select from create_team_account('00000000-0000-4000-8000-0000000000d4', '00000000-0000-4000-8000-0000000000c3');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 1000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a cat"}',
  p_member_id => '00000000-0000-4000-8000-0000000000d4');
select is((select count(*) from found), 0::bigint, 'what a member has spent is right');
update account_members set spent = 0;
select set_eq('select invariant, account_id, expected, actual from found',
  $$values ('member', '00000000-0000-4000-8000-0000000000c3'::uuid, 500::bigint, 0::bigint)$$,
  'until somebody writes it');
rollback to sound;

delete from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';
select set_eq('select invariant, job_id, grant_id, actual from found',
  $$values ('entry without account', null::uuid, null::bigint, 4500::bigint),
    ('job without account', (select job_id from job), null, 500),
    ('grant without account', null, (select grant_id from granted), 4500)$$, 'what is left without an account');
rollback to sound;

select is((select count(*) from found), 0::bigint, 'undamaged again');

select * from finish();
rollback;
