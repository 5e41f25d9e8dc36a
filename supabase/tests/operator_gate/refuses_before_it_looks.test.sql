begin;
select plan(4);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance'), ('00000000-0000-4000-8000-0000000000e2', 'support');
prepare fix as select operator_fix_discrepancy('job', 'no id of a job', 'as the runbook says', 'key-1');
set local role authenticated;
select pg_temp.sign_in('a1');
select throws_ok('fix', '42501', 'this user is not an operator', 'the answer is the same for any argument');
select pg_temp.sign_in('e2');
select throws_ok('fix', '42501', 'fix_discrepancy needs the role finance, and this operator''s is support',
  'as for a role that is too low');
select pg_temp.sign_in('e1', 'aal1');
select throws_ok('fix', 'PT403', 'a second factor is needed', 'and without a second factor');
select pg_temp.sign_in('e1');
select throws_ok('fix', '22P02', null, 'who may call it learns what is wrong');

select * from finish();
rollback;
