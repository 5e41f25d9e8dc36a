begin;
select plan(15);

update credit_plans set rate_limit_requests = 1000, max_concurrent_jobs = 100;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 50000);
create temp table jobs (name text, id uuid);
create function pg_temp.make(p_name text) returns uuid language plpgsql as $$
declare
  job uuid := (atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    '{"prompt": "a"}')).job_id;
begin
  insert into jobs values (p_name, job);
  return job;
end;
$$;
create function pg_temp.id(p_name text) returns uuid language sql as $$ select id from jobs where name = p_name $$;
create function pg_temp.store(p_name text) returns text language sql as $$
  insert into storage.objects (bucket_id, name)
  values ('generations', '00000000-0000-4000-8000-0000000000a1/' || pg_temp.id(p_name) || '/0.png') returning name $$;
create function pg_temp.queued(p_name text) returns text language sql as $$
  select string_agg(reason, ' ') from credits.storage_deletions where credits.job_of_file(path) = pg_temp.id(p_name) $$;
create function pg_temp.settle(p_name text) returns text language sql as $$
  select code from settle_generation(pg_temp.id(p_name), jsonb_build_object('outputs', jsonb_build_array(
    jsonb_build_object('path', '00000000-0000-4000-8000-0000000000a1/' || pg_temp.id(p_name) || '/0.png')))) $$;
select pg_temp.make(name)
from unnest(array['failed', 'canceled', 'swept', 'swept alone', 'made', 'raced', 'kept', 'refused', 'open']) as name;
select pg_temp.store(name) from jobs where name <> 'raced';

select from fail_generation(pg_temp.id('failed'));
select is(pg_temp.queued('failed'), 'orphan', 'a refund queues the files that its job has already');
select from cancel_generation(pg_temp.id('canceled'));
select is(pg_temp.queued('canceled'), 'orphan', 'a cancel, too');
select from refund_credits(pg_temp.id('swept alone'), 1);
update generation_jobs set deadline_at = now() - interval '1 minute'
where id in (pg_temp.id('swept'), pg_temp.id('swept alone'));
select sweep_overdue_jobs();
select is(pg_temp.queued('swept'), 'orphan', 'and the sweep');
select is(pg_temp.queued('swept alone'), 'orphan', 'also of a job that it ends by itself');
select is(pg_temp.settle('made'), 'settled');
select is(pg_temp.queued('made'), null, 'what is charged stays');
select is(pg_temp.queued('open'), null, 'and what may still be');

select from fail_generation(pg_temp.id('raced'));
select pg_temp.store('raced');
select pg_temp.settle('raced');
select is(pg_temp.queued('raced'), 'orphan', 'a file that came after the refund is queued by its settlement');

select pg_temp.settle('made');
select is(pg_temp.queued('made'), null, 'a settlement that comes twice takes nothing away');
select from delete_output(pg_temp.id('made'));
delete from credits.storage_deletions;
select is(pg_temp.settle('made'), 'unchanged');
select is(pg_temp.queued('made'), 'orphan', 'but what came back after its user had deleted it');

update credit_settings set late_outputs = 'keep';
select from fail_generation(pg_temp.id('kept'));
select is(pg_temp.queued('kept'), null, 'where late results are kept, so is what came first');
select from fail_generation(pg_temp.id('refused'), '{"reason": "content_policy"}');
select is(pg_temp.queued('refused'), 'orphan', 'but of no job whose user ended it');
select pg_temp.settle('kept');
select is(pg_temp.queued('kept'), null, 'nor is a late one queued');
select is((select count(*) from storage.objects where bucket_id = 'generations'), 9::bigint,
  'rows of Storage are not touched');

select * from finish();
rollback;
