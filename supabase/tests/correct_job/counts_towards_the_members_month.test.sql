begin;
select plan(14);

create temp view classes as select distinct invariant from reconciliation_discrepancies;
select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
create temp table bought as select * from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create function pg_temp.charge() returns uuid language sql as $$
  select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1') $$;
create temp table other as select pg_temp.charge() as id;
create temp table job as select pg_temp.charge() as id;
create function pg_temp.spent() returns bigint language sql as
  $$select spent from account_members where user_id = '00000000-0000-4000-8000-0000000000a1'$$;
create function pg_temp.book(p_delta bigint, p_kind credit_entry_kind) returns void language sql as $$
  select from credits.entry_append('00000000-0000-4000-8000-0000000000c3', p_delta, p_kind,
    (select grant_id from bought), (select id from job), 'by hand', null) $$;
create function pg_temp.correct() returns text language sql as $$select (correct_job(id, 'ticket 9')).code from job$$;
savepoint charged;

update generation_jobs set status = 'failed', refunded = cost, ended_at = now() where id = (select id from job);
select is(row(pg_temp.correct(), pg_temp.spent()), row('corrected'::text, 500::bigint),
  'a refund that is booked now gives the member their cap back');
select is_empty('select * from classes', 'and the books are right');

rollback to charged;
select from refund_credits((select id from job));
savepoint refunded;
select pg_temp.book(-500, 'adjustment');
select is(row(pg_temp.correct(), pg_temp.spent()), row('corrected'::text, 500::bigint),
  'but once, where only its entry was undone');
select is_empty('select * from classes', 'and the books are right');

rollback to refunded;
update generation_jobs set status = 'running', refunded = 0, ended_at = null where id = (select id from job);
select is(row(pg_temp.correct(), pg_temp.spent()), row('corrected'::text, 1000::bigint),
  'a refund that is taken back counts against the cap again');
select is_empty('select * from classes', 'and the books are right');

rollback to charged;
select credits.refund_book(j.account_id, 'refund', j.id, 100, 'by hand', null, true, j.member_id, j.created_at)
  from generation_jobs as j join job using (id);
select is(row(pg_temp.correct(), pg_temp.spent()), row('corrected'::text, 1000::bigint),
  'also one that only its job knows nothing of');
select is_empty('select * from classes', 'and the books are right');

rollback to charged;
select pg_temp.book(-100, 'adjustment');
select is(row(pg_temp.correct(), pg_temp.spent()), row('corrected'::text, 1000::bigint),
  'what was booked by hand, and never counted, does not');
select is_empty('select * from classes', 'and the books are right');

rollback to charged;
select from refund_credits((select id from other), 300);
select credits.refund_book(j.account_id, 'refund', j.id, 100, 'by hand', null, true, j.member_id, j.created_at)
  from generation_jobs as j join job using (id);
update account_members set spent = 200 where user_id = '00000000-0000-4000-8000-0000000000a1';
select is(row(pg_temp.correct(), pg_temp.spent()), row('corrected'::text, 300::bigint), 'no more than the correction');
select set_eq('select * from classes', $$values ('member')$$, 'so that what was written by hand is still found');

rollback to charged;
select pg_temp.book(-100, 'adjustment');
select from remove_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
select is(pg_temp.correct(), 'corrected', 'a job of somebody who has left is corrected as well');
select is_empty('select * from classes', 'and the books are right');

select * from finish();
rollback;
