-- Gives: the settings of this installation, one row.
-- Keeps: exactly one row; every value inside its bounds.
-- Needs: foundation.

create table public.credit_settings (
  only_row boolean primary key default true check (only_row),
  sign_up_credits bigint not null default 5000
    check (sign_up_credits between 0 and 1000000000),
  sign_up_grants_per_hour integer default 1000
    check (sign_up_grants_per_hour between 1 and 1000000),
  refund_grace_seconds integer not null default 2592000
    check (refund_grace_seconds between 3600 and 31536000),
  settle_margin_seconds integer not null default 60
    check (settle_margin_seconds between 1 and 86400),
  callback_providers text[] not null default '{replicate,fal}'
    check (array_position(callback_providers, null) is null),
  late_outputs text not null default 'drop'
    check (late_outputs in ('drop', 'keep')),
  request_timeout_seconds integer not null default 60
    check (request_timeout_seconds between 1 and 3600),
  text_store text not null default 'none'
    check (text_store in ('none', 'hash', 'full')),
  charge_interrupted_text boolean not null default true,
  erase_on_user_deletion boolean not null default false,
  low_balance_credits bigint not null default 1000
    check (low_balance_credits between 0 and 1000000000000),
  expiry_notice_seconds integer not null default 259200
    check (expiry_notice_seconds between 3600 and 31536000),
  request_events_months smallint not null default 3
    check (request_events_months between 1 and 120),
  history_days smallint not null default 90
    check (history_days between 7 and 3650),
  on_dispute text not null default 'none'
    check (on_dispute in ('none', 'freeze', 'reverse')),
  output_url_seconds integer not null default 3600
    check (output_url_seconds between 60 and 604800),
  broadcast_balance boolean not null default false
);

comment on table public.credit_settings is 'Settings of this installation: a single row.';
comment on column public.credit_settings.sign_up_credits is
  'Credits that a new user is granted once their address is confirmed; 0 turns the sign-up grant off.';
comment on column public.credit_settings.sign_up_grants_per_hour is
  'Most sign-up grants per hour, over all users; users beyond the limit get theirs later (grant_due_sign_ups). null: '
  'no limit.';
comment on column public.credit_settings.refund_grace_seconds is
  'How long credits stay usable that a failed generation refunds to an expired grant: counted from the first such '
  'refund, once per grant. A job that its user cancels refunds them only for the time that the grant had left.';
comment on column public.credit_settings.settle_margin_seconds is
  'Seconds between the end of a provider''s time limit and the deadline at which an unsettled job is refunded.';
comment on column public.credit_settings.callback_providers is
  'Providers that accept a job, report its end by a callback, and can be asked about it: a job running at one of '
  'them can be canceled, and is waited for up to its model''s hard_timeout_seconds. Every other provider answers '
  'within the request, cannot be stopped and is paid for its work, so a job running there cannot be canceled.';
comment on column public.credit_settings.late_outputs is
  'What happens to a result that comes after the refund of a job that failed or expired: drop, or keep (the user gets '
  'it with the refunded job). It is charged in neither case.';
comment on column public.credit_settings.request_timeout_seconds is
  'Longest timeout_seconds of a model whose provider answers within the request: verify_deployment names a model with '
  'more. 60 suits Supabase''s Free plan, which ends a request after 75 seconds; its paid plans do so after 200, and '
  'begin to answer within 150, so 140 there.';
comment on column public.credit_settings.text_store is
  'What is kept of a text request: none (its counts alone), hash (also a SHA-256 of the body, so that another request '
  'with the same key is told apart), or full (also the request and the answer, which a repeated key gets again).';
comment on column public.credit_settings.charge_interrupted_text is
  'Whether a text whose provider fails after its first token is charged for what came (true), or refunded whole.';
comment on column public.credit_settings.erase_on_user_deletion is
  'Whether deleting an auth user also erases their account (erase_account); finish_erasures retries an erasure that '
  'failed.';
comment on column public.credit_settings.low_balance_credits is
  'Event balance.low announces that a movement took the balance below this many credits; 0 turns it off.';
comment on column public.credit_settings.expiry_notice_seconds is
  'How long before its expiry a grant is announced (event grant.expiring).';
comment on column public.credit_settings.request_events_months is
  'How many whole calendar months of credit_request_events are kept in addition to the current one.';
comment on column public.credit_settings.history_days is
  'How many days of task runs, reconciliation runs, resolved alerts, events and payment events are kept.';

comment on column public.credit_settings.on_dispute is
  'What the opening of a payment''s dispute does before any money moves: none (only the case is kept), freeze (the '
  'account is closed until its disputes have ended) or reverse (the disputed part of the credits is taken back, and '
  'given back if the dispute is won).';
comment on column public.credit_settings.output_url_seconds is
  'How long the address of an output works once it is given out. Each GET jobs/<id> gives a new one.';
comment on column public.credit_settings.broadcast_balance is
  'Whether each change of a balance is sent by Supabase Realtime, as {balance, seq} on the private channel '
  'credits:<account>. It costs a row in realtime.messages for each movement.';

alter table public.credit_settings enable row level security;

insert into public.credit_settings default values;
