-- Gives: what tells one person from another: mailbox, phone number, identity at a provider, and their hashes.
-- Keeps: no address is stored, only its HMAC under a secret that the owner alone reads.
-- Needs: foundation; table auth.users, and auth.identities where there is one.

create function credits.mailbox(p_email text)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Every large provider delivers name+tag@ to name@, and Gmail ignores dots. Blanks and a dot at the end of the domain
  -- mean nothing.
  select case
    when e.name = '' or e.domain = '' then null
    when e.domain in ('gmail.com', 'googlemail.com') then replace(e.name, '.', '') || '@gmail.com'
    else e.name || '@' || e.domain
  end
  from (
    select regexp_replace(substring(a.address from '^(.*)@'), '^([^+]+)\+.*$', '\1') as name,
      rtrim(substring(a.address from '@([^@]*)$'), '.') as domain
    from (select regexp_replace(lower(p_email), '\s', '', 'g') as address) as a
  ) as e;
$$;
comment on function credits.mailbox(text) is
  'The mailbox behind an address: in lower case, without a tag, blanks and a dot at the end. null if there is no '
  'address.';

create table credits.secrets (
  name text primary key,
  secret bytea not null check (octet_length(secret) = 32)
);
comment on table credits.secrets is
  'Secrets of this installation, made when it was installed. Only the owner reads them. With a new secret no stored '
  'address would be recognized.';
alter table credits.secrets enable row level security;
-- Two random UUIDs: 244 bits that nobody can guess, without pgcrypto.
insert into credits.secrets values ('mailbox', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create function credits.address_hash(p_address text)
returns bytea
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.hmac_sha256(s.secret, convert_to(p_address, 'UTF8'))
  from credits.secrets as s where s.name = 'mailbox';
$$;
comment on function credits.address_hash(text) is
  'The stored form of an address: enough to recognize it, too little to find it out.';

create function credits.person_addresses(p_person jsonb)
returns bytea[]
language sql
stable
set search_path = '', pg_temp
as $$
  -- If Auth has no column for confirmation, an address needs none. Sorted, so that concurrent sign-ups do not wait for
  -- each other.
  select coalesce(array_agg(credits.address_hash(a.address) order by credits.address_hash(a.address)), '{}')
  from (values
    (credits.mailbox(p_person ->> 'email'), 'email_confirmed_at'),
    ('tel:' || nullif(regexp_replace(p_person ->> 'phone', '\D', '', 'g'), ''), 'phone_confirmed_at')
  ) as a (address, confirmed)
  where a.address is not null and (not p_person ? a.confirmed or p_person ->> a.confirmed is not null);
$$;
comment on function credits.person_addresses(jsonb) is
  'The hashes of the confirmed addresses (mailbox, phone number) of a row of auth.users.';

create function credits.person_identities(p_user_id uuid)
returns bytea[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  identities regclass := to_regclass('auth.identities');
begin
  if identities is null or not has_table_privilege(identities, 'select') then
    return null;
  end if;
  -- As JSON: an older Auth has the user's id at the provider in column id. The identities of Auth's own two providers
  -- only repeat the user.
  return array(
    select credits.address_hash(concat_ws(':', 'identity', i.provider,
      coalesce(to_jsonb(i) ->> 'provider_id', to_jsonb(i) ->> 'id')))
    from auth.identities as i where i.user_id = p_user_id and i.provider not in ('email', 'phone'));
end;
$$;
comment on function credits.person_identities(uuid) is
  'The hashes of a user''s identities at other providers (auth.identities); null if Auth keeps none or we may not '
  'read them.';

create function credits.is_confirmed(p_person jsonb)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select not coalesce((p_person ->> 'is_anonymous')::boolean, false)
    and cardinality(credits.person_addresses(p_person)) > 0;
$$;
comment on function credits.is_confirmed(jsonb) is
  'Whether a row of auth.users is a user with a confirmed address who is not anonymous.';

create function credits.has_no_address(p_person jsonb)
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  select not coalesce((p_person ->> 'is_anonymous')::boolean, false)
    and coalesce(p_person ->> 'email', '') = '' and coalesce(p_person ->> 'phone', '') = '';
$$;
comment on function credits.has_no_address(jsonb) is
  'Whether a row of auth.users is a user of whom Auth asks no address (a wallet, some providers): there is nothing to '
  'confirm.';

create function credits.has_identity_to_come(p_person jsonb)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select (credits.has_no_address(p_person)
    or coalesce(p_person -> 'raw_app_meta_data' ->> 'provider' not in ('email', 'phone'), false))
    and cardinality(credits.person_identities((p_person ->> 'id')::uuid)) = 0;
$$;
comment on function credits.has_identity_to_come(jsonb) is
  'Whether a row of auth.users is a user of a provider whose identity Auth has not written yet: it does so after the '
  'user, in the same transaction.';

create function credits.person_hashes(p_person jsonb)
returns bytea[]
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.person_addresses(p_person) || credits.person_identities((p_person ->> 'id')::uuid);
$$;
comment on function credits.person_hashes(jsonb) is
  'The hashes of a user''s confirmed addresses and identities (a row of auth.users): each gets the sign-up grant once.';
