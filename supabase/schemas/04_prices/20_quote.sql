-- Gives: quote_generation, which answers what a charge would cost.
-- Keeps: one rule for price and limits, used by the quote and by the charge alike.
-- Needs: price book, denials.

create function credits.integer_field(p_value jsonb, p_min integer, p_max integer)
returns jsonb
language plpgsql
immutable
strict
set search_path = '', pg_temp
as $$
begin
  if p_value = 'null' then
    return null;
  elsif jsonb_typeof(p_value) = 'number' and p_value::numeric % 1 = 0 and p_value::numeric between p_min and p_max then
    return to_jsonb(p_value::integer);
  end if;
  return to_jsonb(format('must be a whole number from %s to %s', p_min, p_max));
end;
$$;
comment on function credits.integer_field(jsonb, integer, integer) is
  'Reads a whole number from a request: null where there is none, a text that says what it must be where it is another value.';

create function credits.usage_cost(p_unit text, p_unit_price bigint, p_output_unit_price bigint, p_usage jsonb)
returns bigint
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Exact arithmetic, rounded up once for the whole job.
  if p_unit = 'image' then
    return ceil(p_unit_price * (p_usage ->> 'n')::numeric);
  elsif p_unit = 'megapixel' then
    return ceil(p_unit_price * (p_usage ->> 'n')::numeric * (p_usage ->> 'width')::numeric * (p_usage ->> 'height')::numeric / 1000000);
  elsif p_unit = 'second' then
    return ceil(p_unit_price * (p_usage ->> 'seconds')::numeric);
  end if;
  return ceil((p_unit_price * (p_usage ->> 'input_tokens')::numeric
    + p_output_unit_price * (p_usage ->> 'output_tokens')::numeric) / 1000);
end;
$$;
comment on function credits.usage_cost(text, bigint, bigint, jsonb) is
  'What a usage costs by a price version, in whole credits. The one place where a price is computed.';

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
  timeout_seconds integer
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
comment on function credits.request_refused(text, jsonb, text) is 'A request that cannot be priced, and why.';

create function credits.request_price(p_model text, p_input jsonb)
returns credits.priced_request
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  model record;
  usage jsonb;
  errors jsonb := '[]'::jsonb;
  cost bigint;
  priced credits.priced_request;
begin
  if jsonb_typeof(p_input) is distinct from 'object' or octet_length(p_input::text) > 131072 then
    return credits.request_refused('invalid_request', '[{"field": "input", "message": "must be a JSON object of at most 128 KiB"}]',
      'The request must be a JSON object of at most 128 KiB.');
  end if;
  select m.* into model from public.generation_models as m
  where m.name = p_model and m.effective_from <= now() order by m.effective_from desc limit 1;
  if model.enabled is not true then
    return credits.request_refused('invalid_model', '[{"field": "model", "message": "must be the name of an enabled model"}]');
  end if;

  -- The most that the request can use: a number a field, or a text that says what is wrong with it.
  if model.unit in ('image', 'megapixel') then
    usage := jsonb_build_object(
      'n', coalesce(credits.integer_field(p_input -> 'n', 1, model.max_n), '1'),
      'width', coalesce(credits.integer_field(p_input -> 'width', model.min_width, model.max_width), to_jsonb(model.default_width)),
      'height', coalesce(credits.integer_field(p_input -> 'height', model.min_height, model.max_height), to_jsonb(model.default_height)));
  elsif model.unit = 'second' then
    usage := jsonb_build_object(
      'seconds', coalesce(credits.integer_field(p_input -> 'seconds', 1, model.max_seconds), to_jsonb(model.max_seconds)));
    -- A size costs nothing where seconds are paid, but where it is asked for it is one that the model makes.
    if jsonb_strip_nulls(p_input) ?| array['width', 'height'] then
      usage := usage || jsonb_build_object(
        'width', coalesce(credits.integer_field(p_input -> 'width', model.min_width, model.max_width), to_jsonb(model.default_width)),
        'height', coalesce(credits.integer_field(p_input -> 'height', model.min_height, model.max_height), to_jsonb(model.default_height)));
    end if;
  else
    usage := jsonb_build_object(
      'input_tokens', coalesce(credits.integer_field(p_input -> 'input_tokens', 1, model.max_input_tokens), to_jsonb(model.max_input_tokens)),
      'output_tokens', coalesce(credits.integer_field(p_input -> 'output_tokens', 1, model.max_output_tokens), to_jsonb(model.max_output_tokens)));
  end if;

  if jsonb_typeof(p_input -> 'prompt') is distinct from 'string'
     or length(p_input ->> 'prompt') not between 1 and model.max_prompt_length then
    errors := errors || jsonb_build_object(
      'field', 'prompt', 'message', format('must be text of 1 to %s characters', model.max_prompt_length));
  end if;
  if p_input ?| array['max_cost', 'type'] then
    if (case jsonb_typeof(p_input -> 'max_cost') when 'number' then (p_input -> 'max_cost')::numeric < 0 or (p_input -> 'max_cost')::numeric % 1 <> 0
      when 'null' then false else p_input ? 'max_cost' end) then
      errors := errors || '{"field": "max_cost", "message": "must be a whole number of credits, 0 or more"}'::jsonb;
    end if;
    if p_input ->> 'type' = 'image' and model.unit not in ('image', 'megapixel') then
      errors := errors || jsonb_build_object('field', 'type', 'message', 'must be what the model makes: it makes no images');
    end if;
  end if;
  if usage @? '$.* ? (@.type() == "string")' then
    errors := errors || (
      select jsonb_agg(jsonb_build_object('field', f.key, 'message', f.value) order by f.key)
      from jsonb_each(usage) as f where jsonb_typeof(f.value) = 'string');
  elsif model.allowed_sizes is not null and usage ? 'width' and errors = '[]'
    and format('%sx%s', usage ->> 'width', usage ->> 'height') <> all (model.allowed_sizes) then
    errors := errors || jsonb_build_object(
      'field', 'width', 'message', 'width and height must be one of ' || array_to_string(model.allowed_sizes, ', '));
  end if;
  if errors <> '[]' then
    return credits.request_refused('invalid_request', errors, 'The request is outside what the model can do.');
  end if;

  cost := credits.usage_cost(model.unit, model.unit_price, model.output_unit_price, usage);
  -- What the caller was quoted may have been another price: rather nothing than a surprise.
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
  return priced;
end;
$$;
comment on function credits.request_price(text, jsonb) is
  'The one rule for limits and price: checks a request against its model''s price version of now and prices it in whole credits. 400 says '
  'what is wrong, an element for each field; 409 that it costs more than its max_cost. Used by the quote and by the charge.';

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
  'What a generation would cost now, in whole credits; moves nothing and counts towards no limit. '
  'A user may call it. Never raises for a bad request: status 400 says what is wrong, 409 that it costs more than the input''s max_cost.';
