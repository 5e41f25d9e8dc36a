begin;
select plan(10);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 400);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1500);
create temp table jobs as select n, (atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a cat"}')).job_id from generate_series(1, 2) as n;
grant select on jobs to authenticated;
select settle_generation(job_id, '{"outputs": []}') from jobs;
create function pg_temp.fix(p_class text, p_subject text) returns text language sql as $$
  select concat_ws(' ', code, balance, details ->> 'credits')
  from operator_fix_discrepancy(p_class, p_subject, 'as the runbook says', gen_random_uuid()::text) $$;
create function pg_temp.job(p_n integer) returns text language sql as $$
  select job_id::text from jobs where n = p_n $$;
-- By hand.
update generation_jobs set refunded = 300 where id = (select job_id from jobs where n = 1);
update generation_jobs set refunded = 500 where id = (select job_id from jobs where n = 2);
select set_eq('select invariant, job_id::text from reconciliation_discrepancies',
  $$select 'job', pg_temp.job(n) from generate_series(1, 2) as n$$, 'two jobs have credits less in the ledger');
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.fix('job', pg_temp.job(1)), 'done 800 300', 'correct_job books what is missing');
select is(pg_temp.fix('job', pg_temp.job(1)), 'unchanged 800 0', 'once');
select is(pg_temp.fix('job', pg_temp.job(2)), 'waiting_for_approval 800 500', 'within the limit');
select throws_ok($$select pg_temp.fix('chain', pg_temp.job(1))$$, '22023',
  'no function fixes this class of discrepancy', 'what no function fixes is for a DBA');
select throws_ok($$select pg_temp.fix('no such class', 'x')$$, '22023', null, 'as is what is no class');
select throws_ok($$select pg_temp.fix('reversal_differs', 'stripe:cs:1')$$, 'PT404', null,
  'a payment that is not there');
select throws_ok($$select pg_temp.fix('job', 'x')$$, '22P02', null, 'a job''s subject is its id');
reset role;
select set_eq('select fix from credits.operator_fixes() except select proname from pg_proc', '{}'::text[],
  'each fix is a function');
select is_empty('select invariant from credits.operator_fixes() except select invariant from reconciliation_classes',
  'of a class that there is');

select * from finish();
rollback;
