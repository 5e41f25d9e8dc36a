-- Gives: what a paid payment grants: to which account, how many credits, until when; or why it has to wait.
-- Keeps: the credits of a period are granted once, across all upgrades, and in any order of payments.
-- Needs: settings, plans, grants, products, payments.

create type credits.payment_terms as (
  product public.credit_products,
  quantity bigint,
  credits bigint,
  period_start timestamptz,
  period_end timestamptz
);
comment on type credits.payment_terms is
  'What a payment grants; product and quantity are those of its main line.';

create function credits.payment_lines(p_payment public.payments)
returns table (
  place bigint, quantity numeric, amount bigint, is_proration boolean, period_start timestamptz,
  period_end timestamptz, product public.credit_products, credits numeric
)
language sql
stable
set search_path = '', pg_temp
as $$
  select l.place, (l.line ->> 'quantity')::numeric, (l.line ->> 'amount')::bigint,
    (l.line ->> 'is_proration')::boolean, (l.line ->> 'period_start')::timestamptz,
    (l.line ->> 'period_end')::timestamptz, p,
    -- The price of a trial is 0, not the product's. Time that was not used is a line below 0.
    case when (l.line ->> 'amount')::bigint < 0 then -p.credits
      when p.kind = 'plan' and l.line ->> 'amount' = '0' and p.unit_amount > 0 and l.line ->> 'is_proration' = 'false'
        then p.trial_credits
      else p.credits end * (l.line ->> 'quantity')::numeric
  from jsonb_array_elements(p_payment.lines) with ordinality as l (line, place)
  left join lateral credits.product_of_price(
    p_payment.provider, p_payment.livemode, l.line ->> 'price_id', p_payment.created_at) as p on true;
$$;
comment on function credits.payment_lines(public.payments) is
  'The lines of a payment with the products that they were sold as, and the credits that each brings (below 0: that it '
  'takes away, of the plan before an upgrade).';

create function credits.payment_levels(p_payment public.payments)
returns table (period_end timestamptz, period_start timestamptz, is_proration boolean, levels int8multirange)
language sql
stable
set search_path = '', pg_temp
as $$
  with lines as (
    select l.*, min(l.period_start) over part as first, max(l.period_start) over part as last
    from credits.payment_lines(p_payment) as l window part as (partition by l.period_end, l.is_proration)
  ),
  -- Of several changes before one invoice: from what was there before the first to what is there after the last.
  totals as (
    select n.period_end, min(n.period_start) as begins, n.is_proration,
      coalesce(-sum(n.credits) filter (where n.credits < 0
        and (not n.is_proration or n.period_start is not distinct from n.first)), 0) as below,
      coalesce(sum(n.credits) filter (where n.credits > 0
        and (not n.is_proration or n.period_start is not distinct from n.last)), 0) as above
    from lines as n group by n.period_end, n.is_proration
  )
  select t.period_end, t.begins, t.is_proration,
    case when t.above > t.below then int8multirange(int8range(t.below::bigint, t.above::bigint))
      else '{}'::int8multirange end
  from totals as t;
$$;
comment on function credits.payment_levels(public.payments) is
  'Which credits of a period a payment is for: 0 to what its plan brings, or from the old plan''s to the new one''s '
  'where it is for an upgrade.';

create function credits.period_share(p_payment public.payments, p_start timestamptz, p_end timestamptz)
returns numeric
language sql
stable
set search_path = '', pg_temp
as $$
  with period as (
    select min(o.period_start) as begins from public.payments as o
    where o.account_id = p_payment.account_id and o.subscription_id = p_payment.subscription_id
      and o.period_end = p_end and o.state = 'booked' and o.period_start < p_start
    union all
    select s.current_period_start from public.payment_subscriptions as s
    where s.provider = p_payment.provider and s.subscription_id = p_payment.subscription_id
      and s.current_period_end = p_end and s.current_period_start < p_start
  )
  select coalesce(extract(epoch from p_end - p_start) / extract(epoch from p_end - min(begins)), 1) from period;
$$;
comment on function credits.period_share(public.payments, timestamptz, timestamptz) is
  'Which part of a subscription''s period is from p_start to its end; 1 where the period is not known.';

create function credits.payment_credits(p_payment public.payments)
returns numeric
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  part record;
  covered int8multirange;
  total numeric := 0;
  gives text;
begin
  if p_payment.kind = 'pack' then
    return (select coalesce(sum(l.credits), 0) from credits.payment_lines(p_payment) as l);
  end if;
  for part in select * from credits.payment_levels(p_payment) as v where not isempty(v.levels) loop
    -- What other payments of this period have granted is granted once.
    select coalesce(range_agg(v.levels), '{}') into strict covered
    from public.payments as o cross join lateral credits.payment_levels(o) as v
    where o.account_id = p_payment.account_id and o.subscription_id = p_payment.subscription_id
      and o.key <> p_payment.key and o.state = 'booked' and o.grant_id is not null
      and o.reversed_credits < o.credits and v.period_end = part.period_end;
    gives := 'difference';
    if part.is_proration then
      select (l.product).upgrade_gives into strict gives from credits.payment_lines(p_payment) as l
      where l.is_proration and l.credits > 0 order by l.credits desc, l.place limit 1;
    end if;
    total := total + case gives when 'nothing' then 0 else trunc(
      (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(part.levels - covered) as r)
      * case gives when 'difference' then 1
        else credits.period_share(p_payment, part.period_start, part.period_end) end) end;
  end loop;
  return total;
end;
$$;
comment on function credits.payment_credits(public.payments) is
  'The credits that a payment grants. A plan''s: those of its period, or of an upgrade''s difference, that no other '
  'payment of the subscription has granted for this period. The caller holds the account''s lock.';

create function credits.payment_account(p_provider text, p_livemode boolean, p_customer_id text)
returns uuid
language sql
stable
set search_path = '', pg_temp
as $$
  select account_id from public.payment_customers
  where provider = p_provider and livemode = p_livemode and customer_id = p_customer_id;
$$;
comment on function credits.payment_account(text, boolean, text) is
  'The account of a provider''s customer; null: the customer is not ours.';

create function credits.price_cause(p_provider text, p_livemode boolean, p_price_id text)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select case when bool_or(livemode = p_livemode) then null when count(*) > 0 then 'livemode_mixed'
    else 'unknown_price' end
  from public.credit_products
  where provider = p_provider and provider_price_id = p_price_id;
$$;
comment on function credits.price_cause(text, boolean, text) is
  'Why a price cannot be booked: unknown_price, or livemode_mixed where only the other mode has it; null if it can.';

create function credits.payment_cause(p_payment public.payments)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  account constant uuid := credits.payment_account(p_payment.provider, p_payment.livemode, p_payment.customer_id);
  cause text;
  lines record;
begin
  if account is null then
    return 'unknown_customer';
  elsif p_payment.claimed_account_id <> account then
    return 'account_differs';
  end if;
  select min(credits.price_cause(p_payment.provider, p_payment.livemode, l ->> 'price_id')) into cause
  from jsonb_array_elements(p_payment.lines) as l;
  if cause is not null or p_payment.lines = '[]' then
    return coalesce(cause, 'unknown_price');
  end if;
  select bool_and((l.product).kind = p_payment.kind or (l.product).credits = 0) as fit,
    min(l.quantity) filter (where (l.product).credits > 0) as least, sum(abs(l.credits)) as credits into strict lines
  from credits.payment_lines(p_payment) as l;
  if not lines.fit then
    return 'kind_differs';
  elsif lines.least < 1 or lines.credits > 1000000000000 then
    return 'quantity';
  elsif exists (select from public.credit_grants where external_ref = p_payment.key and account_id <> account) then
    return 'granted_elsewhere';
  elsif exists (select from public.credit_accounts where id = account and closed_at is not null) then
    return 'account_closed';
  end if;
  return null;
end;
$$;
comment on function credits.payment_cause(public.payments) is
  'Why a paid payment cannot be booked; null if it can. The first that applies.';

create function credits.payment_terms(p_payment public.payments)
returns credits.payment_terms
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  terms credits.payment_terms;
begin
  select l.product, l.quantity into terms.product, terms.quantity from credits.payment_lines(p_payment) as l
  order by l.is_proration, l.credits desc nulls last, l.place limit 1;
  select min(l.period_start) filter (where l.period_end = e.latest), e.latest
    into terms.period_start, terms.period_end
  from credits.payment_lines(p_payment) as l
  cross join (select max(m.period_end) as latest from credits.payment_lines(p_payment) as m) as e group by e.latest;
  terms.credits := credits.payment_credits(p_payment);
  -- Exactly one source refills a plan.
  if exists (select from public.credit_plans where name = (terms.product).plan and refilled_by = 'schedule') then
    terms.credits := 0;
  end if;
  return terms;
end;
$$;
comment on function credits.payment_terms(public.payments) is
  'What a payment grants that has no cause to wait. The caller holds the account''s lock.';

create function credits.payment_expires_at(p_terms credits.payment_terms)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  lasts constant interval := make_interval(secs => (p_terms.product).expires_after_seconds);
  expires_at timestamptz;
begin
  if (p_terms.product).kind = 'pack' then
    return now() + lasts;
  end if;
  expires_at := p_terms.period_end + coalesce(lasts, interval '0');
  -- A payment that is booked after its period: the credits can still be used.
  return case when expires_at <= now() then
    now() + make_interval(secs => (select refund_grace_seconds from public.credit_settings)) else expires_at end;
end;
$$;
comment on function credits.payment_expires_at(credits.payment_terms) is
  'When a payment''s credits expire. If a plan''s are booked after their time, they get the grace period of a refund.';
