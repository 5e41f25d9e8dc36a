-- Gives: what is sold, in versions: packs of credits, and plans that are paid by the period.
-- Keeps: the server alone maps a provider's price to credits; a version that was sold never changes.
-- Needs: shards, foundation, plans; when called: payments.

create table public.credit_products (
  provider text not null check (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  livemode boolean not null,
  name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  effective_from timestamptz not null default now(),
  provider_price_id text not null check (length(provider_price_id) between 1 and 255),
  kind text not null check (kind in ('pack', 'plan')),
  credits bigint not null check (credits between 0 and 1000000000000),
  plan text references public.credit_plans (name),
  expires_after_seconds bigint check (expires_after_seconds between 60 and 3155760000),
  priority smallint not null default 100,
  unit_amount bigint not null check (unit_amount between 0 and 1000000000000000),
  currency text not null check (currency ~ '^[a-z]{3}$'),
  max_quantity integer not null default 100 check (max_quantity between 1 and 1000000),
  upgrade_gives text not null default 'difference'
    check (upgrade_gives in ('nothing', 'difference', 'difference_by_time_left')),
  trial_credits bigint not null default 0 check (trial_credits between 0 and 1000000000000),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  primary key (provider, livemode, name, effective_from),
  constraint plan_is_named check ((kind = 'plan') = (plan is not null))
);
-- The product of a payment's line: credits.product_of_price.
create index credit_products_by_price
  on public.credit_products (provider, livemode, provider_price_id, effective_from);

comment on table public.credit_products is
  'What is sold: one row per product and version, for each provider and mode (test or live) of its own. The version in '
  'force is the latest whose effective_from has come; users read it while it is enabled. A client names a product, '
  'never a price or a number of credits. set_product writes a version.';
comment on column public.credit_products.livemode is 'Whether it is sold for real money; false: the provider''s test.';
comment on column public.credit_products.provider_price_id is
  'The provider''s id of the price. It belongs to one product of this provider and mode.';
comment on column public.credit_products.kind is
  'pack: bought once. plan: a subscription, paid by the period, that puts the account on a plan.';
comment on column public.credit_products.credits is
  'Whole credits for a quantity of 1: of a pack, or of each period of a plan. 0: the price brings no credits (a set-up '
  'fee, or a plan that the schedule refills).';
comment on column public.credit_products.plan is 'The plan of the account while the subscription lasts; null: a pack.';
comment on column public.credit_products.expires_after_seconds is
  'Of a pack: how long its credits last from the time at which they are granted; null: for ever. Of a plan: how long '
  'they last beyond the end of their period; null: not beyond it.';
comment on column public.credit_products.priority is
  'Priority of the credits; lower burns first. set_product begins a plan with 90, so that its credits are spent before '
  'packs.';
comment on column public.credit_products.unit_amount is
  'The price of one, in minor units of the currency, to show it. What is granted and taken back goes by what was '
  'really paid.';
comment on column public.credit_products.currency is 'ISO 4217 code in lower case.';
comment on column public.credit_products.max_quantity is 'How many one checkout may ask for. A plan is bought once.';
comment on column public.credit_products.upgrade_gives is
  'What a paid change to this plan in the middle of a period grants: the difference of the periods'' credits, the '
  'difference in proportion to the time left, or nothing.';
comment on column public.credit_products.trial_credits is 'Credits that a trial of the plan grants.';
comment on column public.credit_products.enabled is
  'Whether it is shown and can be bought. What was bought before is still booked.';

create function credits.is_product_in_force(
  p_provider text, p_livemode boolean, p_name text, p_effective_from timestamptz
)
returns boolean
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select p_effective_from = (select max(effective_from) from public.credit_products
    where provider = p_provider and livemode = p_livemode and name = p_name and effective_from <= now());
$$;
comment on function credits.is_product_in_force(text, boolean, text, timestamptz) is
  'Whether a product''s version is the one in force now, enabled or not. For the policy of credit_products, which '
  'cannot read its own table.';

alter table public.credit_products enable row level security;
-- A future price is not public: a user who reads it could buy before it rises.
create policy credit_products_read_enabled on public.credit_products
  for select to authenticated
  using (enabled and credits.is_product_in_force(provider, livemode, name, effective_from));

create function credits.product_of_price(
  p_provider text, p_livemode boolean, p_price_id text, p_at timestamptz
)
returns public.credit_products
language sql
stable
set search_path = '', pg_temp
as $$
  -- A price that was sold before its product was written is that of the first version.
  select p from public.credit_products as p
  where p.provider = p_provider and p.livemode = p_livemode and p.provider_price_id = p_price_id
  order by p.effective_from <= p_at desc, abs(extract(epoch from p.effective_from - p_at)) limit 1;
$$;
comment on function credits.product_of_price(text, boolean, text, timestamptz) is
  'The version of the product that a price was sold as at a time, enabled or not; null: the price is not ours.';

create function credits.product_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if tg_op = 'UPDATE' then
    -- These two say what may be bought, not what was.
    old.enabled := new.enabled;
    old.max_quantity := new.max_quantity;
    if old is not distinct from new then
      return new;
    end if;
  end if;
  -- The payments of other databases cannot be seen from here.
  if exists (select from credits.shard) then
    perform credits.raise_misuse('PT409', 'a product version of shards is never changed or deleted',
      'Write a new version: select set_product(…). Set enabled to false to sell it no more.');
  end if;
  -- Bookings in flight hold a share lock on the version, for which this statement has waited.
  if exists (select from public.payments as p cross join lateral jsonb_array_elements(p.lines) as l
    where p.provider = old.provider and p.livemode = old.livemode and p.status = 'paid'
      and l ->> 'price_id' = old.provider_price_id) then
    perform credits.raise_misuse('PT409', 'this version of the product was sold',
      'Write a new version: select set_product(…). Set enabled to false to sell it no more.');
  end if;
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;
comment on function credits.product_is_kept() is
  'Refuses to change or delete a version that was sold, because later states of its payments are booked by it. With '
  'shards each is refused, as the payments of the others cannot be seen.';
create trigger product_is_kept before update or delete on public.credit_products
  for each row execute function credits.product_is_kept();

create function credits.refill_source_is_free()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if exists (
    select from public.credit_products as p
    where p.plan = new.name and p.enabled and p.credits > 0 and (p.effective_from > now()
      or credits.is_product_in_force(p.provider, p.livemode, p.name, p.effective_from))) then
    perform credits.raise_misuse('PT409', 'payments refill this plan: a product of it brings credits',
      'First sell it with 0 credits, or no more: select set_product(…).');
  end if;
  return new;
end;
$$;
comment on function credits.refill_source_is_free() is
  'Refuses to let the schedule refill a plan whose paid periods bring credits: exactly one source refills a plan.';
create trigger refill_source_is_free before update on public.credit_plans
  for each row when (old.refilled_by = 'payment' and new.refilled_by = 'schedule')
  execute function credits.refill_source_is_free();

create function credits.product_settings(p_product public.credit_products, p_settings jsonb)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  keys constant text[] := array['provider', 'livemode', 'name', 'effective_from', 'created_at'];
  unknown text;
begin
  select s.name into unknown from jsonb_object_keys(p_settings) as s (name)
  where s.name = any (keys) or not exists (
    select from pg_catalog.pg_attribute as a
    where a.attrelid = 'public.credit_products'::regclass and a.attname = s.name and a.attnum > 0
      and not a.attisdropped) limit 1;
  if unknown is not null then
    perform credits.raise_misuse('22023', format('%s is not a setting of a product', unknown),
      'Settings are columns of credit_products.');
  end if;
  if p_product.name is null then
    return case p_settings ->> 'kind' when 'plan' then '{"priority": 90}'::jsonb else '{}'::jsonb end || p_settings;
  end if;
  return (to_jsonb(p_product) - keys) || p_settings;
end;
$$;
comment on function credits.product_settings(public.credit_products, jsonb) is
  'The columns of a product''s next version: those of the version before (a null row: none), with p_settings on '
  'top. Raises 22023 for what is not a column.';

create function credits.product_check(p_provider text, p_livemode boolean, p_product text, p_settings jsonb)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_settings ->> 'provider_price_id' is null or p_settings ->> 'kind' is null or p_settings ->> 'credits' is null
    or p_settings ->> 'unit_amount' is null or p_settings ->> 'currency' is null then
    perform credits.raise_misuse('22023',
      'a product needs provider_price_id, kind, credits, unit_amount and currency',
      'Pass p_settings => {"provider_price_id": "price_…", "kind": "pack", "credits": 10000, "unit_amount": 1000, '
      '"currency": "usd"}.');
  end if;
  if exists (select from public.credit_products
    where provider = p_provider and livemode = p_livemode and name <> p_product
      and provider_price_id = p_settings ->> 'provider_price_id') then
    perform credits.raise_misuse('PT409', 'this price belongs to another product',
      'A price is sold as one product. Make a new price at the provider.');
  end if;
  if (p_settings ->> 'credits')::bigint > 0 and exists (select from public.credit_plans
    where name = p_settings ->> 'plan' and refilled_by = 'schedule') then
    perform credits.raise_misuse('22023', 'the schedule refills this plan, so its payments bring no credits',
      'Set credit_plans.refilled_by to payment, or sell the plan with 0 credits.');
  end if;
end;
$$;
comment on function credits.product_check(text, boolean, text, jsonb) is
  'Raises 22023 for a product that lacks something or whose plan gets its credits by the schedule, PT409 for a price '
  'of another product.';

create function public.set_product(
  p_provider text, p_livemode boolean, p_product text, p_settings jsonb default '{}',
  p_effective_from timestamptz default now()
)
returns timestamptz
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  before public.credit_products;
  settings jsonb;
begin
  perform credits.caller_check('set_product');
  if p_provider is null or p_livemode is null or p_product is null or p_effective_from is null
    or jsonb_typeof(p_settings) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'a product needs a provider, a mode, a name, a time and settings',
      'Leave out the time to count from now on; settings are a JSON object.');
  end if;
  -- One change at a time, so that a retry finds the version that it wrote.
  lock table public.credit_products in share row exclusive mode;
  select * into before from public.credit_products
  where provider = p_provider and livemode = p_livemode and name = p_product and effective_from <= p_effective_from
  order by effective_from desc limit 1;
  settings := credits.product_settings(before, p_settings);
  if before.name is not null and settings = credits.product_settings(before, '{}') then
    return before.effective_from;
  elsif before.effective_from = p_effective_from then
    perform credits.raise_misuse('PT409', 'the product has another version from that time on already',
      'Pass another time, or delete that version first.');
  elsif p_effective_from < now() and exists (select from public.credit_products
    where provider = p_provider and livemode = p_livemode and name = p_product) then
    perform credits.raise_misuse('22023', 'a new version cannot count from a time that has passed',
      'Leave p_effective_from out: it counts from now on.');
  end if;
  perform credits.product_check(p_provider, p_livemode, p_product, settings);
  settings := settings || jsonb_build_object('provider', p_provider, 'livemode', p_livemode, 'name', p_product,
    'effective_from', p_effective_from);
  -- Only the named columns: the others get their defaults.
  execute format('insert into public.credit_products (%1$s)
    select %1$s from jsonb_populate_record(null::public.credit_products, $1)',
    (select string_agg(quote_ident(s.name), ', ') from jsonb_object_keys(settings) as s (name)))
  using settings;
  return p_effective_from;
end;
$$;
comment on function public.set_product(text, boolean, text, jsonb, timestamptz) is
  'Writes a new version of a product, or its first, for a provider and mode. p_settings: columns of credit_products, '
  'such as {"credits": 12000} or {"enabled": false}; columns that are not named stay as before; the first version '
  'needs provider_price_id, kind, credits, unit_amount and currency, and a plan its plan. Returns when the version '
  'comes into force. Idempotent. Raises 22023 for a bad form or a past time, 23514 for a value out of bounds, PT409 '
  'for a price of another product, or another version from that very time on.';
