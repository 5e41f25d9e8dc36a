begin;
select plan(9);

create function pg_temp.path(p_file integer) returns text language sql as
  $$ select format('00000000-0000-4000-8000-0000000000a1/00000000-0000-4000-8000-0000000000e1/%s.png', p_file) $$;
select credits.deletions_add('00000000-0000-4000-8000-0000000000a1', array[pg_temp.path(1), pg_temp.path(2),
  pg_temp.path(2), '00000000-0000-4000-8000-0000000000b1/uploads/1.png', null], 'deleted');
select set_eq('select path from credits.storage_deletions', 'select pg_temp.path(n) from generate_series(1, 2) as n',
  'a path of another account gets into no queue');
select credits.deletions_add('00000000-0000-4000-8000-0000000000a1', array[pg_temp.path(1)], 'erased');
select is(count(*), 2::bigint, 'a path is queued once') from credits.storage_deletions;
select throws_ok($$insert into credits.storage_deletions (path, account_id, reason)
  values ('00000000-0000-4000-8000-0000000000b1/uploads/1.png', '00000000-0000-4000-8000-0000000000a1', 'deleted')$$,
  '23514', null, 'a constraint says so, too');

select is((select count(*) from claim_storage_deletions(1)), 1::bigint, 'a batch has as many as were asked for');
select is((select count(*) from claim_storage_deletions(5)), 1::bigint, 'the next has the others');
select is((select count(*) from claim_storage_deletions(-1)), 0::bigint, 'none if none were asked for');
create function pg_temp.waits(p_attempts integer) returns interval language plpgsql as $$
begin
  update credits.storage_deletions set attempts = p_attempts, next_attempt_at = now() where path = pg_temp.path(1);
  perform claim_storage_deletions();
  return (select next_attempt_at - now() from credits.storage_deletions where path = pg_temp.path(1));
end;
$$;
select results_eq('select pg_temp.waits(n) from unnest(array[0, 1, 3, 8, 1000000]) as n',
  array['5 minutes', '10 minutes', '40 minutes', '12 hours', '12 hours']::interval[],
  'it comes again after 5 minutes, then after twice as long each time, 12 hours at most');

-- As after a restore: the queue has what a job lists.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
create temp table job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
  '{"prompt": "a"}');
create temp table listed as select format('00000000-0000-4000-8000-0000000000a1/%s/0.png', job_id) as path from job;
select settle_generation((select job_id from job),
  jsonb_build_object('outputs', jsonb_build_array(jsonb_build_object('path', (select path from listed)))));
select credits.deletions_add('00000000-0000-4000-8000-0000000000a1', array[path], 'orphan') from listed;
select is_empty('select claim_storage_deletions()', 'a path that a job lists is not handed out');
select is_empty('select from credits.storage_deletions join listed using (path)', 'and no longer queued');

select * from finish();
rollback;
