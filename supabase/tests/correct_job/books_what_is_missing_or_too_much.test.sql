begin;
select plan(16);

create temp table job as
  select c.* from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200,
    p_expires_at => now() + interval '1 day') as g,
    lateral (select * from atomic_charge_credits(g.account_id, 'standard-image', '{"prompt": "a cat"}')) as c;
create temp view classes as select distinct invariant from reconciliation_discrepancies;
create temp view account as select * from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1';
savepoint sound;

update generation_jobs set status = 'failed', refunded = cost, ended_at = now() where id = (select job_id from job);
select results_eq('select invariant from classes', $$values ('job')$$, 'a refund was not booked');
select is(row(v.code, v.balance), row('corrected'::text, 1200::bigint), 'it is booked')
  from correct_job((select job_id from job), 'ticket 7') as v;
select is_empty('select * from classes', 'and the books are sound');
select is(row(kind, delta, reason), row('refund'::credit_entry_kind, 500::bigint, 'ticket 7'::text),
  'the entry says why')
from credit_ledger where account_id = (select account_id from job) order by seq desc limit 1;
select is(row(v.code, v.balance), row('unchanged'::text, 1200::bigint), 'once')
  from correct_job((select job_id from job), 'again') as v;
rollback to sound;

select from refund_credits((select job_id from job));
alter table credit_grants drop constraint grant_is_sound;
select from credits.entry_append((select account_id from job), 500, 'refund', (select min(grant_id) from credit_ledger),
  (select job_id from job), 'again', null);
select set_has('select invariant from classes', $$values ('job')$$, 'a refund was booked twice');
savepoint surplus;
select is(row(v.code, v.balance), row('corrected'::text, 1200::bigint), 'one is taken back')
  from correct_job((select job_id from job), 'ticket 8') as v;
select is_empty('select * from classes', 'and the books are sound');
rollback to surplus;

select from atomic_charge_credits((select account_id from job), 'standard-image', '{"prompt": "a cat", "n": 3}');
select throws_ok(format('select correct_job(%L, %L)', (select job_id from job), 'ticket 8'), 'PT402', null,
  'where the credits are spent, somebody must decide');
savepoint spent;
update credit_plans set monthly_credits = 300;
select lives_ok(format('select correct_job(%L, %L)', (select job_id from job), 'ticket 8'),
  'unless this month''s are still to be booked');
select is_empty('select * from classes', 'which pay it');
rollback to spent;
select from grant_credits((select account_id from job), 300, 'goodwill, ticket 8', 'adjustment');
select lives_ok(format('select correct_job(%L, %L)', (select job_id from job), 'ticket 8'), 'and when they have');
select is_empty('select * from classes', 'the books are sound');

select throws_ok($$select correct_job(gen_random_uuid(), 'none')$$, 'PT404');
select throws_ok(format('select correct_job(%L, null)', (select job_id from job)), '22023');
select is(has_function_privilege('authenticated', 'correct_job(uuid, text)', 'execute'), false, 'no user may');

select * from finish();
rollback;
