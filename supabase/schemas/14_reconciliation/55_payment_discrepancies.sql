-- Gives: the checks of payments against grants, events and plans.
-- Keeps: nothing; reports what differs and what was expected.
-- Needs: grants, payments, payment states, subscriptions.

create type credits.payment_discrepancy as (
  discrepancy text,
  payment_key text,
  account_id uuid,
  grant_id bigint,
  expected bigint,
  actual bigint,
  since timestamptz
);

create function credits.payment_target_now(p_payment public.payments)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- By the cases and refunds themselves, not by their sums in the row.
  p_payment.disputed := credits.payment_disputed(p_payment.key);
  p_payment.refunded := (
    select coalesce(sum((value ->> 'amount')::bigint), 0) from jsonb_each(p_payment.refunds)
    where value ->> 'status' = 'succeeded');
  return credits.payment_target(p_payment);
end;
$$;
comment on function credits.payment_target_now(public.payments) is
  'Credits that are to be taken back of a payment in all, by its refunds and cases.';

create function credits.payment_book_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  with booked as (
    select p.*, g.id as found_id, g.amount as granted, g.reversed, p as payment,
      case when g.id is not null then credits.payment_target_now(p) end as target
    from public.payments as p
    left join public.credit_grants as g on g.account_id = p.account_id and g.id = p.grant_id
    where p.status = 'paid'
  )
  select 'paid_without_grant', key, account_id, grant_id, case state when 'booked' then credits end, 0::bigint,
    coalesce(paid_at, created_at)
  from booked
  where state <> 'booked' and not (state = 'noted' and credits.is_given_back(payment))
    or (credits > 0 and found_id is null)
  union all
  select 'credits_differ', key, account_id, grant_id, credits, granted, booked_at
  from booked where granted <> credits
  union all
  select 'reversal_differs', key, account_id, grant_id, target, reversed, updated_at
  from booked where target <> reversed or target <> reversed_credits
  union all
  select 'payment_changed', p.key, p.account_id, p.grant_id, 1, 0, p.updated_at
  from public.payments as p where p.seal is distinct from credits.payment_seal(p)
  union all
  select 'grant_without_payment', g.external_ref, g.account_id, g.id, 0, g.amount, g.created_at
  from public.credit_grants as g
  where g.kind = 'purchase' and g.external_ref ~ '^[a-z][a-z0-9_]*:(cs|in):.'
    -- An app's own references may look alike.
    and split_part(g.external_ref, ':', 1) in (
      select provider from public.payments union select provider from public.credit_products union select 'stripe')
    and not exists (select from public.payments as p
      where p.key = g.external_ref and p.account_id = g.account_id and p.grant_id = g.id);
$$;
comment on function credits.payment_book_discrepancies() is
  'Payments whose grant is missing or another, or whose credits are taken back otherwise than their refunds and '
  'disputes say; rows that were written by hand; and grants that name a payment which is not there.';

create function credits.payment_waiting_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  select 'event_waiting', payment_key, account_id, null::bigint, 0::bigint, tries::bigint, received_at
  from public.payment_events where outcome = 'waiting'
  union all
  select 'customer_of_two_accounts', key, account_id, null, 1, 2, coalesce(paid_at, created_at)
  from public.payments where cause = 'account_differs'
  union all
  select 'customer_of_two_accounts', subscription_id, account_id, null, 1, 2, created_at
  from public.payment_subscriptions where cause = 'account_differs'
  union all
  -- A valid unique index rules it out.
  select 'customer_of_two_accounts', customer_id, account_id, null, 1, n, created_at
  from (select *, count(*) over (partition by provider, livemode, customer_id) as n
    from public.payment_customers) as c
  where n > 1;
$$;
comment on function credits.payment_waiting_discrepancies() is
  'Events that wait, and customers whom payments or subscriptions ascribe to another account.';

create function credits.subscription_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  with plans as (
    select s.*, a.plan as account_plan, coalesce(credits.subscription_ends_at(s), '-infinity') as ends_at
    from public.payment_subscriptions as s left join public.credit_accounts as a on a.id = s.account_id
  )
  select 'subscription_without_plan', p.subscription_id, p.account_id, null::bigint, 1::bigint, 0::bigint, p.updated_at
  from plans as p
  where (p.cause is not null and p.status in ('active', 'trialing', 'past_due'))
    or (p.ends_at > now() and not exists (select from plans as o
      where o.account_id = p.account_id and o.plan = p.account_plan and o.ends_at > now()))
  union all
  -- The schedule ends it within minutes.
  select 'subscription_without_plan', p.subscription_id, p.account_id, null, 0, 1, greatest(p.ends_at, p.updated_at)
  from plans as p
  where p.has_plan and greatest(p.ends_at, p.updated_at) < now() - interval '30 minutes';
$$;
comment on function credits.subscription_discrepancies() is
  'Subscriptions whose account is not on their plan (expected 1), or still counts as on it after their time (expected '
  '0).';

create type credits.witness_object as (
  object jsonb,
  account_id uuid,
  made_at timestamptz
);

create function credits.witness_objects(p_table text)
returns setof credits.witness_object
language plpgsql
stable
set search_path = '', pg_temp
-- A policy of a table that is not ours would run with our rights: then nothing is read.
set row_security = off
as $$
begin
  -- A table: a view would run with our rights, too.
  if not exists (select from pg_catalog.pg_class
    where oid = to_regclass('stripe.' || p_table) and relkind in ('r', 'p')) then
    return;
  end if;
  -- By jsonb, as the columns differ between versions of the integration. What is younger than an hour may be on its
  -- way.
  return query execute format($query$
    select o.object, c.account_id, to_timestamp((o.object ->> 'created')::bigint)
    from (select coalesce(r.row -> '_raw_data', r.row) as object from (
      select to_jsonb(t) as row from stripe.%I as t) as r) as o
    left join public.payment_customers as c on c.provider = 'stripe' and c.customer_id = o.object ->> 'customer'
      and c.livemode = (o.object ->> 'livemode')::boolean
    where (o.object ->> 'created')::bigint between extract(epoch from now() - interval '30 days')
      and extract(epoch from now() - interval '1 hour')$query$, p_table);
exception when others then
  raise warning 'stripe.% cannot be read: %', p_table, sqlerrm using errcode = sqlstate;
end;
$$;
comment on function credits.witness_objects(text) is
  'The last 30 days of a table that Supabase''s Stripe integration keeps, as Stripe''s objects, with the account of '
  'their customer; nothing where that is not installed. A witness: nothing is booked from it.';

create function credits.witness_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  with paid as (
    select 'stripe:cs:' || (w.object ->> 'id') as key, w.account_id, w.made_at
    from credits.witness_objects('checkout_sessions') as w
    where w.object ->> 'mode' = 'payment' and w.object ->> 'status' = 'complete'
      and w.object ->> 'payment_status' in ('paid', 'no_payment_required')
    union all
    select 'stripe:in:' || (w.object ->> 'id'), w.account_id, w.made_at
    from credits.witness_objects('invoices') as w
    where w.object ->> 'status' = 'paid' and coalesce(w.object ->> 'subscription',
      w.object #>> '{parent,subscription_details,subscription}') is not null
  ),
  refunded as (
    select w.object ->> 'payment_intent' as intent_id, sum((w.object ->> 'amount')::bigint)::bigint as amount,
      max(w.made_at) as made_at
    from credits.witness_objects('refunds') as w where w.object ->> 'status' = 'succeeded' group by 1
  )
  select 'paid_without_grant', w.key, w.account_id, null::bigint, null::bigint, 0::bigint, w.made_at
  from paid as w
  where w.account_id is not null
    and not exists (select from public.payments as p where p.key = w.key and p.status = 'paid')
  union all
  select 'reversal_differs', p.key, p.account_id, p.grant_id,
    round(p.credits::numeric * least(p.amount, w.amount + p.disputed) / p.amount)::bigint, p.reversed_credits, w.made_at
  from refunded as w join public.payments as p on p.intent_id = w.intent_id and p.provider = 'stripe'
  where p.state = 'booked' and p.amount > 0 and w.amount > p.refunded;
$$;
comment on function credits.witness_discrepancies() is
  'What the tables of Supabase''s Stripe integration have, where they are, and payments have not: a customer''s paid '
  'checkout or invoice, or a refund.';

create function credits.payment_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from credits.payment_book_discrepancies()
  union all select * from credits.payment_waiting_discrepancies()
  union all select * from credits.subscription_discrepancies()
  union all select * from credits.witness_discrepancies();
$$;
comment on function credits.payment_discrepancies() is 'Everything in which payments, grants and plans do not agree.';
