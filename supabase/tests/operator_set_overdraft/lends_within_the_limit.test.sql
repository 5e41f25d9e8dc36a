begin;
select plan(12);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 600);
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 100);
create function pg_temp.lend(p_limit bigint) returns text language sql as $$
  select concat_ws(' ', code, balance, details ->> 'credits', details -> 'after' ->> 'credit_limit')
  from operator_set_overdraft('00000000-0000-4000-8000-0000000000a1', p_limit, 'the invoice is on its way',
    gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.lend(601), 'waiting_for_approval 100 601', 'beyond the limit it waits');
select is(pg_temp.lend(600), 'done 100 600 600', 'what can be spent more counts');
select is(pg_temp.lend(600), 'unchanged 100 0 600', 'once');
select throws_ok('select pg_temp.lend(-1)', '22023', null, 'an overdraft below 0');
select throws_ok('select pg_temp.lend(1000000000001)', '22023', null, 'or beyond what an account may have');
select throws_ok('select pg_temp.lend(null)', '22023', null, 'or none said');
reset role;
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
set local role authenticated;
select is(pg_temp.lend(0), 'done -400 0 400', 'what is in use stays until it is filled up');
reset role;
select is((select lowered_credit_limit from credit_accounts), 0::bigint, 'and falls then');
set local role authenticated;
select is(pg_temp.lend(300), 'done -400 300 400', 'to leave some of it again counts, although it is in use');
select is(pg_temp.lend(400), 'done -400 100 400', 'as does the rest');
select is(pg_temp.lend(300), 'done -400 0 400', 'less gives nothing');
reset role;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
