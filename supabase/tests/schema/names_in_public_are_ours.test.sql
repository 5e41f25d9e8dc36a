begin;
select plan(1);

-- The schema is the adopter's: what stands there beside theirs is known by its name. Functions are the interface.
select is_empty($$
  select c.oid::regclass::text from pg_class as c
  where c.relnamespace = 'public'::regnamespace
    and c.relname !~ '^((credit|generation|reconciliation|account|payment|payments|operator)_|payments$)'
    and not exists (select from pg_depend as d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  union all
  select t.oid::regtype::text from pg_type as t
  where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')
    and t.typname !~ '^((credit|generation|reconciliation|account|payment|payments|operator)_|payments$)'
    and not exists (select from pg_depend as d
      where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')$$,
  'every table, view, index, sequence and type in public is named credit_, generation_, reconciliation_, account_,
    payment_ or operator_');

select * from finish();
rollback;
