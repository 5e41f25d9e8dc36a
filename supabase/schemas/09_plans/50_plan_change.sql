-- Gives: set_account_plan: what an upgrade gives at once, what a roll-over cap leaves, and when monthly credits begin.
-- Keeps: no month is granted twice or without its plan, however plans change; no credits outlive the cap of the plan
-- that gave them.
-- Needs: jobs, granting, refill periods, refill.

create function credits.refill_month_before(p_plan public.credit_plans, p_account public.credit_accounts)
returns date
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (credits.refill_month(p_plan, p_account, now()) - interval '1 month')::date;
end;
$$;
comment on function credits.refill_month_before(public.credit_plans, public.credit_accounts) is
  'The month before the account''s current one. It counts as refilled where monthly credits begin with the current '
  'month.';

-- Months without monthly credits, or on a closed account, are not made up for later. Security definer, because roles
-- that may change a plan or reopen an account may not set refilled_for.
create function credits.refills_start(p_before public.credit_plans[], p_now public.credit_plans[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  new_plans text[] := array(
    select n.name from unnest(p_now) as n join unnest(p_before) as b on b.name = n.name
    where n.scheduled_credits > 0 and (b.scheduled_credits = 0 or n.refill_day <> b.refill_day));
  -- Lower ids are locked first, as everywhere, also when several plans change at once.
  account_ids uuid[] := array(
    select id from public.credit_accounts where plan = any (new_plans) and refilled_for is not null
    order by id for update);
begin
  -- An account that was refilled by the calendar keeps that day: on another day it would wait for up to two months.
  update public.credit_accounts as a set refill_anchor = a.refilled_for
  from unnest(p_now) as n join unnest(p_before) as b on b.name = n.name
  where n.name = a.plan and a.id = any (account_ids)
    and n.refill_day = 'account' and b.refill_day = 'calendar_month' and b.scheduled_credits > 0;
  update public.credit_accounts as a set refilled_for = greatest(a.refilled_for, credits.refill_month_before(p, a))
  from unnest(p_before) as b join public.credit_plans as p on p.name = b.name
  where b.name = a.plan and a.id = any (account_ids) and b.scheduled_credits = 0
    and a.refilled_for < credits.refill_month_before(p, a);
end;
$$;
comment on function credits.refills_start(public.credit_plans[], public.credit_plans[]) is
  'Plans that get monthly credits grant them from this month on; accounts whose plan changes from the calendar to '
  'their own day keep the 1st. Takes the plans as they were and as they are.';

create function credits.refills_start_now()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.refills_start(array(select p::public.credit_plans from plans_before as p),
    array(select p::public.credit_plans from plans_now as p));
  return null;
end;
$$;
comment on function credits.refills_start_now() is 'Has the monthly credits of changed plans begin (refills_start).';
create trigger refills_start_now after update on public.credit_plans
  referencing old table as plans_before new table as plans_now
  for each statement execute function credits.refills_start_now();

create function credits.account_reopened()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  select greatest(new.refilled_for, credits.refill_month_before(p, new)) into strict new.refilled_for
  from public.credit_plans as p where p.name = new.plan;
  return new;
end;
$$;
comment on function credits.account_reopened() is 'An account that is opened again is refilled from this month on.';
create trigger account_reopened before update of closed_at on public.credit_accounts
  for each row when (old.closed_at is not null and new.closed_at is null and new.refilled_for is not null)
  execute function credits.account_reopened();

create function credits.refill_anchor_on(
  p_before public.credit_plans, p_plan public.credit_plans, p_account public.credit_accounts, p_at timestamptz
)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  anchor date := credits.refill_anchor(p_plan, p_account);
  today date := (p_at at time zone p_plan.refill_time_zone)::date;
begin
  if p_plan.refill_day <> 'account' or p_plan.scheduled_credits = 0 then
    return p_account.refill_anchor;
  elsif p_account.refilled_for >= credits.refill_month(p_plan, p_account, p_at) then
    -- This month was granted already. If that was by the calendar, before the account's own day, months go on from
    -- there.
    return case when credits.refill_begins(anchor, p_account.refilled_for) > today then p_account.refilled_for
      else anchor end;
  elsif p_before.refill_day = 'account' and p_before.scheduled_credits > 0 then
    return anchor;
  end if;
  return today;
end;
$$;
comment on function credits.refill_anchor_on(
  public.credit_plans, public.credit_plans, public.credit_accounts, timestamptz) is
  'The date from which an account''s own months count on another plan: as before while monthly credits go on, else '
  'from today.';

create function credits.upgrade_credits(p_plan public.credit_plans, p_account public.credit_accounts, p_at timestamptz)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  ref text := credits.refill_ref(p_account.id, p_account.refilled_for);
  begun timestamptz := credits.refill_ends(p_plan, p_account, (p_account.refilled_for - interval '1 month')::date);
  ends timestamptz := credits.refill_ends(p_plan, p_account, p_account.refilled_for);
  -- Compared with the largest plan of this month, so switching back and forth grants the difference once.
  difference bigint := p_plan.scheduled_credits - (
    select max(case when external_ref = ref then amount else split_part(external_ref, ':', 4)::bigint end)
    from public.credit_grants
    where account_id = p_account.id and kind = 'refill'
      and (external_ref = ref or starts_with(external_ref, ref || ':')));
begin
  return case
    when (p_account.refilled_for >= credits.refill_month(p_plan, p_account, p_at)) is not true
      or p_account.closed_at is not null then 0
    when p_plan.upgrade_gives = 'difference' then difference
    when p_plan.upgrade_gives = 'difference_by_time_left' then
      trunc(difference * extract(epoch from ends - greatest(p_at, begun)) / extract(epoch from ends - begun))
    else 0 end;
end;
$$;
comment on function credits.upgrade_credits(public.credit_plans, public.credit_accounts, timestamptz) is
  'The credits that an upgrade to a plan grants an account at once; 0 while this month''s credits are still due, as '
  'they are then granted in full.';

create function credits.cap_end(p_grant public.credit_grants, p_expires_at timestamptz)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- A grant whose terms were changed by hand keeps its broken seal.
  is_sealed boolean := p_grant.seal = credits.grant_seal(p_grant);
begin
  p_grant.expires_at := p_expires_at;
  p_grant.is_capped := false;
  update public.credit_grants
  set expires_at = p_expires_at, is_capped = false,
    seal = case when is_sealed then credits.grant_seal(p_grant) else seal end
  where account_id = p_grant.account_id and id = p_grant.id;
end;
$$;
comment on function credits.cap_end(public.credit_grants, timestamptz) is
  'Makes a grant under a roll-over cap expire at p_expires_at. The caller holds the account''s lock.';

create function credits.rolled_over(p_account_id uuid)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  with kept as (
    select id, remaining from public.credit_grants
    where account_id = p_account_id and kind = 'refill' and makes_good is not null and not is_capped
      and expires_at is null
  )
  select coalesce((select sum(remaining) from kept), 0)::bigint - coalesce((
    select sum(l.delta) from public.generation_jobs as j
    join public.credit_ledger as l on l.account_id = j.account_id and l.job_id = j.id
    where j.account_id = p_account_id and j.status in ('pending', 'running') and l.grant_id in (select id from kept)),
    0)::bigint;
$$;
comment on function credits.rolled_over(uuid) is
  'Credits that stayed under a roll-over cap when the account left a plan, including those that its open jobs hold and '
  'may give back.';

create function credits.roll_over_end(p_account public.credit_accounts, p_plan public.credit_plans)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  month_ends timestamptz := credits.refill_ends(p_plan, p_account, p_account.refilled_for);
  why text := format('rolls over from plan %s, whose other credits expire with their month', p_plan.name);
  -- Credits that a cap let stay earlier count, so switching back and forth keeps no more.
  left_over bigint := greatest(p_plan.roll_over_cap - credits.rolled_over(p_account.id), 0);
  given record;
  kept bigint;
begin
  -- The newest credits stay and the oldest expire, as when a month ends.
  for given in
    select id, remaining as part, priority, coalesce(makes_good, id) as makes_good from public.credit_grants
    where account_id = p_account.id and is_capped and is_open order by id desc
  loop
    given.part := least(given.part, left_over);
    exit when given.part = 0;
    left_over := left_over - given.part;
    insert into public.credit_grants (account_id, kind, amount, priority, makes_good, reason)
    values (p_account.id, 'refill', given.part, given.priority, given.makes_good, why)
    returning id into kept;
    p_account := credits.entry_append(p_account.id, -given.part, 'adjustment', given.id, null, why, null);
    p_account := credits.entry_append(p_account.id, given.part, 'adjustment', kept, null, why, null);
  end loop;
  -- Empty grants too: a job that was charged earlier may still be refunded to them.
  perform credits.cap_end(g, month_ends) from public.credit_grants as g
    where g.account_id = p_account.id and g.is_capped;
  return p_account;
end;
$$;
comment on function credits.roll_over_end(public.credit_accounts, public.credit_plans) is
  'Applies the roll-over cap of the plan that an account leaves, as the plan''s next month would have done: credits '
  'within the cap move to new grants, and the rest expires when its month ends. Takes and returns the locked account.';

create function public.set_account_plan(p_account_id uuid, p_plan text)
returns public.credit_accounts
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan_before public.credit_plans;
  plan public.credit_plans;
  upgrade bigint := 0;
begin
  perform credits.caller_check('set_account_plan');
  account := credits.account_lock(p_account_id);
  select * into plan from public.credit_plans where name = p_plan;
  if not found then
    perform credits.raise_misuse('PT404', 'no such plan', 'The table credit_plans lists the plans.');
  end if;
  select * into strict plan_before from public.credit_plans where name = account.plan;
  -- Months before this one belong to the old plan: their credits are neither lost nor granted by the new plan.
  if plan_before.scheduled_credits > 0 and plan_before.roll_over <> 'none' and account.refilled_for is not null
    and p_plan <> account.plan then
    perform credits.account_refill(account.id,
      credits.refill_ends(plan_before, account, credits.refill_month_before(plan_before, account))
        - interval '1 second');
    account := credits.account_lock(account.id);
  end if;
  if plan_before.roll_over = 'capped' and p_plan <> account.plan then
    account := credits.roll_over_end(account, plan_before);
  end if;
  account.refill_anchor := credits.refill_anchor_on(plan_before, plan, account, now());
  if plan_before.scheduled_credits = 0 then
    account.refilled_for := greatest(account.refilled_for, credits.refill_month_before(plan, account));
  end if;
  update public.credit_accounts set plan = p_plan, refill_anchor = account.refill_anchor,
    refilled_for = account.refilled_for
  where id = account.id;
  if p_plan <> plan_before.name then
    upgrade := credits.upgrade_credits(plan, account, now());
  end if;
  if upgrade > 0 then
    perform public.grant_credits(account.id, upgrade,
      format('upgrade to plan %s, %s', plan.name, to_char(account.refilled_for, 'YYYY-MM')),
      'refill', case when plan.roll_over = 'none' then credits.refill_ends(plan, account, account.refilled_for) end,
      format('%s:%s', credits.refill_ref(account.id, account.refilled_for), plan.scheduled_credits),
      plan.refill_priority);
    update public.credit_grants set is_capped = true, seal = credits.cap_seal(seal)
    where account_id = account.id and plan.roll_over = 'capped'
      and external_ref = format('%s:%s', credits.refill_ref(account.id, account.refilled_for), plan.scheduled_credits);
  end if;
  return credits.credit_limit_reduce(account.id, plan.credit_limit);
end;
$$;
comment on function public.set_account_plan(uuid, text) is
  'Puts an account on a plan and gives it the plan''s overdraft. Idempotent. An overdraft of the old plan that is in '
  'use stays until it is repaid, or until somebody sets credit_limit. The plan''s monthly credits come with the next '
  'charge or refill_plans; months before this one that are still due are booked by the old plan. A month that was '
  'refilled already stays as it is, except for what an upgrade gives (credit_plans.upgrade_gives). If the old plan '
  'caps its roll-over, credits beyond the cap expire with their month, and those within it move to new grants (entries '
  'of kind adjustment, which sum to zero). Raises 22023 without an account, PT404 for an unknown plan.';
