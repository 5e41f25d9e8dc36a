-- Gives: quote_generation, which answers exactly what a charge would cost.
-- Keeps: one rule for price and limits, used by the quote and by the charge alike.
-- Needs: price book.

create function credits.integer_field(
  p_input jsonb, p_field text, p_default integer, p_min integer, p_max integer, inout errors jsonb, out value integer
)
language plpgsql
immutable
set search_path = ''
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
set search_path = ''
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
set search_path = ''
as $$
  select m from public.generation_models as m
  where m.name = p_model and m.effective_from <= now()
  order by m.effective_from desc limit 1;
$$;
comment on function credits.model_current(text) is
  'The price version of a model that counts now, enabled or not; null where there is none.';
revoke all on function credits.model_current(text) from public, anon, authenticated, service_role;

create function credits.request_errors(p_model public.generation_models, p_input jsonb, out errors jsonb, out input jsonb)
language plpgsql
immutable
set search_path = ''
as $$
declare
  width integer;
  height integer;
  n integer;
begin
  errors := '[]';
  if jsonb_typeof(p_input -> 'prompt') is distinct from 'string'
     or length(p_input ->> 'prompt') not between 1 and p_model.max_prompt_length then
    errors := errors || jsonb_build_object(
      'field', 'prompt', 'message', format('must be text of 1 to %s characters', p_model.max_prompt_length));
  end if;
  select f.errors, f.value into errors, width
  from credits.integer_field(p_input, 'width', p_model.default_width, p_model.min_width, p_model.max_width, errors) as f;
  select f.errors, f.value into errors, height
  from credits.integer_field(p_input, 'height', p_model.default_height, p_model.min_height, p_model.max_height, errors) as f;
  select f.errors, f.value into errors, n
  from credits.integer_field(p_input, 'n', 1, 1, p_model.max_n, errors) as f;
  if format('%sx%s', width, height) <> all (p_model.allowed_sizes) and width is not null and height is not null then
    errors := errors || jsonb_build_object(
      'field', 'width', 'message', 'width and height must be one of ' || array_to_string(p_model.allowed_sizes, ', '));
  end if;
  input := p_input || jsonb_build_object('width', width, 'height', height, 'n', n);
end;
$$;
comment on function credits.request_errors(public.generation_models, jsonb) is
  'What is wrong with a request for this model, a row a field; and the request with its defaults filled in.';
revoke all on function credits.request_errors(public.generation_models, jsonb)
  from public, anon, authenticated, service_role;

create function credits.request_price(p_model text, p_input jsonb)
returns credits.priced_request
language plpgsql
stable
set search_path = ''
as $$
declare
  answer credits.priced_request;
  images bigint;
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
  select r.errors, r.input into answer.errors, answer.input from credits.request_errors(answer.model, p_input) as r;
  if answer.errors <> '[]' then
    return credits.request_refused('invalid_request', 'The request is outside what the model can do.', answer.errors);
  end if;
  images := (answer.input ->> 'n')::bigint;
  answer.cost := case (answer.model).unit
    when 'image' then (answer.model).unit_price * images
    -- Exact arithmetic, rounded up once for the whole job.
    when 'megapixel' then ceil((answer.model).unit_price * images
      * (answer.input ->> 'width')::numeric * (answer.input ->> 'height')::numeric / 1000000)
  end;
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
set search_path = ''
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
