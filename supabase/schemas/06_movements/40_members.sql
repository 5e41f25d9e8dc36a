-- Gives: team accounts, their members, and each member's monthly cap.
-- Keeps: only a member with a spending role spends a team's credits, and no more than the cap.
-- Needs: shards, jobs; table auth.users.

create function credits.spending_month(p_spent_month date)
returns date
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- The wall clock's month, because the transaction may have begun in the month before; never earlier than the month
  -- that was counted last.
  return greatest(p_spent_month, date_trunc('month', clock_timestamp() at time zone 'utc')::date);
end;
$$;
comment on function credits.spending_month(date) is
  'The calendar month (UTC, its first day) that spending counts towards, of a member or an app key whose spent is of '
  'p_spent_month.';

create function credits.spent_this_month(p_spent bigint, p_spent_month date)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return case when p_spent_month = credits.spending_month(p_spent_month) then p_spent else 0 end;
end;
$$;
comment on function credits.spent_this_month(bigint, date) is
  'Credits that a member or an app key has spent in this calendar month (UTC).';

create function credits.member_denial(p_account_id uuid, p_member_id uuid, p_cost bigint, p_is_closed boolean)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  member public.account_members;
begin
  select * into member from public.account_members where account_id = p_account_id and user_id = p_member_id;
  if not found then
    -- The account of a deleted person is closed, and still their own.
    return case when p_member_id <> p_account_id or not p_is_closed then 'not_a_member' end;
  elsif member.role = 'viewer' then
    return 'not_allowed_to_spend';
  -- A member with a cap of 0 may not use free models either: they would use up the team's requests and concurrent jobs.
  -- A request without a price counts as one credit: a member with nothing left must not use up the team's limits with
  -- it.
  elsif member.monthly_cap = 0
    or credits.spent_this_month(member.spent, member.spent_month) + coalesce(p_cost, 1) > member.monthly_cap then
    return 'member_cap_reached';
  end if;
  return null;
end;
$$;
comment on function credits.member_denial(uuid, uuid, bigint, boolean) is
  'Why a user may not spend p_cost credits (null: an unknown number) of an account: not_a_member, '
  'not_allowed_to_spend or member_cap_reached; null if they may.';

create function credits.member_spend(p_account_id uuid, p_member_id uuid, p_credits bigint, p_charged_at timestamptz)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_member_id is null then
    return;
  end if;
  -- A refund of an earlier month's charge does not raise this month's cap, and an addition to it does not use it up.
  update public.account_members as m
  set spent = greatest(credits.spent_this_month(m.spent, m.spent_month) + p_credits, 0),
    spent_month = credits.spending_month(m.spent_month)
  where account_id = p_account_id and user_id = p_member_id
    and date_trunc('month', p_charged_at at time zone 'utc')::date >= credits.spending_month(m.spent_month);
end;
$$;
comment on function credits.member_spend(uuid, uuid, bigint, timestamptz) is
  'Counts credits charged (> 0) or refunded (< 0) towards a member''s month, if their job was charged in it. '
  'p_charged_at infinity: a charge, which always counts. The caller holds the account''s lock.';

create function credits.team_id_check(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Also a user without an account: theirs will be opened under this id.
  if exists (select from auth.users where id = p_account_id) then
    perform credits.raise_misuse('PT409', 'this id is a user''s', 'Leave the account''s id out to get a new one.');
  end if;
end;
$$;
comment on function credits.team_id_check(uuid) is
  'Raises PT409 for a team''s id that is a user''s. auth.users of a shard is empty: its router checks it.';

create function public.create_team_account(p_owner_id uuid, p_account_id uuid default null)
returns uuid
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('create_team_account');
  p_account_id := coalesce(p_account_id, credits.own_account_id());
  if p_owner_id is null or p_account_id = p_owner_id then
    perform credits.raise_misuse('22023', 'a team needs an owner and an id of its own',
      'Pass the owner''s user id; leave the account''s id out.');
  end if;
  perform credits.team_id_check(p_account_id);
  insert into public.credit_accounts (id, is_team) values (p_account_id, true) on conflict do nothing;
  if not found and not exists (
    select from public.account_members where account_id = p_account_id and user_id = p_owner_id and role = 'owner') then
    perform credits.raise_misuse('PT409', 'this account exists and has another owner',
      'Leave the account''s id out to get a new one.');
  end if;
  insert into public.account_members (account_id, user_id, role) values (p_account_id, p_owner_id, 'owner')
  on conflict do nothing;
  return p_account_id;
end;
$$;
comment on function public.create_team_account(uuid, uuid) is
  'Opens an account for a team and makes p_owner_id its owner; returns its id. Idempotent when the id is given. '
  'Raises 22023 without an owner or when the team would have the owner''s id, PT409 when the id is taken or a user''s.';

create function credits.team_lock(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform from public.credit_accounts where id = p_account_id and is_team for update;
  if not found then
    perform credits.raise_misuse('PT404', 'no such team account', 'Open one with create_team_account.');
  end if;
end;
$$;
comment on function credits.team_lock(uuid) is 'Locks a team''s account. Raises PT404 when there is none.';

create function credits.team_keeps_owner(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not exists (select from public.account_members where account_id = p_account_id and role = 'owner') then
    perform credits.raise_misuse('PT409', 'a team account needs an owner', 'Make another member the owner first.');
  end if;
end;
$$;
comment on function credits.team_keeps_owner(uuid) is 'Raises PT409 when a team is left without an owner.';

create function credits.member_month_charged(p_account_id uuid, p_member_id uuid, p_at timestamptz)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(cost - refunded), 0)::bigint from public.generation_jobs
  where account_id = p_account_id and member_id = p_member_id
    and created_at >= date_trunc('month', p_at at time zone 'utc') at time zone 'utc'
    and created_at < (date_trunc('month', p_at at time zone 'utc') + interval '1 month') at time zone 'utc';
$$;
comment on function credits.member_month_charged(uuid, uuid, timestamptz) is
  'Credits that a user spent on jobs of an account in p_at''s calendar month (UTC), as a member or before they were '
  'removed.';

create function public.set_account_member(
  p_account_id uuid, p_user_id uuid, p_role text default 'member',
  p_monthly_cap bigint default null
)
returns public.account_members
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  member public.account_members;
  month date;
begin
  perform credits.caller_check('set_account_member');
  if p_user_id is null then
    perform credits.raise_misuse('22023', 'a member is a user', 'Pass the id of the auth user.');
  end if;
  perform credits.team_lock(p_account_id);
  if exists (select from public.credit_accounts where id = p_account_id and closed_at is not null) then
    perform credits.raise_misuse('PT403', 'the account is closed', 'A closed account takes no members.');
  end if;
  -- Read only now: the month may have ended while this waited for the lock.
  month := credits.spending_month(null);
  -- A member who comes back in the same month has spent that month's credits: leaving does not renew the cap.
  insert into public.account_members as m (account_id, user_id, role, monthly_cap, spent, spent_month, created_at)
  values (p_account_id, p_user_id, p_role, p_monthly_cap,
    credits.member_month_charged(p_account_id, p_user_id, month::timestamp at time zone 'utc'),
    month, clock_timestamp())
  on conflict (account_id, user_id) do update set role = excluded.role, monthly_cap = excluded.monthly_cap
  returning * into member;
  perform credits.team_keeps_owner(p_account_id);
  return member;
end;
$$;
comment on function public.set_account_member(uuid, uuid, text, bigint) is
  'Adds a user to a team''s account or changes their role and monthly cap (credits; null: no cap). Idempotent. Raises '
  'PT404 for an account that is not a team''s, PT403 for a closed one, 22023 without a user, PT409 when the last '
  'owner would go, 23514 for an unknown role or a negative cap.';

create function public.remove_account_member(p_account_id uuid, p_user_id uuid)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  removed boolean;
begin
  perform credits.caller_check('remove_account_member');
  perform credits.team_lock(p_account_id);
  delete from public.account_members where account_id = p_account_id and user_id = p_user_id;
  removed := found;
  perform credits.team_keeps_owner(p_account_id);
  return removed;
end;
$$;
comment on function public.remove_account_member(uuid, uuid) is
  'Takes a user out of a team''s account; false when they were not in it. What they spent stays, and counts towards '
  'their cap if they come back within the month. Raises PT404 for an account that is not a team''s, PT409 when the '
  'last owner would go.';

