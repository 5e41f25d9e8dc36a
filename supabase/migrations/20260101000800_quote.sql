-- Gives: quote_generation, which answers exactly what a charge would cost.
-- Keeps: one rule for price and limits, used by the quote and by the charge alike.
-- Needs: price book.

create function credits.integer_field(
  p_input jsonb, p_field text, p_default integer, p_min integer, p_max integer, inout errors jsonb, out value integer
)
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  field jsonb := p_input -> p_field;
begin
  if field is null or field = 'null' then
    value := p_default;
  elsif jsonb_typeof(field) = 'number' and (field::numeric % 1) = 0 and field::numeric between p_min and p_max then
    value := field::integer;
  else
    errors := errors || jsonb_build_object(
      'field', p_field,
      'message', format('must be a whole number from %s to %s', p_min, p_max));
  end if;
end;
$$;
comment on function credits.integer_field(jsonb, text, integer, integer, integer, jsonb) is
  'Reads a whole number from a request; where it is none within the bounds, value is null and errors grows by one.';
revoke all on function credits.integer_field(jsonb, text, integer, integer, integer, jsonb)
  from public, anon, authenticated, service_role;

create type credits.priced_request as (
  status integer,
  code text,
  message text,
  errors jsonb,
  model public.generation_models,
  input jsonb,
  cost bigint
);

create function credits.request_refused(p_code text, p_message text, p_errors jsonb)
returns credits.priced_request
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  answer credits.priced_request;
begin
  answer.status := 400;
  answer.code := p_code;
  answer.message := p_message;
  answer.errors := p_errors;
  return answer;
end;
$$;
comment on function credits.request_refused(text, text, jsonb) is 'A request that cannot be priced, and why.';
revoke all on function credits.request_refused(text, text, jsonb) from public, anon, authenticated, service_role;

create function credits.model_current(p_model text)
returns public.generation_models
language sql
stable
set search_path = '', pg_temp
as $$
  select m from public.generation_models as m
  where m.name = p_model and m.effective_from <= now()
  order by m.effective_from desc limit 1;
$$;
comment on function credits.model_current(text) is
  'The price version of a model that counts now, enabled or not; null where there is none.';
revoke all on function credits.model_current(text) from public, anon, authenticated, service_role;

create function credits.request_usage(p_model public.generation_models, p_input jsonb, inout errors jsonb, out usage jsonb)
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  -- The fields that a unit's price depends on: name, value reserved when the request names none, bounds.
  field record;
  amount integer;
begin
  usage := '{}';
  for field in
    select * from (values
      ('n', 1, 1, p_model.max_n, p_model.unit in ('image', 'megapixel')),
      ('width', p_model.default_width, p_model.min_width, p_model.max_width, p_model.unit in ('image', 'megapixel')),
      ('height', p_model.default_height, p_model.min_height, p_model.max_height, p_model.unit in ('image', 'megapixel')),
      ('seconds', p_model.max_seconds, 1, p_model.max_seconds, p_model.unit = 'second'),
      ('input_tokens', p_model.max_input_tokens, 1, p_model.max_input_tokens, p_model.unit = '1k_tokens'),
      ('output_tokens', p_model.max_output_tokens, 1, p_model.max_output_tokens, p_model.unit = '1k_tokens')
    ) as fields (name, fallback, lowest, highest, needed) where needed
  loop
    select f.errors, f.value into errors, amount
    from credits.integer_field(p_input, field.name, field.fallback, field.lowest, field.highest, errors) as f;
    usage := usage || jsonb_build_object(field.name, amount);
  end loop;
end;
$$;
comment on function credits.request_usage(public.generation_models, jsonb, jsonb) is
  'The most that a request can use, in the fields that its model''s unit is priced by; errors grows by what is out of bounds.';
revoke all on function credits.request_usage(public.generation_models, jsonb, jsonb)
  from public, anon, authenticated, service_role;

create function credits.usage_cost(p_model public.generation_models, p_usage jsonb)
returns bigint
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Exact arithmetic, rounded up once for the whole job.
  return ceil(case p_model.unit
    when 'image' then p_model.unit_price * (p_usage ->> 'n')::numeric
    when 'megapixel' then p_model.unit_price * (p_usage ->> 'n')::numeric
      * (p_usage ->> 'width')::numeric * (p_usage ->> 'height')::numeric / 1000000
    when 'second' then p_model.unit_price * (p_usage ->> 'seconds')::numeric
    when '1k_tokens' then (p_model.unit_price * (p_usage ->> 'input_tokens')::numeric
      + p_model.output_unit_price * (p_usage ->> 'output_tokens')::numeric) / 1000
  end);
end;
$$;
comment on function credits.usage_cost(public.generation_models, jsonb) is
  'What a usage costs by a price version, in whole credits. The one place where a price is computed.';
revoke all on function credits.usage_cost(public.generation_models, jsonb) from public, anon, authenticated, service_role;

create function credits.request_errors(p_model public.generation_models, p_input jsonb, out errors jsonb, out usage jsonb)
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  errors := '[]';
  if jsonb_typeof(p_input -> 'prompt') is distinct from 'string'
     or length(p_input ->> 'prompt') not between 1 and p_model.max_prompt_length then
    errors := errors || jsonb_build_object(
      'field', 'prompt', 'message', format('must be text of 1 to %s characters', p_model.max_prompt_length));
  end if;
  select u.errors, u.usage into errors, usage from credits.request_usage(p_model, p_input, errors) as u;
  if errors = '[]' and format('%sx%s', usage ->> 'width', usage ->> 'height') <> all (p_model.allowed_sizes) then
    errors := errors || jsonb_build_object(
      'field', 'width', 'message', 'width and height must be one of ' || array_to_string(p_model.allowed_sizes, ', '));
  end if;
end;
$$;
comment on function credits.request_errors(public.generation_models, jsonb) is
  'What is wrong with a request for this model, a row a field; and the most that it can use.';
revoke all on function credits.request_errors(public.generation_models, jsonb)
  from public, anon, authenticated, service_role;

create function credits.request_price(p_model text, p_input jsonb)
returns credits.priced_request
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  answer credits.priced_request;
  usage jsonb;
begin
  if p_input is null or jsonb_typeof(p_input) <> 'object' or octet_length(p_input::text) > 131072 then
    return credits.request_refused('invalid_request', 'The request must be a JSON object of at most 128 KiB.',
      '[{"field": "input", "message": "must be a JSON object of at most 128 KiB"}]');
  end if;
  answer.model := credits.model_current(p_model);
  if (answer.model).enabled is not true then
    return credits.request_refused('invalid_model',
      'There is no such model, or it is not enabled. The table generation_models lists the models.',
      '[{"field": "model", "message": "must be the name of an enabled model"}]');
  end if;
  select r.errors, r.usage into answer.errors, usage from credits.request_errors(answer.model, p_input) as r;
  if answer.errors <> '[]' then
    return credits.request_refused('invalid_request', 'The request is outside what the model can do.', answer.errors);
  end if;
  answer.input := p_input || usage;
  answer.cost := credits.usage_cost(answer.model, usage);
  answer.status := 200;
  answer.code := 'quoted';
  return answer;
end;
$$;
comment on function credits.request_price(text, jsonb) is
  'The one rule for limits and price: checks a request against its model''s current version and prices it in whole credits.';
revoke all on function credits.request_price(text, jsonb) from public, anon, authenticated, service_role;

create function public.quote_generation(p_model text, p_input jsonb)
returns public.generation_quote
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  priced credits.priced_request := credits.request_price(p_model, p_input);
begin
  return row(
    priced.status, priced.code, priced.message, (priced.model).name, priced.cost, priced.errors
  )::public.generation_quote;
end;
$$;
comment on function public.quote_generation(text, jsonb) is
  'What a generation would cost now, in whole credits; moves nothing and counts towards no limit. '
  'A user may call it. Never raises for a bad request: status 400 says what is wrong.';
revoke all on function public.quote_generation(text, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.quote_generation(text, jsonb) to authenticated, service_role;
