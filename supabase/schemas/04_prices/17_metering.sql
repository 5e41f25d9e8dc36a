-- Gives: what a usage costs by the meters of a price version, and the most that a request can use.
-- Keeps: quantities are read and a price is computed in one place.
-- Needs: price book.

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
  'Reads a whole number from a request: null if the field is missing, a text that says what is allowed if it has '
  'another value.';

create function credits.usage_cost(p_meters text[], p_prices numeric[], p_usage jsonb)
returns bigint
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  quantity numeric;
  total numeric := case when p_meters <> '{}' then 0.0 end;
begin
  for i in 1 .. cardinality(p_meters) loop
    -- Branches, because only those that run are prepared: faster than one expression or a CASE.
    if p_meters[i] = 'image' then
      quantity := (p_usage ->> 'n')::numeric;
    elsif p_meters[i] = 'megapixel' then
      quantity := (p_usage ->> 'n')::numeric * (p_usage ->> 'width')::numeric
        * (p_usage ->> 'height')::numeric * 0.000001;
    elsif p_meters[i] = 'second' then
      quantity := (p_usage ->> 'seconds')::numeric;
    elsif p_meters[i] = 'input_token' then
      -- Input tokens include those read from or written to a cache, as OpenAI counts them. Each is paid once: by its
      -- own rate, otherwise as an input token.
      quantity := (p_usage ->> 'input_tokens')::numeric
        - case when 'cache_read_token' = any (p_meters)
          then coalesce((p_usage ->> 'cache_read_tokens')::numeric, 0) else 0 end
        - case when 'cache_write_token' = any (p_meters)
          then coalesce((p_usage ->> 'cache_write_tokens')::numeric, 0) else 0 end;
      if quantity < 0 then
        quantity := 0;
      end if;
    elsif p_meters[i] = 'cache_read_token' then
      quantity := coalesce((p_usage ->> 'cache_read_tokens')::numeric, 0);
    elsif p_meters[i] = 'cache_write_token' then
      quantity := coalesce((p_usage ->> 'cache_write_tokens')::numeric, 0);
    elsif p_meters[i] = 'output_token' then
      quantity := (p_usage ->> 'output_tokens')::numeric;
    elsif p_meters[i] = 'character' then
      quantity := (p_usage ->> 'characters')::numeric;
    else
      quantity := case p_meters[i] when 'request' then 1.0 end;
    end if;
    total := total + quantity * p_prices[i];
  end loop;
  -- Exact: the one division, at the end, is of whole numbers and rounds up.
  return div(ceil(total) + 8999999, 9000000)::bigint;
end;
$$;
comment on function credits.usage_cost(text[], numeric[], jsonb) is
  'What a usage costs by the meters of a price version and their prices (credits per 9,000,000 units). The only place '
  'where quantities are read and a price is computed. input_tokens includes tokens that were read from or written to '
  'a cache, as OpenAI''s prompt_tokens does: add them up for a provider that counts them apart. Null without a meter, '
  'or if the usage lacks a quantity that one counts.';

create function credits.usage_most(
  p_meters text[], p_prices numeric[], p_input jsonb, p_max_seconds integer, p_max_input_tokens integer,
  p_max_output_tokens integer
)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  costliest text;
  usage jsonb := '{}'::jsonb;
begin
  if 'second' = any (p_meters) then
    usage := jsonb_build_object(
      'seconds', coalesce(credits.integer_field(p_input -> 'seconds', 1, p_max_seconds), to_jsonb(p_max_seconds)));
  end if;
  if p_meters && array['input_token', 'cache_read_token', 'cache_write_token'] then
    usage := usage || jsonb_build_object('input_tokens',
      coalesce(credits.integer_field(p_input -> 'input_tokens', 1, p_max_input_tokens), to_jsonb(p_max_input_tokens)));
  end if;
  if p_meters && array['cache_read_token', 'cache_write_token']
    and jsonb_typeof(usage -> 'input_tokens') = 'number' then
    -- How many tokens are read from or written to a cache is not known yet: assume the meter that costs most.
    select m.meter into strict costliest from unnest(p_meters, p_prices) as m (meter, price)
    where m.meter in ('input_token', 'cache_read_token', 'cache_write_token') order by m.price desc limit 1;
    usage := usage || jsonb_build_object(
      'cache_read_tokens', case costliest when 'cache_read_token' then usage -> 'input_tokens' else '0' end,
      'cache_write_tokens', case costliest when 'cache_write_token' then usage -> 'input_tokens' else '0' end);
  end if;
  if 'output_token' = any (p_meters) then
    usage := usage || jsonb_build_object('output_tokens',
      coalesce(credits.integer_field(p_input -> 'output_tokens', 1, p_max_output_tokens),
        to_jsonb(p_max_output_tokens)));
  end if;
  if 'character' = any (p_meters) then
    -- Counted from the prompt; the request cannot set it.
    usage := usage || jsonb_build_object('characters', length(p_input ->> 'prompt'));
  end if;
  return usage;
end;
$$;
comment on function credits.usage_most(text[], numeric[], jsonb, integer, integer, integer) is
  'The most that a request can use beyond images, in the fields that its model''s meters count: the quantity in the '
  'request, or else the model''s most. A field that is wrong has a text that says so in place of the number.';
