-- Gives: what is known of a job at its provider, where that provider calls back and can be asked.
-- Keeps: one row per job that such a provider has, and none for any other: they cost no more for it.
-- Needs: accounts, jobs.

create table public.generation_provider_jobs (
  account_id uuid not null,
  job_id uuid not null,
  urls jsonb,
  expected_by timestamptz not null,
  asks integer not null default 0,
  next_ask_at timestamptz not null,
  asked_at timestamptz,
  last_answer text,
  last_error jsonb,
  cancel_requested_at timestamptz,
  primary key (account_id, job_id)
)
-- Half-empty pages keep what changes with each ask on its page.
with (fillfactor = 50);
-- The jobs that are due to be asked about.
create index generation_provider_jobs_due on public.generation_provider_jobs (next_ask_at);

comment on table public.generation_provider_jobs is
  'The open jobs that a provider which calls back has, with what was asked and answered. claim_provider_asks reads '
  'it, provider_answered and receive_callback write it; the sweep deletes the rows of jobs that have ended. Users '
  'cannot read it.';
comment on column public.generation_provider_jobs.urls is
  'The provider''s own addresses of the job, by name, where it gave some.';
comment on column public.generation_provider_jobs.expected_by is
  'When the job should have ended, by its model''s timeout_seconds. It may go on to generation_jobs.deadline_at, which '
  'follows from hard_timeout_seconds.';
comment on column public.generation_provider_jobs.asks is 'How often the provider was asked.';
comment on column public.generation_provider_jobs.next_ask_at is 'When to ask next, if nothing is heard until then.';
comment on column public.generation_provider_jobs.asked_at is 'When the provider was asked last.';
comment on column public.generation_provider_jobs.last_answer is
  'What the provider said last, by a callback or an answer: running, unknown or succeeded.';
comment on column public.generation_provider_jobs.last_error is 'Why the last answer was unknown.';
comment on column public.generation_provider_jobs.cancel_requested_at is
  'When its user asked to cancel it. The job goes on until the provider has stopped it; then it is refunded.';

alter table public.generation_provider_jobs enable row level security;
