-- Gives: the price book, and the one place where a request gets its price.
-- Keeps: a price version is never changed by a later one; every cost is a whole number of credits.
-- Needs: foundation.

create table public.generation_models (
  name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  effective_from timestamptz not null default now(),
  provider text not null check (length(provider) between 1 and 63),
  provider_model text not null check (length(provider_model) between 1 and 127),
  unit text not null default 'image' check (unit in ('image', 'megapixel', 'second', '1k_tokens')),
  unit_price bigint not null check (unit_price between 0 and 1000000000),
  output_unit_price bigint check (output_unit_price between 0 and 1000000000),
  overrun text not null default 'cap' check (overrun in ('cap', 'overdraft')),
  min_width integer not null default 64,
  max_width integer not null default 2048,
  min_height integer not null default 64,
  max_height integer not null default 2048,
  default_width integer not null default 1024,
  default_height integer not null default 1024,
  allowed_sizes text[],
  max_n integer not null default 4 check (max_n between 1 and 100),
  max_seconds integer not null default 60 check (max_seconds between 1 and 86400),
  max_input_tokens integer not null default 8192 check (max_input_tokens between 1 and 100000000),
  max_output_tokens integer not null default 4096 check (max_output_tokens between 1 and 100000000),
  max_prompt_length integer not null default 4000 check (max_prompt_length between 1 and 32000),
  timeout_seconds integer not null default 120 check (timeout_seconds between 1 and 3600),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  primary key (name, effective_from),
  constraint output_price_for_tokens check ((output_unit_price is not null) = (unit = '1k_tokens')),
  constraint width_bounds
    check (1 <= min_width and min_width <= default_width and default_width <= max_width and max_width <= 16384),
  constraint height_bounds
    check (1 <= min_height and min_height <= default_height and default_height <= max_height and max_height <= 16384)
);

comment on table public.generation_models is
  'The price book: one row per model and price version. The version in force is the latest whose effective_from has come. Apps read that '
  'one row of each model that is enabled, each column but provider_model: name the columns, for * asks for that one too. Rows of before '
  'and rows to come are for the service.';
comment on column public.generation_models.effective_from is
  'From when this version counts. A new price is a new row; jobs keep the version they were charged by.';
comment on column public.generation_models.provider is 'Which provider of the functions makes it (functions/_shared/providers).';
comment on column public.generation_models.provider_model is
  'The provider''s own name for the model. Not public: it tells what is behind a price.';
comment on column public.generation_models.unit is
  'What unit_price buys: an image, a megapixel, a second (of video or audio) or 1,000 input tokens. A job''s cost is rounded up once.';
comment on column public.generation_models.unit_price is 'Whole credits per unit. 0: free, and still counted, limited and recorded: a job without an entry.';
comment on column public.generation_models.output_unit_price is 'Whole credits for 1,000 output tokens, where the unit is 1k_tokens.';
comment on column public.generation_models.overrun is
  'When the actual usage costs more than was reserved: cap (the user pays what was reserved) or overdraft (the rest is '
  'charged, as far as the account''s credits and credit_limit go).';
comment on column public.generation_models.max_seconds is 'Longest output in seconds; what a charge reserves when the request names none.';
comment on column public.generation_models.max_input_tokens is 'Most input tokens; reserved when the request names none (input_tokens).';
comment on column public.generation_models.max_output_tokens is 'Most output tokens; reserved when the request names none (output_tokens).';
comment on column public.generation_models.allowed_sizes is 'Sizes such as 1024x1024 that alone are possible; null: any within the limits.';
comment on column public.generation_models.max_n is 'Most images in one job.';
comment on column public.generation_models.max_prompt_length is 'Longest prompt, in characters.';
comment on column public.generation_models.timeout_seconds is 'How long the provider may take.';
comment on column public.generation_models.enabled is
  'Whether it can be charged for and is shown. A later row with false ends the model from its effective_from on.';

create function credits.is_price_in_force(p_name text, p_effective_from timestamptz)
returns boolean
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select p_effective_from = (select max(effective_from) from public.generation_models where name = p_name and effective_from <= now());
$$;
comment on function credits.is_price_in_force(text, timestamptz) is
  'Whether a price version is the one that counts now, enabled or not. For the policy of generation_models, which cannot read its own table.';

alter table public.generation_models enable row level security;
-- A price to come is not public until it counts: a user who reads it could buy before it rises. A row of before is not either:
-- by it an app would list a model that the row in force has disabled.
create policy generation_models_read_enabled on public.generation_models
  for select to anon, authenticated using (enabled and credits.is_price_in_force(name, effective_from));

insert into public.generation_models (name, effective_from, provider, provider_model, unit_price)
values ('standard-image', '2026-01-01', 'placeholder', 'placeholder', 500);
insert into public.generation_models
  (name, effective_from, provider, provider_model, unit_price, allowed_sizes,
   min_width, max_width, min_height, max_height, enabled)
values
  ('gpt-image-1', '2026-01-01', 'openai', 'gpt-image-1', 800,
   array['1024x1024', '1536x1024', '1024x1536'], 1024, 1536, 1024, 1536, false);

create type public.generation_quote as (
  status integer,
  code text,
  message text,
  model text,
  cost bigint,
  errors jsonb
);
comment on type public.generation_quote is
  'Answer to "what would it cost?": status 200 (code quoted) with the cost in whole credits; 400 with '
  'code invalid_model or invalid_request and, in errors, [{"field", "message"}]; or 409 price_changed, above the request''s max_cost.';
