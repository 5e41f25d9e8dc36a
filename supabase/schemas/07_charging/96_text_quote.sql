-- Gives: quote_text, which says what a conversation would cost: at least, probably and at most.
-- Keeps: the most is what a charge would hold; nothing here moves a credit or counts towards a limit.
-- Needs: text terms, text hold, quote.

create type public.generation_text_quote as (
  status integer,
  code text,
  message text,
  model text,
  least bigint,
  likely bigint,
  most bigint,
  output_tokens bigint,
  errors jsonb
);
comment on type public.generation_text_quote is
  'Answer of quote_text: 200 quoted; 400 invalid_model or invalid_request, with errors; 409 price_changed: it may '
  'cost more than the request''s max_cost. In whole credits: most is what a charge holds, likely what the estimate '
  'and the named maximum or the model''s default come to, least one token per choice, with the input out of a '
  'cache where that is cheaper. output_tokens: the most that each choice may have.';

create function public.quote_text(p_model text, p_request jsonb)
returns public.generation_text_quote
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  request constant jsonb := credits.text_request(p_request);
  choices constant bigint := (request ->> 'n')::bigint;
  model constant credits.text_model := credits.text_model_in_force(p_model);
  hold credits.text_hold;
  priced credits.priced_request;
  estimate constant bigint := (request ->> 'input_estimate')::bigint;
  usage jsonb;
  quote public.generation_text_quote;
begin
  if model.name is null then
    priced := credits.request_refused('invalid_model',
      '[{"field": "model", "message": "must be the name of an enabled text model"}]');
  else
    hold := credits.text_hold(model, request, null);
    priced := credits.request_price(p_model, credits.text_input(request, hold, null, false, 'none'));
  end if;
  quote.status := priced.status;
  quote.code := priced.code;
  quote.message := priced.message;
  quote.model := priced.model;
  quote.most := priced.cost;
  quote.errors := priced.errors;
  if priced.status <> 200 then
    return quote;
  end if;
  usage := jsonb_build_object('input_tokens', estimate, 'output_tokens',
    least(hold.output_tokens, model.default_output_tokens) * choices);
  quote.likely := least(credits.usage_cost(model.meters, model.prices, usage), quote.most);
  usage := usage || jsonb_build_object('output_tokens', least(hold.output_tokens, 1) * choices);
  quote.least := least(credits.usage_cost(model.meters, model.prices, usage),
    credits.usage_cost(model.meters, model.prices, usage || jsonb_build_object('cache_read_tokens', estimate)));
  quote.output_tokens := nullif(hold.output_tokens, 0);
  return quote;
end;
$$;
comment on function public.quote_text(text, jsonb) is
  'What a text would cost now; p_request as charge_text takes it. Users may call it. Says nothing of a balance: what '
  'is not there is held no more (see charge_text). Raises 22023 for a request that is not of whole numbers.';
