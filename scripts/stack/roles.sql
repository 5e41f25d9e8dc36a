-- What a Supabase project has before its first migration: roles, schemas and default privileges.
-- The privileges are the generous ones of older projects, so that the migrations' own revokes count.
create role postgres login createdb createrole bypassrls replication password 'postgres';
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit password 'postgres';
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;

alter database postgres owner to postgres;
alter database postgres set search_path = "$user", public, extensions;
-- Tells the advisors which schemas the Data API shows.
alter database postgres set pgrst.db_schemas = 'public';
alter schema public owner to postgres;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to anon, authenticated, service_role;

create schema extensions authorization postgres;
grant usage on schema extensions to public;
grant set on parameter session_replication_role to postgres;

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
