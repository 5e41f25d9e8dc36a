-- Gives: when an account's month begins and ends, by calendar or by its own day.
-- Keeps: exactly one month begins in each calendar month, which names it; the account's own day stays (31 January, 28
--   February, 31 March).
-- Needs: plans, accounts.

create function credits.refill_anchor(p_plan public.credit_plans, p_account public.credit_accounts)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_plan.refill_day = 'calendar_month' then
    return date '2000-01-01';
  end if;
  return coalesce(p_account.refill_anchor, (p_account.created_at at time zone p_plan.refill_time_zone)::date);
end;
$$;
comment on function credits.refill_anchor(public.credit_plans, public.credit_accounts) is
  'A date whose day of the month is the day on which an account''s months begin.';

create function credits.refill_begins(p_anchor date, p_month date)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return least(p_month + extract(day from p_anchor)::integer - 1, (p_month + interval '1 month')::date - 1);
end;
$$;
comment on function credits.refill_begins(date, date) is
  'The day on which an account''s month begins within a calendar month (p_month, its first day): the anchor''s day, '
  'or the last day of a shorter month.';

create function credits.refill_month(p_plan public.credit_plans, p_account public.credit_accounts, p_at timestamptz)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  today date := (p_at at time zone p_plan.refill_time_zone)::date;
  month date := date_trunc('month', today::timestamp)::date;
begin
  if p_plan.refill_day = 'account'
    and credits.refill_begins(credits.refill_anchor(p_plan, p_account), month) > today then
    return (month - interval '1 month')::date;
  end if;
  return month;
end;
$$;
comment on function credits.refill_month(public.credit_plans, public.credit_accounts, timestamptz) is
  'The month that an account is in at a time, by the first day of the calendar month in which it began.';

create function credits.refill_ends(p_plan public.credit_plans, p_account public.credit_accounts, p_month date)
returns timestamptz
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return credits.refill_begins(credits.refill_anchor(p_plan, p_account), (p_month + interval '1 month')::date)
    ::timestamp at time zone p_plan.refill_time_zone;
end;
$$;
comment on function credits.refill_ends(public.credit_plans, public.credit_accounts, date) is
  'When an account''s month that began in this calendar month ends and the next one begins.';

create function credits.refill_first(p_plan public.credit_plans, p_account public.credit_accounts, p_month date)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  next_month date := (p_account.refilled_for + interval '1 month')::date;
begin
  -- Credits of a missed month that do not roll over would have expired by now, so only this month's are granted.
  if next_month is null or (p_plan.roll_over = 'none' and next_month < p_month) then
    return p_month;
  end if;
  return next_month;
end;
$$;
comment on function credits.refill_first(public.credit_plans, public.credit_accounts, date) is
  'The first month, up to p_month, whose credits an account has not got yet; a month after p_month when there is none.';

create function credits.refill_is_due(p_account_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- The wall clock, not the transaction's: the caller may have waited for the account's lock.
  return exists (
    select from public.credit_accounts as a join public.credit_plans as p on p.name = a.plan and p.scheduled_credits > 0
    where a.id = p_account_id and a.closed_at is null
      and (a.refilled_for is null or a.refilled_for < credits.refill_month(p, a, clock_timestamp())));
end;
$$;
comment on function credits.refill_is_due(uuid) is
  'Whether an account is due monthly credits that have not been booked.';
