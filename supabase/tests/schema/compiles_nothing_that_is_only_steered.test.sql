begin;
select plan(2);

create temp view steered as select p.oid::regprocedure::text as name, p.proconfig from pg_proc as p
  where p.pronamespace in ('public'::regnamespace, 'credits'::regnamespace)
    and exists (select from unnest(p.proconfig) as c where c ~ '^enable_\w+=off$');
select isnt_empty('select from steered', 'some functions tell Postgres how to plan');
select is_empty($$select name from steered where not proconfig @> array['jit=off']$$,
  'and none of them is compiled for the price that this puts on its plan');

select * from finish();
rollback;
