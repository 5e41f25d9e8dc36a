-- Gives: a record of every request that was denied, and why.
-- Keeps: a denial leaves a trace although it moves nothing.
-- Needs: foundation.

create table public.request_events (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  request_id text check (length(request_id) <= 128),
  status integer not null check (status between 100 and 599),
  code text not null,
  model text check (length(model) <= 63),
  job_id uuid,
  created_at timestamptz not null default now()
);
create index request_events_by_account on public.request_events (account_id, created_at desc);

comment on table public.request_events is
  'Requests that were denied (400, 402, 403, 409, 422, 429). Those that were charged are in generation_jobs.';
comment on column public.request_events.code is 'The stable code of the answer, such as rate_limited.';
comment on column public.request_events.job_id is 'The job that an idempotency key pointed to (409, 422).';

alter table public.request_events enable row level security;
revoke all on table public.request_events from public, anon, authenticated, service_role;
grant select on table public.request_events to service_role;
