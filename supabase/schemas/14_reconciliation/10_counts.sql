-- Gives: the counts that grants, members, transfers and withdrawals keep, next to the sums of entries and jobs that
-- they must equal.
-- Keeps: nothing; a count (told) differs from its sum (booked) only if somebody wrote by hand.
-- Needs: shards, jobs, transfer, transfer between shards, withdrawal.

create view credits.transfers_booked
with (security_invoker = true)
as
select m.account_id, m.external_ref, m.from_account_id, min(m.seq) as seq, sum(m.told) as told, sum(m.booked) as booked
from (
  select to_account_id as account_id, external_ref, from_account_id::text as from_account_id, null::bigint as seq,
    amount as told, 0 as booked
  from public.credit_transfers as t
  -- What was sent to another shard arrives there; after a shard was divided, one of the accounts may live elsewhere.
  where not exists (select from public.credit_transfers_sent as s
      where s.account_id = t.from_account_id and s.external_ref = t.external_ref)
    and not exists (select from public.credit_transfers_received as r
      where r.account_id = t.to_account_id and r.external_ref = t.external_ref
        and r.from_account_id = t.from_account_id)
    and ((select slot_groups from credits.shard) is null
      or credits.slot_group(to_account_id) = any ((select slot_groups from credits.shard)::integer[]))
  union all
  -- Sent transfers are compared in total: the sender's entries do not name the recipient.
  select from_account_id, null, null, null, amount, 0 from public.credit_transfers
  where (select slot_groups from credits.shard) is null
    or credits.slot_group(from_account_id) = any ((select slot_groups from credits.shard)::integer[])
  union all
  select account_id, external_ref, from_account_id::text, null, amount, 0
  from public.credit_transfers_received where refusal is null
  union all
  -- What has come back was received from the account that it had been sent to.
  select account_id, external_ref, to_account_id::text, null, amount, 0
  from public.credit_transfers_sent where returned_at is not null
  union all
  -- Imported transfers have no row in credit_transfers.
  select l.account_id, l.metadata ->> 'external_ref', l.metadata ->> 'from_account_id',
    case when l.delta > 0 then l.seq end, 0, abs(l.delta::numeric)
  from public.credit_ledger as l where l.kind = 'transfer' and (l.metadata is null or l.metadata ? 'from_account_id')
) as m
group by m.account_id, m.external_ref, m.from_account_id;
comment on view credits.transfers_booked is
  'Each transfer that an account received, and the total that it sent (external_ref null), by credit_transfers and '
  'what was sent to and received from other shards (told), and by its entries (booked; seq is the first).';

create view credits.transfers_noted
with (security_invoker = true)
as
select s.account_id, coalesce(t.amount, 0) as told,
  case when t.external_ref is null then s.amount
    -- Under another id it would be delivered as another transfer.
    when (t.to_account_id, t.amount) = (s.to_account_id, s.amount)
      and s.transfer_id = credits.transfer_id(s.account_id, s.to_account_id, s.amount, s.external_ref)
    then (select coalesce(sum((p ->> 'amount')::numeric), 0) from jsonb_array_elements(s.parts) as p)
    else 0 end as noted,
  s.sent_at as since
from public.credit_transfers_sent as s
left join public.credit_transfers as t on t.external_ref = s.external_ref and t.from_account_id = s.account_id
union all
select t.from_account_id, t.amount, 0, t.created_at
from credits.shard as d join public.credit_transfers as t on t.created_at > d.since
where credits.slot_group(t.from_account_id) = any (d.slot_groups)
  and credits.slot_group(t.to_account_id) <> all (d.slot_groups)
  and not exists (select from public.credit_transfers_sent as s
    where s.account_id = t.from_account_id and s.external_ref = t.external_ref);
comment on view credits.transfers_noted is
  'Each transfer to another shard, by credit_transfers (told) and by the parts that credit_transfers_sent has of it '
  '(noted). Without one of these rows credits would be lost on their way, or made.';

create view credits.withdrawals_booked
with (security_invoker = true)
as
select m.account_id, m.external_ref, min(m.seq) as seq, sum(m.told) as told, sum(m.booked) as booked
from (
  select account_id, external_ref, null::bigint as seq, withdrawn as told, 0 as booked from public.credit_withdrawals
  union all
  -- Only entries that take credits: a grant may have any metadata.
  select l.account_id, l.metadata ->> 'withdrawal_ref', l.seq, 0, -l.delta::numeric
  from public.credit_ledger as l where l.kind = 'adjustment' and l.delta < 0 and l.metadata ? 'withdrawal_ref'
) as m
group by m.account_id, m.external_ref;
comment on view credits.withdrawals_booked is
  'Each withdrawal with an external_ref, by credit_withdrawals (told) and by the account''s entries (booked; seq is '
  'the first).';

create view credits.grants_repaid
with (security_invoker = true)
as
select m.account_id, m.grant_id, sum(m.told) as told, sum(m.booked) as booked
from (
  select account_id, id::text as grant_id, repaid as told, 0 as booked from public.credit_grants where repaid <> 0
  union all
  -- Compared as text: imported metadata may name something that is not a grant's id.
  select l.account_id, case when l.grant_id is not null then l.metadata ->> 'repaid_to_grant_id'
      else coalesce(l.metadata ->> 'repaid_from_grant_id', l.metadata ->> 'source_grant_id') end,
    0, case when l.grant_id is null then l.delta else -l.delta end
  from public.credit_ledger as l
  where l.delta > 0 and (l.grant_id is null or (l.kind in ('release', 'refund') and l.metadata ? 'repaid_to_grant_id'))
) as m
where m.grant_id <> '0'
group by m.account_id, m.grant_id;
comment on view credits.grants_repaid is
  'How much overdraft each grant has repaid and not got back, by credit_grants (told) and by the account''s entries '
  '(booked).';

create view credits.members_counted
with (security_invoker = true)
as
with sums as (
  -- This reads all jobs, so it computes only sums. The interval of 0 is UTC, without a look-up of the time zone by
  -- name.
  select m.account_id, m.user_id, m.created_at, m.spent, m.spent_month,
    max(j.created_at) filter (where j.cost > 0) as latest,
    coalesce(sum(j.cost) filter (where j.created_at >= m.spent_month::timestamp at time zone interval '0')
      - sum(j.refunded) filter (where j.created_at >= m.spent_month::timestamp at time zone interval '0'), 0) as net
  from public.account_members as m
  left join public.generation_jobs as j on j.account_id = m.account_id and j.member_id = m.user_id
    and j.created_at >= m.spent_month::timestamp at time zone interval '0' - interval '1 hour'
  group by m.account_id, m.user_id
),
members as (
  select s.*, n.month, case when n.month = s.spent_month then s.spent else 0 end as told,
    n.month::timestamp at time zone 'utc' as begins, (n.month + interval '1 month') at time zone 'utc' as ends
  from sums as s
  cross join lateral (
    select greatest(s.spent_month, date_trunc('month', s.latest at time zone 'utc')::date) as month) as n
)
select m.account_id, m.user_id, m.created_at, m.spent_month, m.month, m.told,
  case when m.told = m.net then m.told else coalesce(e.least, 0) end as least,
  case when m.told = m.net then m.told else coalesce(e.most, 0) end as most
from members as m
cross join lateral (
  -- Charges, releases and refunds booked after the month's end do not count; a transaction that began before the month
  -- counts its charge in it. Computed only where the sums differ.
  select sum(j.cost::numeric - j.refunded - coalesce(late.charged, 0)) filter (where j.created_at >= m.begins) as least,
    sum(case when j.created_at < m.begins then j.cost
      else j.cost::numeric - j.refunded + coalesce(late.refunded, 0) end) as most
  from public.generation_jobs as j
  cross join lateral (
    select -sum(l.delta) filter (where l.kind = 'charge') as charged,
      sum(l.delta) filter (where l.kind in ('release', 'refund')) as refunded
    from public.credit_ledger as l
    where l.account_id = j.account_id and l.job_id = j.id and l.created_at >= m.ends - interval '10 seconds'
  ) as late
  where m.told <> m.net and j.account_id = m.account_id and j.member_id = m.user_id
    and j.created_at >= m.begins - interval '1 hour' and j.created_at < m.ends
) as e;
comment on view credits.members_counted is
  'What each member spent in the month of their latest charge, by account_members (told; 0 if spent_month is earlier), '
  'and its bounds by their jobs (least, most).';
