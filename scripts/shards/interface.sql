-- The functions that somebody other than the owner may execute, and those that decide whose rows a user reads.
select f.oid::regprocedure::text as identity, n.nspname as schema, f.proname as name,
  pg_get_function_arguments(f.oid) as arguments,
  pg_get_function_identity_arguments(f.oid) as input,
  pg_get_function_result(f.oid) as result,
  f.proretset as returns_set,
  f.prorettype = 'void'::regtype as returns_void,
  t.typtype = 'c' or f.prorettype = 'record'::regtype as returns_row,
  format_type(f.prorettype, null) as type,
  f.provolatile as volatility,
  coalesce(f.proargnames[1:f.pronargs], '{}') as names,
  array(select format_type(a.id, null) from unnest(f.proargtypes) with ordinality as a (id, n) order by n) as types,
  coalesce((select split_part(c, '=', 2) from unnest(f.proconfig) as c where c like 'statement_timeout=%'), '')
    as timeout,
  exists (
    select from aclexplode(f.proacl) as p join pg_roles as r on r.oid = p.grantee
    where r.rolname in ('anon', 'authenticated', 'credits_auditor')) as for_users,
  n.nspname = 'public' and exists (
    select from credits.operator_rights() as r where f.proname = 'operator_' || r.action and r.moves_credits)
    as counts_for_day
from pg_proc as f
join pg_namespace as n on n.oid = f.pronamespace
join pg_type as t on t.oid = f.prorettype
where n.nspname = 'public' and f.proacl is not null and f.prokind = 'f' and f.prorettype <> 'trigger'::regtype
    and exists (
      select from aclexplode(f.proacl) as p join pg_roles as r on r.oid = p.grantee
      where r.rolname in ('anon', 'authenticated', 'service_role', 'credits_auditor'))
  or f.oid in ('credits.my_account_ids()'::regprocedure, 'credits.my_paying_account_ids()'::regprocedure)
order by 1
