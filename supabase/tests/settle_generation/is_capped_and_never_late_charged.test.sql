begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table capped as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
create temp table late as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select is((select balance from settle_generation((select job_id from capped), '{}', 9999)), 4000::bigint,
  'more than the charge is capped');
select from fail_generation((select job_id from late));
select is((select row(code, status, balance) from settle_generation((select job_id from late), '{}')),
  row('late'::text, 'failed'::generation_job_status, 4500::bigint), 'a result after the refund is late');
select ok((select late_settled_at is not null and output is null from generation_jobs
  where id = (select job_id from late)), 'recorded, not kept');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
