-- Gives: grants, which say where each credit came from and when it expires.
-- Keeps: no grant below 0 or above its amount (invariant 2); one external_ref, one grant (invariant 5).
-- Needs: accounts.

create table public.credit_grants (
  id bigint generated always as identity,
  account_id uuid not null,
  kind public.credit_entry_kind not null,
  amount bigint not null,
  remaining bigint not null default 0,
  breakage bigint not null default 0,
  repaid bigint not null default 0,
  reversed bigint not null default 0,
  is_open boolean not null default false,
  is_capped boolean not null default false,
  priority smallint not null default 100,
  expires_at timestamptz,
  grace_ends_at timestamptz,
  makes_good bigint,
  external_ref text,
  reason text,
  expiry_announced_at timestamptz,
  created_at timestamptz not null default now(),
  seal bytea,
  primary key (account_id, id),
  constraint grant_is_sound check (remaining between 0 and amount and is_open = (remaining > 0))
)
with (fillfactor = 70);

-- The burn-down order. The predicate reads is_open, which changes when a grant is used up, and not remaining, which
-- changes with each charge. So the update by a charge stays HOT.
create index credit_grants_burn_order
  on public.credit_grants (account_id, priority, expires_at, id) where is_open;
-- Grants that expire next (expire_grants), and grants to announce before they expire (announce_expiring_grants).
create index credit_grants_expiring
  on public.credit_grants (expires_at, account_id) where is_open and expires_at is not null;
-- One grant per external_ref: grant_credits finds the first.
create unique index credit_grants_external_ref
  on public.credit_grants (external_ref) where external_ref is not null;

comment on table public.credit_grants is
  'Where each credit came from. Charges burn grants down by priority, then earliest expiry, then oldest.';
comment on column public.credit_grants.amount is 'Credits granted.';
comment on column public.credit_grants.remaining is 'Credits of it that are left to spend.';
comment on column public.credit_grants.breakage is 'Credits of it that expired unspent.';
comment on column public.credit_grants.repaid is
  'Credits of it that filled up an overdraft; a refund of that overdraft returns them to the grant.';
comment on column public.credit_grants.grace_ends_at is
  'Until when credits can be used that failed generations refunded to this grant after it had expired; the first such '
  'refund sets it for all. -infinity: this grant holds credits of such a grace period, or was transferred out of one, '
  'and gets no grace period itself.';
comment on column public.credit_grants.makes_good is
  'The grant whose credits this grant holds: they were refunded after it had expired, or rolled over when the account '
  'left its plan.';
comment on column public.credit_grants.is_capped is
  'Whether the roll-over cap of the account''s plan covers these monthly credits: that plan granted them, or its cap '
  'has trimmed them. When the account leaves that plan, credits beyond the cap expire with the month.';
comment on column public.credit_grants.is_open is
  'Whether credits remain; a column of its own for the burn-down index.';
comment on column public.credit_grants.priority is 'Lower burns first.';
comment on column public.credit_grants.expires_at is 'When the remaining credits stop being spendable; null: never.';
comment on column public.credit_grants.reversed is
  'Credits of it that were taken back in all (by a chargeback, say); credit_debts says when, and out of which grants.';
comment on column public.credit_grants.external_ref is
  'The outside event that this grant stands for (a payment, say); unique, so that it counts once.';

comment on column public.credit_grants.seal is
  'SHA-256 over the terms of the grant: kind, amount, priority, expiry, external_ref, reason. With is_capped: over '
  'that SHA-256 and a byte. With a grace period: over that SHA-256 and grace_ends_at. Reconciliation finds a change '
  'by hand.';

create function credits.cap_seal(p_seal bytea)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Computed from the existing seal, as for a grace period.
  return sha256(p_seal || '\x01'::bytea);
end;
$$;
comment on function credits.cap_seal(bytea) is
  'The new seal of a grant that comes under a roll-over cap, from its old one.';

create function credits.grace_seal(p_seal bytea, p_grace_ends_at timestamptz)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Computed from the existing seal, not from the row: a term that was changed by hand before must still show.
  return sha256(p_seal || timestamptz_send(p_grace_ends_at));
end;
$$;
comment on function credits.grace_seal(bytea, timestamptz) is
  'The new seal of a grant that gets a grace period, from its old one.';

create function credits.grant_seal(p_grant public.credit_grants)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  terms bytea := sha256(record_send(row(
    p_grant.account_id, p_grant.id, p_grant.kind::text, p_grant.amount, p_grant.priority, p_grant.expires_at,
    p_grant.makes_good, p_grant.created_at,
    convert_to(p_grant.external_ref, 'UTF8'), convert_to(p_grant.reason, 'UTF8'))));
begin
  if p_grant.is_capped then
    terms := credits.cap_seal(terms);
  end if;
  if p_grant.grace_ends_at is null then
    return terms;
  end if;
  return credits.grace_seal(terms, p_grant.grace_ends_at);
end;
$$;
comment on function credits.grant_seal(public.credit_grants) is 'The seal that a grant must have.';

create function credits.grant_sealed()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if new.is_capped or new.grace_ends_at is not null then
    new.seal := credits.grant_seal(new);
  else
    -- The same inlined: the call would cost as much again, and a refill makes thousands of grants.
    new.seal := sha256(record_send(row(
      new.account_id, new.id, new.kind::text, new.amount, new.priority, new.expires_at, new.makes_good, new.created_at,
      convert_to(new.external_ref, 'UTF8'), convert_to(new.reason, 'UTF8'))));
  end if;
  return new;
end;
$$;
comment on function credits.grant_sealed() is 'Seals each new grant.';
create trigger grant_sealed before insert on public.credit_grants for each row execute function credits.grant_sealed();

create trigger account_version_touch after update of priority, expires_at on public.credit_grants
  for each row execute function credits.account_version_touch();

alter table public.credit_grants enable row level security;
create policy credit_grants_read_own on public.credit_grants
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create function public.account_expiring_grants(p_account_id uuid)
returns table (
  id bigint, kind public.credit_entry_kind, amount bigint, remaining bigint, expires_at timestamptz,
  grants_in_all bigint, credits_in_all bigint
)
language sql
stable
set search_path = '', pg_temp
as $$
  select g.id, g.kind, g.amount, g.remaining, g.expires_at, count(*) over (), (sum(g.remaining) over ())::bigint
  from public.credit_grants as g
  where g.account_id = p_account_id and g.is_open and g.expires_at > clock_timestamp()
  order by g.expires_at, g.id;
$$;
comment on function public.account_expiring_grants(uuid) is
  'An account''s grants that will expire and have credits left, the next to expire first. grants_in_all and '
  'credits_in_all count all of them, also when the answer is cut off. Runs with the caller''s rights: a user sees the '
  'grants that they may read.';
