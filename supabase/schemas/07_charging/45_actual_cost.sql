-- Gives: what a job really cost, and the charge of what exceeds its charge.
-- Keeps: a job is priced by the version that it was charged by; nothing is charged beyond cap, credits and overdraft.
-- Needs: metering, burn down, members, app keys, events; when called: due.

create function credits.usage_reported(p_usage jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  usage jsonb;
  bad_field text;
begin
  -- Within these bounds no price times usage passes a bigint.
  select jsonb_object_agg(f.key, f.value),
    min(f.key) filter (where case when jsonb_typeof(f.value) <> 'number' then true
      else f.value::numeric not between 0 and case when f.key in ('n', 'width', 'height') then 100000
        else 100000000 end end)
  into usage, bad_field
  from jsonb_each(p_usage) as f
  where f.key in ('n', 'width', 'height', 'seconds', 'input_tokens', 'cache_read_tokens', 'cache_write_tokens',
    'output_tokens', 'characters')
    and f.value <> 'null';
  if bad_field is not null then
    perform credits.raise_misuse('22023',
      format('actual usage: %s must be a number from 0 to 100000 (n, width, height) or 100000000', bad_field),
      'Report what the provider says that the job used; leave out what it does not say.');
  end if;
  return coalesce(usage, '{}');
end;
$$;
comment on function credits.usage_reported(jsonb) is
  'The fields of a reported usage that a price depends on, without nulls. Raises 22023 for one that is no number or '
  'out of bounds.';

create function credits.job_actual_cost(p_job public.generation_jobs, p_actual_cost bigint, p_actual_usage jsonb)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_actual_cost < 0 or jsonb_typeof(p_actual_usage) <> 'object' then
    perform credits.raise_misuse('22023', 'actual cost must be 0 or more, actual usage a JSON object',
      'Leave both out when the job cost what was charged.');
  end if;
  if p_actual_cost is not null or p_actual_usage is null then
    return coalesce(p_actual_cost, p_job.cost);
  end if;
  -- What the usage does not name is as it was asked for; but no request says what a cache gave.
  return coalesce((
    select credits.usage_cost(m.meters, m.prices,
      (p_job.input - array['cache_read_tokens', 'cache_write_tokens']) || credits.usage_reported(p_actual_usage))
    from public.generation_models as m
    where m.name = p_job.model and m.effective_from = p_job.price_effective_from), p_job.cost);
end;
$$;
comment on function credits.job_actual_cost(public.generation_jobs, bigint, jsonb) is
  'What a job really cost, by the price version that it was charged by. Raises 22023 for a negative cost or a bad '
  'usage.';

create function credits.charge_overage(p_job public.generation_jobs, p_actual_cost bigint)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
declare
  policy text;
  balance_before bigint;
  account public.credit_accounts;
  plan credits.burn_plan;
  extra bigint := p_actual_cost - p_job.cost;
  overdraft_left bigint;
begin
  select overage into strict policy from public.generation_models
  where name = p_job.model and effective_from = p_job.price_effective_from;
  perform credits.account_refill_due(p_job.account_id);
  select * into strict account from public.credit_accounts where id = p_job.account_id;
  -- Counted towards the month that the job was charged in, so bounded by what is left of that one.
  extra := least(extra, (
    select m.monthly_cap - credits.member_month_charged(m.account_id, m.user_id, p_job.created_at)
    from public.account_members as m
    where m.account_id = p_job.account_id and m.user_id = p_job.member_id and m.monthly_cap is not null), (
    -- Of a month that is over a key keeps no count.
    select case
      when date_trunc('month', p_job.created_at at time zone 'utc')::date >= credits.spending_month(k.spent_month)
      then k.monthly_cap - credits.spent_this_month(k.spent, k.spent_month) else 0 end
    from public.generation_usage as u
    join public.credit_app_keys as k on k.account_id = u.account_id and k.id = u.app_key_id
    where u.account_id = p_job.account_id and u.job_id = p_job.id and k.monthly_cap is not null));
  if policy = 'cap' or account.closed_at is not null or account.debt > 0 or extra <= 0 then
    return 0;
  end if;
  plan := credits.burn_plan(account.id, extra);
  -- What neither grants nor overdraft pay is not charged. Planned once: a grant may expire between two plans.
  overdraft_left := account.credit_limit - account.overdraft_used;
  extra := extra - greatest(plan.shortfall - overdraft_left, 0);
  plan.shortfall := least(plan.shortfall, overdraft_left);
  if extra > 0 then
    balance_before := account.balance;
    account := credits.burn(account, plan, 'charge', p_job.id, 'actual cost above the charge');
    perform credits.balance_announce(account.id, balance_before, account.balance);
    perform credits.member_spend(account.id, p_job.member_id, extra, p_job.created_at);
    perform credits.app_key_spend(account.id, p_job.id, extra, p_job.created_at);
  end if;
  return extra;
end;
$$;
comment on function credits.charge_overage(public.generation_jobs, bigint) is
  'Charges what a job cost beyond its charge, as its model''s overage policy, the caps of member and key, and the '
  'account''s credits and overdraft allow; nothing on an account that is closed or in debt. Returns how much. The '
  'caller holds the locks.';
