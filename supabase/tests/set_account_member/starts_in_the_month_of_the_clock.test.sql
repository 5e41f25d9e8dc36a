begin;
select plan(5);

select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create function pg_temp.join_team() returns text language sql as $$
  select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1',
    'member', 800);
  select row(spent, spent_month)::text from account_members where user_id = '00000000-0000-4000-8000-0000000000a1' $$;
create function pg_temp.charge() returns text language sql as $$
  select code from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1') $$;
create temp view month as select date_trunc('month', now() at time zone 'utc')::date as this,
  (date_trunc('month', now() at time zone 'utc') + interval '1 month')::date as next;
select is(pg_temp.join_team(), (select row(0, this)::text from month), 'a member begins in this month');
select is(pg_temp.charge(), 'charged', 'and spends in it');
select from remove_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1');
savepoint removed;
select is(pg_temp.join_team(), (select row(500, this)::text from month), 'who comes back has spent what they spent');
rollback to removed;

-- The month ends while the call waits for the account's lock: the transaction's time is before, the clock beyond.
create or replace function credits.spending_month(p_spent_month date) returns date
  language sql set search_path = '', pg_temp as
  $$select greatest(p_spent_month, (date_trunc('month', now() at time zone 'utc') + interval '1 month')::date)$$;
select is(pg_temp.join_team(), (select row(0, next)::text from month),
  'a call that waits beyond the month''s end begins the member in the new one');
select is((select spent
  from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000a1')), 0::bigint,
  'with nothing spent');

select * from finish();
rollback;
