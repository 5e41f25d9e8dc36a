begin;
select plan(17);

create temp view run as select row(accounts, entries, finished)::text as run from archive_ledger(clock_timestamp());
create temp view places as
  select array[(select count(*) from only credit_ledger), (select count(*) from credit_ledger_archive),
    (select count(*) from credit_ledger)] as places;
create temp table job (name text, id uuid);
create function pg_temp.charge(p_name text) returns void language sql as $$
  insert into job select p_name,
    job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
$$;

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from pg_temp.charge('ended');
select from settle_generation((select id from job where name = 'ended'), '{}');
create temp table early as select clock_timestamp() as at;
select from pg_temp.charge('open');
select from pg_temp.charge('refunded');
select from refund_credits((select id from job where name = 'refunded'));
select is((select run from run), '(0,0,t)', 'what is not verified stays');
select from reconcile_credit_ledger();
select is((select row(accounts, entries, finished)::text from archive_ledger('2020-01-01')), '(0,0,t)',
  'what is younger stays');
select is((select entries from archive_ledger((select at from early))), 2::bigint, 'what is older goes');
select is((select run from run), '(0,0,t)', 'an open job''s charge stays, and all after it');
select is((select places from places), array[3, 2, 5]::bigint[], 'the ledger shows both');
select is(row(n.seq, n.balance, n.hash), row(l.seq, l.balance_after, l.hash), 'the anchor is the last archived entry')
  from credit_ledger_anchors as n join credit_ledger_archive as l using (account_id, seq);

select from settle_generation((select id from job where name = 'open'), '{}');
select is((select run from run), '(1,3,t)', 'it goes once the job has ended, credits that are left or not');
select is((select run from run), '(0,0,t)', 'again: nothing');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10);
select is((select row(sound, checked) from verify_ledger('00000000-0000-4000-8000-0000000000a1')), row(true, 1::bigint),
  'the chain goes on from the archive');
select is((select row(sound, checked) from verify_ledger('00000000-0000-4000-8000-0000000000a1', true)),
  row(true, 6::bigint), 'and is whole from the start');

select grant_credits('00000000-0000-4000-8000-0000000000b2', i) from generate_series(1, 5) as i;
select from reconcile_credit_ledger();
select is((select row(accounts, entries, finished)::text from archive_ledger(clock_timestamp(), 2)), '(1,1,f)',
  'no more than the limit in a call: whole accounts,');
select is((select row(accounts, entries, finished)::text from archive_ledger(clock_timestamp(), 2)), '(1,2,f)',
  'or a part of one');
select is((select row(accounts, entries, finished)::text from archive_ledger(clock_timestamp(), 4)), '(1,3,t)',
  'and the next call goes on');
select is((select row(deep, discrepancies)::text from reconcile_credit_ledger(true)), '(t,0)',
  'a deep check finds nothing amiss');
select throws_ok('select archive_ledger(now() + interval ''1 day'')', '22023');
select throws_ok('select archive_ledger(null)', '22023');
select throws_ok('select archive_ledger(now(), 0)', '22023');

select * from finish();
rollback;
