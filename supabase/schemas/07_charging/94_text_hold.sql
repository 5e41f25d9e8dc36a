-- Gives: how much a text holds: the most that it may cost, or what is there.
-- Keeps: nothing here moves a credit; a hold never exceeds what is there, unless the charge is to deny it.
-- Needs: charge, text terms, app keys, members, burn down, metering.

create function credits.text_available(p_account_id uuid, p_member_id uuid, p_app_key_id uuid, out available bigint,
  out refill_is_due boolean)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  select case when t.debt > 0 then 0 else t.credit_limit - t.overdraft_used + (
      select coalesce(sum(g.remaining), 0) from credits.spendable_grants as g where g.account_id = p_account_id) end,
    t.refill_is_due
  into available, refill_is_due
  from credits.charge_terms as t where t.account_id = p_account_id;
  available := least(available, (
      select m.monthly_cap - credits.spent_this_month(m.spent, m.spent_month) from public.account_members as m
      where m.account_id = p_account_id and m.user_id = p_member_id and m.monthly_cap is not null), (
      select k.monthly_cap - credits.spent_this_month(k.spent, k.spent_month) from public.credit_app_keys as k
      where k.account_id = p_account_id and k.id = p_app_key_id and k.monthly_cap is not null));
end;
$$;
comment on function credits.text_available(uuid, uuid, uuid) is
  'What a text may cost at most now: credits and overdraft, within the member''s and the key''s cap; null for an '
  'account that is not open yet. And whether monthly credits are due.';

create type credits.text_hold as (
  input_tokens bigint,
  output_tokens bigint,
  affordable bigint,
  is_whole boolean
);

create function credits.text_hold(p_model credits.text_model, p_request jsonb, p_available bigint)
returns credits.text_hold
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  -- Credits for 9,000,000 of each, so that nothing is rounded (credits.usage_cost).
  input_rate numeric;
  output_rate numeric;
  request_rate numeric;
  choices constant bigint := coalesce((p_request ->> 'n')::bigint, 1);
  most constant bigint := p_model.max_output_tokens / choices;
  named constant bigint := (p_request ->> 'output_tokens')::bigint;
  estimate constant bigint := (p_request ->> 'input_estimate')::bigint;
  room numeric;
  hold credits.text_hold;
begin
  select coalesce(max(r.rate) filter (where r.meter in ('input_token', 'cache_read_token', 'cache_write_token')), 0),
    coalesce(sum(r.rate) filter (where r.meter = 'output_token'), 0),
    coalesce(sum(r.rate) filter (where r.meter = 'request'), 0)
  into input_rate, output_rate, request_rate
  from unnest(p_model.meters, p_model.prices) as r (meter, rate);
  hold.input_tokens := (p_request ->> 'input_tokens')::bigint;
  -- The model takes no more: beyond it the estimate decides.
  if estimate <= p_model.max_input_tokens then
    hold.input_tokens := least(hold.input_tokens, p_model.max_input_tokens);
  end if;
  hold.output_tokens := case
    when (p_request ->> 'embedding')::boolean or not 'output_token' = any (p_model.meters) then 0
    else coalesce(named, greatest(least(p_model.default_output_tokens, most), 1)) end;
  room := coalesce(p_available::numeric, 'infinity') * 9000000.0 - request_rate;
  hold.affordable := case when hold.output_tokens = 0 then null when output_rate = 0 then most
    else greatest(least(div(room - estimate * input_rate, output_rate * choices), most), 0) end;
  hold.is_whole := hold.input_tokens * input_rate + hold.output_tokens * choices * output_rate <= room;
  if hold.is_whole then
    return hold;
  end if;
  -- By the estimate, with as much of the bound as is there. What still does not fit is denied by the charge.
  hold.output_tokens := case when named is not null or hold.output_tokens = 0 then hold.output_tokens
    else greatest(least(hold.output_tokens, hold.affordable), 1) end;
  hold.input_tokens := case when input_rate = 0 then hold.input_tokens else greatest(estimate, least(hold.input_tokens,
    div(room - hold.output_tokens * choices * output_rate, input_rate))) end;
  return hold;
end;
$$;
comment on function credits.text_hold(credits.text_model, jsonb, bigint) is
  'How many tokens a text holds, output per choice, with p_available credits (null: unknown). Whole: the input''s '
  'bound and the named maximum, or the model''s default. Where that does not fit: the input''s estimate, or more of '
  'its bound as far as it fits, and where no maximum is named as much output as can be afforded. affordable: output '
  'tokens per choice, by the estimate.';

create function credits.text_request(p_request jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  most constant integer := 1000000000;
  fields jsonb;
begin
  fields := jsonb_build_object('input_tokens', credits.integer_field(p_request -> 'input_tokens', 1, most),
    'input_estimate', credits.integer_field(p_request -> 'input_estimate', 1, most),
    'output_tokens', credits.integer_field(p_request -> 'output_tokens', 1, most),
    'n', coalesce(credits.integer_field(p_request -> 'n', 1, 100), '1'),
    'embedding', p_request -> 'embedding' is not distinct from 'true');
  if fields @? '$.* ? (@.type() == "string")' or fields -> 'input_tokens' = 'null'
    or jsonb_typeof(p_request) <> 'object' then
    perform credits.raise_misuse('22023', 'a text request needs whole numbers of tokens',
      'input_tokens (the most); input_estimate, output_tokens per choice and n (1 to 100) if known.');
  end if;
  return p_request || fields || jsonb_build_object('input_estimate',
    least((fields ->> 'input_estimate')::integer, (fields ->> 'input_tokens')::integer));
end;
$$;
comment on function credits.text_request(jsonb) is
  'Reads what charge_text and quote_text are asked: whole numbers of tokens. Raises 22023 for anything else.';

create function credits.text_input(
  p_request jsonb, p_hold credits.text_hold, p_known jsonb, p_is_server boolean, p_store text
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  body_hash jsonb := case when p_store <> 'none' and p_request ? 'sha256'
    then jsonb_build_object('request_sha256', left(p_request ->> 'sha256', 64)) else '{}' end;
begin
  -- A repeat is compared as a whole: with what the first request held, and its own body.
  if p_known is not null then
    return p_known - array['cache_read_tokens', 'cache_write_tokens', 'request']
      || case when p_known ? 'request_sha256' then body_hash else '{}' end;
  end if;
  return jsonb_strip_nulls(jsonb_build_object('type', 'text', 'prompt', '(not kept)',
      'input_tokens', p_hold.input_tokens,
      'n', coalesce((p_request ->> 'n')::integer, 1),
      -- At least 1: without a number, the charge would hold the most that the model gives.
      'output_tokens', greatest(p_hold.output_tokens * coalesce((p_request ->> 'n')::integer, 1), 1),
      'max_cost', p_request -> 'max_cost',
      'asked_by', case when p_is_server and p_request ->> 'asked_by' = 'server' then 'server' end)) || body_hash;
end;
$$;
comment on function credits.text_input(jsonb, credits.text_hold, jsonb, boolean, text) is
  'The input of a text''s job: counts, no word of the conversation. p_known: the input of the job that has the key.';
