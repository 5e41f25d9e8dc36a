begin;
select plan(3);

insert into credit_operators (user_id, role) values ('00000000-0000-4000-8000-0000000000e1', 'viewer');
create function pg_temp.plan_of(p_view text) returns text language plpgsql as $$
declare
  line text;
  plan text := '';
begin
  for line in execute format('explain (verbose, costs off) select * from public.%I', p_view) loop
    plan := plan || line || E'\n';
  end loop;
  return plan;
end;
$$;
create temp table plans as select name, pg_temp.plan_of(name) as plan from credits.operator_views() as o (name);

select is_empty($$select name from plans where plan !~ 'One-Time Filter: \(\(InitPlan \d+\)\.col1 IS NOT NULL\)'
  and plan !~ 'One-Time Filter: \(\$\d+ IS NOT NULL\)'$$, 'a view looks before its first row whether it may show any');
select is_empty($$select name, plan from plans where plan !~ 'InitPlan'
  or array_length(regexp_split_to_array(plan, 'operator_role'), 1) <> 2$$,
  'and asks once a query, not once a row');

-- Behind the barrier no condition of a reader's is tried before.
select is_empty($$select name from credits.operator_views() as o (name) join pg_class as c
  on c.relnamespace = 'public'::regnamespace and c.relname = o.name
  where not credits.has_barrier(c.reloptions)$$, 'each view has its barrier');

select * from finish();
rollback;
