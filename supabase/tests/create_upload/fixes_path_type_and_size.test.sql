begin;
select plan(23);

create function pg_temp.person(p_letter text) returns uuid language sql
  as $$ select format('00000000-0000-4000-8000-0000000000%s1', p_letter)::uuid $$;
insert into auth.users (id, email) select pg_temp.person(p), p || '@example.com' from unnest(array['a', 'b', 'c']) as p;
select create_team_account(pg_temp.person('b'), pg_temp.person('f'));
select set_account_member(pg_temp.person('f'), pg_temp.person('a'), 'viewer');
select set_account_member(pg_temp.person('f'), pg_temp.person('c'), 'member', 0);
select grant_credits(pg_temp.person(a), 5000) from unnest(array['a', 'f']) as a;
create function pg_temp.ask(p_type text, p_bytes bigint, p_account text default 'a', p_member text default 'a')
returns generation_upload language sql as
  $$ select create_upload(pg_temp.person(p_account), pg_temp.person(p_member), p_type, p_bytes) $$;

set local role service_role;
create temp table made as select * from create_upload('00000000-0000-4000-8000-0000000000a1',
  '00000000-0000-4000-8000-0000000000a1', 'image/png', 16777216);
reset role;
select is((select row(status, code, errors) from made), row(201, 'created'::text, null::jsonb),
  'an upload is announced');
select matches((select path from made), '^00000000-0000-4000-8000-0000000000a1/uploads/[0-9a-f-]{36}\.png$',
  'into the account''s own folder');
select is((select expires_at - now() from made), interval '2 hours', 'for two hours');
select
  results_eq('select account_id, member_id, media_type, bytes, path = (select path from made) from generation_uploads',
  $$values (pg_temp.person('a'), null::uuid, 'image/png'::text, 16777216::bigint, true)$$, 'what it will be is kept');
select matches((pg_temp.ask('image/jpeg', 1)).path, '\.jpg$', 'also a JPEG');
select matches((pg_temp.ask('image/webp', 1)).path, '\.webp$', 'and a WebP');
select is((select status from create_upload(pg_temp.person('a'), null, 'image/png', 1)), 201,
  'by the app''s server, too');

select is((select row(status, code, errors) from pg_temp.ask('image/svg+xml', 16777217)), row(400,
  'invalid_request'::text,
  '[{"field": "media_type", "message": "must be image/png, image/jpeg or image/webp"},
    {"field": "bytes", "message": "must be a whole number from 1 to 16777216 (16 MiB)"}]'::jsonb),
  'each bad field is named');
select is((select status from pg_temp.ask(null, null)), 400, 'also one that is missing');
select is((select status from pg_temp.ask('image/png', 0)), 400, 'nothing is no file');

select is((select row(status, code) from pg_temp.ask('image/png', 9, 'f', 'a')), row(403, 'not_allowed_to_spend'::text),
  'a viewer may not');
select is((select row(status, code) from pg_temp.ask('image/png', 9, 'f', 'c')), row(402, 'member_cap_reached'::text),
  'nor a member who may spend nothing');
select is((select row(status, code) from pg_temp.ask('image/png', 9, 'a', 'b')), row(403, 'not_a_member'::text),
  'nor a stranger');
select is((select row(status, code) from pg_temp.ask('image/png', 9, 'f', 'b')), row(201, 'created'::text),
  'an owner may');
select is((select member_id from generation_uploads where account_id = pg_temp.person('f')), pg_temp.person('b'),
  'and is noted');
update credit_accounts set closed_at = now() where id = pg_temp.person('f');
select is((select row(status, code) from pg_temp.ask('image/png', 9, 'f', 'b')), row(403, 'account_closed'::text),
  'a closed account takes nothing');
select is((select code from pg_temp.ask('image/png', 9, 'f', 'd')), 'not_a_member',
  'and a stranger does not learn that it is closed');

-- As Storage does it, and as a user of another account sees it.
select set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.person('a'), 'role', 'authenticated')::text,
  true), set_config('request.jwt.claim.sub', pg_temp.person('a')::text, true);
set local role authenticated;
select is((select count(*) from generation_uploads), 5::bigint, 'a user reads their own and their team''s');
select throws_ok('delete from generation_uploads', '42501', null, 'and writes none');
reset role;
select set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.person('c'), 'role', 'authenticated')::text,
  true), set_config('request.jwt.claim.sub', pg_temp.person('c')::text, true);
delete from account_members where user_id = pg_temp.person('c');
set local role authenticated;
select is_empty('select * from generation_uploads', 'nobody else''s');
reset role;
select is((select status from create_upload('00000000-0000-4000-8000-0000000000d1', null, 'image/png', 1)), 201,
  'who has no account yet gets one');

select is((select row(status, code) from create_upload('00000000-0000-4000-8000-0000000000d2', pg_temp.person('a'),
  'image/png', 9)), row(403, 'not_a_member'::text), 'an id that has no account is another''s');
select is_empty($$select from credit_accounts where id = '00000000-0000-4000-8000-0000000000d2'$$,
  'and a stranger opens none for it');

select * from finish();
rollback;
