-- What an installation could leave on a server or change of it, beside the objects of its database (tests/support/catalog.sql).
select 'role' as kind, rolname::text as name, concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,
  rolreplication, rolbypassrls, rolconfig::text, shobj_description(oid, 'pg_authid')) as definition
from pg_roles
union all
select 'member', format('%s of %s by %s', member::regrole, roleid::regrole, grantor::regrole), admin_option::text
from pg_auth_members
union all
select 'settings', format('%s in %s', coalesce(nullif(setrole, 0)::regrole::text, 'everybody'),
  coalesce((select datname from pg_database where oid = setdatabase), 'every database')), setconfig::text
from pg_db_role_setting
union all
select 'database', datname, concat_ws(' ', pg_get_userbyid(datdba), datacl::text) from pg_database
union all
select 'owner of extension', extname, pg_get_userbyid(extowner) from pg_extension
union all
select 'owner of event trigger', evtname, pg_get_userbyid(evtowner) from pg_event_trigger
union all
select 'owner of publication', pubname, pg_get_userbyid(pubowner) from pg_publication
order by 1, 2;
