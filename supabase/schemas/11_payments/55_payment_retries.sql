-- Gives: what waits is booked again; what a booking would do; which payment a refund or dispute belongs to.
-- Keeps: several payments at once never wait for a busy account.
-- Needs: payments, payment terms, book payment.

create function public.preview_payment(p_payment jsonb)
returns public.payment_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  result public.payment_result;
begin
  perform credits.caller_check('preview_payment');
  begin
    result := public.book_payment(p_payment);
    raise exception using errcode = 'UNDO0';
  exception when sqlstate 'UNDO0' then
    return result;
  end;
end;
$$;
comment on function public.preview_payment(jsonb) is
  'What book_payment would do with a payment''s state now; nothing of it is kept. Raises 22023 for a bad form.';

create function public.retry_payment(p_key text)
returns public.payment_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  payment public.payments;
begin
  perform credits.caller_check('retry_payment');
  select * into payment from public.payments where key = p_key for update;
  if not found then
    perform credits.raise_misuse('PT404', 'no such payment', 'The table payments lists the payments by their keys.');
  end if;
  return credits.payment_book(payment, null, true);
end;
$$;
comment on function public.retry_payment(text) is
  'Books a payment again from what is known of it: after the cause of its waiting is gone, or where its credits differ '
  'from what was refunded and disputed. Idempotent. Raises PT404 for an unknown key.';

create function public.retry_payments(p_limit integer default 100)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  waiting public.payments;
  booked integer := 0;
begin
  perform credits.caller_check('retry_payments');
  for waiting in
    select * from public.payments as p
    where p.state = 'waiting' and credits.payment_account(p.provider, p.livemode, p.customer_id) is not null
    order by updated_at limit least(greatest(p_limit, 0), 1000) for update of p skip locked
  loop
    -- Several accounts in one transaction: a busy one is left to the next run, never waited for. So is a busy
    -- subscription, whose lock comes before the account's.
    perform from public.payment_subscriptions
    where provider = waiting.provider and subscription_id = waiting.subscription_id for update skip locked;
    continue when not found and exists (select from public.payment_subscriptions
      where provider = waiting.provider and subscription_id = waiting.subscription_id);
    perform from public.credit_accounts
    where id = credits.payment_account(waiting.provider, waiting.livemode, waiting.customer_id)
    for update skip locked;
    if found then
      begin
        booked := booked + ((public.retry_payment(waiting.key)).outcome = 'booked')::integer;
      exception when others then
        raise warning 'payment % cannot be booked: %', waiting.key, sqlerrm using errcode = sqlstate;
      end;
    end if;
  end loop;
  return booked;
end;
$$;
comment on function public.retry_payments(integer) is
  'Books waiting payments again, those first that were not tried for longest; returns how many were booked. Skips a '
  'busy account, and one that cannot be booked with a warning. Meant to run every few minutes.';

create function public.find_payment(p_provider text, p_id text)
returns text
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select credits.caller_check('find_payment');
  select key from (
    select key, provider, created_at from public.payments
      where key in (p_provider || ':cs:' || p_id, p_provider || ':in:' || p_id)
    union all
    select key, provider, created_at from public.payments where session_id = p_id
    union all
    select key, provider, created_at from public.payments where intent_id = p_id
    union all
    select key, provider, created_at from public.payments where charge_id = p_id
  ) as p
  where provider = p_provider order by created_at limit 1;
$$;
comment on function public.find_payment(text, text) is
  'The key of the payment with a provider''s session, invoice, intent or charge; null if none is known.';
