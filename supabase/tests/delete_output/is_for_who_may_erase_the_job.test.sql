begin;
select plan(10);

create function pg_temp.person(p_letter text) returns uuid language sql
  as $$ select format('00000000-0000-4000-8000-0000000000%s%s', p_letter, 1)::uuid $$;
insert into auth.users (id, email) select pg_temp.person(p), p || '@example.com'
  from unnest(array['a', 'b', 'c', 'd', 'e', 'f']) as p;
select create_team_account(pg_temp.person('a'), '00000000-0000-4000-8000-0000000000f9');
select set_account_member('00000000-0000-4000-8000-0000000000f9', pg_temp.person(m.person), m.role)
from (values ('b', 'admin'), ('c', 'member'), ('d', 'member'), ('e', 'viewer')) as m (person, role);
select from grant_credits('00000000-0000-4000-8000-0000000000f9', 5000);
create function pg_temp.outcome(p_asker text, p_deleter text) returns text language plpgsql as $$
declare
  job uuid := (atomic_charge_credits('00000000-0000-4000-8000-0000000000f9', 'standard-image', '{"prompt": "a"}',
    p_member_id => pg_temp.person(p_asker))).job_id;
begin
  perform settle_generation(job, '{"outputs": []}');
  perform delete_output(job, pg_temp.person(p_deleter));
  return (select case when output_deleted_at is null then 'kept' else 'deleted' end from generation_jobs
    where id = job);
exception when sqlstate 'PT403' then
  return 'refused';
end;
$$;
select is(pg_temp.outcome('c', 'c'), 'deleted', 'who asked for it');
select is(pg_temp.outcome('c', 'a'), 'deleted', 'the team''s owner');
select is(pg_temp.outcome('c', 'b'), 'deleted', 'its admin');
select is(pg_temp.outcome('c', 'd'), 'refused', 'not another member');
select is(pg_temp.outcome('c', 'e'), 'refused', 'not a viewer');
select is(pg_temp.outcome('c', 'f'), 'refused', 'not a stranger');
select is_empty('select * from credits.storage_deletions', 'a call that is refused queues nothing');

select throws_ok('select delete_output(gen_random_uuid())', 'PT404', null, 'an unknown job is told');
create temp table open_job as select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000f9',
  'standard-image', '{"prompt": "a"}');
select throws_ok('select delete_output(job_id) from open_job', 'PT409', null, 'a job that runs has no output yet');
select from fail_generation((select job_id from open_job));
select is_empty('select delete_output(job_id) from open_job', 'one that failed never had');

select * from finish();
rollback;
