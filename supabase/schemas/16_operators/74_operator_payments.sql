-- Gives: payments and events that were not delivered, for operators.
-- Keeps: ids of the provider and amounts; nothing of a person or a card.
-- Needs: events, payments, operator gate, operator reads.

create function credits.payment_remedy(p_cause text)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_cause
    when 'unknown_customer' then 'Nobody is known as this customer. Find out whose payment it is, link the customer '
      '(link_payment_customer), then book the payment.'
    when 'account_differs' then 'The payment names another account than its customer''s. Find out who has paid; '
      'correct it at the provider, or refund it there.'
    when 'account_closed' then 'The account is closed. Open it and book the payment, or refund it at the provider.'
    when 'unknown_price' then 'No product has this price. Set the product up (set_product), then book the payment.'
    when 'livemode_mixed' then 'A test payment of a live product, or the other way round. Refund it at the provider.'
    when 'kind_differs' then 'A pack was sold as a plan, or the other way round. Refund it at the provider, and '
      'correct the product.'
    when 'quantity' then 'The quantity is more than the product allows. Refund it at the provider.'
    when 'granted_elsewhere' then 'Something else was granted under this payment''s key. Reverse that grant, then book '
      'the payment.'
    else 'Book the payment again; if it still waits, refund it at the provider.' end
  where p_cause is not null;
$$;
comment on function credits.payment_remedy(text) is 'What to do about a payment that waits, by its cause.';

create view public.operator_payments
with (security_barrier = true)
as
select p.key as payment_key, coalesce(p.paid_at, p.created_at) as at, p.account_id, p.claimed_account_id, p.provider,
  p.livemode, p.kind, p.status, p.state, p.cause, credits.payment_remedy(p.cause) as remedy, p.amount, p.currency,
  p.refunded, p.disputed, p.fee, p.product, p.quantity, p.credits, p.grant_id, p.reversed_credits, p.customer_id,
  p.session_id, p.invoice_id, p.intent_id, p.charge_id, p.subscription_id, p.period_start, p.period_end, p.tries,
  p.paid_at, p.created_at, p.booked_at, p.updated_at
from public.payments as p
where (select credits.operator_role()) is not null;
comment on view public.operator_payments is
  'Payments, for operators: what the provider says (status), what was booked (state: noted, waiting, booked; credits), '
  'why one waits (cause) and what to do (remedy). amount, refunded, disputed and fee: minor units. at: paid_at, or '
  'created_at where it was not paid. Ask by payment_key, account_id or state; operator_payments_page lists the newest.';

create function credits.newest_payments(
  p_account_id uuid, p_state text, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.payments
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_account_id is not null or p_state = 'waiting' then
    -- Few: of one account, or what waits.
    return query
    select p.* from public.payments as p
    where (p_account_id is null or p.account_id = p_account_id) and (p_state is null or p.state = p_state)
      and (coalesce(p.paid_at, p.created_at), p.key) < (p_before_at, p_before_key)
    order by coalesce(p.paid_at, p.created_at) desc, p.key desc limit p_limit;
    return;
  end if;
  return query
  select p.* from public.payments as p
  where p.paid_at is not null and p.paid_at <= p_before_at and (p.paid_at, p.key) < (p_before_at, p_before_key)
    and (p_state is null or p.state = p_state)
  order by p.paid_at desc, p.key desc limit p_limit;
end;
$$;
comment on function credits.newest_payments(uuid, text, timestamptz, text, integer) is
  'The newest payments before one, of an account or of all; of all only those that were paid, unless p_state is '
  'waiting.';

create function public.operator_payments_page(
  p_account_id uuid default null, p_state text default null, p_before_at timestamptz default null,
  p_before_key text default null, p_limit integer default 50
)
returns setof public.operator_payments
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  return query
  select v.* from credits.newest_payments(p_account_id, p_state, coalesce(p_before_at, 'infinity'),
    coalesce(p_before_key, ''), credits.page_size(p_limit)) as p
  cross join lateral (select * from public.operator_payments as o where o.payment_key = p.key offset 0) as v
  order by v.at desc, v.payment_key desc;
end;
$$;
comment on function public.operator_payments_page(uuid, text, timestamptz, text, integer) is
  'The newest payments of an account, or of all accounts (p_account_id null: those that were paid), for operators: up '
  'to p_limit (1 to 200), as operator_payments shows them. p_state: only noted, waiting or booked. The next page comes '
  'before the last row''s at and payment_key. Raises 42501 for who is no operator, 22023 for another limit.';

create view public.operator_events
with (security_barrier = true)
as
select e.id as event_id, e.account_id, e.type,
  case when e.next_attempt_at is null then 'given_up' else 'waiting' end as state, e.attempts, e.next_attempt_at,
  e.last_error, e.created_at
from public.credit_events as e
where e.delivered_at is null and (select credits.operator_role()) is not null;
comment on view public.operator_events is
  'Events that were not delivered, for operators: waiting for their next try, or given up. Without what they say.';
