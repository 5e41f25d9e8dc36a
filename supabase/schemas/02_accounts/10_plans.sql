-- Gives: plans, the limits of an account and the credits that it gets each month.
-- Keeps: an account always has a plan (foreign key in the next chapter).
-- Needs: foundation.

create function credits.is_time_zone(p_name text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return (timestamptz 'epoch' at time zone p_name) is not null;
exception when invalid_parameter_value then
  return false;
end;
$$;
comment on function credits.is_time_zone(text) is 'Whether Postgres knows a time zone by this name (Europe/Berlin).';

create table public.credit_plans (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  rate_limit_requests integer not null default 10
    check (rate_limit_requests between 1 and 1000000),
  rate_limit_window_seconds integer not null default 60
    check (rate_limit_window_seconds between 1 and 86400),
  max_concurrent_jobs integer not null default 10
    check (max_concurrent_jobs between 1 and 10000),
  free_cancels_per_day integer not null default 5
    check (free_cancels_per_day between 0 and 1000000),
  monthly_credits bigint not null default 0
    check (monthly_credits between 0 and 1000000000000),
  roll_over text not null default 'none' check (roll_over in ('none', 'all', 'capped')),
  roll_over_cap bigint not null default 0 check (roll_over_cap between 0 and 1000000000000),
  refill_priority smallint not null default 90,
  refill_day text not null default 'calendar_month' check (refill_day in ('calendar_month', 'account')),
  refill_time_zone text not null default 'UTC' check (credits.is_time_zone(refill_time_zone)),
  upgrade_gives text not null default 'nothing'
    check (upgrade_gives in ('nothing', 'difference', 'difference_by_time_left')),
  refilled_by text not null default 'schedule' check (refilled_by in ('schedule', 'payment')),
  scheduled_credits bigint not null
    generated always as (case when refilled_by = 'schedule' then monthly_credits else 0 end) stored,
  allowed_models text[],
  credit_limit bigint not null default 0 check (credit_limit between 0 and 1000000000000),
  keep_outputs_days integer check (keep_outputs_days between 1 and 3650),
  created_at timestamptz not null default now(),
  rate_window interval not null generated always as (interval '1 second' * rate_limit_window_seconds) stored,
  -- Whole microseconds, rounded down: rounded up, a burst of the full limit would not fit its window.
  rate_step interval not null generated always as
    (interval '1 microsecond' * (rate_limit_window_seconds * 1000000::bigint / rate_limit_requests)) stored
);

comment on table public.credit_plans is 'Plans: what an account may do, and how fast.';
comment on column public.credit_plans.rate_limit_requests is
  'Charges that an account may ask for within rate_limit_window_seconds; also the largest burst.';
comment on column public.credit_plans.rate_window is 'rate_limit_window_seconds as an interval.';
comment on column public.credit_plans.rate_step is
  'How long one request uses of the window: the window divided by rate_limit_requests.';
comment on column public.credit_plans.max_concurrent_jobs is
  'Jobs of one account that may be pending or running at a time.';
comment on column public.credit_plans.free_cancels_per_day is
  'How many jobs of one account may be canceled per calendar day (UTC) after they started at a provider that calls '
  'back. Each is refunded in full although the provider may have worked for it. The members of a team share this '
  'number: with a number per member, each invitation would bring more free work.';
comment on column public.credit_plans.monthly_credits is
  'Credits granted for each month; refill_day says when a month begins. Not granted where refilled_by is payment.';
comment on column public.credit_plans.roll_over is
  'What happens to monthly credits left at the end of the month: none (they expire), all (they stay), capped (up to '
  'roll_over_cap stay).';
comment on column public.credit_plans.roll_over_cap is
  'Credits that may roll over when roll_over is capped. The cap also holds when the account leaves the plan: monthly '
  'credits beyond it expire with their month.';
comment on column public.credit_plans.refill_priority is
  'Priority of the monthly credits; lower burns first. With the default they are spent before packs and other grants, '
  'which have priority 100. Give a promotion that should be spent first a lower number.';
comment on column public.credit_plans.refill_day is
  'When a month begins: calendar_month (on the 1st) or account (on the account''s own day, see '
  'credit_accounts.refill_anchor).';
comment on column public.credit_plans.refill_time_zone is 'Time zone of the midnight at which a month begins.';
comment on column public.credit_plans.upgrade_gives is
  'What an account gets at once when it comes to this plan in the middle of a month for which it had fewer credits: '
  'nothing, the difference, or the difference in proportion to the time left in the month. The next month brings '
  'monthly_credits in any case.';
comment on column public.credit_plans.refilled_by is
  'Where an account on this plan gets its credits: schedule (monthly_credits, by refill_plans and charges) or payment '
  '(each paid period grants what its product says, and monthly_credits are not granted). Never both.';
comment on column public.credit_plans.scheduled_credits is
  'monthly_credits where the schedule grants them, else 0.';
comment on column public.credit_plans.allowed_models is 'Models that may be charged for; null: every enabled model.';
comment on column public.credit_plans.credit_limit is
  'Overdraft that set_account_plan gives an account on this plan.';
comment on column public.credit_plans.keep_outputs_days is
  'How many days after its job has ended an output is kept in Storage; null: until it is deleted. A change of plan '
  'counts for outputs that are there already.';

alter table public.credit_plans enable row level security;
create policy credit_plans_read on public.credit_plans
  for select to authenticated using (true);

insert into public.credit_plans (name) values ('default');
