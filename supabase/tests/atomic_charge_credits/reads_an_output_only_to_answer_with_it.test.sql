begin;
select plan(4);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create function pg_temp.ask(p_prompt text) returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image',
    jsonb_build_object('prompt', p_prompt), 'key')
$$;
create function pg_temp.large_values_read() returns bigint language sql as $$
  select s.idx_scan from pg_stat_xact_all_tables as s join pg_class as c on c.reltoastrelid = s.relid
  where c.oid = 'public.generation_jobs'::regclass
$$;
create temp table first as select * from pg_temp.ask('a cat');
select from settle_generation((select job_id from first),
  jsonb_build_object('picture', (select string_agg(md5(i::text), '') from generate_series(1, 3000) as i)));

create temp table before as select pg_temp.large_values_read() as scans;
select is((select code from pg_temp.ask('a dog')), 'idempotency_key_reused',
  'another request under the key of a job with a large output');
select is(pg_temp.large_values_read(), (select scans from before), 'is refused without a look at the output');
select is((select length(job -> 'output' ->> 'picture') from pg_temp.ask('a cat')), 96000,
  'the same request is answered with it');
select cmp_ok(pg_temp.large_values_read(), '>', (select scans from before), 'which reads it');

select * from finish();
rollback;
