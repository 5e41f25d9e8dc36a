begin;
select plan(19);

create temp view found as select invariant, job_id from reconciliation_discrepancies;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 10000);
update generation_models set overage = 'cap' where name = 'standard-image';

create function pg_temp.charged(p_key text) returns uuid language sql as $$
  select (atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    p_key)).job_id;
$$;
create temp table job as select * from (values
  ('as charged', pg_temp.charged('1')), ('capped', pg_temp.charged('2')), ('cheaper', pg_temp.charged('3')),
  ('refunded in part before', pg_temp.charged('4')), ('failed', pg_temp.charged('5')), ('open', pg_temp.charged('6')),
  ('refunded after', pg_temp.charged('7'))) as v (name, id);
create function pg_temp.job(p_name text) returns uuid language sql as $$ select id from job where name = p_name; $$;
select from settle_generation(pg_temp.job('as charged'), '{"outputs": []}');
select from settle_generation(pg_temp.job('capped'), '{"outputs": []}', 900);
select from settle_generation(pg_temp.job('cheaper'), '{"outputs": []}', 120);
select from refund_credits(pg_temp.job('refunded in part before'), 300, 'sorry');
select from settle_generation(pg_temp.job('refunded in part before'), '{"outputs": []}', 250);
select from fail_generation(pg_temp.job('failed'));
select from settle_generation(pg_temp.job('failed'), '{"outputs": []}', 40);
select from settle_generation(pg_temp.job('refunded after'), '{"outputs": []}', 499);
select from refund_credits(pg_temp.job('refunded after'));

select is_empty('select * from found', 'what settlements note is right: at, below and above the charge');
select set_eq($$select name, actual_cost from job join generation_jobs as j on j.id = job.id where seal is not null$$,
  $$values ('capped', 900::bigint), ('cheaper', 120), ('refunded in part before', 250), ('refunded after', 499)$$,
  'a job is sealed where its actual cost is not its cost');
select is((select count(erase_job(id)) from job where name <> 'open'), 6::bigint, 'what was asked for can be erased,');
select is_empty('select * from found', 'and the actual cost stays right');

create function pg_temp.finds(p_change text) returns setof text language plpgsql as $$
declare
  name text;
  invariants text;
begin
  for name in select j.name from job as j order by j.name loop
    begin
      execute format('update generation_jobs set %s where id = %L', p_change, pg_temp.job(name));
      select string_agg(invariant, ', ') into invariants from found where job_id = pg_temp.job(name);
      raise 'undo';
    exception when raise_exception then
      return next is(invariants, 'job actual cost', format('%s: %s', name, p_change));
    end;
  end loop;
end;
$$;
select pg_temp.finds('actual_cost = 501');
select pg_temp.finds(
  'actual_cost = case when actual_cost = cost or actual_cost is null then actual_cost - 1 else cost end, '
  'seal = ''\x01''');

savepoint found;
update generation_jobs set actual_cost = null where id in (pg_temp.job('as charged'), pg_temp.job('capped'));
select set_eq($$select f.invariant, name, expected, actual, remedy ~ 'credits\.job_seal'
  from reconciliation_discrepancies as f join job on id = job_id$$,
  $$values ('job actual cost', 'as charged', 1::bigint, 0::bigint, true), ('job actual cost', 'capped', 1, 0, true)$$,
  'one that is gone is found, too, with its remedy');
rollback to found;

select * from finish();
rollback;
