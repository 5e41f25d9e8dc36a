begin;
select plan(20);

-- Of a user who comes by a wallet, or a provider that tells no address, Auth keeps the provider's name for them in
-- auth.identities.
update credit_settings set sign_up_credits = 5000, sign_up_grants_per_hour = 100;
create function pg_temp.id(p_name text) returns uuid language sql immutable
  as $$ select ('00000000-0000-4000-8000-0000000000' || p_name)::uuid $$;
create function pg_temp.identify(p_name text, p_provider text, p_provider_id text) returns void language sql as $$
  insert into auth.identities (id, user_id, provider, provider_id, identity_data)
    values (gen_random_uuid(), pg_temp.id(p_name), p_provider, p_provider_id, '{}') $$;
create function pg_temp.anonymous(p_name text) returns void language sql
  as $$ insert into auth.users (id, is_anonymous) values (pg_temp.id(p_name), true) $$;
-- As Auth links an identity to an anonymous user.
create function pg_temp.convert(p_name text, p_provider text, p_provider_id text) returns void language sql as $$
  select pg_temp.identify(p_name, p_provider, p_provider_id);
  update auth.users set is_anonymous = false where id = pg_temp.id(p_name) $$;
create function pg_temp.outcome(p_name text) returns text language sql as $$
  select coalesce((select 'granted' from credit_grants as g where g.account_id = a.id and g.reason = 'sign-up grant'),
    (select string_agg(code, ' ') from credit_request_events as e where e.account_id = a.id), 'nothing yet')
  from credit_accounts as a where a.id = pg_temp.id(p_name) $$;

select pg_temp.anonymous(n) from unnest(array['a1', 'a2', 'a3', 'a4', 'a5']) as n;
select pg_temp.convert('a1', 'github', '1');
select is(pg_temp.outcome('a1'), 'granted',
  'an anonymous user who becomes somebody without an address gets the sign-up grant');
select pg_temp.convert('a2', 'github', '2');
select is(pg_temp.outcome('a2'), 'granted', 'another identity is another one');
delete from auth.users where id = pg_temp.id('a1');
select pg_temp.convert('a3', 'github', '1');
select is(pg_temp.outcome('a3'), 'sign_up_granted_before',
  'an identity gets the sign-up grant once, also beyond the deletion of its user');
select pg_temp.convert('a4', 'gitlab', '1');
select is(pg_temp.outcome('a4'), 'granted', 'the same name at another provider is another identity');
select is((select count(*) from credits.sign_up_addresses
  where position('github'::bytea in address_hash) > 0 or address_hash = sha256('identity:github:1')),
  0::bigint, 'no identity is kept, nor a hash that anybody can compute');

-- Auth changes the user first.
update auth.users set is_anonymous = false where id = pg_temp.id('a5');
select is(pg_temp.outcome('a5'), 'nothing yet', 'as long as Auth has no identity of theirs, the grant waits');
delete from auth.users where id in (pg_temp.id('a2'), pg_temp.id('a3'));
select pg_temp.identify('a5', 'github', '2');
select is(grant_due_sign_ups(), 0, 'until the schedule comes');
select is(pg_temp.outcome('a5'), 'sign_up_granted_before', 'which knows whether the identity had its grant');

insert into auth.users (id) values (pg_temp.id('b1')), (pg_temp.id('b2')), (pg_temp.id('b3'));
select is((select array_agg(pg_temp.outcome(n)) from unnest(array['b1', 'b2', 'b3']) as n),
  array['nothing yet', 'nothing yet', 'nothing yet'],
  'a new user without an address waits alike: Auth writes the identity after the user');
select pg_temp.identify('b1', 'web3', 'web3:ethereum:0x1');
select pg_temp.identify('b2', 'github', '1');
select is(grant_due_sign_ups(), 2, 'the schedule grants within a minute');
select is((select array_agg(pg_temp.outcome(n)) from unnest(array['b1', 'b2', 'b3']) as n),
  array['granted', 'sign_up_granted_before', 'granted'],
  'each identity once, and a user of whom Auth knows nothing');
delete from auth.users where id = pg_temp.id('b1');
insert into auth.users (id) values (pg_temp.id('b4'));
select pg_temp.identify('b4', 'web3', 'web3:ethereum:0x1');
select is(grant_due_sign_ups(), 0, 'so nothing is farmed by deleting and coming back');

-- Beside an address.
insert into auth.users (id, email) values (pg_temp.id('c1'), 'ann@example.com');
select pg_temp.identify('c1', 'email', pg_temp.id('c1')::text), pg_temp.identify('c1', 'google', '1');
update auth.users set email_confirmed_at = now() where id = pg_temp.id('c1');
delete from auth.users where id = pg_temp.id('c1');
select pg_temp.anonymous('c2');
select pg_temp.convert('c2', 'google', '1');
select is(pg_temp.outcome('c2'), 'sign_up_granted_before', 'an identity that came with an address counts, too');
insert into auth.users (id, email, email_confirmed_at) values (pg_temp.id('d1'), 'dan@example.com', now());
select pg_temp.identify('d1', 'discord', '1');
update auth.users set raw_app_meta_data = '{"providers": ["email", "discord"]}' where id = pg_temp.id('d1');
delete from auth.users where id = pg_temp.id('d1');
select pg_temp.anonymous('d2');
select pg_temp.convert('d2', 'discord', '1');
select is(pg_temp.outcome('d2'), 'sign_up_granted_before',
  'and so does one that a user with a sign-up grant links later');

-- Confirmed from the first, where Auth is told to: before it has written the identity.
create function pg_temp.confirmed(p_name text) returns void language sql as $$
  insert into auth.users (id, email, email_confirmed_at, raw_app_meta_data)
  values (pg_temp.id(p_name), p_name || '@example.com', now(), '{"provider": "gitlab", "providers": ["gitlab"]}');
  select pg_temp.identify(p_name, 'gitlab', '7') $$;
select pg_temp.confirmed('f1');
select is(pg_temp.outcome('f1'), 'nothing yet', 'a user of a provider waits for their identity, also with an address');
select is(grant_due_sign_ups(), 1, 'until the schedule comes');
delete from auth.users where id = pg_temp.id('f1');
select pg_temp.confirmed('f2');
select is(grant_due_sign_ups(), 0, 'so that no other address at the provider makes them somebody else');

-- A stand-in, as the table is not ours to take away.
create or replace function credits.person_identities(p_user_id uuid) returns bytea[]
  language sql stable as 'select null::bytea[]';
select pg_temp.anonymous('e1');
update auth.users set is_anonymous = false where id = pg_temp.id('e1');
select is(pg_temp.outcome('e1'), 'granted', 'where Auth keeps no identities, a user gets the sign-up grant at once');
update auth.users set is_anonymous = true where id = pg_temp.id('e1');
update auth.users set is_anonymous = false where id = pg_temp.id('e1');
select is((select count(*) from credit_grants where account_id = pg_temp.id('e1')), 1::bigint, 'and once');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
