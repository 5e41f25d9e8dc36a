-- Gives: the tables of what was paid: customers, payments, their disputes, subscriptions, and the provider's events.
-- Keeps: one row per payment, with ids of the provider and amounts, and no data of a person or a card.
-- Needs: accounts.

create table public.payment_customers (
  account_id uuid not null,
  provider text not null,
  livemode boolean not null,
  customer_id text not null check (length(customer_id) between 1 and 255),
  created_at timestamptz not null default now(),
  primary key (account_id, provider, livemode)
);
-- The account of a payment: credits.payment_account. One customer, one account.
create unique index payment_customers_by_customer on public.payment_customers (provider, livemode, customer_id);
comment on table public.payment_customers is
  'Which of the provider''s customers an account is, unique both ways; made before the first checkout. It alone '
  'decides whose a payment is: an account named in a payment''s metadata is only compared.';
alter table public.payment_customers enable row level security;

create table public.payments (
  key text primary key check (length(key) <= 255),
  account_id uuid,
  provider text not null check (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  livemode boolean not null,
  kind text not null check (kind in ('pack', 'plan')),
  session_id text,
  invoice_id text,
  intent_id text,
  charge_id text,
  customer_id text,
  subscription_id text,
  claimed_account_id uuid,
  status text not null default 'open' check (status in ('open', 'unpaid', 'expired', 'void', 'paid')),
  lines jsonb not null default '[]',
  amount bigint not null default 0 check (amount >= 0),
  currency text check (currency ~ '^[a-z]{3}$'),
  refunds jsonb not null default '{}',
  refunded bigint not null default 0 check (refunded >= 0),
  disputed bigint not null default 0 check (disputed >= 0),
  fee bigint,
  product text,
  product_effective_from timestamptz,
  quantity bigint,
  period_start timestamptz,
  period_end timestamptz,
  state text not null default 'noted' check (state in ('noted', 'waiting', 'booked')),
  cause text,
  credits bigint not null default 0 check (credits >= 0),
  grant_id bigint,
  reversed_credits bigint not null default 0,
  tries integer not null default 0,
  paid_at timestamptz,
  created_at timestamptz not null,
  booked_at timestamptz,
  updated_at timestamptz not null default now(),
  seal bytea,
  constraint key_names_the_payment
    check (key ~ format('^%s:%s:.', provider, case kind when 'pack' then 'cs' else 'in' end)),
  constraint payment_is_sound check (reversed_credits between 0 and credits and (state = 'booked' or credits = 0)
    and (state = 'noted' or status = 'paid') and (state = 'waiting') = (cause is not null))
);
-- An account's payments, and those of its subscription.
create index payments_by_account on public.payments (account_id, created_at desc);
-- The payment of a refund, a dispute or a checkout: find_payment, payment_status.
create index payments_by_session on public.payments (session_id) where session_id is not null;
create index payments_by_intent on public.payments (intent_id) where intent_id is not null;
create index payments_by_charge on public.payments (charge_id) where charge_id is not null;
-- What was paid lately: metrics, finance, reconciliation with the provider.
create index payments_by_time on public.payments (paid_at) where paid_at is not null;
-- Payments to book again: retry_payments, alerts, metrics.
create index payments_waiting on public.payments (updated_at) where state = 'waiting';

comment on table public.payments is
  'One row per payment: a checkout''s session (a pack) or an invoice (a plan''s period), with what the provider says '
  'of it and what was booked for it. Ids and amounts only: no card, address or name. Written by book_payment alone.';
comment on column public.payments.key is
  'provider:cs:session or provider:in:invoice; also the external_ref of its grant, so it counts once.';
comment on column public.payments.account_id is 'Whose it is, by payment_customers; null while nobody''s.';
comment on column public.payments.claimed_account_id is
  'The account that its metadata names. It never decides; a payment whose customer is another account waits.';
comment on column public.payments.status is
  'What the provider says: open, unpaid (the money is on its way, or did not come), expired, void, paid. It only goes '
  'forward in this order.';
comment on column public.payments.lines is
  'What was bought: [{price_id, quantity, amount, is_proration, period_start, period_end}]. Fixed once it is paid.';
comment on column public.payments.amount is 'Minor units of the currency that were paid.';
comment on column public.payments.refunds is
  'Its refunds by their ids: {amount, status}. A refund only goes forward: pending, succeeded, failed.';
comment on column public.payments.refunded is 'Minor units of the refunds that have succeeded.';
comment on column public.payments.disputed is
  'Minor units that disputes take: withdrawn less reinstated, and those of an open dispute with response reverse.';
comment on column public.payments.fee is 'Minor units that the provider kept of the payment; null: not known.';
comment on column public.payments.product is 'The product of its main line; null while it waits or is not paid.';
comment on column public.payments.period_end is 'End of the period that was paid; null for a pack.';
comment on column public.payments.state is
  'noted: nothing to book: not paid, or given back before it could be booked. waiting: paid, and cannot be booked '
  '(cause); it is tried again. booked: credits, reversed_credits and grant_id say what.';
comment on column public.payments.cause is
  'Why it waits: unknown_customer, account_differs, account_closed, unknown_price, livemode_mixed, kind_differs, '
  'quantity or granted_elsewhere.';
comment on column public.payments.credits is 'Credits that were granted for it.';
comment on column public.payments.grant_id is 'Their grant; null where there were none to grant.';
comment on column public.payments.reversed_credits is
  'Credits that are taken back of it in all: round(credits × least(amount, refunded + disputed) / amount).';
comment on column public.payments.tries is 'How often its booking was tried while it waited.';
comment on column public.payments.created_at is
  'When the provider made the session or invoice; the product''s version of that time counts.';
comment on column public.payments.seal is
  'SHA-256 over what decides about credits. Reconciliation finds a change by hand (payment_changed).';

create table public.payment_disputes (
  provider text not null,
  dispute_id text not null check (length(dispute_id) between 1 and 255),
  payment_key text not null,
  account_id uuid,
  status text not null check (status in ('open', 'closed', 'lost', 'won')),
  amount bigint not null check (amount >= 0),
  withdrawn bigint not null check (withdrawn >= 0),
  reinstated bigint not null check (reinstated >= 0),
  fee bigint,
  response text not null check (response in ('none', 'freeze', 'reverse')),
  froze_at timestamptz,
  opened_at timestamptz,
  ended_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (payment_key, provider, dispute_id)
);
-- Whether an account has another open dispute: credits.account_thaw.
create index payment_disputes_by_account on public.payment_disputes (account_id) where account_id is not null;
comment on table public.payment_disputes is
  'Cases: the disputes of payments. Opening one moves nothing but what its response says; what is withdrawn and '
  'reinstated moves the payment''s target.';
comment on column public.payment_disputes.status is
  'open; closed (ended without a loss), lost, won. Of two states the one with more withdrawn and reinstated is newer.';
comment on column public.payment_disputes.amount is 'Minor units that are disputed.';
comment on column public.payment_disputes.fee is 'Minor units that the provider charged for the case.';
comment on column public.payment_disputes.response is 'credit_settings.on_dispute when the case was first seen.';
comment on column public.payment_disputes.froze_at is
  'The closed_at that it gave the account; the account is opened again with that alone.';

create table public.payment_subscriptions (
  provider text not null check (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  subscription_id text not null check (length(subscription_id) between 1 and 255),
  livemode boolean not null,
  account_id uuid,
  customer_id text,
  claimed_account_id uuid,
  items jsonb not null default '[]',
  product text,
  plan text,
  quantity bigint,
  status text not null check (status in ('active', 'trialing', 'past_due', 'unpaid', 'canceled', 'incomplete',
    'incomplete_expired', 'paused')),
  cancel_at_period_end boolean not null default false,
  current_period_start timestamptz,
  current_period_end timestamptz,
  trial_end timestamptz,
  as_of timestamptz not null,
  has_plan boolean not null default false,
  cause text,
  created_at timestamptz not null,
  updated_at timestamptz not null default now(),
  primary key (provider, subscription_id)
);
-- An account's subscriptions: prepare_checkout, the plan that is left when one ends.
create index payment_subscriptions_by_account
  on public.payment_subscriptions (account_id) where account_id is not null;
comment on table public.payment_subscriptions is
  'Subscriptions, with the latest state that was read. A subscription sets the plan and grants nothing: its paid '
  'invoices do. Written by book_subscription and follow_subscriptions alone.';
comment on column public.payment_subscriptions.as_of is
  'When the state was asked for. A state that was asked for earlier changes nothing.';
comment on column public.payment_subscriptions.has_plan is 'Whether the account was put on its plan, and not off it.';
comment on column public.payment_subscriptions.cause is
  'Why it waits: unknown_customer, account_differs, unknown_price or livemode_mixed; null: it does not.';

create table public.payment_events (
  provider text not null,
  event_id text not null check (length(event_id) between 1 and 255),
  livemode boolean not null,
  type text not null check (length(type) between 1 and 127),
  object_id text check (length(object_id) <= 255),
  payment_key text,
  account_id uuid,
  outcome text not null check (outcome in ('booked', 'nothing_to_do', 'waiting', 'refused')),
  cause text check (length(cause) <= 127),
  tries integer not null default 1,
  created_at timestamptz,
  received_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (provider, event_id)
);
-- Events of a payment that waits: they are booked with it.
create index payment_events_waiting on public.payment_events (payment_key) where outcome = 'waiting';
-- Retention.
create index payment_events_by_time on public.payment_events (updated_at);
comment on table public.payment_events is
  'The provider''s events that were handled: an id, a type and what came of it, written in the transaction of the '
  'booking. An event only says that something changed, so a repeated, late or lost one does no harm.';
comment on column public.payment_events.object_id is 'The provider''s id of what it is about.';
comment on column public.payment_events.payment_key is 'The payment, or the subscription''s id.';
comment on column public.payment_events.tries is 'How often it was handled: more than once where it was sent again.';
comment on column public.payment_events.created_at is 'When the provider made it.';

create function credits.my_paying_account_ids()
returns setof uuid
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select id from public.credit_accounts where user_id = (select auth.uid())
  union all
  select account_id from public.account_members
  where user_id = (select auth.uid()) and role in ('owner', 'admin');
$$;
comment on function credits.my_paying_account_ids() is
  'The accounts that the calling user may pay for, and whose payments they may read: their own, and those of teams '
  'whose owner or admin they are.';

alter table public.payments enable row level security;
create policy payments_read_own on public.payments
  for select to authenticated using (account_id = any (array(select credits.my_paying_account_ids())));
alter table public.payment_subscriptions enable row level security;
create policy payment_subscriptions_read_own on public.payment_subscriptions
  for select to authenticated using (account_id = any (array(select credits.my_paying_account_ids())));
alter table public.payment_disputes enable row level security;
alter table public.payment_events enable row level security;

create function credits.payment_seal(p_payment public.payments)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return sha256(record_send(row(p_payment.account_id, p_payment.livemode, p_payment.status, p_payment.amount,
    p_payment.refunded, p_payment.disputed, p_payment.product_effective_from, p_payment.quantity, p_payment.credits,
    p_payment.grant_id, p_payment.reversed_credits, p_payment.state, p_payment.created_at,
    convert_to(concat_ws(' ', p_payment.key, p_payment.currency, p_payment.product, p_payment.subscription_id,
      p_payment.lines, p_payment.refunds), 'UTF8'))));
end;
$$;
comment on function credits.payment_seal(public.payments) is 'The seal that a payment must have.';

create type public.payment_result as (
  outcome text,
  cause text,
  payment_key text,
  status text,
  account_id uuid,
  kind text,
  grant_id bigint,
  credits bigint,
  reversed_credits bigint,
  balance bigint
);
comment on type public.payment_result is
  'What came of booking a payment or a subscription. outcome: booked (this call moved credits or the plan), '
  'nothing_to_do (all was booked, or not paid yet), waiting (kept, shown to operators and tried again; cause says why) '
  'or refused (it is not ours). credits and reversed_credits: granted and taken back for it in all. balance: the '
  'account''s, after it.';
