-- Gives: what the provider asks for each price version, and import_model_price, which writes both together.
-- Keeps: no imported price is 0, and none is for a meter whose cost is unknown.
-- Needs: foundation, price book, price guard.

create table public.generation_model_costs (
  model text not null,
  effective_from timestamptz not null,
  meter text not null,
  usd numeric not null,
  per numeric not null default 1,
  credits_per_usd numeric not null check (credits_per_usd > 0 and credits_per_usd <= 1000000000),
  primary key (model, effective_from, meter),
  foreign key (model, effective_from, meter)
    references public.generation_model_rates (model, effective_from, meter) on update cascade on delete cascade,
  constraint cost_bounds check (usd between 0 and 1000000 and min_scale(usd) <= 15),
  constraint per_is_usual check (per in (1, 60, 1000, 3600, 1000000))
);
comment on table public.generation_model_costs is
  'What the provider asks for what a price version sells: one row per meter, in US dollars. Users cannot read it. '
  'import_model_price writes it with the version; generation_margins compares the two.';
comment on column public.generation_model_costs.usd is 'US dollars for as many units as per says.';
comment on column public.generation_model_costs.per is 'How many units the cost is for, as in generation_model_rates.';
comment on column public.generation_model_costs.credits_per_usd is
  'How many credits are sold for a dollar, as it was when the version was written: what revenue is counted by.';
alter table public.generation_model_costs enable row level security;

create function public.import_model_price(
  p_model text, p_rates jsonb, p_costs jsonb, p_credits_per_usd numeric, p_settings jsonb default '{}'
)
returns timestamptz
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  in_force timestamptz;
  bad_meter text;
begin
  perform credits.caller_check('import_model_price');
  if (p_credits_per_usd > 0) is not true then
    perform credits.raise_misuse('22023', 'how many credits a dollar buys must be above 0', 'Pass p_credits_per_usd.');
  end if;
  select coalesce(r.meter, c.meter) into bad_meter
  from credits.rates_read(p_rates) as r full join credits.rates_read(p_costs) as c on c.meter = r.meter
  where (r.price > 0) is not true or c.meter is null limit 1;
  if bad_meter is not null then
    perform credits.raise_misuse('22023', format('%s has no price above 0, or no cost', bad_meter),
      'A model that is free is written by set_model_price.');
  end if;
  in_force := public.set_model_price(p_model, p_rates, now(), p_settings);
  insert into public.generation_model_costs (model, effective_from, meter, usd, per, credits_per_usd)
  select p_model, in_force, c.meter, c.price, c.per, p_credits_per_usd from credits.rates_read(p_costs) as c
  on conflict (model, effective_from, meter) do update
  set usd = excluded.usd, per = excluded.per, credits_per_usd = excluded.credits_per_usd;
  return in_force;
end;
$$;
comment on function public.import_model_price(text, jsonb, jsonb, numeric, jsonb) is
  'Writes a price version with what its provider asks: p_costs has the same meters as p_rates, in US dollars. From '
  'now on; idempotent: the same price is not written again, its costs are. npm run prices -- import calls it. Raises '
  '22023 for a price of 0, a meter without a cost, a p_credits_per_usd that is not above 0 or a bad form, 23514 for a '
  'value out of bounds, PT409 when the model has got another price from that very time on or since the transaction '
  'began.';
