begin;
select plan(8);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table jobs as
select o.outcome, c.job_id from unnest(array['canceled', 'swept', 'refunded', 'failed']) as o (outcome),
  atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', o.outcome)) as c;
select from cancel_generation((select job_id from jobs where outcome = 'canceled'));
select from refund_credits((select job_id from jobs where outcome = 'refunded'));
select from fail_generation((select job_id from jobs where outcome = 'failed'));
update generation_jobs set deadline_at = now() where id = (select job_id from jobs where outcome = 'swept');
select is(sweep_overdue_jobs(), 1, 'four ways in which a job ends without a result');
create temp table entries as select count(*) from credit_ledger;
create temp table late as select j.outcome, v.*
  from jobs as j, settle_generation(j.job_id, '{"outputs": ["late"]}', 9999) as v;
select set_eq('select outcome, code, status, refunded, balance from late',
  $$values ('canceled', 'late', 'canceled'::generation_job_status, 500::bigint, 5000::bigint),
    ('swept', 'late', 'expired', 500, 5000), ('refunded', 'late', 'canceled', 500, 5000),
    ('failed', 'late', 'failed', 500, 5000)$$, 'a result that comes after each is late, and charged to nobody');
select is((select count(*) from credit_ledger), (select count from entries), 'nothing is booked');
select is((select count(*) from generation_jobs
  where late_settled_at is not null and output is null and actual_cost is null), 4::bigint,
  'it is known that it came, and not kept');
create temp table times as select id, late_settled_at from generation_jobs;
select is((select array_agg(distinct v.code)
  from jobs as j, settle_generation(j.job_id, '{"outputs": ["again"]}') as v), array['late'],
  'so is the same result again');
select is_empty('select id, late_settled_at from generation_jobs except select * from times',
  'which keeps the time of the first');
select is((select array_agg(distinct v.code) from jobs as j, refund_credits(j.job_id) as v), array['unchanged'],
  'nothing is left to refund');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
