-- Gives: app keys, by which a program charges an account without a user's token: made, listed, revoked, counted.
-- Keeps: only a hash of a key is kept; a key spends as the person who made it, and no more than its monthly cap.
-- Needs: members, usage.

create table public.credit_app_keys (
  account_id uuid not null,
  id uuid not null default gen_random_uuid(),
  member_id uuid,
  name text not null check (length(name) between 1 and 100),
  hash bytea not null,
  hint text not null,
  models text[] check (cardinality(models) between 1 and 100 and array_position(models, null) is null),
  monthly_cap bigint check (monthly_cap between 0 and 1000000000000),
  spent bigint not null default 0 check (spent >= 0),
  spent_month date not null default date_trunc('month', now() at time zone 'utc')::date,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (account_id, id)
)
-- Half-empty pages keep the updates of what is spent on their page (HOT).
with (fillfactor = 50);
-- The key of a request, which brings no account.
create unique index credit_app_keys_by_hash on public.credit_app_keys (hash);
-- For erasure.
create index credit_app_keys_by_member on public.credit_app_keys (member_id) where member_id is not null;

comment on table public.credit_app_keys is
  'App keys: each lets a program charge one account. The key itself is shown once, when it is made; it begins with '
  'ack_ and the slot of its account in 4 hex digits.';
comment on column public.credit_app_keys.member_id is
  'The team''s member who made it: it spends by their role and cap, and their removal ends it. null: the '
  'account''s own user, or the app''s own server.';
comment on column public.credit_app_keys.hash is 'SHA-256 of the key. Only the owner of the database can read it.';
comment on column public.credit_app_keys.hint is 'The last 4 characters of the key, to tell keys apart.';
comment on column public.credit_app_keys.models is 'The only models that it may use; null: those of the plan.';
comment on column public.credit_app_keys.monthly_cap is
  'Most credits that it may spend in a calendar month (UTC); null: no cap of its own.';
comment on column public.credit_app_keys.spent is 'Credits spent by it in spent_month, less refunds.';
comment on column public.credit_app_keys.expires_at is 'From when on it is refused; null: never.';

alter table public.credit_app_keys enable row level security;

create function credits.app_key_spend(p_account_id uuid, p_job_id uuid, p_credits bigint, p_charged_at timestamptz)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- As a member's: a refund of an earlier month's charge does not raise this month's cap.
  update public.credit_app_keys as k
  set spent = greatest(credits.spent_this_month(k.spent, k.spent_month) + p_credits, 0),
    spent_month = credits.spending_month(k.spent_month),
    last_used_at = case when p_charged_at = 'infinity' then clock_timestamp() else k.last_used_at end
  from public.generation_usage as u
  where u.account_id = p_account_id and u.job_id = p_job_id
    and k.account_id = u.account_id and k.id = u.app_key_id
    and date_trunc('month', p_charged_at at time zone 'utc')::date >= credits.spending_month(k.spent_month);
end;
$$;
comment on function credits.app_key_spend(uuid, uuid, bigint, timestamptz) is
  'Counts credits charged (> 0) or refunded (< 0) towards the month of the app key that a job was charged by, if '
  'it was charged in that month; nothing without a key. p_charged_at infinity: a charge. The caller holds the '
  'account''s lock.';

create function credits.app_key_state(p_key public.credit_app_keys)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  denial text;
begin
  -- One answer for a key that is unknown, revoked or expired.
  if p_key.id is null or p_key.revoked_at is not null or p_key.expires_at <= clock_timestamp() then
    return 'invalid_app_key';
  end if;
  select * into account from public.credit_accounts where id = p_key.account_id;
  denial := case when p_key.member_id is not null
    then credits.member_denial(p_key.account_id, p_key.member_id, 0, account.closed_at is not null) end;
  return case when denial = 'not_a_member' then denial when account.closed_at is not null then 'account_closed'
    when denial = 'not_allowed_to_spend' then denial end;
end;
$$;
comment on function credits.app_key_state(public.credit_app_keys) is
  'Why an app key is refused: invalid_app_key, or what its account or member lacks; null: it may be used. Caps are '
  'judged by the charge.';

create function credits.app_keys_check(p_account_id uuid, p_user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_user_id is null
    or exists (select from public.credit_accounts where id = p_account_id and user_id = p_user_id)
    or (p_user_id = p_account_id and not exists (select from public.credit_accounts where id = p_account_id))
    or exists (select from public.account_members
      where account_id = p_account_id and user_id = p_user_id and role in ('owner', 'admin')) then
    return;
  end if;
  perform credits.raise_misuse('PT403', 'this user may not manage the account''s keys',
    'The account''s own user can, and a team''s owner or an admin.');
end;
$$;
comment on function credits.app_keys_check(uuid, uuid) is
  'Raises PT403 unless a user may make, list and revoke an account''s keys; null: the app''s own server, which may.';

create function public.create_app_key(
  p_account_id uuid, p_user_id uuid, p_name text, p_models text[] default null, p_monthly_cap bigint default null,
  p_expires_at timestamptz default null
)
returns table (key_id uuid, key text, hint text, created_at timestamptz)
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  most constant integer := 100;
  account public.credit_accounts;
  secret text;
begin
  perform credits.caller_check('create_app_key');
  perform credits.check_length('name', coalesce(p_name, ''), 1, 100);
  if p_monthly_cap not between 0 and 1000000000000 or p_expires_at <= clock_timestamp()
    or cardinality(p_models) not between 1 and 100 or array_position(p_models, null) is not null then
    perform credits.raise_misuse('22023', 'the cap, the models or the expiry of this key make no sense',
      'A cap is 0 or more, models are 1 to 100 names, an expiry is yet to come; leave out what has no bound.');
  end if;
  perform credits.app_keys_check(p_account_id, p_user_id);
  -- The lock, so that two calls at once do not pass the limit together.
  account := credits.account_lock(p_account_id);
  if account.closed_at is not null then
    perform credits.raise_misuse('PT403', 'the account is closed', 'A closed account takes no keys.');
  elsif (select count(*) >= most from public.credit_app_keys as k
    where k.account_id = p_account_id and k.revoked_at is null and (k.expires_at > clock_timestamp()) is not false) then
    perform credits.raise_misuse('PT409', format('the account has %s keys already', most), 'Revoke one first.');
  end if;
  -- Three random UUIDs have 366 random bits.
  secret := 'ack_' || right(to_hex(65536 + credits.slot(p_account_id)), 4) || encode(sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
  return query
  insert into public.credit_app_keys as k (account_id, member_id, name, hash, hint, models, monthly_cap, expires_at)
  values (p_account_id, case when p_user_id is distinct from account.user_id then p_user_id end, p_name,
    sha256(convert_to(secret, 'UTF8')), right(secret, 4), p_models, p_monthly_cap, p_expires_at)
  returning k.id, secret, k.hint, k.created_at;
end;
$$;
comment on function public.create_app_key(uuid, uuid, text, text[], bigint, timestamptz) is
  'Makes an app key and returns it, this once: only its hash is kept. p_user_id: who asks, the account''s own user '
  'or a team''s owner or admin, as whom the key spends; null: the app''s own server. p_models: the only models '
  'that it may use; p_monthly_cap: credits per calendar month (UTC). Raises PT403 when the user may not or the '
  'account is closed, 22023 for a bad name, cap, model list or expiry, PT409 when the account has 100 keys.';

create function public.list_app_keys(p_account_id uuid, p_user_id uuid)
returns table (
  key_id uuid, name text, hint text, member_id uuid, models text[], monthly_cap bigint, spent bigint,
  expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz, created_at timestamptz
)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('list_app_keys');
  perform credits.app_keys_check(p_account_id, p_user_id);
  return query select k.id, k.name, k.hint, k.member_id, k.models, k.monthly_cap,
    credits.spent_this_month(k.spent, k.spent_month),
    k.expires_at, k.revoked_at, k.last_used_at, k.created_at
  from public.credit_app_keys as k where k.account_id = p_account_id order by k.created_at desc, k.id;
end;
$$;
comment on function public.list_app_keys(uuid, uuid) is
  'An account''s app keys, the newest first, with what each has spent this month; never a key or its hash. p_user_id: '
  'who asks; null: the app''s own server. Raises PT403 when the user may not.';

create function public.revoke_app_key(p_account_id uuid, p_user_id uuid, p_key_id uuid)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  was_revoked boolean;
begin
  perform credits.caller_check('revoke_app_key');
  perform credits.app_keys_check(p_account_id, p_user_id);
  select revoked_at is not null into was_revoked from public.credit_app_keys
  where account_id = p_account_id and id = p_key_id for update;
  if not found then
    perform credits.raise_misuse('PT404', 'no such key', 'list_app_keys shows the account''s keys.');
  end if;
  update public.credit_app_keys set revoked_at = clock_timestamp()
  where account_id = p_account_id and id = p_key_id and not was_revoked;
  return not was_revoked;
end;
$$;
comment on function public.revoke_app_key(uuid, uuid, uuid) is
  'Ends an app key: the next request with it is refused. What it spent stays. Idempotent: false when it was revoked '
  'before. p_user_id: who asks; null: the app''s own server. Raises PT403 when the user may not, PT404 for an unknown '
  'key.';
