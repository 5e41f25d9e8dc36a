begin;
select plan(4);

-- A condition that a user brings, cheap enough to be tried first, must not be shown other people's rows.
insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'a@example.com'),
  ('00000000-0000-4000-8000-0000000000b2', 'b@example.com');
select grant_credits(id, 5000), atomic_charge_credits(id, 'standard-image', '{"prompt": "a cat"}')
  from (values ('00000000-0000-4000-8000-0000000000a1'::uuid), ('00000000-0000-4000-8000-0000000000b2')) as u (id);
select set_config('test.seen', '', true);
set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000a1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000a1', true);

create function pg_temp.look(shown text) returns boolean language plpgsql cost 0.0000001 as $$
begin
  perform set_config('test.seen', current_setting('test.seen') || shown, true);
  return true;
end;
$$;
create function pg_temp.look(uuid, uuid) returns boolean language sql cost 0.0000001 as 'select pg_temp.look($1::text)';
create operator pg_temp.=== (leftarg = uuid, rightarg = uuid, function = pg_temp.look);
create function pg_temp.read(source text) returns void language plpgsql as $$
begin
  execute format('create temp view mine as select * from %s', source);
  execute format('select from %s as t where pg_temp.look(t::text)', source);
  execute 'select from mine as t where pg_temp.look(t::text)';
  execute 'drop view mine';
end;
$$;
select pg_temp.read(oid::regclass::text) from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'p') and has_table_privilege(oid, 'select')
  and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e');
select isnt(position('00000000-0000-4000-8000-0000000000a1' in current_setting('test.seen')), 0,
  'own rows pass through the condition');
select is(position('00000000-0000-4000-8000-0000000000b2' in current_setting('test.seen')), 0, 'nobody else''s do');
select count(*) from generation_jobs where account_id operator(pg_temp.===) id;
select is(position('00000000-0000-4000-8000-0000000000b2' in current_setting('test.seen')), 0,
  'nor through an operator');
select throws_ok($$select 1 / (select count(*) from generation_jobs
  where account_id = '00000000-0000-4000-8000-0000000000b2')$$, '22012', null, 'nor through an error');

select * from finish();
rollback;
