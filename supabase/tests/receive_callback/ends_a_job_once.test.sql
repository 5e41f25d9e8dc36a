begin;
select plan(11);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table jobs as
select o.name, c.job_id from unnest(array['marked', 'unmarked', 'failing', 'swept']) as o (name),
  atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', o.name)) as c;
create function pg_temp.call_back(p_name text, p_outcome text) returns text language sql as $$
  select concat_ws(' ', v.code, v.status) from jobs as j,
    receive_callback(j.job_id, 'placeholder', 'at-the-provider-' || j.name, p_outcome,
      '{"code": "provider_failed"}') as v where j.name = p_name;
$$;
create function pg_temp.settle(p_name text) returns text language sql as $$
  select v.code from jobs as j, settle_generation(j.job_id, '{"outputs": []}') as v where j.name = p_name;
$$;

select from start_generation((select job_id from jobs where name = 'marked'), 'at-the-provider-marked');
select is(array[pg_temp.call_back('marked', 'running'), pg_temp.call_back('marked', 'succeeded'),
  pg_temp.settle('marked')],
  array['running running', 'running running', 'settled'], 'a job that runs there is open until its output is here');
select is(array[pg_temp.call_back('marked', 'succeeded'), pg_temp.call_back('marked', 'running'),
  pg_temp.call_back('marked', 'failed')],
  array['unchanged succeeded', 'unchanged succeeded', 'unchanged succeeded'],
  'repeated, or out of order, nothing changes');
select is(pg_temp.call_back('unmarked', 'succeeded'), 'running running',
  'a callback may come before the note that the job was submitted');
select is((select row(status, provider_job_id, started_at is not null) from generation_jobs
  where id = (select job_id from jobs where name = 'unmarked')),
  row('running'::generation_job_status, 'at-the-provider-unmarked'::text, true), 'and stands for it');
select is((select code
  from start_generation((select job_id from jobs where name = 'unmarked'), 'at-the-provider-unmarked')), 'unchanged',
  'which then changes nothing');
select is(array[pg_temp.call_back('failing', 'failed'), pg_temp.call_back('failing', 'failed'),
  pg_temp.call_back('failing', 'succeeded')],
  array['failed failed', 'unchanged failed', 'late failed'], 'a failure refunds once, and a result after it is late');
select is((select array_agg(delta order by seq) from credit_ledger
  where job_id = (select job_id from jobs where name = 'failing')), array[-500, 500]::bigint[],
  'one charge, one refund');
update generation_jobs set deadline_at = now() where id = (select job_id from jobs where name = 'swept');
select from sweep_overdue_jobs();
select is(array[pg_temp.call_back('swept', 'running'), pg_temp.call_back('swept', 'failed'),
  pg_temp.call_back('swept', 'succeeded')],
  array['unchanged expired', 'unchanged expired', 'late expired'], 'after the deadline nothing moves');
select is((select row(late_settled_at is not null, output is null, provider_job_id is null, refunded)
  from generation_jobs where id = (select job_id from jobs where name = 'swept')),
  row(true, true, true, 500::bigint), 'it is known that a result came');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 4000::bigint,
  'two jobs are charged, two are refunded');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
