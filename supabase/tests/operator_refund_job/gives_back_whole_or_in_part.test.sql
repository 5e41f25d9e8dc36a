begin;
select plan(9);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'support', 450);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1000);
create temp table job as select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1',
  'standard-image', '{"prompt": "a cat"}');
grant select on job to authenticated;
select from settle_generation((select job_id from job), '{"outputs": []}');
create function pg_temp.refund(p_credits bigint, p_key text, p_reason text default 'the picture is black')
  returns text language sql as $$ select concat_ws(' ', code, balance, details ->> 'credits')
  from operator_refund_job((select job_id from job), p_credits, p_reason, p_key) $$;
select pg_temp.sign_in('e1');

set local role authenticated;
select is(pg_temp.refund(null, 'key-1'), 'waiting_for_approval 500 500', 'the whole is above the limit');
select is(pg_temp.refund(100, 'key-2'), 'done 600 100', 'a part is not');
select is(pg_temp.refund(100, 'key-2'), 'done 600 100', 'and comes once');
select is(pg_temp.refund(100, 'key-3'), 'unchanged 600 0', 'also by another key: the same part is the same refund');
select is(pg_temp.refund(null, 'key-4', 'all of it is black'), 'done 1000 400', 'then the rest');
select is(pg_temp.refund(null, 'key-5'), 'unchanged 1000 0', 'and no more');
select throws_ok($$select operator_refund_job(gen_random_uuid(), null, 'the picture is black', 'key-6')$$, 'PT404',
  null, 'a job that is not there');
reset role;
select results_eq($$select a.seq, a.account_id, a.subject, l.metadata ->> 'operator_action', a.after ->> 'refunded'
    from operator_actions as a join credit_ledger as l on l.account_id = a.account_id and l.seq = a.first_seq
    order by a.seq$$,
  $$select seq, '00000000-0000-4000-8000-0000000000a1'::uuid, (select job_id::text from job),
      '00000000-0000-4000-8000-0000000000e1:' || seq, refunded
    from (values (1::bigint, '100'), (3, '500')) as v (seq, refunded)$$, 'each refund is in the trail, with its entry');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
