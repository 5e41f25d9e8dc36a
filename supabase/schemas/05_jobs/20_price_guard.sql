-- Gives: the guard of the price versions that jobs were charged by, and set_model_price, which writes a new one.
-- Keeps: a price change is a new version, and never touches a past job; a model that is sold has a price.
-- Needs: shards, price book, jobs.

create function credits.price_change_check(p_model text, p_effective_from timestamptz, p_operation text)
returns void
language plpgsql
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
begin
  -- The jobs of other databases cannot be seen from here.
  if exists (select from credits.shard) then
    perform credits.raise_misuse('PT409', 'a price of shards is never changed or deleted',
      case p_operation when 'UPDATE' then 'Write a new version: select set_model_price(…).'
        else 'End it by a new version: select set_model_price(…, p_settings => ''{"enabled": false}'').' end);
  end if;
  -- A charge in flight has read its price, but its job is not visible yet: wait for such charges, and let new ones
  -- wait.
  begin
    lock table public.generation_models in access exclusive mode;
  exception when lock_not_available or deadlock_detected then
    perform credits.raise_misuse('PT409', 'something that reads this price has not ended for two seconds',
      'Repeat it in a moment. A dump, or a transaction that was left open, holds it up too: see pg_stat_activity.');
  end;
  if exists (
    select from public.generation_jobs as j
    join public.credit_accounts as a on a.id = j.account_id
    where j.model = p_model and j.price_effective_from = p_effective_from
      -- No job is older than the version that it was charged by; by this condition the index by time skips older jobs.
      and j.created_at >= p_effective_from
      and (p_operation = 'UPDATE' or a.closed_at is null or j.status in ('pending', 'running'))
  ) then
    perform credits.raise_misuse('PT409', 'jobs were charged by this price',
      case p_operation when 'UPDATE' then 'Write a new version: select set_model_price(…).'
        else 'Set enabled to false: then it is not sold any more.' end);
  end if;
end;
$$;
comment on function credits.price_change_check(text, timestamptz, text) is
  'Refuses to change a price version that a job was charged by, and to delete it while such a job is open or its '
  'account is not closed, because the job is settled and answered again by it. With shards, and on their router, it '
  'refuses each, as it sees no other shard''s jobs. Waits at most two seconds for charges '
  'in flight; new charges wait for the end of the change.';

create function credits.price_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.price_change_check(old.name, old.effective_from, tg_op);
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;
comment on function credits.price_is_kept() is
  'Guards a price version that jobs were charged by: see credits.price_change_check.';

create trigger price_is_kept before delete on public.generation_models
  for each row execute function credits.price_is_kept();
create trigger price_is_unchanged before update on public.generation_models
  for each row
  -- created_at too: rates may be added only in the transaction that it names.
  when ((old.name, old.effective_from, old.overage, old.created_at)
    is distinct from (new.name, new.effective_from, new.overage, new.created_at))
  execute function credits.price_is_kept();

create function credits.rate_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    -- created_at is the start of the transaction that wrote the version.
    if not exists (
      select from public.generation_models
      where name = new.model and effective_from = new.effective_from and created_at = now()
    ) then
      perform credits.raise_misuse('PT409', 'a rate is written in one transaction with its price version',
        'Write a new version: select set_model_price(…).');
    end if;
    return new;
  end if;
  if exists (select from public.generation_models where name = old.model and effective_from = old.effective_from) then
    if tg_op = 'DELETE' or (old.model, old.effective_from, old.meter) <> (new.model, new.effective_from, new.meter) then
      perform credits.raise_misuse('PT409', 'the meters of a price version stay',
        'Write a new version: select set_model_price(…).');
    end if;
    perform credits.price_change_check(old.model, old.effective_from, tg_op);
  end if; -- otherwise it is deleted or renamed with its version, which the version's own guard has allowed
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;
comment on function credits.rate_is_kept() is
  'Lets a version''s rates be written only in the version''s own transaction, and deleted or renamed only with it. A '
  'rate''s price may be corrected until a job was charged by it.';

create trigger rate_is_kept before insert or update or delete on public.generation_model_rates
  for each row execute function credits.rate_is_kept();

create function credits.price_is_complete()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if exists (
    select from public.generation_models as m
    where m.name = new.name and m.effective_from = new.effective_from and m.enabled
      and not exists (select from public.generation_model_rates as r
        where r.model = m.name and r.effective_from = m.effective_from)
  ) then
    perform credits.raise_misuse('23514',
      format('the version of %s from %s on has no price', new.name, new.effective_from),
      'Write model and rates in one transaction: select set_model_price(…). A price of 0 is a rate too.');
  end if;
  return null;
end;
$$;
comment on function credits.price_is_complete() is
  'Refuses an enabled model without a rate, when the transaction ends.';

create constraint trigger price_is_complete after insert or update on public.generation_models
  deferrable initially deferred for each row execute function credits.price_is_complete();

create function credits.rates_read(p_rates jsonb)
returns table (meter text, price numeric, per numeric)
language plpgsql
set search_path = '', pg_temp
as $$
declare
  bad_meter text;
begin
  if jsonb_typeof(p_rates) is distinct from 'object' or p_rates = '{}' then
    perform credits.raise_misuse('22023', 'rates must be a JSON object with at least one meter',
      'Such as {"image": 500}; 0 is free.');
  end if;
  select r.key into bad_meter from jsonb_each(p_rates) as r
  where case jsonb_typeof(r.value) when 'number' then false
    when 'object' then r.value - array['price', 'per'] <> '{}'
      or jsonb_typeof(r.value -> 'price') is distinct from 'number'
      or coalesce(jsonb_typeof(r.value -> 'per'), 'number') <> 'number'
    else true end limit 1;
  if bad_meter is not null then
    perform credits.raise_misuse('22023',
      format('the rate of %s must be a price, or an object of price and per', bad_meter),
      'Such as 500, or {"price": 10, "per": 1000}.');
  end if;
  return query select r.key,
    case jsonb_typeof(r.value) when 'object' then (r.value -> 'price')::numeric else r.value::numeric end,
    case jsonb_typeof(r.value) when 'object' then coalesce((r.value -> 'per')::numeric, 1) else 1 end
  from jsonb_each(p_rates) as r;
end;
$$;
comment on function credits.rates_read(jsonb) is
  'Reads {"<meter>": <price>, "<meter>": {"price": <price>, "per": <units>}}; per is 1 if it is left out. Raises '
  '22023 for any other form.';

create function credits.price_version(p_model text, p_effective_from timestamptz, p_settings jsonb, p_rates jsonb)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  -- The version of that time, with the changes on top.
  select jsonb_build_object(
    'settings', coalesce((
      select to_jsonb(m) - array['name', 'effective_from', 'created_at', 'meters', 'prices']
        -- A type that follows from the rates follows the new ones.
        || case when p_rates is not null and m.type = credits.type_of_meters(m.meters)
          then jsonb_build_object('type',
            credits.type_of_meters(array(select r.meter from credits.rates_read(p_rates) as r)))
          else '{}' end
      from public.generation_models as m
      where m.name = p_model and m.effective_from = p_effective_from), '{}') || p_settings,
    'rates', case when p_rates is not null then (
      select jsonb_object_agg(r.meter, jsonb_build_object('price', r.price, 'per', r.per))
      from credits.rates_read(p_rates) as r)
    else (
      select jsonb_object_agg(r.meter, jsonb_build_object('price', r.price, 'per', r.per))
      from public.generation_model_rates as r
      where r.model = p_model and r.effective_from = p_effective_from) end);
$$;
comment on function credits.price_version(text, timestamptz, jsonb, jsonb) is
  'A price version as one object, with p_settings on top of its settings and, if given, p_rates in place of its rates.';

create function credits.price_version_insert(p_model text, p_effective_from timestamptz, p_version jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  unknown_setting text;
begin
  select s.name into unknown_setting from jsonb_object_keys(p_version -> 'settings') as s (name)
  where s.name in ('name', 'effective_from', 'created_at', 'meters', 'prices') or not exists (
    select from pg_catalog.pg_attribute as a
    where a.attrelid = 'public.generation_models'::regclass and a.attname = s.name and a.attnum > 0
      and not a.attisdropped) limit 1;
  if (p_version -> 'settings' ->> 'provider') is null or (p_version -> 'settings' ->> 'provider_model') is null then
    perform credits.raise_misuse('22023', 'a model needs a provider and the provider''s name for it',
      'Pass p_settings => {"provider": "…", "provider_model": "…"}.');
  end if;
  if unknown_setting is not null then
    perform credits.raise_misuse('22023', format('%s is not a setting of a model', unknown_setting),
      'Settings are columns of generation_models.');
  end if;
  -- Only the named columns: the others get their defaults.
  execute format('insert into public.generation_models (%1$s)
    select %1$s from jsonb_populate_record(null::public.generation_models, $1)',
    (select string_agg(quote_ident(s.name), ', ')
     from jsonb_object_keys(p_version -> 'settings' || '{"name": null, "effective_from": null}') as s (name)))
  using p_version -> 'settings' || jsonb_build_object('name', p_model, 'effective_from', p_effective_from);
  insert into public.generation_model_rates (model, effective_from, meter, price, per)
  select p_model, p_effective_from, r.meter, r.price, r.per from credits.rates_read(p_version -> 'rates') as r;
end;
$$;
comment on function credits.price_version_insert(text, timestamptz, jsonb) is
  'Writes a price version and its rates. Raises 22023 for a setting that is not a column of generation_models.';

create function public.set_model_price(
  p_model text, p_rates jsonb default null, p_effective_from timestamptz default now(), p_settings jsonb default '{}'
)
returns timestamptz
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  before_from timestamptz;
  version jsonb;
begin
  perform credits.caller_check('set_model_price');
  if p_model is null or p_effective_from is null or jsonb_typeof(p_settings) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'a price needs a model, a time and settings as a JSON object',
      'Leave out the time and the settings to keep their defaults.');
  end if;
  -- One price change at a time, so that a retry finds the version that it wrote. Charges go on.
  lock table public.generation_models in share row exclusive mode;
  select max(effective_from) into before_from from public.generation_models
  where name = p_model and effective_from <= p_effective_from;
  version := credits.price_version(p_model, before_from, p_settings, p_rates);
  if before_from is not null and version = credits.price_version(p_model, before_from, '{}', null) then
    return before_from;
  elsif before_from = p_effective_from then
    perform credits.raise_misuse('PT409', 'the model has another price from that time on already',
      'Pass another time, or delete that version first.');
  elsif p_effective_from = now() and exists (
    select from public.generation_models
    where name = p_model and effective_from > now() and effective_from <= clock_timestamp()
  ) then
    perform credits.raise_misuse('PT409', 'the model has got another price since this transaction began',
      'Repeat the call if your price is to replace it.');
  elsif p_effective_from < now() and exists (select from public.generation_models where name = p_model) then
    perform credits.raise_misuse('22023', 'a new price cannot count from a time that has passed',
      'Leave p_effective_from out: it counts from now on.');
  end if;
  perform credits.price_version_insert(p_model, p_effective_from, version);
  return p_effective_from;
end;
$$;
comment on function public.set_model_price(text, jsonb, timestamptz, jsonb) is
  'Writes a new price version of a model, or its first. p_rates: credits by meter, such as {"image": 500} or '
  '{"input_token": {"price": 10, "per": 1000}, "output_token": {"price": 30, "per": 1000}}; null: as before. '
  'p_settings: other columns of generation_models, such as {"max_n": 2} or {"enabled": false}; columns that are not '
  'named stay as before, even if a version for later says otherwise; the first version needs provider and '
  'provider_model. Returns when the version comes into force. Idempotent: a version that is in force at that time '
  'already is not written again. Raises 22023 for a bad form or a past time, 23514 for a value out of bounds, PT409 '
  'when the model has another price from that very time on, or has got one since the transaction began.';
