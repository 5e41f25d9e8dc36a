begin;
select plan(14);

create temp view found as select invariant, grant_id from reconciliation_discrepancies;
create temp table bought as
  select * from grant_credits('00000000-0000-4000-8000-0000000000a1', 1500, 'pack', 'purchase', '2099-01-01');
create function pg_temp.charge() returns uuid language sql as
  $$select job_id
    from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}')$$;
create temp table jobs as select i, pg_temp.charge() as id from generate_series(1, 3) as i;
update credit_grants set expires_at = now() - interval '1 second';
update credit_grants as g set seal = credits.grant_seal(g);
savepoint before_the_failures;
select from fail_generation((select id from jobs where i = 1));
select is_empty('select * from found', 'a grace period that began with a failure is right');
select from fail_generation((select id from jobs where i = 2));
select is_empty('select * from found', 'and stays so with the next');
select from transfer_credits('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000b2',
  600, 'gift');
select is_empty('select * from found', 'also where what came back is transferred');
savepoint sound;

create function pg_temp.grants() returns table (id bigint, name text) language sql as $$
  select id, case when account_id <> '00000000-0000-4000-8000-0000000000a1' then 'transferred'
    when kind = 'refund' then 'come back' else 'expired' end
  from credit_grants;
$$;
create function pg_temp.finds(p_value timestamptz) returns setof text language plpgsql as $$
declare
  changed record;
  invariants text;
begin
  for changed in select g.name, min(g.id) as id from pg_temp.grants() as g group by g.name order by g.name loop
    begin
      update credit_grants set grace_ends_at = p_value where id = changed.id and grace_ends_at is distinct from p_value;
      if not found then
        continue;
      end if;
      select string_agg(f.invariant, ', ') into invariants from found as f where f.grant_id = changed.id;
      raise 'undo';
    exception when raise_exception then
      return next is(invariants, 'grant terms', format('%s: %s', changed.name, coalesce(p_value::text, 'none')));
    end;
  end loop;
end;
$$;
-- None: it could have a second one. Minus infinity: it has had it. A later end: what expired lives on.
select pg_temp.finds(null);
select pg_temp.finds('-infinity');
select pg_temp.finds('2099-01-01');

update credit_grants set grace_ends_at = null where id = (select grant_id from bought);
select from fail_generation((select id from jobs where i = 3));
select set_eq('select * from found', $$select 'grant terms', grant_id from bought$$,
  'one that was taken away by hand is not sealed by the next failure');
rollback to before_the_failures;
update credit_grants set amount = 2000 where id = (select grant_id from bought);
select from fail_generation((select id from jobs where i = 1));
select set_eq('select * from found', $$select 'grant terms', grant_id from bought$$, 'nor is an amount');
select is((reconcile_credit_ledger(true)).discrepancies, 1::bigint, 'a deep run says so');
rollback to before_the_failures;
select is_empty('select * from found', 'undamaged again');

select * from finish();
rollback;
