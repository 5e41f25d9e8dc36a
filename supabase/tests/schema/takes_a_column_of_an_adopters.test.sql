begin;
select plan(33);

-- An adopter adds a column to every table, and all goes on: no function names columns by their place.
do $$
declare
  adopted record;
begin
  for adopted in
    select c.oid::regclass as name from pg_class as c
    where c.relnamespace in ('public'::regnamespace, 'credits'::regnamespace) and c.relkind in ('r', 'p')
      and not c.relispartition
      and not exists (select from pg_inherits as i where i.inhrelid = c.oid)
      and not exists (select from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  loop
    execute format('alter table %s add column adopters_note text', adopted.name);
  end loop;
end;
$$;

insert into credit_plans (name, monthly_credits, roll_over, max_concurrent_jobs) values ('monthly', 100, 'all', 50);
create temp table jobs (name text, id uuid);
create function pg_temp.account(p_letter text) returns uuid language sql as
  $$select format('00000000-0000-4000-8000-0000000000%s', p_letter)::uuid$$;
create function pg_temp.charge(p_name text) returns integer language sql as $$
  with verdict as (select *
    from atomic_charge_credits(pg_temp.account('a1'), 'standard-image', '{"prompt": "a cat"}', p_name)),
  kept as (insert into jobs select p_name, job_id from verdict where status = 201)
  select status from verdict;
$$;
create function pg_temp.job(p_name text) returns uuid language sql as $$select id from jobs where name = p_name$$;

select is((select count(*) from information_schema.columns
  where column_name = 'adopters_note' and table_name = 'generation_jobs'), 1::bigint,
  'the tables have one more column');
select is((select p.plan from set_account_plan(pg_temp.account('a1'), 'monthly') as p), 'monthly',
  'an account changes its plan');
select is((select balance
  from grant_credits(pg_temp.account('a1'), 20000, 'pack', 'purchase', p_external_ref => 'pi_1')),
  20000::bigint, 'a grant');
select is((select replayed
  from grant_credits(pg_temp.account('a1'), 20000, 'pack', 'purchase', p_external_ref => 'pi_1')), true,
  'and its repetition');

select is(pg_temp.charge('settled'), 201, 'a charge, for which the plan''s credits are booked');
select is(pg_temp.charge('failed'), 201, 'a second one');
select is(pg_temp.charge('refunded'), 201, 'a third');
select is(pg_temp.charge('canceled'), 201, 'a fourth');
select is(pg_temp.charge('swept'), 201, 'a fifth');
select is((select code from settle_generation(pg_temp.job('settled'), '{}', 200)), 'settled',
  'a settlement that gives back what was not used');
select is((select code from fail_generation(pg_temp.job('failed'))), 'failed', 'a failure');
select is((select code from refund_credits(pg_temp.job('settled'), 100, 'sorry')), 'refunded', 'a refund of a part');
select is((select code from refund_credits(pg_temp.job('refunded'))), 'refunded', 'a refund of all');
select is((select code from cancel_generation(pg_temp.job('canceled'))), 'canceled', 'a cancel');
update generation_jobs set deadline_at = now() where id = pg_temp.job('swept');
select is(sweep_overdue_jobs(), 1, 'a sweep');
select is((select code
  from atomic_charge_credits(pg_temp.account('a1'), 'standard-image', '{"prompt": "a cat"}', 'failed')), 'replayed',
  'a repeated request');
select is((select code from atomic_charge_credits(pg_temp.account('a1'), 'no-such-model', '{}')),
  'invalid_model', 'a denial');
select results_eq($$select status from atomic_charge_credits_batch(pg_temp.account('a1'),
  '[{"model": "standard-image", "input": {"prompt": "a"}}, {"model": "standard-image", "input": {"prompt": "b"}}]')$$,
  array[201, 201], 'a batch');
select is((select cost from quote_generation('standard-image', '{"prompt": "a"}')), 500::bigint, 'a quote');

select from grant_credits(pg_temp.account('a1'), 300, 'promotion', p_expires_at => now() + interval '1 day');
update credit_grants set expires_at = now() - interval '1 second' where reason = 'promotion';
update credit_grants as g set seal = credits.grant_seal(g) where reason = 'promotion';
-- Not expire_grants and refill_plans: where these raise, those go one by one.
select is(cardinality(credits.grants_expire(array[pg_temp.account('a1')],
  array(select id from credit_grants where reason = 'promotion'))), 1, 'an expiry');
insert into credit_accounts (id, plan, created_at) values (pg_temp.account('b2'), 'monthly', '2026-01-01');
select is(cardinality(credits.accounts_refill(array[pg_temp.account('b2')],
  date_trunc('month', now() at time zone 'utc')::date, now())), 1, 'a refill');
select is((select to_balance from transfer_credits(pg_temp.account('a1'), pg_temp.account('b2'), 50, 'gift')),
  150::bigint, 'a transfer');
select is((select count(*) from transfer_credits_batch(jsonb_build_array(jsonb_build_object(
  'from_account_id', pg_temp.account('a1'), 'to_account_id', pg_temp.account('b2'), 'amount', 1,
  'external_ref', 'many')))),
  1::bigint, 'a batch of transfers');
select is((select withdrawn from withdraw_credits(pg_temp.account('a1'), 10, p_external_ref => 'out')), 10::bigint,
  'a withdrawal');
select is((select debt > 0
  from reverse_grant(pg_temp.account('a1'), (select id from credit_grants where external_ref = 'pi_1'), null,
    'chargeback')), true,
  'a reversal, and the debt that it leaves');

select from create_team_account(pg_temp.account('c3'), pg_temp.account('d4'));
select is((select monthly_cap from set_account_member(pg_temp.account('d4'), pg_temp.account('b2'), 'member', 600)),
  600::bigint, 'a member');
select from grant_credits(pg_temp.account('d4'), 1000);
select is((select status
  from atomic_charge_credits(pg_temp.account('d4'), 'standard-image', '{"prompt": "a cat"}',
    p_member_id => pg_temp.account('b2'))), 201,
  'a member''s charge');

select is((select discrepancies from reconcile_credit_ledger()), 0::bigint, 'a reconciliation finds the books right');
select is((select discrepancies from reconcile_credit_ledger(true)), 0::bigint, 'and so does a deep one');
select is((select sound from verify_ledger(pg_temp.account('a1'), true)), true, 'and the chain sound');
select is((select entries > 0 from archive_ledger(clock_timestamp())), true, 'history is archived');
select is((select discrepancies from reconcile_credit_ledger(true)), 0::bigint, 'and the books are right after that');
select lives_ok($$select erase_account(pg_temp.account('b2')); select apply_retention();
  select evaluate_alerts(); select record_anomalies();
  select from operational_metrics()$$, 'erasure, retention, alerts, anomalies and metrics go on too');

select * from finish();
rollback;
