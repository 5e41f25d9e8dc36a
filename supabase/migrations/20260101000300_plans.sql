-- Gives: plans, the limits that an account lives under.
-- Keeps: an account always has a plan (foreign key in the next chapter).
-- Needs: foundation.

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
  allowed_models text[],
  credit_limit bigint not null default 0 check (credit_limit between 0 and 1000000000000),
  created_at timestamptz not null default now()
);

comment on table public.credit_plans is 'Plans: what an account may do, and how fast.';
comment on column public.credit_plans.rate_limit_requests is
  'Charges that an account may ask for within rate_limit_window_seconds; also the largest burst.';
comment on column public.credit_plans.max_concurrent_jobs is
  'Jobs of one account that may be pending or running at a time.';
comment on column public.credit_plans.free_cancels_per_day is
  'How many jobs of one account may be canceled in a calendar day (UTC) that had begun at a provider which calls back: each is refunded '
  'whole, and the provider may have worked for it.';
comment on column public.credit_plans.monthly_credits is
  'Credits that refill_plans grants for each calendar month (UTC).';
comment on column public.credit_plans.roll_over is
  'What happens to monthly credits that are left at the end of the month: none (they expire), all (they stay), '
  'capped (up to roll_over_cap stay).';
comment on column public.credit_plans.roll_over_cap is 'Credits that may roll over when roll_over is capped.';
comment on column public.credit_plans.allowed_models is 'Models that may be charged for; null: every enabled one.';
comment on column public.credit_plans.credit_limit is
  'Overdraft that set_account_plan gives an account on this plan.';

alter table public.credit_plans enable row level security;
create policy credit_plans_read on public.credit_plans
  for select to authenticated using (true);
revoke all on table public.credit_plans from public, anon, authenticated, service_role;
grant select on table public.credit_plans to authenticated;
grant select, insert, update, delete on table public.credit_plans to service_role;

insert into public.credit_plans (name) values ('default');
