begin;
select plan(8);

create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
insert into credit_operators (user_id, role, max_per_action) values
  ('00000000-0000-4000-8000-0000000000e1', 'finance', 80);
create temp table given as select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 100, 'pack', 'purchase');
grant select on given to authenticated;
select from withdraw_credits('00000000-0000-4000-8000-0000000000a1', 70);
create function pg_temp.take(p_target bigint) returns text language sql as $$
  select concat_ws(' ', code, balance, details ->> 'credits', details -> 'after' ->> 'debt',
    details -> 'after' ->> 'reversed')
  from operator_reverse_grant('00000000-0000-4000-8000-0000000000a1', (select grant_id from given), p_target,
    'the bank took it back', gen_random_uuid()::text) $$;
set local role authenticated;
select pg_temp.sign_in('e1');
select is(pg_temp.take(50), 'done 0 -50 20 50', 'what is there is taken, the rest is owed');
select is(pg_temp.take(50), 'unchanged 0 0 20 50', 'once');
select is(pg_temp.take(null), 'done 0 -50 70 100', 'then the whole of it');
select is(pg_temp.take(10), 'waiting_for_approval 0 90', 'giving back counts as taking does');
select is(pg_temp.take(40), 'done 0 60 10 40', 'and is done within the limit');
select throws_ok($$select pg_temp.take(101)$$, '22023', null, 'more than the grant is refused');
select throws_ok($$select operator_reverse_grant('00000000-0000-4000-8000-0000000000a1', 0, 1,
  'the bank took it back', 'key')$$, 'PT404', null, 'so is a grant that is not there');
reset role;
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
