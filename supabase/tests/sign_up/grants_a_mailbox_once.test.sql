begin;
select plan(10);

update credit_settings set sign_up_credits = 5000;
create temp view granted as select u.email from auth.users as u
  join credit_grants as g on g.account_id = u.id and g.reason = 'sign-up grant';
insert into auth.users (id, email, email_confirmed_at) values
  ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com', now()),
  ('00000000-0000-4000-8000-0000000000a2', 'ANN+2@Example.com', now()),
  ('00000000-0000-4000-8000-0000000000a3', 'a.nn@example.com', now()),
  ('00000000-0000-4000-8000-0000000000a4', 'b.o.b@gmail.com', now()),
  ('00000000-0000-4000-8000-0000000000a5', 'bob+x@googlemail.com', now());
select bag_eq('select email from granted', array['ann@example.com', 'a.nn@example.com', 'b.o.b@gmail.com'],
  'neither case nor a tag, nor Gmail''s dots, make another mailbox');
select is((select row(a.balance, e.code) from credit_accounts as a
  join credit_request_events as e on e.account_id = a.id where a.id = '00000000-0000-4000-8000-0000000000a2'),
  row(0::bigint, 'sign_up_granted_before'::text), 'who comes again has an account, and it is known why no more');
delete from auth.users where id = '00000000-0000-4000-8000-0000000000a1';
insert into auth.users (id, email, email_confirmed_at)
  values ('00000000-0000-4000-8000-0000000000b1', 'ann@example.com', now());
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000b1'), 0::bigint,
  'nor is somebody new who was deleted');
select from erase_account('00000000-0000-4000-8000-0000000000a1');
insert into auth.users (id, email, email_confirmed_at)
  values ('00000000-0000-4000-8000-0000000000b2', 'ann+3@example.com', now());
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000b2'), 0::bigint,
  'nor who was erased: credits are not farmed by deleting and coming back');
insert into auth.users (id) values ('00000000-0000-4000-8000-0000000000c1'), ('00000000-0000-4000-8000-0000000000c2');
select grant_due_sign_ups();
select is((select sum(balance) from credit_accounts
  where id in ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000c2')), 10000::numeric,
  'users without an address get the sign-up grant each');
select is_empty($$select from credits.sign_up_addresses as w
  where w::text ilike '%example%' or position('example'::bytea in address_hash) > 0$$, 'no address is kept');

select is((select count(*) from credits.sign_up_addresses where address_hash = sha256('ann@example.com')), 0::bigint,
  'nor a hash that anybody can compute');
select is_empty($$select r from unnest(array['anon', 'authenticated', 'service_role', 'credits_auditor']) as r
  where has_any_column_privilege(r, 'credits.secrets', 'select, insert, update, references')
    or has_function_privilege(r, 'credits.address_hash(text)', 'execute')$$,
  'and nobody but the owner can, or read the secret');
select results_eq($$select credits.mailbox(a)
  from unnest(array[' Ann+x@Example.COM. ', '+1@example.com', 'b.o.b@gmail.com.', 'a@b@example.com', 'nobody',
    '@example.com', null]) as a$$,
  array['ann@example.com', '+1@example.com', 'bob@gmail.com', 'a@b@example.com', null, null, null],
  'blanks and a last dot make no other mailbox, nor is a name that is all tag another''s');
select is((select octet_length(secret) from credits.secrets where name = 'mailbox'), 32,
  'which is as long as the hash');

select * from finish();
rollback;
