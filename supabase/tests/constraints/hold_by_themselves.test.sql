begin;
select plan(17);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select throws_ok($$update credit_accounts set balance = -1 where id = '00000000-0000-4000-8000-0000000000a1'$$,
  '23514');
select throws_ok($$update credit_accounts set overdraft_used = 1 where id = '00000000-0000-4000-8000-0000000000a1'$$,
  '23514');
select throws_ok($$update credit_grants set remaining = -1 where account_id = '00000000-0000-4000-8000-0000000000a1'$$,
  '23514');
select throws_ok($$update credit_grants set remaining = amount + 1
  where account_id = '00000000-0000-4000-8000-0000000000a1'$$, '23514');
select throws_ok($$update credit_grants set is_open = false where account_id = '00000000-0000-4000-8000-0000000000a1'$$,
  '23514');
select throws_ok($$update generation_jobs set refunded = cost + 1
  where account_id = '00000000-0000-4000-8000-0000000000a1'$$, '23514');
select throws_ok($$update credit_accounts set credit_limit = 1000000000001
  where id = '00000000-0000-4000-8000-0000000000a1'$$, '23514', null, 'an overdraft has a bound');
select throws_ok($$insert into credit_ledger select account_id, seq, delta, balance_after, kind, grant_id, job_id,
  reason, metadata, created_at, hash from credit_ledger
  where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 1$$, '23505', null,
  'a sequence number counts once');
select throws_ok($$insert into credit_ledger
  values ('00000000-0000-4000-8000-0000000000a1', 99, 0, 0, 'grant', null, null, null, null, now(), sha256(''))$$,
  '23514', null, 'a delta is never 0');
select throws_ok($$insert into credit_ledger
  values ('00000000-0000-4000-8000-0000000000a1', 99, null, 0, 'grant', null, null, null, null, now(), sha256(''))$$,
  '23502', null, 'nor null');
insert into payments (key, provider, livemode, kind, created_at)
  values ('stripe:cs:1', 'stripe', true, 'pack', now());
select throws_ok($$update payments set credits = 1$$, '23514', null, 'what is not booked has no credits');
select throws_ok($$update payments set state = 'booked'$$, '23514', null, 'what is not paid is not booked');
select throws_ok($$update payments set status = 'paid', state = 'waiting'$$, '23514', null, 'what waits has a cause');
select throws_ok($$update payments set status = 'paid', state = 'booked', credits = 5, reversed_credits = 6$$, '23514',
  null, 'no more is taken back than was granted');
select throws_ok($$update payments set kind = 'plan'$$, '23514', null, 'a payment''s key names its kind');
select throws_ok($$insert into payments (key, provider, livemode, kind, created_at)
  values ('stripe:cs:1', 'stripe', true, 'pack', now())$$, '23505', null, 'one payment, one row');
select throws_ok($$insert into credit_settings default values$$, '23505', null, 'there is one row of settings');

select * from finish();
rollback;
