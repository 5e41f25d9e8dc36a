begin;
select plan(11);

select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2', 'member');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b3', 'admin');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000d4', 'viewer');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create function pg_temp.charge(p_member_id text) returns uuid language sql as $$
  select job_id from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image',
    '{"prompt": "a cat"}', p_member_id => p_member_id::uuid) $$;
create temp table jobs as select member, pg_temp.charge('00000000-0000-4000-8000-0000000000' || member) as job_id
  from unnest(array['a1', 'b2', 'b3']) as member;
create function pg_temp.cancel(p_job text, p_member text) returns text language sql as $$
  select code from cancel_generation((select job_id from jobs where member = p_job),
    ('00000000-0000-4000-8000-0000000000' || p_member)::uuid) $$;

select throws_ok($$select pg_temp.cancel('a1', 'e5')$$, 'PT403', null, 'a stranger may not');
select throws_ok($$select pg_temp.cancel('a1', 'd4')$$, 'PT403', null, 'nor who may only look');
select throws_ok($$select pg_temp.cancel('a1', 'b2')$$, 'PT403', null, 'nor a member, of what another asked for');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000b2',
  'member', 0);
select throws_ok($$select pg_temp.cancel('a1', 'b2')$$, 'PT403', null, 'nor with a cap of 0');
select throws_ok($$select pg_temp.cancel('b2', 'b2')$$, 'PT403', null,
  'who may not spend cancels nothing, not even what they asked for');
select is((select array_agg(distinct status) from generation_jobs), array['pending'::generation_job_status],
  'the jobs go on');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2', 'member');
select is(pg_temp.cancel('b2', 'b2'), 'canceled', 'a member may cancel their own');
select is(pg_temp.cancel('a1', 'b3'), 'canceled', 'an admin all');
select is(pg_temp.cancel('b3', 'a1'), 'canceled', 'and so an owner');
create temp table own as
  select c.* from grant_credits('00000000-0000-4000-8000-0000000000b2', 500) as g,
    atomic_charge_credits(g.account_id, 'standard-image', '{"prompt": "a cat"}') as c;
select throws_ok($$select cancel_generation((select job_id from own), '00000000-0000-4000-8000-0000000000a1')$$,
  'PT403', null, 'of a person''s account nobody else may');
select is((cancel_generation((select job_id from own), '00000000-0000-4000-8000-0000000000b2')).code, 'canceled',
  'than that person');

select * from finish();
rollback;
