-- Schemas, default privileges and publication of a hosted project's database, before its first migration.

-- What postgres and supabase_admin create in schema public is everybody's.
grant usage on schema public to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges for role postgres, supabase_admin in schema public
  grant all on sequences to postgres, anon, authenticated, service_role;

create schema extensions;
grant usage on schema extensions to anon, authenticated, service_role;
grant all on schema extensions to postgres, dashboard_user;
alter default privileges in schema extensions grant all on tables to postgres with grant option;
alter default privileges in schema extensions grant all on routines to postgres with grant option;
alter default privileges in schema extensions grant all on sequences to postgres with grant option;

create schema graphql_public;
create schema realtime;
grant usage on schema graphql_public, realtime to postgres, anon, authenticated, service_role;
grant create, usage on schema public to supabase_realtime_admin;
create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
