-- Gives: the internal schema, the types of entries and jobs, and how errors are raised.
-- Keeps: nothing outside this project can call an internal function (no usage on schema credits).
-- Needs: a Supabase project (roles anon, authenticated, service_role; schema auth); when called: repair.

do $$
begin
  if exists (select from pg_catalog.pg_class
    where relname = 'credit_ledger' and relnamespace = 'public'::regnamespace) then
    raise exception using errcode = '42P07', message = 'this database has a credit_ledger of its own',
      hint = 'Nothing was changed. npm run adopt -- --db-url <url> shows what taking it over would do; '
        'or give yours another name first.';
  end if;
  if to_regnamespace('credits') is not null then
    raise exception using errcode = '42P06', message = 'this database has a schema credits of its own',
      hint = 'Nothing was changed. Give yours another name first.';
  end if;
end;
$$;

create schema credits;
comment on schema credits is
  'Internals of the credit ledger. Not exposed to the Data API; no role but the owner may use it.';

create table credits.installation (
  release text not null,
  file text not null,
  checksum text not null check (checksum ~ '^[0-9a-f]{64}$'),
  applied_at timestamptz not null default clock_timestamp(),
  primary key (release, file)
);
comment on table credits.installation is
  'One row per migration that a release applied; the newest row is the installed release.';
comment on column credits.installation.checksum is 'SHA-256 of the release''s book of SQL (supabase/schemas).';
alter table credits.installation enable row level security;

create type public.credit_entry_kind as enum (
  'grant', 'purchase', 'refill', 'charge', 'release', 'refund', 'expiry', 'adjustment', 'transfer', 'revocation'
);
comment on type public.credit_entry_kind is
  'Why credits moved. grant, purchase, refill: credits came in. charge: the most that a generation may cost was held. '
  'release: the unused part of a charge went back. refund: credits of a job were given back. expiry, revocation: a '
  'grant expired or was taken back. adjustment, transfer: an operator''s correction, a move between accounts.';

create type public.generation_job_status as enum (
  'pending', 'running', 'succeeded', 'failed', 'canceled', 'expired'
);
comment on type public.generation_job_status is
  'pending: charged, not started. running: the provider works on it. succeeded: settled. '
  'failed, canceled, expired: ended without a result and refunded in full.';

-- Every function has pg_temp last in its search_path. Left out, pg_temp would come first, and a caller's own type
-- pg_temp.jsonb would run its check with the rights of the function's owner.
create function credits.raise_misuse(p_code text, p_message text, p_hint text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  raise exception using errcode = p_code, message = p_message, hint = p_hint;
end;
$$;
comment on function credits.raise_misuse(text, text, text) is
  'Raises an error for a caller''s mistake. An errcode PTxyz reaches an HTTP caller as status xyz, 22023 as 400.';

create function credits.caller_check(p_function name)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- The role of SET ROLE, also inside a security definer function. none: the login role itself, such as that of
  -- pg_cron, Auth or psql.
  caller constant text := current_setting('role');
begin
  if caller in ('none', 'service_role') then
    return;
  end if;
  -- An app's own security definer function may call ours for its users, who have no EXECUTE themselves.
  if (caller in ('anon', 'authenticated')
    or pg_has_role(to_regrole('authenticator')::oid, to_regrole(quote_ident(caller))::oid, 'member'))
    and exists (
      select from pg_catalog.pg_proc
      where pronamespace = 'public'::regnamespace and proname = p_function
        and has_function_privilege(caller, oid, 'execute'))
  then
    perform credits.raise_misuse('42501', format('%s is not for role %s, which may execute it', p_function, caller),
      'Nothing was changed. A restore or a grant opened it. '
      'The owner closes it again: select public.repair_deployment();');
  end if;
end;
$$;
comment on function credits.caller_check(name) is
  'Raises 42501 when a Data API role other than service_role calls a public function directly. A restore may lose '
  'privileges; this check stays. It is the first statement of every security definer function that is for '
  'service_role alone.';

create function credits.check_length(p_name text, p_value text, p_least integer, p_most integer)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if length(p_value) not between p_least and p_most then
    perform credits.raise_misuse('22023', format('%s must have %s to %s characters', p_name, p_least, p_most),
      case when p_least = 0 then 'Shorten it, or leave it out.' else 'Pass a text of that length.' end);
  end if;
end;
$$;
comment on function credits.check_length(text, text, integer, integer) is
  'Raises 22023 for a text whose length is out of bounds; null passes.';

create function credits.hours_ago(p_hours integer)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_hours is null or p_hours not between 1 and 8760 then
    perform credits.raise_misuse('22023', 'hours must be 1 to 8760', 'A year has 8760.');
  end if;
  return now() - make_interval(hours => p_hours);
end;
$$;
comment on function credits.hours_ago(integer) is 'The time p_hours ago. Raises 22023 unless p_hours is 1 to 8760.';

create function credits.hmac_sha256(p_key bytea, p_message bytea)
returns bytea
language sql
immutable
set search_path = '', pg_temp
as $$
  -- RFC 2104 with a block of 64 bytes, written out because pgcrypto is not installed everywhere.
  with padded as (
    select p.key || decode(repeat('00', 64 - octet_length(p.key)), 'hex') as key
    from (select case when octet_length(p_key) > 64 then sha256(p_key) else p_key end as key) as p
  ),
  masked as (
    select
      (select string_agg(set_byte('\x00', 0, get_byte(key, i) # 54), '' order by i)
       from generate_series(0, 63) as i) as inner_key,
      (select string_agg(set_byte('\x00', 0, get_byte(key, i) # 92), '' order by i)
       from generate_series(0, 63) as i) as outer_key
    from padded
  )
  select sha256(outer_key || sha256(inner_key || p_message)) from masked;
$$;
comment on function credits.hmac_sha256(bytea, bytea) is 'HMAC-SHA256 of a message.';
