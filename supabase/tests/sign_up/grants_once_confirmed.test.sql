begin;
select plan(18);

update credit_settings set sign_up_credits = 5000, sign_up_grants_per_hour = 100;
create function pg_temp.id(p_name text) returns uuid language sql immutable
  as $$ select ('00000000-0000-4000-8000-0000000000' || p_name)::uuid $$;
create function pg_temp.outcome(p_name text) returns text language sql as $$
  select coalesce((select 'granted' from credit_grants as g where g.account_id = a.id and g.reason = 'sign-up grant'),
    (select string_agg(code, ' ') from credit_request_events as e where e.account_id = a.id), 'nothing yet')
  from credit_accounts as a where a.id = pg_temp.id(p_name) $$;

-- Somebody signs up with an address that is not theirs.
insert into auth.users (id, email) values (pg_temp.id('a1'), 'ann+zz@example.com');
select is(pg_temp.outcome('a1'), 'nothing yet', 'an address that is not confirmed gets an account alone');
insert into auth.users (id, email) values (pg_temp.id('a2'), 'ann@example.com');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('a2');
select is(pg_temp.outcome('a2'), 'granted', 'whose it is, gets the sign-up grant as soon as they confirm it');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('a1');
select is(pg_temp.outcome('a1'), 'sign_up_granted_before', 'then it is known');
update auth.users set email_confirmed_at = null where id = pg_temp.id('a2');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('a2');
select is((select count(*) from credit_grants where account_id = pg_temp.id('a2')), 1::bigint,
  'to confirm it again brings nothing');
update credit_settings set sign_up_grants_per_hour = 2;
insert into auth.users (id, email) select gen_random_uuid(), 'junk' || i || '@example.com'
  from generate_series(1, 50) as i;
insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id('a3'), 'cat@example.com', now());
select is(pg_temp.outcome('a3'), 'granted', 'and what nobody confirms uses up no hour');
update credit_settings set sign_up_grants_per_hour = 100;

insert into auth.users (id, phone, phone_confirmed_at)
  values (pg_temp.id('b1'), '4917012345', now()), (pg_temp.id('b2'), '+49 170 12345', now()),
    (pg_temp.id('b3'), '4917012346', null);
select results_eq($$select pg_temp.outcome(n) from unnest(array['b1', 'b2', 'b3']) as n$$,
  array['granted', 'sign_up_granted_before', 'nothing yet'],
  'a phone number gets the sign-up grant once, too, however it is written');
select is_empty($$select from credits.sign_up_addresses
  where address_hash::text like '%4917%' or address_hash = sha256('4917012345')$$, 'and not kept');
insert into auth.users (id, email, email_confirmed_at, phone, phone_confirmed_at)
  values (pg_temp.id('b4'), 'new@example.com', now(), '+4917012345', now());
select is(pg_temp.outcome('b4'), 'sign_up_granted_before', 'also beside a new mailbox');

insert into auth.users (id, is_anonymous) values (pg_temp.id('c1'), true);
select is(pg_temp.outcome('c1'), 'nothing yet', 'who is anonymous');
update auth.users set is_anonymous = false where id = pg_temp.id('c1');
update auth.users set email = 'dan@example.com' where id = pg_temp.id('c1');
select is(pg_temp.outcome('c1'), 'nothing yet', 'or about to be somebody');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('c1');
select is(pg_temp.outcome('c1'), 'granted', 'gets the sign-up grant once they are somebody');

update auth.users set email = 'dan2@example.com' where id = pg_temp.id('c1');
insert into auth.users (id, email, email_confirmed_at)
  values (pg_temp.id('d1'), 'dan@example.com', now()), (pg_temp.id('d2'), 'dan2+x@example.com', now());
select results_eq($$select pg_temp.outcome(n) from unnest(array['d1', 'd2']) as n$$,
  array['sign_up_granted_before', 'sign_up_granted_before'],
  'an address that was changed does not count twice: neither the old nor the new one');
update auth.users set email = 'eve@example.com' where id = pg_temp.id('b3');
insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id('d3'), 'eve+x@example.com', now());
select is(pg_temp.outcome('d3'), 'granted', 'but nobody takes another''s by naming it');

insert into auth.users (id) values (pg_temp.id('e1'));
select grant_due_sign_ups();
select is(pg_temp.outcome('e1'), 'granted', 'whom Auth asks for no address has nothing to confirm');
delete from public.credit_sign_up_grants where account_id = pg_temp.id('a3');
select is_empty($$select from credits.sign_up_addresses where account_id = pg_temp.id('a3')$$,
  'what is forgotten of a sign-up grant is forgotten whole');

-- An Auth that has fewer columns.
create temp table users (id uuid primary key, email text);
create trigger created after insert on users for each row execute function credits.user_created();
create trigger updated after update on users
  referencing old table as users_before new table as users_now
  for each statement execute function credits.user_updated();
insert into users values (pg_temp.id('f1'), 'fay@example.com'), (pg_temp.id('f2'), null);
select is(pg_temp.outcome('f1'), 'granted', 'where nothing is ever confirmed, nothing has to be');
update users set email = 'fay2@example.com' where id = pg_temp.id('f1');
insert into users values (pg_temp.id('f3'), 'fay2@example.com');
select is(pg_temp.outcome('f3'), 'sign_up_granted_before', 'and a change is noted');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
