-- The roles of a hosted Supabase project, as far as a migration can notice: run by the superuser, supabase_admin, on an
-- empty server. The facts here and beside are those of the public repository supabase/postgres.

-- postgres, whom projects log in as, is no superuser, and none of the platform's own roles.
create role postgres login createdb createrole replication bypassrls;
alter database postgres owner to postgres;
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;
create role supabase_auth_admin login noinherit;
create role supabase_storage_admin login noinherit createrole;
create role supabase_realtime_admin login noinherit createrole replication;
create role supabase_replication_admin login replication;
create role supabase_read_only_user login bypassrls;
create role dashboard_user nologin createdb createrole replication;
create role pgbouncer login;
grant anon, authenticated, service_role to authenticator;
grant authenticator to supabase_storage_admin;
grant pg_read_all_data to supabase_read_only_user;

do $members$
begin
  -- Before Postgres 16 a role that may create roles may grant these without an option.
  if current_setting('server_version_num')::integer < 160000 then
    grant anon, authenticated, service_role, pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
  else
    grant anon, authenticated, service_role, authenticator to postgres with admin option;
    grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres with admin option;
    execute 'grant pg_create_subscription to postgres';
  end if;
end;
$members$;

-- The role authenticator has 8 seconds; the server gives other roles 2 minutes.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '1min';
alter role supabase_storage_admin set search_path = storage;
-- The platform has this backslash: the first entry is a schema that never exists.
alter role postgres set search_path = "\$user", public, extensions;
