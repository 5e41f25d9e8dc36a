-- Gives: the ledger as double entry, for finance.
-- Keeps: every transaction sums to zero over its books.
-- Needs: ledger, debts, jobs, transfer between shards.

create function credits.book_of(p_kind public.credit_entry_kind)
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
    when 'release' then 'revenue'
    when 'refund' then 'revenue'
    when 'expiry' then 'breakage'
  end;
$$;
comment on function credits.book_of(public.credit_entry_kind) is
  'The book that stands against customer credits. clearing: paid for elsewhere (purchase, plan), taken back, or '
  'moved to another account. promotions: given. revenue: used. breakage: expired.';

create view public.credit_journal
with (security_invoker = true)
as
select l.account_id, l.seq, l.created_at, l.kind, l.job_id, l.grant_id, side.book,
  greatest(side.amount, 0) as debit, greatest(-side.amount, 0) as credit, side.amount, null::bigint as debt_seq,
  null::uuid as transfer_id
from public.credit_ledger as l
cross join lateral (values
  (case when l.grant_id is null then 'overdraft' else 'customer credits' end, -l.delta),
  (credits.book_of(l.kind), l.delta)
) as side (book, amount)
union all
select d.account_id, null, d.created_at, 'revocation', null, d.grant_id, side.book,
  greatest(side.amount, 0), greatest(-side.amount, 0), side.amount, d.seq, null
from public.credit_debts as d
cross join lateral (values ('debts', d.delta), ('clearing', -d.delta)) as side (book, amount)
where d.delta <> 0
union all
-- What left this shard is owed on the way, until it has arrived or come back.
select s.account_id, null, way.at, 'transfer', null, null, side.book,
  greatest(side.amount, 0), greatest(-side.amount, 0), side.amount, null, s.transfer_id
from public.credit_transfers_sent as s
cross join lateral (values (s.sent_at, s.amount), (coalesce(s.arrived_at, s.returned_at), -s.amount))
  as way (at, amount)
cross join lateral (values ('clearing', way.amount), ('in flight', -way.amount)) as side (book, amount)
where way.at is not null;
comment on view public.credit_journal is
  'Every ledger entry as a debit and a credit, in whole credits: two rows per transaction (account_id, seq), amount '
  '= debit - credit, every change of a debt (debt_seq instead of seq), and every transfer to another shard '
  '(transfer_id instead), summing to zero by transaction, by day and overall. Customer credits are a liability: a '
  'credit there is owed to the customer. Debts are an asset, too: what is owed of grants that were taken back. In '
  'flight is a liability: credits that left for an account of another shard, until they arrive. Overdraft is an '
  'asset: a debit there is owed by the customer, who spent beyond their grants.';

create view public.credit_revenue_daily
with (security_invoker = true)
as
select (l.created_at at time zone 'utc')::date as day,
  coalesce(-sum(l.delta) filter (where credits.book_of(l.kind) = 'revenue'), 0)::bigint as recognised,
  coalesce(-sum(l.delta) filter (where credits.book_of(l.kind) = 'revenue' and credits.book_of(g.kind) = 'promotions'),
    0)::bigint as promotional,
  coalesce(-sum(l.delta) filter (where credits.book_of(l.kind) = 'revenue' and j.id is not null),
    0)::bigint as reserved,
  coalesce(-sum(l.delta) filter (where credits.book_of(l.kind) = 'breakage'), 0)::bigint as breakage
from public.credit_ledger as l
left join public.credit_grants as g
  on g.account_id = l.account_id and g.id = coalesce((l.metadata ->> 'source_grant_id')::bigint, l.grant_id)
left join public.generation_jobs as j
  on j.account_id = l.account_id and j.id = l.job_id and j.status in ('pending', 'running')
where credits.book_of(l.kind) in ('revenue', 'breakage')
group by 1;
comment on view public.credit_revenue_daily is
  'Revenue recognised a day (UTC) in whole credits: recognised is what was charged less releases and refunds, and '
  'never changes afterwards; breakage what expired unused. Of recognised, promotional was paid out of credits that '
  'were given (grants of kind grant and adjustment; what came by transfer, or in a new grant after a refund, is not '
  'told apart), and reserved is held by jobs that are open now: it is earned, released or refunded on the day when '
  'they end.';

create view public.credit_liability_daily
with (security_invoker = true)
as
select day, change, sum(change) over (order by day)::bigint as outstanding,
  sum(lent) over (order by day)::bigint as overdrawn, sum(away) over (order by day)::bigint as in_flight
from (
  select (created_at at time zone 'utc')::date as day,
    coalesce(sum(credit - debit) filter (where book = 'customer credits'), 0)::bigint as change,
    coalesce(sum(debit - credit) filter (where book = 'overdraft'), 0)::bigint as lent,
    coalesce(sum(credit - debit) filter (where book = 'in flight'), 0)::bigint as away
  from public.credit_journal where book in ('customer credits', 'overdraft', 'in flight') group by 1
) as days;
comment on view public.credit_liability_daily is
  'Credits owed to customers at the end of each day (UTC) on which something moved: change of the day, and '
  'outstanding. overdrawn: what customers owe at that time, having spent beyond their grants; outstanding - '
  'overdrawn is the sum of all balances. in_flight: owed besides, on the way to accounts of other shards.';
