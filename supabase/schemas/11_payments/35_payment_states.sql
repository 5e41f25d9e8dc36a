-- Gives: how a payment's state, in the neutral form, is read and laid over what is known.
-- Keeps: a state only goes forward, part by part, so an older one that comes later undoes nothing.
-- Needs: settings, payments, neutral form.
--
-- The rule: a payment goes open, unpaid, expired, void, paid, and what was bought stays once it is paid. A refund goes
-- pending, succeeded, failed. Of two states of a dispute the one with more money withdrawn and reinstated is newer;
-- if that is equal, it goes open, closed, lost, won. Refunds, disputes and ids that a state does not mention stay. Laid
-- over each other in any order and any number of times, the same states give the same payment: no clock is compared.

create function credits.lines_read(p_state jsonb)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'price_id', credits.neutral_text(l.line, 'price_id'),
    'quantity', coalesce(credits.neutral_number(l.line, 'quantity', -1000000000000000), 1),
    'amount', coalesce(credits.neutral_number(l.line, 'amount', -1000000000000000), 0),
    'is_proration', coalesce(credits.neutral_flag(l.line, 'is_proration'), false),
    'period_start', credits.neutral_time(l.line, 'period_start'),
    'period_end', credits.neutral_time(l.line, 'period_end')) order by l.place), '[]')
  from jsonb_array_elements(credits.neutral_list(p_state, 'lines')) with ordinality as l (line, place);
$$;
comment on function credits.lines_read(jsonb) is
  'The lines of a payment with the fields that count, and no others. Raises 22023 for a '
  'bad form.';

create function credits.refunds_read(p_state jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select coalesce(jsonb_object_agg(credits.required('a refund''s id', credits.neutral_text(r, 'id')),
    jsonb_build_object('amount', credits.required('a refund''s amount', credits.neutral_number(r, 'amount')),
      'status', credits.required('a refund''s status',
        credits.neutral_text(r, 'status', '^(pending|succeeded|failed)$')))
    -- Of one that is listed twice the state that is furthest on.
    order by array_position(array['pending', 'succeeded', 'failed'], r ->> 'status')), '{}')
  from jsonb_array_elements(credits.neutral_list(p_state, 'refunds')) as r;
$$;
comment on function credits.refunds_read(jsonb) is
  'The refunds of a payment by their ids, with amount and status and nothing else. Raises 22023 for a bad form.';

create function credits.refunds_merge(p_known jsonb, p_new jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select coalesce(jsonb_object_agg(latest.id, latest.refund), '{}') from (
    select distinct on (r.key) r.key as id, r.value as refund
    from (select * from jsonb_each(p_known) union all select * from jsonb_each(p_new)) as r
    order by r.key, array_position(array['failed', 'succeeded', 'pending'], r.value ->> 'status'),
      (r.value ->> 'amount')::bigint desc
  ) as latest;
$$;
comment on function credits.refunds_merge(jsonb, jsonb) is
  'Two sets of refunds as one: each refund in the state that is furthest on.';

create function credits.payment_read(p_state jsonb)
returns public.payments
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  payment public.payments;
begin
  payment.provider := credits.required('provider', credits.neutral_text(p_state, 'provider', '^[a-z][a-z0-9_]{0,30}$'));
  payment.livemode := credits.required('livemode', credits.neutral_flag(p_state, 'livemode'));
  payment.kind := credits.required('kind', credits.neutral_text(p_state, 'kind', '^(pack|plan)$'));
  payment.key := credits.required('key', credits.neutral_text(p_state, 'key',
    format('^%s:%s:.{1,200}$', payment.provider, case payment.kind when 'pack' then 'cs' else 'in' end)));
  payment.session_id := credits.neutral_text(p_state, 'session');
  payment.invoice_id := credits.neutral_text(p_state, 'invoice');
  payment.intent_id := credits.neutral_text(p_state, 'intent');
  payment.charge_id := credits.neutral_text(p_state, 'charge');
  payment.customer_id := credits.neutral_text(p_state, 'customer');
  payment.subscription_id := credits.neutral_text(p_state, 'subscription');
  payment.claimed_account_id := credits.neutral_account(p_state);
  payment.status := credits.required('status',
    credits.neutral_text(p_state, 'status', '^(open|unpaid|expired|void|paid)$'));
  payment.lines := credits.lines_read(p_state);
  payment.amount := coalesce(credits.neutral_number(p_state, 'amount'), 0);
  payment.currency := credits.neutral_text(p_state, 'currency', '^[a-z]{3}$');
  payment.refunds := credits.refunds_read(p_state);
  payment.fee := credits.neutral_number(p_state, 'fee', -1000000000000000);
  payment.paid_at := credits.neutral_time(p_state, 'paid_at');
  payment.created_at := credits.required('created_at', credits.neutral_time(p_state, 'created_at'));
  if payment.status = 'paid' then
    perform credits.required('currency', payment.currency);
    payment.paid_at := coalesce(payment.paid_at, now());
  end if;
  return payment;
end;
$$;
comment on function credits.payment_read(jsonb) is
  'A payment''s state out of its neutral form, which docs/payment_states.md describes. What is not listed there is '
  'left out. Raises 22023 for a bad form.';

create function credits.payment_merge(p_known public.payments, p_new public.payments)
returns public.payments
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  course constant text[] := array['open', 'unpaid', 'expired', 'void', 'paid'];
begin
  p_known.session_id := coalesce(p_new.session_id, p_known.session_id);
  p_known.invoice_id := coalesce(p_new.invoice_id, p_known.invoice_id);
  p_known.intent_id := coalesce(p_new.intent_id, p_known.intent_id);
  p_known.charge_id := coalesce(p_new.charge_id, p_known.charge_id);
  p_known.subscription_id := coalesce(p_known.subscription_id, p_new.subscription_id);
  -- Whose it is does not change once it is booked.
  p_known.customer_id := coalesce(p_known.customer_id, p_new.customer_id);
  p_known.claimed_account_id := coalesce(p_known.claimed_account_id, p_new.claimed_account_id);
  if p_known.status <> 'paid'
    and array_position(course, p_new.status) >= array_position(course, p_known.status) then
    p_known.status := p_new.status;
    p_known.lines := p_new.lines;
    p_known.amount := p_new.amount;
    p_known.currency := coalesce(p_new.currency, p_known.currency);
    p_known.paid_at := p_new.paid_at;
  end if;
  p_known.fee := coalesce(p_known.fee, p_new.fee);
  p_known.refunds := credits.refunds_merge(p_known.refunds, p_new.refunds);
  p_known.refunded := (
    select coalesce(sum((value ->> 'amount')::bigint), 0) from jsonb_each(p_known.refunds)
    where value ->> 'status' = 'succeeded');
  return p_known;
end;
$$;
comment on function credits.payment_merge(public.payments, public.payments) is
  'A payment as it is known, with a state of it laid over: each part goes forward or stays.';

create function credits.disputes_note(p_payment public.payments, p_state jsonb)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.payment_disputes as d (provider, dispute_id, payment_key, account_id, status, amount, withdrawn,
    reinstated, fee, response, opened_at, ended_at)
  select p_payment.provider, credits.required('a dispute''s id', credits.neutral_text(n, 'id')), p_payment.key,
    p_payment.account_id,
    credits.required('a dispute''s status', credits.neutral_text(n, 'status', '^(open|closed|lost|won)$')),
    coalesce(credits.neutral_number(n, 'amount'), 0), coalesce(credits.neutral_number(n, 'withdrawn'), 0),
    coalesce(credits.neutral_number(n, 'reinstated'), 0), credits.neutral_number(n, 'fee', -1000000000000000),
    s.on_dispute, credits.neutral_time(n, 'opened_at'), case when n ->> 'status' <> 'open' then now() end
  from (
    -- One that is listed twice would be written twice by one statement.
    select distinct on (e ->> 'id') e from jsonb_array_elements(credits.neutral_list(p_state, 'disputes')) as e
    order by e ->> 'id', coalesce(credits.neutral_number(e, 'withdrawn'), 0)
      + coalesce(credits.neutral_number(e, 'reinstated'), 0) desc
  ) as l (n), public.credit_settings as s
  on conflict (payment_key, provider, dispute_id) do update
  set status = excluded.status, amount = excluded.amount, fee = coalesce(excluded.fee, d.fee),
    withdrawn = greatest(d.withdrawn, excluded.withdrawn), reinstated = greatest(d.reinstated, excluded.reinstated),
    opened_at = coalesce(d.opened_at, excluded.opened_at), ended_at = coalesce(d.ended_at, excluded.ended_at),
    updated_at = now()
  where (excluded.withdrawn + excluded.reinstated,
      array_position(array['open', 'closed', 'lost', 'won'], excluded.status))
    > (d.withdrawn + d.reinstated, array_position(array['open', 'closed', 'lost', 'won'], d.status));
$$;
comment on function credits.disputes_note(public.payments, jsonb) is
  'Keeps the disputes of a payment''s state, each in its newest state. The caller holds the payment''s lock.';

create function credits.payment_disputed(p_key text)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select greatest(coalesce(sum(
    case when response = 'reverse' and status = 'open' then greatest(amount, withdrawn) else withdrawn end
      - reinstated), 0), 0)::bigint
  from public.payment_disputes where payment_key = p_key;
$$;
comment on function credits.payment_disputed(text) is
  'Minor units that a payment''s disputes take now: withdrawn less reinstated, and all that is disputed where an open '
  'dispute reverses at once.';

create function credits.payment_target(p_payment public.payments)
returns bigint
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_payment.amount > 0 then
    round(p_payment.credits::numeric * least(p_payment.amount, p_payment.refunded + p_payment.disputed)
      / p_payment.amount)::bigint
  else 0 end;
$$;
comment on function credits.payment_target(public.payments) is
  'Credits to take back of a payment in all: the part of it that was refunded or disputed, in whole credits. By the '
  'payment''s own amounts, so its currency need not be the product''s.';

create function credits.is_given_back(p_payment public.payments)
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  select p_payment.amount > 0 and p_payment.refunded + p_payment.disputed >= p_payment.amount;
$$;
comment on function credits.is_given_back(public.payments) is
  'Whether all of a payment was refunded or disputed: if it waits, it then has nothing to wait for.';
