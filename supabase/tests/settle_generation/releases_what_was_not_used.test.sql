begin;
select plan(14);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500, 'pack', 'purchase', '2099-01-01');
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create function pg_temp.entries(p_job_id uuid) returns table (kind credit_entry_kind, delta bigint) language sql as
  $$select kind, delta from credit_ledger where job_id = p_job_id order by seq$$;
create temp view today as select recognised, reserved from credit_revenue_daily order by day desc limit 1;

-- Half is used, and later refunded.
create temp table job as select pg_temp.charge() as id;
select from settle_generation((select id from job), '{}', 200);
select results_eq('select * from pg_temp.entries((select id from job))',
  $$values ('charge'::credit_entry_kind, -500::bigint), ('release', 300)$$, 'what a job did not use is released');
select is((select sum(amount) filter (where book = 'revenue') from credit_journal), -200::numeric,
  'a release takes the hold out of the book that it stands in');
select is((select row(recognised, reserved) from today), row(200::bigint, 0::bigint), 'so revenue is what was used');
select from refund_credits((select id from job), null, 'sorry');
select results_eq('select * from pg_temp.entries((select id from job)) offset 2',
  $$values ('refund'::credit_entry_kind, 200::bigint)$$, 'what it did use is refunded');
select is((select row(cost, refunded) from generation_jobs where id = (select id from job)),
  row(500::bigint, 500::bigint), 'the job tells what came back in all');
select results_eq($$select kind, credits
    from account_statement('00000000-0000-4000-8000-0000000000a1', '-infinity', 'infinity') where line = 'sum'$$,
  $$values ('purchase'::credit_entry_kind, 500::bigint), ('charge', -500), ('release', 300), ('refund', 200)$$,
  'a statement tells them apart');

-- As charged, or refunded in parts before: nothing is left to release.
create temp table used as select pg_temp.charge() as id;
select from refund_credits((select id from used), 100, 'a part');
select from settle_generation((select id from used), '{}', 400);
select results_eq('select * from pg_temp.entries((select id from used)) offset 1',
  $$values ('refund'::credit_entry_kind, 100::bigint)$$, 'what was refunded before is not released again');
select from refund_credits((select id from used));

-- The pack expires while the job runs.
create temp table late as select pg_temp.charge() as id;
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
select from settle_generation((select id from late), '{}', 100);
select results_eq('select * from pg_temp.entries((select id from late)) offset 1',
  $$values ('release'::credit_entry_kind, 400::bigint)$$, 'to a grant that has expired it is released, too');
select is((select row(kind, delta) from credit_ledger order by seq desc limit 1),
  row('expiry'::credit_entry_kind, -400::bigint), 'and expires at once');

-- Paid out of the overdraft, which a grant has filled up in part.
update credit_accounts set credit_limit = 1000 where id = '00000000-0000-4000-8000-0000000000a1';
create temp table overdrawn as select pg_temp.charge() as id;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 300, 'filler');
select from settle_generation((select id from overdrawn), '{}', 100);
select results_eq('select * from pg_temp.entries((select id from overdrawn)) offset 1',
  $$values ('release'::credit_entry_kind, 200::bigint), ('release', 200)$$,
  'to the overdraft, and to the grant that filled it');
select is((select row(remaining, repaid) from credit_grants where reason = 'filler'), row(200::bigint, 100::bigint),
  'which has back what it gave');
select results_eq($$select sum(delta) from credit_ledger where job_id is not null group by job_id order by 1$$,
  $$select refunded - cost::numeric from generation_jobs order by 1$$, 'a job''s entries come to what it cost');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');
select is((select discrepancies from reconcile_credit_ledger(true)), 0::bigint, 'deeply, too');

select * from finish();
rollback;
