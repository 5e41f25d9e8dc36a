-- Gives: set_account_plan and refill_plans, which grants each month's credits.
-- Keeps: one refill an account and month, whatever was down in between; roll-over as the plan says.
-- Needs: granting, events, burn down, bulk.

create function credits.month_before()
returns date
language sql
stable
set search_path = '', pg_temp
as $$
  select (date_trunc('month', now() at time zone 'utc') - interval '1 month')::date;
$$;
comment on function credits.month_before() is 'First day of the month before this one (UTC).';
revoke all on function credits.month_before() from public, anon, authenticated, service_role;

-- A month without monthly credits, or on a closed account, is not made up for later. Definers, because who may
-- change a plan or reopen an account may not set refilled_for.
create function credits.refills_start_now()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  new_plans text[] := array(
    select n.name from plans_now as n join plans_before as b on b.name = n.name
    where b.monthly_credits = 0 and n.monthly_credits > 0);
  -- The lower id first, as everywhere, also where several plans change at once.
  account_ids uuid[] := array(
    select id from public.credit_accounts where plan = any (new_plans) and refilled_for < credits.month_before()
    order by id for update);
begin
  update public.credit_accounts set refilled_for = credits.month_before() where id = any (account_ids);
  return null;
end;
$$;
comment on function credits.refills_start_now() is 'Plans that get monthly credits grant them from this month on.';
revoke all on function credits.refills_start_now() from public, anon, authenticated, service_role;
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
  new.refilled_for := greatest(new.refilled_for, credits.month_before());
  return new;
end;
$$;
comment on function credits.account_reopened() is 'An account that is opened again is refilled from this month on.';
revoke all on function credits.account_reopened() from public, anon, authenticated, service_role;
create trigger account_reopened before update of closed_at on public.credit_accounts
  for each row when (old.closed_at is not null and new.closed_at is null and new.refilled_for is not null)
  execute function credits.account_reopened();

create function public.set_account_plan(p_account_id uuid, p_plan text)
returns public.credit_accounts
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan public.credit_plans;
  paid_monthly boolean;
begin
  perform credits.caller_check('set_account_plan');
  account := credits.account_lock(p_account_id);
  paid_monthly := (select monthly_credits > 0 from public.credit_plans where name = account.plan);
  select * into plan from public.credit_plans where name = p_plan;
  if not found then
    perform credits.raise_misuse('PT404', 'no such plan', 'The table credit_plans lists the plans.');
  end if;
  update public.credit_accounts
  set plan = p_plan, refilled_for = case when paid_monthly then refilled_for else greatest(refilled_for, credits.month_before()) end
  where id = account.id;
  return credits.credit_limit_reduce(account.id, plan.credit_limit);
end;
$$;
comment on function public.set_account_plan(uuid, text) is
  'Puts an account on a plan and gives it the plan''s overdraft. Idempotent. An overdraft of the plan before that is in use stays until it '
  'is filled up, or until somebody sets credit_limit. The plan''s monthly credits come with the next '
  'refill_plans; a month that was refilled already stays as it is. Raises 22023 without an account, PT404 for an unknown plan.';
revoke all on function public.set_account_plan(uuid, text) from public, anon, authenticated, service_role;
grant execute on function public.set_account_plan(uuid, text) to service_role;

create function credits.roll_over_trim(p_account public.credit_accounts, p_keep bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  refill record;
  excess bigint;
begin
  select greatest(coalesce(sum(remaining), 0) - p_keep, 0) into excess
  from credits.spendable_grants where account_id = p_account.id and kind = 'refill';
  for refill in
    select id, remaining from credits.spendable_grants where account_id = p_account.id and kind = 'refill' order by id
  loop
    exit when excess = 0;
    p_account := credits.grant_lapse(p_account, refill.id, least(refill.remaining, excess), 'expiry', 'beyond the roll-over cap');
    excess := excess - least(refill.remaining, excess);
  end loop;
end;
$$;
comment on function credits.roll_over_trim(public.credit_accounts, bigint) is
  'Lapses monthly credits of earlier months, oldest first, until p_keep are left. The caller holds the account''s lock, and reads the account anew.';
revoke all on function credits.roll_over_trim(public.credit_accounts, bigint) from public, anon, authenticated, service_role;

create function credits.account_refill(p_account_id uuid, p_month date)
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan public.credit_plans;
  due date;
  refills integer := 0;
  before bigint;
begin
  select * into account from public.credit_accounts where id = p_account_id for update skip locked;
  -- A run that began before midnight may come to an account that another has refilled since.
  if not found or account.closed_at is not null or account.refilled_for >= p_month then
    return 0;
  end if;
  before := account.balance;
  select * into strict plan from public.credit_plans where name = account.plan;
  -- The account has changed its plan since it was listed: the month stays to be had.
  if plan.monthly_credits = 0 then
    return 0;
  end if;
  -- A missed month's credits that do not roll over would have lapsed by now: only this month's are granted.
  due := case when account.refilled_for is null or plan.roll_over = 'none' then p_month
    else (account.refilled_for + interval '1 month')::date end;
  while due <= p_month loop
    if plan.roll_over = 'capped' then
      select * into strict account from public.credit_accounts where id = p_account_id;
      perform credits.roll_over_trim(account, plan.roll_over_cap);
    end if;
    perform public.grant_credits(account.id, plan.monthly_credits, format('plan %s, %s', plan.name, to_char(due, 'YYYY-MM')),
      'refill', case when plan.roll_over = 'none' then (due + interval '1 month') at time zone 'utc' end,
      format('refill:%s:%s', account.id, to_char(due, 'YYYY-MM')));
    due := (due + interval '1 month')::date;
    refills := refills + 1;
  end loop;
  update public.credit_accounts set refilled_for = p_month where id = p_account_id;
  -- What was trimmed can be more than what came.
  perform credits.balance_announce(id, before, balance) from public.credit_accounts where id = p_account_id;
  return refills;
end;
$$;
comment on function credits.account_refill(uuid, date) is
  'Grants an account the monthly credits of every month up to p_month (its first day) that it has not had; returns how many. '
  'Nothing to an account that had a later month. Skips an account that is busy: the next run takes it.';
revoke all on function credits.account_refill(uuid, date) from public, anon, authenticated, service_role;

create function credits.refills_due(p_account_ids uuid[], p_month date)
returns table (account_id uuid, plan text, credits bigint, expires_at timestamptz)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  select a.id, p.name, p.monthly_credits,
    case when p.roll_over = 'none' then (p_month + interval '1 month') at time zone 'utc' end
  from public.credit_accounts as a join public.credit_plans as p on p.name = a.plan and p.monthly_credits > 0
  where a.id = any (p_account_ids) and a.closed_at is null and a.overdraft_used = 0 and a.debt = 0
    and (a.refilled_for is null or a.refilled_for < p_month and (p.roll_over = 'none' or a.refilled_for + interval '1 month' = p_month))
    and (p.roll_over <> 'capped' or p.roll_over_cap >= (
      select coalesce(sum(g.remaining), 0) from public.credit_grants as g where g.account_id = a.id and g.is_open and g.kind = 'refill'));
end;
$$;
comment on function credits.refills_due(uuid[], date) is
  'Which of the accounts need this month''s credits and nothing else: no earlier month, nothing to trim, no overdraft or debt to pay. '
  'The caller holds the accounts'' locks.';
revoke all on function credits.refills_due(uuid[], date) from public, anon, authenticated, service_role;

create function credits.accounts_refill(p_account_ids uuid[], p_month date)
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  free_ids uuid[];
  movements credits.movement[];
  month text := to_char(p_month, 'YYYY-MM');
begin
  free_ids := array(select id from public.credit_accounts where id = any (p_account_ids) order by id for update skip locked);
  -- Another statement, which sees what the last holder of a lock has done.
  with granted as (
    insert into public.credit_grants as g (account_id, kind, amount, remaining, is_open, expires_at, external_ref, reason)
    select d.account_id, 'refill', d.credits, d.credits, true, d.expires_at,
      format('refill:%s:%s', d.account_id, month), format('plan %s, %s', d.plan, month)
    from credits.refills_due(free_ids, p_month) as d
    -- A month that was granted and not noted: the account is looked at by itself.
    on conflict do nothing
    returning g.account_id, g.id, g.amount, g.reason
  )
  select array_agg(row(account_id, 1, amount, 'refill', id, null, reason)::credits.movement) into movements from granted;
  if movements is null then
    return '{}'::uuid[];
  end if;
  perform from credits.movements_book(movements, p_month);
  return array(select m.account_id from unnest(movements) as m);
end;
$$;
comment on function credits.accounts_refill(uuid[], date) is
  'Grants this month''s credits to those of the accounts that need no more than that and are not busy, together; returns them.';
revoke all on function credits.accounts_refill(uuid[], date) from public, anon, authenticated, service_role;

create function credits.batch_refill(p_account_ids uuid[], p_month date)
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  refilled uuid[] := '{}'::uuid[];
  others integer := 0;
  due_account uuid;
begin
  begin
    refilled := credits.accounts_refill(p_account_ids, p_month);
  exception when others then
    raise notice 'accounts are refilled one by one: %', sqlerrm;
  end;
  for due_account in select a.id from unnest(p_account_ids) as a (id) where a.id not in (select unnest(refilled)) order by a.id loop
    begin
      others := others + credits.account_refill(due_account, p_month);
    exception when others then
      raise warning 'account % cannot be refilled: %', due_account, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return cardinality(refilled) + others;
end;
$$;
comment on function credits.batch_refill(uuid[], date) is
  'Grants the months that accounts have not had: together where it is only this one, the others one by one, so that one bad account '
  'holds up no other.';
revoke all on function credits.batch_refill(uuid[], date) from public, anon, authenticated, service_role;

create function public.refill_plans(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  this_month date := date_trunc('month', now() at time zone 'utc')::date;
  batch record;
  refilled integer := 0;
begin
  perform credits.caller_check('refill_plans');
  for batch in
    select array_agg(o.id order by o.id) as account_ids
    from (
      select a.id, row_number() over (order by a.id) as place from public.credit_accounts as a
      join public.credit_plans as p on p.name = a.plan and p.monthly_credits > 0
      where (a.refilled_for is null or a.refilled_for < this_month) and a.closed_at is null
      order by a.id limit least(greatest(p_limit, 0), 100000)
    ) as o group by (o.place - 1) / 1000 order by (o.place - 1) / 1000
  loop
    refilled := refilled + credits.batch_refill(batch.account_ids, this_month);
  end loop;
  return refilled;
end;
$$;
comment on function public.refill_plans(integer) is
  'Grants the monthly credits (calendar months, UTC) of up to p_limit accounts that are due; returns how many grants. Exactly '
  'once an account and month, also after a downtime of several months and when two runs overlap. An account that cannot be refilled is '
  'left with a warning. Meant to run every minute.';
revoke all on function public.refill_plans(integer) from public, anon, authenticated, service_role;
grant execute on function public.refill_plans(integer) to service_role;
