begin;
select plan(4);

-- A condition that a user brings, cheap enough to be tried first, must not be shown a row before the gate.
insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select set_config('test.seen', '', true);
create function pg_temp.look(shown text) returns boolean language plpgsql cost 0.0000001 as $$
begin
  perform set_config('test.seen', current_setting('test.seen') || shown, true);
  return true;
end;
$$;
create function pg_temp.read(source text) returns void language plpgsql as $$
begin
  execute format('select from public.%I as t where pg_temp.look(t::text)', source);
end;
$$;
create temp table views as select name from credits.operator_views() as o (name);
grant select on views to public;

set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000a1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000a1', true);
select pg_temp.read(name) from views;
select is(current_setting('test.seen'), '', 'a user''s condition sees nothing');
select lives_ok($$select 1 / (cost - cost) from operator_jobs$$, 'nor does an error tell of a row');
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000e1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000e1', true);
select pg_temp.read(name) from views;
select matches(current_setting('test.seen'), '00000000-0000-4000-8000-0000000000a1',
  'an operator''s sees what they do');
reset role;

-- What a view reads, and what the functions that it calls read.
select is_empty($$
  select c.relname from pg_class as c
  join pg_rewrite as r on r.ev_class = c.oid
  join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
  left join pg_proc as p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
  where c.relnamespace = 'public'::regnamespace and c.relname in (select name from views)
    and (d.refobjid = 'auth.users'::regclass or p.prosrc ~ 'auth\.users|operator_people|find_by')$$,
  'no view reads auth.users');

select * from finish();
rollback;
