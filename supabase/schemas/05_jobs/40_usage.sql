-- Gives: what each text job has used, in tokens, and the app key that it was charged by.
-- Keeps: counts alone, no word of a prompt or an answer.
-- Needs: accounts.

create table public.generation_usage (
  account_id uuid not null,
  job_id uuid not null,
  app_key_id uuid,
  usage jsonb,
  usage_source text check (usage_source in ('progress', 'reported', 'estimated')),
  noted_at timestamptz not null default now(),
  primary key (account_id, job_id)
)
-- Half-empty pages keep the notes of a job's progress on their page (HOT).
with (fillfactor = 50);

comment on table public.generation_usage is
  'What a text job has used: one row per job, written with its charge. While the job runs, its progress is noted '
  'here, and the sweep settles by it; at the end, what it was settled by.';
comment on column public.generation_usage.app_key_id is
  'The app key that the job was charged by; null: an access token, or the app''s own server. Users cannot read it.';
comment on column public.generation_usage.usage is
  'Tokens by field, as settle_generation reads them; null: nothing was delivered yet, or ever.';
comment on column public.generation_usage.usage_source is
  'progress: an estimate while it runs. reported: the provider''s own numbers. estimated: of prompt and delivered '
  'text, because the provider said nothing. null: nothing was delivered.';
comment on column public.generation_usage.noted_at is 'When usage was noted last.';

alter table public.generation_usage enable row level security;
create policy generation_usage_read_own on public.generation_usage
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));
