-- Gives: payments for finance: revenue, refunds and fees by product, and what is paid for and not used yet.
-- Keeps: money in minor units of its currency, never added up over currencies, modes or providers.
-- Needs: grants, payments.

create view public.payment_revenue_daily
with (security_invoker = true)
as
select (p.paid_at at time zone 'utc')::date as day, p.provider, p.livemode, p.currency, p.kind, p.product,
  count(*) as payments, sum(p.amount)::bigint as gross, sum(least(p.refunded, p.amount))::bigint as refunded,
  sum(least(p.disputed, p.amount))::bigint as disputed, sum(coalesce(p.fee, 0) + d.fee)::bigint as fees,
  sum(p.amount - least(p.refunded + p.disputed, p.amount) - coalesce(p.fee, 0) - d.fee)::bigint as net,
  count(*) filter (where p.fee is null and p.amount > 0) as without_fee,
  sum(p.credits)::bigint as credits, sum(p.reversed_credits)::bigint as reversed_credits
from public.payments as p
cross join lateral (
  select coalesce(sum(c.fee), 0) as fee from public.payment_disputes as c where c.payment_key = p.key) as d
where p.status = 'paid'
group by 1, 2, 3, 4, 5, 6;
comment on view public.payment_revenue_daily is
  'What was paid, by the day (UTC) of the payment and by product, as it stands now: gross, less what was refunded and '
  'disputed and the provider''s fees (those of disputes, too), is net. In minor units of the currency. without_fee: '
  'payments whose fee is not known. product null: payments that wait. credits and reversed_credits: granted and taken '
  'back for them.';

create view public.payment_deferred_revenue
with (security_invoker = true)
as
select p.provider, p.livemode, p.currency, p.kind, p.product,
  sum(g.remaining)::bigint as credits_outstanding,
  round(sum((p.amount - least(p.refunded + p.disputed, p.amount))
    * least(g.remaining / nullif(p.credits - p.reversed_credits, 0)::numeric, 1)))::bigint as deferred,
  sum(p.amount - least(p.refunded + p.disputed, p.amount))::bigint as kept
from public.payments as p
cross join lateral (
  select coalesce(sum(c.remaining), 0) as remaining from public.credit_grants as c
  where c.account_id = p.account_id and (c.id = p.grant_id or c.makes_good = p.grant_id)) as g
where p.state = 'booked'
group by 1, 2, 3, 4, 5;
comment on view public.payment_deferred_revenue is
  'What is paid for and not used yet, by product: credits of payments that are left (also those that came back after '
  'their expiry), and the money that they stand for, in minor units of the currency: of each payment the part that its '
  'credits left are of those that were not taken back. kept: what was paid and not refunded or disputed. Credits that '
  'were transferred to another account are no longer told by their payment.';
