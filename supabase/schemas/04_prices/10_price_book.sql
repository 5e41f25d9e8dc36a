-- Gives: the price book: models, and the rates per meter of each of their price versions.
-- Keeps: a price version is never changed by a later one; every cost fits a bigint.
-- Needs: foundation.

create table public.generation_models (
  name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  effective_from timestamptz not null default now(),
  provider text not null check (length(provider) between 1 and 63),
  provider_model text not null check (length(provider_model) between 1 and 127),
  type text check (type in ('image', 'video', 'speech', 'text')),
  overage text not null default 'cap' check (overage in ('cap', 'overdraft')),
  min_width integer not null default 64,
  max_width integer not null default 2048,
  min_height integer not null default 64,
  max_height integer not null default 2048,
  default_width integer not null default 1024,
  default_height integer not null default 1024,
  allowed_sizes text[],
  max_n integer not null default 4 check (max_n between 1 and 100),
  max_seconds integer not null default 60 check (max_seconds between 1 and 86400),
  default_seconds integer check (default_seconds between 1 and max_seconds),
  voices text[],
  formats text[],
  max_input_tokens integer not null default 8192 check (max_input_tokens between 1 and 100000000),
  max_output_tokens integer not null default 4096 check (max_output_tokens between 1 and 100000000),
  default_output_tokens integer not null default 1024 check (default_output_tokens between 1 and 100000000),
  image_tokens integer check (image_tokens between 1 and 1000000),
  reasons boolean not null default false,
  max_prompt_length integer not null default 4000 check (max_prompt_length between 1 and 32000),
  timeout_seconds integer not null default 60 check (timeout_seconds between 1 and 3600),
  max_output_bytes bigint not null default 52428800 check (max_output_bytes between 1 and 1073741824),
  hard_timeout_seconds integer not null default 3600 check (hard_timeout_seconds between timeout_seconds and 86400),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  meters text[] not null default '{}',
  prices numeric[] not null default '{}',
  primary key (name, effective_from),
  constraint width_bounds
    check (1 <= min_width and min_width <= default_width and default_width <= max_width and max_width <= 16384),
  constraint height_bounds
    check (1 <= min_height and min_height <= default_height and default_height <= max_height and max_height <= 16384),
  constraint voices_are_names check (cardinality(voices) between 1 and 100 and array_position(voices, null) is null
    and length(array_to_string(voices, '')) >= cardinality(voices)),
  constraint formats_are_known check (cardinality(formats) > 0 and array_position(formats, null) is null
    and formats <@ array['wav', 'mp3', 'opus', 'flac', 'aac'])
);

comment on table public.generation_models is
  'The price book: one row per model and price version; its prices are in generation_model_rates. The version in '
  'force is the latest whose effective_from has come. Apps read that row of each enabled model, every column but '
  'provider_model, meters and prices: name the columns, because * asks for those too. Only the service reads past and '
  'future versions. set_model_price writes a version.';
comment on column public.generation_models.effective_from is
  'When this version comes into force. A new price is a new version; jobs keep the version that they were charged by.';
comment on column public.generation_models.provider is 'The provider that runs it (functions/_shared/providers).';
comment on column public.generation_models.provider_model is
  'The provider''s own name for the model. Not public: it tells what is behind a price.';
comment on column public.generation_models.type is
  'What it makes: image, video, speech or text. Decides what a request may ask for. Where it is left out it follows '
  'from the meters of its rates: image and megapixel make images, so does request alone; second makes video, character '
  'speech, and tokens text.';
comment on column public.generation_models.overage is
  'If the actual usage costs more than was reserved: cap (the user pays what was reserved) or overdraft (the rest is '
  'charged, as far as the account''s credits and credit_limit go).';
comment on column public.generation_models.max_seconds is 'Longest output in seconds.';
comment on column public.generation_models.default_seconds is
  'Seconds that a charge reserves if the request names none; null: max_seconds.';
comment on column public.generation_models.voices is
  'The only possible voices of speech; the first one speaks if the request names none. null: any that the provider '
  'has.';
comment on column public.generation_models.formats is
  'The only possible formats of speech, of wav, mp3, opus, flac and aac; the first one if the request names none. '
  'null: any of them, and mp3.';
comment on column public.generation_models.max_input_tokens is
  'Most input tokens; a charge reserves them if the request names none (input_tokens).';
comment on column public.generation_models.max_output_tokens is
  'Most output tokens; a charge reserves them if the request names none (output_tokens).';
comment on column public.generation_models.default_output_tokens is
  'Output tokens that a text request gets per choice if it names no maximum, as far as they can be afforded.';
comment on column public.generation_models.image_tokens is
  'Most input tokens that one image of a text request counts as; null: the model takes no images.';
comment on column public.generation_models.reasons is
  'Whether it thinks before it answers. Where its thoughts are not shown, only the end of an answer says what they '
  'cost: a client that hangs up after the first word is then charged the whole answer, which the provider makes to '
  'its end.';
comment on column public.generation_models.allowed_sizes is
  'The only possible sizes, such as 1024x1024; null: any size within the limits.';
comment on column public.generation_models.max_n is 'Most images in one job.';
comment on column public.generation_models.max_prompt_length is 'Longest prompt, in characters.';
comment on column public.generation_models.timeout_seconds is
  'How long the provider may take. Of a provider that answers within the request at most '
  'credit_settings.request_timeout_seconds, which verify_deployment checks: the platform ends a longer request.';
comment on column public.generation_models.max_output_bytes is
  'Largest file that is kept as an output. A larger one fails the job, which is refunded.';
comment on column public.generation_models.hard_timeout_seconds is
  'How long after its charge a job is waited for whose provider calls back and has it: the provider is asked, and the '
  'job is refunded when it says that it failed, or at the end of this time.';
comment on column public.generation_models.enabled is
  'Whether it is shown and can be charged for. A later version with false ends the model from its effective_from on.';

comment on column public.generation_models.meters is
  'The meters of its rates in generation_model_rates. Filled by triggers, so that a charge reads one row.';
comment on column public.generation_models.prices is 'Of each meter, credits per 9,000,000 units.';

create function credits.is_price_in_force(p_name text, p_effective_from timestamptz)
returns boolean
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select p_effective_from = (select max(effective_from) from public.generation_models
    where name = p_name and effective_from <= now());
$$;
comment on function credits.is_price_in_force(text, timestamptz) is
  'Whether a price version is the one in force now, enabled or not. For the policy of generation_models, which cannot '
  'read its own table.';

alter table public.generation_models enable row level security;
-- A future price is not public: a user who reads it could buy before it rises. Neither is a past one: an app that lists
-- it would show a model that the version in force has disabled.
create policy generation_models_read_enabled on public.generation_models
  for select to anon, authenticated using (enabled and credits.is_price_in_force(name, effective_from));

create table public.generation_model_rates (
  model text not null,
  effective_from timestamptz not null,
  meter text not null,
  price numeric not null,
  per numeric not null default 1,
  primary key (model, effective_from, meter),
  foreign key (model, effective_from) references public.generation_models (name, effective_from)
    on update cascade on delete cascade,
  constraint meter_is_known check (meter in ('image', 'megapixel', 'second', 'input_token', 'cache_read_token',
    'cache_write_token', 'output_token', 'character', 'request')),
  -- NaN and Infinity are above every bound. A short scale keeps arithmetic fast.
  constraint price_bounds check (price between 0 and 1000000000 and min_scale(price) <= 12),
  -- Every allowed value divides 9,000,000, so that credits.usage_cost adds up without a remainder.
  constraint per_is_usual check (per in (1, 60, 1000, 3600, 1000000))
);

comment on table public.generation_model_rates is
  'What a price version costs: one row per meter, with a price for a number of units. A job costs the sum over the '
  'meters of its version, rounded up once. A meter without a row costs nothing; a version that is sold has at least '
  'one row. Apps read the rates of the versions that they can read in generation_models. A version and its rates are '
  'written together, best by set_model_price.';
comment on column public.generation_model_rates.model is 'The model by its name in generation_models.';
comment on column public.generation_model_rates.effective_from is 'The price version of the model.';
comment on column public.generation_model_rates.meter is
  'What is counted: image, megapixel, second (of video or audio), input_token, cache_read_token, cache_write_token, '
  'output_token, character (of the prompt) or request (1 per job). Input tokens that were read from or written to a '
  'cache count by that meter if it has a rate, otherwise as input tokens.';
comment on column public.generation_model_rates.price is
  'Credits for as many units as per says; fractions are allowed. 0: free, and still limited and recorded.';
comment on column public.generation_model_rates.per is
  'How many units the price buys: 1, 60 (a minute of seconds), 1000, 3600 (an hour) or 1000000.';

create function credits.type_of_meters(p_meters text[])
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_meters && array['image', 'megapixel'] or p_meters = '{request}' then 'image'
    when 'second' = any (p_meters) then 'video'
    when 'character' = any (p_meters) then 'speech'
    when p_meters <> '{}' then 'text' end;
$$;
comment on function credits.type_of_meters(text[]) is
  'What a model makes that is paid by these meters, where nothing else is said.';

create function credits.version_takes_rates()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  new.meters := array(select meter from public.generation_model_rates
    where model = new.name and effective_from = new.effective_from order by meter);
  new.prices := array(select trim_scale(price * (9000000 / per)) from public.generation_model_rates
    where model = new.name and effective_from = new.effective_from order by meter);
  new.type := coalesce(new.type, credits.type_of_meters(new.meters));
  if new.type <> 'image' and new.meters && array['image', 'megapixel'] then
    perform credits.raise_misuse('23514', format('a model that makes %s is not paid by the image', new.type),
      'Pay it by the second, character, token or request, or write a version with the type image.');
  end if;
  return new;
end;
$$;
comment on function credits.version_takes_rates() is
  'Fills meters and prices of a price version from its rates alone: another value is overwritten. Fills its type from '
  'its first rates where it has none. Raises 23514 for a rate that its type has no quantity for.';
create trigger version_takes_rates before insert or update on public.generation_models
  for each row execute function credits.version_takes_rates();

create function credits.rates_change_version()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  update public.generation_models set meters = default
  where name = coalesce(new.model, old.model) and effective_from = coalesce(new.effective_from, old.effective_from);
  return null;
end;
$$;
comment on function credits.rates_change_version() is 'Has a price version filled again when its rates have changed.';
create trigger rates_change_version after insert or update or delete on public.generation_model_rates
  for each row execute function credits.rates_change_version();

alter table public.generation_model_rates enable row level security;
-- The policy of generation_models applies here: it shows the version in force of each enabled model.
create policy generation_model_rates_read_enabled on public.generation_model_rates
  for select to anon, authenticated using (exists (
    select from public.generation_models as m
    where m.name = generation_model_rates.model and m.effective_from = generation_model_rates.effective_from));

insert into public.generation_models
  (name, effective_from, provider, provider_model, allowed_sizes, min_width, max_width, min_height, max_height, enabled)
values
  ('standard-image', '2026-01-01', 'placeholder', 'placeholder', null, 64, 2048, 64, 2048, true),
  ('gpt-image-1', '2026-01-01', 'openai', 'gpt-image-1', array['1024x1024', '1536x1024', '1024x1536'], 1024, 1536,
    1024, 1536, false);
insert into public.generation_models
  (name, effective_from, provider, provider_model, max_input_tokens, max_output_tokens, image_tokens)
values ('standard-text', '2026-01-01', 'placeholder', 'placeholder-text', 32768, 8192, 1000);
insert into public.generation_model_rates (model, effective_from, meter, price, per)
values
  ('standard-text', '2026-01-01', 'input_token', 1000, 1000000),
  ('standard-text', '2026-01-01', 'cache_read_token', 250, 1000000),
  ('standard-text', '2026-01-01', 'output_token', 4000, 1000000);
insert into public.generation_model_rates (model, effective_from, meter, price)
values ('standard-image', '2026-01-01', 'image', 500), ('gpt-image-1', '2026-01-01', 'image', 800);

insert into public.generation_models (name, effective_from, provider, provider_model, max_width, max_height,
  default_width, default_height, max_seconds, default_seconds)
values ('standard-video', '2026-01-01', 'placeholder', 'placeholder-video', 1280, 1280, 640, 360, 5, 2);
insert into public.generation_models (name, effective_from, provider, provider_model, formats)
values ('standard-speech', '2026-01-01', 'placeholder', 'placeholder-speech', '{wav}');
insert into public.generation_model_rates (model, effective_from, meter, price, per)
values ('standard-video', '2026-01-01', 'second', 50, 1), ('standard-speech', '2026-01-01', 'character', 20, 1000);

create type public.generation_quote as (
  status integer,
  code text,
  message text,
  model text,
  cost bigint,
  errors jsonb
);
comment on type public.generation_quote is
  'Answer to "what would it cost?": 200 quoted, with the cost in whole credits; 400 invalid_model or invalid_request, '
  'with errors [{"field", "message"}]; or 409 price_changed: it costs more than the request''s max_cost.';
