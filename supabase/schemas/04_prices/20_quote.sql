-- Gives: quote_generation, which says what a charge would cost.
-- Keeps: one rule for price and limits, used by the quote and by the charge alike.
-- Needs: price book, denials, metering.

create type credits.priced_request as (
  status integer,
  code text,
  message text,
  errors jsonb,
  cost bigint,
  input jsonb,
  model text,
  effective_from timestamptz,
  provider text,
  provider_model text,
  timeout_seconds integer,
  type text,
  max_output_bytes bigint
);

create function credits.request_refused(p_code text, p_errors jsonb default null, p_message text default null)
returns credits.priced_request
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  refused credits.priced_request;
begin
  select d.code, d.status, coalesce(p_message, d.message) into strict refused.code, refused.status, refused.message
  from credits.denials as d where d.code = p_code;
  refused.errors := p_errors;
  return refused;
end;
$$;
comment on function credits.request_refused(text, jsonb, text) is 'The denial of a request that cannot be priced.';

create function credits.choice_error(p_value jsonb, p_choices text[])
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Null is a field that is left out. Without a list of choices a name is enough.
  select case when coalesce(jsonb_typeof(p_value), 'null') = 'null' then null
    when jsonb_typeof(p_value) = 'string' and case when p_choices is null
      then length(p_value #>> '{}') between 1 and 63 else p_value #>> '{}' = any (p_choices) end then null
    when p_choices is null then 'must be text of 1 to 63 characters'
    else 'must be one of ' || array_to_string(p_choices, ', ') end;
$$;
comment on function credits.choice_error(jsonb, text[]) is
  'What is wrong with a field that names one of several choices; null if nothing is, or it is left out.';

create function credits.video_asked(p_model public.generation_models, p_input jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  has_size constant boolean := jsonb_strip_nulls(p_input) ?| array['width', 'height'];
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'n', credits.integer_field(p_input -> 'n', 1, 1),
    'seconds', coalesce(credits.integer_field(p_input -> 'seconds', 1, p_model.max_seconds),
      to_jsonb(coalesce(p_model.default_seconds, p_model.max_seconds))),
    -- A size is free, but one in the request must be within the model's limits.
    'width', case when has_size then coalesce(
      credits.integer_field(p_input -> 'width', p_model.min_width, p_model.max_width),
      to_jsonb(p_model.default_width)) end,
    'height', case when has_size then coalesce(
      credits.integer_field(p_input -> 'height', p_model.min_height, p_model.max_height),
      to_jsonb(p_model.default_height)) end,
    'aspect_ratio', case when has_size and p_input ->> 'aspect_ratio' is not null
      then 'must be left out where a width or height is named'
      else credits.choice_error(p_input -> 'aspect_ratio', array['16:9', '9:16', '1:1', '4:3', '3:4', '21:9']) end,
    'image', case when coalesce(jsonb_typeof(p_input -> 'image'), 'null') = 'null' then null
      when jsonb_typeof(p_input -> 'image') <> 'string' or length(p_input ->> 'image') not between 1 and 255
      then 'must be the path of an upload or of an output' end));
end;
$$;
comment on function credits.video_asked(public.generation_models, jsonb) is
  'What a request for a video asks for: numbers, or of a field that is wrong a text that says so. Whether the first '
  'frame (image) may be read is checked before the charge, by check_input_object.';

create function credits.speech_asked(p_model public.generation_models, p_input jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'n', credits.integer_field(p_input -> 'n', 1, 1),
    'voice', credits.choice_error(p_input -> 'voice', p_model.voices),
    'format', credits.choice_error(p_input -> 'format',
      coalesce(p_model.formats, array['wav', 'mp3', 'opus', 'flac', 'aac']))));
$$;
comment on function credits.speech_asked(public.generation_models, jsonb) is
  'What is wrong with a request for speech: a text for each field.';

-- Volatile, so that each statement sees what is committed by then: a charge may have waited here for a price change.
create function credits.request_price(p_model text, p_input jsonb)
returns credits.priced_request
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  model public.generation_models;
  usage jsonb;
  errors jsonb := '[]'::jsonb;
  cost bigint;
  priced credits.priced_request;
begin
  if jsonb_typeof(p_input) is distinct from 'object' or octet_length(p_input::text) > 131072 then
    return credits.request_refused('invalid_request',
      '[{"field": "input", "message": "must be a JSON object of at most 128 KiB"}]',
      'The request must be a JSON object of at most 128 KiB.');
  end if;
  select * into model from public.generation_models
  where name = p_model and effective_from <= now() order by effective_from desc limit 1;
  if model.enabled is not true or model.meters = '{}' then
    return credits.request_refused('invalid_model',
      '[{"field": "model", "message": "must be the name of an enabled model"}]');
  end if;

  -- The most that the request can use: one number per field, or a text that says what is wrong with it.
  if model.type = 'image' then
    usage := jsonb_build_object('n', 1, 'width', model.default_width, 'height', model.default_height);
    if p_input ?| array['n', 'width', 'height'] then
      usage := usage || jsonb_strip_nulls(jsonb_build_object(
        'n', credits.integer_field(p_input -> 'n', 1, model.max_n),
        'width', credits.integer_field(p_input -> 'width', model.min_width, model.max_width),
        'height', credits.integer_field(p_input -> 'height', model.min_height, model.max_height)));
    end if;
    if model.meters[2] is not null or model.meters[1] not in ('image', 'megapixel', 'request') then
      usage := credits.usage_most(model.meters, model.prices, p_input, model.max_seconds, model.max_input_tokens,
        model.max_output_tokens) || usage;
    end if;
  else
    usage := credits.usage_most(model.meters, model.prices, p_input, model.max_seconds, model.max_input_tokens,
      model.max_output_tokens)
      || case model.type when 'video' then credits.video_asked(model, p_input)
        when 'speech' then credits.speech_asked(model, p_input) else '{}' end;
  end if;
  if jsonb_typeof(p_input -> 'prompt') is distinct from 'string'
     or length(p_input ->> 'prompt') not between 1 and model.max_prompt_length then
    errors := errors || jsonb_build_object(
      'field', 'prompt', 'message', format('must be text of 1 to %s characters', model.max_prompt_length));
  end if;
  if p_input ?| array['max_cost', 'type'] then
    if (case jsonb_typeof(p_input -> 'max_cost')
      when 'number' then (p_input -> 'max_cost')::numeric < 0 or (p_input -> 'max_cost')::numeric % 1 <> 0
      when 'null' then false else p_input ? 'max_cost' end) then
      errors := errors || '{"field": "max_cost", "message": "must be a whole number of credits, 0 or more"}'::jsonb;
    end if;
    if p_input -> 'type' not in ('null', to_jsonb(model.type)) then
      errors := errors
        || jsonb_build_object('field', 'type', 'message', format('must be what the model makes: %s', model.type));
    end if;
  end if;
  if usage @? '$.* ? (@.type() == "string")' then
    errors := errors || (
      select jsonb_agg(jsonb_build_object('field', f.key, 'message', f.value) order by f.key)
      from jsonb_each(usage) as f where jsonb_typeof(f.value) = 'string');
  elsif model.allowed_sizes is not null then
    if usage ? 'width' and errors = '[]'
      and format('%sx%s', usage ->> 'width', usage ->> 'height') <> all (model.allowed_sizes) then
      errors := errors || jsonb_build_object(
        'field', 'width', 'message', 'width and height must be one of ' || array_to_string(model.allowed_sizes, ', '));
    end if;
  end if;
  if errors <> '[]' then
    return credits.request_refused('invalid_request', errors, 'The request is outside what the model can do.');
  end if;

  cost := credits.usage_cost(model.meters, model.prices, usage);
  -- The price may have risen since the caller's quote: a denial is better than a surprise.
  if cost > (p_input ->> 'max_cost')::numeric then
    priced := credits.request_refused('price_changed');
    priced.message := format(priced.message, cost, p_input ->> 'max_cost');
    priced.cost := cost;
    return priced;
  end if;
  priced.status := 200;
  priced.code := 'quoted';
  priced.cost := cost;
  priced.input := p_input || usage;
  priced.model := model.name;
  priced.effective_from := model.effective_from;
  priced.provider := model.provider;
  priced.provider_model := model.provider_model;
  priced.timeout_seconds := model.timeout_seconds;
  priced.type := model.type;
  priced.max_output_bytes := model.max_output_bytes;
  if model.type = 'video' then
    priced.input := priced.input || '{"type": "video"}';
  elsif model.type = 'speech' then
    priced.input := priced.input || jsonb_strip_nulls(jsonb_build_object('type', 'speech',
      'voice', coalesce(p_input ->> 'voice', model.voices[1]),
      'format', coalesce(p_input ->> 'format', model.formats[1], 'mp3')));
  end if;
  return priced;
end;
$$;
comment on function credits.request_price(text, jsonb) is
  'The one rule for limits and price, used by the quote and by the charge: checks a request against the price version '
  'in force and prices it in whole credits. 400 says what is wrong, one element per field; 409: it costs more than '
  'its max_cost.';

create function public.quote_generation(p_model text, p_input jsonb)
returns public.generation_quote
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  priced credits.priced_request := credits.request_price(p_model, p_input);
  quote public.generation_quote;
begin
  quote.status := priced.status;
  quote.code := priced.code;
  quote.message := priced.message;
  quote.model := priced.model;
  quote.cost := priced.cost;
  quote.errors := priced.errors;
  return quote;
end;
$$;
comment on function public.quote_generation(text, jsonb) is
  'What a generation would cost now, in whole credits. Moves nothing and counts towards no limit. Users may call it. '
  'Never raises for a bad request: status 400 says what is wrong, 409 that it costs more than the input''s max_cost.';
