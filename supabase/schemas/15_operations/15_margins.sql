-- Gives: what is left of a price once its provider is paid, by price and by what was used.
-- Keeps: an auditor learns amounts, and nothing of a request.
-- Needs: price book, provider costs, jobs, usage, metering.

create view public.generation_margins
with (security_invoker = true)
as
select c.model, c.effective_from, r.meter, r.per, r.price as credits, r.price / c.credits_per_usd as price_usd,
  c.usd * r.per / c.per as cost_usd, c.credits_per_usd,
  round(100 * (1 - c.usd * r.per / c.per / nullif(r.price / c.credits_per_usd, 0)), 2) as margin_percent
from public.generation_model_costs as c
join public.generation_model_rates as r on r.model = c.model and r.effective_from = c.effective_from
  and r.meter = c.meter;
comment on view public.generation_margins is
  'For each price version whose cost is known, by meter: the price in credits and dollars, what the provider asks for '
  'as many units (cost_usd), and what part of the price is left (margin_percent; negative: sold below cost).';

create function credits.job_provider_cost(p_account_id uuid, p_job_id uuid)
returns numeric
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  -- In billionths of a dollar, so that the one function that counts usage can round up to a whole number.
  select credits.usage_cost(c.meters, c.costs, j.input - array['cache_read_tokens', 'cache_write_tokens']
    || coalesce(u.usage, '{}')) / 1000000000.0
  from public.generation_jobs as j
  left join public.generation_usage as u on u.account_id = j.account_id and u.job_id = j.id
  cross join lateral (
    select array_agg(c.meter) as meters, array_agg(c.usd * 1000000000 * (9000000 / c.per)) as costs
    from public.generation_model_costs as c
    where c.model = j.model and c.effective_from = j.price_effective_from) as c
  where j.account_id = p_account_id and j.id = p_job_id and c.costs is not null;
$$;
comment on function credits.job_provider_cost(uuid, uuid) is
  'What a job''s provider asks for it, in dollars: for its usage, or as it was asked for where none was reported; '
  'null where no cost is known. An auditor may know that, and not read the input.';

create view public.generation_margins_daily
with (security_invoker = true)
as
select d.day, d.model, count(*) as jobs, sum(d.charged) as credits, count(d.cost_usd) as jobs_with_cost,
  round(sum(d.charged / d.credits_per_usd) filter (where d.cost_usd is not null), 6) as revenue_usd,
  round(sum(d.cost_usd), 6) as cost_usd,
  round(sum(d.charged / d.credits_per_usd) filter (where d.cost_usd is not null) - sum(d.cost_usd), 6) as margin_usd
from (
  select (j.created_at at time zone 'utc')::date as day, j.model, j.cost - j.refunded as charged,
    (select min(c.credits_per_usd) from public.generation_model_costs as c
      where c.model = j.model and c.effective_from = j.price_effective_from) as credits_per_usd,
    credits.job_provider_cost(j.account_id, j.id) as cost_usd
  from public.generation_jobs as j where j.status = 'succeeded'
) as d
group by d.day, d.model;
comment on view public.generation_margins_daily is
  'For each day (UTC) and model: the jobs that succeeded, the credits that they were charged, and of those whose cost '
  'is known revenue, cost and margin in dollars.';
