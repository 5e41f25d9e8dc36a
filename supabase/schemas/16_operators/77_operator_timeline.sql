-- Gives: operator_timeline, everything that happened to an account in one list, the newest first.
-- Keeps: one row per thing that happened; each source is read by its own index, and no further than the page reaches.
-- Needs: denials, request events, operator actions, operator payments, account things; table auth.users.

create function credits.timeline_detail(p_facts jsonb, p_operator_id uuid, p_reason text)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_strip_nulls(p_facts || jsonb_build_object('reason', p_reason, 'operator', (
    select coalesce(u.email::text, o.note, p_operator_id::text)
    from (select p_operator_id as id) as i left join auth.users as u on u.id = i.id
    left join public.credit_operators as o on o.user_id = i.id)));
$$;
comment on function credits.timeline_detail(jsonb, uuid, text) is
  'The details of a row: what is known of it, which operator did it (by mail), and why.';

create function credits.job_outcome(p_job public.generation_jobs)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_job.status when 'succeeded' then 'succeeded' when 'failed' then 'failed'
    when 'canceled' then 'was canceled' when 'expired' then 'ran out of time' when 'running' then 'is running'
    else 'has not started' end;
$$;
comment on function credits.job_outcome(public.generation_jobs) is 'How a job stands, after "the job".';

create function credits.movement_kind(p_thing credits.account_thing)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_thing.kind
    when 'release' then 'settlement'
    when 'revocation' then case when p_thing.reason = 'debt of a revoked grant' then 'debt_paid' else 'reversal' end
    when 'adjustment' then case when p_thing.job_id is not null then 'correction'
      when p_thing.delta < 0 then 'withdrawal' else 'grant' end
    else p_thing.kind::text end;
$$;
comment on function credits.movement_kind(credits.account_thing) is 'The kind of a movement, as the timeline names it.';

create function credits.movement_title(p_thing credits.account_thing, p_job public.generation_jobs)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case credits.movement_kind(p_thing)
    when 'charge' then case when p_thing.reason is null
      then format('Charged for %s: the job %s', p_job.model, credits.job_outcome(p_job))
      else format('Charged more for %s: it cost more than was held', p_job.model) end
    when 'settlement' then format('Settled: %s did not use all that was held', p_job.model)
    when 'refund' then format('Refunded: the job %s', credits.job_outcome(p_job))
    when 'correction' then 'Job corrected: its entries now say what it cost'
    when 'grant' then 'Granted'
    when 'purchase' then 'Bought'
    when 'refill' then 'Credits of the plan'
    when 'transfer' then case when p_thing.delta < 0 then 'Transferred to another account'
      when p_thing.metadata ? 'returned' then 'Transfer that came back'
      else 'Transferred from another account' end
    when 'withdrawal' then 'Withdrawn'
    when 'expiry' then 'Expired'
    when 'debt_paid' then 'Paid what was owed for a grant that was taken back'
    when 'reversal' then case when p_thing.delta < 0 then 'Grant taken back' else 'Grant given back' end end;
$$;
comment on function credits.movement_title(credits.account_thing, public.generation_jobs) is
  'A movement in a few words; p_job: its job, where it has one.';

create function credits.timeline_movements(
  p_account_id uuid, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  select t.at, t.key, credits.movement_kind(t), credits.movement_title(t, j), t.delta, t.balance_after, t.job_id,
    case when t.kind = 'revocation' then (t.metadata ->> 'reversed_grant_id')::bigint else t.grant_id end, p.key,
    j.request_id, o.id, o.seq,
    credits.timeline_detail(jsonb_build_object('first_seq', t.first_seq, 'last_seq', t.last_seq, 'model', j.model,
      'status', j.status, 'cost', j.cost, 'refunded', j.refunded, 'member_id', j.member_id,
      'error_code', j.error ->> 'code', 'error_message', j.error ->> 'message',
      'expires_at', case when t.delta > 0 then g.expires_at end,
      'external_ref', case when t.delta > 0 then g.external_ref end,
      'from_account_id', case when t.kind = 'transfer' then t.metadata ->> 'from_account_id' end), o.id,
      -- The entry's own words may be the product's or the plan's.
      coalesce(a.reason, t.reason))
  from credits.newest_things(p_account_id, p_before_at, p_before_key, p_limit) as t
  left join public.generation_jobs as j on j.id = t.job_id and j.account_id = p_account_id
  left join public.credit_grants as g on g.account_id = p_account_id and g.id = t.grant_id
  left join public.payments as p on p.key = g.external_ref and t.delta > 0
  left join lateral (
    select split_part(n.name, ':', 1)::uuid as id, split_part(n.name, ':', 2)::bigint as seq
    from (select t.metadata ->> 'operator_action' as name offset 0) as n
    where n.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]{1,18}$'
  ) as o on true
  left join public.operator_actions as a
    on a.operator_id = o.id and a.seq = o.seq and a.account_id = p_account_id;
$$;
comment on function credits.timeline_movements(uuid, timestamptz, text, integer) is 'What moved an account''s credits.';

create function credits.timeline_requests(
  p_account_id uuid, p_since timestamptz, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  (select e.created_at, 'request:' || e.id, case when e.status < 400 then 'repeat' else 'denial' end,
    case when e.status < 400 then 'The same request again: answered, not charged'
      else 'Denied: ' || coalesce(d.title, e.code) end,
    null::bigint, null::bigint, e.job_id, null::bigint, null, e.request_id, null::uuid, null::bigint,
    jsonb_strip_nulls(jsonb_build_object('code', e.code, 'status', e.status, 'model', e.model, 'member_id', e.member_id,
      'rule', replace(d.message, '%s', '…')))
  from public.credit_request_events as e left join credits.denials as d on d.code = e.code
  where e.account_id = p_account_id and e.created_at >= p_since and e.created_at <= p_before_at
    and (e.created_at, ('request:' || e.id) collate "C") < (p_before_at, p_before_key)
  order by e.created_at desc, e.id desc limit p_limit)
  union all
  -- Jobs of free models have no entry.
  (select j.created_at, 'free:' || j.id, 'charge', format('Free of charge, %s: the job %s', j.model,
    credits.job_outcome(j)), 0, null, j.id, null, null, j.request_id, null, null,
    jsonb_strip_nulls(jsonb_build_object('model', j.model, 'status', j.status, 'cost', 0, 'member_id', j.member_id,
      'error_code', j.error ->> 'code', 'error_message', j.error ->> 'message'))
  from public.generation_jobs as j
  where j.account_id = p_account_id and j.cost = 0 and j.created_at >= p_since and j.created_at <= p_before_at
    and (j.created_at, ('free:' || j.id) collate "C") < (p_before_at, p_before_key)
  order by j.created_at desc, j.id desc limit p_limit);
$$;
comment on function credits.timeline_requests(uuid, timestamptz, timestamptz, text, integer) is
  'An account''s requests that moved nothing: denied, repeated, or free.';

create function credits.timeline_payments(p_account_id uuid)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  select coalesce(p.paid_at, p.created_at), 'payment:' || p.key, 'payment',
    concat_ws(' ', 'Payment', case p.status when 'paid' then case p.state when 'waiting'
      then 'paid, and not booked: ' || replace(p.cause, '_', ' ') else 'paid' end else p.status end),
    null::bigint, null::bigint, null::uuid, p.grant_id, p.key, null, null::uuid, null::bigint,
    jsonb_strip_nulls(jsonb_build_object('amount', p.amount, 'currency', p.currency, 'refunded', nullif(p.refunded, 0),
      'disputed', nullif(p.disputed, 0), 'product', p.product, 'status', p.status, 'state', p.state, 'cause', p.cause,
      'rule', credits.payment_remedy(p.cause), 'granted', p.credits,
      'reversed_credits', nullif(p.reversed_credits, 0)))
  from public.payments as p where p.account_id = p_account_id
  union all
  select s.at, 'dispute:' || s.step || ':' || d.dispute_id, 'dispute', 'Dispute ' || s.step, null, null, null, null,
    d.payment_key, null, null, null,
    jsonb_strip_nulls(jsonb_build_object('amount', d.amount, 'withdrawn', nullif(d.withdrawn, 0),
      'reinstated', nullif(d.reinstated, 0), 'response', d.response, 'dispute_id', d.dispute_id))
  from public.payment_disputes as d
  cross join lateral (values (d.opened_at, 'opened'), (d.ended_at, d.status)) as s (at, step)
  where d.account_id = p_account_id and s.at is not null;
$$;
comment on function credits.timeline_payments(uuid) is
  'An account''s payments and disputes: few, so no page of them is cut here.';

create function credits.action_title(p_action public.operator_actions)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case p_action.action
    when 'set_plan' then format('Plan changed from %s to %s', p_action.before ->> 'plan', p_action.after ->> 'plan')
    when 'set_overdraft' then format('Overdraft changed from %s to %s', p_action.before ->> 'credit_limit',
      p_action.after ->> 'credit_limit')
    when 'close_account' then 'Account closed'
    when 'reopen_account' then 'Account opened again'
    when 'erase_account' then 'Personal data erased'
    when 'book_payment' then 'Payment booked again'
    else initcap(left(p_action.action, 1)) || replace(substr(p_action.action, 2), '_', ' ') end
    || case when p_action.before is not distinct from p_action.after then ': nothing changed' else '' end;
$$;
comment on function credits.action_title(public.operator_actions) is 'An operator''s action in a few words.';

create function credits.timeline_acts(
  p_account_id uuid, p_since timestamptz, p_before_at timestamptz, p_before_key text, p_limit integer
)
returns setof public.operator_timeline_row
language sql
stable
rows 50
set search_path = '', pg_temp
as $$
  -- What an action booked is there by its entries, with the action's name.
  (select a.created_at, a.name, 'operator', credits.action_title(a.action), null::bigint, null::bigint,
    case when (a.action).action in ('refund_job', 'cancel_job') then (a.action).arguments ->> 'job_id' end::uuid,
    null::bigint, case when (a.action).action = 'book_payment' then (a.action).subject end, null, a.operator_id, a.seq,
    credits.timeline_detail(jsonb_build_object('action', (a.action).action, 'subject', (a.action).subject,
      'credits', (a.action).credits, 'before', (a.action).before, 'after', (a.action).after), a.operator_id,
      (a.action).reason)
  from (
    select a as action, a.operator_id, a.seq, a.created_at,
      format('operator:%s:%s', a.operator_id, lpad(a.seq::text, 19, '0')) as name
    from public.operator_actions as a
    where a.account_id = p_account_id and a.first_seq is null and a.created_at >= p_since
      and a.created_at <= p_before_at
  ) as a
  where (a.created_at, a.name collate "C") < (p_before_at, p_before_key)
  order by a.created_at desc, a.name collate "C" desc limit p_limit)
  union all
  (select d.created_at, 'debt:' || lpad(d.seq::text, 19, '0'), 'debt',
    case when d.delta > 0 then format('Owes %s credits of a grant that was taken back after they were spent', d.delta)
      else format('Owes %s credits less: the grant was given back', -d.delta) end,
    null, null, null, d.grant_id, null, null, null, null,
    jsonb_strip_nulls(jsonb_build_object('owed', d.delta, 'debt', d.debt_after, 'reason', d.reason))
  from public.credit_debts as d
  where d.account_id = p_account_id and d.target is not null and d.delta <> 0 and d.created_at >= p_since
    and d.created_at <= p_before_at)
  union all
  select e.requested_at, 'erasure', 'erasure', 'Erasure of personal data asked for', null, null, null, null, null, null,
    null, null, jsonb_strip_nulls(jsonb_build_object('finished_at', e.finished_at))
  from public.account_erasures as e where e.account_id = p_account_id and e.erases;
$$;
comment on function credits.timeline_acts(uuid, timestamptz, timestamptz, text, integer) is
  'What was done to an account and moved no credits: operators'' actions, debts, erasure.';

create function public.operator_timeline(
  p_account_id uuid, p_before_at timestamptz default null, p_before_key text default null, p_limit integer default 50
)
returns setof public.operator_timeline_row
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  before_at constant timestamptz := coalesce(p_before_at, 'infinity');
  before_key constant text := coalesce(p_before_key, '');
  movements public.operator_timeline_row[];
  since timestamptz := '-infinity'::timestamptz;
begin
  perform credits.operator_reads();
  movements := array(
    select m from credits.timeline_movements(p_account_id, before_at, before_key, credits.page_size(p_limit)) as m);
  -- A page that movements fill reaches no further back than the oldest of them.
  if cardinality(movements) = p_limit then
    since := (select min(m.at) from unnest(movements) as m);
  end if;
  return query
  select * from (
    select * from unnest(movements)
    union all
    select * from credits.timeline_requests(p_account_id, since, before_at, before_key, p_limit)
    union all
    select * from credits.timeline_payments(p_account_id)
    union all
    select * from credits.timeline_acts(p_account_id, since, before_at, before_key, p_limit)
  ) as r
  where (r.at, r.key collate "C") < (before_at, before_key)
  order by r.at desc, r.key collate "C" desc limit p_limit;
end;
$$;
comment on function public.operator_timeline(uuid, timestamptz, text, integer) is
  'What happened to an account, for operators, the newest first: up to p_limit (1 to 200) rows before p_before_at and '
  'p_before_key, which are the last row''s at and key. kind: charge, settlement (what was not used came back), refund, '
  'correction, grant, purchase, refill, transfer, withdrawal, expiry, reversal, debt, debt_paid, payment, dispute, '
  'denial, repeat (the same request again, not charged), operator (an action that moved nothing) or erasure. detail: '
  'what else is known, an operator by their mail, the reason, and of a denial its rule. Raises 42501 for who is no '
  'operator, 22023 for another limit.';
