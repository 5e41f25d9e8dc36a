-- Gives: book_subscription, by which a subscription sets the account's plan, and follow_subscriptions, which ends it.
-- Keeps: a subscription's change grants nothing; the latest state that was asked for counts.
-- Needs: plan change, payments, neutral form, payment terms, payment events.
--
-- A subscription's state goes to and fro, so its parts cannot tell which is newer. Its time is that at which the server
-- asked for it, before the request was sent: each change sends an event after it, so the state that was asked for last
-- was asked for after the last change.

create function credits.subscription_ends_at(p_subscription public.payment_subscriptions)
returns timestamptz
language sql
stable
set search_path = '', pg_temp
as $$
  select case
    when p_subscription.cause is not null or p_subscription.plan is null then '-infinity'
    when p_subscription.status in ('active', 'trialing') then 'infinity'
    when p_subscription.status = 'past_due' then p_subscription.current_period_end
    -- What was paid for is kept: also by one that ended at once, but not by one that ended because nothing was paid.
    when p_subscription.status = 'canceled' then (
      select max(period_end) from public.payments
      where account_id = p_subscription.account_id and subscription_id = p_subscription.subscription_id
        and provider = p_subscription.provider and state = 'booked'
        and (amount = 0 or refunded + disputed < amount))
  end;
$$;
comment on function credits.subscription_ends_at(public.payment_subscriptions) is
  'Until when a subscription gives its plan: infinity while it is active, the end of its period while it is past due, '
  'and the end of what was paid when it was canceled; null or a time that has passed: it gives none.';

create function credits.subscription_follow(p_subscription public.payment_subscriptions, p_plan_before text)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts := credits.account_lock(p_subscription.account_id);
  gives constant boolean := coalesce(credits.subscription_ends_at(p_subscription) > now(), false);
  plan text := account.plan;
begin
  if p_subscription.cause is not null and p_subscription.status in ('active', 'trialing', 'past_due') then
    return false; -- somebody has to look at it first
  elsif gives and (not p_subscription.has_plan or p_subscription.plan is distinct from p_plan_before) then
    plan := p_subscription.plan;
  elsif p_subscription.has_plan and not gives and account.plan in (p_subscription.plan, p_plan_before) then
    -- A plan that an operator has set meanwhile stays.
    select coalesce(max(s.plan), 'default') into plan from (
      select o.plan from public.payment_subscriptions as o
      where o.account_id = account.id and o.has_plan and o.subscription_id <> p_subscription.subscription_id
        and credits.subscription_ends_at(o) > now()
      order by o.created_at desc limit 1) as s;
  end if;
  update public.payment_subscriptions set has_plan = gives
  where provider = p_subscription.provider and subscription_id = p_subscription.subscription_id and has_plan <> gives;
  if plan <> account.plan then
    perform public.set_account_plan(account.id, plan);
  end if;
  return plan <> account.plan;
end;
$$;
comment on function credits.subscription_follow(public.payment_subscriptions, text) is
  'Puts the account of a subscription on its plan, or off it once its time is over: then on that of another '
  'subscription, else on the plan default. p_plan_before: the plan that it gave so far. A plan that an operator has '
  'set stays until the subscription''s changes. The caller holds the subscription''s lock; this takes the account''s.';

create function credits.subscription_read(p_state jsonb)
returns public.payment_subscriptions
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  state public.payment_subscriptions;
begin
  state.provider := credits.required('provider', credits.neutral_text(p_state, 'provider', '^[a-z][a-z0-9_]{0,30}$'));
  state.livemode := credits.required('livemode', credits.neutral_flag(p_state, 'livemode'));
  state.subscription_id := credits.required('subscription', credits.neutral_text(p_state, 'subscription'));
  state.customer_id := credits.neutral_text(p_state, 'customer');
  state.claimed_account_id := credits.neutral_account(p_state);
  state.items := (
    select coalesce(jsonb_agg(jsonb_build_object('price_id', credits.neutral_text(i.item, 'price_id'),
      'quantity', coalesce(credits.neutral_number(i.item, 'quantity'), 1)) order by i.place), '[]')
    from jsonb_array_elements(credits.neutral_list(p_state, 'items')) with ordinality as i (item, place));
  state.status := credits.required('status', credits.neutral_text(p_state, 'status',
    '^(active|trialing|past_due|unpaid|canceled|incomplete|incomplete_expired|paused)$'));
  state.cancel_at_period_end := coalesce(credits.neutral_flag(p_state, 'cancel_at_period_end'), false);
  state.current_period_start := credits.neutral_time(p_state, 'current_period_start');
  state.current_period_end := credits.neutral_time(p_state, 'current_period_end');
  state.trial_end := credits.neutral_time(p_state, 'trial_end');
  state.created_at := credits.required('created_at', credits.neutral_time(p_state, 'created_at'));
  -- A server whose clock is ahead must not outdo later states.
  state.as_of := least(credits.required('as_of', credits.neutral_time(p_state, 'as_of')), clock_timestamp());
  return state;
end;
$$;
comment on function credits.subscription_read(jsonb) is
  'A subscription''s state out of its neutral form, which docs/payment_states.md describes. Raises 22023 for a bad '
  'form.';

create function credits.subscription_terms(p_subscription public.payment_subscriptions)
returns public.payment_subscriptions
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  p_subscription.account_id := coalesce(p_subscription.account_id, credits.payment_account(p_subscription.provider,
    p_subscription.livemode, p_subscription.customer_id));
  p_subscription.cause := null;
  select p.name, p.plan, (i.item ->> 'quantity')::bigint
    into p_subscription.product, p_subscription.plan, p_subscription.quantity
  from jsonb_array_elements(p_subscription.items) with ordinality as i (item, place)
  cross join lateral credits.product_of_price(p_subscription.provider, p_subscription.livemode,
    i.item ->> 'price_id', p_subscription.as_of) as p
  where p.kind = 'plan' order by i.place limit 1;
  if p_subscription.account_id is null then
    p_subscription.cause := 'unknown_customer';
  elsif p_subscription.claimed_account_id <> p_subscription.account_id then
    p_subscription.cause := 'account_differs';
  elsif p_subscription.plan is null then
    p_subscription.cause := coalesce((
      select min(credits.price_cause(p_subscription.provider, p_subscription.livemode, i ->> 'price_id'))
      from jsonb_array_elements(p_subscription.items) as i), 'unknown_price');
  end if;
  return p_subscription;
end;
$$;
comment on function credits.subscription_terms(public.payment_subscriptions) is
  'A subscription with its account and the product and plan of its first item that is a plan of ours, or with the '
  'cause for which it has to wait.';

create function credits.subscription_book(p_subscription public.payment_subscriptions, p_plan_before text)
returns public.payment_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  result public.payment_result;
  is_moved boolean := false;
begin
  update public.payment_subscriptions
  set livemode = p_subscription.livemode, account_id = p_subscription.account_id,
    customer_id = p_subscription.customer_id, claimed_account_id = p_subscription.claimed_account_id,
    items = p_subscription.items, product = p_subscription.product, plan = p_subscription.plan,
    quantity = p_subscription.quantity, status = p_subscription.status,
    cancel_at_period_end = p_subscription.cancel_at_period_end,
    current_period_start = p_subscription.current_period_start,
    current_period_end = p_subscription.current_period_end, trial_end = p_subscription.trial_end,
    as_of = p_subscription.as_of, cause = p_subscription.cause, updated_at = clock_timestamp()
  where provider = p_subscription.provider and subscription_id = p_subscription.subscription_id;
  if p_subscription.account_id is not null then
    is_moved := credits.subscription_follow(p_subscription, p_plan_before);
  end if;
  result.outcome := case when p_subscription.cause is not null then 'waiting' when is_moved then 'booked'
    else 'nothing_to_do' end;
  result.cause := p_subscription.cause;
  result.payment_key := p_subscription.subscription_id;
  result.status := p_subscription.status;
  result.account_id := p_subscription.account_id;
  result.kind := 'plan';
  result.balance := (select balance from public.credit_accounts where id = p_subscription.account_id);
  perform credits.payment_event_note(null, p_subscription.provider, p_subscription.livemode,
    p_subscription.subscription_id, p_subscription.account_id, result.outcome, result.cause);
  return result;
end;
$$;
comment on function credits.subscription_book(public.payment_subscriptions, text) is
  'Writes a subscription and lets the account''s plan follow. p_plan_before: the plan of the state before. The caller '
  'holds the subscription''s lock.';

create function public.book_subscription(p_subscription jsonb, p_event jsonb default null)
returns public.payment_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  state public.payment_subscriptions;
  known public.payment_subscriptions;
  result public.payment_result;
begin
  perform credits.caller_check('book_subscription');
  state := credits.subscription_read(credits.required('subscription', p_subscription));
  if credits.payment_account(state.provider, state.livemode, state.customer_id) is null
    and state.claimed_account_id is null and (credits.subscription_terms(state)).plan is null
    and not exists (select from public.payment_subscriptions
      where provider = state.provider and subscription_id = state.subscription_id) then
    result.outcome := 'refused';
    result.cause := 'not_ours';
  else
    insert into public.payment_subscriptions (provider, subscription_id, livemode, status, as_of, created_at)
    values (state.provider, state.subscription_id, state.livemode, 'incomplete', '-infinity', state.created_at)
    on conflict do nothing;
    select * into strict known from public.payment_subscriptions
    where provider = state.provider and subscription_id = state.subscription_id for update;
    if known.livemode <> state.livemode then
      result.outcome := 'refused';
      result.cause := 'livemode_mixed';
    elsif state.as_of < known.as_of then
      result.outcome := case when known.cause is null then 'nothing_to_do' else 'waiting' end;
      result.cause := coalesce(known.cause, 'older_state');
      result.account_id := known.account_id;
    else
      state.account_id := known.account_id;
      state.has_plan := known.has_plan;
      result := credits.subscription_book(credits.subscription_terms(state), known.plan);
    end if;
  end if;
  result.payment_key := state.subscription_id;
  result.kind := 'plan';
  result.status := coalesce(result.status, state.status);
  perform credits.payment_event_note(p_event, state.provider, state.livemode,
    case when result.outcome <> 'refused' then state.subscription_id end, result.account_id, result.outcome,
    result.cause);
  return result;
end;
$$;
comment on function public.book_subscription(jsonb, jsonb) is
  'Books a subscription''s state, as it is read from the provider: the account gets its plan, and keeps it while the '
  'subscription is active or in trial, until the period''s end while it is past due, and until the end of what was '
  'paid once it was canceled; then the plan default. It grants nothing. p_subscription: the neutral form of '
  'docs/payment_states.md; its as_of says when it was asked for, and an earlier one changes nothing. One whose '
  'customer or price is not known waits. Raises 22023 for a bad form.';

create function public.preview_subscription(p_subscription jsonb)
returns public.payment_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  result public.payment_result;
begin
  perform credits.caller_check('preview_subscription');
  begin
    result := public.book_subscription(p_subscription);
    raise exception using errcode = 'UNDO0';
  exception when sqlstate 'UNDO0' then
    return result;
  end;
end;
$$;
comment on function public.preview_subscription(jsonb) is
  'What book_subscription would do with a subscription''s state now; nothing of it is kept. Raises 22023 for a bad '
  'form.';

create function public.follow_subscriptions(p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  due public.payment_subscriptions;
  moved integer := 0;
begin
  perform credits.caller_check('follow_subscriptions');
  for due in
    select s.* from public.payment_subscriptions as s
    where case when s.cause is null then s.has_plan <> coalesce(credits.subscription_ends_at(s) > now(), false)
      else credits.payment_account(s.provider, s.livemode, s.customer_id) is not null end
    order by s.updated_at limit least(greatest(p_limit, 0), 10000) for update of s skip locked
  loop
    -- Several accounts in one transaction: a busy one is left to the next run, never waited for.
    perform from public.credit_accounts
    where id = credits.payment_account(due.provider, due.livemode, due.customer_id) for update skip locked;
    continue when not found;
    begin
      moved := moved + ((credits.subscription_book(credits.subscription_terms(due),
        case when due.cause is null then due.plan end)).outcome = 'booked')::integer;
    exception when others then
      raise warning 'subscription % cannot be followed: %', due.subscription_id, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return moved;
end;
$$;
comment on function public.follow_subscriptions(integer) is
  'Ends the plans of subscriptions whose time is over, and books again those that wait for a customer or a price; '
  'returns how many accounts changed their plan. Skips a busy account. Meant to run every few minutes.';
