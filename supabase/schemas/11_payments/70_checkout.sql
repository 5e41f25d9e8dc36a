-- Gives: what a checkout needs to know: who may pay, for what, as which customer; and how a checkout stands.
-- Keeps: only the account's own user, or a team's owner or admin, pays and sees payments; the first customer stays.
-- Needs: accounts, denials, due, products, payments, neutral form.

create type public.payment_checkout as (
  status integer,
  code text,
  message text,
  account_id uuid,
  product text,
  kind text,
  provider_price_id text,
  quantity integer,
  credits bigint,
  unit_amount bigint,
  currency text,
  customer_id text
);
comment on type public.payment_checkout is
  'Whether a checkout or a portal may be opened. status 200: it may, with the price to sell and the customer (null: '
  'none yet). Otherwise a denial: 400 invalid_request, 403 not_a_member, 403 not_allowed_to_pay, 403 account_closed, '
  '404 unknown_product, 404 no_customer or 409 already_subscribed.';

create type public.payment_status_result as (
  status integer,
  code text,
  message text,
  payment_key text,
  account_id uuid,
  state text,
  kind text,
  product text,
  credits bigint,
  reversed_credits bigint,
  balance bigint
);
comment on type public.payment_status_result is
  'How a payment stands. status 200, or 404 with code unknown_payment. state: open, unpaid, expired, void, waiting '
  '(paid and not booked yet) or paid (booked, or given back before it could be). credits: granted for it; balance: '
  'the account''s, with what is due.';

create function credits.payer_denial(p_account_id uuid, p_user_id uuid)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  member_role text;
begin
  if p_user_id is null or exists (
    select from public.credit_accounts where id = p_account_id and user_id = p_user_id) then
    return null;
  end if;
  select role into member_role from public.account_members
  where account_id = p_account_id and user_id = p_user_id;
  return case when member_role in ('owner', 'admin') then null
    when member_role is not null then 'not_allowed_to_pay'
    -- An account that is opened on first use, or the closed one of a deleted user.
    when p_account_id = p_user_id and not exists (
      select from public.credit_accounts where id = p_account_id and is_team) then null
    else 'not_a_member' end;
end;
$$;
comment on function credits.payer_denial(uuid, uuid) is
  'Why a user (null: the app''s own server) may not pay for an account: not_a_member or not_allowed_to_pay; null if '
  'they may.';

create function credits.checkout_denied(p_checkout public.payment_checkout, p_code text)
returns public.payment_checkout
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  p_checkout.code := p_code;
  select d.status, coalesce(p_checkout.message, d.message) into strict p_checkout.status, p_checkout.message
  from credits.denials as d where d.code = p_code;
  return p_checkout;
end;
$$;
comment on function credits.checkout_denied(public.payment_checkout, text) is
  'A checkout that is denied, with status and message out of the list of denials.';

create function credits.payer_read(
  p_account_id uuid, p_user_id uuid, p_provider text, p_livemode boolean
)
returns public.payment_checkout
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  checkout public.payment_checkout;
  denial text;
begin
  checkout.account_id := credits.required('account', coalesce(p_account_id, p_user_id));
  perform credits.required('provider', p_provider);
  perform credits.required('livemode', p_livemode);
  denial := credits.payer_denial(checkout.account_id, p_user_id);
  if denial is not null then
    return credits.checkout_denied(checkout, denial);
  end if;
  checkout.status := 200;
  select customer_id into checkout.customer_id from public.payment_customers
  where account_id = checkout.account_id and provider = p_provider and livemode = p_livemode;
  return checkout;
end;
$$;
comment on function credits.payer_read(uuid, uuid, text, boolean) is
  'Who pays, with the customer that the account is; or the denial.';

create function public.prepare_checkout(
  p_account_id uuid, p_user_id uuid, p_product text, p_quantity integer, p_provider text, p_livemode boolean
)
returns public.payment_checkout
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  checkout public.payment_checkout;
  product public.credit_products;
  most integer;
begin
  perform credits.caller_check('prepare_checkout');
  checkout := credits.payer_read(p_account_id, p_user_id, p_provider, p_livemode);
  if checkout.status <> 200 then
    return checkout;
  elsif exists (select from public.credit_accounts where id = checkout.account_id and closed_at is not null) then
    return credits.checkout_denied(checkout, 'account_closed');
  end if;
  select * into product from public.credit_products as p
  where provider = p_provider and livemode = p_livemode and name = p_product and effective_from <= now()
  order by effective_from desc limit 1;
  if product.enabled is not true then
    return credits.checkout_denied(checkout, 'unknown_product');
  end if;
  most := case product.kind when 'pack' then product.max_quantity else 1 end;
  checkout.quantity := coalesce(p_quantity, 1);
  if checkout.quantity not between 1 and most then
    checkout.message := format('quantity must be 1 to %s', most);
    return credits.checkout_denied(checkout, 'invalid_request');
  elsif product.kind = 'plan' and exists (select from public.payment_subscriptions
    where account_id = checkout.account_id and provider = p_provider and livemode = p_livemode
      and status in ('active', 'trialing', 'past_due', 'paused')) then
    return credits.checkout_denied(checkout, 'already_subscribed');
  end if;
  checkout.product := product.name;
  checkout.kind := product.kind;
  checkout.provider_price_id := product.provider_price_id;
  checkout.credits := product.credits * checkout.quantity;
  checkout.unit_amount := product.unit_amount;
  checkout.currency := product.currency;
  return checkout;
end;
$$;
comment on function public.prepare_checkout(uuid, uuid, text, integer, text, boolean) is
  'Whether a user (p_user_id; null: the app''s own server) may buy a product for an account (null: their own), and '
  'what the checkout needs: the price, and the customer if there is one. Writes nothing. A denial is an answer, not '
  'an error. Raises 22023 without an account, a provider or a mode.';

create function public.prepare_portal(p_account_id uuid, p_user_id uuid, p_provider text, p_livemode boolean)
returns public.payment_checkout
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  checkout public.payment_checkout;
begin
  perform credits.caller_check('prepare_portal');
  checkout := credits.payer_read(p_account_id, p_user_id, p_provider, p_livemode);
  if checkout.status = 200 and checkout.customer_id is null then
    return credits.checkout_denied(checkout, 'no_customer');
  end if;
  return checkout;
end;
$$;
comment on function public.prepare_portal(uuid, uuid, text, boolean) is
  'Whether a user may open the provider''s billing portal for an account, and as which customer; also for a closed '
  'account, whose subscription can be ended there. Writes nothing. Raises 22023 without an account, a provider or a '
  'mode.';

create function public.link_payment_customer(
  p_account_id uuid, p_provider text, p_livemode boolean, p_customer_id text
)
returns text
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  linked text;
begin
  perform credits.caller_check('link_payment_customer');
  -- Opens the account, and lets one link of it follow another.
  perform credits.account_lock(p_account_id);
  insert into public.payment_customers (account_id, provider, livemode, customer_id)
  values (p_account_id, credits.required('provider', credits.neutral_text(
      jsonb_build_object('provider', p_provider), 'provider', '^[a-z][a-z0-9_]{0,30}$')),
    credits.required('livemode', p_livemode),
    credits.required('customer', credits.neutral_text(jsonb_build_object('customer', p_customer_id), 'customer')))
  on conflict do nothing;
  select customer_id into linked from public.payment_customers
  where account_id = p_account_id and provider = p_provider and livemode = p_livemode;
  if not found then
    perform credits.raise_misuse('PT409', 'this customer is another account''s',
      'A customer of the provider is one account. Make a new customer for this account.');
  end if;
  return linked;
end;
$$;
comment on function public.link_payment_customer(uuid, text, boolean, text) is
  'Records which of the provider''s customers an account is, and returns it. Idempotent; the first one stays, and is '
  'returned for any later one. Raises PT409 for the customer of another account, 22023 without an account, a '
  'provider, a mode or a customer.';

create function public.payment_status(p_user_id uuid, p_key text)
returns public.payment_status_result
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  payment public.payments;
  result public.payment_status_result;
begin
  perform credits.caller_check('payment_status');
  select * into payment from public.payments where key = p_key
  union all
  select * from public.payments as p
  where p.session_id = split_part(p_key, ':', 3) and p_key = format('%s:cs:%s', p.provider, p.session_id) limit 1;
  if not found or payment.account_id is null or credits.payer_denial(payment.account_id, p_user_id) is not null then
    select d.status, d.code, d.message into strict result.status, result.code, result.message
    from credits.denials as d where d.code = 'unknown_payment';
    return result;
  end if;
  result.status := 200;
  result.payment_key := payment.key;
  result.account_id := payment.account_id;
  result.state := case payment.state when 'waiting' then 'waiting' else payment.status end;
  result.kind := payment.kind;
  result.product := payment.product;
  result.credits := payment.credits;
  result.reversed_credits := payment.reversed_credits;
  result.balance := (select credits.balance_with_due(a) from public.credit_accounts as a
    where a.id = payment.account_id);
  return result;
end;
$$;
comment on function public.payment_status(uuid, text) is
  'How a payment stands, by its key or by its checkout''s (provider:cs:session), for a user who may see it (p_user_id; '
  'null: the app''s own server). Raises nothing: what is not there, or not theirs, is 404 unknown_payment.';
