-- Gives: a directory of the external_refs that several databases use, so that one counts for one account.
-- Keeps: an external_ref that was booked for an account is no other account's, wherever the two live.
-- Needs: shards, withdrawal, transfer; when called: payments.
--
-- On one database the keys of the tables themselves do it, and the directory stays empty.

create table credits.external_refs (
  kind text not null check (kind in ('grant', 'withdrawal', 'transfer', 'customer')),
  external_ref text not null check (length(external_ref) between 1 and 255),
  account_id uuid not null,
  claimed_at timestamptz not null default clock_timestamp(),
  primary key (kind, external_ref)
);
comment on table credits.external_refs is
  'Which account an external_ref belongs to, written before the call that books it. Each is on the shards of '
  'credits.ref_groups(external_ref), where all callers meet.';
comment on column credits.external_refs.kind is
  'What it names there: customer is a provider''s customer (credits.customer_ref).';
comment on column credits.external_refs.account_id is 'The account; of a transfer, the sender''s.';
comment on column credits.external_refs.claimed_at is
  'When it was last claimed. Another account may have it 10 minutes later, if it was not booked: no call takes '
  'as long.';
alter table credits.external_refs enable row level security;

create function credits.ref_home(p_external_ref text)
returns uuid
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return md5(p_external_ref)::uuid;
end;
$$;
comment on function credits.ref_home(text) is
  'Where an external_ref is listed: on the shard of this id, by its slot, as if it were an account''s. Never '
  'change it.';

create function credits.customer_ref(p_provider text, p_livemode boolean, p_customer_id text)
returns text
language sql
stable
set search_path = '', pg_temp
as $$ select p_provider || ':' || p_livemode || ':' || p_customer_id $$;
comment on function credits.customer_ref(text, boolean, text) is
  'What a provider''s customer is listed as in credits.external_refs.';

create function credits.ref_groups(p_external_ref text)
returns integer[]
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  home constant integer := credits.slot_group(credits.ref_home(p_external_ref));
begin
  return array[home, home # 1];
end;
$$;
comment on function credits.ref_groups(text) is
  'The slot groups whose shards list an external_ref: that of credits.ref_home, and its neighbour, which is on another '
  'shard wherever there is one. While one of the two is down, the other knows. Never change it.';

create function public.claim_external_ref(
  p_kind text, p_external_ref text, p_account_id uuid, p_instead_of uuid default null
)
returns uuid
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  holder uuid;
begin
  perform credits.caller_check('claim_external_ref');
  if p_kind is null or p_kind not in ('grant', 'withdrawal', 'transfer', 'customer') or p_account_id is null then
    perform credits.raise_misuse('22023', 'an external_ref is claimed for an account, by its kind',
      'kind is grant, withdrawal, transfer or customer.');
  end if;
  perform credits.check_length('external_ref', coalesce(p_external_ref, ''), 1, 255);
  if exists (select from credits.shard where not slot_groups && credits.ref_groups(p_external_ref)) then
    perform credits.raise_misuse('PT421', 'this external_ref is listed on other shards',
      format('Send the call to those that hold slot group %s and %s.',
        (credits.ref_groups(p_external_ref))[1], (credits.ref_groups(p_external_ref))[2]));
  end if;
  insert into credits.external_refs as r (kind, external_ref, account_id)
  values (p_kind, p_external_ref, p_account_id)
  on conflict (kind, external_ref) do update
  set account_id = excluded.account_id, claimed_at = excluded.claimed_at
  where r.account_id = excluded.account_id
    or r.account_id = p_instead_of and r.claimed_at < clock_timestamp() - interval '10 minutes'
  returning account_id into holder;
  return coalesce(holder, (
    select account_id from credits.external_refs where kind = p_kind and external_ref = p_external_ref));
end;
$$;
comment on function public.claim_external_ref(text, text, uuid, uuid) is
  'Says whose an external_ref is, before it is sent to the account''s shard: p_account_id if nobody else has it, else '
  'the other account. p_instead_of: an account that was found not to have booked it (has_external_ref); it loses it '
  'once its claim is 10 minutes old. For a router of shards; called on both that hold credits.ref_groups. Idempotent. '
  'Raises 22023 for a bad argument, PT421 on another shard.';

create function public.has_external_ref(p_account_id uuid, p_kind text, p_external_ref text)
returns boolean
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('has_external_ref');
  return case p_kind
    when 'grant' then exists (select from public.credit_grants
        where account_id = p_account_id and external_ref = p_external_ref)
      or exists (select from public.payments
        where key = p_external_ref and coalesce(account_id, claimed_account_id) = p_account_id
          and state = 'waiting')
    when 'withdrawal' then exists (select from public.credit_withdrawals
      where account_id = p_account_id and external_ref = p_external_ref)
    when 'transfer' then exists (select from public.credit_transfers
      where from_account_id = p_account_id and external_ref = p_external_ref)
    when 'customer' then exists (select from public.payment_customers
      where account_id = p_account_id and credits.customer_ref(provider, livemode, customer_id) = p_external_ref)
    else false end;
end;
$$;
comment on function public.has_external_ref(uuid, text, text) is
  'Whether an account has a grant, a withdrawal or a transfer (p_kind) with this external_ref, or a payment of that '
  'key that waits to be granted, or is this customer. For a router of shards: asked of the account that holds a claim, '
  'before another account gets it.';

create function credits.external_refs_list()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into credits.external_refs (kind, external_ref, account_id)
  select 'grant', external_ref, account_id from public.credit_grants where external_ref is not null
  union all
  select 'withdrawal', external_ref, account_id from public.credit_withdrawals
  union all
  select 'transfer', external_ref, from_account_id from public.credit_transfers
  union all
  select 'customer', credits.customer_ref(provider, livemode, customer_id), account_id
  from public.payment_customers
  where length(credits.customer_ref(provider, livemode, customer_id)) <= 255
  on conflict do nothing;
end;
$$;
comment on function credits.external_refs_list() is
  'Lists the external_refs that were booked before there were shards. Done by credits.become_shard, while one '
  'database still holds every account.';
