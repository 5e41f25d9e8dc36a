begin;
select plan(8);

create temp table bought as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200, 'pack', 'purchase', now() + interval '1 day');
create temp table job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table other as select *
  from grant_credits('00000000-0000-4000-8000-0000000000a1', 600, 'other pack', 'purchase', now() + interval '1 day',
    p_priority => 50::smallint);
create temp table other_job as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
update credit_grants set expires_at = now();
update credit_grants as g set seal = credits.grant_seal(g);
select is(expire_grants(), 2, 'two packs have expired');
select from fail_generation((select job_id from job));
select from fail_generation((select job_id from other_job));
delete from credit_events;
create temp view account as select balance, debt from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';
select is((select row(balance, debt) from account), row(1000::bigint, 0::bigint),
  'what was spent of each comes back in a new grant');
select is((select balance
  from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), null, 'chargeback')),
  500::bigint, 'a chargeback takes what came back of its pack');
select is((select row(balance, debt) from account), row(500::bigint, 0::bigint),
  'so that nothing of it is owed or spent');
select is((select sum(remaining) from credit_grants
  where kind = 'refund' and reason like format('%%%s,%%', (select grant_id from other))), 500::numeric,
  'and leaves what came back of the other');
select is((select row(balance, replayed)
  from reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from bought), null, 'chargeback')),
  row(500::bigint, true), 'once');
select is((select payload ->> 'balance' from credit_events where type = 'balance.low'), '500',
  'and the low balance is announced as it is at the end');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
