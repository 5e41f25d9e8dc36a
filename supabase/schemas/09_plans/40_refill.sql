-- Gives: refill_plans, which grants each month's credits.
-- Keeps: one refill per account and month, also after an outage; roll-over as the plan says.
-- Needs: granting, events, bulk, refill periods, roll over.

create function credits.refills_cap(p_account_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.credit_grants as g set is_capped = true, seal = credits.cap_seal(g.seal)
  from public.credit_accounts as a join public.credit_plans as p on p.name = a.plan and p.roll_over = 'capped'
  where a.id = any (p_account_ids) and g.account_id = a.id and g.kind = 'refill' and g.expires_at is null
    and not g.is_capped;
end;
$$;
comment on function credits.refills_cap(uuid[]) is
  'Marks all monthly credits of the accounts as covered by their plans'' roll-over cap. The caller holds the '
  'accounts'' locks.';

create function credits.refill_ref(p_account_id uuid, p_month date)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return format('refill:%s:%s', p_account_id, to_char(p_month, 'YYYY-MM'));
end;
$$;
comment on function credits.refill_ref(uuid, date) is
  'The external_ref of a month''s credits, which makes them count once.';

create function credits.account_refill(p_account_id uuid, p_at timestamptz)
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan public.credit_plans;
  month date;
  due date;
  refills integer := 0;
  before bigint;
begin
  select * into account from public.credit_accounts where id = p_account_id for update skip locked;
  if not found or account.closed_at is not null then
    return 0;
  end if;
  before := account.balance;
  select * into strict plan from public.credit_plans where name = account.plan;
  month := credits.refill_month(plan, account, p_at);
  due := credits.refill_first(plan, account, month);
  -- The account may have changed its plan since it was listed: the month then stays due. Or a run that began before
  -- midnight comes to an account that another run has refilled since.
  if plan.scheduled_credits = 0 or due > month then
    return 0;
  end if;
  while due <= month loop
    if plan.roll_over = 'capped' then
      select * into strict account from public.credit_accounts where id = p_account_id;
      perform credits.roll_over_trim(account, plan.roll_over_cap);
    end if;
    perform public.grant_credits(account.id, plan.scheduled_credits,
      format('plan %s, %s', plan.name, to_char(due, 'YYYY-MM')),
      'refill', case when plan.roll_over = 'none' then credits.refill_ends(plan, account, due) end,
      credits.refill_ref(account.id, due), plan.refill_priority);
    due := (due + interval '1 month')::date;
    refills := refills + 1;
  end loop;
  perform credits.refills_cap(array[p_account_id]);
  update public.credit_accounts set refilled_for = month where id = p_account_id;
  -- More credits may have been trimmed than granted.
  perform credits.balance_announce(id, before, balance) from public.credit_accounts where id = p_account_id;
  return refills;
end;
$$;
comment on function credits.account_refill(uuid, timestamptz) is
  'Grants an account the credits of every month that it has not had, up to the month of p_at; returns how many months. '
  'Grants nothing if the account has had a later month. Skips a busy account: the next run takes it.';

create function credits.plans_refilling(p_at timestamptz)
returns table (plan public.credit_plans, name text, month date, ends_at timestamptz)
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  select p, p.name, m.month, credits.refill_ends(p, null, m.month)
  from public.credit_plans as p
  cross join lateral (
    select case when p.refill_day = 'calendar_month' then credits.refill_month(p, null, p_at) end as month) as m
  where p.scheduled_credits > 0;
end;
$$;
comment on function credits.plans_refilling(timestamptz) is
  'The plans whose monthly credits the schedule brings, and the month that all their accounts are in at a time and '
  'when it ends; both null where each account has its own day.';

create function credits.refills_due(p_account_ids uuid[], p_month date, p_at timestamptz)
returns table (
  account_id uuid, credits bigint, priority smallint, is_capped boolean, expires_at timestamptz, reason text
)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  with plans as materialized (
    select r.plan, r.name, r.month, (p_month - interval '1 month')::date as month_before,
      (r.plan).scheduled_credits as credits, (r.plan).refill_priority as priority,
      (r.plan).roll_over = 'none' as ends, r.ends_at, (r.plan).roll_over = 'capped' as is_capped,
      (r.plan).roll_over_cap as cap, format('plan %s, %s', r.name, to_char(p_month, 'YYYY-MM')) as reason
    from credits.plans_refilling(p_at) as r where coalesce(r.month, p_month) = p_month
  )
  select a.id, p.credits, p.priority, p.is_capped,
    case when p.ends then coalesce(p.ends_at, credits.refill_ends(p.plan, a, p_month)) end, p.reason
  from public.credit_accounts as a join plans as p on p.name = a.plan
  where a.id = any (p_account_ids) and a.closed_at is null and a.overdraft_used = 0 and a.debt = 0
    and coalesce(p.month, credits.refill_month(p.plan, a, p_at)) = p_month
    -- Nearly always without a call: the first month, or the one after the last.
    and (a.refilled_for is null or a.refilled_for = p.month_before
      or credits.refill_first(p.plan, a, p_month) = p_month)
    and (not p.is_capped or p.cap >= (
      select coalesce(sum(g.remaining), 0) from public.credit_grants as g
      where g.account_id = a.id and g.is_open and g.kind = 'refill'));
end;
$$;
comment on function credits.refills_due(uuid[], date, timestamptz) is
  'Which of the accounts need this month''s credits and nothing else: no earlier month, nothing to trim, no overdraft '
  'or debt to pay. The caller holds the accounts'' locks.';

create function credits.accounts_refill(p_account_ids uuid[], p_month date, p_at timestamptz)
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- The external_ref of nobody, in which each account's id takes the place of theirs: cheaper than a call for each.
  nobody constant text := '00000000-0000-0000-0000-000000000000';
  nobodys_ref constant text := credits.refill_ref(nobody::uuid, p_month);
  free_ids uuid[];
  movements credits.movement[];
begin
  free_ids := array(select id from public.credit_accounts where id = any (p_account_ids)
    order by id for update skip locked);
  -- A statement of its own, so that it sees what the last holder of a lock has committed.
  with granted as (
    insert into public.credit_grants as g (account_id, kind, amount, remaining, is_open, is_capped, priority,
      expires_at, external_ref, reason)
    select d.account_id, 'refill', d.credits, d.credits, true, d.is_capped, d.priority, d.expires_at,
      replace(nobodys_ref, nobody, d.account_id::text), d.reason
    from credits.refills_due(free_ids, p_month, p_at) as d
    -- A month that was granted but not noted conflicts: its account is then refilled by itself.
    on conflict (external_ref) where external_ref is not null do nothing
    returning g.account_id, g.id, g.amount, g.reason
  )
  select array_agg(row(account_id, 1, amount, 'refill', id, null, reason)::credits.movement) into movements
  from granted;
  if movements is null then
    return '{}'::uuid[];
  end if;
  perform from credits.movements_book(movements, p_month);
  perform credits.refills_cap(array(select m.account_id from unnest(movements) as m));
  return array(select m.account_id from unnest(movements) as m);
end;
$$;
comment on function credits.accounts_refill(uuid[], date, timestamptz) is
  'Grants this month''s credits, all together, to the accounts that need nothing else and are not busy; returns their '
  'ids.';

create function credits.batch_refill(p_account_ids uuid[], p_at timestamptz)
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  refilled uuid[] := '{}'::uuid[];
  others integer := 0;
  due_month date;
  due_account uuid;
begin
  begin
    -- Usually one month; two if some accounts' own day is still to come.
    for due_month in
      select p.month from credits.plans_refilling(p_at) as p where p.month is not null
      union
      select credits.refill_month(p.plan, a, p_at) from public.credit_accounts as a
      join credits.plans_refilling(p_at) as p on p.name = a.plan and p.month is null where a.id = any (p_account_ids)
      order by 1
    loop
      refilled := refilled || credits.accounts_refill(p_account_ids, due_month, p_at);
    end loop;
  exception when others then
    refilled := '{}'::uuid[];
    raise notice 'accounts are refilled one by one: %', sqlerrm;
  end;
  for due_account in select a.id from unnest(p_account_ids) as a (id) where a.id not in (select unnest(refilled))
    order by a.id loop
    begin
      others := others + credits.account_refill(due_account, p_at);
    exception when others then
      raise warning 'account % cannot be refilled: %', due_account, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return cardinality(refilled) + others;
end;
$$;
comment on function credits.batch_refill(uuid[], timestamptz) is
  'Grants the months that accounts have not had: together to accounts that lack only this month, to the others one by '
  'one, so that one bad account holds up no other.';

create function credits.refills_next(p_after uuid, p_limit integer, p_at timestamptz)
returns uuid[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- The latest month that has begun anywhere. An account that has had it is skipped without computing its own day.
  latest date := date_trunc('month', (p_at + interval '14 hours') at time zone 'utc')::date;
begin
  return array(
    select a.id from public.credit_accounts as a
    join credits.plans_refilling(p_at) as p on p.name = a.plan
    where a.id > p_after and a.closed_at is null
      and (a.refilled_for is null or a.refilled_for < latest
        and a.refilled_for < coalesce(p.month, credits.refill_month(p.plan, a, p_at)))
    order by a.id limit p_limit);
end;
$$;
comment on function credits.refills_next(uuid, integer, timestamptz) is
  'The next accounts, by id, that are due monthly credits.';

create function public.refill_plans(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  most integer := least(greatest(p_limit, 0), 100000);
  account_ids uuid[];
  last_id uuid := uuid '00000000-0000-0000-0000-000000000000';
  refilled integer := 0;
begin
  perform credits.caller_check('refill_plans');
  -- Accounts that cannot be refilled, or are busy, do not count towards p_limit, so they never keep the others waiting.
  while refilled < most loop
    account_ids := credits.refills_next(last_id, least(1000, most - refilled), now());
    exit when cardinality(account_ids) = 0;
    last_id := account_ids[cardinality(account_ids)];
    refilled := refilled + credits.batch_refill(account_ids, now());
  end loop;
  return refilled;
end;
$$;
comment on function public.refill_plans(integer) is
  'Grants the monthly credits that are due, to accounts in the order of their ids, until p_limit grants are made; '
  'returns how many. Exactly once per account and month, also after a downtime of several months and when two runs '
  'overlap. An account that cannot be refilled is skipped with a warning. A charge does not wait for this: it books '
  'what is due to its account itself. Meant to run every minute.';
