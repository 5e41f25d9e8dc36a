begin;
select plan(10);

create function pg_temp.person(p_letter text) returns uuid language sql
  as $$ select format('00000000-0000-4000-8000-0000000000%s%s', p_letter, 1)::uuid $$;
insert into auth.users (id, email) select pg_temp.person(p), p || '@example.com' from unnest(array['a', 'b', 'c']) as p;
select grant_credits(pg_temp.person(p), 100) from unnest(array['a', 'b', 'c']) as p;
select create_team_account(pg_temp.person('b'), '00000000-0000-4000-8000-0000000000f9');
select set_account_member('00000000-0000-4000-8000-0000000000f9', pg_temp.person('a'), 'viewer');
insert into storage.buckets (id, name) values ('avatars', 'avatars');
insert into storage.objects (bucket_id, name) values
  ('generations', '00000000-0000-4000-8000-0000000000a1/00000000-0000-4000-8000-0000000000e1/0.png'),
  ('generations', '00000000-0000-4000-8000-0000000000b1/00000000-0000-4000-8000-0000000000e2/0.png'),
  ('generations', '00000000-0000-4000-8000-0000000000f9/uploads/1.png'),
  ('generations', '00000000-0000-4000-8000-0000000000A1/0.png'),
  ('generations', '00000000-0000-4000-8000-0000000000a1'),
  ('generations', 'x/00000000-0000-4000-8000-0000000000a1/0.png'),
  ('avatars', '00000000-0000-4000-8000-0000000000a1/0.png');
create function pg_temp.seen() returns setof text language sql as 'select name from storage.objects';
create function pg_temp.act_as(p_person uuid) returns void language sql as $$
  select set_config('request.jwt.claims', jsonb_build_object('sub', p_person, 'role', 'authenticated')::text, true),
    set_config('request.jwt.claim.sub', coalesce(p_person::text, ''), true)
$$;

select pg_temp.act_as(pg_temp.person('a'));
set local role authenticated;
select set_eq('select pg_temp.seen()', array[
  '00000000-0000-4000-8000-0000000000a1/00000000-0000-4000-8000-0000000000e1/0.png',
  '00000000-0000-4000-8000-0000000000f9/uploads/1.png'], 'a user sees their own and their team''s, as a viewer too');
select throws_ok($$insert into storage.objects (bucket_id, name)
  values ('generations', '00000000-0000-4000-8000-0000000000a1/00000000-0000-4000-8000-0000000000e1/1.png')$$, '42501',
  null, 'and writes nothing, not even beside their own');
create function pg_temp.changed() returns bigint language sql as $$
  with gone as (delete from storage.objects returning 1), moved as (update storage.objects set name = 'x' returning 1)
  select (select count(*) from gone) + (select count(*) from moved)
$$;
select is(pg_temp.changed(), 0::bigint, 'changes and deletes nothing');
reset role;
select remove_account_member('00000000-0000-4000-8000-0000000000f9', pg_temp.person('a'));
set local role authenticated;
select set_eq('select pg_temp.seen()', array[
  '00000000-0000-4000-8000-0000000000a1/00000000-0000-4000-8000-0000000000e1/0.png'],
  'a former member sees the team''s no longer');
reset role;
select pg_temp.act_as(pg_temp.person('b'));
set local role authenticated;
select is(count(*), 2::bigint, 'an owner sees their own and the team''s') from pg_temp.seen();
reset role;
select pg_temp.act_as(pg_temp.person('c'));
set local role authenticated;
select is_empty('select pg_temp.seen()', 'a stranger sees nothing');
reset role;
select pg_temp.act_as(null);
set local role authenticated;
select is_empty('select pg_temp.seen()', 'nor who has no token');
set local role anon;
select is_empty('select pg_temp.seen()', 'nor anon');
reset role;
select pg_temp.act_as(pg_temp.person('a'));
select erase_account(pg_temp.person('a'));
set local role authenticated;
select is_empty('select pg_temp.seen()', 'nor who was erased');
reset role;
set local role service_role;
select is(count(*), 7::bigint, 'the service sees all') from pg_temp.seen();
reset role;

select * from finish();
rollback;
