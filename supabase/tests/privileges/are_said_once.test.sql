begin;
select plan(4);

create temp table listed as
select i.kind, i.columns, case when n.name like '%.%' then '' else 'public.' end || n.name as name
from credits.interface() as i cross join lateral regexp_split_to_table(trim(i.names, E' \n'), '\s+') as n (name);

select is_empty($$select name from listed where kind = 'table' and to_regclass(name) is null$$,
  'each table and view of the interface is there');
select is_empty($$select name from listed where kind = 'function' and to_regproc(name) is null$$,
  'each function of the interface is there, with one signature');
select is_empty($$
  select l.name, c.name from listed as l
    cross join lateral regexp_split_to_table(trim(l.columns, E' \n'), '\s+') as c (name)
  where not exists (select from pg_attribute as a where a.attrelid = to_regclass(l.name) and a.attname = c.name)$$,
  'and each column');
grant select on public.credit_events to anon;
grant select on public.credit_events to service_role with grant option;
revoke execute on function public.grant_credits from service_role;
select set_eq('select credits.privileges_apply()', array[
  'revoke select on table public.credit_events from anon',
  'revoke grant option for select on table public.credit_events from service_role',
  'grant execute on function public.grant_credits(uuid,bigint,text,public.credit_entry_kind,'
    'timestamp with time zone,text,smallint,jsonb) to service_role'
], 'one call makes the privileges what the list says');

select * from finish();
rollback;
