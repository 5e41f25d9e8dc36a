-- Gives: book_payment, which books what a payment's state is ahead of the books: its grant, and what is taken back.
-- Keeps: one payment, one grant, however often and in any order its states come; nothing of a booking that fails
-- stays, and a payment that cannot be booked waits where operators see it.
-- Needs: revocation, neutral form, payment states, payment terms, payment events; when called: subscriptions, erasure.
--
-- The lock of a payment is its row. It is taken first: payment, its subscription, account, grants. So two bookings of
-- one payment come one after the other, and a booking beside a reversal by hand meets it at the account.

create function credits.payment_lock(p_state public.payments)
returns public.payments
language plpgsql
set search_path = '', pg_temp
as $$
declare
  payment public.payments;
begin
  select * into payment from public.payments where key = p_state.key for update;
  if found or (p_state.claimed_account_id is null
    and credits.payment_account(p_state.provider, p_state.livemode, p_state.customer_id) is null
    and not exists (select from public.credit_products as p
      join jsonb_array_elements(p_state.lines) as l on l ->> 'price_id' = p.provider_price_id
      where p.provider = p_state.provider)) then
    return payment;
  end if;
  insert into public.payments (key, provider, livemode, kind, created_at)
  values (p_state.key, p_state.provider, p_state.livemode, p_state.kind, p_state.created_at)
  on conflict do nothing;
  select * into strict payment from public.payments where key = p_state.key for update;
  return payment;
end;
$$;
comment on function credits.payment_lock(public.payments) is
  'Locks a payment for the rest of the transaction and returns it; makes its row when it is first heard of. A null row '
  'where it is not ours: neither its customer nor its metadata nor any of its prices.';

create function credits.payment_write(p_payment public.payments)
returns void
language sql
set search_path = '', pg_temp
as $$
  update public.payments
  set account_id = p_payment.account_id, session_id = p_payment.session_id, invoice_id = p_payment.invoice_id,
    intent_id = p_payment.intent_id, charge_id = p_payment.charge_id, customer_id = p_payment.customer_id,
    subscription_id = p_payment.subscription_id, claimed_account_id = p_payment.claimed_account_id,
    status = p_payment.status, lines = p_payment.lines, amount = p_payment.amount, currency = p_payment.currency,
    refunds = p_payment.refunds, refunded = p_payment.refunded, disputed = p_payment.disputed, fee = p_payment.fee,
    product = p_payment.product, product_effective_from = p_payment.product_effective_from,
    quantity = p_payment.quantity, period_start = p_payment.period_start, period_end = p_payment.period_end,
    state = p_payment.state, cause = p_payment.cause, credits = p_payment.credits, grant_id = p_payment.grant_id,
    reversed_credits = p_payment.reversed_credits, tries = p_payment.tries, paid_at = p_payment.paid_at,
    booked_at = p_payment.booked_at, updated_at = clock_timestamp(), seal = credits.payment_seal(p_payment)
  where key = p_payment.key;
  update public.payment_disputes set account_id = p_payment.account_id
  where payment_key = p_payment.key and account_id is distinct from p_payment.account_id;
$$;
comment on function credits.payment_write(public.payments) is
  'Writes a payment back and seals it. The caller holds its lock.';

create function credits.payment_grant(p_payment public.payments)
returns public.payments
language plpgsql
set search_path = '', pg_temp
as $$
declare
  terms credits.payment_terms;
  earlier public.credit_grants;
begin
  -- The versions by which it is booked stay as they are from here on.
  perform from public.credit_products as p join jsonb_array_elements(p_payment.lines) as l
    on l ->> 'price_id' = p.provider_price_id
  where p.provider = p_payment.provider and p.livemode = p_payment.livemode for share of p;
  terms := credits.payment_terms(p_payment);
  p_payment.product := (terms.product).name;
  p_payment.product_effective_from := (terms.product).effective_from;
  p_payment.quantity := terms.quantity;
  p_payment.period_start := terms.period_start;
  p_payment.period_end := terms.period_end;
  p_payment.state := 'booked';
  p_payment.booked_at := clock_timestamp();
  -- One that an app's own code has granted under this key counts.
  select * into earlier from public.credit_grants
  where external_ref = p_payment.key and account_id = p_payment.account_id;
  p_payment.grant_id := earlier.id;
  p_payment.credits := coalesce(earlier.amount, terms.credits);
  if earlier.id is null and terms.credits > 0 then
    select g.grant_id into strict p_payment.grant_id from public.grant_credits(p_payment.account_id, terms.credits,
      concat(nullif(terms.quantity, 1) || ' × ', p_payment.product), 'purchase', credits.payment_expires_at(terms),
      p_payment.key, (terms.product).priority) as g;
  end if;
  return p_payment;
end;
$$;
comment on function credits.payment_grant(public.payments) is
  'Grants what a paid payment brings. The caller holds the locks of payment and account, and writes it.';

create function credits.payment_reverse(p_payment public.payments, p_again boolean)
returns public.payments
language plpgsql
set search_path = '', pg_temp
as $$
declare
  target constant bigint := credits.payment_target(p_payment);
begin
  -- Only where the target has moved: what an operator has taken back beside it stays until then.
  if p_payment.grant_id is not null and (p_again or target <> p_payment.reversed_credits) then
    perform public.reverse_grant(p_payment.account_id, p_payment.grant_id, target,
      format('refunds and disputes of payment %s', p_payment.key));
    p_payment.reversed_credits := target;
  end if;
  return p_payment;
end;
$$;
comment on function credits.payment_reverse(public.payments, boolean) is
  'Takes the credits of a payment back, or gives them back, up to its target. p_again: also where the target is as it '
  'was booked, in case something else has changed it.';

create function credits.account_freeze(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  closed timestamptz;
  is_ours boolean;
begin
  select closed_at into closed from public.credit_accounts where id = p_account_id;
  is_ours := exists (select from public.payment_disputes where account_id = p_account_id and froze_at = closed);
  if exists (select from public.payment_disputes
    where account_id = p_account_id and status = 'open' and response = 'freeze') then
    if closed is null then
      update public.credit_accounts set closed_at = clock_timestamp() where id = p_account_id returning closed_at
      into strict closed;
      is_ours := true;
    end if;
    -- All open cases hold it, so that the last one to end opens it again.
    update public.payment_disputes set froze_at = closed
    where is_ours and account_id = p_account_id and status = 'open' and response = 'freeze' and froze_at is null;
  elsif is_ours and not exists (select from public.account_erasures where account_id = p_account_id) then
    update public.credit_accounts set closed_at = null where id = p_account_id;
  end if;
end;
$$;
comment on function credits.account_freeze(uuid) is
  'Closes an account while a dispute that freezes it is open, and opens it again when none is, unless somebody else '
  'has closed it. The caller holds the account''s lock.';

create function credits.payment_subscription(p_payment public.payments)
returns public.payment_subscriptions
language plpgsql
set search_path = '', pg_temp
as $$
declare
  subscription public.payment_subscriptions;
begin
  select * into subscription from public.payment_subscriptions
  where provider = p_payment.provider and subscription_id = p_payment.subscription_id for update;
  return subscription;
end;
$$;
comment on function credits.payment_subscription(public.payments) is
  'Locks the subscription that a payment is of, and returns it; a null row where none is known. Called before the '
  'account''s lock is taken.';

create function credits.payment_book(p_payment public.payments, p_state jsonb, p_again boolean)
returns public.payment_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  was_booked constant boolean := p_payment.state = 'booked';
  subscription constant public.payment_subscriptions := credits.payment_subscription(p_payment);
  account public.credit_accounts;
  after public.credit_accounts;
  result public.payment_result;
begin
  if not was_booked then
    p_payment.account_id :=
      credits.payment_account(p_payment.provider, p_payment.livemode, p_payment.customer_id);
  end if;
  if p_payment.account_id is not null and p_payment.status = 'paid' then
    account := credits.account_lock(p_payment.account_id);
  end if;
  perform credits.disputes_note(p_payment, p_state);
  p_payment.disputed := credits.payment_disputed(p_payment.key);
  if p_payment.status = 'paid' and not was_booked then
    p_payment.cause := credits.payment_cause(p_payment);
    p_payment.state := 'waiting';
    p_payment.tries := p_payment.tries + 1;
    if p_payment.cause is null then
      p_payment := credits.payment_grant(p_payment);
    elsif credits.is_given_back(p_payment) then
      p_payment.cause := null;
      p_payment.state := 'noted';
    end if;
  end if;
  p_payment := credits.payment_reverse(p_payment, p_again);
  perform credits.payment_write(p_payment);
  if account.id is not null then
    perform credits.account_freeze(account.id);
  end if;
  if subscription.account_id = account.id then
    -- What was paid decides how long a canceled one gives its plan.
    perform credits.subscription_follow(subscription, subscription.plan);
  end if;
  select * into after from public.credit_accounts where id = p_payment.account_id;
  result.outcome := case when p_payment.state = 'waiting' then 'waiting'
    when p_payment.state = 'booked' and not was_booked
      or (account.last_seq, account.debt_seq) is distinct from (after.last_seq, after.debt_seq)
        and account.id is not null then 'booked'
    else 'nothing_to_do' end;
  result.cause := p_payment.cause;
  result.payment_key := p_payment.key;
  result.status := p_payment.status;
  result.account_id := p_payment.account_id;
  result.kind := p_payment.kind;
  result.grant_id := p_payment.grant_id;
  result.credits := p_payment.credits;
  result.reversed_credits := p_payment.reversed_credits;
  result.balance := after.balance;
  perform credits.payment_event_note(null, p_payment.provider, p_payment.livemode, p_payment.key,
    p_payment.account_id, result.outcome, result.cause);
  return result;
end;
$$;
comment on function credits.payment_book(public.payments, jsonb, boolean) is
  'Books the difference between what a payment is and what was booked of it, and writes it. p_state has its disputes; '
  'null: as they are known. The caller holds the payment''s lock; this takes those of its subscription and account.';

create function public.book_payment(p_payment jsonb, p_event jsonb default null)
returns public.payment_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  state public.payments;
  payment public.payments;
  result public.payment_result;
begin
  perform credits.caller_check('book_payment');
  state := credits.payment_read(credits.required('payment', p_payment));
  payment := credits.payment_lock(state);
  if payment.key is not null and payment.livemode = state.livemode then
    result := credits.payment_book(credits.payment_merge(payment, state), p_payment, false);
  else
    result.outcome := 'refused';
    result.cause := case when payment.key is null then 'not_ours' else 'livemode_mixed' end;
  end if;
  result.payment_key := state.key;
  result.kind := state.kind;
  result.status := coalesce(result.status, state.status);
  perform credits.payment_event_note(p_event, state.provider, state.livemode,
    case when result.outcome <> 'refused' then state.key end, result.account_id, result.outcome, result.cause);
  return result;
end;
$$;
comment on function public.book_payment(jsonb, jsonb) is
  'Books a payment''s state, as it is read from the provider, in one transaction: the event, its grant once it is '
  'paid, what is taken back for refunds and disputes or given back, and its cases. p_payment: the neutral form of '
  'docs/payment_states.md; p_event: {id, type, object, created_at}, null where no event was the reason. Any state may '
  'come again, late or in another order. A payment that cannot be booked waits (retry_payments). Raises 22023 for a '
  'bad form, and otherwise only for a fault: then nothing stays, and the provider repeats.';
