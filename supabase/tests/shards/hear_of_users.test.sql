begin;
select plan(47);
set local client_min_messages = error;

-- This database plays both: the router, where users are, and the shard that holds every account.
create temp table ids as select n, md5('person ' || n)::uuid as id from generate_series(1, 9) as n;
create function pg_temp.person(p_n integer) returns uuid language sql as $$ select id from ids where n = p_n $$;
create temp view waiting as
  select h.kind, i.n, h.amount, h.code, count(*) as calls
  from credits.handovers as h join ids as i on i.id = h.person_id group by h.kind, i.n, h.amount, h.code;
create function pg_temp.deliver(p_n integer) returns bigint language plpgsql as $$
declare
  call credits.handovers;
  calls bigint := 0;
begin
  perform credits.cease_shard();
  for call in select * from credits.handovers where person_id = pg_temp.person(p_n) order by id loop
    case call.kind
      when 'join' then perform person_joins(call.person_id, call.amount, call.code);
      when 'leave' then perform person_leaves(call.person_id);
      else perform erase_account(call.person_id);
    end case;
    calls := calls + 1;
  end loop;
  return calls;
end; $$;
update credit_settings set sign_up_credits = 50;

insert into auth.users (id, email, email_confirmed_at) select id, 'one@example.com', now() from ids where n = 1;
select is((select balance from credit_accounts where id = pg_temp.person(1)), 50::bigint,
  'on one database the sign-up grant is made at once');
delete from auth.users where id = pg_temp.person(1);
select is((select closed_at is not null from credit_accounts where id = pg_temp.person(1)), true, 'so is the closing');
select is_empty('select from credits.handovers', 'and nothing is handed over');
select throws_ok($$select credits.become_router('router')$$, '55000', null, 'a router has no account');

-- The accounts of a router are foreign; here they are only set aside.
alter table credit_accounts disable trigger account_opened;
create function pg_temp.route() returns void language sql as $$
  select credits.shard_note('router', '{}') $$;
select lives_ok('select pg_temp.route()', 'a router');
select results_eq($$select check_name, ok from credits.check_shard()$$,
  $$values ('the router holds no account', false)$$,
  'verify says so where it has some');

-- A sign-up.
insert into auth.users (id, email, email_confirmed_at) select id, 'two@example.com', now() from ids where n = 2;
select is_empty($$select from credit_accounts where id = pg_temp.person(2)$$, 'a sign-up opens no account there');
select results_eq('select * from waiting', $$values ('join', 2, 50::bigint, null::text, 1::bigint)$$,
  'but waits for the account''s shard, with its grant');
select is((select slot_group from credits.handovers), credits.slot_group(pg_temp.person(2)), 'by its slot group');
insert into auth.users (id, email, email_confirmed_at) select id, 'Two+x@example.com', now() from ids where n = 3;
select results_eq('select * from waiting where n = 3',
  $$values ('join', 3, null::bigint, 'sign_up_granted_before', 1::bigint)$$, 'a mailbox gets it once');
insert into auth.users (id, email) select id, 'four@example.com' from ids where n = 4;
select results_eq('select * from waiting where n = 4', $$values ('join', 4, null::bigint, null::text, 1::bigint)$$,
  'an address that is not confirmed gets an account alone');
update auth.users set email_confirmed_at = now() where id = pg_temp.person(4);
select results_eq('select amount, calls from waiting where n = 4', $$values (50::bigint, 1::bigint)$$,
  'once it is confirmed, the grant');
update credit_settings set sign_up_grants_per_hour = 2;
insert into auth.users (id, email, email_confirmed_at) select id, 'five@example.com', now() from ids where n = 5;
select results_eq('select * from waiting where n = 5',
  $$values ('join', 5, null::bigint, 'sign_up_grants_exhausted', 1::bigint)$$, 'beyond the hour''s limit they wait');
update credits.handovers set added_in = '3';
update credit_settings set sign_up_grants_per_hour = null;
select is(grant_due_sign_ups(), 1, 'for the task');
select set_eq('select amount, code from waiting where n = 5',
  $$values (null::bigint, 'sign_up_grants_exhausted'), (50, null)$$, 'which hands the grant over, too');

-- Delivery.
select is(pg_temp.deliver(2), 1::bigint, 'the shard hears of a sign-up');
select is((select row(user_id, balance) from credit_accounts where id = pg_temp.person(2)),
  row(pg_temp.person(2), 50::bigint), 'opens the account, with the credits');
select is(pg_temp.deliver(2), 1::bigint, 'hears of it again');
select is((select balance from credit_accounts where id = pg_temp.person(2)), 50::bigint, 'and has done it once');
select is(pg_temp.deliver(3) + pg_temp.deliver(3), 2::bigint, 'also of one without a grant');
select results_eq($$select status, code from credit_request_events where account_id = pg_temp.person(3)$$,
  $$values (403, 'sign_up_granted_before')$$, 'and has the reason on record, once');
select is((select balance from credit_accounts where id = pg_temp.person(3)), 0::bigint, 'with an empty account');
select is(pg_temp.deliver(5), 2::bigint, 'and of one that waited');
select is((select balance from credit_accounts where id = pg_temp.person(5)), 50::bigint, 'with its credits');
select throws_ok($$select person_joins(null)$$, '22023', null, 'nobody cannot join');
select throws_ok($$select person_joins(pg_temp.person(2), p_code => 'x')$$, '22023', null, 'nor for any reason');

-- Deletion and return.
select from create_team_account(pg_temp.person(5), pg_temp.person(9));
select from set_account_member(pg_temp.person(9), pg_temp.person(2), 'member');
delete from credits.handovers;
select pg_temp.route();
delete from auth.users where id = pg_temp.person(2);
select results_eq('select * from waiting', $$values ('leave', 2, null::bigint, null::text, 16::bigint)$$,
  'a deletion waits for the shards of all slot groups');
select isnt((select user_id from credit_accounts where id = pg_temp.person(2)), null, 'and closes nothing there');
select is(pg_temp.deliver(2), 16::bigint, 'the shards hear of it');
select is((select row(user_id, closed_at is not null) from credit_accounts where id = pg_temp.person(2)),
  row(null::uuid, true), 'close the account');
select is_empty($$select from account_members where user_id = pg_temp.person(2)$$, 'and end memberships');
delete from credits.handovers;
select pg_temp.route();
insert into auth.users (id, email, email_confirmed_at) select id, 'two@example.com', now() from ids where n = 2;
select is(pg_temp.deliver(2), 1::bigint, 'the shard hears of a return');
select is((select row(user_id, closed_at, balance) from credit_accounts where id = pg_temp.person(2)),
  row(pg_temp.person(2), null::timestamptz, 50::bigint), 'and opens the account again, without a second grant');

-- One after the other, until they are delivered.
delete from credits.handovers;
select credits.shard_note('s', '{0,1,2,3,4,5,6,7,8,9,10,11,12,13}');
select credits.handover_add('erase', pg_temp.person(8)), credits.handover_add('leave', pg_temp.person(8));
select set_eq($$select kind, slot_group from credits.handovers_due()$$, $$values ('erase', 14), ('erase', 15)$$,
  'a person''s calls are due in their order, for other shards');
select is_empty('select from credits.handovers_due()', 'and not again at once');
select credits.handover_failed(id, 'no answer') from credits.handovers where kind = 'erase';
update credits.handovers set next_try_at = now() - interval '1 second';
select set_eq($$select attempts, last_error, next_try_at > clock_timestamp() + interval '25 s'
  from credits.handovers_due()$$,
  $$values (2, 'no answer', true)$$, 'a call that failed is due again, later each time');
select is(credits.handover_delivered(array(select id from credits.handovers where kind = 'erase')), 2,
  'a delivered one is deleted');
select set_eq($$select kind, slot_group from credits.handovers_due()$$, $$values ('leave', 14), ('leave', 15)$$,
  'then the next is due');

select credits.handover_add('erase', pg_temp.person(7));
update credits.handovers set next_try_at = now() - interval '1 second';
select set_eq('select person_id from credits.handovers_due(2)', 'select pg_temp.person(7)',
  'what has failed holds up nobody');
delete from credits.handovers where person_id = pg_temp.person(7);

-- What a shard refuses for ever.
create temp table refused_person as
  select md5('refused ' || n)::uuid as person_id from generate_series(1, 1000) as n
  where credits.slot_group(md5('refused ' || n)::uuid) = 15 limit 1;
create temp view refused as select * from credits.handovers where kind = 'join';
select credits.handover_add('join', person_id, 5), credits.handover_add('erase', person_id) from refused_person;
create temp view erasures as select * from credits.handovers_due()
  where kind = 'erase' and person_id in (select person_id from refused_person)
    and slot_group = credits.slot_group(person_id);
update credits.handovers set next_try_at = now() - interval '1 second';
select is_empty('select from erasures', 'a join that waits holds an erasure back');
select credits.handover_failed(id, 'no answer') from refused;
update credits.handovers set next_try_at = now() - interval '1 second', attempts = 9;
select is_empty('select from erasures', 'however often its shard does not answer');
select credits.handover_failed(id, 'no', true), credits.handover_failed(id, 'no', true),
  credits.handover_failed(id, 'no', true) from refused;
select is((select refusals from refused), 3, 'a shard that answers with an error has refused it');
update credits.handovers set next_try_at = now() - interval '1 second';
select isnt_empty('select from erasures', 'after three of them the erasure goes on');
select is_empty('select from refused', 'and the join is forgotten: it would bring the person back');
delete from credits.handovers where person_id in (select person_id from refused_person);

update credits.handovers set requested_at = now() - interval '20 minutes';
delete from credit_alerts;
select evaluate_alerts();
select is((select count(*) from credit_alerts where rule = 'handovers_waiting' and value >= 1200), 1::bigint,
  'calls that wait for long are an alert');
select is((select value from operational_metrics() where metric = 'atomic_credits_handovers_waiting'), 2::numeric,
  'metrics count them');
select cmp_ok((select value from operational_metrics() where metric = 'atomic_credits_handover_age_seconds'), '>=',
  1200::numeric, 'and tell how old they are');

select * from finish();
rollback;
