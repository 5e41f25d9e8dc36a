-- Gives: text_terms, which answers before a text is charged: who asks, and which model; and account_models.
-- Keeps: an app key is judged in one place, for text and images alike.
-- Needs: app keys, price book, denials, settings, plans, accounts.

create type credits.text_model as (
  name text,
  effective_from timestamptz,
  provider text,
  provider_model text,
  timeout_seconds integer,
  max_input_tokens integer,
  max_output_tokens integer,
  default_output_tokens integer,
  image_tokens integer,
  reasons boolean,
  max_n integer,
  meters text[],
  prices numeric[]
);

create function credits.text_model_in_force(p_model text)
returns credits.text_model
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  model credits.text_model;
  is_text boolean;
begin
  select m.name, m.effective_from, m.provider, m.provider_model, m.timeout_seconds, m.max_input_tokens,
    m.max_output_tokens, m.default_output_tokens, m.image_tokens, m.reasons, m.max_n, m.meters, m.prices,
    m.enabled and m.type = 'text'
  into model.name, model.effective_from, model.provider, model.provider_model, model.timeout_seconds,
    model.max_input_tokens, model.max_output_tokens, model.default_output_tokens, model.image_tokens, model.reasons,
    model.max_n, model.meters, model.prices, is_text
  from public.generation_models as m
  where m.name = p_model and m.effective_from <= now() order by m.effective_from desc limit 1;
  if is_text and model.meters && array['input_token', 'output_token']
    and not model.meters && array['second', 'character'] then
    return model;
  end if;
  return null;
end;
$$;
comment on function credits.text_model_in_force(text) is
  'The price version in force of an enabled text model, with its meters and prices; null for '
  'another model. A text model is paid by tokens and makes nothing else.';

create function credits.app_key_denial(p_key public.credit_app_keys, p_model text, p_cost bigint)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return coalesce(credits.app_key_state(p_key), case
    when p_key.models is not null and p_model is not null and p_model <> all (p_key.models) then 'model_not_in_key'
    when p_key.monthly_cap = 0 or credits.spent_this_month(p_key.spent, p_key.spent_month) + p_cost > p_key.monthly_cap
      then 'key_cap_reached' end);
end;
$$;
comment on function credits.app_key_denial(public.credit_app_keys, text, bigint) is
  'Why an app key may not spend p_cost credits on a model; null if it may. Without a cost only a cap of 0 is reached.';

create type public.generation_text_terms as (
  status integer,
  code text,
  message text,
  account_id uuid,
  member_id uuid,
  app_key_id uuid,
  provider text,
  provider_model text,
  timeout_seconds integer,
  max_input_tokens integer,
  max_output_tokens integer,
  default_output_tokens integer,
  image_tokens integer,
  reasons boolean,
  max_n integer,
  meters text[],
  store text,
  charge_interrupted boolean
);
comment on type public.generation_text_terms is
  'Answer of text_terms. status and code: 200 ok; 400 invalid_model; 401 invalid_app_key; 402 key_cap_reached; 403 '
  'account_closed, not_a_member, not_allowed_to_spend, model_not_in_key. With 200: the account, member and key that '
  'charge_text is called with, the model, and the settings that text depends on.';

create function public.text_terms(p_key_hash text, p_account_id uuid, p_member_id uuid, p_model text)
returns public.generation_text_terms
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  app_key public.credit_app_keys;
  model credits.text_model;
  denial text;
  terms public.generation_text_terms;
begin
  perform credits.caller_check('text_terms');
  terms.account_id := p_account_id;
  terms.member_id := p_member_id;
  if p_key_hash is not null then
    if p_key_hash ~ '^[0-9a-f]{64}$' then
      select * into app_key from public.credit_app_keys where hash = decode(p_key_hash, 'hex');
    end if;
    denial := credits.app_key_denial(app_key, p_model, null);
    terms.account_id := app_key.account_id;
    terms.member_id := app_key.member_id;
    terms.app_key_id := app_key.id;
  end if;
  if denial is null and p_model is not null then
    model := credits.text_model_in_force(p_model);
    denial := case when model.name is null then 'invalid_model' end;
  end if;
  if denial is not null then
    select null::uuid, null::uuid, null::uuid, d.status, d.code, d.message
    into terms.account_id, terms.member_id, terms.app_key_id, terms.status, terms.code, terms.message
    from credits.denials as d where d.code = denial;
    return terms;
  end if;
  select 200, 'ok', model.provider, model.provider_model, model.timeout_seconds, model.max_input_tokens,
    model.max_output_tokens, model.default_output_tokens, model.image_tokens, model.reasons, model.max_n,
    model.meters, s.text_store,
    s.charge_interrupted_text
  into terms.status, terms.code, terms.provider, terms.provider_model, terms.timeout_seconds, terms.max_input_tokens,
    terms.max_output_tokens, terms.default_output_tokens, terms.image_tokens, terms.reasons, terms.max_n, terms.meters,
    terms.store, terms.charge_interrupted
  from public.credit_settings as s;
  return terms;
end;
$$;
comment on function public.text_terms(text, uuid, uuid, text) is
  'What a function needs to know before it charges a text. p_key_hash: the SHA-256 of an app key in hex, which says '
  'who asks; null: p_account_id and p_member_id do, and charge_text judges them. p_model null: only the key is looked '
  'at. Counts towards no limit, locks nothing.';

create function public.account_models(p_account_id uuid, p_app_key_id uuid default null)
returns table (
  name text, provider text, effective_from timestamptz, rates jsonb, max_input_tokens integer,
  max_output_tokens integer, default_output_tokens integer, makes text
)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('account_models');
  return query
  select m.name, m.provider, m.effective_from, r.rates, m.max_input_tokens, m.max_output_tokens,
    m.default_output_tokens,
    case when m.type = 'text' and r.rates ? 'input_token' and not r.rates ? 'output_token' then 'embedding'
      else m.type end
  from (select distinct on (v.name) v.* from public.generation_models as v where v.effective_from <= now()
    order by v.name, v.effective_from desc) as m
  cross join lateral (
    select jsonb_object_agg(p.meter, jsonb_build_object('price', p.price, 'per', p.per)) as rates
    from public.generation_model_rates as p where p.model = m.name and p.effective_from = m.effective_from) as r
  where m.enabled and m.name = any (coalesce((
      select l.allowed_models from public.credit_plans as l
      where l.name = coalesce((select a.plan from public.credit_accounts as a where a.id = p_account_id), 'default')),
    array[m.name]))
    and (p_app_key_id is null or exists (select from public.credit_app_keys as k
      where k.account_id = p_account_id and k.id = p_app_key_id and m.name = any (coalesce(k.models, array[m.name]))))
  order by m.name;
end;
$$;
comment on function public.account_models(uuid, uuid) is
  'The models that an account may use now, by its plan and, if one is named, an app key''s models, with their rates '
  'and limits; makes: text, embedding, image, video or speech.';
