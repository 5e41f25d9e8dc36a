-- Gives: the ledger as double entry, for finance.
-- Keeps: every transaction sums to zero over its books.
-- Needs: ledger.

create function credits.book_of(p_kind public.entry_kind)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_kind
    when 'grant' then 'promotions'
    when 'adjustment' then 'promotions'
    when 'purchase' then 'clearing'
    when 'refill' then 'clearing'
    when 'revocation' then 'clearing'
    when 'transfer' then 'clearing'
    when 'charge' then 'revenue'
    when 'refund' then 'revenue'
    when 'expiry' then 'breakage'
  end;
$$;
comment on function credits.book_of(public.entry_kind) is
  'The book that stands against customer credits. clearing: paid for elsewhere (purchase, plan), taken back, or moved to another '
  'account. promotions: given. revenue: used. breakage: lapsed.';
revoke all on function credits.book_of(public.entry_kind) from public, anon, authenticated, service_role;
grant execute on function credits.book_of(public.entry_kind) to service_role;

create view public.credit_journal
with (security_invoker = true)
as
select l.account_id, l.seq, l.created_at, l.kind, l.job_id, l.grant_id, side.book,
  greatest(side.amount, 0) as debit, greatest(-side.amount, 0) as credit, side.amount
from public.credit_ledger as l
cross join lateral (values
  ('customer credits', -l.delta),
  (credits.book_of(l.kind), l.delta)
) as side (book, amount);
comment on view public.credit_journal is
  'Every ledger entry as a debit and a credit, in whole credits: two rows a transaction (account_id, seq), amount = debit - credit, '
  'summing to zero by transaction, by day and overall. Customer credits are a liability: a credit there is owed to the customer.';
revoke all on table public.credit_journal from public, anon, authenticated, service_role;
grant select on table public.credit_journal to service_role;

create view public.revenue_daily
with (security_invoker = true)
as
select (created_at at time zone 'utc')::date as day,
  sum(credit - debit) filter (where book = 'revenue')::bigint as recognised,
  sum(credit - debit) filter (where book = 'breakage')::bigint as breakage
from public.credit_journal
where book in ('revenue', 'breakage')
group by 1;
comment on view public.revenue_daily is
  'Revenue recognised a day (UTC) in whole credits: recognised is what was charged less refunds, breakage what lapsed unused.';
revoke all on table public.revenue_daily from public, anon, authenticated, service_role;
grant select on table public.revenue_daily to service_role;

create view public.liability_daily
with (security_invoker = true)
as
select day, change, sum(change) over (order by day)::bigint as outstanding
from (
  select (created_at at time zone 'utc')::date as day, sum(credit - debit)::bigint as change
  from public.credit_journal where book = 'customer credits' group by 1
) as days;
comment on view public.liability_daily is
  'Credits owed to customers at the end of each day (UTC) on which something moved: change of the day, and outstanding.';
revoke all on table public.liability_daily from public, anon, authenticated, service_role;
grant select on table public.liability_daily to service_role;
