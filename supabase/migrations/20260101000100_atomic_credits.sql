-- Atomic Credits 0.1.0, made from supabase/schemas by npm run regenerate: edit there.

do $$
declare
  taken text := (select string_agg('public.' || name, ', ' order by name) from (
    select split_part(w.made, ' ', 1) as kind, split_part(w.made, ' ', 2) as name
    from unnest('{function abandon_text,function account_expiring_grants,function account_models,function account_statement,function account_statement_json,function acknowledge_alert,function announce_expiring_grants,function apply_retention,function apply_schedule,function archive_ledger,function atomic_charge_credits,function atomic_charge_credits_batch,function balance_as_of,function book_payment,function book_subscription,function cancel_generation,function charge_by_app_key,function charge_text,function check_input_object,function claim_events,function claim_outputs_to_move,function claim_provider_asks,function claim_storage_deletions,function correct_job,function create_app_key,function create_team_account,function create_upload,function delete_output,function detect_anomalies,function erase_account,function erase_job,function evaluate_alerts,function expire_grants,function fail_generation,function find_outputs_to_move,function find_payment,function finish_erasures,function finish_event,function finish_output_move,function finish_storage_deletions,function follow_subscriptions,function function_calls_due,function get_generation_stats,function grant_credits,function grant_due_sign_ups,function import_model_price,function keep_late_output,function ledger_seq_as_of,function link_payment_customer,function list_app_keys,function maintain_request_events,function mute_alert_rule,function note_generation_progress,function note_payment_event,function operational_metrics,function operator_abilities,function operator_acknowledge_alert,function operator_approve,function operator_book_payment,function operator_cancel_job,function operator_close_account,function operator_erase_account,function operator_fix_discrepancy,function operator_grant,function operator_mute_alert,function operator_refund_job,function operator_reject,function operator_remove,function operator_reopen_account,function operator_retry_event,function operator_reverse_grant,function operator_set,function operator_set_overdraft,function operator_set_plan,function operator_withdraw,function payment_status,function prepare_checkout,function prepare_portal,function preview_payment,function preview_subscription,function provider_answered,function quote_generation,function quote_text,function receive_callback,function reconcile_credit_ledger,function record_anomalies,function refill_plans,function refund_credits,function remove_account_member,function repair_deployment,function request_function,function retry_events,function retry_payment,function retry_payments,function reverse_grant,function revoke_app_key,function run_task,function set_account_member,function set_account_plan,function set_model_price,function set_product,function settle_generation,function settle_text,function start_generation,function sweep_overdue_jobs,function text_terms,function transfer_credits,function transfer_credits_batch,function verify_deployment,function verify_ledger,function verify_operator_actions,function withdraw_credits,table account_erasures,table account_members,table credit_accounts,table credit_alert_rules,table credit_alerts,table credit_anomaly_findings,table credit_anomaly_rules,table credit_app_keys,table credit_debts,table credit_event_endpoints,table credit_events,table credit_grants,table credit_ledger,table credit_ledger_anchors,table credit_ledger_archive,table credit_ledger_checkpoints,table credit_operators,table credit_plans,table credit_products,table credit_request_events,table credit_scheduled_tasks,table credit_settings,table credit_sign_up_grants,table credit_task_runs,table credit_transfers,table credit_withdrawals,table generation_jobs,table generation_model_costs,table generation_model_rates,table generation_models,table generation_provider_jobs,table generation_uploads,table generation_usage,table operator_actions,table operator_approvals,table payment_customers,table payment_disputes,table payment_events,table payment_subscriptions,table payments,table reconciliation_classes,table reconciliation_findings,table reconciliation_runs,type credit_anomaly,type credit_archive_result,type credit_charge_result,type credit_entry_kind,type credit_grant_result,type credit_ledger_result,type credit_operator_role,type credit_reversal_result,type credit_transfer_result,type credit_withdrawal_result,type generation_callback_result,type generation_job_result,type generation_job_status,type generation_output_to_move,type generation_provider_ask,type generation_quote,type generation_stats,type generation_text_charge,type generation_text_quote,type generation_text_terms,type generation_upload,type operator_chain_result,type operator_result,type payment_checkout,type payment_result,type payment_status_result,view account_balances,view account_teams_without_owner,view credit_anomalies,view credit_journal,view credit_ledger_chain_breaks,view credit_liability_daily,view credit_rate_limit_hits,view credit_request_trail,view credit_revenue_daily,view credit_unsettled_jobs,view generation_files,view generation_margins,view generation_margins_daily,view generation_stats_hourly,view payment_deferred_revenue,view payment_discrepancies,view payment_revenue_daily,view reconciliation_discrepancies,view reconciliation_latest,view reconciliation_summary}'::text[]) as w (made)
    where case split_part(w.made, ' ', 1)
      when 'function' then exists (select from pg_catalog.pg_proc
        where pronamespace = 'public'::regnamespace and proname = split_part(w.made, ' ', 2))
      else to_regclass('public.' || split_part(w.made, ' ', 2)) is not null
        or to_regtype('public.' || split_part(w.made, ' ', 2)) is not null end) as t);
begin
  -- An app with a ledger of its own is told what to do by chapter foundation.
  if taken is not null and to_regclass('public.credit_ledger') is null then
    raise exception using errcode = '42P07', message = 'names that Atomic Credits needs are in use: ' || taken,
      hint = 'Nothing was changed. Give what is yours other names first.';
  end if;
end;
$$;

-- supabase/schemas/01_foundation/10_foundation.sql
-- Gives: the internal schema, the types of entries and jobs, and how errors are raised.
-- Keeps: nothing outside this project can call an internal function (no usage on schema credits).
-- Needs: a Supabase project (roles anon, authenticated, service_role; schema auth); when called: repair.

do $$
begin
  if exists (select from pg_catalog.pg_class
    where relname = 'credit_ledger' and relnamespace = 'public'::regnamespace) then
    raise exception using errcode = '42P07', message = 'this database has a credit_ledger of its own',
      hint = 'Nothing was changed. npm run adopt -- --db-url <url> shows what taking it over would do; '
        'or give yours another name first.';
  end if;
  if to_regnamespace('credits') is not null then
    raise exception using errcode = '42P06', message = 'this database has a schema credits of its own',
      hint = 'Nothing was changed. Give yours another name first.';
  end if;
end;
$$;

create schema credits;
comment on schema credits is
  'Internals of the credit ledger. Not exposed to the Data API; no role but the owner may use it.';

create table credits.installation (
  release text not null,
  file text not null,
  checksum text not null check (checksum ~ '^[0-9a-f]{64}$'),
  applied_at timestamptz not null default now(),
  primary key (release, file)
);
comment on table credits.installation is
  'One row per migration that a release applied; the newest row is the installed release.';
comment on column credits.installation.checksum is 'SHA-256 of the release''s book of SQL (supabase/schemas).';
alter table credits.installation enable row level security;

create type public.credit_entry_kind as enum (
  'grant', 'purchase', 'refill', 'charge', 'release', 'refund', 'expiry', 'adjustment', 'transfer', 'revocation'
);
comment on type public.credit_entry_kind is
  'Why credits moved. grant, purchase, refill: credits came in. charge: the most that a generation may cost was held. '
  'release: the unused part of a charge went back. refund: credits of a job were given back. expiry, revocation: a '
  'grant expired or was taken back. adjustment, transfer: an operator''s correction, a move between accounts.';

create type public.generation_job_status as enum (
  'pending', 'running', 'succeeded', 'failed', 'canceled', 'expired'
);
comment on type public.generation_job_status is
  'pending: charged, not started. running: the provider works on it. succeeded: settled. '
  'failed, canceled, expired: ended without a result and refunded in full.';

-- Every function has pg_temp last in its search_path. Left out, pg_temp would come first, and a caller's own type
-- pg_temp.jsonb would run its check with the rights of the function's owner.
create function credits.raise_misuse(p_code text, p_message text, p_hint text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  raise exception using errcode = p_code, message = p_message, hint = p_hint;
end;
$$;
comment on function credits.raise_misuse(text, text, text) is
  'Raises an error for a caller''s mistake. An errcode PTxyz reaches an HTTP caller as status xyz, 22023 as 400.';

create function credits.caller_check(p_function name)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- The role of SET ROLE, also inside a security definer function. none: the login role itself, such as that of
  -- pg_cron, Auth or psql.
  caller constant text := current_setting('role');
begin
  if caller in ('none', 'service_role') then
    return;
  end if;
  -- An app's own security definer function may call ours for its users, who have no EXECUTE themselves.
  if (caller in ('anon', 'authenticated')
    or pg_has_role(to_regrole('authenticator')::oid, to_regrole(quote_ident(caller))::oid, 'member'))
    and exists (
      select from pg_catalog.pg_proc
      where pronamespace = 'public'::regnamespace and proname = p_function
        and has_function_privilege(caller, oid, 'execute'))
  then
    perform credits.raise_misuse('42501', format('%s is not for role %s, which may execute it', p_function, caller),
      'Nothing was changed. A restore or a grant opened it. '
      'The owner closes it again: select public.repair_deployment();');
  end if;
end;
$$;
comment on function credits.caller_check(name) is
  'Raises 42501 when a Data API role other than service_role calls a public function directly. A restore may lose '
  'privileges; this check stays. It is the first statement of every security definer function that is for '
  'service_role alone.';

create function credits.check_length(p_name text, p_value text, p_least integer, p_most integer)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if length(p_value) not between p_least and p_most then
    perform credits.raise_misuse('22023', format('%s must have %s to %s characters', p_name, p_least, p_most),
      case when p_least = 0 then 'Shorten it, or leave it out.' else 'Pass a text of that length.' end);
  end if;
end;
$$;
comment on function credits.check_length(text, text, integer, integer) is
  'Raises 22023 for a text whose length is out of bounds; null passes.';

create function credits.hours_ago(p_hours integer)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_hours is null or p_hours not between 1 and 8760 then
    perform credits.raise_misuse('22023', 'hours must be 1 to 8760', 'A year has 8760.');
  end if;
  return now() - make_interval(hours => p_hours);
end;
$$;
comment on function credits.hours_ago(integer) is 'The time p_hours ago. Raises 22023 unless p_hours is 1 to 8760.';

create function credits.hmac_sha256(p_key bytea, p_message bytea)
returns bytea
language sql
immutable
set search_path = '', pg_temp
as $$
  -- RFC 2104 with a block of 64 bytes, written out because pgcrypto is not installed everywhere.
  with padded as (
    select p.key || decode(repeat('00', 64 - octet_length(p.key)), 'hex') as key
    from (select case when octet_length(p_key) > 64 then sha256(p_key) else p_key end as key) as p
  ),
  masked as (
    select
      (select string_agg(set_byte('\x00', 0, get_byte(key, i) # 54), '' order by i)
       from generate_series(0, 63) as i) as inner_key,
      (select string_agg(set_byte('\x00', 0, get_byte(key, i) # 92), '' order by i)
       from generate_series(0, 63) as i) as outer_key
    from padded
  )
  select sha256(outer_key || sha256(inner_key || p_message)) from masked;
$$;
comment on function credits.hmac_sha256(bytea, bytea) is 'HMAC-SHA256 of a message.';

-- supabase/schemas/01_foundation/20_settings.sql
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
    check (output_url_seconds between 60 and 604800)
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

alter table public.credit_settings enable row level security;

insert into public.credit_settings default values;

-- supabase/schemas/02_accounts/10_plans.sql
-- Gives: plans, the limits of an account and the credits that it gets each month.
-- Keeps: an account always has a plan (foreign key in the next chapter).
-- Needs: foundation.

create function credits.is_time_zone(p_name text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return (timestamptz 'epoch' at time zone p_name) is not null;
exception when invalid_parameter_value then
  return false;
end;
$$;
comment on function credits.is_time_zone(text) is 'Whether Postgres knows a time zone by this name (Europe/Berlin).';

create table public.credit_plans (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  rate_limit_requests integer not null default 10
    check (rate_limit_requests between 1 and 1000000),
  rate_limit_window_seconds integer not null default 60
    check (rate_limit_window_seconds between 1 and 86400),
  max_concurrent_jobs integer not null default 10
    check (max_concurrent_jobs between 1 and 10000),
  free_cancels_per_day integer not null default 5
    check (free_cancels_per_day between 0 and 1000000),
  monthly_credits bigint not null default 0
    check (monthly_credits between 0 and 1000000000000),
  roll_over text not null default 'none' check (roll_over in ('none', 'all', 'capped')),
  roll_over_cap bigint not null default 0 check (roll_over_cap between 0 and 1000000000000),
  refill_priority smallint not null default 90,
  refill_day text not null default 'calendar_month' check (refill_day in ('calendar_month', 'account')),
  refill_time_zone text not null default 'UTC' check (credits.is_time_zone(refill_time_zone)),
  upgrade_gives text not null default 'nothing'
    check (upgrade_gives in ('nothing', 'difference', 'difference_by_time_left')),
  refilled_by text not null default 'schedule' check (refilled_by in ('schedule', 'payment')),
  scheduled_credits bigint not null
    generated always as (case when refilled_by = 'schedule' then monthly_credits else 0 end) stored,
  allowed_models text[],
  credit_limit bigint not null default 0 check (credit_limit between 0 and 1000000000000),
  keep_outputs_days integer check (keep_outputs_days between 1 and 3650),
  created_at timestamptz not null default now(),
  rate_window interval not null generated always as (interval '1 second' * rate_limit_window_seconds) stored,
  -- Whole microseconds, rounded down: rounded up, a burst of the full limit would not fit its window.
  rate_step interval not null generated always as
    (interval '1 microsecond' * (rate_limit_window_seconds * 1000000::bigint / rate_limit_requests)) stored
);

comment on table public.credit_plans is 'Plans: what an account may do, and how fast.';
comment on column public.credit_plans.rate_limit_requests is
  'Charges that an account may ask for within rate_limit_window_seconds; also the largest burst.';
comment on column public.credit_plans.rate_window is 'rate_limit_window_seconds as an interval.';
comment on column public.credit_plans.rate_step is
  'How long one request uses of the window: the window divided by rate_limit_requests.';
comment on column public.credit_plans.max_concurrent_jobs is
  'Jobs of one account that may be pending or running at a time.';
comment on column public.credit_plans.free_cancels_per_day is
  'How many jobs of one account may be canceled per calendar day (UTC) after they started at a provider that calls '
  'back. Each is refunded in full although the provider may have worked for it. The members of a team share this '
  'number: with a number per member, each invitation would bring more free work.';
comment on column public.credit_plans.monthly_credits is
  'Credits granted for each month; refill_day says when a month begins. Not granted where refilled_by is payment.';
comment on column public.credit_plans.roll_over is
  'What happens to monthly credits left at the end of the month: none (they expire), all (they stay), capped (up to '
  'roll_over_cap stay).';
comment on column public.credit_plans.roll_over_cap is
  'Credits that may roll over when roll_over is capped. The cap also holds when the account leaves the plan: monthly '
  'credits beyond it expire with their month.';
comment on column public.credit_plans.refill_priority is
  'Priority of the monthly credits; lower burns first. With the default they are spent before packs and other grants, '
  'which have priority 100. Give a promotion that should be spent first a lower number.';
comment on column public.credit_plans.refill_day is
  'When a month begins: calendar_month (on the 1st) or account (on the account''s own day, see '
  'credit_accounts.refill_anchor).';
comment on column public.credit_plans.refill_time_zone is 'Time zone of the midnight at which a month begins.';
comment on column public.credit_plans.upgrade_gives is
  'What an account gets at once when it comes to this plan in the middle of a month for which it had fewer credits: '
  'nothing, the difference, or the difference in proportion to the time left in the month. The next month brings '
  'monthly_credits in any case.';
comment on column public.credit_plans.refilled_by is
  'Where an account on this plan gets its credits: schedule (monthly_credits, by refill_plans and charges) or payment '
  '(each paid period grants what its product says, and monthly_credits are not granted). Never both.';
comment on column public.credit_plans.scheduled_credits is
  'monthly_credits where the schedule grants them, else 0.';
comment on column public.credit_plans.allowed_models is 'Models that may be charged for; null: every enabled model.';
comment on column public.credit_plans.credit_limit is
  'Overdraft that set_account_plan gives an account on this plan.';
comment on column public.credit_plans.keep_outputs_days is
  'How many days after its job has ended an output is kept in Storage; null: until it is deleted. A change of plan '
  'counts for outputs that are there already.';

alter table public.credit_plans enable row level security;
create policy credit_plans_read on public.credit_plans
  for select to authenticated using (true);

insert into public.credit_plans (name) values ('default');

-- supabase/schemas/02_accounts/20_accounts.sql
-- Gives: accounts, the wallets that hold credits, and the one lock that every movement takes.
-- Keeps: no balance below -credit_limit (invariant 2); balances are written by the ledger chapter alone.
-- Needs: foundation, plans.
--
-- The one lock order: operators, approval, payment, subscription, accounts (the lower id first), job, grants, all else.
-- Every function that moves credits takes the account's lock. Scheduled tasks skip a locked account and never wait for
-- one. A settlement that moves no credits locks only its job, and asks for no other lock while it holds that one.

create function credits.slot(p_account_id uuid)
returns integer
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- The constant's other bits do not change the low 16 bits of the sum.
  return ((uuid_hash_extended(p_account_id, 8816678312871386365) & 65535) + 43235) & 65535;
end;
$$;
comment on function credits.slot(uuid) is
  'Where an account lives, out of 65536 slots: the low 16 bits of the hash by which Postgres places the rows of a '
  'table "partition by hash (uuid)". The low k bits of a slot are the number of one of 2^k partitions. Never change '
  'it: job ids begin with it.';

create table public.credit_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid unique,
  plan text not null default 'default' references public.credit_plans (name),
  balance bigint not null default 0,
  credit_limit bigint not null default 0,
  lowered_credit_limit bigint,
  overdraft_used bigint not null default 0,
  debt bigint not null default 0,
  debt_seq bigint not null default 0,
  last_seq bigint not null default 0,
  last_hash bytea not null default decode(repeat('00', 32), 'hex'),
  last_entry_at timestamptz not null default '-infinity',
  rate_full_at timestamptz not null default '-infinity',
  refilled_for date,
  cancels integer not null default 0,
  cancels_on date,
  refill_anchor date,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  is_team boolean not null default false,
  version bigint not null default 0,
  constraint account_is_sound
    check (balance >= -credit_limit and overdraft_used between 0 and credit_limit)
)
-- Half-empty pages keep the updates of a balance on their page (HOT), so that a charge touches no index.
with (fillfactor = 50);

-- Teams without an owner: account_teams_without_owner.
create index credit_accounts_teams on public.credit_accounts (id) where is_team;

comment on table public.credit_accounts is
  'Wallets. A user''s own account has the user''s id. The row is the lock: every function that moves credits '
  'of an account locks this row first, then the rows of its jobs and grants.';
comment on column public.credit_accounts.id is 'Account; equals the auth user''s id for a personal account.';
comment on column public.credit_accounts.user_id is
  'The person whose account it is; null once the person is deleted. No foreign key: the ledger outlives the user.';
comment on column public.credit_accounts.balance is
  'Whole credits: the sum of the ledger = the remaining credits of the grants - overdraft_used.';
comment on column public.credit_accounts.credit_limit is 'How far below zero the balance may go (overdraft).';
comment on column public.credit_accounts.lowered_credit_limit is
  'The credit_limit of a new plan while the account uses more overdraft than that: credit_limit falls to it as the '
  'overdraft is filled up. null: nothing to lower. Setting credit_limit clears it.';
comment on column public.credit_accounts.rate_full_at is
  'When the account has its whole rate limit again (the theoretical arrival time of GCRA); in the past: it has it now.';
comment on column public.credit_accounts.overdraft_used is 'Credits spent beyond the grants and not yet filled up.';
comment on column public.credit_accounts.debt is
  'Credits owed for grants that were taken back after they had been spent. Credits that come in pay the debt first; '
  'until it is paid nothing is charged. Not part of the balance.';
comment on column public.credit_accounts.debt_seq is 'Number of the account''s latest row of credit_debts.';
comment on column public.credit_accounts.last_seq is 'Number of the account''s latest ledger entry.';
comment on column public.credit_accounts.last_hash is
  'Hash of the latest ledger entry; 32 zero bytes before the first.';
comment on column public.credit_accounts.last_entry_at is
  'Time of the latest ledger entry; entries never go back in time.';
comment on column public.credit_accounts.refilled_for is
  'The latest month whose credits were granted, by the first day of the calendar month in which it began; null before '
  'the first.';
comment on column public.credit_accounts.refill_anchor is
  'A date on the account''s own day of the month, where the plan refills by that day; the 31st stands for the last '
  'day of a shorter month. null: the day on which the account was opened. set_account_plan sets it to the day on '
  'which monthly credits begin.';
comment on column public.credit_accounts.cancels is
  'Jobs canceled on cancels_on after they had started at their provider: at most credit_plans.free_cancels_per_day.';
comment on column public.credit_accounts.cancels_on is
  'The calendar day (UTC) whose cancels are counted; null before the first.';
comment on column public.credit_accounts.is_team is
  'Whether it was opened for a team (create_team_account). Otherwise it belongs to the person whose id it has, also '
  'after they are deleted.';
comment on column public.credit_accounts.version is
  'Raised by each change of the account, its members or its grants'' attributes, so that a charge that read the '
  'account without a lock sees whether anything has changed since.';
comment on column public.credit_accounts.closed_at is
  'Since when nothing can be charged or granted; null: the account is open.';

create function credits.credit_limit_changed()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if new.credit_limit > 1000000000000 then
    perform credits.raise_misuse('23514', 'a credit_limit is at most 1000000000000 credits', 'Set a lower one.');
  end if;
  new.lowered_credit_limit := null;
  return new;
end;
$$;
comment on function credits.credit_limit_changed() is
  'Bounds credit_limit, here because a CHECK would be parsed for each charge. Clears lowered_credit_limit, so that the '
  'new credit_limit stays.';
create trigger credit_limit_changed before insert or update of credit_limit on public.credit_accounts
  for each row execute function credits.credit_limit_changed();

create function credits.account_version_raise()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  new.version := old.version + 1;
  return new;
end;
$$;
comment on function credits.account_version_raise() is
  'Raises an account''s version. The functions that write balance, overdraft, rate limit or the end of the chain raise '
  'it themselves.';
-- By column: a condition would be prepared again for each charge. What is not named here (the balance, the chain's end,
-- the rate limit) is written together with the version.
create trigger account_version_raise
  before update of id, user_id, plan, credit_limit, lowered_credit_limit, debt, debt_seq, refilled_for, cancels,
    cancels_on, refill_anchor, closed_at, created_at, is_team on public.credit_accounts
  for each row execute function credits.account_version_raise();

create function credits.account_version_touch()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account uuid := coalesce(new.account_id, old.account_id);
begin
  -- Do not wait for the account: a charge that holds it may be waiting for this row.
  perform from public.credit_accounts where id = account for update skip locked;
  if not found and exists (select from public.credit_accounts where id = account) then
    perform credits.raise_misuse('55P03', 'the account of this row is busy',
      'Lock it first, in the same transaction: select from public.credit_accounts where id = … for update.');
  end if;
  update public.credit_accounts set version = version + 1 where id = account;
  return null;
end;
$$;
comment on function credits.account_version_touch() is
  'Raises the version of the account that the row belongs to, because a charge reads its members and the order and '
  'expiry of its grants. Raises 55P03 when another transaction holds the account.';

create function credits.account_rejoined()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  new.user_id := new.id;
  return new;
end;
$$;
comment on function credits.account_rejoined() is
  'Gives a personal account back to its person (user_id) when it is reopened, by any statement.';
create trigger account_rejoined before update of closed_at on public.credit_accounts
  for each row when (old.closed_at is not null and new.closed_at is null and new.user_id is null and not new.is_team)
  execute function credits.account_rejoined();

create table public.account_members (
  account_id uuid not null,
  user_id uuid not null,
  role text not null default 'member' check (role in ('owner', 'admin', 'member', 'viewer')),
  monthly_cap bigint check (monthly_cap between 0 and 1000000000000),
  spent bigint not null default 0 check (spent >= 0),
  spent_month date not null default date_trunc('month', now() at time zone 'utc')::date,
  created_at timestamptz not null default now(),
  primary key (account_id, user_id)
);
-- A user's accounts, which every policy looks up (credits.my_account_ids).
create index account_members_by_user on public.account_members (user_id, account_id);

create trigger account_version_touch after insert or delete or update of role, monthly_cap on public.account_members
  for each row execute function credits.account_version_touch();

comment on table public.account_members is
  'Who may use a team''s account. owner, admin and member may spend; all four may read it.';
comment on column public.account_members.monthly_cap is
  'Most credits of this account that the member may spend in a calendar month (UTC); null: no cap.';
comment on column public.account_members.spent is 'Credits that the member spent in spent_month, less refunds.';

create function credits.my_account_ids()
returns setof uuid
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select id from public.credit_accounts where user_id = (select auth.uid())
  union all
  select account_id from public.account_members where user_id = (select auth.uid());
$$;
comment on function credits.my_account_ids() is
  'The accounts that the calling user may read: their own and their teams''. Write it in a policy as account_id = any '
  '(array(select credits.my_account_ids())), for which Postgres uses an index; with account_id in (select …) it reads '
  'every row.';

alter table public.account_members enable row level security;
create policy account_members_read_own_accounts on public.account_members
  for select to authenticated using (account_id = any (array(select credits.my_account_ids())));

alter table public.credit_accounts enable row level security;
create policy credit_accounts_read_own on public.credit_accounts
  for select to authenticated using (id = any (array(select credits.my_account_ids())));

create function credits.account_lock(p_account_id uuid)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
begin
  if p_account_id is null then
    perform credits.raise_misuse('22023', 'an account is needed',
      'Pass the account''s id; for a person, the auth user''s id.');
  end if;
  select * into account from public.credit_accounts where id = p_account_id for update;
  if not found then
    insert into public.credit_accounts (id, user_id) values (p_account_id, p_account_id)
    on conflict do nothing;
    select * into strict account from public.credit_accounts where id = p_account_id for update;
  end if;
  return account;
end;
$$;
comment on function credits.account_lock(uuid) is
  'Locks an account for the rest of the transaction and returns it; creates it on first use.';

create function credits.accounts_lock(p_account_ids uuid[])
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account_ids uuid[] := array(select distinct a.id from unnest(p_account_ids) as a (id) order by a.id);
  account_id uuid;
begin
  foreach account_id in array account_ids loop
    perform credits.account_lock(account_id);
  end loop;
  return account_ids;
end;
$$;
comment on function credits.accounts_lock(uuid[]) is
  'Locks accounts as account_lock does, the lower id first, and returns their ids in this order.';

-- supabase/schemas/02_accounts/30_refill_periods.sql
-- Gives: when an account's month begins and ends, by calendar or by its own day.
-- Keeps: exactly one month begins in each calendar month, which names it; the account's own day stays (31 January, 28
--   February, 31 March).
-- Needs: plans, accounts.

create function credits.refill_anchor(p_plan public.credit_plans, p_account public.credit_accounts)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_plan.refill_day = 'calendar_month' then
    return date '2000-01-01';
  end if;
  return coalesce(p_account.refill_anchor, (p_account.created_at at time zone p_plan.refill_time_zone)::date);
end;
$$;
comment on function credits.refill_anchor(public.credit_plans, public.credit_accounts) is
  'A date whose day of the month is the day on which an account''s months begin.';

create function credits.refill_begins(p_anchor date, p_month date)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return least(p_month + extract(day from p_anchor)::integer - 1, (p_month + interval '1 month')::date - 1);
end;
$$;
comment on function credits.refill_begins(date, date) is
  'The day on which an account''s month begins within a calendar month (p_month, its first day): the anchor''s day, '
  'or the last day of a shorter month.';

create function credits.refill_month(p_plan public.credit_plans, p_account public.credit_accounts, p_at timestamptz)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  today date := (p_at at time zone p_plan.refill_time_zone)::date;
  month date := date_trunc('month', today::timestamp)::date;
begin
  if p_plan.refill_day = 'account'
    and credits.refill_begins(credits.refill_anchor(p_plan, p_account), month) > today then
    return (month - interval '1 month')::date;
  end if;
  return month;
end;
$$;
comment on function credits.refill_month(public.credit_plans, public.credit_accounts, timestamptz) is
  'The month that an account is in at a time, by the first day of the calendar month in which it began.';

create function credits.refill_ends(p_plan public.credit_plans, p_account public.credit_accounts, p_month date)
returns timestamptz
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return credits.refill_begins(credits.refill_anchor(p_plan, p_account), (p_month + interval '1 month')::date)
    ::timestamp at time zone p_plan.refill_time_zone;
end;
$$;
comment on function credits.refill_ends(public.credit_plans, public.credit_accounts, date) is
  'When an account''s month that began in this calendar month ends and the next one begins.';

create function credits.refill_first(p_plan public.credit_plans, p_account public.credit_accounts, p_month date)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  next_month date := (p_account.refilled_for + interval '1 month')::date;
begin
  -- Credits of a missed month that do not roll over would have expired by now, so only this month's are granted.
  if next_month is null or (p_plan.roll_over = 'none' and next_month < p_month) then
    return p_month;
  end if;
  return next_month;
end;
$$;
comment on function credits.refill_first(public.credit_plans, public.credit_accounts, date) is
  'The first month, up to p_month, whose credits an account has not got yet; a month after p_month when there is none.';

create function credits.refill_is_due(p_account_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- The wall clock, not the transaction's: the caller may have waited for the account's lock.
  return exists (
    select from public.credit_accounts as a join public.credit_plans as p on p.name = a.plan and p.scheduled_credits > 0
    where a.id = p_account_id and a.closed_at is null
      and (a.refilled_for is null or a.refilled_for < credits.refill_month(p, a, clock_timestamp())));
end;
$$;
comment on function credits.refill_is_due(uuid) is
  'Whether an account is due monthly credits that have not been booked.';

-- supabase/schemas/03_ledger/10_grants.sql
-- Gives: grants, which say where each credit came from and when it expires.
-- Keeps: no grant below 0 or above its amount (invariant 2); one external_ref, one grant (invariant 5).
-- Needs: accounts.

create table public.credit_grants (
  id bigint generated always as identity,
  account_id uuid not null,
  kind public.credit_entry_kind not null,
  amount bigint not null,
  remaining bigint not null default 0,
  breakage bigint not null default 0,
  repaid bigint not null default 0,
  reversed bigint not null default 0,
  is_open boolean not null default false,
  is_capped boolean not null default false,
  priority smallint not null default 100,
  expires_at timestamptz,
  grace_ends_at timestamptz,
  makes_good bigint,
  external_ref text,
  reason text,
  expiry_announced_at timestamptz,
  created_at timestamptz not null default now(),
  seal bytea,
  primary key (account_id, id),
  constraint grant_is_sound check (remaining between 0 and amount and is_open = (remaining > 0))
)
with (fillfactor = 70);

-- The burn-down order. The predicate reads is_open, which changes when a grant is used up, and not remaining, which
-- changes with each charge. So the update by a charge stays HOT.
create index credit_grants_burn_order
  on public.credit_grants (account_id, priority, expires_at, id) where is_open;
-- Grants that expire next (expire_grants), and grants to announce before they expire (announce_expiring_grants).
create index credit_grants_expiring
  on public.credit_grants (expires_at, account_id) where is_open and expires_at is not null;
-- One grant per external_ref: grant_credits finds the first.
create unique index credit_grants_external_ref
  on public.credit_grants (external_ref) where external_ref is not null;

comment on table public.credit_grants is
  'Where each credit came from. Charges burn grants down by priority, then earliest expiry, then oldest.';
comment on column public.credit_grants.amount is 'Credits granted.';
comment on column public.credit_grants.remaining is 'Credits of it that are left to spend.';
comment on column public.credit_grants.breakage is 'Credits of it that expired unspent.';
comment on column public.credit_grants.repaid is
  'Credits of it that filled up an overdraft; a refund of that overdraft returns them to the grant.';
comment on column public.credit_grants.grace_ends_at is
  'Until when credits can be used that failed generations refunded to this grant after it had expired; the first such '
  'refund sets it for all. -infinity: this grant holds credits of such a grace period, or was transferred out of one, '
  'and gets no grace period itself.';
comment on column public.credit_grants.makes_good is
  'The grant whose credits this grant holds: they were refunded after it had expired, or rolled over when the account '
  'left its plan.';
comment on column public.credit_grants.is_capped is
  'Whether the roll-over cap of the account''s plan covers these monthly credits: that plan granted them, or its cap '
  'has trimmed them. When the account leaves that plan, credits beyond the cap expire with the month.';
comment on column public.credit_grants.is_open is
  'Whether credits remain; a column of its own for the burn-down index.';
comment on column public.credit_grants.priority is 'Lower burns first.';
comment on column public.credit_grants.expires_at is 'When the remaining credits stop being spendable; null: never.';
comment on column public.credit_grants.reversed is
  'Credits of it that were taken back in all (by a chargeback, say); credit_debts says when, and out of which grants.';
comment on column public.credit_grants.external_ref is
  'The outside event that this grant stands for (a payment, say); unique, so that it counts once.';

comment on column public.credit_grants.seal is
  'SHA-256 over the terms of the grant: kind, amount, priority, expiry, external_ref, reason. With is_capped: over '
  'that SHA-256 and a byte. With a grace period: over that SHA-256 and grace_ends_at. Reconciliation finds a change '
  'by hand.';

create function credits.cap_seal(p_seal bytea)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Computed from the existing seal, as for a grace period.
  return sha256(p_seal || '\x01'::bytea);
end;
$$;
comment on function credits.cap_seal(bytea) is
  'The new seal of a grant that comes under a roll-over cap, from its old one.';

create function credits.grace_seal(p_seal bytea, p_grace_ends_at timestamptz)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- Computed from the existing seal, not from the row: a term that was changed by hand before must still show.
  return sha256(p_seal || timestamptz_send(p_grace_ends_at));
end;
$$;
comment on function credits.grace_seal(bytea, timestamptz) is
  'The new seal of a grant that gets a grace period, from its old one.';

create function credits.grant_seal(p_grant public.credit_grants)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  terms bytea := sha256(record_send(row(
    p_grant.account_id, p_grant.id, p_grant.kind::text, p_grant.amount, p_grant.priority, p_grant.expires_at,
    p_grant.makes_good, p_grant.created_at,
    convert_to(p_grant.external_ref, 'UTF8'), convert_to(p_grant.reason, 'UTF8'))));
begin
  if p_grant.is_capped then
    terms := credits.cap_seal(terms);
  end if;
  if p_grant.grace_ends_at is null then
    return terms;
  end if;
  return credits.grace_seal(terms, p_grant.grace_ends_at);
end;
$$;
comment on function credits.grant_seal(public.credit_grants) is 'The seal that a grant must have.';

create function credits.grant_sealed()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if new.is_capped or new.grace_ends_at is not null then
    new.seal := credits.grant_seal(new);
  else
    -- The same inlined: the call would cost as much again, and a refill makes thousands of grants.
    new.seal := sha256(record_send(row(
      new.account_id, new.id, new.kind::text, new.amount, new.priority, new.expires_at, new.makes_good, new.created_at,
      convert_to(new.external_ref, 'UTF8'), convert_to(new.reason, 'UTF8'))));
  end if;
  return new;
end;
$$;
comment on function credits.grant_sealed() is 'Seals each new grant.';
create trigger grant_sealed before insert on public.credit_grants for each row execute function credits.grant_sealed();

create trigger account_version_touch after update of priority, expires_at on public.credit_grants
  for each row execute function credits.account_version_touch();

alter table public.credit_grants enable row level security;
create policy credit_grants_read_own on public.credit_grants
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create function public.account_expiring_grants(p_account_id uuid)
returns table (
  id bigint, kind public.credit_entry_kind, amount bigint, remaining bigint, expires_at timestamptz,
  grants_in_all bigint, credits_in_all bigint
)
language sql
stable
set search_path = '', pg_temp
as $$
  select g.id, g.kind, g.amount, g.remaining, g.expires_at, count(*) over (), (sum(g.remaining) over ())::bigint
  from public.credit_grants as g
  where g.account_id = p_account_id and g.is_open and g.expires_at > clock_timestamp()
  order by g.expires_at, g.id;
$$;
comment on function public.account_expiring_grants(uuid) is
  'An account''s grants that will expire and have credits left, the next to expire first. grants_in_all and '
  'credits_in_all count all of them, also when the answer is cut off. Runs with the caller''s rights: a user sees the '
  'grants that they may read.';

-- supabase/schemas/03_ledger/20_ledger.sql
-- Gives: the ledger, and the only function that writes to it.
-- Keeps: balance = sum of deltas = last balance_after; seq gapless; the hash chain verifies (invariant 1).
-- Needs: grants; when called: archive.

create table public.credit_ledger (
  account_id uuid not null,
  seq bigint not null,
  delta bigint not null,
  balance_after bigint not null,
  kind public.credit_entry_kind not null,
  grant_id bigint,
  job_id uuid,
  reason text,
  metadata jsonb,
  created_at timestamptz not null,
  hash bytea not null,
  primary key (account_id, seq),
  constraint entry_is_sound check (delta <> 0)
);

-- The entries of a job: a refund or release returns credits to the grants that they name; reconciliation compares them
-- with the job.
create index credit_ledger_job on public.credit_ledger (account_id, job_id);
-- The ledger grows in order of time, so this small index finds the last day, at almost no cost for a charge.
create index credit_ledger_recent on public.credit_ledger using brin (created_at) with (autosummarize = on);

comment on table public.credit_ledger is
  'Every movement of credits, append-only: gapless per account and hash-chained. UPDATE, DELETE and TRUNCATE raise; a '
  'change that gets past them breaks the chain and shows in reconciliation. Entries that archive_ledger moved to '
  'credit_ledger_archive are still read here (select … from only credit_ledger leaves them out).';
comment on column public.credit_ledger.seq is 'Number of the entry within its account: 1, 2, 3 … without a gap.';
comment on column public.credit_ledger.delta is 'Credits that came in (> 0) or went out (< 0); never 0.';
comment on column public.credit_ledger.balance_after is 'The account''s balance after this entry.';
comment on column public.credit_ledger.grant_id is
  'The grant that the credits came from or went to; null: they came out of the overdraft or filled it up.';
comment on column public.credit_ledger.job_id is 'The generation that credits were charged for, released or refunded.';
comment on column public.credit_ledger.metadata is
  'Machine-readable details, up to 4 KiB. source_grant_id: the grant that a refund or release makes good, if it is '
  'not grant_id (0: the overdraft). refund_key: the key that makes a partial refund idempotent. reversed_grant_id: '
  'the grant that was taken back (0: a debt from before an import). withdrawal_ref: the reference that makes a '
  'withdrawal count once. operator_action: the action of an operator that caused it, <operator_id>:<seq> of '
  'operator_actions.';
comment on column public.credit_ledger.hash is
  'SHA-256 over the hash of the previous entry and every field of this one.';

create function credits.ledger_is_append_only()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.raise_misuse(
    'PT405', 'credit_ledger is append-only',
    'Book a new entry that corrects the old one: grant_credits or refund_credits.');
end;
$$;
comment on function credits.ledger_is_append_only() is 'Refuses a change of the ledger; called by its rules.';

create function credits.entry_is_archived(p_entry public.credit_ledger)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from only public.credit_ledger_archive as a
    where a.account_id = p_entry.account_id and a.seq = p_entry.seq
      and a::public.credit_ledger is not distinct from p_entry);
end;
$$;
comment on function credits.entry_is_archived(public.credit_ledger) is
  'Whether the archive holds the same entry, field by field; only then may it leave the ledger.';

create rule credit_ledger_no_update as on update to public.credit_ledger
  do instead select credits.ledger_is_append_only();
create rule credit_ledger_no_delete as on delete to public.credit_ledger
  where not credits.entry_is_archived(old)
  do instead select credits.ledger_is_append_only();

-- Triggers too: rules do not see TRUNCATE, nor any row when session_replication_role = replica.
create function credits.ledger_refuse_change()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.ledger_is_append_only();
  return null;
end;
$$;
comment on function credits.ledger_refuse_change() is 'Refuses a change of the ledger; called by its triggers.';

create trigger credit_ledger_refuse_change before update or delete on public.credit_ledger
  for each row when (not credits.entry_is_archived(old)) execute function credits.ledger_refuse_change();
create trigger credit_ledger_refuse_truncate before truncate on public.credit_ledger
  for each statement execute function credits.ledger_refuse_change();
alter table public.credit_ledger enable always trigger credit_ledger_refuse_change;
alter table public.credit_ledger enable always trigger credit_ledger_refuse_truncate;

alter table public.credit_ledger enable row level security;
create policy credit_ledger_read_own on public.credit_ledger
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create function credits.entry_hash(
  p_previous bytea, p_account_id uuid, p_seq bigint, p_delta bigint, p_balance_after bigint,
  p_kind public.credit_entry_kind, p_grant_id bigint, p_job_id uuid, p_reason text,
  p_metadata jsonb, p_created_at timestamptz
)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- record_send writes type and length before each field, so that no two entries have the same encoding, and does not
  -- depend on the session's time zone or date style. Text goes in as bytes, because it would be sent in the client's
  -- encoding.
  return sha256(p_previous || record_send(row(
    p_account_id, p_seq, p_delta, p_balance_after, p_kind::text, p_grant_id, p_job_id, p_created_at,
    convert_to(p_reason, 'UTF8'), convert_to(p_metadata::text, 'UTF8'))));
end;
$$;
comment on function credits.entry_hash(
  bytea, uuid, bigint, bigint, bigint, public.credit_entry_kind, bigint, uuid, text, jsonb, timestamptz
) is
  'The hash that an entry must have after an entry with hash p_previous: over that hash and every field of this one.';

create function credits.entry_origin()
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('operator_action', current_setting('credits.operator_action', true))
  where current_setting('credits.operator_action', true) <> '';
$$;
comment on function credits.entry_origin() is
  'What an entry''s metadata says of the operator''s action that this transaction is in; null outside of one.';

create function credits.entry_append(
  p_account_id uuid, p_delta bigint, p_kind public.credit_entry_kind, p_grant_id bigint, p_job_id uuid, p_reason text,
  p_metadata jsonb
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  entry_at timestamptz := clock_timestamp();
begin
  -- The console sets it for the time of one action; nothing else does.
  if current_setting('credits.operator_action', true) <> '' then
    p_metadata := coalesce(p_metadata, '{}') || credits.entry_origin();
  end if;
  update public.credit_accounts as a
  set version = a.version + 1, balance = a.balance + p_delta, last_seq = a.last_seq + 1,
      -- Never earlier than the previous entry, even if the clock goes back: history is searched by time.
      last_entry_at = greatest(entry_at, a.last_entry_at),
      last_hash = credits.entry_hash(a.last_hash, a.id, a.last_seq + 1, p_delta, a.balance + p_delta, p_kind,
        p_grant_id, p_job_id, p_reason, p_metadata, greatest(entry_at, a.last_entry_at)),
      -- An entry without a grant takes from the overdraft (delta < 0) or fills it up.
      overdraft_used = a.overdraft_used - case when p_grant_id is null then p_delta else 0 end
  where a.id = p_account_id
  returning * into strict account;
  insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason, metadata,
    created_at, hash)
  values (p_account_id, account.last_seq, p_delta, account.balance, p_kind, p_grant_id, p_job_id, p_reason, p_metadata,
    account.last_entry_at, account.last_hash);
  update public.credit_grants set remaining = remaining + p_delta, is_open = (remaining + p_delta > 0)
  where account_id = p_account_id and id = p_grant_id;
  return account;
end;
$$;
comment on function credits.entry_append(uuid, bigint, public.credit_entry_kind, bigint, uuid, text, jsonb) is
  'Appends an entry, updates the balance and the grant, and returns the account as changed. The caller holds the '
  'account''s lock.';

-- supabase/schemas/03_ledger/30_debts.sql
-- Gives: debts, the credits that an account owes for grants taken back after they were spent, and their history.
-- Keeps: debt = sum of its deltas; append-only, gapless and hash-chained like the ledger. A debt is not part of the
--   balance.
-- Needs: ledger.

create table public.credit_debts (
  account_id uuid not null,
  seq bigint not null,
  delta bigint not null,
  debt_after bigint not null check (debt_after >= 0),
  grant_id bigint,
  target bigint,
  from_grant_id bigint,
  taken bigint not null default 0,
  reason text check (length(reason) <= 500),
  created_at timestamptz not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (account_id, seq)
);
-- The debt of a grant: credits.debts_owed, reverse_grant.
create index credit_debts_by_grant on public.credit_debts (account_id, grant_id);

comment on table public.credit_debts is
  'How grants were taken back (reverse_grant), and how many of their credits are owed. Append-only and hash-chained: '
  'one row per piece that was taken, given back, owed, paid or forgiven. credit_accounts.debt is the sum of delta.';
comment on column public.credit_debts.seq is 'Number of the row within its account: 1, 2, 3 … without a gap.';
comment on column public.credit_debts.delta is
  'Credits owed from now on (> 0) or no longer (< 0); 0: no debt changed, because the credits were still there to '
  'take.';
comment on column public.credit_debts.grant_id is
  'The grant that was taken back; null for a debt from before its account was imported.';
comment on column public.credit_debts.target is
  'How many of the grant''s credits are to be taken back in all, from this row on; null: as before (a debt is paid).';
comment on column public.credit_debts.from_grant_id is 'The grant that credits were taken out of or given back to.';
comment on column public.credit_debts.taken is
  'Credits taken (> 0) or given back (< 0); the ledger has them as entries of kind revocation.';
comment on column public.credit_debts.hash is 'SHA-256 over the hash of the previous row and every field of this one.';

create rule credit_debts_no_update as
  on update to public.credit_debts do instead select credits.ledger_is_append_only();
create rule credit_debts_no_delete as
  on delete to public.credit_debts do instead select credits.ledger_is_append_only();
create trigger credit_debts_refuse_change before update or delete on public.credit_debts
  for each row execute function credits.ledger_refuse_change();
create trigger credit_debts_refuse_truncate before truncate on public.credit_debts
  for each statement execute function credits.ledger_refuse_change();
alter table public.credit_debts enable always trigger credit_debts_refuse_change;
alter table public.credit_debts enable always trigger credit_debts_refuse_truncate;

alter table public.credit_debts enable row level security;
create policy credit_debts_read_own on public.credit_debts
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create function credits.debt_hash(p_previous bytea, p_row public.credit_debts)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return sha256(coalesce(p_previous, decode(repeat('00', 32), 'hex')) || record_send(row(
    p_row.account_id, p_row.seq, p_row.delta, p_row.debt_after, p_row.grant_id, p_row.target,
    p_row.from_grant_id, p_row.taken, p_row.created_at, convert_to(p_row.reason, 'UTF8'))));
end;
$$;
comment on function credits.debt_hash(bytea, public.credit_debts) is
  'The hash that a row of credit_debts must have after one with hash p_previous (null: the first).';

create function credits.debt_append(
  p_account public.credit_accounts, p_delta bigint, p_grant_id bigint, p_target bigint, p_from_grant_id bigint,
  p_taken bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  debt public.credit_debts;
begin
  debt.account_id := p_account.id;
  debt.seq := p_account.debt_seq + 1;
  debt.delta := p_delta;
  debt.debt_after := p_account.debt + p_delta;
  debt.grant_id := p_grant_id;
  debt.target := p_target;
  debt.from_grant_id := p_from_grant_id;
  debt.taken := p_taken;
  debt.reason := p_reason;
  debt.created_at := clock_timestamp();
  debt.hash := credits.debt_hash(
    (select hash from public.credit_debts where account_id = p_account.id and seq = p_account.debt_seq), debt);
  insert into public.credit_debts (account_id, seq, delta, debt_after, grant_id, target, from_grant_id, taken, reason,
    created_at, hash)
  values (debt.account_id, debt.seq, debt.delta, debt.debt_after, debt.grant_id, debt.target, debt.from_grant_id,
    debt.taken, debt.reason, debt.created_at, debt.hash);
  p_account.debt := debt.debt_after;
  p_account.debt_seq := debt.seq;
  update public.credit_accounts set debt = debt.debt_after, debt_seq = debt.seq where id = p_account.id;
  return p_account;
end;
$$;
comment on function credits.debt_append(public.credit_accounts, bigint, bigint, bigint, bigint, bigint, text) is
  'Appends a row to an account''s debts and updates its debt. Takes and returns the locked account.';

create view credits.debts_owed
with (security_invoker = true)
as
select account_id, grant_id, sum(delta)::bigint as owed, min(seq) as since
from public.credit_debts group by account_id, grant_id having sum(delta) > 0;
comment on view credits.debts_owed is 'Credits still owed of each grant that was taken back.';

-- supabase/schemas/03_ledger/40_history.sql
-- Gives: the balance at any past time, and statements that add up, read at one moment.
-- Keeps: opening balance + entries = closing balance; the reader sees only what row level security shows.
-- Needs: ledger, debts.

create function public.ledger_seq_as_of(p_account_id uuid, p_at timestamptz)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Binary search for the latest entry not after p_at: times grow with seq, so about 20 look-ups by primary key find it
  -- among a million entries, without another index.
  lowest bigint := 0;
  highest bigint;
  middle bigint;
  entry_at timestamptz;
begin
  if p_account_id is null or p_at is null then
    -- Not by credits.raise_misuse, which a user may not call.
    raise exception using errcode = '22023', message = 'an account and a time are needed',
      hint = 'For the present, pass now().';
  end if;
  select last_seq into highest from public.credit_accounts where id = p_account_id;
  while lowest < highest loop
    middle := (lowest + highest + 1) / 2;
    select created_at into entry_at from public.credit_ledger where account_id = p_account_id and seq = middle;
    if entry_at <= p_at then
      lowest := middle;
    else
      highest := middle - 1;
    end if;
  end loop;
  return lowest;
end;
$$;
comment on function public.ledger_seq_as_of(uuid, timestamptz) is
  'Number (seq) of an account''s last entry not later than p_at; 0 before the first. As fast in a long history as in '
  'a short one. Runs with the caller''s rights: a user sees their own accounts. Raises 22023 without an account or a '
  'time.';

create function public.balance_as_of(p_account_id uuid, p_at timestamptz)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  last_seq bigint := public.ledger_seq_as_of(p_account_id, p_at);
begin
  return coalesce((
    select balance_after from public.credit_ledger where account_id = p_account_id and seq = last_seq), 0);
end;
$$;
comment on function public.balance_as_of(uuid, timestamptz) is
  'An account''s balance in whole credits after the last entry not later than p_at; 0 before the first. Runs with the '
  'caller''s rights: a user sees their own accounts. Raises 22023 without an account or a time.';

create function public.account_statement(p_account_id uuid, p_from timestamptz, p_to timestamptz)
returns table (
  line text, seq bigint, created_at timestamptz, kind public.credit_entry_kind, credits bigint, balance bigint,
  grant_id bigint, job_id uuid, reason text
)
language plpgsql
stable
set search_path = '', pg_temp
as $$
#variable_conflict use_column
declare
  opening_seq bigint;
  closing_seq bigint;
begin
  if p_account_id is null or (p_from <= p_to) is not true then
    raise exception using errcode = '22023', message = 'an account, a beginning and an end not before it are needed',
      hint = 'p_from is exclusive, p_to inclusive.';
  end if;
  opening_seq := public.ledger_seq_as_of(p_account_id, p_from);
  closing_seq := public.ledger_seq_as_of(p_account_id, p_to);
  return query with entries as (
    select * from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > opening_seq and l.seq <= closing_seq
  )
  select s.line, s.seq, s.created_at, s.kind, s.credits, s.balance, s.grant_id, s.job_id, s.reason
  from (
    select 1 as part, 'opening' as line, null::bigint as seq, p_from as created_at,
      null::public.credit_entry_kind as kind, null::bigint as credits,
      coalesce((select l.balance_after from public.credit_ledger as l
        where l.account_id = p_account_id and l.seq = opening_seq), 0) as balance,
      null::bigint as grant_id, null::uuid as job_id, null::text as reason
    union all
    select 2, 'entry', e.seq, e.created_at, e.kind, e.delta, e.balance_after, e.grant_id, e.job_id, e.reason
    from entries as e
    union all
    select 3, 'sum', null, null, e.kind, sum(e.delta)::bigint, null, null, null, null from entries as e group by e.kind
    union all
    select 4, 'debt', d.seq, d.created_at, 'revocation', d.delta, d.debt_after, d.grant_id, null, d.reason
    from public.credit_debts as d
    where d.account_id = p_account_id and d.delta <> 0 and d.created_at > p_from and d.created_at <= p_to
    union all
    select 5, 'closing', null, p_to, null, null,
      coalesce((select l.balance_after from public.credit_ledger as l
        where l.account_id = p_account_id and l.seq = closing_seq), 0), null, null, null
  ) as s
  order by s.part, s.seq, s.kind;
end;
$$;
comment on function public.account_statement(uuid, timestamptz, timestamptz) is
  'A statement from p_from (exclusive) to p_to (inclusive), in whole credits. Lines: one opening; one entry per '
  'ledger entry; one sum per kind; one debt per change of what is owed for revoked grants (credits: the change, '
  'balance: the debt after it; not part of the sums); one closing. opening + entries = closing. Runs with the '
  'caller''s rights: a user sees their own accounts. Raises 22023 without an account or when p_to is before p_from.';

create function public.account_statement_json(p_account_id uuid, p_from timestamptz, p_to timestamptz)
returns json
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  most_lines constant integer := 20000;
  -- The opening, the closing and one sum per kind.
  other_lines constant integer := 2 + cardinality(enum_range(null::public.credit_entry_kind));
begin
  -- seq has no gaps, so the number of entries is known before any is read.
  if public.ledger_seq_as_of(p_account_id, p_to) - public.ledger_seq_as_of(p_account_id, p_from)
    + other_lines > most_lines then
    raise exception using errcode = 'PT413', message = format('the statement has more than %s lines', most_lines),
      hint = 'Ask for a shorter period, or for account_statement, which has no limit.';
  end if;
  return (select json_agg(s) from public.account_statement(p_account_id, p_from, p_to) as s);
end;
$$;
comment on function public.account_statement_json(uuid, timestamptz, timestamptz) is
  'All lines of account_statement as one JSON array, up to 20,000 lines. The Data API neither cuts a single value at '
  'its row limit nor reads it in pieces, so every line is of the same moment. Runs with the caller''s rights: a user '
  'sees their own accounts. Raises 22023 without an account or when p_to is before p_from, and PT413 for more lines, '
  'before it reads them.';

-- supabase/schemas/04_prices/10_price_book.sql
-- Gives: the price book: models, and the rates per meter of each of their price versions.
-- Keeps: a price version is never changed by a later one; every cost fits a bigint.
-- Needs: foundation.

create table public.generation_models (
  name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  effective_from timestamptz not null default now(),
  provider text not null check (length(provider) between 1 and 63),
  provider_model text not null check (length(provider_model) between 1 and 127),
  type text check (type in ('image', 'video', 'speech', 'text')),
  overage text not null default 'cap' check (overage in ('cap', 'overdraft')),
  min_width integer not null default 64,
  max_width integer not null default 2048,
  min_height integer not null default 64,
  max_height integer not null default 2048,
  default_width integer not null default 1024,
  default_height integer not null default 1024,
  allowed_sizes text[],
  max_n integer not null default 4 check (max_n between 1 and 100),
  max_seconds integer not null default 60 check (max_seconds between 1 and 86400),
  default_seconds integer check (default_seconds between 1 and max_seconds),
  voices text[],
  formats text[],
  max_input_tokens integer not null default 8192 check (max_input_tokens between 1 and 100000000),
  max_output_tokens integer not null default 4096 check (max_output_tokens between 1 and 100000000),
  default_output_tokens integer not null default 1024 check (default_output_tokens between 1 and 100000000),
  image_tokens integer check (image_tokens between 1 and 1000000),
  reasons boolean not null default false,
  max_prompt_length integer not null default 4000 check (max_prompt_length between 1 and 32000),
  timeout_seconds integer not null default 60 check (timeout_seconds between 1 and 3600),
  max_output_bytes bigint not null default 52428800 check (max_output_bytes between 1 and 1073741824),
  hard_timeout_seconds integer not null default 3600 check (hard_timeout_seconds between timeout_seconds and 86400),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  meters text[] not null default '{}',
  prices numeric[] not null default '{}',
  primary key (name, effective_from),
  constraint width_bounds
    check (1 <= min_width and min_width <= default_width and default_width <= max_width and max_width <= 16384),
  constraint height_bounds
    check (1 <= min_height and min_height <= default_height and default_height <= max_height and max_height <= 16384),
  constraint voices_are_names check (cardinality(voices) between 1 and 100 and array_position(voices, null) is null
    and length(array_to_string(voices, '')) >= cardinality(voices)),
  constraint formats_are_known check (cardinality(formats) > 0 and array_position(formats, null) is null
    and formats <@ array['wav', 'mp3', 'opus', 'flac', 'aac'])
);

comment on table public.generation_models is
  'The price book: one row per model and price version; its prices are in generation_model_rates. The version in '
  'force is the latest whose effective_from has come. Apps read that row of each enabled model, every column but '
  'provider_model, meters and prices: name the columns, because * asks for those too. Only the service reads past and '
  'future versions. set_model_price writes a version.';
comment on column public.generation_models.effective_from is
  'When this version comes into force. A new price is a new version; jobs keep the version that they were charged by.';
comment on column public.generation_models.provider is 'The provider that runs it (functions/_shared/providers).';
comment on column public.generation_models.provider_model is
  'The provider''s own name for the model. Not public: it tells what is behind a price.';
comment on column public.generation_models.type is
  'What it makes: image, video, speech or text. Decides what a request may ask for. Where it is left out it follows '
  'from the meters of its rates: image and megapixel make images, so does request alone; second makes video, character '
  'speech, and tokens text.';
comment on column public.generation_models.overage is
  'If the actual usage costs more than was reserved: cap (the user pays what was reserved) or overdraft (the rest is '
  'charged, as far as the account''s credits and credit_limit go).';
comment on column public.generation_models.max_seconds is 'Longest output in seconds.';
comment on column public.generation_models.default_seconds is
  'Seconds that a charge reserves if the request names none; null: max_seconds.';
comment on column public.generation_models.voices is
  'The only possible voices of speech; the first one speaks if the request names none. null: any that the provider '
  'has.';
comment on column public.generation_models.formats is
  'The only possible formats of speech, of wav, mp3, opus, flac and aac; the first one if the request names none. '
  'null: any of them, and mp3.';
comment on column public.generation_models.max_input_tokens is
  'Most input tokens; a charge reserves them if the request names none (input_tokens).';
comment on column public.generation_models.max_output_tokens is
  'Most output tokens; a charge reserves them if the request names none (output_tokens).';
comment on column public.generation_models.default_output_tokens is
  'Output tokens that a text request gets per choice if it names no maximum, as far as they can be afforded.';
comment on column public.generation_models.image_tokens is
  'Most input tokens that one image of a text request counts as; null: the model takes no images.';
comment on column public.generation_models.reasons is
  'Whether it thinks before it answers. Where its thoughts are not shown, only the end of an answer says what they '
  'cost: a client that hangs up after the first word is then charged the whole answer, which the provider makes to '
  'its end.';
comment on column public.generation_models.allowed_sizes is
  'The only possible sizes, such as 1024x1024; null: any size within the limits.';
comment on column public.generation_models.max_n is 'Most images in one job.';
comment on column public.generation_models.max_prompt_length is 'Longest prompt, in characters.';
comment on column public.generation_models.timeout_seconds is
  'How long the provider may take. Of a provider that answers within the request at most '
  'credit_settings.request_timeout_seconds, which verify_deployment checks: the platform ends a longer request.';
comment on column public.generation_models.max_output_bytes is
  'Largest file that is kept as an output. A larger one fails the job, which is refunded.';
comment on column public.generation_models.hard_timeout_seconds is
  'How long after its charge a job is waited for whose provider calls back and has it: the provider is asked, and the '
  'job is refunded when it says that it failed, or at the end of this time.';
comment on column public.generation_models.enabled is
  'Whether it is shown and can be charged for. A later version with false ends the model from its effective_from on.';

comment on column public.generation_models.meters is
  'The meters of its rates in generation_model_rates. Filled by triggers, so that a charge reads one row.';
comment on column public.generation_models.prices is 'Of each meter, credits per 9,000,000 units.';

create function credits.is_price_in_force(p_name text, p_effective_from timestamptz)
returns boolean
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select p_effective_from = (select max(effective_from) from public.generation_models
    where name = p_name and effective_from <= now());
$$;
comment on function credits.is_price_in_force(text, timestamptz) is
  'Whether a price version is the one in force now, enabled or not. For the policy of generation_models, which cannot '
  'read its own table.';

alter table public.generation_models enable row level security;
-- A future price is not public: a user who reads it could buy before it rises. Neither is a past one: an app that lists
-- it would show a model that the version in force has disabled.
create policy generation_models_read_enabled on public.generation_models
  for select to anon, authenticated using (enabled and credits.is_price_in_force(name, effective_from));

create table public.generation_model_rates (
  model text not null,
  effective_from timestamptz not null,
  meter text not null,
  price numeric not null,
  per numeric not null default 1,
  primary key (model, effective_from, meter),
  foreign key (model, effective_from) references public.generation_models (name, effective_from)
    on update cascade on delete cascade,
  constraint meter_is_known check (meter in ('image', 'megapixel', 'second', 'input_token', 'cache_read_token',
    'cache_write_token', 'output_token', 'character', 'request')),
  -- NaN and Infinity are above every bound. A short scale keeps arithmetic fast.
  constraint price_bounds check (price between 0 and 1000000000 and min_scale(price) <= 12),
  -- Every allowed value divides 9,000,000, so that credits.usage_cost adds up without a remainder.
  constraint per_is_usual check (per in (1, 60, 1000, 3600, 1000000))
);

comment on table public.generation_model_rates is
  'What a price version costs: one row per meter, with a price for a number of units. A job costs the sum over the '
  'meters of its version, rounded up once. A meter without a row costs nothing; a version that is sold has at least '
  'one row. Apps read the rates of the versions that they can read in generation_models. A version and its rates are '
  'written together, best by set_model_price.';
comment on column public.generation_model_rates.model is 'The model by its name in generation_models.';
comment on column public.generation_model_rates.effective_from is 'The price version of the model.';
comment on column public.generation_model_rates.meter is
  'What is counted: image, megapixel, second (of video or audio), input_token, cache_read_token, cache_write_token, '
  'output_token, character (of the prompt) or request (1 per job). Input tokens that were read from or written to a '
  'cache count by that meter if it has a rate, otherwise as input tokens.';
comment on column public.generation_model_rates.price is
  'Credits for as many units as per says; fractions are allowed. 0: free, and still limited and recorded.';
comment on column public.generation_model_rates.per is
  'How many units the price buys: 1, 60 (a minute of seconds), 1000, 3600 (an hour) or 1000000.';

create function credits.type_of_meters(p_meters text[])
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_meters && array['image', 'megapixel'] or p_meters = '{request}' then 'image'
    when 'second' = any (p_meters) then 'video'
    when 'character' = any (p_meters) then 'speech'
    when p_meters <> '{}' then 'text' end;
$$;
comment on function credits.type_of_meters(text[]) is
  'What a model makes that is paid by these meters, where nothing else is said.';

create function credits.version_takes_rates()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  new.meters := array(select meter from public.generation_model_rates
    where model = new.name and effective_from = new.effective_from order by meter);
  new.prices := array(select trim_scale(price * (9000000 / per)) from public.generation_model_rates
    where model = new.name and effective_from = new.effective_from order by meter);
  new.type := coalesce(new.type, credits.type_of_meters(new.meters));
  if new.type <> 'image' and new.meters && array['image', 'megapixel'] then
    perform credits.raise_misuse('23514', format('a model that makes %s is not paid by the image', new.type),
      'Pay it by the second, character, token or request, or write a version with the type image.');
  end if;
  return new;
end;
$$;
comment on function credits.version_takes_rates() is
  'Fills meters and prices of a price version from its rates alone: another value is overwritten. Fills its type from '
  'its first rates where it has none. Raises 23514 for a rate that its type has no quantity for.';
create trigger version_takes_rates before insert or update on public.generation_models
  for each row execute function credits.version_takes_rates();

create function credits.rates_change_version()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  update public.generation_models set meters = default
  where name = coalesce(new.model, old.model) and effective_from = coalesce(new.effective_from, old.effective_from);
  return null;
end;
$$;
comment on function credits.rates_change_version() is 'Has a price version filled again when its rates have changed.';
create trigger rates_change_version after insert or update or delete on public.generation_model_rates
  for each row execute function credits.rates_change_version();

alter table public.generation_model_rates enable row level security;
-- The policy of generation_models applies here: it shows the version in force of each enabled model.
create policy generation_model_rates_read_enabled on public.generation_model_rates
  for select to anon, authenticated using (exists (
    select from public.generation_models as m
    where m.name = generation_model_rates.model and m.effective_from = generation_model_rates.effective_from));

insert into public.generation_models
  (name, effective_from, provider, provider_model, allowed_sizes, min_width, max_width, min_height, max_height, enabled)
values
  ('standard-image', '2026-01-01', 'placeholder', 'placeholder', null, 64, 2048, 64, 2048, true),
  ('gpt-image-1', '2026-01-01', 'openai', 'gpt-image-1', array['1024x1024', '1536x1024', '1024x1536'], 1024, 1536,
    1024, 1536, false);
insert into public.generation_models
  (name, effective_from, provider, provider_model, max_input_tokens, max_output_tokens, image_tokens)
values ('standard-text', '2026-01-01', 'placeholder', 'placeholder-text', 32768, 8192, 1000);
insert into public.generation_model_rates (model, effective_from, meter, price, per)
values
  ('standard-text', '2026-01-01', 'input_token', 1000, 1000000),
  ('standard-text', '2026-01-01', 'cache_read_token', 250, 1000000),
  ('standard-text', '2026-01-01', 'output_token', 4000, 1000000);
insert into public.generation_model_rates (model, effective_from, meter, price)
values ('standard-image', '2026-01-01', 'image', 500), ('gpt-image-1', '2026-01-01', 'image', 800);

insert into public.generation_models (name, effective_from, provider, provider_model, max_width, max_height,
  default_width, default_height, max_seconds, default_seconds)
values ('standard-video', '2026-01-01', 'placeholder', 'placeholder-video', 1280, 1280, 640, 360, 5, 2);
insert into public.generation_models (name, effective_from, provider, provider_model, formats)
values ('standard-speech', '2026-01-01', 'placeholder', 'placeholder-speech', '{wav}');
insert into public.generation_model_rates (model, effective_from, meter, price, per)
values ('standard-video', '2026-01-01', 'second', 50, 1), ('standard-speech', '2026-01-01', 'character', 20, 1000);

create type public.generation_quote as (
  status integer,
  code text,
  message text,
  model text,
  cost bigint,
  errors jsonb
);
comment on type public.generation_quote is
  'Answer to "what would it cost?": 200 quoted, with the cost in whole credits; 400 invalid_model or invalid_request, '
  'with errors [{"field", "message"}]; or 409 price_changed: it costs more than the request''s max_cost.';

-- supabase/schemas/04_prices/15_denials.sql
-- Gives: the one list of denials: code, HTTP status, title and message.
-- Keeps: HTTP answers a denial with the status that SQL returns for it: functions/_shared/denials.ts is written from
--   this list.
-- Needs: foundation.
--
-- A new denial is a row here and the branch that gives its code; then npm run regenerate. A code that is missing here
-- cannot be given.

create view credits.denials
with (security_invoker = true)
as
select d.code, d.status, d.title, d.message, d.from_charge
from (values
  -- This one has no fixed message: it says what is wrong with the request.
  ('invalid_request', 400, 'The request is not valid', null, true),
  ('invalid_model', 400, 'The model is not available',
    'There is no such model, or it is not enabled. The table generation_models lists the models.', true),
  ('insufficient_credits', 402, 'Not enough credits',
    'This costs %s credits and %s are there. Nothing was charged.', true),
  ('member_cap_reached', 402, 'Your monthly cap is reached',
    'This is more than your monthly cap on this account leaves. Nothing was charged.', true),
  ('account_closed', 403, 'The account is closed', 'The account is closed.', true),
  ('not_a_member', 403, 'You are not a member', 'You are not a member of this account.', true),
  ('not_allowed_to_spend', 403, 'Your role does not allow it',
    'Your role on this account may look but not spend.', true),
  ('model_not_in_plan', 403, 'Not in your plan', 'Your plan does not include this model.', true),
  ('request_in_flight', 409, 'The request is still running',
    'The first request with this Idempotency-Key is still running. Repeat it in a moment; it is charged once.', true),
  ('price_changed', 409, 'It costs more than max_cost',
    'This costs %s credits now, more than max_cost (%s). Nothing was charged.', true),
  ('idempotency_key_reused', 422, 'The key is taken',
    'This Idempotency-Key belongs to another request. Send a new key with a new request.', true),
  ('rate_limited', 429, 'Too many requests', 'At most %s requests in %s seconds. Repeat in %s seconds.', true),
  ('too_many_jobs', 429, 'Too many jobs at a time', 'At most %s jobs at a time. Repeat when one has ended.', true),
  -- Of text, and of app keys:
  ('invalid_app_key', 401, 'The key is not valid', 'There is no such key, or it has expired or was revoked.', false),
  ('model_not_in_key', 403, 'Not for this key', 'The key does not include this model.', false),
  ('key_cap_reached', 402, 'The key''s monthly cap is reached',
    'This is more than the monthly cap of the key leaves. Nothing was charged.', false),
  ('answer_not_kept', 409, 'The answer was not kept',
    'The first request with this Idempotency-Key has ended and its answer was not kept. Send a new key.', false),
  -- Of cancel_generation:
  ('job_running', 409, 'The job is still running',
    'The job is being made and cannot be stopped: it ends charged, or refunded if it fails.', false),
  ('cancels_used_up', 409, 'No cancel is left today',
    'The account has canceled as many running jobs today as its plan allows. The job goes on.', false),
  -- Of create_upload:
  ('too_many_uploads', 429, 'Too many uploads',
    'At most 20 uploads a day that no job has used. Use one of them, or wait.', false),
  -- Of checkouts:
  ('not_allowed_to_pay', 403, 'Your role does not allow it',
    'Only an owner or admin of this account may pay for it.', false),
  ('unknown_product', 404, 'There is no such product',
    'There is no such product, or it is not sold. The table credit_products lists the products.', false),
  ('unknown_payment', 404, 'There is no such payment',
    'There is no such payment, or it is not yours to see.', false),
  ('no_customer', 404, 'Nothing was bought yet',
    'This account has not bought anything yet, so there is nothing to manage.', false),
  ('already_subscribed', 409, 'The account has a subscription',
    'This account has a subscription already: change it in the billing portal.', false)
) as d (code, status, title, message, from_charge);
comment on view credits.denials is
  'Every denial: its code, its HTTP status and title, its message for format(), and whether a charge gives it '
  '(otherwise charge_text, charge_by_app_key, cancel_generation, create_upload or a checkout).';

-- supabase/schemas/04_prices/17_metering.sql
-- Gives: what a usage costs by the meters of a price version, and the most that a request can use.
-- Keeps: quantities are read and a price is computed in one place.
-- Needs: price book.

create function credits.integer_field(p_value jsonb, p_min integer, p_max integer)
returns jsonb
language plpgsql
immutable
strict
set search_path = '', pg_temp
as $$
begin
  if p_value = 'null' then
    return null;
  elsif jsonb_typeof(p_value) = 'number' and p_value::numeric % 1 = 0 and p_value::numeric between p_min and p_max then
    return to_jsonb(p_value::integer);
  end if;
  return to_jsonb(format('must be a whole number from %s to %s', p_min, p_max));
end;
$$;
comment on function credits.integer_field(jsonb, integer, integer) is
  'Reads a whole number from a request: null if the field is missing, a text that says what is allowed if it has '
  'another value.';

create function credits.usage_cost(p_meters text[], p_prices numeric[], p_usage jsonb)
returns bigint
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  quantity numeric;
  total numeric := case when p_meters <> '{}' then 0.0 end;
begin
  for i in 1 .. cardinality(p_meters) loop
    -- Branches, because only those that run are prepared: faster than one expression or a CASE.
    if p_meters[i] = 'image' then
      quantity := (p_usage ->> 'n')::numeric;
    elsif p_meters[i] = 'megapixel' then
      quantity := (p_usage ->> 'n')::numeric * (p_usage ->> 'width')::numeric
        * (p_usage ->> 'height')::numeric * 0.000001;
    elsif p_meters[i] = 'second' then
      quantity := (p_usage ->> 'seconds')::numeric;
    elsif p_meters[i] = 'input_token' then
      -- Input tokens include those read from or written to a cache, as OpenAI counts them. Each is paid once: by its
      -- own rate, otherwise as an input token.
      quantity := (p_usage ->> 'input_tokens')::numeric
        - case when 'cache_read_token' = any (p_meters)
          then coalesce((p_usage ->> 'cache_read_tokens')::numeric, 0) else 0 end
        - case when 'cache_write_token' = any (p_meters)
          then coalesce((p_usage ->> 'cache_write_tokens')::numeric, 0) else 0 end;
      if quantity < 0 then
        quantity := 0;
      end if;
    elsif p_meters[i] = 'cache_read_token' then
      quantity := coalesce((p_usage ->> 'cache_read_tokens')::numeric, 0);
    elsif p_meters[i] = 'cache_write_token' then
      quantity := coalesce((p_usage ->> 'cache_write_tokens')::numeric, 0);
    elsif p_meters[i] = 'output_token' then
      quantity := (p_usage ->> 'output_tokens')::numeric;
    elsif p_meters[i] = 'character' then
      quantity := (p_usage ->> 'characters')::numeric;
    else
      quantity := case p_meters[i] when 'request' then 1.0 end;
    end if;
    total := total + quantity * p_prices[i];
  end loop;
  -- Exact: the one division, at the end, is of whole numbers and rounds up.
  return div(ceil(total) + 8999999, 9000000)::bigint;
end;
$$;
comment on function credits.usage_cost(text[], numeric[], jsonb) is
  'What a usage costs by the meters of a price version and their prices (credits per 9,000,000 units). The only place '
  'where quantities are read and a price is computed. input_tokens includes tokens that were read from or written to '
  'a cache, as OpenAI''s prompt_tokens does: add them up for a provider that counts them apart. Null without a meter, '
  'or if the usage lacks a quantity that one counts.';

create function credits.usage_most(
  p_meters text[], p_prices numeric[], p_input jsonb, p_max_seconds integer, p_max_input_tokens integer,
  p_max_output_tokens integer
)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  costliest text;
  usage jsonb := '{}'::jsonb;
begin
  if 'second' = any (p_meters) then
    usage := jsonb_build_object(
      'seconds', coalesce(credits.integer_field(p_input -> 'seconds', 1, p_max_seconds), to_jsonb(p_max_seconds)));
  end if;
  if p_meters && array['input_token', 'cache_read_token', 'cache_write_token'] then
    usage := usage || jsonb_build_object('input_tokens',
      coalesce(credits.integer_field(p_input -> 'input_tokens', 1, p_max_input_tokens), to_jsonb(p_max_input_tokens)));
  end if;
  if p_meters && array['cache_read_token', 'cache_write_token']
    and jsonb_typeof(usage -> 'input_tokens') = 'number' then
    -- How many tokens are read from or written to a cache is not known yet: assume the meter that costs most.
    select m.meter into strict costliest from unnest(p_meters, p_prices) as m (meter, price)
    where m.meter in ('input_token', 'cache_read_token', 'cache_write_token') order by m.price desc limit 1;
    usage := usage || jsonb_build_object(
      'cache_read_tokens', case costliest when 'cache_read_token' then usage -> 'input_tokens' else '0' end,
      'cache_write_tokens', case costliest when 'cache_write_token' then usage -> 'input_tokens' else '0' end);
  end if;
  if 'output_token' = any (p_meters) then
    usage := usage || jsonb_build_object('output_tokens',
      coalesce(credits.integer_field(p_input -> 'output_tokens', 1, p_max_output_tokens),
        to_jsonb(p_max_output_tokens)));
  end if;
  if 'character' = any (p_meters) then
    -- Counted from the prompt; the request cannot set it.
    usage := usage || jsonb_build_object('characters', length(p_input ->> 'prompt'));
  end if;
  return usage;
end;
$$;
comment on function credits.usage_most(text[], numeric[], jsonb, integer, integer, integer) is
  'The most that a request can use beyond images, in the fields that its model''s meters count: the quantity in the '
  'request, or else the model''s most. A field that is wrong has a text that says so in place of the number.';

-- supabase/schemas/04_prices/20_quote.sql
-- Gives: quote_generation, which says what a charge would cost.
-- Keeps: one rule for price and limits, used by the quote and by the charge alike.
-- Needs: price book, denials, metering.

create type credits.priced_request as (
  status integer,
  code text,
  message text,
  errors jsonb,
  cost bigint,
  input jsonb,
  model text,
  effective_from timestamptz,
  provider text,
  provider_model text,
  timeout_seconds integer,
  type text,
  max_output_bytes bigint
);

create function credits.request_refused(p_code text, p_errors jsonb default null, p_message text default null)
returns credits.priced_request
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  refused credits.priced_request;
begin
  select d.code, d.status, coalesce(p_message, d.message) into strict refused.code, refused.status, refused.message
  from credits.denials as d where d.code = p_code;
  refused.errors := p_errors;
  return refused;
end;
$$;
comment on function credits.request_refused(text, jsonb, text) is 'The denial of a request that cannot be priced.';

create function credits.choice_error(p_value jsonb, p_choices text[])
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Null is a field that is left out. Without a list of choices a name is enough.
  select case when coalesce(jsonb_typeof(p_value), 'null') = 'null' then null
    when jsonb_typeof(p_value) = 'string' and case when p_choices is null
      then length(p_value #>> '{}') between 1 and 63 else p_value #>> '{}' = any (p_choices) end then null
    when p_choices is null then 'must be text of 1 to 63 characters'
    else 'must be one of ' || array_to_string(p_choices, ', ') end;
$$;
comment on function credits.choice_error(jsonb, text[]) is
  'What is wrong with a field that names one of several choices; null if nothing is, or it is left out.';

create function credits.video_asked(p_model public.generation_models, p_input jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  has_size constant boolean := jsonb_strip_nulls(p_input) ?| array['width', 'height'];
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'n', credits.integer_field(p_input -> 'n', 1, 1),
    'seconds', coalesce(credits.integer_field(p_input -> 'seconds', 1, p_model.max_seconds),
      to_jsonb(coalesce(p_model.default_seconds, p_model.max_seconds))),
    -- A size is free, but one in the request must be within the model's limits.
    'width', case when has_size then coalesce(
      credits.integer_field(p_input -> 'width', p_model.min_width, p_model.max_width),
      to_jsonb(p_model.default_width)) end,
    'height', case when has_size then coalesce(
      credits.integer_field(p_input -> 'height', p_model.min_height, p_model.max_height),
      to_jsonb(p_model.default_height)) end,
    'aspect_ratio', case when has_size and p_input ->> 'aspect_ratio' is not null
      then 'must be left out where a width or height is named'
      else credits.choice_error(p_input -> 'aspect_ratio', array['16:9', '9:16', '1:1', '4:3', '3:4', '21:9']) end,
    'image', case when coalesce(jsonb_typeof(p_input -> 'image'), 'null') = 'null' then null
      when jsonb_typeof(p_input -> 'image') <> 'string' or length(p_input ->> 'image') not between 1 and 255
      then 'must be the path of an upload or of an output' end));
end;
$$;
comment on function credits.video_asked(public.generation_models, jsonb) is
  'What a request for a video asks for: numbers, or of a field that is wrong a text that says so. Whether the first '
  'frame (image) may be read is checked before the charge, by check_input_object.';

create function credits.speech_asked(p_model public.generation_models, p_input jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'n', credits.integer_field(p_input -> 'n', 1, 1),
    'voice', credits.choice_error(p_input -> 'voice', p_model.voices),
    'format', credits.choice_error(p_input -> 'format',
      coalesce(p_model.formats, array['wav', 'mp3', 'opus', 'flac', 'aac']))));
$$;
comment on function credits.speech_asked(public.generation_models, jsonb) is
  'What is wrong with a request for speech: a text for each field.';

-- Volatile, so that each statement sees what is committed by then: a charge may have waited here for a price change.
create function credits.request_price(p_model text, p_input jsonb)
returns credits.priced_request
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  model public.generation_models;
  usage jsonb;
  errors jsonb := '[]'::jsonb;
  cost bigint;
  priced credits.priced_request;
begin
  if jsonb_typeof(p_input) is distinct from 'object' or octet_length(p_input::text) > 131072 then
    return credits.request_refused('invalid_request',
      '[{"field": "input", "message": "must be a JSON object of at most 128 KiB"}]',
      'The request must be a JSON object of at most 128 KiB.');
  end if;
  select * into model from public.generation_models
  where name = p_model and effective_from <= now() order by effective_from desc limit 1;
  if model.enabled is not true or model.meters = '{}' then
    return credits.request_refused('invalid_model',
      '[{"field": "model", "message": "must be the name of an enabled model"}]');
  end if;

  -- The most that the request can use: one number per field, or a text that says what is wrong with it.
  if model.type = 'image' then
    usage := jsonb_build_object('n', 1, 'width', model.default_width, 'height', model.default_height);
    if p_input ?| array['n', 'width', 'height'] then
      usage := usage || jsonb_strip_nulls(jsonb_build_object(
        'n', credits.integer_field(p_input -> 'n', 1, model.max_n),
        'width', credits.integer_field(p_input -> 'width', model.min_width, model.max_width),
        'height', credits.integer_field(p_input -> 'height', model.min_height, model.max_height)));
    end if;
    if model.meters[2] is not null or model.meters[1] not in ('image', 'megapixel', 'request') then
      usage := credits.usage_most(model.meters, model.prices, p_input, model.max_seconds, model.max_input_tokens,
        model.max_output_tokens) || usage;
    end if;
  else
    usage := credits.usage_most(model.meters, model.prices, p_input, model.max_seconds, model.max_input_tokens,
      model.max_output_tokens)
      || case model.type when 'video' then credits.video_asked(model, p_input)
        when 'speech' then credits.speech_asked(model, p_input) else '{}' end;
  end if;
  if jsonb_typeof(p_input -> 'prompt') is distinct from 'string'
     or length(p_input ->> 'prompt') not between 1 and model.max_prompt_length then
    errors := errors || jsonb_build_object(
      'field', 'prompt', 'message', format('must be text of 1 to %s characters', model.max_prompt_length));
  end if;
  if p_input ?| array['max_cost', 'type'] then
    if (case jsonb_typeof(p_input -> 'max_cost')
      when 'number' then (p_input -> 'max_cost')::numeric < 0 or (p_input -> 'max_cost')::numeric % 1 <> 0
      when 'null' then false else p_input ? 'max_cost' end) then
      errors := errors || '{"field": "max_cost", "message": "must be a whole number of credits, 0 or more"}'::jsonb;
    end if;
    if p_input -> 'type' not in ('null', to_jsonb(model.type)) then
      errors := errors
        || jsonb_build_object('field', 'type', 'message', format('must be what the model makes: %s', model.type));
    end if;
  end if;
  if usage @? '$.* ? (@.type() == "string")' then
    errors := errors || (
      select jsonb_agg(jsonb_build_object('field', f.key, 'message', f.value) order by f.key)
      from jsonb_each(usage) as f where jsonb_typeof(f.value) = 'string');
  elsif model.allowed_sizes is not null then
    if usage ? 'width' and errors = '[]'
      and format('%sx%s', usage ->> 'width', usage ->> 'height') <> all (model.allowed_sizes) then
      errors := errors || jsonb_build_object(
        'field', 'width', 'message', 'width and height must be one of ' || array_to_string(model.allowed_sizes, ', '));
    end if;
  end if;
  if errors <> '[]' then
    return credits.request_refused('invalid_request', errors, 'The request is outside what the model can do.');
  end if;

  cost := credits.usage_cost(model.meters, model.prices, usage);
  -- The price may have risen since the caller's quote: a denial is better than a surprise.
  if cost > (p_input ->> 'max_cost')::numeric then
    priced := credits.request_refused('price_changed');
    priced.message := format(priced.message, cost, p_input ->> 'max_cost');
    priced.cost := cost;
    return priced;
  end if;
  priced.status := 200;
  priced.code := 'quoted';
  priced.cost := cost;
  priced.input := p_input || usage;
  priced.model := model.name;
  priced.effective_from := model.effective_from;
  priced.provider := model.provider;
  priced.provider_model := model.provider_model;
  priced.timeout_seconds := model.timeout_seconds;
  priced.type := model.type;
  priced.max_output_bytes := model.max_output_bytes;
  if model.type = 'video' then
    priced.input := priced.input || '{"type": "video"}';
  elsif model.type = 'speech' then
    priced.input := priced.input || jsonb_strip_nulls(jsonb_build_object('type', 'speech',
      'voice', coalesce(p_input ->> 'voice', model.voices[1]),
      'format', coalesce(p_input ->> 'format', model.formats[1], 'mp3')));
  end if;
  return priced;
end;
$$;
comment on function credits.request_price(text, jsonb) is
  'The one rule for limits and price, used by the quote and by the charge: checks a request against the price version '
  'in force and prices it in whole credits. 400 says what is wrong, one element per field; 409: it costs more than '
  'its max_cost.';

create function public.quote_generation(p_model text, p_input jsonb)
returns public.generation_quote
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  priced credits.priced_request := credits.request_price(p_model, p_input);
  quote public.generation_quote;
begin
  quote.status := priced.status;
  quote.code := priced.code;
  quote.message := priced.message;
  quote.model := priced.model;
  quote.cost := priced.cost;
  quote.errors := priced.errors;
  return quote;
end;
$$;
comment on function public.quote_generation(text, jsonb) is
  'What a generation would cost now, in whole credits. Moves nothing and counts towards no limit. Users may call it. '
  'Never raises for a bad request: status 400 says what is wrong, 409 that it costs more than the input''s max_cost.';

-- supabase/schemas/05_jobs/10_jobs.sql
-- Gives: jobs, one per charge, from the charge to its end.
-- Keeps: 0 <= refunded <= cost; a job that ended without a result is refunded in full, a succeeded job has an output
--   (invariant 3); one idempotency key, one job (invariant 5).
-- Needs: accounts.

create function credits.job_ids(p_account_id uuid, p_member_id uuid, p_idempotency_key text, p_input jsonb)
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- UTF-8 text has no byte ff or fe, so no key of the account's own user can look like a member's id and key, or like a
  -- server's key. The two 8s mark a UUID of version 8, whose other bits are free to choose.
  id_of_key text := left(overlay(overlay(encode(sha256(
    uuid_send(p_account_id)
      || case when p_member_id <> p_account_id then '\xff'::bytea || uuid_send(p_member_id)
        when p_member_id is null and p_input ->> 'asked_by' = 'server' then '\xfe' else '' end
      || convert_to(p_idempotency_key, 'UTF8')), 'hex') placing '8' from 13) placing '8' from 17), 32);
begin
  -- Version 8 also without a key: the first 16 bits are not random.
  return array[
    (right(to_hex(65536 + credits.slot(p_account_id)), 4)
      || right(coalesce(id_of_key, overlay(gen_random_uuid()::text placing '8' from 15)), -4))::uuid,
    id_of_key::uuid];
end;
$$;
comment on function credits.job_ids(uuid, uuid, text, jsonb) is
  'The ids that a request''s job can have: that of a new one, and that of an older one, null without an idempotency '
  'key. The first 4 hex digits of a new one are credits.slot(account), so that the id alone says where the job lives; '
  'an older one has other digits there. The rest comes from the account, who asks and the key, so that the primary '
  'key lets a key count once (an index by key would be one more entry per charge); it is random without a key. Each '
  'member, and the app''s own server, has keys of their own.';

create function credits.job_provenance(p_input jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_input ->> 'asked_by' = 'server' then '{"asked_by": "server"}'::jsonb else '{}' end;
$$;
comment on function credits.job_provenance(jsonb) is
  'The part of a job''s input that stays when it is erased: that the app''s own server asked for it.';

create table public.generation_jobs (
  id uuid not null default gen_random_uuid(),
  account_id uuid not null,
  member_id uuid,
  status public.generation_job_status not null default 'pending',
  model text not null,
  price_effective_from timestamptz not null,
  provider text not null,
  provider_job_id text,
  cost bigint not null,
  refunded bigint not null default 0,
  input jsonb not null,
  output jsonb,
  error jsonb,
  idempotency_key text,
  request_hash bytea not null,
  request_id text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  late_settled_at timestamptz,
  actual_cost bigint,
  erased_at timestamptz,
  output_deleted_at timestamptz,
  deadline_at timestamptz not null,
  seal bytea,
  primary key (id, account_id),
  -- Postgres parses a CHECK anew for each statement, so it is short. That a succeeded job has an output, and that one
  -- without a result is refunded in full, is up to the functions that end jobs; reconciliation compares it.
  constraint job_is_sound check (refunded between 0 and cost)
);

-- The open jobs of an account, which a charge counts, and those past their deadline, which the sweep ends.
create index generation_jobs_open
  on public.generation_jobs (account_id, deadline_at) where status in ('pending', 'running');
-- An account's newest jobs, as GET jobs shows them page by page.
create index generation_jobs_newest on public.generation_jobs (account_id, created_at desc);
-- For statistics over time: a few bytes per hundred pages, almost no cost for a charge.
create index generation_jobs_by_time on public.generation_jobs using brin (created_at);
-- Only whole ids are looked up, for which a hash index takes half the space of a B-tree.
create index generation_jobs_request on public.generation_jobs using hash (request_id);

comment on table public.generation_jobs is
  'Generations: each is charged when it is created, and settled or refunded by its deadline.';
comment on column public.generation_jobs.member_id is
  'The member of a team''s account who asked for it; null for the account''s own user.';
comment on column public.generation_jobs.actual_cost is
  'What the actual usage cost, in credits; differs from cost - refunded if the model''s overage caps it.';
comment on column public.generation_jobs.erased_at is 'When prompt, input, output and error were erased.';
comment on column public.generation_jobs.output_deleted_at is
  'When its files were deleted, or queued to be: by the user, or after credit_plans.keep_outputs_days. Its output '
  'still says what they were.';
comment on column public.generation_jobs.provider_job_id is 'The provider''s own id of the job. Users cannot read it.';
comment on column public.generation_jobs.started_at is
  'When its provider was first known to have it. Equal to created_at: the caller that charged it started it at once.';
comment on column public.generation_jobs.model is 'The model by its name in the price book.';
comment on column public.generation_jobs.price_effective_from is 'The price version that it was charged by.';
comment on column public.generation_jobs.cost is 'Credits charged; 0 if the model was free: then there is no entry.';
comment on column public.generation_jobs.refunded is
  'Credits given back in all, released and refunded; its user paid cost - refunded.';
comment on column public.generation_jobs.input is
  'The request with its defaults filled in. asked_by "server": the app''s own server asked, with the secret key; it '
  'has idempotency keys of its own.';
comment on column public.generation_jobs.output is
  'The result, once succeeded: {"outputs": [{"path", "media_type", "bytes", "width", "height", "seconds"}]}. The files '
  'are in Storage, in bucket generations under these paths. Also one that came after the refund and is kept by '
  'credit_settings.late_outputs.';
comment on column public.generation_jobs.error is 'Why it ended without a result: {"code", "message"}.';
comment on column public.generation_jobs.id is
  'Begins with the slot of its account (see credits.job_ids). With an idempotency key the rest follows from the '
  'account, who asked and the key, so that a key counts once.';
comment on column public.generation_jobs.idempotency_key is
  'The caller''s key, a random UUID or another text that nobody can guess: a repeated request with it finds this job '
  'instead of charging again. Users cannot read it.';
comment on column public.generation_jobs.request_hash is
  'First half of the SHA-256 of the request, to tell a retry from another request with the same key. Users cannot '
  'read it.';
comment on column public.generation_jobs.request_id is
  'The x-request-id of the answer that the caller got. Users cannot read it.';
comment on column public.generation_jobs.late_settled_at is
  'When a result arrived after the refund. It is not charged again, and kept only by credit_settings.late_outputs.';
comment on column public.generation_jobs.deadline_at is
  'When the job is refunded if it has not ended by then: after its model''s timeout_seconds and a margin, or, once a '
  'provider that calls back has it, after hard_timeout_seconds.';
comment on column public.generation_jobs.seal is
  'First half of the SHA-256 of account, id and actual_cost. Only where actual_cost differs from cost: no entry shows '
  'it then, and reconciliation finds a change by hand. Users cannot read it.';

create function credits.job_seal(p_account_id uuid, p_id uuid, p_actual_cost bigint)
returns bytea
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return substr(sha256(uuid_send(p_account_id) || uuid_send(p_id) || int8send(p_actual_cost)), 1, 16);
end;
$$;
comment on function credits.job_seal(uuid, uuid, bigint) is
  'The seal of a job whose actual cost differs from its cost.';

alter table public.generation_jobs enable row level security;
create policy generation_jobs_read_own on public.generation_jobs
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create type public.generation_job_result as (
  job_id uuid,
  account_id uuid,
  code text,
  status public.generation_job_status,
  cost bigint,
  refunded bigint,
  balance bigint
);
comment on type public.generation_job_result is
  'What a call did to a job. code: started, settled, failed, canceled, refunded, corrected; unchanged (it had already '
  'ended this way, or there was nothing to do); late (a result came after the refund: recorded, not charged); '
  'cancel_requested, job_running and cancels_used_up (the job goes on: see cancel_generation).';

create function credits.raise_no_such_job()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.raise_misuse('PT404', 'no such job', 'Pass the job_id that atomic_charge_credits returned.');
end;
$$;
comment on function credits.raise_no_such_job() is 'Raises PT404 for a job id that no job has.';

create function credits.job_lock(p_job_id uuid)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  -- The account before the job, as everywhere: one lock order, so that no two calls wait for each other.
  select j.* into job
  from public.credit_accounts as a join public.generation_jobs as j on j.account_id = a.id
  where j.id = p_job_id
  for update of a, j;
  if not found then
    perform credits.raise_no_such_job();
  end if;
  return job;
end;
$$;
comment on function credits.job_lock(uuid) is
  'Locks a job''s account, then the job, and returns the job as it is under the lock. Raises PT404 for an unknown job.';

create function credits.job_result(p_job public.generation_jobs, p_code text)
returns public.generation_job_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.generation_job_result;
begin
  result.job_id := p_job.id;
  result.account_id := p_job.account_id;
  result.code := p_code;
  result.status := p_job.status;
  result.cost := p_job.cost;
  result.refunded := p_job.refunded;
  select balance into result.balance from public.credit_accounts where id = p_job.account_id;
  return result;
end;
$$;
comment on function credits.job_result(public.generation_jobs, text) is
  'A job with its account''s balance, both as they are now.';

-- supabase/schemas/05_jobs/20_price_guard.sql
-- Gives: the guard of the price versions that jobs were charged by, and set_model_price, which writes a new one.
-- Keeps: a price change is a new version, and never touches a past job; a model that is sold has a price.
-- Needs: price book, jobs.

create function credits.price_change_check(p_model text, p_effective_from timestamptz, p_operation text)
returns void
language plpgsql
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
begin
  -- A charge in flight has read its price, but its job is not visible yet: wait for such charges, and let new ones
  -- wait.
  begin
    lock table public.generation_models in access exclusive mode;
  exception when lock_not_available or deadlock_detected then
    perform credits.raise_misuse('PT409', 'something that reads this price has not ended for two seconds',
      'Repeat it in a moment. A dump, or a transaction that was left open, holds it up too: see pg_stat_activity.');
  end;
  if exists (
    select from public.generation_jobs as j
    join public.credit_accounts as a on a.id = j.account_id
    where j.model = p_model and j.price_effective_from = p_effective_from
      -- No job is older than the version that it was charged by; by this condition the index by time skips older jobs.
      and j.created_at >= p_effective_from
      and (p_operation = 'UPDATE' or a.closed_at is null or j.status in ('pending', 'running'))
  ) then
    perform credits.raise_misuse('PT409', 'jobs were charged by this price',
      case p_operation when 'UPDATE' then 'Write a new version: select set_model_price(…).'
        else 'Set enabled to false: then it is not sold any more.' end);
  end if;
end;
$$;
comment on function credits.price_change_check(text, timestamptz, text) is
  'Refuses to change a price version that a job was charged by, and to delete it while such a job is open or its '
  'account is not closed, because the job is settled and answered again by it. Waits at most two seconds for charges '
  'in flight; new charges wait for the end of the change.';

create function credits.price_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.price_change_check(old.name, old.effective_from, tg_op);
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;
comment on function credits.price_is_kept() is
  'Guards a price version that jobs were charged by: see credits.price_change_check.';

create trigger price_is_kept before delete on public.generation_models
  for each row execute function credits.price_is_kept();
create trigger price_is_unchanged before update on public.generation_models
  for each row
  -- created_at too: rates may be added only in the transaction that it names.
  when ((old.name, old.effective_from, old.overage, old.created_at)
    is distinct from (new.name, new.effective_from, new.overage, new.created_at))
  execute function credits.price_is_kept();

create function credits.rate_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    -- created_at is the start of the transaction that wrote the version.
    if not exists (
      select from public.generation_models
      where name = new.model and effective_from = new.effective_from and created_at = now()
    ) then
      perform credits.raise_misuse('PT409', 'a rate is written in one transaction with its price version',
        'Write a new version: select set_model_price(…).');
    end if;
    return new;
  end if;
  if exists (select from public.generation_models where name = old.model and effective_from = old.effective_from) then
    if tg_op = 'DELETE' or (old.model, old.effective_from, old.meter) <> (new.model, new.effective_from, new.meter) then
      perform credits.raise_misuse('PT409', 'the meters of a price version stay',
        'Write a new version: select set_model_price(…).');
    end if;
    perform credits.price_change_check(old.model, old.effective_from, tg_op);
  end if; -- otherwise it is deleted or renamed with its version, which the version's own guard has allowed
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;
comment on function credits.rate_is_kept() is
  'Lets a version''s rates be written only in the version''s own transaction, and deleted or renamed only with it. A '
  'rate''s price may be corrected until a job was charged by it.';

create trigger rate_is_kept before insert or update or delete on public.generation_model_rates
  for each row execute function credits.rate_is_kept();

create function credits.price_is_complete()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if exists (
    select from public.generation_models as m
    where m.name = new.name and m.effective_from = new.effective_from and m.enabled
      and not exists (select from public.generation_model_rates as r
        where r.model = m.name and r.effective_from = m.effective_from)
  ) then
    perform credits.raise_misuse('23514',
      format('the version of %s from %s on has no price', new.name, new.effective_from),
      'Write model and rates in one transaction: select set_model_price(…). A price of 0 is a rate too.');
  end if;
  return null;
end;
$$;
comment on function credits.price_is_complete() is
  'Refuses an enabled model without a rate, when the transaction ends.';

create constraint trigger price_is_complete after insert or update on public.generation_models
  deferrable initially deferred for each row execute function credits.price_is_complete();

create function credits.rates_read(p_rates jsonb)
returns table (meter text, price numeric, per numeric)
language plpgsql
set search_path = '', pg_temp
as $$
declare
  bad_meter text;
begin
  if jsonb_typeof(p_rates) is distinct from 'object' or p_rates = '{}' then
    perform credits.raise_misuse('22023', 'rates must be a JSON object with at least one meter',
      'Such as {"image": 500}; 0 is free.');
  end if;
  select r.key into bad_meter from jsonb_each(p_rates) as r
  where case jsonb_typeof(r.value) when 'number' then false
    when 'object' then r.value - array['price', 'per'] <> '{}'
      or jsonb_typeof(r.value -> 'price') is distinct from 'number'
      or coalesce(jsonb_typeof(r.value -> 'per'), 'number') <> 'number'
    else true end limit 1;
  if bad_meter is not null then
    perform credits.raise_misuse('22023',
      format('the rate of %s must be a price, or an object of price and per', bad_meter),
      'Such as 500, or {"price": 10, "per": 1000}.');
  end if;
  return query select r.key,
    case jsonb_typeof(r.value) when 'object' then (r.value -> 'price')::numeric else r.value::numeric end,
    case jsonb_typeof(r.value) when 'object' then coalesce((r.value -> 'per')::numeric, 1) else 1 end
  from jsonb_each(p_rates) as r;
end;
$$;
comment on function credits.rates_read(jsonb) is
  'Reads {"<meter>": <price>, "<meter>": {"price": <price>, "per": <units>}}; per is 1 if it is left out. Raises '
  '22023 for any other form.';

create function credits.price_version(p_model text, p_effective_from timestamptz, p_settings jsonb, p_rates jsonb)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  -- The version of that time, with the changes on top.
  select jsonb_build_object(
    'settings', coalesce((
      select to_jsonb(m) - array['name', 'effective_from', 'created_at', 'meters', 'prices']
        -- A type that follows from the rates follows the new ones.
        || case when p_rates is not null and m.type = credits.type_of_meters(m.meters)
          then jsonb_build_object('type',
            credits.type_of_meters(array(select r.meter from credits.rates_read(p_rates) as r)))
          else '{}' end
      from public.generation_models as m
      where m.name = p_model and m.effective_from = p_effective_from), '{}') || p_settings,
    'rates', case when p_rates is not null then (
      select jsonb_object_agg(r.meter, jsonb_build_object('price', r.price, 'per', r.per))
      from credits.rates_read(p_rates) as r)
    else (
      select jsonb_object_agg(r.meter, jsonb_build_object('price', r.price, 'per', r.per))
      from public.generation_model_rates as r
      where r.model = p_model and r.effective_from = p_effective_from) end);
$$;
comment on function credits.price_version(text, timestamptz, jsonb, jsonb) is
  'A price version as one object, with p_settings on top of its settings and, if given, p_rates in place of its rates.';

create function credits.price_version_insert(p_model text, p_effective_from timestamptz, p_version jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  unknown_setting text;
begin
  select s.name into unknown_setting from jsonb_object_keys(p_version -> 'settings') as s (name)
  where s.name in ('name', 'effective_from', 'created_at', 'meters', 'prices') or not exists (
    select from pg_catalog.pg_attribute as a
    where a.attrelid = 'public.generation_models'::regclass and a.attname = s.name and a.attnum > 0
      and not a.attisdropped) limit 1;
  if (p_version -> 'settings' ->> 'provider') is null or (p_version -> 'settings' ->> 'provider_model') is null then
    perform credits.raise_misuse('22023', 'a model needs a provider and the provider''s name for it',
      'Pass p_settings => {"provider": "…", "provider_model": "…"}.');
  end if;
  if unknown_setting is not null then
    perform credits.raise_misuse('22023', format('%s is not a setting of a model', unknown_setting),
      'Settings are columns of generation_models.');
  end if;
  -- Only the named columns: the others get their defaults.
  execute format('insert into public.generation_models (%1$s)
    select %1$s from jsonb_populate_record(null::public.generation_models, $1)',
    (select string_agg(quote_ident(s.name), ', ')
     from jsonb_object_keys(p_version -> 'settings' || '{"name": null, "effective_from": null}') as s (name)))
  using p_version -> 'settings' || jsonb_build_object('name', p_model, 'effective_from', p_effective_from);
  insert into public.generation_model_rates (model, effective_from, meter, price, per)
  select p_model, p_effective_from, r.meter, r.price, r.per from credits.rates_read(p_version -> 'rates') as r;
end;
$$;
comment on function credits.price_version_insert(text, timestamptz, jsonb) is
  'Writes a price version and its rates. Raises 22023 for a setting that is not a column of generation_models.';

create function public.set_model_price(
  p_model text, p_rates jsonb default null, p_effective_from timestamptz default now(), p_settings jsonb default '{}'
)
returns timestamptz
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  before_from timestamptz;
  version jsonb;
begin
  perform credits.caller_check('set_model_price');
  if p_model is null or p_effective_from is null or jsonb_typeof(p_settings) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'a price needs a model, a time and settings as a JSON object',
      'Leave out the time and the settings to keep their defaults.');
  end if;
  -- One price change at a time, so that a retry finds the version that it wrote. Charges go on.
  lock table public.generation_models in share row exclusive mode;
  select max(effective_from) into before_from from public.generation_models
  where name = p_model and effective_from <= p_effective_from;
  version := credits.price_version(p_model, before_from, p_settings, p_rates);
  if before_from is not null and version = credits.price_version(p_model, before_from, '{}', null) then
    return before_from;
  elsif before_from = p_effective_from then
    perform credits.raise_misuse('PT409', 'the model has another price from that time on already',
      'Pass another time, or delete that version first.');
  elsif p_effective_from = now() and exists (
    select from public.generation_models
    where name = p_model and effective_from > now() and effective_from <= clock_timestamp()
  ) then
    perform credits.raise_misuse('PT409', 'the model has got another price since this transaction began',
      'Repeat the call if your price is to replace it.');
  elsif p_effective_from < now() and exists (select from public.generation_models where name = p_model) then
    perform credits.raise_misuse('22023', 'a new price cannot count from a time that has passed',
      'Leave p_effective_from out: it counts from now on.');
  end if;
  perform credits.price_version_insert(p_model, p_effective_from, version);
  return p_effective_from;
end;
$$;
comment on function public.set_model_price(text, jsonb, timestamptz, jsonb) is
  'Writes a new price version of a model, or its first. p_rates: credits by meter, such as {"image": 500} or '
  '{"input_token": {"price": 10, "per": 1000}, "output_token": {"price": 30, "per": 1000}}; null: as before. '
  'p_settings: other columns of generation_models, such as {"max_n": 2} or {"enabled": false}; columns that are not '
  'named stay as before, even if a version for later says otherwise; the first version needs provider and '
  'provider_model. Returns when the version comes into force. Idempotent: a version that is in force at that time '
  'already is not written again. Raises 22023 for a bad form or a past time, 23514 for a value out of bounds, PT409 '
  'when the model has another price from that very time on, or has got one since the transaction began.';

-- supabase/schemas/05_jobs/25_provider_costs.sql
-- Gives: what the provider asks for each price version, and import_model_price, which writes both together.
-- Keeps: no imported price is 0, and none is for a meter whose cost is unknown.
-- Needs: foundation, price book, price guard.

create table public.generation_model_costs (
  model text not null,
  effective_from timestamptz not null,
  meter text not null,
  usd numeric not null,
  per numeric not null default 1,
  credits_per_usd numeric not null check (credits_per_usd > 0 and credits_per_usd <= 1000000000),
  primary key (model, effective_from, meter),
  foreign key (model, effective_from, meter)
    references public.generation_model_rates (model, effective_from, meter) on update cascade on delete cascade,
  constraint cost_bounds check (usd between 0 and 1000000 and min_scale(usd) <= 15),
  constraint per_is_usual check (per in (1, 60, 1000, 3600, 1000000))
);
comment on table public.generation_model_costs is
  'What the provider asks for what a price version sells: one row per meter, in US dollars. Users cannot read it. '
  'import_model_price writes it with the version; generation_margins compares the two.';
comment on column public.generation_model_costs.usd is 'US dollars for as many units as per says.';
comment on column public.generation_model_costs.per is 'How many units the cost is for, as in generation_model_rates.';
comment on column public.generation_model_costs.credits_per_usd is
  'How many credits are sold for a dollar, as it was when the version was written: what revenue is counted by.';
alter table public.generation_model_costs enable row level security;

create function public.import_model_price(
  p_model text, p_rates jsonb, p_costs jsonb, p_credits_per_usd numeric, p_settings jsonb default '{}'
)
returns timestamptz
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  in_force timestamptz;
  bad_meter text;
begin
  perform credits.caller_check('import_model_price');
  if (p_credits_per_usd > 0) is not true then
    perform credits.raise_misuse('22023', 'how many credits a dollar buys must be above 0', 'Pass p_credits_per_usd.');
  end if;
  select coalesce(r.meter, c.meter) into bad_meter
  from credits.rates_read(p_rates) as r full join credits.rates_read(p_costs) as c on c.meter = r.meter
  where (r.price > 0) is not true or c.meter is null limit 1;
  if bad_meter is not null then
    perform credits.raise_misuse('22023', format('%s has no price above 0, or no cost', bad_meter),
      'A model that is free is written by set_model_price.');
  end if;
  in_force := public.set_model_price(p_model, p_rates, now(), p_settings);
  insert into public.generation_model_costs (model, effective_from, meter, usd, per, credits_per_usd)
  select p_model, in_force, c.meter, c.price, c.per, p_credits_per_usd from credits.rates_read(p_costs) as c
  on conflict (model, effective_from, meter) do update
  set usd = excluded.usd, per = excluded.per, credits_per_usd = excluded.credits_per_usd;
  return in_force;
end;
$$;
comment on function public.import_model_price(text, jsonb, jsonb, numeric, jsonb) is
  'Writes a price version with what its provider asks: p_costs has the same meters as p_rates, in US dollars. From '
  'now on; idempotent: the same price is not written again, its costs are. npm run prices -- import calls it. Raises '
  '22023 for a price of 0, a meter without a cost, a p_credits_per_usd that is not above 0 or a bad form, 23514 for a '
  'value out of bounds, PT409 when the model has got another price from that very time on or since the transaction '
  'began.';

-- supabase/schemas/05_jobs/30_request_events.sql
-- Gives: a record of every request that was not charged, and why.
-- Keeps: a denial leaves a record although it moves nothing; old months are deleted by dropping their partition.
-- Needs: settings.

create table public.credit_request_events (
  id uuid not null default gen_random_uuid(),
  account_id uuid not null,
  member_id uuid,
  request_id text,
  status integer not null,
  code text not null,
  model text,
  job_id uuid,
  created_at timestamptz not null default now(),
  -- Also finds an account's requests, the newest first: support, and erasure.
  primary key (account_id, created_at, id)
)
partition by range (created_at);
-- For the count of repeats (credits.repeats_are_many), however many denials there are between them.
create index credit_request_events_repeats on public.credit_request_events (account_id, created_at desc)
  where job_id is not null;
-- For erasure.
create index credit_request_events_by_member on public.credit_request_events (member_id) where member_id is not null;
-- A request, by its id.
create index credit_request_events_request on public.credit_request_events (request_id) where request_id is not null;
-- Recent requests: a small index by time, like the ledger's.
create index credit_request_events_recent
  on public.credit_request_events using brin (created_at) with (autosummarize = on);

comment on table public.credit_request_events is
  'Requests that were denied (400, 402, 403, 409, 422, 429) or that repeat one that has ended (200). Charged requests '
  'are in generation_jobs; credit_request_trail shows both. One partition per calendar month (UTC), in schema credits.';
comment on column public.credit_request_events.account_id is
  'The account that the request named. With not_a_member, the account of the user who asked: a stranger''s requests '
  'do not count for the account that they named.';
comment on column public.credit_request_events.member_id is
  'The member of a team''s account who asked; null for the account''s own user.';
comment on column public.credit_request_events.code is 'The stable code of the answer, such as rate_limited.';
comment on column public.credit_request_events.job_id is 'The job that an idempotency key pointed to (200, 409, 422).';

alter table public.credit_request_events enable row level security;

-- Takes the rows of months without a partition, so that a denial never fails because a partition is missing.
create table credits.request_events_rest partition of public.credit_request_events default;
alter table credits.request_events_rest enable row level security;

create function credits.request_events_month(p_month date)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  partition_name text := 'request_events_' || to_char(p_month, 'YYYY_MM');
  bounds text[] := array[(p_month::timestamp at time zone 'utc')::text,
    ((p_month + interval '1 month')::timestamp at time zone 'utc')::text];
begin
  if to_regclass('credits.' || partition_name) is not null then
    return false;
  end if;
  execute format('create table credits.%I (like public.credit_request_events including defaults including constraints)',
    partition_name);
  execute format('alter table credits.%I enable row level security', partition_name);
  execute format('revoke all on table credits.%I from public, anon, authenticated, service_role', partition_name);
  -- The default partition may hold rows of this month. Move them first: with them there Postgres refuses to attach.
  execute format(
    'with moved as (delete from credits.request_events_rest where created_at >= %L and created_at < %L returning *)
     insert into credits.%I select * from moved', bounds[1], bounds[2], partition_name);
  execute format('alter table public.credit_request_events attach partition credits.%I for values from (%L) to (%L)',
    partition_name, bounds[1], bounds[2]);
  return true;
end;
$$;
comment on function credits.request_events_month(date) is
  'Makes the partition for the month that begins on p_month (UTC); false when there is one already.';

create function public.maintain_request_events()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- Give up soon and leave it to the next run: denials would wait behind this while it waits for a long query.
set lock_timeout = '2s'
as $$
declare
  this_month date := date_trunc('month', now() at time zone 'utc')::date;
  kept integer;
  oldest_kept date;
  old_partition text;
  changes integer := 0;
begin
  perform credits.caller_check('maintain_request_events');
  select request_events_months into strict kept from public.credit_settings;
  oldest_kept := this_month - make_interval(months => kept);
  -- Past months too: a restore may bring back their rows.
  for month in -kept .. 2 loop
    changes := changes + credits.request_events_month((this_month + make_interval(months => month))::date)::integer;
  end loop;
  for old_partition in
    select c.relname from pg_catalog.pg_inherits as i join pg_catalog.pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'public.credit_request_events'::regclass and c.relname ~ '^request_events_\d{4}_\d{2}$'
      and to_date(right(c.relname, 7), 'YYYY_MM') < oldest_kept
  loop
    execute format('drop table credits.%I', old_partition);
    changes := changes + 1;
  end loop;
  return changes;
end;
$$;
comment on function public.maintain_request_events() is
  'Makes the partitions of credit_request_events for the months that are kept '
  '(credit_settings.request_events_months), the current month and the next two, and drops older ones. Returns how '
  'many it made and dropped. Idempotent. Raises 55P03 when the table is busy for 2 seconds: the next run does it. '
  'Meant to run daily.';

do $$
begin
  perform public.maintain_request_events();
end;
$$;

-- supabase/schemas/05_jobs/40_usage.sql
-- Gives: what each text job has used, in tokens, and the app key that it was charged by.
-- Keeps: counts alone, no word of a prompt or an answer.
-- Needs: accounts.

create table public.generation_usage (
  account_id uuid not null,
  job_id uuid not null,
  app_key_id uuid,
  usage jsonb,
  usage_source text check (usage_source in ('progress', 'reported', 'estimated')),
  noted_at timestamptz not null default now(),
  primary key (account_id, job_id)
)
-- Half-empty pages keep the notes of a job's progress on their page (HOT).
with (fillfactor = 50);

comment on table public.generation_usage is
  'What a text job has used: one row per job, written with its charge. While the job runs, its progress is noted '
  'here, and the sweep settles by it; at the end, what it was settled by.';
comment on column public.generation_usage.app_key_id is
  'The app key that the job was charged by; null: an access token, or the app''s own server. Users cannot read it.';
comment on column public.generation_usage.usage is
  'Tokens by field, as settle_generation reads them; null: nothing was delivered yet, or ever.';
comment on column public.generation_usage.usage_source is
  'progress: an estimate while it runs. reported: the provider''s own numbers. estimated: of prompt and delivered '
  'text, because the provider said nothing. null: nothing was delivered.';
comment on column public.generation_usage.noted_at is 'When usage was noted last.';

alter table public.generation_usage enable row level security;
create policy generation_usage_read_own on public.generation_usage
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

-- supabase/schemas/05_jobs/45_provider_jobs.sql
-- Gives: what is known of a job at its provider, where that provider calls back and can be asked.
-- Keeps: one row per job that such a provider has, and none for any other: they cost no more for it.
-- Needs: accounts, jobs.

create table public.generation_provider_jobs (
  account_id uuid not null,
  job_id uuid not null,
  urls jsonb,
  expected_by timestamptz not null,
  asks integer not null default 0,
  next_ask_at timestamptz not null,
  asked_at timestamptz,
  last_answer text,
  last_error jsonb,
  cancel_requested_at timestamptz,
  primary key (account_id, job_id)
)
-- Half-empty pages keep what changes with each ask on its page.
with (fillfactor = 50);
-- The jobs that are due to be asked about.
create index generation_provider_jobs_due on public.generation_provider_jobs (next_ask_at);

comment on table public.generation_provider_jobs is
  'The open jobs that a provider which calls back has, with what was asked and answered. claim_provider_asks reads '
  'it, provider_answered and receive_callback write it; the sweep deletes the rows of jobs that have ended. Users '
  'cannot read it.';
comment on column public.generation_provider_jobs.urls is
  'The provider''s own addresses of the job, by name, where it gave some.';
comment on column public.generation_provider_jobs.expected_by is
  'When the job should have ended, by its model''s timeout_seconds. It may go on to generation_jobs.deadline_at, which '
  'follows from hard_timeout_seconds.';
comment on column public.generation_provider_jobs.asks is 'How often the provider was asked.';
comment on column public.generation_provider_jobs.next_ask_at is 'When to ask next, if nothing is heard until then.';
comment on column public.generation_provider_jobs.asked_at is 'When the provider was asked last.';
comment on column public.generation_provider_jobs.last_answer is
  'What the provider said last, by a callback or an answer: running, unknown or succeeded.';
comment on column public.generation_provider_jobs.last_error is 'Why the last answer was unknown.';
comment on column public.generation_provider_jobs.cancel_requested_at is
  'When its user asked to cancel it. The job goes on until the provider has stopped it; then it is refunded.';

alter table public.generation_provider_jobs enable row level security;

-- supabase/schemas/05_jobs/50_outputs.sql
-- Gives: where the files of outputs are kept: the private bucket generations of Storage, and who may read it.
-- Keeps: a user reads files of their own accounts alone, nobody but the service writes, and no file is a page that a
--   browser would run. Without Storage nothing fails.
-- Needs: accounts; when called: deployed, repair.

create function credits.has_storage()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select to_regclass('storage.buckets') is not null and to_regclass('storage.objects') is not null;
$$;
comment on function credits.has_storage() is 'Whether this database has the tables of Supabase Storage.';

create function credits.output_policy()
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- As text, and as Postgres prints it: a folder's name need not be a uuid.
  select 'CREATE POLICY generations_read_own ON storage.objects AS PERMISSIVE FOR SELECT TO authenticated USING '
    '(((bucket_id = ''generations''::text) AND ((storage.foldername(name))[1] = ANY (ARRAY( SELECT (a.id)::text AS id '
    'FROM credits.my_account_ids() a(id))))))';
$$;
comment on function credits.output_policy() is
  'The one policy for the bucket generations: users read what is in the folders of their own accounts.';

create function credits.file_types()
returns text[]
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Nothing that a browser would run: who has an address for an upload chooses the type that the file is served as.
  select '{image/png,image/jpeg,image/webp,image/gif,video/mp4,video/webm,audio/wav,audio/mpeg,audio/ogg,audio/flac,'
    'audio/aac}'::text[];
$$;
comment on function credits.file_types() is 'The types that a file in the bucket generations may have.';

create function credits.storage_statements()
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- The most that generation_models.max_output_bytes may be. Storage's own limit, where it is lower, holds as well.
  most_bytes constant bigint := 1073741824;
  bucket record;
begin
  if not credits.has_storage() then
    return;
  end if;
  select b.public is false and b.file_size_limit <= most_bytes
    and b.allowed_mime_types <@ credits.file_types() as is_ours
  into bucket from storage.buckets as b where b.id = 'generations';
  if not found then
    return next format('insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values '
      '(''generations'', ''generations'', false, %s, %L)', most_bytes, credits.file_types());
  elsif bucket.is_ours is not true then
    return next format('update storage.buckets set public = false, file_size_limit = least(file_size_limit, %s), '
      'allowed_mime_types = %L where id = ''generations''', most_bytes, credits.file_types());
  end if;
  if not exists (
    select from credits.deployed_parts() as p
    where p.kind = 'policy' and p.table_name = 'storage.objects'
      and regexp_replace(p.definition, '[\s()]| AS \w+', '', 'g')
        = regexp_replace(credits.output_policy(), '[\s()]| AS \w+', '', 'g'))
  then
    return next 'drop policy if exists generations_read_own on storage.objects; ' || credits.output_policy();
  end if;
end;
$$;
comment on function credits.storage_statements() is
  'The statements that make the bucket and its policy what they have to be; none if they are, or without Storage.';

create function credits.storage_set_up()
returns setof text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  statement text;
begin
  foreach statement in array array(select credits.storage_statements()) loop
    execute statement;
    return next statement;
  end loop;
exception when insufficient_privilege then
  raise warning 'the bucket generations is not set up: %', sqlerrm
    using hint = 'As a role that may change storage.buckets and policies of storage.objects: select '
      'public.repair_deployment();';
end;
$$;
comment on function credits.storage_set_up() is
  'Makes the private bucket generations and its policy, where Storage is there. One row per statement that it ran; '
  'none if all was right. Warns where the role may not.';

-- supabase/schemas/05_jobs/55_files.sql
-- Gives: which files a job has, which of them are kept, and the queue of those to delete.
-- Keeps: a path is queued once, for the account whose folder it is in; what a job lists is never handed out. Files are
--   deleted through Storage alone: deleting their rows by SQL would leave them behind.
-- Needs: foundation, jobs, outputs; when called: uploads, moving outputs.

create table credits.storage_deletions (
  path text primary key,
  account_id uuid not null,
  reason text not null
    check (reason in ('deleted', 'erased', 'expired', 'unused', 'wrong', 'orphan')),
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  constraint path_is_of_account check (starts_with(path, account_id::text || '/'))
);
-- The files to delete next: claim_storage_deletions.
create index storage_deletions_due on credits.storage_deletions (next_attempt_at);
comment on table credits.storage_deletions is
  'Files of the bucket generations that are to be deleted. A row stays until the file is gone.';
comment on column credits.storage_deletions.reason is
  'deleted: its user did. erased: its job or account was. expired: credit_plans.keep_outputs_days. unused: an upload '
  'that no job used within a day. wrong: an upload that is not what was announced. orphan: no job and no upload lists '
  'it.';
comment on column credits.storage_deletions.next_attempt_at is 'When it is handed out next.';
alter table credits.storage_deletions enable row level security;

create function credits.output_files(p_output jsonb)
returns table (path text, media_type text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select o.file ->> 'path', o.file ->> 'media_type'
  from jsonb_array_elements(
    case jsonb_typeof(p_output -> 'outputs') when 'array' then p_output -> 'outputs' else '[]' end) as o (file)
  where jsonb_typeof(o.file -> 'path') = 'string';
$$;
comment on function credits.output_files(jsonb) is 'The files in Storage that an output lists.';

create function credits.output_check(p_account_id uuid, p_job_id uuid, p_output jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- The answer of a text (settle_text) has a bound of its own.
  if octet_length(p_output::text) > 262144 and not p_output ? 'usage_source' then
    perform credits.raise_misuse('22023', 'an output has at most 256 KiB',
      'Put the file in Storage and pass its path.');
  end if;
  if exists (
    select from credits.output_files(p_output) as f
    where f.path !~ format('^%s/%s/[0-9]{1,4}\.[a-z0-9]{1,8}$', p_account_id, p_job_id)) then
    perform credits.raise_misuse('22023', 'an output lists a file that is not its job''s',
      'A path is <account>/<job>/<n>.<extension>.');
  end if;
end;
$$;
comment on function credits.output_check(uuid, uuid, jsonb) is
  'Raises 22023 for an output above 256 KiB, or one that lists a path outside of its job''s folder.';

create function credits.files_below(p_folder text)
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if credits.has_storage() then
    -- By the index on patterns: 0 is the character after the slash.
    return query select o.name from storage.objects as o
    where o.bucket_id = 'generations' and o.name ~>=~ (p_folder || '/') and o.name ~<~ (p_folder || '0');
  end if;
end;
$$;
comment on function credits.files_below(text) is
  'The files of the bucket generations in a folder; none without Storage.';

create function credits.deletions_add(p_account_id uuid, p_paths text[], p_reason text)
returns void
language sql
set search_path = '', pg_temp
as $$
  -- In one order, so that two that queue the same paths do not wait for each other.
  insert into credits.storage_deletions (path, account_id, reason)
  select distinct p.path, p_account_id, p_reason from unnest(p_paths) as p (path)
  where starts_with(p.path, p_account_id::text || '/') order by 1
  on conflict do nothing;
$$;
comment on function credits.deletions_add(uuid, text[], text) is
  'Queues files of an account to be deleted. A path that is not in its folder is left out.';

create function credits.job_files(p_account_id uuid, p_job_ids uuid[])
returns text[]
language sql
stable
set search_path = '', pg_temp
as $$
  select array(
    select f.path
    from public.generation_jobs as j
    cross join lateral (
      select o.path from credits.output_files(j.output) as o where j.output_deleted_at is null
      union
      select credits.files_below(j.account_id || '/' || j.id)
    ) as f (path)
    where j.account_id = p_account_id and j.id = any (p_job_ids));
$$;
comment on function credits.job_files(uuid, uuid[]) is
  'The files of jobs: those that their outputs list, and any other in their folders.';

create function credits.job_of_file(p_path text)
returns uuid
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_path ~ '^[^/]+/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[^/]+$'
    then split_part(p_path, '/', 2)::uuid end;
$$;
comment on function credits.job_of_file(text) is 'The job in whose folder a file is; null if it is in another.';

create function credits.file_is_kept(p_account_id uuid, p_path text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  of_job constant uuid := credits.job_of_file(p_path);
begin
  return exists (
      select from public.generation_uploads as u
      where u.account_id = p_account_id and u.path = p_path and u.deleted_at is null)
    or exists (
      select from public.generation_jobs as j
      where j.id = of_job and j.account_id = p_account_id
        and (j.ended_at is null
          or j.output_deleted_at is null and p_path in (select o.path from credits.output_files(j.output) as o)))
    or exists (select from credits.outputs_to_move as m where m.account_id = p_account_id and m.job_id = of_job);
end;
$$;
comment on function credits.file_is_kept(uuid, text) is
  'Whether a file must stay: its job lists it, has not ended, or is being moved to Storage, or its upload was not '
  'deleted.';

-- supabase/schemas/05_jobs/60_uploads.sql
-- Gives: uploads, the files that users bring for a request.
-- Keeps: size, type and path are fixed before the upload; a file counts only where it is what was announced.
-- Needs: foundation, accounts, denials, jobs, outputs, files; when called: members.

create table public.generation_uploads (
  account_id uuid not null,
  id uuid not null default gen_random_uuid(),
  member_id uuid,
  media_type text not null check (media_type in ('image/png', 'image/jpeg', 'image/webp')),
  bytes bigint not null check (bytes between 1 and 16777216),
  path text not null generated always as (account_id::text || '/uploads/' || id::text
    || case media_type when 'image/png' then '.png' when 'image/jpeg' then '.jpg' else '.webp' end) stored,
  created_at timestamptz not null default now(),
  used_at timestamptz,
  deleted_at timestamptz,
  primary key (account_id, id)
);
-- An upload by its path: check_input_object, claim_storage_deletions.
create unique index generation_uploads_by_path on public.generation_uploads (account_id, path);
-- What a person uploaded for any team: their erasure.
create index generation_uploads_by_member on public.generation_uploads (member_id) where member_id is not null;
comment on table public.generation_uploads is
  'Files that users upload for a request, such as the first frame of a video. One that no job uses within a day is '
  'deleted.';
comment on column public.generation_uploads.member_id is
  'The member of a team''s account who asked for it; null for the account''s own user or server.';
comment on column public.generation_uploads.bytes is 'Size that was announced; the file must have exactly this one.';
comment on column public.generation_uploads.path is 'Its place in the bucket generations.';
comment on column public.generation_uploads.used_at is 'When a request last named it, and it was what was announced.';
comment on column public.generation_uploads.deleted_at is 'When its file was queued to be deleted.';

alter table public.generation_uploads enable row level security;
create policy generation_uploads_read_own on public.generation_uploads
  for select to authenticated using (account_id = any (array(select credits.my_account_ids())));

create type public.generation_upload as (
  status integer,
  code text,
  message text,
  path text,
  expires_at timestamptz,
  errors jsonb
);
comment on type public.generation_upload is
  'Answer to create_upload: 201 created, with the path and until when to upload; 400 invalid_request, with errors '
  '[{"field", "message"}]; 403 account_closed, not_a_member or not_allowed_to_spend; 402 member_cap_reached; 429 '
  'too_many_uploads.';

-- The jobs that name an upload, without a look at the account's other jobs: the sweep asks for each upload.
create index generation_jobs_by_image on public.generation_jobs (account_id, (input ->> 'image'))
  where input ->> 'image' is not null;

create function credits.upload_is_named(p_account_id uuid, p_path text, p_since timestamptz)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (
    select from public.generation_jobs
    where account_id = p_account_id and created_at >= p_since and input ->> 'image' = p_path
      -- A prompt that is refused costs nothing: it must not make a place to keep files.
      and (status in ('pending', 'running', 'succeeded') or output is not null));
$$;
comment on function credits.upload_is_named(uuid, text, timestamptz) is
  'Whether a job since then names an upload as its input: one that is open or has a result.';

create function credits.unused_uploads(p_account_id uuid)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- A request that is denied marks an upload as used, too, and would make room for the next: so only jobs count.
  select count(*) from public.generation_uploads as u
  where u.account_id = p_account_id and u.created_at > now() - interval '1 day'
    and not credits.upload_is_named(u.account_id, u.path, u.created_at);
$$;
comment on function credits.unused_uploads(uuid) is
  'How many of an account''s uploads of the last day no job names that is open or has a result.';

create function credits.upload_errors(p_media_type text, p_bytes bigint)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select jsonb_agg(jsonb_build_object('field', e.field, 'message', e.message)) from (values
    ('media_type', 'must be image/png, image/jpeg or image/webp',
      coalesce(p_media_type in ('image/png', 'image/jpeg', 'image/webp'), false)),
    ('bytes', 'must be a whole number from 1 to 16777216 (16 MiB)', coalesce(p_bytes between 1 and 16777216, false))
  ) as e (field, message, ok) where not e.ok;
$$;
comment on function credits.upload_errors(text, bigint) is 'What is wrong with an announced upload; null if nothing.';

create function credits.upload_denied(p_code text, p_errors jsonb)
returns public.generation_upload
language sql
stable
set search_path = '', pg_temp
as $$
  select row(d.status, d.code, coalesce(d.message, 'The upload is not valid.'), null, null,
    p_errors)::public.generation_upload
  from credits.denials as d where d.code = p_code;
$$;
comment on function credits.upload_denied(text, jsonb) is 'The answer for an upload that is denied.';

create function public.create_upload(p_account_id uuid, p_member_id uuid, p_media_type text, p_bytes bigint)
returns public.generation_upload
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  asking_member uuid;
  made public.generation_uploads;
begin
  perform credits.caller_check('create_upload');
  if credits.upload_errors(p_media_type, p_bytes) is not null then
    return credits.upload_denied('invalid_request', credits.upload_errors(p_media_type, p_bytes));
  end if;
  -- A stranger opens no account by its lock, and holds up nobody's.
  if p_member_id <> p_account_id
    and not exists (select from public.credit_accounts where id = p_account_id and user_id = p_member_id)
    and credits.member_denial(p_account_id, p_member_id, null, false) = 'not_a_member' then
    return credits.upload_denied('not_a_member', null);
  end if;
  -- The lock makes uploads at the same time count each other.
  account := credits.account_lock(p_account_id);
  asking_member := case when p_member_id is distinct from account.user_id then p_member_id end;
  if account.closed_at is not null then
    return credits.upload_denied('account_closed', null);
  elsif asking_member is not null
    and credits.member_denial(p_account_id, asking_member, null, false) is not null then
    return credits.upload_denied(credits.member_denial(p_account_id, asking_member, null, false), null);
  elsif credits.unused_uploads(p_account_id) >= 20 then
    return credits.upload_denied('too_many_uploads', null);
  end if;
  insert into public.generation_uploads (account_id, member_id, media_type, bytes)
  values (p_account_id, asking_member, p_media_type, p_bytes) returning * into strict made;
  -- As long as Storage's signed addresses for uploads work.
  return row(201, 'created', null, made.path, made.created_at + interval '2 hours', null)::public.generation_upload;
end;
$$;
comment on function public.create_upload(uuid, uuid, text, bigint) is
  'Announces a file that a user will upload, and says where: sign an upload address for that path. At most 16 MiB of '
  'PNG, JPEG or WebP, and 20 uploads a day per account that no job has used. p_member_id: the user who asks; null: '
  'the app''s own server. See type generation_upload for the answers.';

create function credits.file_differs(p_path text, p_media_type text, p_bytes bigint)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  facts jsonb;
begin
  if credits.has_storage() then
    select coalesce(o.metadata, '{}') into facts from storage.objects as o
    where o.bucket_id = 'generations' and o.name = p_path;
  end if;
  return case
    when facts is null then 'not_found'
    when lower(split_part(facts ->> 'mimetype', ';', 1)) is distinct from p_media_type then 'wrong_type'
    when p_bytes is not null and facts ->> 'size' is distinct from p_bytes::text then 'wrong_size'
    else 'ok' end;
end;
$$;
comment on function credits.file_differs(text, text, bigint) is
  'What Storage says of a file: not_found, wrong_type, wrong_size, or ok. p_bytes null: of any size.';

create function public.check_input_object(p_account_id uuid, p_path text)
returns text
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  upload public.generation_uploads;
  made_as text;
  answer text;
begin
  perform credits.caller_check('check_input_object');
  -- Its row is locked: whichever comes first, this or its deletion, decides.
  select * into upload from public.generation_uploads
  where account_id = p_account_id and path = p_path and deleted_at is null for update;
  if not found then
    select o.media_type into made_as
    from public.generation_jobs as j cross join lateral credits.output_files(j.output) as o
    where j.account_id = p_account_id and j.id = credits.job_of_file(p_path) and o.path = p_path
      and j.status = 'succeeded' and j.output_deleted_at is null;
    return case when made_as is null then 'not_found' when made_as !~ '^image/' then 'wrong_type'
      else credits.file_differs(p_path, made_as, null) end;
  end if;
  answer := credits.file_differs(p_path, upload.media_type, upload.bytes);
  if answer = 'ok' then
    update public.generation_uploads set used_at = clock_timestamp() where account_id = upload.account_id
      and id = upload.id;
  elsif answer <> 'not_found' then
    update public.generation_uploads set deleted_at = clock_timestamp() where account_id = upload.account_id
      and id = upload.id;
    perform credits.deletions_add(p_account_id, array[p_path], 'wrong');
  end if;
  return answer;
end;
$$;
comment on function public.check_input_object(uuid, text) is
  'Whether a request of an account may name this file as its input: ok, not_found, wrong_type or wrong_size. It may '
  'name an upload of its own that is what was announced, and is marked as used; and a picture that a job of its own '
  'made. An upload that is not what was announced is queued to be deleted. Call it before the charge.';

-- supabase/schemas/05_jobs/65_moving_outputs.sql
-- Gives: the way of outputs that are in the database into Storage: which ones, one batch at a time, and their end.
-- Keeps: an output stays until its files are in Storage; one that was erased or deleted meanwhile stays gone.
-- Needs: foundation, jobs, files.

create table credits.outputs_to_move (
  account_id uuid not null,
  job_id uuid not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  claimed_hash bytea,
  primary key (account_id, job_id)
);
-- The outputs to move next: claim_outputs_to_move.
create index outputs_to_move_due on credits.outputs_to_move (next_attempt_at);
comment on table credits.outputs_to_move is 'Jobs whose output has bytes in the database that belong into Storage.';
comment on column credits.outputs_to_move.claimed_hash is
  'SHA-256 of the output that was handed out last: another one is not overwritten.';
alter table credits.outputs_to_move enable row level security;

create type public.generation_output_to_move as (
  job_id uuid,
  account_id uuid,
  output jsonb
);
comment on type public.generation_output_to_move is 'A job''s output with files to move to Storage.';

create function credits.output_has_data(p_output jsonb)
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Strictly a list: what SQL alone settled may have any form, and one that the function cannot read would stop all.
  select coalesce(jsonb_typeof(p_output -> 'outputs') = 'array'
    and p_output @? '$.outputs[*] ? (exists (@.data) || @.url starts with "data:")', false);
$$;
comment on function credits.output_has_data(jsonb) is
  'Whether an output has a file''s bytes in itself: as data, or as an address that begins with data:.';

create function credits.output_hash(p_output jsonb)
returns bytea
language sql
stable
set search_path = '', pg_temp
as $$
  select sha256(convert_to(p_output::text, 'UTF8'));
$$;
comment on function credits.output_hash(jsonb) is 'SHA-256 of an output.';

create function public.find_outputs_to_move()
returns bigint
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  queued bigint;
begin
  perform credits.caller_check('find_outputs_to_move');
  insert into credits.outputs_to_move (account_id, job_id)
  select account_id, id from public.generation_jobs
  where status = 'succeeded' and erased_at is null and output_deleted_at is null and credits.output_has_data(output)
  on conflict do nothing;
  get diagnostics queued = row_count;
  return queued;
end;
$$;
comment on function public.find_outputs_to_move() is
  'Queues every output whose bytes are in the database to be moved to Storage; returns how many are new. Reads every '
  'job: call it once, in psql, after such data was brought in. The task move-outputs does the rest. Idempotent.';

create function credits.outputs_due(p_limit integer)
returns table (account_id uuid, job_id uuid, output jsonb)
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return query
  with due as materialized (
    select m.account_id, m.job_id, m.next_attempt_at from credits.outputs_to_move as m
    where m.next_attempt_at <= now()
    order by m.next_attempt_at limit least(greatest(p_limit, 0), 1000)
    for update skip locked
  ),
  sized as (
    select d.account_id, d.job_id, j.output,
      coalesce(sum(octet_length(j.output::text))
        over (order by d.next_attempt_at, d.job_id rows between unbounded preceding and 1 preceding), 0) as before
    from due as d join public.generation_jobs as j on j.id = d.job_id and j.account_id = d.account_id
  )
  -- What a function takes into its memory at once; the first one is handed out in any case.
  select s.account_id, s.job_id, s.output from sized as s where s.before < 8388608;
end;
$$;
comment on function credits.outputs_due(integer) is
  'Locks the outputs to move next, and returns them: p_limit at most, and no more once they have 8 MiB.';

create function public.claim_outputs_to_move(p_limit integer default 10)
returns setof public.generation_output_to_move
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('claim_outputs_to_move');
  return query
  with due as materialized (
    select d.account_id, d.job_id, d.output, credits.output_has_data(d.output) as has_data
    from credits.outputs_due(p_limit) as d
  ),
  moved_already as (
    delete from credits.outputs_to_move as m using due as d
    where m.account_id = d.account_id and m.job_id = d.job_id and not d.has_data
  ),
  claimed as (
    update credits.outputs_to_move as m
    set attempts = m.attempts + 1, claimed_hash = credits.output_hash(d.output),
      next_attempt_at = now() + least(interval '5 minutes' * power(2, least(m.attempts, 10)), interval '12 hours')
    from due as d
    where m.account_id = d.account_id and m.job_id = d.job_id and d.has_data
    returning m.job_id, m.account_id, d.output
  )
  select c.job_id, c.account_id, c.output from claimed as c;
end;
$$;
comment on function public.claim_outputs_to_move(integer) is
  'Hands out up to p_limit outputs to move to Storage, to one worker each: about 8 MiB at a time. Upload each file to '
  '<account>/<job>/<n>.<extension>, then call finish_output_move. What is not finished is handed out again after 5 '
  'minutes, then after twice as long each time, 12 hours at most.';

create function public.finish_output_move(p_job_id uuid, p_output jsonb)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  claimed bytea;
begin
  perform credits.caller_check('finish_output_move');
  select * into job from public.generation_jobs where id = p_job_id for update;
  if not found then
    perform credits.raise_no_such_job();
  end if;
  perform credits.output_check(job.account_id, job.id, p_output);
  if p_output is null or credits.output_has_data(p_output) then
    perform credits.raise_misuse('22023', 'this output has its bytes still in itself',
      'Pass the output with path, media_type and bytes of each file in place of its data.');
  end if;
  delete from credits.outputs_to_move where account_id = job.account_id and job_id = job.id
  returning claimed_hash into claimed;
  if job.output = p_output then
    return true;
  elsif claimed is null or job.output_deleted_at is not null or claimed <> credits.output_hash(job.output) then
    return false;
  end if;
  update public.generation_jobs set output = p_output where id = job.id and account_id = job.account_id;
  return true;
end;
$$;
comment on function public.finish_output_move(uuid, jsonb) is
  'Puts the output with its paths in the place of the one that was handed out, whose files are in Storage now. false '
  'where it is another by now, such as one that was erased: then nothing changes, and the files that were uploaded are '
  'deleted by the task delete-objects, never by the caller. Idempotent. Raises PT404 for an unknown job, 22023 for a '
  'path outside of its folder or an output that still has bytes.';

-- supabase/schemas/06_movements/10_granting.sql
-- Gives: grant_credits, by which credits come in.
-- Keeps: one external_ref, one grant (invariant 5); credits that come in fill up the overdraft and pay the debt first.
-- Needs: ledger, debts.

create function credits.grant_expire(
  p_account public.credit_accounts, p_grant_id bigint, p_amount bigint, p_kind public.credit_entry_kind, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_kind = 'expiry' then
    update public.credit_grants set breakage = breakage + p_amount where account_id = p_account.id and id = p_grant_id;
  end if;
  return credits.entry_append(p_account.id, -p_amount, p_kind, p_grant_id, null, p_reason, null);
end;
$$;
comment on function credits.grant_expire(public.credit_accounts, bigint, bigint, public.credit_entry_kind, text) is
  'Takes credits out of a grant without a job. Takes and returns the locked account, as entry_append does.';

create function credits.debt_collect(p_account public.credit_accounts, p_grant_id bigint)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  owed record;
  collected bigint;
begin
  if p_account.debt = 0 then
    return p_account;
  end if;
  for owed in select grant_id, d.owed from credits.debts_owed as d where account_id = p_account.id order by since loop
    select least(owed.owed, remaining) into strict collected
    from public.credit_grants where account_id = p_account.id and id = p_grant_id;
    exit when collected = 0;
    p_account := credits.entry_append(p_account.id, -collected, 'revocation', p_grant_id, null,
      'debt of a revoked grant', jsonb_build_object('reversed_grant_id', coalesce(owed.grant_id, 0)));
    p_account := credits.debt_append(p_account, -collected, owed.grant_id, null, p_grant_id, collected, 'debt paid');
  end loop;
  return p_account;
end;
$$;
comment on function credits.debt_collect(public.credit_accounts, bigint) is
  'Pays an account''s debt out of a grant that has just been filled. Takes and returns the locked account.';

create function credits.credit_limit_reduce(p_account_id uuid, p_credit_limit bigint)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
begin
  update public.credit_accounts set credit_limit = greatest(p_credit_limit, overdraft_used) where id = p_account_id
  returning * into strict account;
  if account.credit_limit > p_credit_limit then
    -- In a second statement, because setting credit_limit clears it.
    update public.credit_accounts set lowered_credit_limit = p_credit_limit where id = p_account_id
    returning * into strict account;
  end if;
  return account;
end;
$$;
comment on function credits.credit_limit_reduce(uuid, bigint) is
  'Lowers an account''s credit_limit to p_credit_limit. While the account uses more overdraft than that, credit_limit '
  'is what it uses and falls as the overdraft is filled up. Returns the account; the caller holds its lock.';

create function credits.credit_limit_lower(p_account public.credit_accounts)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_account.lowered_credit_limit is not null then
    return credits.credit_limit_reduce(p_account.id, p_account.lowered_credit_limit);
  end if;
  return p_account;
end;
$$;
comment on function credits.credit_limit_lower(public.credit_accounts) is
  'Lowers the credit_limit towards that of a new plan as the overdraft is filled up. Takes and returns the locked '
  'account.';

create function credits.overdraft_fill(
  p_account public.credit_accounts, p_grant_id bigint, p_amount bigint, p_kind public.credit_entry_kind,
  p_job_id uuid, p_reason text, p_metadata jsonb
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  p_account := credits.entry_append(p_account.id, p_amount, p_kind, null, p_job_id, p_reason, p_metadata);
  -- Recorded, so that a refund of this overdraft returns credits to the grant.
  update public.credit_grants set repaid = repaid + p_amount where account_id = p_account.id and id = p_grant_id;
  return credits.credit_limit_lower(p_account);
end;
$$;
comment on function credits.overdraft_fill(
  public.credit_accounts, bigint, bigint, public.credit_entry_kind, uuid, text, jsonb
) is
  'Fills up an overdraft with credits of a grant (null: with a refund of the overdraft itself). Takes and returns the '
  'locked account.';

create function credits.grant_fill(
  p_account public.credit_accounts, p_grant_id bigint, p_amount bigint, p_kind public.credit_entry_kind,
  p_job_id uuid, p_reason text, p_metadata jsonb
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  repaid bigint := least(p_account.overdraft_used, p_amount);
begin
  if repaid > 0 then
    p_account := credits.overdraft_fill(p_account, p_grant_id, repaid, p_kind, p_job_id, p_reason,
      coalesce(p_metadata, '{}') || jsonb_build_object('repaid_from_grant_id', p_grant_id));
  end if;
  if repaid < p_amount then
    p_account := credits.entry_append(p_account.id, p_amount - repaid, p_kind, p_grant_id, p_job_id,
      p_reason, p_metadata);
    p_account := credits.debt_collect(p_account, p_grant_id);
  end if;
  return p_account;
end;
$$;
comment on function credits.grant_fill(
  public.credit_accounts, bigint, bigint, public.credit_entry_kind, uuid, text, jsonb
) is
  'Fills up the account''s overdraft with a grant''s credits, puts the rest into the grant and pays the account''s '
  'debt out of it. Takes and returns the locked account.';

create type public.credit_grant_result as (
  grant_id bigint,
  account_id uuid,
  amount bigint,
  balance bigint,
  replayed boolean
);
comment on type public.credit_grant_result is
  'A grant and the balance after it. replayed: its external_ref had been granted before, so nothing moved.';

create function credits.grant_replay(p_account public.credit_accounts, p_amount bigint, p_external_ref text)
returns public.credit_grant_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  earlier public.credit_grants;
begin
  select * into earlier from public.credit_grants where external_ref = p_external_ref;
  if not found then
    return null;
  end if;
  if earlier.account_id <> p_account.id or earlier.amount <> p_amount then
    perform credits.raise_misuse('PT409',
      'this external_ref was granted before, to another account or with another amount',
      'Use the id of the outside event, and on a retry the same account and amount.');
  end if;
  return row(earlier.id, earlier.account_id, earlier.amount, p_account.balance, true)::public.credit_grant_result;
end;
$$;
comment on function credits.grant_replay(public.credit_accounts, bigint, text) is
  'The grant that an external_ref already stands for, or null. Raises PT409 when it has another account or amount.';

create function public.grant_credits(
  p_account_id uuid,
  p_amount bigint,
  p_reason text default null,
  p_kind public.credit_entry_kind default 'grant',
  p_expires_at timestamptz default null,
  p_external_ref text default null,
  p_priority smallint default 100,
  p_metadata jsonb default null
)
returns public.credit_grant_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  result public.credit_grant_result;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('grant_credits');
  end if;
  if p_amount is null or p_amount not between 1 and 1000000000000 then
    perform credits.raise_misuse('22023', 'amount must be 1 to 1000000000000 credits',
      'Credits are whole and positive.');
  end if;
  if p_kind is null or p_kind not in ('grant', 'purchase', 'refill', 'adjustment') then
    perform credits.raise_misuse('22023', 'kind must be grant, purchase, refill or adjustment',
      'The other kinds have functions of their own.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  perform credits.check_length('external_ref', p_external_ref, 1, 255);
  -- The ledger allows 4096: an entry that repays an overdraft also names its grant there.
  if jsonb_typeof(p_metadata) <> 'object' or octet_length(p_metadata::text) > 4000 then
    perform credits.raise_misuse('22023', 'metadata must be a JSON object of at most 4000 bytes',
      'Keep longer data in a table of your own.');
  end if;
  account := credits.account_lock(p_account_id);
  result := credits.grant_replay(account, p_amount, p_external_ref);
  if result.replayed then
    return result;
  end if;
  -- After the replay: a payment event may arrive again when its credits have long expired.
  if p_expires_at <= now() then
    perform credits.raise_misuse('22023', 'expires_at must be in the future',
      'Leave it out for credits that never expire.');
  end if;
  if account.closed_at is not null then
    perform credits.raise_misuse('PT403', 'the account is closed', 'Clear credit_accounts.closed_at to open it again.');
  end if;
  insert into public.credit_grants (account_id, kind, amount, priority, expires_at, external_ref, reason)
  values (account.id, p_kind, p_amount, coalesce(p_priority, 100::smallint), p_expires_at, p_external_ref, p_reason)
  on conflict do nothing
  returning id into result.grant_id;
  if not found then
    -- A concurrent grant to another account with this external_ref came first.
    return credits.grant_replay(account, p_amount, p_external_ref);
  end if;
  account := credits.grant_fill(account, result.grant_id, p_amount, p_kind, null, p_reason, p_metadata);
  result.balance := account.balance;
  result.account_id := account.id;
  result.amount := p_amount;
  result.replayed := false;
  return result;
end;
$$;
comment on function public.grant_credits(
  uuid, bigint, text, public.credit_entry_kind, timestamptz, text, smallint, jsonb
) is
  'Grants whole credits to an account, which is created if it has no row yet. A repeated call with the same '
  'external_ref returns the first grant (replayed), also after it has expired, and moves nothing. Lower priority '
  'burns first. p_reason: up to 500 characters; p_metadata: an object of up to 4000 bytes. Raises 22023 for a bad '
  'argument, PT409 when the external_ref was another grant, PT403 when the account is closed.';

-- supabase/schemas/06_movements/20_events.sql
-- Gives: an outbox of events for a webhook: low balance, exhausted, refund, grant about to expire, alerts.
-- Keeps: an event is written in the transaction that it reports, and offered until it is delivered or given up.
-- Needs: settings, grants.

create table public.credit_events (
  id uuid primary key default gen_random_uuid(),
  account_id uuid,
  type text not null check (
    type in ('balance.low', 'balance.exhausted', 'grant.expiring', 'job.refunded',
      'team.owner_changed', 'team.frozen', 'alert.fired', 'alert.resolved')),
  payload jsonb not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz default now(),
  delivered_at timestamptz,
  last_error text check (length(last_error) <= 500),
  constraint account_unless_alert check ((account_id is null) = (type like 'alert.%'))
);
-- The events to deliver next: claim_events.
create index credit_events_due on public.credit_events (next_attempt_at) where next_attempt_at is not null;
-- Events that were given up: alerts, metrics, retry_events.
create index credit_events_given_up on public.credit_events (created_at)
  where next_attempt_at is null and delivered_at is null;

comment on table public.credit_events is
  'Events for the webhook, delivered at least once and in no certain order. A repeated event has the same id.';
comment on column public.credit_events.account_id is
  'The account that it is about; null for an alert, which is for the operator.';
comment on column public.credit_events.payload is
  'What happened, in whole credits, with account_id and job_id or grant_id.';
comment on column public.credit_events.attempts is
  'How often delivery was tried. After 17 tries, over more than three days, the event is given up until retry_events.';
comment on column public.credit_events.next_attempt_at is 'When it is offered next; null once delivered or given up.';

alter table public.credit_events enable row level security;

create table public.credit_event_endpoints (
  id text primary key check (id ~ '^[0-9a-f]{64}$'),
  not_before timestamptz,
  ended_at timestamptz,
  alerts_asked_at timestamptz,
  others_asked_at timestamptz
);
comment on table public.credit_event_endpoints is
  'Addresses that asked for a pause (Retry-After) or for no more events (410). No event is offered to them until the '
  'pause ends, or until retry_events.';
comment on column public.credit_event_endpoints.id is
  'SHA-256 of the address, in hex, because an address may contain a secret.';
comment on column public.credit_event_endpoints.not_before is 'Until when nothing is sent.';
comment on column public.credit_event_endpoints.ended_at is 'When it answered 410.';
comment on column public.credit_event_endpoints.alerts_asked_at is
  'When deliver-events last asked for alerts for this address and got none because of this row: the address is still '
  'in use.';
comment on column public.credit_event_endpoints.others_asked_at is
  'When deliver-events last asked for the other events and got none because of this row.';
alter table public.credit_event_endpoints enable row level security;

create function credits.event_pause(p_attempts integer)
returns interval
language sql
volatile
set search_path = '', pg_temp
as $$
  -- Up to a fifth more at random: events that failed together do not come back together.
  select least(interval '30 seconds' * power(2, p_attempts)::integer, interval '12 hours') * (1 + random() / 5);
$$;
comment on function credits.event_pause(integer) is
  'How long an event waits after p_attempts earlier tries: 30 s, then twice as long each time, 12 hours at most, and '
  'up to a fifth more.';

create function credits.event_emit(p_account_id uuid, p_type text, p_payload jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into public.credit_events (account_id, type, payload)
  values (p_account_id, p_type, jsonb_build_object('account_id', p_account_id) || p_payload);
end;
$$;
comment on function credits.event_emit(uuid, text, jsonb) is 'Puts an event into the outbox, in this transaction.';

create function credits.balance_event(p_before bigint, p_after bigint, p_low bigint, out type text, out payload jsonb)
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_before > 0 and p_after <= 0 then
    type := 'balance.exhausted';
    payload := jsonb_build_object('balance', p_after);
  elsif p_low > 0 and p_before >= p_low and p_after < p_low then
    type := 'balance.low';
    payload := jsonb_build_object('balance', p_after, 'threshold', p_low);
  end if;
end;
$$;
comment on function credits.balance_event(bigint, bigint, bigint) is
  'The event of a movement that took a balance to 0 or below (balance.exhausted) or below p_low (balance.low), as it '
  'crosses that line; null for any other. p_low 0: never low.';

create function credits.balance_announce(p_account_id uuid, p_before bigint, p_after bigint, p_low bigint default null)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  event record;
begin
  p_low := coalesce(p_low, (select low_balance_credits from public.credit_settings));
  if p_after <= 0 or p_after < p_low then
    event := credits.balance_event(p_before, p_after, p_low);
    if event.type is not null then
      perform credits.event_emit(p_account_id, event.type, event.payload);
    end if;
  end if;
end;
$$;
comment on function credits.balance_announce(uuid, bigint, bigint, bigint) is
  'Announces that a movement took the balance to 0 or below or below p_low (see balance_event), once. p_low null: '
  'credit_settings.low_balance_credits, for callers that have not read it.';

create function public.announce_expiring_grants(p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  announced integer;
begin
  perform credits.caller_check('announce_expiring_grants');
  with due as (
    select g.account_id, g.id, g.remaining, g.expires_at
    from public.credit_grants as g, public.credit_settings as s
    where g.is_open and g.expiry_announced_at is null
      and g.expires_at > now() and g.expires_at <= now() + make_interval(secs => s.expiry_notice_seconds)
    order by g.expires_at limit least(greatest(p_limit, 0), 100000)
    -- A grant that a charge has locked is announced by the next run.
    for update of g skip locked
  ),
  marked as (
    update public.credit_grants as g set expiry_announced_at = now()
    from due where g.account_id = due.account_id and g.id = due.id
  )
  insert into public.credit_events (account_id, type, payload)
  select account_id, 'grant.expiring', jsonb_build_object(
    'account_id', account_id, 'grant_id', id, 'remaining', remaining, 'expires_at', expires_at)
  from due;
  get diagnostics announced = row_count;
  return announced;
end;
$$;
comment on function public.announce_expiring_grants(integer) is
  'Announces grants that expire within credit_settings.expiry_notice_seconds (event grant.expiring), each once; '
  'returns how many. Meant to run every hour.';

create function public.claim_events(
  p_limit integer default 20, p_alerts boolean default null,
  p_endpoint text default null
)
returns setof public.credit_events
language sql
security definer
set search_path = '', pg_temp
as $$
  select credits.caller_check('claim_events');
  -- Record which events wait for this address: an alert reports it.
  update public.credit_event_endpoints
  set alerts_asked_at = case when p_alerts is not false then now() else alerts_asked_at end,
      others_asked_at = case when p_alerts is not true then now() else others_asked_at end
  where id = p_endpoint and (ended_at is not null or not_before > now());
  update public.credit_events as e
  -- The next try is set before this one is made: if the worker dies in between, the event is offered again.
  set attempts = e.attempts + 1,
      next_attempt_at = case when e.attempts < 16 then now() + credits.event_pause(e.attempts) end
  where e.id in (
    select id from public.credit_events
    where next_attempt_at <= now() and (p_alerts is null or p_alerts = (type like 'alert.%'))
      and not exists (
        select from public.credit_event_endpoints as n
        where n.id = p_endpoint and (n.ended_at is not null or n.not_before > now()))
    order by next_attempt_at limit least(greatest(p_limit, 0), 1000)
    for update skip locked)
  returning e.*;
$$;
comment on function public.claim_events(integer, boolean, text) is
  'Hands out up to p_limit due events, to one worker each, and sets their next try: 30 s later, then twice as long '
  'each time, 12 hours at most, up to a fifth more at random; 17 tries in all, over more than three days. p_alerts: '
  'true for alerts only, false for all other events, null for both. p_endpoint: SHA-256 of the address that they go '
  'to, in hex; while that address wants no events, none is handed out. Report each with finish_event.';

create function credits.endpoint_hold(p_endpoint text, p_retry_after_seconds integer, p_is_gone boolean)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_event_endpoints as n (id, not_before, ended_at)
  values (p_endpoint, now() + make_interval(secs => p_retry_after_seconds), case when p_is_gone then now() end)
  on conflict (id) do update
  set not_before = greatest(n.not_before, excluded.not_before), ended_at = coalesce(n.ended_at, excluded.ended_at);
$$;
comment on function credits.endpoint_hold(text, integer, boolean) is
  'Records that an address wants a pause of so many seconds, or no more events.';

create function public.finish_event(
  p_event_id uuid, p_error text default null, p_endpoint text default null,
  p_retry_after_seconds integer default null, p_is_gone boolean default false
)
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  -- A receiver may ask for a pause of a day at most.
  pause integer := least(greatest(p_retry_after_seconds, 0), 86400);
begin
  perform credits.caller_check('finish_event');
  if p_endpoint !~ '^[0-9a-f]{64}$' then
    perform credits.raise_misuse('22023', 'an endpoint is the SHA-256 of its address in hex',
      'Pass 64 digits, or leave it out.');
  end if;
  if p_error is not null and p_endpoint is not null and (pause > 0 or p_is_gone) then
    perform credits.endpoint_hold(p_endpoint, pause, p_is_gone);
  end if;
  update public.credit_events
  set delivered_at = case when p_error is null then coalesce(delivered_at, now()) else delivered_at end,
      next_attempt_at = case when p_error is not null and delivered_at is null and p_is_gone is not true
        and next_attempt_at is not null
        then greatest(next_attempt_at, now() + make_interval(secs => pause)) end,
      last_error = left(p_error, 500)
  where id = p_event_id;
end;
$$;
comment on function public.finish_event(uuid, text, text, integer, boolean) is
  'Records that an event was delivered (p_error null), or why not: then it is offered again at its next try. '
  'p_endpoint: SHA-256 of the address, in hex. p_retry_after_seconds: the pause that the receiver asked for, a day at '
  'most; until it ends nothing is offered to that address. p_is_gone: the receiver wants no more events (410); this '
  'one is given up, and none is offered to the address until retry_events. Idempotent. Raises 22023 for an endpoint '
  'that is not such a hash.';

create function credits.events_retry(p_event_ids uuid[])
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  retried integer;
begin
  delete from public.credit_event_endpoints;
  update public.credit_events set attempts = 0, next_attempt_at = now()
  where id = any (p_event_ids) and next_attempt_at is null and delivered_at is null;
  get diagnostics retried = row_count;
  return retried;
end;
$$;
comment on function credits.events_retry(uuid[]) is
  'Offers given-up events again, and tries addresses that answered 410 or asked for a pause; returns how many.';

create function public.retry_events(p_since timestamptz, p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('retry_events');
  if p_since is null then
    perform credits.raise_misuse('22023', 'a time is needed',
      'Pass the beginning of the outage, or ''-infinity'' for every event that was given up.');
  end if;
  return credits.events_retry(array(
    select id from public.credit_events
    where next_attempt_at is null and delivered_at is null and created_at >= p_since
    order by created_at limit least(greatest(p_limit, 0), 100000)
    for update skip locked));
end;
$$;
comment on function public.retry_events(timestamptz, integer) is
  'Offers up to p_limit given-up events again that were created since p_since, the oldest first, with 17 new tries; '
  'returns how many. An address that answered 410 or asked for a pause is tried again at once, too. For use once a '
  'receiver works again. Raises 22023 without a time.';

-- supabase/schemas/06_movements/30_burn_down.sql
-- Gives: how a charge is spread over grants.
-- Keeps: an expired grant is never spent; nothing is written before the credits are known to suffice.
-- Needs: ledger.

create view credits.spendable_grants
with (security_invoker = true)
as
-- The wall clock, not the transaction's: the caller may have waited for the account's lock.
select account_id, id, kind, remaining, priority, expires_at
from public.credit_grants
where is_open and (expires_at is null or expires_at > clock_timestamp());
comment on view credits.spendable_grants is
  'Grants with credits left that have not expired. Spent by priority, then earliest expiry, then id.';

create type credits.burn_plan as (
  grant_ids bigint[],
  amounts bigint[],
  shortfall bigint
);

create function credits.burn_plan(p_account_id uuid, p_amount bigint)
returns credits.burn_plan
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select row(coalesce(array_agg(g.id order by g.place), '{}'),
      coalesce(array_agg(least(g.remaining, p_amount - g.before) order by g.place), '{}'),
      greatest(p_amount - coalesce(sum(g.remaining), 0), 0))::credits.burn_plan
    from (
      select id, remaining, row_number() over spent as place, sum(remaining) over spent - remaining as before
      from credits.spendable_grants where account_id = p_account_id
      window spent as (order by priority, expires_at, id rows unbounded preceding)
    ) as g
    where g.before < p_amount);
end;
$$;
comment on function credits.burn_plan(uuid, bigint) is
  'Which grants would pay an amount, and how much of it each; shortfall: the part that only the overdraft could pay. '
  'Writes nothing.';

create function credits.burn(
  p_account public.credit_accounts, p_plan credits.burn_plan, p_kind public.credit_entry_kind, p_job_id uuid,
  p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  part record;
  origin constant jsonb := case when current_setting('credits.operator_action', true) <> ''
    then credits.entry_origin() end;
begin
  for part in
    select p.grant_id, p.amount
    from unnest(p_plan.grant_ids || null::bigint, p_plan.amounts || p_plan.shortfall) as p (grant_id, amount)
    where p.amount > 0
  loop
    p_account.balance := p_account.balance - part.amount;
    p_account.last_seq := p_account.last_seq + 1;
    p_account.last_entry_at := greatest(clock_timestamp(), p_account.last_entry_at);
    p_account.last_hash := credits.entry_hash(p_account.last_hash, p_account.id, p_account.last_seq, -part.amount,
      p_account.balance, p_kind, part.grant_id, p_job_id, p_reason, origin, p_account.last_entry_at);
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason,
      metadata, created_at, hash)
    values (p_account.id, p_account.last_seq, -part.amount, p_account.balance, p_kind, part.grant_id, p_job_id,
      p_reason, origin, p_account.last_entry_at, p_account.last_hash);
    update public.credit_grants set remaining = remaining - part.amount, is_open = (remaining > part.amount)
    where account_id = p_account.id and id = part.grant_id;
  end loop;
  -- Once, and not with each entry: every version of the row makes the next one slower to find.
  update public.credit_accounts
  set version = version + 1, balance = p_account.balance, last_seq = p_account.last_seq,
      last_hash = p_account.last_hash, last_entry_at = p_account.last_entry_at,
      overdraft_used = overdraft_used + p_plan.shortfall
  where id = p_account.id
  returning * into strict p_account;
  return p_account;
end;
$$;
comment on function credits.burn(public.credit_accounts, credits.burn_plan, public.credit_entry_kind, uuid, text) is
  'Books a burn plan: one entry per grant and one for the overdraft. Takes and returns the locked account.';

-- supabase/schemas/06_movements/35_bulk.sql
-- Gives: how scheduled tasks book thousands of entries at a time.
-- Keeps: the same chain that entry_append would have made (invariant 1), entry by entry, in a tenth of the time.
-- Needs: ledger.
--
-- A task locks the accounts that are due and not busy, plans the plain cases as movements, and books them together.
-- Other cases (an overdraft, a debt) go account by account through the functions that charges use too. If anything
-- raises in a batch, its entries are booked again one by one.

create type credits.movement as (
  account_id uuid,
  place bigint,
  delta bigint,
  kind public.credit_entry_kind,
  grant_id bigint,
  job_id uuid,
  reason text
);
comment on type credits.movement is
  'A planned ledger entry. place numbers an account''s entries from 1, without a gap.';

create function credits.chain_extend(p_movements credits.movement[])
returns table (
  account_id uuid, seq bigint, delta bigint, balance_before bigint, balance_after bigint,
  kind public.credit_entry_kind, grant_id bigint, job_id uuid, reason text, created_at timestamptz, hash bytea,
  is_last boolean
)
language plpgsql
stable
set search_path = '', pg_temp
set jit = off
-- Postgres estimates an array at ten rows, and would choose a nested loop that reads it once per row.
set enable_nestloop = off
set enable_mergejoin = off
as $$
declare
  place bigint;
  last_seq bigint;
  balance bigint;
  last_hash bytea;
  last_entry_at timestamptz;
begin
  for account_id, delta, kind, grant_id, job_id, reason, place, is_last, last_seq, balance, last_hash, last_entry_at in
    select m.account_id, m.delta, m.kind, m.grant_id, m.job_id, m.reason, m.place,
      lead(m.place) over (partition by m.account_id order by m.place) is null,
      a.last_seq, a.balance, a.last_hash, a.last_entry_at
    from unnest(p_movements) as m
    join (
      select c.id, c.last_seq, c.balance, c.last_hash, c.last_entry_at from public.credit_accounts as c
      where c.id = any (array(select distinct n.account_id from unnest(p_movements) as n))
    ) as a on a.id = m.account_id
    order by m.account_id, m.place
  loop
    if place = 1 then
      balance_before := balance;
      balance_after := balance;
      hash := last_hash;
      created_at := greatest(clock_timestamp(), last_entry_at);
    end if;
    seq := last_seq + place;
    balance_after := balance_after + delta;
    -- credits.entry_hash inlined: a call per entry would cost half as much again.
    hash := sha256(hash || record_send(row(
      account_id, seq, delta, balance_after, kind::text, grant_id, job_id, created_at, convert_to(reason, 'UTF8'),
      null::bytea)));
    return next;
  end loop;
end;
$$;
comment on function credits.chain_extend(credits.movement[]) is
  'Turns movements into ledger entries, each with the hash that follows from the one before it, and marks the last of '
  'each account. The caller holds the accounts'' locks.';

create function credits.movements_book(p_movements credits.movement[], p_refilled_for date default null)
returns table (account_id uuid, balance_before bigint, balance_after bigint)
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return query
  with entries as materialized (
    select * from credits.chain_extend(p_movements)
  ),
  booked as (
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, reason,
      created_at, hash)
    select e.account_id, e.seq, e.delta, e.balance_after, e.kind, e.grant_id, e.job_id, e.reason, e.created_at, e.hash
    from entries as e
  )
  update public.credit_accounts as a
  set version = a.version + 1, balance = e.balance_after, last_seq = e.seq, last_hash = e.hash,
      last_entry_at = e.created_at, refilled_for = coalesce(p_refilled_for, a.refilled_for)
  from entries as e where e.is_last and a.id = e.account_id
  returning a.id, e.balance_before, a.balance;
end;
$$;
comment on function credits.movements_book(credits.movement[], date) is
  'Books movements of accounts that the caller has locked, and updates the balances; the caller updates the grants. '
  'Returns each balance before and after.';

-- supabase/schemas/06_movements/40_members.sql
-- Gives: team accounts, their members, and each member's monthly cap.
-- Keeps: only a member with a spending role spends a team's credits, and no more than the cap.
-- Needs: jobs; table auth.users.

create function credits.spending_month(p_spent_month date)
returns date
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- The wall clock's month, because the transaction may have begun in the month before; never earlier than the month
  -- that was counted last.
  return greatest(p_spent_month, date_trunc('month', clock_timestamp() at time zone 'utc')::date);
end;
$$;
comment on function credits.spending_month(date) is
  'The calendar month (UTC, its first day) that spending counts towards, of a member or an app key whose spent is of '
  'p_spent_month.';

create function credits.spent_this_month(p_spent bigint, p_spent_month date)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return case when p_spent_month = credits.spending_month(p_spent_month) then p_spent else 0 end;
end;
$$;
comment on function credits.spent_this_month(bigint, date) is
  'Credits that a member or an app key has spent in this calendar month (UTC).';

create function credits.member_denial(p_account_id uuid, p_member_id uuid, p_cost bigint, p_is_closed boolean)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  member public.account_members;
begin
  select * into member from public.account_members where account_id = p_account_id and user_id = p_member_id;
  if not found then
    -- The account of a deleted person is closed, and still their own.
    return case when p_member_id <> p_account_id or not p_is_closed then 'not_a_member' end;
  elsif member.role = 'viewer' then
    return 'not_allowed_to_spend';
  -- A member with a cap of 0 may not use free models either: they would use up the team's requests and concurrent jobs.
  -- A request without a price counts as one credit: a member with nothing left must not use up the team's limits with
  -- it.
  elsif member.monthly_cap = 0
    or credits.spent_this_month(member.spent, member.spent_month) + coalesce(p_cost, 1) > member.monthly_cap then
    return 'member_cap_reached';
  end if;
  return null;
end;
$$;
comment on function credits.member_denial(uuid, uuid, bigint, boolean) is
  'Why a user may not spend p_cost credits (null: an unknown number) of an account: not_a_member, '
  'not_allowed_to_spend or member_cap_reached; null if they may.';

create function credits.member_spend(p_account_id uuid, p_member_id uuid, p_credits bigint, p_charged_at timestamptz)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_member_id is null then
    return;
  end if;
  -- A refund of an earlier month's charge does not raise this month's cap, and an addition to it does not use it up.
  update public.account_members as m
  set spent = greatest(credits.spent_this_month(m.spent, m.spent_month) + p_credits, 0),
    spent_month = credits.spending_month(m.spent_month)
  where account_id = p_account_id and user_id = p_member_id
    and date_trunc('month', p_charged_at at time zone 'utc')::date >= credits.spending_month(m.spent_month);
end;
$$;
comment on function credits.member_spend(uuid, uuid, bigint, timestamptz) is
  'Counts credits charged (> 0) or refunded (< 0) towards a member''s month, if their job was charged in it. '
  'p_charged_at infinity: a charge, which always counts. The caller holds the account''s lock.';

create function public.create_team_account(p_owner_id uuid, p_account_id uuid default gen_random_uuid())
returns uuid
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('create_team_account');
  p_account_id := coalesce(p_account_id, gen_random_uuid());
  if p_owner_id is null or p_account_id = p_owner_id then
    perform credits.raise_misuse('22023', 'a team needs an owner and an id of its own',
      'Pass the owner''s user id; leave the account''s id out.');
  end if;
  -- Also a user without an account: theirs will be opened under this id.
  if exists (select from auth.users where id = p_account_id) then
    perform credits.raise_misuse('PT409', 'this id is a user''s', 'Leave the account''s id out to get a new one.');
  end if;
  insert into public.credit_accounts (id, is_team) values (p_account_id, true) on conflict do nothing;
  if not found and not exists (
    select from public.account_members where account_id = p_account_id and user_id = p_owner_id and role = 'owner') then
    perform credits.raise_misuse('PT409', 'this account exists and has another owner',
      'Leave the account''s id out to get a new one.');
  end if;
  insert into public.account_members (account_id, user_id, role) values (p_account_id, p_owner_id, 'owner')
  on conflict do nothing;
  return p_account_id;
end;
$$;
comment on function public.create_team_account(uuid, uuid) is
  'Opens an account for a team and makes p_owner_id its owner; returns its id. Idempotent when the id is given. '
  'Raises 22023 without an owner or when the team would have the owner''s id, PT409 when the id is taken or a user''s.';

create function credits.team_lock(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform from public.credit_accounts where id = p_account_id and is_team for update;
  if not found then
    perform credits.raise_misuse('PT404', 'no such team account', 'Open one with create_team_account.');
  end if;
end;
$$;
comment on function credits.team_lock(uuid) is 'Locks a team''s account. Raises PT404 when there is none.';

create function credits.team_keeps_owner(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not exists (select from public.account_members where account_id = p_account_id and role = 'owner') then
    perform credits.raise_misuse('PT409', 'a team account needs an owner', 'Make another member the owner first.');
  end if;
end;
$$;
comment on function credits.team_keeps_owner(uuid) is 'Raises PT409 when a team is left without an owner.';

create function credits.member_month_charged(p_account_id uuid, p_member_id uuid, p_at timestamptz)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(cost - refunded), 0)::bigint from public.generation_jobs
  where account_id = p_account_id and member_id = p_member_id
    and created_at >= date_trunc('month', p_at at time zone 'utc') at time zone 'utc'
    and created_at < (date_trunc('month', p_at at time zone 'utc') + interval '1 month') at time zone 'utc';
$$;
comment on function credits.member_month_charged(uuid, uuid, timestamptz) is
  'Credits that a user spent on jobs of an account in p_at''s calendar month (UTC), as a member or before they were '
  'removed.';

create function public.set_account_member(
  p_account_id uuid, p_user_id uuid, p_role text default 'member',
  p_monthly_cap bigint default null
)
returns public.account_members
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  member public.account_members;
  month date;
begin
  perform credits.caller_check('set_account_member');
  if p_user_id is null then
    perform credits.raise_misuse('22023', 'a member is a user', 'Pass the id of the auth user.');
  end if;
  perform credits.team_lock(p_account_id);
  if exists (select from public.credit_accounts where id = p_account_id and closed_at is not null) then
    perform credits.raise_misuse('PT403', 'the account is closed', 'A closed account takes no members.');
  end if;
  -- Read only now: the month may have ended while this waited for the lock.
  month := credits.spending_month(null);
  -- A member who comes back in the same month has spent that month's credits: leaving does not renew the cap.
  insert into public.account_members as m (account_id, user_id, role, monthly_cap, spent, spent_month, created_at)
  values (p_account_id, p_user_id, p_role, p_monthly_cap,
    credits.member_month_charged(p_account_id, p_user_id, month::timestamp at time zone 'utc'),
    month, clock_timestamp())
  on conflict (account_id, user_id) do update set role = excluded.role, monthly_cap = excluded.monthly_cap
  returning * into member;
  perform credits.team_keeps_owner(p_account_id);
  return member;
end;
$$;
comment on function public.set_account_member(uuid, uuid, text, bigint) is
  'Adds a user to a team''s account or changes their role and monthly cap (credits; null: no cap). Idempotent. Raises '
  'PT404 for an account that is not a team''s, PT403 for a closed one, 22023 without a user, PT409 when the last '
  'owner would go, 23514 for an unknown role or a negative cap.';

create function public.remove_account_member(p_account_id uuid, p_user_id uuid)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  removed boolean;
begin
  perform credits.caller_check('remove_account_member');
  perform credits.team_lock(p_account_id);
  delete from public.account_members where account_id = p_account_id and user_id = p_user_id;
  removed := found;
  perform credits.team_keeps_owner(p_account_id);
  return removed;
end;
$$;
comment on function public.remove_account_member(uuid, uuid) is
  'Takes a user out of a team''s account; false when they were not in it. What they spent stays, and counts towards '
  'their cap if they come back within the month. Raises PT404 for an account that is not a team''s, PT409 when the '
  'last owner would go.';


-- supabase/schemas/06_movements/45_app_keys.sql
-- Gives: app keys, by which a program charges an account without a user's token: made, listed, revoked, counted.
-- Keeps: only a hash of a key is kept; a key spends as the person who made it, and no more than its monthly cap.
-- Needs: members, usage.

create table public.credit_app_keys (
  account_id uuid not null,
  id uuid not null default gen_random_uuid(),
  member_id uuid,
  name text not null check (length(name) between 1 and 100),
  hash bytea not null,
  hint text not null,
  models text[] check (cardinality(models) between 1 and 100 and array_position(models, null) is null),
  monthly_cap bigint check (monthly_cap between 0 and 1000000000000),
  spent bigint not null default 0 check (spent >= 0),
  spent_month date not null default date_trunc('month', now() at time zone 'utc')::date,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (account_id, id)
)
-- Half-empty pages keep the updates of what is spent on their page (HOT).
with (fillfactor = 50);
-- The key of a request, which brings no account.
create unique index credit_app_keys_by_hash on public.credit_app_keys (hash);
-- For erasure.
create index credit_app_keys_by_member on public.credit_app_keys (member_id) where member_id is not null;

comment on table public.credit_app_keys is
  'App keys: each lets a program charge one account. The key itself is shown once, when it is made; it begins with '
  'ack_ and the slot of its account in 4 hex digits.';
comment on column public.credit_app_keys.member_id is
  'The team''s member who made it: it spends by their role and cap, and their removal ends it. null: the '
  'account''s own user, or the app''s own server.';
comment on column public.credit_app_keys.hash is 'SHA-256 of the key. Only the owner of the database can read it.';
comment on column public.credit_app_keys.hint is 'The last 4 characters of the key, to tell keys apart.';
comment on column public.credit_app_keys.models is 'The only models that it may use; null: those of the plan.';
comment on column public.credit_app_keys.monthly_cap is
  'Most credits that it may spend in a calendar month (UTC); null: no cap of its own.';
comment on column public.credit_app_keys.spent is 'Credits spent by it in spent_month, less refunds.';
comment on column public.credit_app_keys.expires_at is 'From when on it is refused; null: never.';

alter table public.credit_app_keys enable row level security;

create function credits.app_key_spend(p_account_id uuid, p_job_id uuid, p_credits bigint, p_charged_at timestamptz)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- As a member's: a refund of an earlier month's charge does not raise this month's cap.
  update public.credit_app_keys as k
  set spent = greatest(credits.spent_this_month(k.spent, k.spent_month) + p_credits, 0),
    spent_month = credits.spending_month(k.spent_month),
    last_used_at = case when p_charged_at = 'infinity' then clock_timestamp() else k.last_used_at end
  from public.generation_usage as u
  where u.account_id = p_account_id and u.job_id = p_job_id
    and k.account_id = u.account_id and k.id = u.app_key_id
    and date_trunc('month', p_charged_at at time zone 'utc')::date >= credits.spending_month(k.spent_month);
end;
$$;
comment on function credits.app_key_spend(uuid, uuid, bigint, timestamptz) is
  'Counts credits charged (> 0) or refunded (< 0) towards the month of the app key that a job was charged by, if '
  'it was charged in that month; nothing without a key. p_charged_at infinity: a charge. The caller holds the '
  'account''s lock.';

create function credits.app_key_state(p_key public.credit_app_keys)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  denial text;
begin
  -- One answer for a key that is unknown, revoked or expired.
  if p_key.id is null or p_key.revoked_at is not null or p_key.expires_at <= clock_timestamp() then
    return 'invalid_app_key';
  end if;
  select * into account from public.credit_accounts where id = p_key.account_id;
  denial := case when p_key.member_id is not null
    then credits.member_denial(p_key.account_id, p_key.member_id, 0, account.closed_at is not null) end;
  return case when denial = 'not_a_member' then denial when account.closed_at is not null then 'account_closed'
    when denial = 'not_allowed_to_spend' then denial end;
end;
$$;
comment on function credits.app_key_state(public.credit_app_keys) is
  'Why an app key is refused: invalid_app_key, or what its account or member lacks; null: it may be used. Caps are '
  'judged by the charge.';

create function credits.app_keys_check(p_account_id uuid, p_user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_user_id is null
    or exists (select from public.credit_accounts where id = p_account_id and user_id = p_user_id)
    or (p_user_id = p_account_id and not exists (select from public.credit_accounts where id = p_account_id))
    or exists (select from public.account_members
      where account_id = p_account_id and user_id = p_user_id and role in ('owner', 'admin')) then
    return;
  end if;
  perform credits.raise_misuse('PT403', 'this user may not manage the account''s keys',
    'The account''s own user can, and a team''s owner or an admin.');
end;
$$;
comment on function credits.app_keys_check(uuid, uuid) is
  'Raises PT403 unless a user may make, list and revoke an account''s keys; null: the app''s own server, which may.';

create function public.create_app_key(
  p_account_id uuid, p_user_id uuid, p_name text, p_models text[] default null, p_monthly_cap bigint default null,
  p_expires_at timestamptz default null
)
returns table (key_id uuid, key text, hint text, created_at timestamptz)
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  most constant integer := 100;
  account public.credit_accounts;
  secret text;
begin
  perform credits.caller_check('create_app_key');
  perform credits.check_length('name', coalesce(p_name, ''), 1, 100);
  if p_monthly_cap not between 0 and 1000000000000 or p_expires_at <= clock_timestamp()
    or cardinality(p_models) not between 1 and 100 or array_position(p_models, null) is not null then
    perform credits.raise_misuse('22023', 'the cap, the models or the expiry of this key make no sense',
      'A cap is 0 or more, models are 1 to 100 names, an expiry is yet to come; leave out what has no bound.');
  end if;
  perform credits.app_keys_check(p_account_id, p_user_id);
  -- The lock, so that two calls at once do not pass the limit together.
  account := credits.account_lock(p_account_id);
  if account.closed_at is not null then
    perform credits.raise_misuse('PT403', 'the account is closed', 'A closed account takes no keys.');
  elsif (select count(*) >= most from public.credit_app_keys as k
    where k.account_id = p_account_id and k.revoked_at is null and (k.expires_at > clock_timestamp()) is not false) then
    perform credits.raise_misuse('PT409', format('the account has %s keys already', most), 'Revoke one first.');
  end if;
  -- Three random UUIDs have 366 random bits.
  secret := 'ack_' || right(to_hex(65536 + credits.slot(p_account_id)), 4) || encode(sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
  return query
  insert into public.credit_app_keys as k (account_id, member_id, name, hash, hint, models, monthly_cap, expires_at)
  values (p_account_id, case when p_user_id is distinct from account.user_id then p_user_id end, p_name,
    sha256(convert_to(secret, 'UTF8')), right(secret, 4), p_models, p_monthly_cap, p_expires_at)
  returning k.id, secret, k.hint, k.created_at;
end;
$$;
comment on function public.create_app_key(uuid, uuid, text, text[], bigint, timestamptz) is
  'Makes an app key and returns it, this once: only its hash is kept. p_user_id: who asks, the account''s own user '
  'or a team''s owner or admin, as whom the key spends; null: the app''s own server. p_models: the only models '
  'that it may use; p_monthly_cap: credits per calendar month (UTC). Raises PT403 when the user may not or the '
  'account is closed, 22023 for a bad name, cap, model list or expiry, PT409 when the account has 100 keys.';

create function public.list_app_keys(p_account_id uuid, p_user_id uuid)
returns table (
  key_id uuid, name text, hint text, member_id uuid, models text[], monthly_cap bigint, spent bigint,
  expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz, created_at timestamptz
)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('list_app_keys');
  perform credits.app_keys_check(p_account_id, p_user_id);
  return query select k.id, k.name, k.hint, k.member_id, k.models, k.monthly_cap,
    credits.spent_this_month(k.spent, k.spent_month),
    k.expires_at, k.revoked_at, k.last_used_at, k.created_at
  from public.credit_app_keys as k where k.account_id = p_account_id order by k.created_at desc, k.id;
end;
$$;
comment on function public.list_app_keys(uuid, uuid) is
  'An account''s app keys, the newest first, with what each has spent this month; never a key or its hash. p_user_id: '
  'who asks; null: the app''s own server. Raises PT403 when the user may not.';

create function public.revoke_app_key(p_account_id uuid, p_user_id uuid, p_key_id uuid)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  was_revoked boolean;
begin
  perform credits.caller_check('revoke_app_key');
  perform credits.app_keys_check(p_account_id, p_user_id);
  select revoked_at is not null into was_revoked from public.credit_app_keys
  where account_id = p_account_id and id = p_key_id for update;
  if not found then
    perform credits.raise_misuse('PT404', 'no such key', 'list_app_keys shows the account''s keys.');
  end if;
  update public.credit_app_keys set revoked_at = clock_timestamp()
  where account_id = p_account_id and id = p_key_id and not was_revoked;
  return not was_revoked;
end;
$$;
comment on function public.revoke_app_key(uuid, uuid, uuid) is
  'Ends an app key: the next request with it is refused. What it spent stays. Idempotent: false when it was revoked '
  'before. p_user_id: who asks; null: the app''s own server. Raises PT403 when the user may not, PT404 for an unknown '
  'key.';

-- supabase/schemas/07_charging/10_charge_answers.sql
-- Gives: the answers of a charge: its result type, the message of each denial, and the answer to a repeated request.
-- Keeps: a denial moves no credit but is recorded; one idempotency key, one charge (invariant 5).
-- Needs: denials, quote, jobs, request events.

create type public.credit_charge_result as (
  status integer,
  code text,
  message text,
  account_id uuid,
  job_id uuid,
  cost bigint,
  balance bigint,
  required bigint,
  retry_after_seconds integer,
  rate_limit integer,
  rate_window_seconds integer,
  rate_remaining integer,
  rate_reset_seconds integer,
  errors jsonb,
  job jsonb,
  debt bigint
);
-- The codes come from the one list of denials, so that docs/sql.md shows them.
do $$
begin
  execute format('comment on type public.credit_charge_result is %L',
    'Answer to a charge, shaped for HTTP. status and code: 201 charged; 200 replayed (job: how it ended); or a denial: '
    || (select string_agg(d.status || ' ' || d.codes, '; ' order by d.status) from (
      select l.status, string_agg(l.code, ', ' order by l.code) as codes
      from credits.denials as l where l.from_charge group by l.status
    ) as d)
    || '. With insufficient_credits: balance, required and debt (which the account owes and has to pay first); '
    'with price_changed: required (the cost now); with a 400: errors; with a 429 and request_in_flight: '
    'retry_after_seconds. Amounts are whole credits.');
end;
$$;

create function credits.request_record(
  p_result public.credit_charge_result, p_member_id uuid, p_request_id text, p_model text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- A stranger's counts for the stranger: counted for the account that they named, it would raise its owner's alerts.
  account_asked uuid := case when p_result.code = 'not_a_member' then p_member_id else p_result.account_id end;
begin
  insert into public.credit_request_events (account_id, member_id, request_id, status, code, model, job_id)
  values (account_asked, nullif(p_member_id, account_asked), p_request_id, p_result.status, p_result.code,
    left(p_model, 63), p_result.job_id);
end;
$$;
comment on function credits.request_record(public.credit_charge_result, uuid, text, text) is
  'Records in credit_request_events a request that was not charged: denied, or a repeat of one that has ended.';

create function credits.charge_denied(
  p_code text, p_result public.credit_charge_result, p_priced credits.priced_request, p_spendable bigint, p_debt bigint,
  p_max_concurrent_jobs integer, p_member_id uuid, p_request_id text, p_model text
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  p_result.code := case p_code when 'invalid_key' then 'invalid_request' when 'not_priced' then p_priced.code
    else p_code end;
  select d.status, d.message into strict p_result.status, p_result.message
  from credits.denials as d where d.code = p_result.code limit 1;
  if p_code = 'not_priced' then
    p_result.message := p_priced.message;
    p_result.errors := p_priced.errors;
    p_result.required := p_priced.cost;
  elsif p_code = 'invalid_key' then
    p_result.message := 'The idempotency key is empty or too long.';
    p_result.errors := '[{"field": "idempotency_key", "message": "must be text of 1 to 255 characters"}]';
  elsif p_code = 'not_a_member' then
    p_result.balance := null; -- a stranger does not learn it either
  elsif p_code = 'rate_limited' then
    p_result.message := format(p_result.message, p_result.rate_limit, p_result.rate_window_seconds,
      p_result.retry_after_seconds);
  elsif p_code = 'too_many_jobs' then
    p_result.message := format(p_result.message, p_max_concurrent_jobs);
    p_result.retry_after_seconds := 1;
  elsif p_code = 'insufficient_credits' then
    p_result.balance := p_spendable;
    p_result.required := p_priced.cost;
    p_result.debt := nullif(p_debt, 0);
    p_result.message := case when p_debt > 0
      then format('The account owes %s credits of a payment that was taken back; the next credits pay them. '
        'Nothing was charged.', p_debt)
      else format(p_result.message, p_result.required, p_result.balance) end;
  end if;
  perform credits.request_record(p_result, p_member_id, p_request_id, p_model);
  return p_result;
end;
$$;
comment on function credits.charge_denied(text, public.credit_charge_result, credits.priced_request, bigint, bigint,
  integer, uuid, text, text) is
  'Completes a denial with its status and message, and records it. p_code: its code; invalid_key; or not_priced, as '
  'p_priced says.';

create function credits.repeats_are_many(p_account_id uuid, p_most integer, p_since timestamptz)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select count(*) >= p_most
  from (
    select from public.credit_request_events
    where account_id = p_account_id and job_id is not null and created_at > p_since
    order by created_at desc limit p_most
  ) as repeats;
$$;
comment on function credits.repeats_are_many(uuid, integer, timestamptz) is
  'Whether an account has repeated ended or running requests p_most times since p_since: from then on a repeat counts '
  'like a new request. A client that heeds Retry-After repeats once per second. p_since is a parameter, so that the '
  'index is used: with a clock in the query every repeat ever kept would be read.';

create function credits.charge_replayed(
  p_result public.credit_charge_result, p_job_id uuid, p_request_hash bytea, p_member_id uuid, p_request_id text,
  p_model text
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job record;
begin
  -- Job and balance of one moment: the job may have been refunded since the charge read the account.
  -- Without the output, which may be megabytes: it is read only where it is the answer.
  select j.status, j.cost, j.request_hash, j.request_id, j.provider_job_id, j.started_at, j.created_at, j.model,
    j.price_effective_from, j.input, a.balance
  into strict job
  from public.generation_jobs as j join public.credit_accounts as a on a.id = j.account_id
  where j.id = p_job_id and j.account_id = p_result.account_id;
  p_result.job_id := p_job_id;
  p_result.balance := job.balance;
  p_result.cost := case when job.request_hash = p_request_hash then job.cost end;
  if job.request_hash <> p_request_hash then
    p_result.code := 'idempotency_key_reused';
  elsif job.request_id = p_request_id and (job.status = 'pending'
    or (job.status = 'running' and job.started_at = job.created_at and job.provider_job_id is null)) then
    -- Nothing has happened to the job since its charge: the same request asks again because its answer was lost.
    p_result.status := 201;
    p_result.code := 'charged';
    select jsonb_build_object('id', p_job_id, 'model', job.model, 'provider', m.provider,
      'provider_model', m.provider_model, 'type', m.type, 'input', job.input,
      'timeout_seconds', m.timeout_seconds, 'max_output_bytes', m.max_output_bytes, 'created_at', job.created_at)
    into strict p_result.job
    from public.generation_models as m where m.name = job.model and m.effective_from = job.price_effective_from;
    return p_result;
  elsif job.status in ('pending', 'running') then
    p_result.code := 'request_in_flight';
    p_result.retry_after_seconds := 1;
  else
    p_result.status := 200;
    p_result.code := 'replayed';
    select to_jsonb(j) - array['request_hash', 'account_id', 'idempotency_key', 'seal'], a.balance
    into strict p_result.job, p_result.balance
    from public.generation_jobs as j join public.credit_accounts as a on a.id = j.account_id
    where j.id = p_job_id and j.account_id = p_result.account_id;
  end if;
  if p_result.status is null then
    select d.status, d.message into strict p_result.status, p_result.message
    from credits.denials as d where d.code = p_result.code limit 1;
  end if;
  perform credits.request_record(p_result, p_member_id, p_request_id, p_model);
  return p_result;
end;
$$;
comment on function credits.charge_replayed(public.credit_charge_result, uuid, bytea, uuid, text, text) is
  'Answers a request whose idempotency key has a job already, and records it. Takes no lock.';

-- supabase/schemas/07_charging/20_charge.sql
-- Gives: atomic_charge_credits, the charge: one call, one round trip, one account lock.
-- Keeps: a denial counts towards the rate limit, unless its reason is the account, the member or the key; no charge
--   without a job, and no job without a charge unless it is free (invariant 3).
-- Needs: refill periods, events, members, burn down, charge answers; when called: due.
--
-- A charge locks optimistically. It reads without a lock, decides, and takes the account's lock only if
-- credit_accounts.version is still the one that it read: each change of something that a charge reads raises the
-- version in its own transaction. If the lock is not free or the version has changed, or monthly credits are due, the
-- charge waits for the lock, books what is due, reads again and decides again.

create view credits.charge_terms
with (security_invoker = true)
as
select a.id as account_id, a.version, a.user_id, a.closed_at, a.balance, a.credit_limit,
  a.overdraft_used, a.debt, a.last_seq, a.last_hash, a.last_entry_at, p.max_concurrent_jobs, p.allowed_models,
  -- A month lasts 28 days at least, so that mostly two dates are enough to know.
  p.scheduled_credits > 0 and case when a.refilled_for >= current_date - 25 then false
    else credits.refill_is_due(a.id) end as refill_is_due,
  p.rate_limit_requests, p.rate_limit_window_seconds, p.rate_window, p.rate_step, a.rate_full_at,
  s.settle_margin_seconds, s.low_balance_credits,
  g.id as grant_id, coalesce(g.remaining, 0) as grant_remaining,
  -- Counted up to the limit only: an account may have thousands.
  (select count(*) from (select from public.generation_jobs as j
    where j.account_id = a.id and j.status in ('pending', 'running') limit p.max_concurrent_jobs) as o) as open_jobs
from public.credit_accounts as a
join public.credit_plans as p on p.name = a.plan
left join public.credit_settings as s on s.only_row
left join lateral (
  select id, remaining from credits.spendable_grants where account_id = a.id order by priority, expires_at, id limit 1
) as g on true;
comment on view credits.charge_terms is
  'What a charge depends on, read at one moment: account, plan, settings, the grant that is spent first, open jobs.';

create function public.atomic_charge_credits(
  p_account_id uuid, p_model text, p_input jsonb, p_idempotency_key text default null, p_request_id text default null,
  p_member_id uuid default null, p_start boolean default false
)
returns public.credit_charge_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job_ids uuid[];
  request_hash bytea;
  priced credits.priced_request;
  seen record;
  asking_member uuid;
  denial text;
  rate_used interval;
  spendable bigint;
  paid bigint;
  result public.credit_charge_result;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('atomic_charge_credits');
  end if;
  if length(p_request_id) > 128 then
    perform credits.check_length('request_id', p_request_id, 0, 128);
  end if;
  if p_member_id is not null and jsonb_typeof(p_input) = 'object' then
    p_input := p_input - 'asked_by'; -- only the app's own server may set it
  end if;
  job_ids := credits.job_ids(p_account_id, p_member_id, p_idempotency_key, p_input);
  request_hash := substr(sha256(convert_to(concat_ws(E'\n', p_model, p_input::text), 'UTF8')), 1, 16);
  priced := credits.request_price(p_model, p_input);

  for attempt in 1 .. 3 loop
    if attempt > 1 then
      perform credits.account_lock(p_account_id); -- opens it
      perform credits.account_refill_due(p_account_id);
    end if;
    rate_used := null;
    select t.*, clock_timestamp() as read_at, (select id from public.generation_jobs
      where id in (job_ids[1], job_ids[2]) and account_id = p_account_id limit 1) as known_job_id
    into seen from credits.charge_terms as t where t.account_id = p_account_id;
    continue when not found and attempt = 1 and (p_member_id <> p_account_id) is not true;
    asking_member := case when p_member_id is distinct from seen.user_id then p_member_id end;
    denial := case when asking_member is not null
      then credits.member_denial(p_account_id, asking_member, priced.cost, seen.closed_at is not null) end;
    continue when seen.refill_is_due and attempt = 1 and denial is distinct from 'not_a_member';

    -- These count towards no limit: a stranger, or a member who may not spend, must not use up the account's.
    denial := case
      when denial = 'not_a_member' then denial
      when seen.closed_at is not null then 'account_closed'
      when length(p_idempotency_key) not between 1 and 255 then 'invalid_key'
      when seen.known_job_id is not null then 'known'
      else denial end;
    exit when denial is not null and (denial <> 'known' or not credits.repeats_are_many(p_account_id,
      greatest(seen.rate_limit_requests, seen.rate_limit_window_seconds), seen.read_at - seen.rate_window));

    -- The rate limit (GCRA): each request takes a step of the window, which comes back as time passes. A time beyond
    -- the window is left over from a longer window. Everything counts from here on, except its own denial.
    rate_used := case when seen.rate_full_at between seen.read_at and seen.read_at + seen.rate_window
      then seen.rate_full_at - seen.read_at else interval '0' end;
    if rate_used + seen.rate_step > seen.rate_window then
      denial := 'rate_limited';
      result.retry_after_seconds := ceil(extract(epoch from rate_used + seen.rate_step - seen.rate_window));
      exit;
    end if;
    rate_used := rate_used + seen.rate_step;

    denial := case
      when denial is not null then denial -- a repeat beyond the free ones
      when priced.status <> 200 then 'not_priced'
      when seen.allowed_models is not null and (p_model = any (seen.allowed_models)) is not true
        then 'model_not_in_plan'
      when seen.open_jobs >= seen.max_concurrent_jobs then 'too_many_jobs' end;
    if denial is null and (priced.cost > seen.grant_remaining or (seen.debt > 0 and priced.cost > 0)) then
      select coalesce(sum(remaining), 0) into spendable from credits.spendable_grants where account_id = p_account_id;
      if seen.debt > 0 or priced.cost > spendable + seen.credit_limit - seen.overdraft_used then
        continue when seen.balance > spendable - seen.overdraft_used and attempt < 3
          and credits.account_expire(p_account_id);
        denial := 'insufficient_credits';
      end if;
    end if;

    -- In one statement: locks the account if its version is the same, counts the request, moves what one grant pays.
    paid := case when denial is null and priced.cost <= seen.grant_remaining then priced.cost else 0 end;
    if paid > 0 then
      seen.last_seq := seen.last_seq + 1;
      seen.last_entry_at := greatest(seen.read_at, seen.last_entry_at);
      seen.last_hash := credits.entry_hash(seen.last_hash, p_account_id, seen.last_seq, -paid, seen.balance - paid,
        'charge', seen.grant_id, job_ids[1], null, null, seen.last_entry_at);
    end if;
    update public.credit_accounts
    set version = version + 1, rate_full_at = seen.read_at + rate_used, balance = seen.balance - paid,
        last_seq = seen.last_seq, last_entry_at = seen.last_entry_at, last_hash = seen.last_hash
    where ctid = (select ctid from public.credit_accounts
      where id = p_account_id and version = seen.version for update skip locked);
    exit when found;
  end loop;

  result.account_id := p_account_id;
  result.balance := seen.balance;
  if rate_used is not null then
    result.rate_limit := seen.rate_limit_requests;
    result.rate_window_seconds := seen.rate_limit_window_seconds;
    result.rate_reset_seconds := ceil(extract(epoch from rate_used));
    result.rate_remaining := div(extract(epoch from seen.rate_window - rate_used), extract(epoch from seen.rate_step));
  end if;
  if denial = 'known' then
    return credits.charge_replayed(result, seen.known_job_id, request_hash, asking_member, p_request_id, p_model);
  elsif denial is not null then
    return credits.charge_denied(denial, result, priced, spendable - seen.overdraft_used, seen.debt,
      seen.max_concurrent_jobs, asking_member, p_request_id, p_model);
  end if;

  insert into public.generation_jobs (id, account_id, member_id, model, price_effective_from, provider, cost, input,
    idempotency_key, request_hash, request_id, status, started_at, deadline_at)
  values (job_ids[1], p_account_id, asking_member, priced.model, priced.effective_from, priced.provider, priced.cost,
    priced.input, p_idempotency_key, request_hash, p_request_id,
    case when p_start then 'running' else 'pending' end::public.generation_job_status, case when p_start then now() end,
    clock_timestamp() + make_interval(secs => priced.timeout_seconds + seen.settle_margin_seconds));
  if priced.cost > seen.grant_remaining then
    perform credits.burn(credits.account_lock(p_account_id), credits.burn_plan(p_account_id, priced.cost), 'charge',
      job_ids[1], null);
  elsif paid > 0 then
    insert into public.credit_ledger (account_id, seq, delta, balance_after, kind, grant_id, job_id, created_at, hash)
    values (p_account_id, seen.last_seq, -paid, seen.balance - paid, 'charge', seen.grant_id, job_ids[1],
      seen.last_entry_at, seen.last_hash);
    update public.credit_grants set remaining = seen.grant_remaining - paid, is_open = (seen.grant_remaining > paid)
    where account_id = p_account_id and id = seen.grant_id;
  end if;
  if asking_member is not null then
    perform credits.member_spend(p_account_id, asking_member, priced.cost, 'infinity');
  end if;
  result.status := 201;
  result.code := 'charged';
  result.job_id := job_ids[1];
  result.cost := priced.cost;
  result.balance := seen.balance - priced.cost;
  if result.balance < greatest(seen.low_balance_credits, 1) then
    perform credits.balance_announce(p_account_id, seen.balance, result.balance, seen.low_balance_credits);
  end if;
  result.job := jsonb_build_object('id', job_ids[1], 'model', priced.model, 'provider', priced.provider,
    'provider_model', priced.provider_model, 'type', priced.type, 'input', priced.input,
    'timeout_seconds', priced.timeout_seconds, 'max_output_bytes', priced.max_output_bytes, 'created_at', now());
  return result;
end;
$$;
comment on function public.atomic_charge_credits(uuid, text, jsonb, text, text, uuid, boolean) is
  'Charges an account for a generation and creates its job, in one transaction. Checks, in this order: member, '
  'idempotency, role and cap, rate limit, model and parameters, concurrency, balance. p_member_id: the team member '
  'who asks, with idempotency keys of their own; null or the account''s own user: no check. p_start: true if the '
  'caller starts the job at once: it is running from its charge on, and can be canceled only if its provider calls '
  'back. Expected outcomes are returned (see type credit_charge_result), so that the rate-limit count and the record '
  'of a denial stay. p_request_id: up to 128 characters, stored in generation_jobs or credit_request_events. Call it '
  'in FROM: "(f(…)).*" would call it once per column. Raises 22023 without an account or with a longer request id.';

-- supabase/schemas/07_charging/30_refund.sql
-- Gives: refund_credits, and the one rule by which a job's credits go back: refunds, and what a job did not use.
-- Keeps: 0 <= refunded <= cost (invariant 3); credits return to the grants that they came from, last consumed
-- first. Where such a grant has expired, a failure of ours costs the user nothing, once; no refund makes credits live
-- on otherwise.
-- Needs: granting, events, members, app keys; when called: generation, roll over.

create function credits.grace_end(p_source public.credit_grants)
returns timestamptz
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- The wall clock, not the transaction's: the caller may have waited for its lock.
  ends timestamptz := coalesce(p_source.grace_ends_at, clock_timestamp() + make_interval(secs => (
    select refund_grace_seconds from public.credit_settings)));
begin
  if p_source.grace_ends_at is null then
    update public.credit_grants set grace_ends_at = ends, seal = credits.grace_seal(seal, ends)
    where account_id = p_source.account_id and id = p_source.id;
  end if;
  return ends;
end;
$$;
comment on function credits.grace_end(public.credit_grants) is
  'When the grace period of an expired grant ends, which begins with the first that asks. The caller holds the '
  'account''s lock.';

create function credits.grace_grant(p_source public.credit_grants, p_amount bigint, p_ends_at timestamptz)
returns bigint
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_grants (account_id, kind, amount, priority, expires_at, grace_ends_at, makes_good, reason)
  values (p_source.account_id, 'refund', p_amount, p_source.priority, p_ends_at, '-infinity', p_source.id,
    format('refund to grant %s, which has expired', p_source.id))
  returning id;
$$;
comment on function credits.grace_grant(public.credit_grants, bigint, timestamptz) is
  'The grant in which credits of an expired one come back for its grace period, still empty.';

create function credits.refund_return(
  p_account public.credit_accounts, p_kind public.credit_entry_kind, p_job_id uuid, p_source public.credit_grants,
  p_amount bigint,
  p_reason text, p_details jsonb, p_grace boolean
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expired boolean;
  grace_ends_at timestamptz;
  in_grace boolean;
  lost bigint;
  repaid bigint;
  target bigint := p_source.id;
begin
  expired := coalesce(p_source.expires_at <= clock_timestamp(), false);
  grace_ends_at := case when expired and p_grace then credits.grace_end(p_source) end;
  in_grace := coalesce(grace_ends_at > clock_timestamp(), false);
  lost := case when expired and not in_grace then p_amount when p_grace then 0
    else credits.roll_over_excess(p_account, p_source, p_amount, p_job_id) end;
  repaid := least(p_account.overdraft_used, p_amount - lost);
  if repaid > 0 then
    p_account := credits.overdraft_fill(p_account, p_source.id, repaid, p_kind, p_job_id, p_reason,
      jsonb_build_object('source_grant_id', p_source.id) || p_details);
  end if;
  if repaid = p_amount then
    return p_account;
  end if;
  if in_grace then
    target := credits.grace_grant(p_source, p_amount - repaid, grace_ends_at);
    p_reason := concat_ws('; ', left(p_reason, 400), format('refund to grant %s, which has expired', p_source.id));
    p_details := jsonb_build_object('source_grant_id', p_source.id) || p_details;
  end if;
  p_account := credits.entry_append(p_account.id, p_amount - repaid, p_kind, target, p_job_id, p_reason,
    nullif(p_details, '{}'));
  if exists (select from credits.debts_owed where account_id = p_account.id and grant_id = p_source.id) then
    -- What was taken back of this very grant is owed no more: its credits have come back, expired or not.
    p_account := credits.debt_collect(p_account, target);
    lost := least(lost, (select remaining from public.credit_grants where account_id = p_account.id and id = target));
  end if;
  if lost > 0 then
    -- Back where they came from, and gone as they would be by now: both are to be seen.
    p_account := credits.grant_expire(p_account, target, lost, 'expiry',
      case when expired then 'grant expired before the refund' else 'beyond the roll-over cap' end);
  end if;
  return credits.debt_collect(p_account, target);
end;
$$;
comment on function credits.refund_return(public.credit_accounts, public.credit_entry_kind, uuid, public.credit_grants,
  bigint, text, jsonb, boolean) is
  'Gives credits back to the grant that they came from, filling the overdraft first. Where it has expired they '
  'expire at once, or with p_grace come back in a grant of their own until its grace period ends. Takes and returns '
  'the locked account.';

create function credits.refund_overdrawn(
  p_account public.credit_accounts, p_kind public.credit_entry_kind, p_job_id uuid, p_amount bigint, p_reason text,
  p_details jsonb, p_grace boolean
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  filler public.credit_grants;
  part bigint := least(p_account.overdraft_used, p_amount);
  rest bigint := p_amount - part;
begin
  p_details := p_details || '{"source_grant_id": 0}';
  if part > 0 then
    p_account := credits.overdraft_fill(p_account, null, part, p_kind, p_job_id, p_reason, p_details);
  end if;
  for filler in
    select * from public.credit_grants where account_id = p_account.id and repaid > 0 and rest > 0 order by id desc
  loop
    exit when rest = 0;
    part := least(filler.repaid, rest);
    rest := rest - part;
    update public.credit_grants set repaid = repaid - part where account_id = p_account.id and id = filler.id;
    p_account := credits.refund_return(p_account, p_kind, p_job_id, filler, part, p_reason,
      p_details || jsonb_build_object('repaid_to_grant_id', filler.id), p_grace);
  end loop;
  if rest > 0 then
    perform credits.raise_misuse('XX001',
      format('account %s was overdrawn by %s credits less than job %s says', p_account.id, rest, p_job_id),
      'The ledger and the grants disagree: look at reconciliation_discrepancies.');
  end if;
  return p_account;
end;
$$;
comment on function credits.refund_overdrawn(public.credit_accounts, public.credit_entry_kind, uuid, bigint, text,
  jsonb, boolean) is
  'Gives back what a job took out of the overdraft: to the overdraft, and what has been filled up since to the '
  'grants that filled it, the newest first. Takes and returns the locked account.';

create function credits.refund_book(
  p_account_id uuid, p_kind public.credit_entry_kind, p_job_id uuid, p_amount bigint, p_reason text, p_refund_key text,
  p_grace boolean,
  p_member_id uuid, p_charged_at timestamptz
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  home public.credit_grants;
  source record;
  part bigint;
  rest bigint := p_amount;
  details jsonb := case when p_refund_key is not null then jsonb_build_object('refund_key', p_refund_key) end;
begin
  for source in
    -- The grants that paid (0: the overdraft) and what each is still owed, last consumed first. A refund that
    -- went elsewhere than it came from names its source, so it counts against that.
    select coalesce((metadata ->> 'source_grant_id')::bigint, l.grant_id, 0) as grant_id,
      -sum(delta)::bigint as outstanding
    from public.credit_ledger as l where account_id = p_account_id and job_id = p_job_id
    group by 1 having sum(delta) < 0
    order by max(seq) filter (where delta < 0) desc
  loop
    exit when rest = 0;
    part := least(source.outstanding, rest);
    rest := rest - part;
    if exists (
      select from public.credit_accounts as a join public.credit_grants as g on g.account_id = a.id
        and g.id = source.grant_id
      where a.id = p_account_id and a.overdraft_used = 0 and a.debt = 0
        and (g.expires_at is null or g.expires_at > clock_timestamp()) and (p_grace or g.kind <> 'refill')) then
      -- As nearly always: nothing is overdrawn or owed, nothing has expired or rolled over.
      perform credits.entry_append(p_account_id, part, p_kind, source.grant_id, p_job_id, p_reason, details);
      continue;
    end if;
    select * into strict account from public.credit_accounts where id = p_account_id;
    if source.grant_id = 0 then
      perform credits.refund_overdrawn(account, p_kind, p_job_id, part, p_reason, coalesce(details, '{}'), p_grace);
    else
      select * into strict home from public.credit_grants where account_id = p_account_id and id = source.grant_id;
      perform credits.refund_return(account, p_kind, p_job_id, home, part, p_reason, coalesce(details, '{}'), p_grace);
    end if;
  end loop;
  if p_member_id is not null then
    perform credits.member_spend(p_account_id, p_member_id, -p_amount, p_charged_at);
  end if;
  perform credits.app_key_spend(p_account_id, p_job_id, -p_amount, p_charged_at);
  if rest <> 0 then
    perform credits.raise_misuse('XX001',
      format('job %s has %s credits less in the ledger than it should', p_job_id, rest),
      'The ledger and the job disagree: look at reconciliation_discrepancies.');
  end if;
end;
$$;
comment on function credits.refund_book(uuid, public.credit_entry_kind, uuid, bigint, text, text, boolean, uuid,
  timestamptz) is
  'Books in the ledger, source by source, what goes back of a charge. p_kind: release for what a job did not use, '
  'else refund. p_grace: the user is not to lose by it what has expired meanwhile, as the failure was none of '
  'theirs. p_member_id: who asked for the job, charged at p_charged_at. The caller holds the locks and updates the '
  'job.';

create function credits.refund_was_booked(p_job public.generation_jobs, p_refund_key text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from public.credit_ledger
    where account_id = p_job.account_id and job_id = p_job.id and metadata ->> 'refund_key' = p_refund_key);
end;
$$;
comment on function credits.refund_was_booked(public.generation_jobs, text) is
  'Whether a part of a job with this key was refunded before.';

create function public.refund_credits(
  p_job_id uuid,
  p_amount bigint default null,
  p_reason text default null
)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  refund_key text := format('%s:%s', p_amount, coalesce(p_reason, ''));
  amount bigint;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('refund_credits');
  end if;
  job := credits.job_lock(p_job_id);
  amount := least(coalesce(p_amount, job.cost), job.cost - job.refunded);
  if p_amount < 1 then
    perform credits.raise_misuse('22023', 'amount must be at least 1 credit',
      'Leave it out to refund all that is left.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  if amount = 0 and p_amount is null and job.status in ('pending', 'running') then
    -- A free model's, or one that was refunded in parts: it ends.
    return credits.job_end_refunded(job.id, 'canceled', null, p_reason);
  end if;
  if amount = 0 or (p_amount is not null and credits.refund_was_booked(job, refund_key)) then
    return credits.job_result(job, 'unchanged');
  end if;
  perform credits.refund_book(job.account_id, 'refund', job.id, amount, p_reason,
    case when p_amount is not null then refund_key end, true,
    job.member_id, job.created_at);
  perform credits.event_emit(job.account_id, 'job.refunded',
    jsonb_build_object('job_id', job.id, 'credits', amount, 'reason', p_reason));
  update public.generation_jobs
  set refunded = refunded + amount,
      status = case when status in ('pending', 'running') and refunded + amount = cost then 'canceled' else status end,
      ended_at = case when status in ('pending', 'running') and refunded + amount = cost then clock_timestamp()
        else ended_at end
  where id = job.id and account_id = job.account_id
  returning * into strict job;
  return credits.job_result(job, 'refunded');
end;
$$;
comment on function public.refund_credits(uuid, bigint, text) is
  'Refunds a job, in whole credits: all that is left (p_amount null), or a part, never more than was charged and not '
  'yet refunded. Idempotent: a second full refund moves nothing, and a part with the same amount and reason counts '
  'once (give another reason for another refund). A job that is still open and refunded whole ends as canceled. What '
  'has expired meanwhile comes back for its grace period: where a user changes their mind, call cancel_generation. '
  'Raises PT404 for an unknown job, 22023 for an amount below 1.';

-- supabase/schemas/07_charging/40_correction.sql
-- Gives: correct_job, which fixes a job whose entries do not add up.
-- Keeps: entries are added, never changed; a correction is booked once, and only as far as the credits are there.
-- Needs: burn down, refund; when called: due, counts.

create function credits.job_take_back(p_job public.generation_jobs, p_amount bigint, p_reason text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan credits.burn_plan;
begin
  perform credits.account_refill_due(p_job.account_id);
  select * into strict account from public.credit_accounts where id = p_job.account_id;
  plan := credits.burn_plan(account.id, p_amount);
  if plan.shortfall > account.credit_limit - account.overdraft_used then
    perform credits.raise_misuse('PT402',
      format('the account lacks %s of the credits to take back', plan.shortfall),
      'Wait for the next credits, or call grant_credits with kind adjustment first.');
  end if;
  perform credits.burn(account, plan, 'adjustment', p_job.id, p_reason);
end;
$$;
comment on function credits.job_take_back(public.generation_jobs, bigint, text) is
  'Takes credits that a job refunded too often out of the account, as a charge would. The caller holds the locks.';

create function credits.member_correct(p_job public.generation_jobs, p_most bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- From the jobs of the month: nothing else says whether a movement that was undone or booked by hand had been
  -- counted.
  update public.account_members as m
  set spent = m.spent + greatest(least(least(greatest(c.told, c.least), c.most) - c.told, p_most), -p_most)
  from credits.members_counted as c
  where m.account_id = p_job.account_id and m.user_id = p_job.member_id
    and c.account_id = m.account_id and c.user_id = m.user_id and c.month = m.spent_month;
end;
$$;
comment on function credits.member_correct(public.generation_jobs, bigint) is
  'Brings what a job''s member has spent in line with their jobs, by up to p_most credits: the correction of one job '
  'cannot explain more. The caller holds the account''s lock.';

create function public.correct_job(p_job_id uuid, p_reason text)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  missing bigint;
begin
  perform credits.caller_check('correct_job');
  job := credits.job_lock(p_job_id);
  perform credits.check_length('reason', coalesce(p_reason, ''), 1, 500);
  select job.refunded - job.cost - coalesce(sum(delta), 0) into strict missing
  from public.credit_ledger where account_id = job.account_id and job_id = job.id;
  if missing > 0 then
    perform credits.refund_book(job.account_id, 'refund', job.id, missing, p_reason, null, true, job.member_id,
      job.created_at);
  elsif missing < 0 then
    perform credits.job_take_back(job, -missing, p_reason);
  end if;
  perform credits.member_correct(job, abs(missing));
  return credits.job_result(job, case when missing = 0 then 'unchanged' else 'corrected' end);
end;
$$;
comment on function public.correct_job(uuid, text) is
  'Fixes a discrepancy of class job, where the job''s cost and refunded are right. Books what its entries lack (as a '
  'refund, to where the credits came from) or have too much (as an adjustment, out of the account''s grants), so that '
  'they add up to refunded - cost, and counts it towards the month of the member who asked for the job. Idempotent: '
  'if they add up already, nothing moves (unchanged). Raises PT404 for an unknown job, 22023 for a reason of other '
  'than 1 to 500 characters, PT402 when the account lacks the credits to take back.';

-- supabase/schemas/07_charging/45_actual_cost.sql
-- Gives: what a job really cost, and the charge of what exceeds its charge.
-- Keeps: a job is priced by the version that it was charged by; nothing is charged beyond cap, credits and overdraft.
-- Needs: metering, burn down, members, app keys, events; when called: due.

create function credits.usage_reported(p_usage jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  usage jsonb;
  bad_field text;
begin
  -- Within these bounds no price times usage passes a bigint.
  select jsonb_object_agg(f.key, f.value),
    min(f.key) filter (where case when jsonb_typeof(f.value) <> 'number' then true
      else f.value::numeric not between 0 and case when f.key in ('n', 'width', 'height') then 100000
        else 100000000 end end)
  into usage, bad_field
  from jsonb_each(p_usage) as f
  where f.key in ('n', 'width', 'height', 'seconds', 'input_tokens', 'cache_read_tokens', 'cache_write_tokens',
    'output_tokens', 'characters')
    and f.value <> 'null';
  if bad_field is not null then
    perform credits.raise_misuse('22023',
      format('actual usage: %s must be a number from 0 to 100000 (n, width, height) or 100000000', bad_field),
      'Report what the provider says that the job used; leave out what it does not say.');
  end if;
  return coalesce(usage, '{}');
end;
$$;
comment on function credits.usage_reported(jsonb) is
  'The fields of a reported usage that a price depends on, without nulls. Raises 22023 for one that is no number or '
  'out of bounds.';

create function credits.job_actual_cost(p_job public.generation_jobs, p_actual_cost bigint, p_actual_usage jsonb)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_actual_cost < 0 or jsonb_typeof(p_actual_usage) <> 'object' then
    perform credits.raise_misuse('22023', 'actual cost must be 0 or more, actual usage a JSON object',
      'Leave both out when the job cost what was charged.');
  end if;
  if p_actual_cost is not null or p_actual_usage is null then
    return coalesce(p_actual_cost, p_job.cost);
  end if;
  -- What the usage does not name is as it was asked for; but no request says what a cache gave.
  return coalesce((
    select credits.usage_cost(m.meters, m.prices,
      (p_job.input - array['cache_read_tokens', 'cache_write_tokens']) || credits.usage_reported(p_actual_usage))
    from public.generation_models as m
    where m.name = p_job.model and m.effective_from = p_job.price_effective_from), p_job.cost);
end;
$$;
comment on function credits.job_actual_cost(public.generation_jobs, bigint, jsonb) is
  'What a job really cost, by the price version that it was charged by. Raises 22023 for a negative cost or a bad '
  'usage.';

create function credits.charge_overage(p_job public.generation_jobs, p_actual_cost bigint)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
declare
  policy text;
  balance_before bigint;
  account public.credit_accounts;
  plan credits.burn_plan;
  extra bigint := p_actual_cost - p_job.cost;
  overdraft_left bigint;
begin
  select overage into strict policy from public.generation_models
  where name = p_job.model and effective_from = p_job.price_effective_from;
  perform credits.account_refill_due(p_job.account_id);
  select * into strict account from public.credit_accounts where id = p_job.account_id;
  -- Counted towards the month that the job was charged in, so bounded by what is left of that one.
  extra := least(extra, (
    select m.monthly_cap - credits.member_month_charged(m.account_id, m.user_id, p_job.created_at)
    from public.account_members as m
    where m.account_id = p_job.account_id and m.user_id = p_job.member_id and m.monthly_cap is not null), (
    -- Of a month that is over a key keeps no count.
    select case
      when date_trunc('month', p_job.created_at at time zone 'utc')::date >= credits.spending_month(k.spent_month)
      then k.monthly_cap - credits.spent_this_month(k.spent, k.spent_month) else 0 end
    from public.generation_usage as u
    join public.credit_app_keys as k on k.account_id = u.account_id and k.id = u.app_key_id
    where u.account_id = p_job.account_id and u.job_id = p_job.id and k.monthly_cap is not null));
  if policy = 'cap' or account.closed_at is not null or account.debt > 0 or extra <= 0 then
    return 0;
  end if;
  plan := credits.burn_plan(account.id, extra);
  -- What neither grants nor overdraft pay is not charged. Planned once: a grant may expire between two plans.
  overdraft_left := account.credit_limit - account.overdraft_used;
  extra := extra - greatest(plan.shortfall - overdraft_left, 0);
  plan.shortfall := least(plan.shortfall, overdraft_left);
  if extra > 0 then
    balance_before := account.balance;
    account := credits.burn(account, plan, 'charge', p_job.id, 'actual cost above the charge');
    perform credits.balance_announce(account.id, balance_before, account.balance);
    perform credits.member_spend(account.id, p_job.member_id, extra, p_job.created_at);
    perform credits.app_key_spend(account.id, p_job.id, extra, p_job.created_at);
  end if;
  return extra;
end;
$$;
comment on function credits.charge_overage(public.generation_jobs, bigint) is
  'Charges what a job cost beyond its charge, as its model''s overage policy, the caps of member and key, and the '
  'account''s credits and overdraft allow; nothing on an account that is closed or in debt. Returns how much. The '
  'caller holds the locks.';

-- supabase/schemas/07_charging/48_asking.sql
-- Gives: the note that a provider has a job, and the asks about jobs of which nothing was heard.
-- Keeps: a job that its provider has is refunded by a definite word, or after hard_timeout_seconds (invariant 4).
-- Needs: settings, price book, jobs, provider jobs.

create function credits.ask_after(p_asks integer, p_expected_by timestamptz, p_deadline_at timestamptz)
returns timestamptz
language plpgsql
set search_path = '', pg_temp
as $$
declare
  asked_at constant timestamptz := clock_timestamp();
begin
  return (
    select min(a.at)
    from (values (asked_at + make_interval(secs => 60 * least(2 ^ least(p_asks, 8), 15))), (p_expected_by),
      (p_deadline_at - interval '90 seconds')) as a (at)
    where a.at >= asked_at + interval '60 seconds');
end;
$$;
comment on function credits.ask_after(integer, timestamptz, timestamptz) is
  'When to ask about a job after so many asks: in 1, 2, 4, 8 and then 15 minutes, but also when it should have ended, '
  'and before its deadline.';

create function credits.provider_job_note(
  p_job public.generation_jobs, p_provider_job_id text, p_urls jsonb default null
)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expected_by constant timestamptz := p_job.deadline_at;
  hard_timeout integer := (
    select m.hard_timeout_seconds
    from public.credit_settings as s
    join public.generation_models as m on m.name = p_job.model and m.effective_from = p_job.price_effective_from
    where p_provider_job_id is not null and p_job.provider = any (s.callback_providers));
begin
  update public.generation_jobs
  set status = 'running', started_at = coalesce(started_at, clock_timestamp()), provider_job_id = p_provider_job_id,
    deadline_at = greatest(deadline_at, created_at + make_interval(secs => coalesce(hard_timeout, 0)))
  where id = p_job.id and account_id = p_job.account_id
  returning * into strict p_job;
  if hard_timeout is not null then
    insert into public.generation_provider_jobs as p (account_id, job_id, urls, expected_by, next_ask_at)
    values (p_job.account_id, p_job.id, p_urls, expected_by, credits.ask_after(0, expected_by, p_job.deadline_at))
    on conflict (account_id, job_id) do update set urls = coalesce(p.urls, excluded.urls);
  end if;
  return p_job;
end;
$$;
comment on function credits.provider_job_note(public.generation_jobs, text, jsonb) is
  'Notes that a provider has an open job, under its own id. Where that provider calls back, the job''s deadline '
  'becomes that of its model''s hard_timeout_seconds: until then the provider can be asked. The caller holds the '
  'job''s lock.';

create function credits.output_limit(p_model text, p_price_effective_from timestamptz)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select m.max_output_bytes from public.generation_models as m
  where m.name = p_model and m.effective_from = p_price_effective_from;
$$;
comment on function credits.output_limit(text, timestamptz) is
  'How many bytes one file of a job may have, by the price version that it was charged by.';

create type public.generation_provider_ask as (
  job_id uuid,
  account_id uuid,
  provider text,
  provider_job_id text,
  urls jsonb,
  cancel_requested boolean,
  input jsonb,
  max_output_bytes bigint
);
comment on type public.generation_provider_ask is
  'A job to ask its provider about. urls: the provider''s addresses, where it gave some. cancel_requested: its user '
  'wants it stopped. input: its request; max_output_bytes: how large one of its files may be.';

create function credits.provider_asks_due()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (
    select from public.generation_provider_jobs as p
    join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
    where p.next_ask_at <= clock_timestamp() and j.status in ('pending', 'running')
      and j.provider_job_id is not null);
$$;
comment on function credits.provider_asks_due() is 'Whether claim_provider_asks has something to give.';

create function public.claim_provider_asks(p_limit integer default 50)
returns setof public.generation_provider_ask
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('claim_provider_asks');
  return query
  with due as (
    select p.account_id, p.job_id, j.provider, j.provider_job_id, j.input, j.deadline_at, j.model,
      j.price_effective_from
    from public.generation_provider_jobs as p
    join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
    where p.next_ask_at <= clock_timestamp() and j.status in ('pending', 'running') and j.provider_job_id is not null
    order by p.next_ask_at limit least(greatest(p_limit, 0), 1000) for update of p skip locked
  ),
  asked as (
    update public.generation_provider_jobs as p
    set asks = p.asks + 1, asked_at = clock_timestamp(),
      next_ask_at = credits.ask_after(p.asks + 1, p.expected_by, d.deadline_at)
    from due as d where p.account_id = d.account_id and p.job_id = d.job_id
    returning p.job_id, p.account_id, d.provider, d.provider_job_id, p.urls, p.cancel_requested_at, d.input, d.model,
      d.price_effective_from
  )
  select a.job_id, a.account_id, a.provider, a.provider_job_id, a.urls, a.cancel_requested_at is not null, a.input,
    credits.output_limit(a.model, a.price_effective_from)
  from asked as a;
end;
$$;
comment on function public.claim_provider_asks(integer) is
  'Takes up to p_limit open jobs of which nothing was heard for their time, to ask their providers about, the longest '
  'due first: after a minute, then 2, 4, 8 and each 15 minutes, and once when a job should have ended. What comes of '
  'it goes to provider_answered. Two callers never get the same job; one that dies loses a turn. Takes no lock on an '
  'account or job.';

-- supabase/schemas/07_charging/50_generation.sql
-- Gives: the ways a job goes on and ends: start, settle, fail.
-- Keeps: a charge ends once, settled or refunded (invariant 4); a late result is never charged.
-- Needs: settings, files, refund, actual cost, asking.

create function credits.is_users_own_end(p_status public.generation_job_status, p_error jsonb)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- A prompt that its provider refuses is the user's doing as a cancel is: any number of them could be sent.
  return p_status = 'canceled'
    or coalesce('content_policy' in (p_error ->> 'code', p_error ->> 'reason'), false);
end;
$$;
comment on function credits.is_users_own_end(public.generation_job_status, jsonb) is
  'Whether a job ended without a result by its user''s doing: canceled, or refused for its content. Then expired '
  'credits get no grace period.';

create function credits.may_keep_late(p_job public.generation_jobs)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  -- Not of a job that its user ended: cancels would be a way to get results for nothing.
  select p_job.status in ('failed', 'expired') and p_job.output is null and p_job.erased_at is null
    and not credits.is_users_own_end(p_job.status, p_job.error)
    and (select late_outputs from public.credit_settings) = 'keep';
$$;
comment on function credits.may_keep_late(public.generation_jobs) is
  'Whether a result that comes after the refund goes to the user.';

create function credits.ended_files_delete(p_account_id uuid, p_job_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ended public.generation_jobs;
begin
  if not credits.has_storage() then
    return;
  end if;
  for ended in
    select j.* from public.generation_jobs as j
    where j.account_id = p_account_id and j.id = any (p_job_ids)
      and exists (select from credits.files_below(j.account_id || '/' || j.id))
  loop
    if not credits.may_keep_late(ended) then
      perform credits.deletions_add(p_account_id, array(
        select f.path from credits.files_below(ended.account_id || '/' || ended.id) as f (path)
        where not credits.file_is_kept(p_account_id, f.path)), 'orphan');
    end if;
  end loop;
end;
$$;
comment on function credits.ended_files_delete(uuid, uuid[]) is
  'Queues what is in the folders of jobs that have ended, and that they do not list, to be deleted: files that were '
  'kept before a refund, or after it, or after they were deleted. Their user can read them there. Not where a late '
  'result goes to the user.';

create function credits.job_end_refunded(p_job_id uuid, p_status public.generation_job_status,
  p_error jsonb, p_reason text)
returns public.generation_job_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job record;
  result public.generation_job_result;
begin
  select j.account_id, j.member_id, j.status, j.cost, j.cost - j.refunded as outstanding, j.refunded, j.created_at,
    a.balance into job
  from public.credit_accounts as a join public.generation_jobs as j on j.account_id = a.id
  where j.id = p_job_id for update of a, j;
  if not found then
    perform credits.raise_no_such_job();
  end if;
  if job.status not in ('pending', 'running') then
    result.job_id := p_job_id;
    result.account_id := job.account_id;
    result.code := 'unchanged';
    result.status := job.status;
    result.cost := job.cost;
    result.refunded := job.refunded;
    result.balance := job.balance;
    return result;
  end if;
  if job.outstanding > 0 then
    perform credits.refund_book(job.account_id, 'refund', p_job_id, job.outstanding, p_reason, null,
      not credits.is_users_own_end(p_status, p_error), job.member_id, job.created_at);
    perform credits.event_emit(job.account_id, 'job.refunded',
      jsonb_build_object('job_id', p_job_id, 'credits', job.outstanding, 'reason', p_reason));
  end if;
  update public.generation_jobs
  set status = p_status, refunded = cost, error = p_error, ended_at = clock_timestamp()
  where id = p_job_id and account_id = job.account_id
  returning id, account_id, status, status, cost, refunded
  into result.job_id, result.account_id, result.code, result.status, result.cost, result.refunded;
  perform credits.ended_files_delete(job.account_id, array[p_job_id]);
  select balance into strict result.balance from public.credit_accounts where id = job.account_id;
  return result;
end;
$$;
comment on function credits.job_end_refunded(uuid, public.generation_job_status, jsonb, text) is
  'Ends an open job without a result and refunds what is left of its cost, in one; for the grace period what has '
  'expired meanwhile, unless it was canceled or its prompt refused. A job that has ended stays as it is. Locks the '
  'account, then the job. Raises PT404 for an unknown job.';

create function public.start_generation(
  p_job_id uuid, p_provider_job_id text default null, p_provider_urls jsonb default null
)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('start_generation');
  end if;
  job := credits.job_lock(p_job_id);
  if length(p_provider_job_id) not between 1 and 255 then
    perform credits.raise_misuse('22023', 'the provider''s job id must have 1 to 255 characters',
      'Leave it out if the provider has none.');
  end if;
  if jsonb_typeof(p_provider_urls) <> 'object' or octet_length(p_provider_urls::text) > 8192
    or p_provider_urls @? '$.* ? (@.type() != "string")' then
    perform credits.raise_misuse('22023', 'the provider''s addresses must be an object of texts of at most 8 KiB',
      'Such as {"status": "https://…"}.');
  end if;
  -- What was started with its charge has no provider's id yet.
  if job.status <> 'pending'
    and (job.status <> 'running' or job.provider_job_id is not null or p_provider_job_id is null) then
    if job.status = 'running' and job.provider_job_id = p_provider_job_id and p_provider_urls is not null then
      perform credits.provider_job_note(job, p_provider_job_id, p_provider_urls); -- a callback was faster
    end if;
    return credits.job_result(job, 'unchanged');
  end if;
  return credits.job_result(credits.provider_job_note(job, p_provider_job_id, p_provider_urls), 'started');
end;
$$;
comment on function public.start_generation(uuid, text, jsonb) is
  'Marks a pending job as running at its provider, under the provider''s own id if it has one, and notes that id of '
  'a job that was started without. p_provider_urls: the provider''s own addresses of the job, by name. Once a provider '
  'that calls back has the job, it can be asked about it (claim_provider_asks), and the deadline is that of '
  'hard_timeout_seconds. Idempotent. Not needed before settle_generation. Raises PT404 for an unknown job, 22023 for a '
  'provider''s job id that is empty or too long, or addresses that are not texts.';

create function credits.job_settle_ended(p_job public.generation_jobs)
returns public.generation_job_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.ended_files_delete(p_job.account_id, array[p_job.id]);
  if p_job.status = 'succeeded' then
    return credits.job_result(p_job, 'unchanged');
  end if;
  update public.generation_jobs set late_settled_at = coalesce(late_settled_at, clock_timestamp())
  where id = p_job.id and account_id = p_job.account_id
  returning * into strict p_job;
  return credits.job_result(p_job, 'late');
end;
$$;
comment on function credits.job_settle_ended(public.generation_jobs) is
  'What a settlement does to a job that has ended: it queues files that the job does not list to be deleted, and '
  'notes that a result came after the refund. No credit moves.';

create function public.settle_generation(
  p_job_id uuid, p_output jsonb, p_actual_cost bigint default null, p_actual_usage jsonb default null
)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  result public.generation_job_result;
  actual bigint;
  extra bigint := 0;
  unused bigint := 0;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('settle_generation');
  end if;
  if p_output is null or p_output = 'null' then
    perform credits.raise_misuse('22023', 'a settled job needs an output',
      'Call fail_generation for a job without a result.');
  end if;
  if p_actual_cost is null and p_actual_usage is null then
    -- As charged, so that no credit moves: the job's own lock is enough, and the account's next charge need not wait.
    -- Nor does this ask for the account's lock where the job has ended meanwhile: it may have the job's, which comes
    -- after it.
    update public.generation_jobs
    set status = 'succeeded', output = p_output, actual_cost = cost, ended_at = clock_timestamp()
    where id = p_job_id and status in ('pending', 'running')
    returning id, account_id, 'settled', status, cost, refunded
    into result.job_id, result.account_id, result.code, result.status, result.cost, result.refunded;
    if found then
      perform credits.output_check(result.account_id, p_job_id, p_output);
      -- In a statement of its own: the one above may have waited for a refund of the job, and would tell the balance of
      -- before.
      select balance into result.balance from public.credit_accounts where id = result.account_id;
      return result;
    end if;
    select * into job from public.generation_jobs where id = p_job_id and status not in ('pending', 'running');
    if found then
      return credits.job_settle_ended(job);
    end if;
  end if;
  job := credits.job_lock(p_job_id);
  if job.status not in ('pending', 'running') then
    return credits.job_settle_ended(job);
  end if;
  perform credits.output_check(job.account_id, job.id, p_output);
  actual := credits.job_actual_cost(job, p_actual_cost, p_actual_usage);
  if actual > job.cost then
    extra := credits.charge_overage(job, actual);
  elsif job.cost - actual > job.refunded then
    unused := job.cost - actual - job.refunded;
    perform credits.refund_book(job.account_id, 'release', job.id, unused, 'actual cost below the charge', null, false,
      job.member_id, job.created_at);
  end if;
  update public.generation_jobs
  set status = 'succeeded', output = p_output, actual_cost = actual, cost = cost + extra,
      refunded = refunded + unused, ended_at = clock_timestamp(),
      seal = case when actual <> job.cost + extra then credits.job_seal(account_id, id, actual) end
  where id = job.id and account_id = job.account_id
  returning * into strict job;
  return credits.job_result(job, 'settled');
end;
$$;
comment on function public.settle_generation(uuid, jsonb, bigint, jsonb) is
  'Ends a job with its output. p_actual_cost (whole credits), or p_actual_usage in the fields that the model is '
  'priced by (n, width, height, seconds, input_tokens, of them cache_read_tokens and cache_write_tokens, '
  'output_tokens, characters), says what it really came to: what is below the charge is released at once (an entry '
  'of kind release; to a grant that has expired meanwhile: it expires); what is above is capped, or charged as far '
  'as credits and overdraft go, by the model''s overage. Idempotent: a second settle is unchanged; a settle after '
  'the refund is late: recorded, never charged. Raises PT404 for an unknown job, 22023 without an output, for one '
  'above 256 KiB or with a file of another job, or for a bad cost or usage.';

create function credits.failure_shown(p_error jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  given jsonb := case jsonb_typeof(p_error) when 'object' then p_error
    when 'string' then jsonb_build_object('message', p_error) else '{}' end;
  code text := coalesce(nullif(given ->> 'code', ''), 'provider_failed');
  failure jsonb := given
    || jsonb_build_object('code', code, 'message', given ->> 'message', 'reason', given ->> 'reason');
begin
  -- A provider's own words have no bound; refusing them would refuse the refund.
  if octet_length(failure::text) > 8192 then
    failure := jsonb_build_object(
      'code', left(code, 100), 'message', left(given ->> 'message', 1000), 'reason', left(given ->> 'reason', 100));
  end if;
  return jsonb_strip_nulls(failure);
end;
$$;
comment on function credits.failure_shown(jsonb) is
  'An error as it is kept and shown: an object without nulls, whose code is text, and its message and reason where '
  'there are any; a text becomes the message, any other form says nothing. Above 8 KiB these three are kept, cut.';

create function public.fail_generation(p_job_id uuid, p_error jsonb default null)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('fail_generation');
  end if;
  return credits.job_end_refunded(p_job_id, 'failed', credits.failure_shown(p_error), 'generation failed');
end;
$$;
comment on function public.fail_generation(uuid, jsonb) is
  'Ends a job as failed and refunds it whole, for the grace period what has expired meanwhile. p_error: {"code", '
  '"message", "reason"}, shown to the user: without a code it is provider_failed, a text alone is the message, and '
  'above 8 KiB it is cut. With content_policy as its code or reason (the provider refused the prompt) there is no '
  'grace period. Idempotent; a job that has ended is unchanged. Raises PT404 for an unknown job.';

-- supabase/schemas/07_charging/60_cancel.sql
-- Gives: cancel_generation, and the rules of who may cancel which job, and how often.
-- Keeps: beyond the free cancels of a day no provider works unpaid; a job that cannot be stopped counts as open to its
--   end.
-- Needs: settings, plans, accounts, provider jobs, asking, generation.

create function credits.may_cancel(p_job public.generation_jobs, p_member_id uuid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select p_member_id is null
    or exists (select from public.credit_accounts where id = p_job.account_id and user_id = p_member_id)
    or exists (
      select from public.account_members as m
      where m.account_id = p_job.account_id and m.user_id = p_member_id
        and (m.role in ('owner', 'admin')
          or (m.role = 'member' and m.monthly_cap is distinct from 0 and p_job.member_id = p_member_id)));
$$;
comment on function credits.may_cancel(public.generation_jobs, uuid) is
  'Whether a user may cancel a job: on their own account any job; in a team an owner or admin any job, a member who '
  'may spend their own.';

create function credits.cancel_count(p_account_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- The wall clock's day: the transaction may have begun on the day before.
  today constant date := (clock_timestamp() at time zone 'utc')::date;
begin
  update public.credit_accounts as a
  set cancels = case when a.cancels_on >= today then a.cancels else 0 end + 1,
      cancels_on = greatest(a.cancels_on, today)
  from public.credit_plans as p
  where a.id = p_account_id and p.name = a.plan
    and case when a.cancels_on >= today then a.cancels else 0 end < p.free_cancels_per_day;
  return found;
end;
$$;
comment on function credits.cancel_count(uuid) is
  'Uses one of the account''s free cancels of this day (UTC); false when none is left. The caller holds the '
  'account''s lock.';

create function credits.cancel_at_provider(p_job public.generation_jobs, p_acknowledged boolean)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  asked_at timestamptz := (select cancel_requested_at from public.generation_provider_jobs
    where account_id = p_job.account_id and job_id = p_job.id);
begin
  if asked_at is null and not credits.cancel_count(p_job.account_id) then
    return 'cancels_used_up';
  elsif p_acknowledged then
    return 'canceled';
  elsif asked_at is null then
    perform credits.provider_job_note(p_job, p_job.provider_job_id);
    update public.generation_provider_jobs
    set cancel_requested_at = clock_timestamp(),
      next_ask_at = least(next_ask_at, clock_timestamp() + interval '60 seconds')
    where account_id = p_job.account_id and job_id = p_job.id;
  end if;
  return 'cancel_requested';
end;
$$;
comment on function credits.cancel_at_provider(public.generation_jobs, boolean) is
  'Whether a job that a provider has is canceled: only once the provider has acknowledged it. The first request uses a '
  'free cancel and is noted. The caller holds the locks of account and job.';

create function public.cancel_generation(
  p_job_id uuid, p_member_id uuid default null, p_acknowledged boolean default false
)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  asked text;
begin
  perform credits.caller_check('cancel_generation');
  job := credits.job_lock(p_job_id);
  if not credits.may_cancel(job, p_member_id) then
    perform credits.raise_misuse('PT403', 'this user may not cancel the job',
      'A member who may spend can cancel their own jobs, an owner or admin of the team all jobs.');
  end if;
  if job.status = 'running' then
    -- Refunds of jobs that go on at their provider would be free work without limit.
    if job.provider <> all ((select callback_providers from public.credit_settings)::text[]) then
      return credits.job_result(job, 'job_running');
    elsif job.provider_job_id is not null then
      asked := credits.cancel_at_provider(job, p_acknowledged is true);
      if asked <> 'canceled' then
        return credits.job_result(job, asked);
      end if;
    elsif not credits.cancel_count(job.account_id) then
      return credits.job_result(job, 'cancels_used_up');
    end if;
  end if;
  return credits.job_end_refunded(job.id, 'canceled', '{"code": "canceled"}', 'generation canceled');
end;
$$;
comment on function public.cancel_generation(uuid, uuid, boolean) is
  'Ends a job as canceled and refunds it in full if it has not started. A job that runs at a provider that calls back '
  '(credit_settings.callback_providers) can be canceled as often per day as the plan''s free_cancels_per_day; beyond '
  'that: cancels_used_up. Once that provider has it, it goes on, and the answer is cancel_requested: ask the provider '
  'to stop it, and call again with p_acknowledged where it says that it has, or let receive_callback or '
  'provider_answered end it. It is refunded when it failed or was canceled there, and charged if it succeeds all the '
  'same. A job that another provider runs ends charged or refunded: job_running. p_member_id: who '
  'asks (on their own account any job; in a team an owner or admin any job, a member who may spend their own); null: '
  'no check of the person. Idempotent; a job that has ended is unchanged. To end any open job as an operator: '
  'refund_credits. Raises PT404 for an unknown job, PT403 when the member may not cancel it.';

-- supabase/schemas/07_charging/65_text_settle.sql
-- Gives: the progress of a text while it runs, and its end: settled by what was used, or given up.
-- Keeps: a text that was delivered is charged once, by the provider's numbers or by an estimate, also if the process
--   that ran it has died.
-- Needs: jobs, usage, settings, actual cost, generation.

create function public.note_generation_progress(p_job_id uuid, p_usage jsonb)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  noted jsonb;
begin
  perform credits.caller_check('note_generation_progress');
  if jsonb_typeof(p_usage) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'progress is a JSON object',
      'Such as {"input_tokens": 9, "output_tokens": 4}.');
  end if;
  noted := credits.usage_reported(p_usage);
  -- The row's own source is looked at again under its lock, so that no late note undoes a settlement.
  update public.generation_usage as u
  set usage = noted, usage_source = 'progress', noted_at = clock_timestamp()
  from public.generation_jobs as j
  where j.id = p_job_id and j.status in ('pending', 'running') and u.account_id = j.account_id and u.job_id = j.id
    and (u.usage_source is null
      or (u.usage_source = 'progress' and u.noted_at < clock_timestamp() - interval '1 second'));
  return found or exists (
    select from public.generation_jobs where id = p_job_id and status in ('pending', 'running'));
end;
$$;
comment on function public.note_generation_progress(uuid, jsonb) is
  'Notes what a text has used so far, by an estimate of what was delivered, so that the sweep can settle by it if '
  'the caller dies: call it every two seconds from the first token on. More than once a second is ignored. Returns '
  'whether the job is open: if not, stop the provider. Locks neither account nor job. Raises 22023 for a bad usage.';

create function credits.text_used(p_job public.generation_jobs, p_usage jsonb, p_usage_source text)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  used jsonb := credits.usage_reported(p_usage);
begin
  if p_usage_source = 'reported' then
    return used;
  end if;
  -- Delivered text is never free: an estimate counts a token at least of what the job was charged for.
  return used
    || jsonb_build_object('input_tokens', greatest((used ->> 'input_tokens')::numeric, 1))
    || case when p_job.input ? 'output_tokens'
      then jsonb_build_object('output_tokens', greatest((used ->> 'output_tokens')::numeric, 1)) else '{}' end;
end;
$$;
comment on function credits.text_used(public.generation_jobs, jsonb, text) is
  'The usage that a text is settled by. Reported: as it is, 0 included. Estimated: at least one token of each.';

create function public.settle_text(p_job_id uuid, p_usage jsonb, p_usage_source text, p_output jsonb default '{}')
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  used jsonb;
  result public.generation_job_result;
begin
  perform credits.caller_check('settle_text');
  if (jsonb_typeof(p_usage) = 'object' and jsonb_typeof(p_output) = 'object'
    and p_usage_source in ('reported', 'estimated')) is not true then
    perform credits.raise_misuse('22023', 'a text is settled by a usage and an output, both JSON objects',
      'p_usage_source is reported (the provider''s own numbers) or estimated.');
  end if;
  -- No lock yet: the settlement takes the account's first.
  select * into job from public.generation_jobs where id = p_job_id;
  used := credits.text_used(job, p_usage, p_usage_source);
  if p_output ? 'response' and (select text_store from public.credit_settings) <> 'full' then
    p_output := p_output - 'response';
  end if;
  result := public.settle_generation(p_job_id,
    p_output || jsonb_build_object('usage', used, 'usage_source', p_usage_source), null, used);
  if result.code = 'settled' then
    update public.generation_usage set usage = used, usage_source = p_usage_source, noted_at = clock_timestamp()
    where account_id = result.account_id and job_id = p_job_id;
  end if;
  return result;
end;
$$;
comment on function public.settle_text(uuid, jsonb, text, jsonb) is
  'Ends a text with what it used, as settle_generation does. p_usage_source: reported (the provider''s numbers: a '
  '0 is 0, a field that is missing counts as it was held) or estimated (of prompt and delivered text: at least one '
  'token each). p_output: small facts such as the finish reason; its response, the whole answer, is kept only with '
  'credit_settings.text_store full. Idempotent: unchanged the second time, late after a refund. Raises PT404 for '
  'an unknown job, 22023 for a bad usage, source or output.';

create function credits.text_settle_by_progress(p_account_id uuid, p_job_id uuid, p_finish_reason text)
returns public.generation_job_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  noted jsonb;
begin
  select usage into noted from public.generation_usage
  where account_id = p_account_id and job_id = p_job_id and usage_source = 'progress';
  if noted is null then
    return null;
  end if;
  return public.settle_text(p_job_id, noted, 'estimated', jsonb_build_object('finish_reason', p_finish_reason));
end;
$$;
comment on function credits.text_settle_by_progress(uuid, uuid, text) is
  'Settles a text by the progress that was noted last; null if none was: nothing was delivered. The caller holds the '
  'locks.';

create function public.abandon_text(p_job_id uuid)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  result public.generation_job_result;
begin
  perform credits.caller_check('abandon_text');
  job := credits.job_lock(p_job_id);
  if job.status in ('pending', 'running') then
    result := credits.text_settle_by_progress(job.account_id, job.id, 'canceled');
    if result.job_id is not null then
      return result;
    end if;
  end if;
  return credits.job_end_refunded(p_job_id, 'canceled',
    '{"code": "canceled", "message": "The client left before the first token."}', 'client left');
end;
$$;
comment on function public.abandon_text(uuid) is
  'Ends a text whose client left before anything was delivered: canceled and refunded whole, without a grace period. '
  'If progress was noted, something was delivered, and it is settled by that. Idempotent. Raises PT404 for an unknown '
  'job.';

-- supabase/schemas/07_charging/70_sweep.sql
-- Gives: the sweeper, which ends and refunds overdue jobs.
-- Keeps: every charge ends, settled or refunded by its deadline (invariant 4), even if the function or the provider
--   dies in between.
-- Needs: generation, text settle, bulk, usage, app keys, provider jobs.

create function credits.sweep_grace()
returns interval
language sql
immutable
set search_path = '', pg_temp
as $$
  select interval '5 minutes';
$$;
comment on function credits.sweep_grace() is
  'How long after its deadline a job may still be open, with a sweep every minute; after that alerts, metrics, checks '
  'and reconciliation report it.';

create function credits.deadline_exceeded()
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select '{"code": "deadline_exceeded", "message": "The generation did not end by its deadline."}'::jsonb;
$$;
comment on function credits.deadline_exceeded() is 'The error of a job that was swept.';

create function credits.job_sweep(p_account_id uuid, p_job_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  settled public.generation_job_result;
begin
  perform from public.credit_accounts where id = p_account_id for update skip locked;
  if not found then
    return false;
  end if;
  -- A settlement of the charged amount locks only its job: do not wait for it either.
  perform from public.generation_jobs
  where id = p_job_id and account_id = p_account_id and status in ('pending', 'running') for update skip locked;
  if not found then
    return false;
  end if;
  settled := credits.text_settle_by_progress(p_account_id, p_job_id, 'deadline');
  if settled.job_id is not null then
    return true;
  end if;
  perform credits.job_end_refunded(p_job_id, 'expired', credits.deadline_exceeded(), 'deadline exceeded');
  return true;
end;
$$;
comment on function credits.job_sweep(uuid, uuid) is
  'Ends one overdue job: a text of which something was delivered is settled by its progress, any other job expires '
  'and is refunded. False when its account or the job is busy (the next sweep takes it) or the '
  'job has ended meanwhile.';

create function credits.jobs_sweep(p_account_ids uuid[], p_job_ids uuid[])
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  free_ids uuid[];
  movements credits.movement[];
begin
  free_ids := array(select id from public.credit_accounts
    where id = any (p_account_ids) and overdraft_used = 0 and debt = 0 order by id for update skip locked);
  -- A statement of its own, so that it sees what the last holder of a lock has committed.
  with due as materialized (
    select j.account_id, j.id, j.cost, j.deadline_at
    from unnest(p_account_ids, p_job_ids) as d (account_id, id)
    join public.generation_jobs as j on j.id = d.id and j.account_id = d.account_id
      and j.status in ('pending', 'running') and j.refunded = 0
    where d.account_id = any (free_ids)
      -- What was delivered of a text is charged: one by one.
      and not exists (select from public.generation_usage as u
        where u.account_id = j.account_id and u.job_id = j.id and u.usage_source = 'progress')
    for update of j skip locked
  )
  select array_agg(row(d.account_id, d.place, d.cost, 'refund', d.grant_id, d.id,
    'deadline exceeded')::credits.movement)
  into movements
  from (
    select d.*, l.grant_id, row_number() over (partition by d.account_id order by d.deadline_at, d.id) as place
    from due as d
    cross join lateral (
      select min(e.grant_id) as grant_id, count(*) as entries, -sum(e.delta) as paid from public.credit_ledger as e
      where e.account_id = d.account_id and e.job_id = d.id) as l
    join public.credit_grants as g on g.account_id = d.account_id and g.id = l.grant_id
    where l.entries = 1 and l.paid = d.cost and (g.expires_at is null or g.expires_at > clock_timestamp())
  ) as d;
  if movements is null then
    return '{}'::uuid[];
  end if;
  update public.credit_grants as g set remaining = g.remaining + m.credits, is_open = true
  from (select account_id, grant_id, sum(delta) as credits from unnest(movements) group by 1, 2) as m
  where g.account_id = m.account_id and g.id = m.grant_id;
  perform from credits.movements_book(movements);
  perform credits.member_spend(j.account_id, j.member_id, -j.cost, j.created_at)
  from unnest(movements) as m join public.generation_jobs as j on j.id = m.job_id and j.account_id = m.account_id
  where j.member_id is not null;
  perform credits.app_key_spend(u.account_id, u.job_id, -m.delta, j.created_at)
  from unnest(movements) as m join public.generation_jobs as j on j.id = m.job_id and j.account_id = m.account_id
  join public.generation_usage as u on u.account_id = j.account_id and u.job_id = j.id and u.app_key_id is not null;
  insert into public.credit_events (account_id, type, payload)
  select m.account_id, 'job.refunded', jsonb_build_object('account_id', m.account_id, 'job_id', m.job_id,
    'credits', m.delta, 'reason', m.reason)
  from unnest(movements) as m;
  update public.generation_jobs as j
  set status = 'expired', refunded = j.cost, error = credits.deadline_exceeded(), ended_at = clock_timestamp()
  from unnest(movements) as m where j.id = m.job_id and j.account_id = m.account_id;
  perform credits.ended_files_delete(m.account_id, array_agg(m.job_id)) from unnest(movements) as m
  group by m.account_id;
  return array(select m.job_id from unnest(movements) as m);
end;
$$;
comment on function credits.jobs_sweep(uuid[], uuid[]) is
  'Expires and refunds, all together, the overdue jobs that one grant paid whole and nothing has happened to since, '
  'whose account is not busy and owes nothing; returns their ids.';

create function credits.jobs_overdue(p_limit integer, out account_ids uuid[], out job_ids uuid[])
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  salt constant bigint := extract(epoch from clock_timestamp()) * 1000;
begin
  -- The order of accounts changes with each run: an account whose refund takes the whole run does not always hold up
  -- the same others.
  select array_agg(d.account_id), array_agg(d.id) into account_ids, job_ids
  from (
    select account_id, id from public.generation_jobs
    where status in ('pending', 'running') and deadline_at <= now()
    order by uuid_hash_extended(account_id, salt), account_id, deadline_at, id
    limit least(greatest(p_limit, 0), 100000)) as d;
end;
$$;
comment on function credits.jobs_overdue(integer) is
  'Up to p_limit open jobs past their deadline, the accounts in random order, each one''s jobs together.';

create function credits.provider_jobs_clear(p_limit integer)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  delete from public.generation_provider_jobs
  where (account_id, job_id) in (
    select p.account_id, p.job_id from public.generation_provider_jobs as p
    where p.next_ask_at <= clock_timestamp() and not exists (select from public.generation_jobs as j
      where j.id = p.job_id and j.account_id = p.account_id and j.status in ('pending', 'running'))
    order by p.next_ask_at limit p_limit for update of p skip locked);
end;
$$;
comment on function credits.provider_jobs_clear(integer) is
  'Deletes what is known of jobs at their providers that have ended, once they would be due to be asked about.';

create function public.sweep_overdue_jobs(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- For the other rows that a refund may wait for, such as a grant that is being announced.
set lock_timeout = '1s'
as $$
declare
  -- The accounts stay locked until the run ends, and their charges wait. The next run does the rest.
  ends_at constant timestamptz := clock_timestamp() + interval '10 seconds';
  account_ids uuid[];
  job_ids uuid[];
  done uuid[];
  due record;
  first integer := 1;
  last integer := 1;
  swept integer := 0;
begin
  perform credits.caller_check('sweep_overdue_jobs');
  select * into account_ids, job_ids from credits.jobs_overdue(p_limit);
  <<run>>
  while first <= cardinality(job_ids) and clock_timestamp() < ends_at loop
    -- Small batches first, so that a refund which takes the whole run does not undo all others; accounts whole.
    last := first + least(first, 256) - 1;
    while account_ids[last + 1] = account_ids[last] loop
      last := last + 1;
    end loop;
    begin
      done := credits.jobs_sweep(account_ids[first:last], job_ids[first:last]);
    exception
      when query_canceled then
        -- The statement timed out or was canceled. Earlier refunds stay.
        raise warning 'jobs % were not refunded in time, and the run ends', job_ids[first:last]
          using errcode = sqlstate;
        exit run;
      when others then
        done := '{}'::uuid[];
        raise notice 'jobs are refunded one by one: %', sqlerrm;
    end;
    swept := swept + cardinality(done);
    for due in
      select d.account_id, d.id from unnest(account_ids[first:last], job_ids[first:last]) as d (account_id, id)
      where d.id <> all (done)
    loop
      exit run when clock_timestamp() > ends_at;
      begin
        swept := swept + credits.job_sweep(due.account_id, due.id)::integer;
      exception
        when query_canceled then
          raise warning 'job % was not refunded in time, and the run ends', due.id using errcode = sqlstate;
          exit run;
        when others then
          -- A job whose books are wrong stays open, where alerts and reconciliation see it. The others go on.
          raise warning 'job % cannot be refunded: %', due.id, sqlerrm using errcode = sqlstate;
      end;
    end loop;
    first := last + 1;
  end loop;
  perform credits.provider_jobs_clear(10000);
  return swept;
end;
$$;
comment on function public.sweep_overdue_jobs(integer) is
  'Expires and refunds up to p_limit jobs past their deadline, for ten seconds at most; returns how many. A text of '
  'which something was delivered is settled by its progress instead. Plain ones '
  'are ended together, in batches; where a batch raises, and what is not plain, one by one. A job that cannot be '
  'refunded, or not within a second''s wait for a lock, stays open with a warning, and so does a batch during which '
  'the statement times out; the others stay refunded. Safe to run during traffic and more than once at a time: it '
  'never waits for a busy account. Meant to run every minute.';

-- supabase/schemas/07_charging/80_callbacks.sql
-- Gives: receive_callback and provider_answered, which apply what a provider says to its job, and keep_late_output.
-- Keeps: a charge ends once (invariant 4), also if callbacks and answers come late, repeatedly or out of order.
-- Needs: files, uploads, generation, provider jobs, asking.

create type public.generation_callback_result as (
  job_id uuid,
  code text,
  status public.generation_job_status,
  input jsonb,
  account_id uuid,
  max_output_bytes bigint
);
comment on type public.generation_callback_result is
  'What a provider''s word did. code: running (the job is open), failed or canceled (refunded now), unchanged (it had '
  'ended before, as status says), late (a result that came after the refund: recorded, not charged) or late_keep '
  '(keep it by keep_late_output). With running and late_keep: input, the job''s request, and max_output_bytes, how '
  'large one of its files may be.';

create function credits.callback_result(p_job public.generation_jobs, p_code text)
returns public.generation_callback_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.generation_callback_result;
begin
  result.job_id := p_job.id;
  result.code := p_code;
  result.status := p_job.status;
  result.account_id := p_job.account_id;
  if p_code in ('running', 'late_keep') then
    result.input := p_job.input;
    result.max_output_bytes := credits.output_limit(p_job.model, p_job.price_effective_from);
  end if;
  return result;
end;
$$;
comment on function credits.callback_result(public.generation_jobs, text) is 'A job as a provider''s word left it.';

create function credits.provider_word_late(p_job public.generation_jobs, p_word text)
returns public.generation_callback_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_word <> 'succeeded' or p_job.status = 'succeeded' then
    return credits.callback_result(p_job, 'unchanged');
  end if;
  perform credits.job_settle_ended(p_job);
  return credits.callback_result(p_job, case when credits.may_keep_late(p_job) then 'late_keep' else 'late' end);
end;
$$;
comment on function credits.provider_word_late(public.generation_jobs, text) is
  'What a provider''s word does to a job that has ended: it notes a result after the refund. Moves no credit.';

create function credits.provider_word(p_job public.generation_jobs, p_word text, p_error jsonb)
returns public.generation_callback_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  noted public.generation_provider_jobs;
  ended public.generation_job_result;
begin
  update public.generation_provider_jobs
  set last_answer = p_word, last_error = case p_word when 'unknown' then credits.failure_shown(p_error) end
  where account_id = p_job.account_id and job_id = p_job.id
  returning * into noted;
  if p_word = 'canceled' or (p_word = 'failed' and noted.cancel_requested_at is not null) then
    if noted.cancel_requested_at is not null then
      ended := credits.job_end_refunded(p_job.id, 'canceled', '{"code": "canceled"}', 'generation canceled');
    else
      ended := public.fail_generation(p_job.id, p_error);
    end if;
  elsif p_word = 'failed' then
    ended := public.fail_generation(p_job.id, p_error);
  end if;
  p_job.status := coalesce(ended.status, p_job.status);
  return credits.callback_result(p_job, coalesce(ended.code, 'running'));
end;
$$;
comment on function credits.provider_word(public.generation_jobs, text, jsonb) is
  'What a provider''s word does to an open job that it has: failed and canceled refund it, as its user''s own doing '
  'where the user had asked to cancel it. The caller holds the job''s lock.';

create function public.receive_callback(
  p_job_id uuid, p_provider text, p_provider_job_id text, p_outcome text, p_error jsonb default null
)
returns public.generation_callback_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  perform credits.caller_check('receive_callback');
  if (p_outcome in ('running', 'succeeded', 'failed', 'canceled')) is not true
    or (length(p_provider_job_id) between 1 and 255) is not true then
    perform credits.raise_misuse('22023',
      'a callback needs the provider''s job id, of 1 to 255 characters, and an outcome',
      'The outcome is running, succeeded, failed or canceled.');
  end if;
  job := credits.job_lock(p_job_id);
  if job.provider is distinct from p_provider or job.provider_job_id <> p_provider_job_id then
    -- The same error as for an unknown id: the caller learns nothing about the jobs of others.
    perform credits.raise_misuse('PT404', 'no such job',
      'A callback must name a job of its own provider, by the id that the provider gave it first.');
  end if;
  if job.status not in ('pending', 'running') then
    return credits.provider_word_late(job, p_outcome);
  end if;
  -- Also if the callback arrives before the submission is recorded, or if that record was lost.
  if job.status = 'pending' or job.provider_job_id is null then
    job := credits.provider_job_note(job, p_provider_job_id);
  end if;
  -- It need not be asked about for a while: after succeeded it is being fetched.
  update public.generation_provider_jobs
  set next_ask_at = greatest(next_ask_at, credits.ask_after(0, expected_by, job.deadline_at))
  where account_id = job.account_id and job_id = job.id;
  return credits.provider_word(job, p_outcome, p_error);
end;
$$;
comment on function public.receive_callback(uuid, text, text, text, jsonb) is
  'Applies a provider''s report on a job: p_outcome running, succeeded, failed or canceled (p_error: {"code", '
  '"message"}, shown to the user). Stores the provider''s own id of the job if it is not known yet. failed and '
  'canceled end and refund the job; after succeeded, call settle_generation with the output if the result is running, '
  'and keep_late_output if it is late_keep. Idempotent; the first end stays. Raises PT404 for an unknown job, or one '
  'of another provider or under another of its ids; 22023 for an unknown outcome, or an id that is missing or too '
  'long.';

create function public.provider_answered(
  p_job_id uuid, p_provider text, p_provider_job_id text, p_answer text, p_error jsonb default null
)
returns public.generation_callback_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  perform credits.caller_check('provider_answered');
  if (p_answer in ('running', 'unknown', 'succeeded', 'failed', 'canceled')) is not true then
    perform credits.raise_misuse('22023', 'an answer is running, unknown, succeeded, failed or canceled',
      'unknown is what cannot be told: the provider did not answer, or does not know the job.');
  end if;
  job := credits.job_lock(p_job_id);
  if (job.provider = p_provider and job.provider_job_id = p_provider_job_id) is not true then
    perform credits.raise_misuse('PT404', 'no such job', 'Name a job that claim_provider_asks gave, as it gave it.');
  end if;
  if job.status not in ('pending', 'running') then
    return credits.provider_word_late(job, p_answer);
  end if;
  -- Its provider still works on it: the deadline is the hard one, also where somebody had set an earlier one.
  if p_answer = 'running' and job.deadline_at <= clock_timestamp() then
    job := credits.provider_job_note(job, p_provider_job_id);
  end if;
  return credits.provider_word(job, p_answer, p_error);
end;
$$;
comment on function public.provider_answered(uuid, text, text, text, jsonb) is
  'Applies a provider''s answer about a job that claim_provider_asks gave. failed and canceled refund it; after '
  'succeeded, call settle_generation with the output if the result is running, and keep_late_output if it is '
  'late_keep. running and unknown wait: the job is refunded when hard_timeout_seconds of its model are over; p_error '
  'says why it is unknown. Idempotent; the first end stays. Raises PT404 for an unknown job, one of another '
  'provider or under another id; 22023 for an unknown answer.';

create function public.keep_late_output(p_job_id uuid, p_output jsonb)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  perform credits.caller_check('keep_late_output');
  if jsonb_typeof(p_output) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'an output is a JSON object', 'Put files in Storage and pass their paths.');
  end if;
  job := credits.job_lock(p_job_id);
  perform credits.output_check(job.account_id, job.id, p_output);
  -- A file that is queued to be deleted is gone, or may be in a moment.
  if not credits.may_keep_late(job) or exists (
    select from credits.output_files(p_output) as f
    where exists (select from credits.storage_deletions as d where d.path = f.path)
      or credits.has_storage() and credits.file_differs(f.path, null, null) = 'not_found') then
    return false;
  end if;
  update public.generation_jobs
  set output = p_output, late_settled_at = coalesce(late_settled_at, clock_timestamp())
  where id = job.id and account_id = job.account_id;
  return true;
end;
$$;
comment on function public.keep_late_output(uuid, jsonb) is
  'Gives a refunded job the result that came late; its status and refund stay. False where it may not have one: it is '
  'open, has succeeded, was canceled or refused for its content, was erased, has an output already, '
  'credit_settings.late_outputs is drop, or a file is not in Storage or is queued to be deleted. Raises '
  'PT404 for an unknown job, 22023 for an output that is no object or too large.';

-- supabase/schemas/07_charging/90_batch.sql
-- Gives: a batch of charges of one account in one call.
-- Keeps: all or nothing, or each by itself, as requested; every rule is that of a single charge.
-- Needs: charge; when called: due.

create function credits.batch_check(p_requests jsonb)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if jsonb_typeof(p_requests) is distinct from 'array' or jsonb_array_length(p_requests) not between 1 and 1000 then
    perform credits.raise_misuse('22023', 'a batch is a JSON array of 1 to 1000 requests',
      'Each is {"model", "input"} and, if wanted, "idempotency_key", "request_id", "member_id".');
  end if;
  if exists (
    select from jsonb_array_elements(p_requests) as r (value)
    where r.value ->> 'member_id' !~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'
  ) then
    perform credits.raise_misuse('22023', 'a member_id of this batch is no UUID',
      'Pass the id of the auth user who asks, or leave it out.');
  end if;
  perform credits.check_length('request_id', r.value ->> 'request_id', 0, 128)
  from jsonb_array_elements(p_requests) as r (value);
end;
$$;
comment on function credits.batch_check(jsonb) is 'Raises 22023 unless p_requests is a valid batch.';

create function credits.batch_undone(
  p_result public.credit_charge_result, p_member_id uuid, p_request_id text, p_model text
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Balance and job as they are without the batch, which may have opened the account. A stranger is told no balance.
  if p_result.balance is not null then
    perform credits.account_lock(p_result.account_id);
    perform credits.account_refill_due(p_result.account_id);
    perform credits.account_expire(p_result.account_id) where p_result.code = 'insufficient_credits';
    select balance into strict p_result.balance from public.credit_accounts where id = p_result.account_id;
  end if;
  p_result.job_id := (select id from public.generation_jobs
    where id = p_result.job_id and account_id = p_result.account_id);
  if p_result.code = 'insufficient_credits' and p_result.debt is null then
    p_result.message := format('The batch costs more than the %s credits that are there. Nothing was charged.',
      p_result.balance);
  end if;
  perform credits.request_record(p_result, p_member_id, p_request_id, p_model);
  return p_result;
end;
$$;
comment on function credits.batch_undone(public.credit_charge_result, uuid, text, text) is
  'Describes and records the denial that ends an all-or-nothing batch, after the batch is undone.';

create function public.atomic_charge_credits_batch(
  p_account_id uuid, p_requests jsonb, p_all_or_nothing boolean default true
)
returns setof public.credit_charge_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  request record;
  result public.credit_charge_result;
  results public.credit_charge_result[] := array[]::public.credit_charge_result[];
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('atomic_charge_credits_batch');
  end if;
  perform credits.batch_check(p_requests);
  -- Locked first, so that nothing comes between the requests. A due refill stays booked, even if the batch is undone.
  perform from public.credit_accounts where id = p_account_id for update;
  perform credits.account_refill_due(p_account_id);
  begin
    for request in
      select r.value ->> 'model' as model, r.value -> 'input' as input, r.value ->> 'request_id' as request_id,
        r.value ->> 'idempotency_key' as idempotency_key, (r.value ->> 'member_id')::uuid as member_id
      from jsonb_array_elements(p_requests) with ordinality as r (value, place) order by r.place
    loop
      result := public.atomic_charge_credits(p_account_id, request.model, request.input, request.idempotency_key,
        request.request_id, request.member_id);
      if p_all_or_nothing is not false and result.status >= 400 then
        raise exception using errcode = 'XXBTC', message = 'the batch is undone';
      end if;
      results := results || result;
    end loop;
  exception when sqlstate 'XXBTC' then
    return next credits.batch_undone(result, request.member_id, request.request_id, request.model);
    return;
  end;
  return query select * from unnest(results);
end;
$$;
comment on function public.atomic_charge_credits_batch(uuid, jsonb, boolean) is
  'Charges up to 1000 jobs of one account in one call. p_requests: [{"model", "input", "idempotency_key", '
  '"request_id", "member_id"}]. p_all_or_nothing (null: true): the first denial undoes the whole batch and is the '
  'only result returned; otherwise each request has its own result, in the order of the requests. Every request '
  'counts towards the rate limit, unless the batch is undone. Raises 22023 for a batch that is not an array of 1 to '
  '1000 requests, a member_id that is not a UUID or a request_id of more than 128 characters.';

-- supabase/schemas/07_charging/92_text_terms.sql
-- Gives: text_terms, which answers before a text is charged: who asks, and which model; and account_models.
-- Keeps: an app key is judged in one place, for text and images alike.
-- Needs: app keys, price book, denials, settings, plans, accounts.

create type credits.text_model as (
  name text,
  effective_from timestamptz,
  provider text,
  provider_model text,
  timeout_seconds integer,
  max_input_tokens integer,
  max_output_tokens integer,
  default_output_tokens integer,
  image_tokens integer,
  reasons boolean,
  max_n integer,
  meters text[],
  prices numeric[]
);

create function credits.text_model_in_force(p_model text)
returns credits.text_model
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  model credits.text_model;
  is_text boolean;
begin
  select m.name, m.effective_from, m.provider, m.provider_model, m.timeout_seconds, m.max_input_tokens,
    m.max_output_tokens, m.default_output_tokens, m.image_tokens, m.reasons, m.max_n, m.meters, m.prices,
    m.enabled and m.type = 'text'
  into model.name, model.effective_from, model.provider, model.provider_model, model.timeout_seconds,
    model.max_input_tokens, model.max_output_tokens, model.default_output_tokens, model.image_tokens, model.reasons,
    model.max_n, model.meters, model.prices, is_text
  from public.generation_models as m
  where m.name = p_model and m.effective_from <= now() order by m.effective_from desc limit 1;
  if is_text and model.meters && array['input_token', 'output_token']
    and not model.meters && array['second', 'character'] then
    return model;
  end if;
  return null;
end;
$$;
comment on function credits.text_model_in_force(text) is
  'The price version in force of an enabled text model, with its meters and prices; null for '
  'another model. A text model is paid by tokens and makes nothing else.';

create function credits.app_key_denial(p_key public.credit_app_keys, p_model text, p_cost bigint)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return coalesce(credits.app_key_state(p_key), case
    when p_key.models is not null and p_model is not null and p_model <> all (p_key.models) then 'model_not_in_key'
    when p_key.monthly_cap = 0 or credits.spent_this_month(p_key.spent, p_key.spent_month) + p_cost > p_key.monthly_cap
      then 'key_cap_reached' end);
end;
$$;
comment on function credits.app_key_denial(public.credit_app_keys, text, bigint) is
  'Why an app key may not spend p_cost credits on a model; null if it may. Without a cost only a cap of 0 is reached.';

create type public.generation_text_terms as (
  status integer,
  code text,
  message text,
  account_id uuid,
  member_id uuid,
  app_key_id uuid,
  provider text,
  provider_model text,
  timeout_seconds integer,
  max_input_tokens integer,
  max_output_tokens integer,
  default_output_tokens integer,
  image_tokens integer,
  reasons boolean,
  max_n integer,
  meters text[],
  store text,
  charge_interrupted boolean
);
comment on type public.generation_text_terms is
  'Answer of text_terms. status and code: 200 ok; 400 invalid_model; 401 invalid_app_key; 402 key_cap_reached; 403 '
  'account_closed, not_a_member, not_allowed_to_spend, model_not_in_key. With 200: the account, member and key that '
  'charge_text is called with, the model, and the settings that text depends on.';

create function public.text_terms(p_key_hash text, p_account_id uuid, p_member_id uuid, p_model text)
returns public.generation_text_terms
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  app_key public.credit_app_keys;
  model credits.text_model;
  denial text;
  terms public.generation_text_terms;
begin
  perform credits.caller_check('text_terms');
  terms.account_id := p_account_id;
  terms.member_id := p_member_id;
  if p_key_hash is not null then
    if p_key_hash ~ '^[0-9a-f]{64}$' then
      select * into app_key from public.credit_app_keys where hash = decode(p_key_hash, 'hex');
    end if;
    denial := credits.app_key_denial(app_key, p_model, null);
    terms.account_id := app_key.account_id;
    terms.member_id := app_key.member_id;
    terms.app_key_id := app_key.id;
  end if;
  if denial is null and p_model is not null then
    model := credits.text_model_in_force(p_model);
    denial := case when model.name is null then 'invalid_model' end;
  end if;
  if denial is not null then
    select null::uuid, null::uuid, null::uuid, d.status, d.code, d.message
    into terms.account_id, terms.member_id, terms.app_key_id, terms.status, terms.code, terms.message
    from credits.denials as d where d.code = denial;
    return terms;
  end if;
  select 200, 'ok', model.provider, model.provider_model, model.timeout_seconds, model.max_input_tokens,
    model.max_output_tokens, model.default_output_tokens, model.image_tokens, model.reasons, model.max_n,
    model.meters, s.text_store,
    s.charge_interrupted_text
  into terms.status, terms.code, terms.provider, terms.provider_model, terms.timeout_seconds, terms.max_input_tokens,
    terms.max_output_tokens, terms.default_output_tokens, terms.image_tokens, terms.reasons, terms.max_n, terms.meters,
    terms.store, terms.charge_interrupted
  from public.credit_settings as s;
  return terms;
end;
$$;
comment on function public.text_terms(text, uuid, uuid, text) is
  'What a function needs to know before it charges a text. p_key_hash: the SHA-256 of an app key in hex, which says '
  'who asks; null: p_account_id and p_member_id do, and charge_text judges them. p_model null: only the key is looked '
  'at. Counts towards no limit, locks nothing.';

create function public.account_models(p_account_id uuid, p_app_key_id uuid default null)
returns table (
  name text, provider text, effective_from timestamptz, rates jsonb, max_input_tokens integer,
  max_output_tokens integer, default_output_tokens integer, makes text
)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('account_models');
  return query
  select m.name, m.provider, m.effective_from, r.rates, m.max_input_tokens, m.max_output_tokens,
    m.default_output_tokens,
    case when m.type = 'text' and r.rates ? 'input_token' and not r.rates ? 'output_token' then 'embedding'
      else m.type end
  from (select distinct on (v.name) v.* from public.generation_models as v where v.effective_from <= now()
    order by v.name, v.effective_from desc) as m
  cross join lateral (
    select jsonb_object_agg(p.meter, jsonb_build_object('price', p.price, 'per', p.per)) as rates
    from public.generation_model_rates as p where p.model = m.name and p.effective_from = m.effective_from) as r
  where m.enabled and m.name = any (coalesce((
      select l.allowed_models from public.credit_plans as l
      where l.name = coalesce((select a.plan from public.credit_accounts as a where a.id = p_account_id), 'default')),
    array[m.name]))
    and (p_app_key_id is null or exists (select from public.credit_app_keys as k
      where k.account_id = p_account_id and k.id = p_app_key_id and m.name = any (coalesce(k.models, array[m.name]))))
  order by m.name;
end;
$$;
comment on function public.account_models(uuid, uuid) is
  'The models that an account may use now, by its plan and, if one is named, an app key''s models, with their rates '
  'and limits; makes: text, embedding, image, video or speech.';

-- supabase/schemas/07_charging/93_key_charge.sql
-- Gives: charges by an app key.
-- Keeps: every rule is that of atomic_charge_credits, which is called; a key spends no more than its monthly cap.
-- Needs: charge, text terms, app keys, usage.

create function credits.input_of_key(
  p_account_id uuid, p_member_id uuid, p_idempotency_key text, p_input jsonb
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  job_ids constant uuid[] := credits.job_ids(p_account_id, p_member_id, p_idempotency_key,
    case when p_member_id is null then p_input end);
begin
  if p_idempotency_key is null then
    return null;
  end if;
  return (select j.input from public.generation_jobs as j
    where j.id in (job_ids[1], job_ids[2]) and j.account_id = p_account_id limit 1);
end;
$$;
comment on function credits.input_of_key(uuid, uuid, text, jsonb) is
  'The input of the job that an idempotency key has already; null if it is new.';

create function credits.charge_with_key(
  p_account_id uuid, p_member_id uuid, p_app_key_id uuid, p_model text, p_input jsonb, p_idempotency_key text,
  p_request_id text, p_start boolean, p_is_text boolean
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  app_key public.credit_app_keys;
  result public.credit_charge_result;
begin
  if p_account_id is null then
    perform credits.raise_misuse('22023', 'an account is needed', 'Pass the account_id that text_terms returned.');
  end if;
  if p_app_key_id is not null then
    -- The account before the key, and only where what it has spent is judged.
    perform from public.credit_accounts as a where a.id = p_account_id and exists (
      select from public.credit_app_keys
      where account_id = p_account_id and id = p_app_key_id and monthly_cap is not null) for update;
    select * into app_key from public.credit_app_keys where account_id = p_account_id and id = p_app_key_id;
    p_member_id := app_key.member_id;
    result.code := credits.app_key_denial(app_key, p_model, case
      when app_key.monthly_cap is not null
        and credits.input_of_key(p_account_id, p_member_id, p_idempotency_key, p_input) is null
        then coalesce((credits.request_price(p_model, p_input)).cost, 1) end);
    if result.code is not null then
      select d.status, d.message into strict result.status, result.message
      from credits.denials as d where d.code = result.code;
      result.account_id := p_account_id;
      perform credits.request_record(result, p_member_id, p_request_id, p_model);
      return result;
    end if;
  end if;
  result := public.atomic_charge_credits(p_account_id, p_model, p_input, p_idempotency_key, p_request_id, p_member_id,
    p_start);
  if result.status = 201 and (p_is_text or p_app_key_id is not null) then
    insert into public.generation_usage (account_id, job_id, app_key_id)
    values (p_account_id, result.job_id, p_app_key_id) on conflict do nothing;
    -- Not for a charge that is answered again.
    if found and p_app_key_id is not null then
      perform credits.app_key_spend(p_account_id, result.job_id, result.cost, 'infinity');
    end if;
  end if;
  return result;
end;
$$;
comment on function credits.charge_with_key(uuid, uuid, uuid, text, jsonb, text, text, boolean, boolean) is
  'Charges as atomic_charge_credits does, by an app key if one is named: then its member asks, and its models and cap '
  'are judged first. Notes the key with the job, and that the job is a text.';


create function public.charge_by_app_key(
  p_account_id uuid, p_app_key_id uuid, p_model text, p_input jsonb, p_idempotency_key text default null,
  p_request_id text default null, p_start boolean default false
)
returns public.credit_charge_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('charge_by_app_key');
  if p_app_key_id is null or jsonb_typeof(p_input) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'a key and an input as a JSON object are needed',
      'Pass the app_key_id that text_terms returned.');
  end if;
  perform credits.check_length('request_id', p_request_id, 0, 128);
  return credits.charge_with_key(p_account_id, null, p_app_key_id, p_model, p_input - 'asked_by', p_idempotency_key,
    p_request_id, p_start, false);
end;
$$;
comment on function public.charge_by_app_key(uuid, uuid, text, jsonb, text, text, boolean) is
  'Charges a generation that is no text by an app key: as atomic_charge_credits, after the key''s own checks, '
  'which deny with 401 invalid_app_key, 402 key_cap_reached or 403 model_not_in_key. Raises 22023 without a key or '
  'an input.';

-- supabase/schemas/07_charging/94_text_hold.sql
-- Gives: how much a text holds: the most that it may cost, or what is there.
-- Keeps: nothing here moves a credit; a hold never exceeds what is there, unless the charge is to deny it.
-- Needs: charge, text terms, app keys, members, burn down, metering.

create function credits.text_available(p_account_id uuid, p_member_id uuid, p_app_key_id uuid, out available bigint,
  out refill_is_due boolean)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  select case when t.debt > 0 then 0 else t.credit_limit - t.overdraft_used + (
      select coalesce(sum(g.remaining), 0) from credits.spendable_grants as g where g.account_id = p_account_id) end,
    t.refill_is_due
  into available, refill_is_due
  from credits.charge_terms as t where t.account_id = p_account_id;
  available := least(available, (
      select m.monthly_cap - credits.spent_this_month(m.spent, m.spent_month) from public.account_members as m
      where m.account_id = p_account_id and m.user_id = p_member_id and m.monthly_cap is not null), (
      select k.monthly_cap - credits.spent_this_month(k.spent, k.spent_month) from public.credit_app_keys as k
      where k.account_id = p_account_id and k.id = p_app_key_id and k.monthly_cap is not null));
end;
$$;
comment on function credits.text_available(uuid, uuid, uuid) is
  'What a text may cost at most now: credits and overdraft, within the member''s and the key''s cap; null for an '
  'account that is not open yet. And whether monthly credits are due.';

create type credits.text_hold as (
  input_tokens bigint,
  output_tokens bigint,
  affordable bigint,
  is_whole boolean
);

create function credits.text_hold(p_model credits.text_model, p_request jsonb, p_available bigint)
returns credits.text_hold
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  -- Credits for 9,000,000 of each, so that nothing is rounded (credits.usage_cost).
  input_rate numeric;
  output_rate numeric;
  request_rate numeric;
  choices constant bigint := coalesce((p_request ->> 'n')::bigint, 1);
  most constant bigint := p_model.max_output_tokens / choices;
  named constant bigint := (p_request ->> 'output_tokens')::bigint;
  estimate constant bigint := (p_request ->> 'input_estimate')::bigint;
  room numeric;
  hold credits.text_hold;
begin
  select coalesce(max(r.rate) filter (where r.meter in ('input_token', 'cache_read_token', 'cache_write_token')), 0),
    coalesce(sum(r.rate) filter (where r.meter = 'output_token'), 0),
    coalesce(sum(r.rate) filter (where r.meter = 'request'), 0)
  into input_rate, output_rate, request_rate
  from unnest(p_model.meters, p_model.prices) as r (meter, rate);
  hold.input_tokens := (p_request ->> 'input_tokens')::bigint;
  -- The model takes no more: beyond it the estimate decides.
  if estimate <= p_model.max_input_tokens then
    hold.input_tokens := least(hold.input_tokens, p_model.max_input_tokens);
  end if;
  hold.output_tokens := case
    when (p_request ->> 'embedding')::boolean or not 'output_token' = any (p_model.meters) then 0
    else coalesce(named, greatest(least(p_model.default_output_tokens, most), 1)) end;
  room := coalesce(p_available::numeric, 'infinity') * 9000000.0 - request_rate;
  hold.affordable := case when hold.output_tokens = 0 then null when output_rate = 0 then most
    else greatest(least(div(room - estimate * input_rate, output_rate * choices), most), 0) end;
  hold.is_whole := hold.input_tokens * input_rate + hold.output_tokens * choices * output_rate <= room;
  if hold.is_whole then
    return hold;
  end if;
  -- By the estimate, with as much of the bound as is there. What still does not fit is denied by the charge.
  hold.output_tokens := case when named is not null or hold.output_tokens = 0 then hold.output_tokens
    else greatest(least(hold.output_tokens, hold.affordable), 1) end;
  hold.input_tokens := case when input_rate = 0 then hold.input_tokens else greatest(estimate, least(hold.input_tokens,
    div(room - hold.output_tokens * choices * output_rate, input_rate))) end;
  return hold;
end;
$$;
comment on function credits.text_hold(credits.text_model, jsonb, bigint) is
  'How many tokens a text holds, output per choice, with p_available credits (null: unknown). Whole: the input''s '
  'bound and the named maximum, or the model''s default. Where that does not fit: the input''s estimate, or more of '
  'its bound as far as it fits, and where no maximum is named as much output as can be afforded. affordable: output '
  'tokens per choice, by the estimate.';

create function credits.text_request(p_request jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  most constant integer := 1000000000;
  fields jsonb;
begin
  fields := jsonb_build_object('input_tokens', credits.integer_field(p_request -> 'input_tokens', 1, most),
    'input_estimate', credits.integer_field(p_request -> 'input_estimate', 1, most),
    'output_tokens', credits.integer_field(p_request -> 'output_tokens', 1, most),
    'n', coalesce(credits.integer_field(p_request -> 'n', 1, 100), '1'),
    'embedding', p_request -> 'embedding' is not distinct from 'true');
  if fields @? '$.* ? (@.type() == "string")' or fields -> 'input_tokens' = 'null'
    or jsonb_typeof(p_request) <> 'object' then
    perform credits.raise_misuse('22023', 'a text request needs whole numbers of tokens',
      'input_tokens (the most); input_estimate, output_tokens per choice and n (1 to 100) if known.');
  end if;
  return p_request || fields || jsonb_build_object('input_estimate',
    least((fields ->> 'input_estimate')::integer, (fields ->> 'input_tokens')::integer));
end;
$$;
comment on function credits.text_request(jsonb) is
  'Reads what charge_text and quote_text are asked: whole numbers of tokens. Raises 22023 for anything else.';

create function credits.text_input(
  p_request jsonb, p_hold credits.text_hold, p_known jsonb, p_is_server boolean, p_store text
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  body_hash jsonb := case when p_store <> 'none' and p_request ? 'sha256'
    then jsonb_build_object('request_sha256', left(p_request ->> 'sha256', 64)) else '{}' end;
begin
  -- A repeat is compared as a whole: with what the first request held, and its own body.
  if p_known is not null then
    return p_known - array['cache_read_tokens', 'cache_write_tokens', 'request']
      || case when p_known ? 'request_sha256' then body_hash else '{}' end;
  end if;
  return jsonb_strip_nulls(jsonb_build_object('type', 'text', 'prompt', '(not kept)',
      'input_tokens', p_hold.input_tokens,
      'n', coalesce((p_request ->> 'n')::integer, 1),
      -- At least 1: without a number, the charge would hold the most that the model gives.
      'output_tokens', greatest(p_hold.output_tokens * coalesce((p_request ->> 'n')::integer, 1), 1),
      'max_cost', p_request -> 'max_cost',
      'asked_by', case when p_is_server and p_request ->> 'asked_by' = 'server' then 'server' end)) || body_hash;
end;
$$;
comment on function credits.text_input(jsonb, credits.text_hold, jsonb, boolean, text) is
  'The input of a text''s job: counts, no word of the conversation. p_known: the input of the job that has the key.';

-- supabase/schemas/07_charging/95_text_charge.sql
-- Gives: charge_text, the charge of a text.
-- Keeps: every rule is that of atomic_charge_credits, which is called; no word of a conversation is kept, unless the
-- settings say so.
-- Needs: key charge, text hold, settings; when called: due.

create type public.generation_text_charge as (
  status integer,
  code text,
  message text,
  account_id uuid,
  job_id uuid,
  cost bigint,
  balance bigint,
  required bigint,
  debt bigint,
  errors jsonb,
  retry_after_seconds integer,
  rate_limit integer,
  rate_window_seconds integer,
  rate_remaining integer,
  rate_reset_seconds integer,
  job jsonb,
  output_tokens integer,
  affordable_output_tokens bigint
);
comment on type public.generation_text_charge is
  'Answer of charge_text: that of a charge (credit_charge_result), and output_tokens: the most that each choice '
  'may have, to be sent to the provider (null: nothing to limit); with a 402 affordable_output_tokens: the most '
  'that could be paid per choice. Beside the codes of a charge: 401 invalid_app_key, 402 key_cap_reached, 403 '
  'model_not_in_key, 409 answer_not_kept.';

create function credits.text_answer(
  p_result public.credit_charge_result, p_model credits.text_model, p_request jsonb, p_member_id uuid,
  p_app_key_id uuid
)
returns public.generation_text_charge
language plpgsql
set search_path = '', pg_temp
as $$
declare
  answer public.generation_text_charge;
begin
  answer := jsonb_populate_record(answer, to_jsonb(p_result));
  if p_result.status = 402 then
    answer.affordable_output_tokens := (credits.text_hold(p_model, p_request,
      coalesce((credits.text_available(p_result.account_id, p_member_id, p_app_key_id)).available, 0))).affordable;
  elsif p_result.status = 201 and not (p_request ->> 'embedding')::boolean
    and 'output_token' = any (p_model.meters) then
    answer.output_tokens := (p_result.job -> 'input' ->> 'output_tokens')::bigint
      / (p_result.job -> 'input' ->> 'n')::bigint;
  elsif p_result.code = 'replayed' and p_result.job ->> 'status' = 'succeeded'
    and not coalesce(p_result.job -> 'output' ? 'response', false) then
    select d.status, d.code, d.message into strict answer.status, answer.code, answer.message
    from credits.denials as d where d.code = 'answer_not_kept';
  end if;
  return answer;
end;
$$;
comment on function credits.text_answer(public.credit_charge_result, credits.text_model, jsonb, uuid, uuid) is
  'The answer to a text''s charge, with the output that it may have or that could be paid.';

create function public.charge_text(
  p_account_id uuid, p_member_id uuid, p_app_key_id uuid, p_model text, p_request jsonb,
  p_idempotency_key text default null, p_request_id text default null
)
returns public.generation_text_charge
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  request jsonb;
  model credits.text_model;
  store text;
  known jsonb;
  there record;
  hold credits.text_hold;
  result public.credit_charge_result;
begin
  perform credits.caller_check('charge_text');
  request := credits.text_request(p_request);
  perform credits.check_length('request_id', p_request_id, 0, 128);
  if p_app_key_id is not null then
    p_member_id := (select member_id from public.credit_app_keys
      where account_id = p_account_id and id = p_app_key_id);
    request := request - 'asked_by';
  end if;
  model := credits.text_model_in_force(p_model);
  select text_store into strict store from public.credit_settings;
  known := credits.input_of_key(p_account_id, p_member_id, p_idempotency_key, request);
  if known is null and model.name is not null then
    there := credits.text_available(p_account_id, p_member_id, p_app_key_id);
    hold := credits.text_hold(model, request, there.available);
    -- Only what does not fit waits for the account, to book the month's credits.
    if not hold.is_whole and there.refill_is_due
      and (p_member_id is null or credits.member_denial(p_account_id, p_member_id, 0, false) is null) then
      perform credits.account_lock(p_account_id);
      perform credits.account_refill_due(p_account_id);
      there := credits.text_available(p_account_id, p_member_id, p_app_key_id);
      hold := credits.text_hold(model, request, there.available);
    end if;
  end if;
  -- A model that makes no text is priced by nobody: the charge denies it.
  result := credits.charge_with_key(p_account_id, p_member_id, p_app_key_id,
    case when known is not null or model.name is not null then p_model else '' end,
    credits.text_input(request, hold, known, p_member_id is null, store), p_idempotency_key, p_request_id, true, true);
  if result.status = 201 and store = 'full' and p_request ? 'body' then
    update public.generation_jobs set input = input || jsonb_build_object('request', p_request -> 'body')
    where id = result.job_id and account_id = p_account_id and not input ? 'request';
  end if;
  return credits.text_answer(result, model, request, p_member_id, p_app_key_id);
end;
$$;
comment on function public.charge_text(uuid, uuid, uuid, text, jsonb, text, text) is
  'Charges a text and creates its job, which is running at once. p_request: input_tokens (the most that the input '
  'can count), input_estimate (what it probably counts), and if named output_tokens (the maximum per choice), n, '
  'max_cost, sha256 (of the body), body, embedding. Holds the most that this can cost; where that is not there but '
  'the estimate is, what is there. Without a named maximum a choice gets the model''s default_output_tokens, or '
  'what can be afforded. p_app_key_id: the app key that asks, of p_account_id. Otherwise as atomic_charge_credits. '
  'Raises 22023 for a bad request.';

-- supabase/schemas/07_charging/96_text_quote.sql
-- Gives: quote_text, which says what a conversation would cost: at least, probably and at most.
-- Keeps: the most is what a charge would hold; nothing here moves a credit or counts towards a limit.
-- Needs: text terms, text hold, quote.

create type public.generation_text_quote as (
  status integer,
  code text,
  message text,
  model text,
  least bigint,
  likely bigint,
  most bigint,
  output_tokens bigint,
  errors jsonb
);
comment on type public.generation_text_quote is
  'Answer of quote_text: 200 quoted; 400 invalid_model or invalid_request, with errors; 409 price_changed: it may '
  'cost more than the request''s max_cost. In whole credits: most is what a charge holds, likely what the estimate '
  'and the named maximum or the model''s default come to, least one token per choice, with the input out of a '
  'cache where that is cheaper. output_tokens: the most that each choice may have.';

create function public.quote_text(p_model text, p_request jsonb)
returns public.generation_text_quote
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  request constant jsonb := credits.text_request(p_request);
  choices constant bigint := (request ->> 'n')::bigint;
  model constant credits.text_model := credits.text_model_in_force(p_model);
  hold credits.text_hold;
  priced credits.priced_request;
  estimate constant bigint := (request ->> 'input_estimate')::bigint;
  usage jsonb;
  quote public.generation_text_quote;
begin
  if model.name is null then
    priced := credits.request_refused('invalid_model',
      '[{"field": "model", "message": "must be the name of an enabled text model"}]');
  else
    hold := credits.text_hold(model, request, null);
    priced := credits.request_price(p_model, credits.text_input(request, hold, null, false, 'none'));
  end if;
  quote.status := priced.status;
  quote.code := priced.code;
  quote.message := priced.message;
  quote.model := priced.model;
  quote.most := priced.cost;
  quote.errors := priced.errors;
  if priced.status <> 200 then
    return quote;
  end if;
  usage := jsonb_build_object('input_tokens', estimate, 'output_tokens',
    least(hold.output_tokens, model.default_output_tokens) * choices);
  quote.likely := least(credits.usage_cost(model.meters, model.prices, usage), quote.most);
  usage := usage || jsonb_build_object('output_tokens', least(hold.output_tokens, 1) * choices);
  quote.least := least(credits.usage_cost(model.meters, model.prices, usage),
    credits.usage_cost(model.meters, model.prices, usage || jsonb_build_object('cache_read_tokens', estimate)));
  quote.output_tokens := nullif(hold.output_tokens, 0);
  return quote;
end;
$$;
comment on function public.quote_text(text, jsonb) is
  'What a text would cost now; p_request as charge_text takes it. Users may call it. Says nothing of a balance: what '
  'is not there is held no more (see charge_text). Raises 22023 for a request that is not of whole numbers.';

-- supabase/schemas/08_sign_up/10_persons.sql
-- Gives: what tells one person from another: mailbox, phone number, identity at a provider, and their hashes.
-- Keeps: no address is stored, only its HMAC under a secret that the owner alone reads.
-- Needs: foundation; table auth.users, and auth.identities where there is one.

create function credits.mailbox(p_email text)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Every large provider delivers name+tag@ to name@, and Gmail ignores dots. Blanks and a dot at the end of the domain
  -- mean nothing.
  select case
    when e.name = '' or e.domain = '' then null
    when e.domain in ('gmail.com', 'googlemail.com') then replace(e.name, '.', '') || '@gmail.com'
    else e.name || '@' || e.domain
  end
  from (
    select regexp_replace(substring(a.address from '^(.*)@'), '^([^+]+)\+.*$', '\1') as name,
      rtrim(substring(a.address from '@([^@]*)$'), '.') as domain
    from (select regexp_replace(lower(p_email), '\s', '', 'g') as address) as a
  ) as e;
$$;
comment on function credits.mailbox(text) is
  'The mailbox behind an address: in lower case, without a tag, blanks and a dot at the end. null if there is no '
  'address.';

create table credits.secrets (
  name text primary key,
  secret bytea not null check (octet_length(secret) = 32)
);
comment on table credits.secrets is
  'Secrets of this installation, made when it was installed. Only the owner reads them. With a new secret no stored '
  'address would be recognized.';
alter table credits.secrets enable row level security;
-- Two random UUIDs: 244 bits that nobody can guess, without pgcrypto.
insert into credits.secrets values ('mailbox', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

create function credits.address_hash(p_address text)
returns bytea
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.hmac_sha256(s.secret, convert_to(p_address, 'UTF8'))
  from credits.secrets as s where s.name = 'mailbox';
$$;
comment on function credits.address_hash(text) is
  'The stored form of an address: enough to recognize it, too little to find it out.';

create function credits.person_addresses(p_person jsonb)
returns bytea[]
language sql
stable
set search_path = '', pg_temp
as $$
  -- If Auth has no column for confirmation, an address needs none. Sorted, so that concurrent sign-ups do not wait for
  -- each other.
  select coalesce(array_agg(credits.address_hash(a.address) order by credits.address_hash(a.address)), '{}')
  from (values
    (credits.mailbox(p_person ->> 'email'), 'email_confirmed_at'),
    ('tel:' || nullif(regexp_replace(p_person ->> 'phone', '\D', '', 'g'), ''), 'phone_confirmed_at')
  ) as a (address, confirmed)
  where a.address is not null and (not p_person ? a.confirmed or p_person ->> a.confirmed is not null);
$$;
comment on function credits.person_addresses(jsonb) is
  'The hashes of the confirmed addresses (mailbox, phone number) of a row of auth.users.';

create function credits.person_identities(p_user_id uuid)
returns bytea[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  identities regclass := to_regclass('auth.identities');
begin
  if identities is null or not has_table_privilege(identities, 'select') then
    return null;
  end if;
  -- As JSON: an older Auth has the user's id at the provider in column id. The identities of Auth's own two providers
  -- only repeat the user.
  return array(
    select credits.address_hash(concat_ws(':', 'identity', i.provider,
      coalesce(to_jsonb(i) ->> 'provider_id', to_jsonb(i) ->> 'id')))
    from auth.identities as i where i.user_id = p_user_id and i.provider not in ('email', 'phone'));
end;
$$;
comment on function credits.person_identities(uuid) is
  'The hashes of a user''s identities at other providers (auth.identities); null if Auth keeps none or we may not '
  'read them.';

create function credits.is_confirmed(p_person jsonb)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select not coalesce((p_person ->> 'is_anonymous')::boolean, false)
    and cardinality(credits.person_addresses(p_person)) > 0;
$$;
comment on function credits.is_confirmed(jsonb) is
  'Whether a row of auth.users is a user with a confirmed address who is not anonymous.';

create function credits.has_no_address(p_person jsonb)
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  select not coalesce((p_person ->> 'is_anonymous')::boolean, false)
    and coalesce(p_person ->> 'email', '') = '' and coalesce(p_person ->> 'phone', '') = '';
$$;
comment on function credits.has_no_address(jsonb) is
  'Whether a row of auth.users is a user of whom Auth asks no address (a wallet, some providers): there is nothing to '
  'confirm.';

create function credits.has_identity_to_come(p_person jsonb)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select (credits.has_no_address(p_person)
    or coalesce(p_person -> 'raw_app_meta_data' ->> 'provider' not in ('email', 'phone'), false))
    and cardinality(credits.person_identities((p_person ->> 'id')::uuid)) = 0;
$$;
comment on function credits.has_identity_to_come(jsonb) is
  'Whether a row of auth.users is a user of a provider whose identity Auth has not written yet: it does so after the '
  'user, in the same transaction.';

create function credits.person_hashes(p_person jsonb)
returns bytea[]
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.person_addresses(p_person) || credits.person_identities((p_person ->> 'id')::uuid);
$$;
comment on function credits.person_hashes(jsonb) is
  'The hashes of a user''s confirmed addresses and identities (a row of auth.users): each gets the sign-up grant once.';

-- supabase/schemas/08_sign_up/15_sign_up_grants.sql
-- Gives: the sign-up grant of a user with a confirmed address; the list of who had one; grant_due_sign_ups for users
--   who wait.
-- Keeps: an address, or an identity at a provider, gets one sign-up grant, also after a deletion or an erasure; not
--   many more per hour than the limit; no sign-up waits.
-- Needs: request events, granting, persons; table auth.users.

create table public.credit_sign_up_grants (
  account_id uuid primary key,
  created_at timestamptz not null default now()
);
-- The sign-up grants of the last hour: credits.sign_up_grants_left.
create index credit_sign_up_grants_by_time on public.credit_sign_up_grants (created_at);
comment on table public.credit_sign_up_grants is
  'Accounts that had a sign-up grant. A row stays after the deletion of its user and the erasure of the account.';
alter table public.credit_sign_up_grants enable row level security;

create table credits.sign_up_addresses (
  address_hash bytea primary key,
  account_id uuid not null references public.credit_sign_up_grants (account_id) on delete cascade
);
-- The addresses of an account that is erased.
create index sign_up_addresses_by_account on credits.sign_up_addresses (account_id);
comment on table credits.sign_up_addresses is
  'Every address (mailbox or phone number) that a user with a sign-up grant has confirmed, and every identity at a '
  'provider that they have had, at the time of the grant or since. None of them gets the sign-up grant again.';
comment on column credits.sign_up_addresses.address_hash is
  'HMAC-SHA256 of the address or identity under a secret that only the owner reads, so that nobody finds it by trying.';
alter table credits.sign_up_addresses enable row level security;

create table credits.sign_ups_due (
  account_id uuid primary key,
  requested_at timestamptz not null default clock_timestamp()
);
-- Who has waited longest: grant_due_sign_ups.
create index sign_ups_due_by_time on credits.sign_ups_due (requested_at);
comment on table credits.sign_ups_due is
  'Users who wait for their sign-up grant: the hour''s limit was reached, Auth has not written their identity yet, or '
  'something failed. grant_due_sign_ups serves them.';
alter table credits.sign_ups_due enable row level security;

create function credits.may_have_sign_up_grant(p_person jsonb)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.is_confirmed(p_person) or credits.has_no_address(p_person);
$$;
comment on function credits.may_have_sign_up_grant(jsonb) is
  'Whether a row of auth.users is a user who is not anonymous and whose address is confirmed, or of whom Auth asks '
  'none.';

create function credits.sign_up_grants_left()
returns integer
language sql
stable
set search_path = '', pg_temp
as $$
  -- Counted without a lock: Auth may send its mail before it commits, and no sign-up must wait for another. So
  -- concurrent sign-ups may exceed the limit.
  select case when s.sign_up_grants_per_hour is not null then greatest(s.sign_up_grants_per_hour - (
    select count(*) from (
      select from public.credit_sign_up_grants where created_at > now() - interval '1 hour'
      limit s.sign_up_grants_per_hour
    ) as recent), 0) end::integer
  from public.credit_settings as s;
$$;
comment on function credits.sign_up_grants_left() is
  'How many sign-up grants are left of this hour''s limit; null: no limit.';

create function credits.had_sign_up_grant(p_account_id uuid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from public.credit_sign_up_grants where account_id = p_account_id)
    or exists (select from public.credit_grants where external_ref = 'sign-up:' || p_account_id);
$$;
comment on function credits.had_sign_up_grant(uuid) is 'Whether an account has had its sign-up grant.';

create function credits.sign_up_give(p_account_id uuid, p_hashes bytea[], p_credits bigint)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  noted integer;
begin
  insert into public.credit_sign_up_grants (account_id) values (p_account_id);
  insert into credits.sign_up_addresses (address_hash, account_id)
  select a.hash, p_account_id from unnest(p_hashes) as a (hash) order by a.hash
  on conflict do nothing;
  get diagnostics noted = row_count;
  if noted < cardinality(p_hashes) then
    delete from public.credit_sign_up_grants where account_id = p_account_id;
    insert into public.credit_request_events (account_id, status, code)
    values (p_account_id, 403, 'sign_up_granted_before');
    return 'sign_up_granted_before';
  end if;
  perform public.grant_credits(p_account_id, p_credits, 'sign-up grant', p_external_ref => 'sign-up:' || p_account_id);
  return null;
end;
$$;
comment on function credits.sign_up_give(uuid, bytea[], bigint) is
  'Gives the sign-up grant and stores the hashes of addresses and identities. If one of them had the grant before, '
  'returns sign_up_granted_before instead and leaves a row in credit_request_events.';

create function credits.person_sign_up(p_person jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts := credits.account_lock((p_person ->> 'id')::uuid);
  sign_up_credits bigint := (select s.sign_up_credits from public.credit_settings as s);
begin
  if sign_up_credits = 0 or account.closed_at is not null or account.is_team
    or credits.had_sign_up_grant(account.id) then
    return;
  end if;
  -- Users who wait come first: the grants left in this hour are theirs. Without a limit (null) nobody waits for them.
  if credits.sign_up_grants_left() <= (select count(*) from credits.sign_ups_due) then
    insert into credits.sign_ups_due (account_id) values (account.id) on conflict do nothing;
    insert into public.credit_request_events (account_id, status, code)
    values (account.id, 403, 'sign_up_grants_exhausted');
  elsif credits.has_identity_to_come(p_person) then
    -- Without the identity, one wallet, or one identity with another address each time, could get the sign-up grant
    -- again and again.
    insert into credits.sign_ups_due (account_id) values (account.id) on conflict do nothing;
  else
    perform credits.sign_up_give(account.id, credits.person_hashes(p_person), sign_up_credits);
  end if;
end;
$$;
comment on function credits.person_sign_up(jsonb) is
  'Gives a user (a row of auth.users) the sign-up grant if they have not had it, or lets them wait: if the hour has '
  'no grant left, or Auth has still to write their identity.';

create function credits.addresses_note(p_person jsonb)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into credits.sign_up_addresses (address_hash, account_id)
  select a.hash, w.account_id from public.credit_sign_up_grants as w
  cross join unnest(credits.person_hashes(p_person)) as a (hash)
  where w.account_id = (p_person ->> 'id')::uuid
  order by a.hash
  on conflict do nothing;
$$;
comment on function credits.addresses_note(jsonb) is
  'Stores what a user with a sign-up grant has confirmed or linked since: none of it gets the sign-up grant again.';

create function credits.sign_up_later(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into credits.sign_ups_due (account_id) values (p_account_id) on conflict do nothing;
exception when others then
  raise warning 'user % has no sign-up grant: % (%)', p_account_id, sqlerrm, sqlstate;
end;
$$;
comment on function credits.sign_up_later(uuid) is
  'Puts a user whose sign-up grant failed on the list of grant_due_sign_ups. Warns instead of failing.';

create function credits.sign_up_finish(p_account_id uuid, p_credits bigint)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  person jsonb := (select to_jsonb(u) from auth.users as u where u.id = p_account_id);
  account public.credit_accounts;
  denial text;
begin
  select * into account from public.credit_accounts where id = p_account_id for update skip locked;
  -- A task never waits for a busy account: the next run takes it.
  if not found and exists (select from public.credit_accounts where id = p_account_id) then
    return false;
  end if;
  delete from credits.sign_ups_due where account_id = p_account_id;
  if person is null or person ->> 'deleted_at' is not null or account.closed_at is not null or account.is_team
    or not credits.may_have_sign_up_grant(person) or credits.had_sign_up_grant(p_account_id) then
    return false;
  end if;
  denial := credits.sign_up_give(p_account_id, credits.person_hashes(person), p_credits);
  return denial is null;
end;
$$;
comment on function credits.sign_up_finish(uuid, bigint) is
  'Gives a waiting user the sign-up grant, if they are still there and confirmed; returns whether they got it. A user '
  'who does not get it waits no longer.';

create function public.grant_due_sign_ups(p_limit integer default 1000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- For other locks that it may wait for, such as that of a sign-up with the same address.
set lock_timeout = '2s'
as $$
declare
  sign_up_credits bigint := (select s.sign_up_credits from public.credit_settings as s);
  due uuid;
  granted integer := 0;
begin
  perform credits.caller_check('grant_due_sign_ups');
  if sign_up_credits = 0 then
    return 0;
  end if;
  for due in
    select account_id from credits.sign_ups_due
    order by requested_at limit least(greatest(p_limit, 0), 10000, credits.sign_up_grants_left())
    for update skip locked
  loop
    begin
      granted := granted + credits.sign_up_finish(due, sign_up_credits)::integer;
    exception when others then
      raise warning 'user % has no sign-up grant yet: %', due, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return granted;
end;
$$;
comment on function public.grant_due_sign_ups(integer) is
  'Gives up to p_limit waiting users their sign-up grant, in the order in which they came and as many as '
  'credit_settings.sign_up_grants_per_hour has left; returns how many. Never waits for a busy account. Meant to run '
  'every minute.';

-- supabase/schemas/08_sign_up/20_sign_up.sql
-- Gives: the triggers on auth.users: a new user gets an account and a sign-up grant, a deleted user's account is
--   closed, and reopened when they return.
-- Keeps: credits never block a sign-up, a change or a deletion of a user; the ledger outlives the user.
-- Needs: sign up grants; when called: departure; table auth.users.

create function credits.user_created()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  person jsonb := to_jsonb(new);
begin
  perform credits.person_return(new.id);
  begin
    if credits.may_have_sign_up_grant(person) then
      perform credits.person_sign_up(person);
    else
      perform credits.account_lock(new.id);
    end if;
  exception when others then
    raise warning 'no account for user % yet: % (%); it is created on first use', new.id, sqlerrm, sqlstate;
    perform credits.sign_up_later(new.id);
  end;
  return new;
exception when others then
  raise warning 'user % was not processed: % (%)', new.id, sqlerrm, sqlstate;
  return new;
end;
$$;
comment on function credits.user_created() is
  'Opens an account for a new auth user, or reopens that of a returning one, and gives the sign-up grant of '
  'credit_settings if the address is confirmed or needs no confirmation. A user who does not get it leaves a row in '
  'credit_request_events (sign_up_granted_before, sign_up_grants_exhausted). Warns instead of failing.';

create function credits.user_changed(p_before jsonb, p_now jsonb)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_before ->> 'deleted_at' is not null and p_now ->> 'deleted_at' is null then
    perform credits.person_return((p_now ->> 'id')::uuid);
  end if;
  begin
    if p_now ->> 'deleted_at' is null and credits.may_have_sign_up_grant(p_now) then
      if not credits.may_have_sign_up_grant(p_before) then
        perform credits.person_sign_up(p_now);
      end if;
      perform credits.addresses_note(p_now);
    end if;
  exception when others then
    raise warning 'the confirmation of user % was not processed: % (%)', p_now ->> 'id', sqlerrm, sqlstate;
    perform credits.sign_up_later((p_now ->> 'id')::uuid);
  end;
end;
$$;
comment on function credits.user_changed(jsonb, jsonb) is
  'Gives the sign-up grant to a user who has confirmed their first address or is no longer anonymous, stores a '
  'changed address and a linked identity, and reopens the account of a user whose deletion was undone. Takes rows of '
  'auth.users. Warns instead of failing.';

create function credits.user_facts(p_person jsonb)
returns text[]
language sql
immutable
set search_path = '', pg_temp
as $$
  select array[p_person ->> 'email', p_person ->> 'phone', p_person ->> 'email_confirmed_at',
    p_person ->> 'phone_confirmed_at', p_person ->> 'is_anonymous', p_person ->> 'deleted_at',
    p_person -> 'raw_app_meta_data' ->> 'providers'];
$$;
comment on function credits.user_facts(jsonb) is
  'The columns of a row of auth.users that matter here; null if the platform has no such column.';

create function credits.user_deleted()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
-- Longer than any movement of credits takes: an account that stays locked for longer must not block the deletion of its
-- user.
set lock_timeout = '2s'
as $$
begin
  perform credits.people_leave(array(select id from gone order by id));
  return null;
exception when others then
  raise warning 'the deletion of users was not processed: % (%)', sqlerrm, sqlstate;
  return null;
end;
$$;
comment on function credits.user_deleted() is
  'Closes the accounts of deleted auth users and unlinks them, also for users who had none yet, takes the users out '
  'of their teams, and erases them if credit_settings says so: at once, or by finish_erasures if an account is busy '
  'for more than two seconds or something fails. Entries, grants and amounts stay. Warns instead of failing.';

create function credits.user_updated()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  gone uuid[];
  changed record;
begin
  -- As JSON, because the platform decides which columns there are.
  gone := array(
    select n.id from users_before as b join users_now as n on n.id = b.id
    where to_jsonb(b) ->> 'deleted_at' is null and to_jsonb(n) ->> 'deleted_at' is not null order by n.id);
  if cardinality(gone) > 0 then
    perform credits.people_leave(gone);
  end if;
  for changed in
    select c.* from (
      select b.id, to_jsonb(b) as before, to_jsonb(n) as now from users_before as b join users_now as n on n.id = b.id
    ) as c
    where credits.user_facts(c.before) is distinct from credits.user_facts(c.now) order by c.id
  loop
    perform credits.user_changed(changed.before, changed.now);
  end loop;
  return null;
exception when others then
  raise warning 'a change of users was not processed: % (%)', sqlerrm, sqlstate;
  return null;
end;
$$;
comment on function credits.user_updated() is
  'Treats Auth''s soft deletion (deleted_at) as a deletion and its end as a return, and gives the sign-up grant for a '
  'confirmed address. Warns instead of failing.';

create trigger atomic_credits_user_created after insert on auth.users
  for each row execute function credits.user_created();
-- Per statement: the accounts of users who are deleted together are locked in order.
create trigger atomic_credits_user_deleted after delete on auth.users
  referencing old table as gone for each statement execute function credits.user_deleted();
create trigger atomic_credits_user_updated after update on auth.users
  referencing old table as users_before new table as users_now
  for each statement execute function credits.user_updated();

-- supabase/schemas/08_sign_up/30_realtime.sql
-- Gives: users see their jobs change as it happens, through Supabase Realtime.
-- Keeps: row level security decides who sees which job.
-- Needs: jobs; publication supabase_realtime, where there is one.

do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    alter publication supabase_realtime add table public.generation_jobs;
  end if;
end;
$$;

-- supabase/schemas/09_plans/15_roll_over.sql
-- Gives: what a roll-over cap takes: when a month begins, and when credits of earlier months come back.
-- Keeps: no more of earlier months stays than the plan's cap, however credits come back.
-- Needs: granting, burn down.

create function credits.roll_over_excess(p_account public.credit_accounts, p_source public.credit_grants,
  p_amount bigint, p_job_id uuid)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  cap bigint;
  kept bigint;
  begun bigint;
  newest text;
begin
  if p_source.kind <> 'refill' or p_source.expires_at is not null then
    return 0;
  end if;
  -- The month of the newest refill, with what an upgrade added to it.
  select split_part(external_ref, ':', 3) into newest from public.credit_grants
  where account_id = p_account.id and kind = 'refill' and external_ref is not null order by id desc limit 1;
  select roll_over_cap into cap from public.credit_plans where name = p_account.plan and roll_over = 'capped';
  if cap is null or split_part(p_source.external_ref, ':', 3) is not distinct from newest then
    return 0;
  end if;
  select min(l.seq) into begun from public.credit_ledger as l
  join public.credit_grants as g on g.account_id = l.account_id
    and g.id = coalesce(l.grant_id, (l.metadata ->> 'repaid_from_grant_id')::bigint)
  where l.account_id = p_account.id and l.kind = 'refill' and split_part(g.external_ref, ':', 3) = newest;
  -- Charged since: it was paid with what had rolled over.
  if (select min(seq) from public.credit_ledger where account_id = p_account.id and job_id = p_job_id) > begun then
    return 0;
  end if;
  -- What rolled over and what has come back to it since, also where it is spent again: the cap counts once.
  select coalesce(sum(g.remaining - coalesce(m.spent, 0)), 0) into kept from public.credit_grants as g
  left join (
    select l.grant_id, sum(l.delta) as spent from public.credit_ledger as l
    where l.account_id = p_account.id and l.seq > begun and l.kind <> 'expiry'
      and not (l.kind in ('release', 'refund') and exists (
      select from public.credit_ledger as c where c.account_id = l.account_id and c.job_id = l.job_id
        and c.seq < begun))
    group by l.grant_id
  ) as m on m.grant_id = g.id
  where g.account_id = p_account.id and g.kind = 'refill' and g.expires_at is null
    and split_part(g.external_ref, ':', 3) is distinct from newest;
  return least(p_amount, greatest(p_amount - cap + kept, 0));
end;
$$;
comment on function credits.roll_over_excess(public.credit_accounts, public.credit_grants, bigint, uuid) is
  'How much of what comes back to a month''s credits would not have rolled over into this month; 0 for any other '
  'grant.';

create function credits.roll_over_trim(p_account public.credit_accounts, p_keep bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  refill record;
  excess bigint;
begin
  select greatest(coalesce(sum(remaining), 0) - p_keep, 0) into excess
  from credits.spendable_grants where account_id = p_account.id and kind = 'refill';
  for refill in
    select id, remaining from credits.spendable_grants where account_id = p_account.id and kind = 'refill' order by id
  loop
    exit when excess = 0;
    p_account := credits.grant_expire(p_account, refill.id, least(refill.remaining, excess), 'expiry',
      'beyond the roll-over cap');
    excess := excess - least(refill.remaining, excess);
  end loop;
end;
$$;
comment on function credits.roll_over_trim(public.credit_accounts, bigint) is
  'Expires monthly credits of earlier months, oldest first, until p_keep are left. The caller holds the account''s '
  'lock, and reads the account again afterwards.';

-- supabase/schemas/09_plans/20_expiry.sql
-- Gives: expire_grants, which books expired credits.
-- Keeps: balance = what remains in the grants (invariant 1), now without the credits that have expired.
-- Needs: grants, events, bulk.

create function credits.grants_expire(p_account_ids uuid[], p_grant_ids bigint[])
returns bigint[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  free_ids uuid[];
  movements credits.movement[];
begin
  free_ids := array(select id from public.credit_accounts where id = any (p_account_ids)
    order by id for update skip locked);
  -- A statement of its own, so that it sees what the last holder of a lock has committed.
  select array_agg(row(e.account_id, e.place, -e.remaining, 'expiry', e.id, null, 'grant expired')::credits.movement)
  into movements
  from (
    select g.account_id, g.id, g.remaining, row_number() over (partition by g.account_id order by g.id) as place
    from unnest(p_account_ids, p_grant_ids) as d (account_id, id)
    join public.credit_grants as g on g.account_id = d.account_id and g.id = d.id and g.remaining > 0
      and g.expires_at <= now()
    where d.account_id = any (free_ids)
  ) as e;
  if movements is null then
    return '{}'::bigint[];
  end if;
  update public.credit_grants as g set remaining = 0, is_open = false, breakage = g.breakage - m.delta
  from unnest(movements) as m where g.account_id = m.account_id and g.id = m.grant_id;
  insert into public.credit_events (account_id, type, payload)
  select b.account_id, e.type, jsonb_build_object('account_id', b.account_id) || e.payload
  from credits.movements_book(movements) as b
  cross join lateral credits.balance_event(b.balance_before, b.balance_after,
    (select low_balance_credits from public.credit_settings)) as e
  where e.type is not null;
  return array(select m.grant_id from unnest(movements) as m);
end;
$$;
comment on function credits.grants_expire(uuid[], bigint[]) is
  'Books the rest of the expired grants whose accounts are not busy, all together; returns their ids.';

create function credits.batch_expire(p_account_ids uuid[], p_grant_ids bigint[])
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  booked integer := 0;
begin
  begin
    return cardinality(credits.grants_expire(p_account_ids, p_grant_ids));
  exception when others then
    raise notice 'grants are expired one by one: %', sqlerrm;
  end;
  for i in 1 .. cardinality(p_grant_ids) loop
    begin
      booked := booked + cardinality(credits.grants_expire(p_account_ids[i:i], p_grant_ids[i:i]));
    exception when others then
      raise warning 'grant % of account % cannot expire: %', p_grant_ids[i], p_account_ids[i], sqlerrm
        using errcode = sqlstate;
    end;
  end loop;
  return booked;
end;
$$;
comment on function credits.batch_expire(uuid[], bigint[]) is
  'Books expired grants as breakage: all together or, if anything raises, one by one, so that one bad row holds up no '
  'other.';

create type credits.expiry_position as (
  expires_at timestamptz,
  account_id uuid,
  id bigint
);

create function credits.expiries_next(p_after credits.expiry_position, p_limit integer)
returns credits.expiry_position[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return array(
    select row(expires_at, account_id, id)::credits.expiry_position from public.credit_grants
    where is_open and expires_at <= now()
      and (expires_at, account_id, id) > (p_after.expires_at, p_after.account_id, p_after.id)
    order by expires_at, account_id, id limit p_limit);
end;
$$;
comment on function credits.expiries_next(credits.expiry_position, integer) is
  'The next expired grants that are not booked yet, the longest overdue first.';

create function public.expire_grants(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  most integer := least(greatest(p_limit, 0), 100000);
  expiries credits.expiry_position[];
  last_expiry credits.expiry_position := row('-infinity', '00000000-0000-0000-0000-000000000000', 0);
  booked integer := 0;
begin
  perform credits.caller_check('expire_grants');
  -- Grants that cannot expire, or whose account is busy, do not count towards p_limit, so they never keep the others
  -- waiting.
  while booked < most loop
    expiries := credits.expiries_next(last_expiry, least(1000, most - booked));
    exit when cardinality(expiries) = 0;
    last_expiry := expiries[cardinality(expiries)];
    -- Accounts are locked in the order of their ids, as everywhere.
    booked := booked + (
      select credits.batch_expire(array_agg(l.account_id order by l.account_id, l.id),
        array_agg(l.id order by l.account_id, l.id))
      from unnest(expiries) as l);
  end loop;
  return booked;
end;
$$;
comment on function public.expire_grants(integer) is
  'Books up to p_limit expired grants as breakage (entries of kind expiry); returns how many. Safe during charges: it '
  'never waits for a busy account, and skips a grant that cannot expire with a warning. An expired grant is never '
  'spent, even before this has run. Meant to run every minute.';

-- supabase/schemas/09_plans/30_revocation.sql
-- Gives: reverse_grant, for a payment that was taken back or restored (a chargeback, a dispute that was won).
-- Keeps: no balance falls below its limit; credits already spent become a debt that the next credits pay; the same
-- target again moves nothing.
-- Needs: debts, events, burn down, refund; when called: due.

create type public.credit_reversal_result as (
  grant_id bigint,
  account_id uuid,
  reversed bigint,
  taken bigint,
  debt bigint,
  balance bigint,
  replayed boolean
);
comment on type public.credit_reversal_result is
  'The result of reverse_grant, in whole credits. reversed: taken back of the grant in all. taken: taken from grants '
  'by this call (< 0: given back). debt and balance: the account''s now. replayed: this target was reached before, so '
  'nothing moved.';

create function credits.grant_taken(p_grant public.credit_grants)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(delta + taken), 0)::bigint from public.credit_debts
    where account_id = p_grant.account_id and grant_id = p_grant.id;
$$;
comment on function credits.grant_taken(public.credit_grants) is
  'Credits that were taken for a grant, or are owed for it. Less than its reversed where credits had expired unspent.';

create function credits.grant_take(
  p_account public.credit_accounts, p_grant public.credit_grants, p_from_grant_id bigint, p_amount bigint,
  p_target bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_amount > 0 then
    p_account := credits.entry_append(p_account.id, -p_amount, 'revocation', p_from_grant_id, null, p_reason,
      jsonb_build_object('reversed_grant_id', p_grant.id));
    p_account := credits.debt_append(p_account, 0, p_grant.id, p_target, p_from_grant_id, p_amount, p_reason);
  end if;
  return p_account;
end;
$$;
comment on function credits.grant_take(public.credit_accounts, public.credit_grants, bigint, bigint, bigint, text) is
  'Takes credits out of one grant (p_from_grant_id) for one that is taken back. Takes and returns the locked account.';

create function credits.grant_take_back(
  p_account public.credit_accounts, p_grant public.credit_grants, p_amount bigint, p_target bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  rest bigint := p_amount;
  part bigint;
  home public.credit_grants;
  plan credits.burn_plan;
  -- Credits that expired unspent, in the grant or where they were refunded to, are not owed. They count once.
  breakage bigint := credits.grant_taken(p_grant) - p_grant.reversed + (
    select coalesce(sum(g.breakage), 0) from public.credit_grants as g
    where g.account_id = p_account.id and (g.id = p_grant.id or g.makes_good = p_grant.id));
begin
  for home in
    select * from public.credit_grants
    where account_id = p_account.id and (id = p_grant.id or makes_good = p_grant.id) order by id
  loop
    part := least(home.remaining, rest);
    p_account := credits.grant_take(p_account, p_grant, home.id, part, p_target, p_reason);
    rest := rest - part;
  end loop;
  rest := rest - least(rest, breakage);
  plan := credits.burn_plan(p_account.id, rest);
  for i in 1 .. cardinality(plan.grant_ids) loop
    p_account := credits.grant_take(p_account, p_grant, plan.grant_ids[i], plan.amounts[i], p_target, p_reason);
  end loop;
  return credits.debt_append(p_account, plan.shortfall, p_grant.id, p_target, null, 0, p_reason);
end;
$$;
comment on function credits.grant_take_back(public.credit_accounts, public.credit_grants, bigint, bigint, text) is
  'Takes more of a grant back: first what remains of it and what was refunded in its place, then the account''s other '
  'credits; the rest becomes a debt. Takes and returns the locked account.';

create function credits.grant_give_back(
  p_account public.credit_accounts, p_grant public.credit_grants, p_amount bigint, p_target bigint, p_reason text
)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  rest bigint := least(p_amount, credits.grant_taken(p_grant));
  part bigint := least(rest, coalesce((
    select owed from credits.debts_owed where account_id = p_account.id and grant_id = p_grant.id), 0));
  source record;
  home public.credit_grants;
begin
  p_account := credits.debt_append(p_account, -part, p_grant.id, p_target, null, 0, p_reason);
  rest := rest - part;
  for source in
    select from_grant_id, sum(taken)::bigint as taken from public.credit_debts
    where account_id = p_account.id and grant_id = p_grant.id and from_grant_id is not null
    group by from_grant_id having sum(taken) > 0 order by max(seq) desc
  loop
    exit when rest = 0;
    part := least(source.taken, rest);
    rest := rest - part;
    p_account := credits.debt_append(p_account, 0, p_grant.id, p_target, source.from_grant_id, -part, p_reason);
    select * into strict home from public.credit_grants where account_id = p_account.id and id = source.from_grant_id;
    p_account := credits.refund_return(p_account, 'revocation', null, home, part, p_reason,
      jsonb_build_object('reversed_grant_id', p_grant.id), true);
  end loop;
  return p_account;
end;
$$;
comment on function credits.grant_give_back(public.credit_accounts, public.credit_grants, bigint, bigint, text) is
  'Gives back what was taken for a grant: forgives its debt first, then returns credits to the grants that they were '
  'taken from, the last first, with a grace period where one has expired. Takes and returns the locked account.';

create function public.reverse_grant(
  p_account_id uuid, p_grant_id bigint, p_target bigint default null, p_reason text default null
)
returns public.credit_reversal_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  before public.credit_accounts;
  target bigint;
  taken_back public.credit_grants;
  result public.credit_reversal_result;
begin
  perform credits.caller_check('reverse_grant');
  account := credits.account_lock(p_account_id);
  -- Expired credits that are not booked yet are booked first: taken back and given back, they could be spent again.
  if credits.account_expire(account.id) then
    account := credits.account_lock(account.id);
  end if;
  before := account;
  perform credits.check_length('reason', p_reason, 0, 500);
  select * into taken_back from public.credit_grants where account_id = account.id and id = p_grant_id;
  if not found then
    perform credits.raise_misuse('PT404', 'this account has no such grant',
      'The table credit_grants lists an account''s grants.');
  end if;
  target := coalesce(p_target, taken_back.amount);
  if target not between 0 and taken_back.amount then
    perform credits.raise_misuse('22023', format('target must be 0 to the grant''s %s credits', taken_back.amount),
      'Pass the credits to take back in all, not in this call; leave it out for the whole grant.');
  end if;
  update public.credit_grants set reversed = target
    where account_id = account.id and id = p_grant_id and reversed <> target;
  if target > taken_back.reversed then
    account := credits.grant_take_back(account, taken_back, target - taken_back.reversed, target, p_reason);
  elsif target < taken_back.reversed then
    account := credits.grant_give_back(account, taken_back, taken_back.reversed - target, target, p_reason);
  end if;
  perform credits.balance_announce(account.id, before.balance, account.balance);
  result.grant_id := p_grant_id;
  result.account_id := account.id;
  result.reversed := target;
  result.taken := (
    select coalesce(sum(d.taken), 0) from public.credit_debts as d
    where d.account_id = account.id and d.seq > before.debt_seq and d.grant_id = p_grant_id and d.target is not null);
  result.debt := account.debt;
  result.balance := account.balance;
  result.replayed := target = taken_back.reversed;
  return result;
end;
$$;
comment on function public.reverse_grant(uuid, bigint, bigint, text) is
  'Takes a grant back, up to p_target credits in all (null: all of it): first what remains of it and what was refunded '
  'in its grace period, then the account''s other credits. The rest becomes a debt (credit_accounts.debt) that the '
  'next credits pay; until then charges are denied. Credits that had expired are not owed. A smaller target than '
  'before gives back: it cancels the debt first, then returns credits to the grants that they were taken from. '
  'Idempotent: the same target again moves nothing (replayed). p_reason: up to 500 characters. Raises 22023 without an '
  'account, for a target beyond the grant or a longer reason, PT404 for an unknown grant.';

-- supabase/schemas/09_plans/35_withdrawal.sql
-- Gives: withdraw_credits, which takes credits that an account still has.
-- Keeps: it takes only what is there, and leaves no debt; one external_ref, one withdrawal.
-- Needs: events, burn down; when called: due.

create table public.credit_withdrawals (
  external_ref text primary key check (length(external_ref) between 1 and 255),
  account_id uuid not null,
  amount bigint check (amount > 0),
  grant_id bigint,
  withdrawn bigint not null check (withdrawn > 0),
  created_at timestamptz not null default now(),
  constraint withdrawal_is_sound check (withdrawn <= amount)
);
comment on table public.credit_withdrawals is
  'Withdrawals by the caller''s external_ref: each counts once. The entries say out of which grants.';
comment on column public.credit_withdrawals.amount is
  'The most credits that were asked for; null: all that was left of the grant.';
comment on column public.credit_withdrawals.grant_id is
  'The grant to take them from; null: the grants that are spent first.';
comment on column public.credit_withdrawals.withdrawn is 'Credits that were taken.';

alter table public.credit_withdrawals enable row level security;

create type public.credit_withdrawal_result as (
  account_id uuid,
  withdrawn bigint,
  balance bigint,
  replayed boolean
);
comment on type public.credit_withdrawal_result is
  'What withdraw_credits took, and the balance after it, in whole credits. replayed: this external_ref was withdrawn '
  'before, so nothing moved.';

create function credits.withdrawal_plan(p_account_id uuid, p_amount bigint, p_grant_id bigint)
returns credits.burn_plan
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  held bigint;
begin
  if p_grant_id is null then
    return credits.burn_plan(p_account_id, p_amount);
  end if;
  -- The expiry of a grant may not be booked yet: nothing is left of it all the same.
  select case when expires_at <= clock_timestamp() then 0 else remaining end into held
  from public.credit_grants where account_id = p_account_id and id = p_grant_id;
  if not found then
    perform credits.raise_misuse('PT404', 'this account has no such grant',
      'The table credit_grants lists an account''s grants.');
  end if;
  return row(array[p_grant_id], array[least(held, coalesce(p_amount, held))], 0)::credits.burn_plan;
end;
$$;
comment on function credits.withdrawal_plan(uuid, bigint, bigint) is
  'Which grants a withdrawal takes from: one, or those that are spent first. Raises PT404 for an unknown grant.';

create function credits.withdrawal_replay(
  p_account public.credit_accounts, p_amount bigint, p_grant_id bigint, p_external_ref text
)
returns public.credit_withdrawal_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  earlier public.credit_withdrawals;
begin
  select * into earlier from public.credit_withdrawals where external_ref = p_external_ref;
  if not found then
    return null;
  end if;
  if (earlier.account_id, earlier.amount, earlier.grant_id) is distinct from (p_account.id, p_amount, p_grant_id) then
    perform credits.raise_misuse('PT409',
      'this external_ref was withdrawn before, from another account or grant or with another amount',
      'An external_ref stands for one event: use the event''s own id, and repeat it only with the same account, '
      'amount and grant.');
  end if;
  return row(earlier.account_id, earlier.withdrawn, p_account.balance, true)::public.credit_withdrawal_result;
end;
$$;
comment on function credits.withdrawal_replay(public.credit_accounts, bigint, bigint, text) is
  'The withdrawal that an external_ref already stands for, or null. Raises PT409 when it was another one.';

create function public.withdraw_credits(
  p_account_id uuid, p_amount bigint default null, p_grant_id bigint default null, p_reason text default null,
  p_external_ref text default null
)
returns public.credit_withdrawal_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  before bigint;
  plan credits.burn_plan;
  result public.credit_withdrawal_result;
begin
  perform credits.caller_check('withdraw_credits');
  if p_amount < 1 or (p_amount is null and p_grant_id is null) then
    perform credits.raise_misuse('22023', 'a withdrawal needs an amount of at least 1 credit, or a grant',
      'With both it takes at most that amount of the grant.');
  end if;
  perform credits.check_length('reason', p_reason, 0, 500);
  perform credits.check_length('external_ref', p_external_ref, 1, 255);
  account := credits.account_lock(p_account_id);
  result := credits.withdrawal_replay(account, p_amount, p_grant_id, p_external_ref);
  if result.replayed then
    return result;
  end if;
  if credits.account_refill_due(account.id) then
    account := credits.account_lock(account.id);
  end if;
  before := account.balance;
  plan := credits.withdrawal_plan(account.id, p_amount, p_grant_id);
  insert into public.credit_withdrawals (external_ref, account_id, amount, grant_id, withdrawn)
  select p_external_ref, account.id, p_amount, p_grant_id, sum(a.amount) from unnest(plan.amounts) as a (amount)
  where p_external_ref is not null having sum(a.amount) > 0
  on conflict do nothing;
  if not found then
    -- Another account's withdrawal with this external_ref was under way, and has come first.
    perform credits.withdrawal_replay(account, p_amount, p_grant_id, p_external_ref);
  end if;
  for i in 1 .. cardinality(plan.grant_ids) loop
    continue when plan.amounts[i] = 0;
    account := credits.entry_append(account.id, -plan.amounts[i], 'adjustment', plan.grant_ids[i], null, p_reason,
      case when p_external_ref is not null then jsonb_build_object('withdrawal_ref', p_external_ref) end);
  end loop;
  perform credits.balance_announce(account.id, before, account.balance);
  return row(account.id, before - account.balance, account.balance, false)::public.credit_withdrawal_result;
end;
$$;
comment on function public.withdraw_credits(uuid, bigint, bigint, text, text) is
  'Takes credits out of an account: up to p_amount of those that would be spent first, also of monthly credits that '
  'are due; or what remains of one grant (p_grant_id), at most p_amount of it; nothing that has expired. Never causes '
  'an overdraft or a debt; for a payment that was taken back call reverse_grant. Entries of '
  'kind adjustment. With an external_ref a repeated call moves nothing once something was taken (replayed). Raises '
  '22023 for a bad argument, PT404 for an unknown grant, PT409 when the external_ref was another withdrawal.';

-- supabase/schemas/09_plans/40_refill.sql
-- Gives: refill_plans, which grants each month's credits.
-- Keeps: one refill per account and month, also after an outage; roll-over as the plan says.
-- Needs: granting, events, bulk, refill periods, roll over.

create function credits.refills_cap(p_account_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.credit_grants as g set is_capped = true, seal = credits.cap_seal(g.seal)
  from public.credit_accounts as a join public.credit_plans as p on p.name = a.plan and p.roll_over = 'capped'
  where a.id = any (p_account_ids) and g.account_id = a.id and g.kind = 'refill' and g.expires_at is null
    and not g.is_capped;
end;
$$;
comment on function credits.refills_cap(uuid[]) is
  'Marks all monthly credits of the accounts as covered by their plans'' roll-over cap. The caller holds the '
  'accounts'' locks.';

create function credits.refill_ref(p_account_id uuid, p_month date)
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return format('refill:%s:%s', p_account_id, to_char(p_month, 'YYYY-MM'));
end;
$$;
comment on function credits.refill_ref(uuid, date) is
  'The external_ref of a month''s credits, which makes them count once.';

create function credits.account_refill(p_account_id uuid, p_at timestamptz)
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan public.credit_plans;
  month date;
  due date;
  refills integer := 0;
  before bigint;
begin
  select * into account from public.credit_accounts where id = p_account_id for update skip locked;
  if not found or account.closed_at is not null then
    return 0;
  end if;
  before := account.balance;
  select * into strict plan from public.credit_plans where name = account.plan;
  month := credits.refill_month(plan, account, p_at);
  due := credits.refill_first(plan, account, month);
  -- The account may have changed its plan since it was listed: the month then stays due. Or a run that began before
  -- midnight comes to an account that another run has refilled since.
  if plan.scheduled_credits = 0 or due > month then
    return 0;
  end if;
  while due <= month loop
    if plan.roll_over = 'capped' then
      select * into strict account from public.credit_accounts where id = p_account_id;
      perform credits.roll_over_trim(account, plan.roll_over_cap);
    end if;
    perform public.grant_credits(account.id, plan.scheduled_credits,
      format('plan %s, %s', plan.name, to_char(due, 'YYYY-MM')),
      'refill', case when plan.roll_over = 'none' then credits.refill_ends(plan, account, due) end,
      credits.refill_ref(account.id, due), plan.refill_priority);
    due := (due + interval '1 month')::date;
    refills := refills + 1;
  end loop;
  perform credits.refills_cap(array[p_account_id]);
  update public.credit_accounts set refilled_for = month where id = p_account_id;
  -- More credits may have been trimmed than granted.
  perform credits.balance_announce(id, before, balance) from public.credit_accounts where id = p_account_id;
  return refills;
end;
$$;
comment on function credits.account_refill(uuid, timestamptz) is
  'Grants an account the credits of every month that it has not had, up to the month of p_at; returns how many months. '
  'Grants nothing if the account has had a later month. Skips a busy account: the next run takes it.';

create function credits.plans_refilling(p_at timestamptz)
returns table (plan public.credit_plans, name text, month date, ends_at timestamptz)
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  select p, p.name, m.month, credits.refill_ends(p, null, m.month)
  from public.credit_plans as p
  cross join lateral (
    select case when p.refill_day = 'calendar_month' then credits.refill_month(p, null, p_at) end as month) as m
  where p.scheduled_credits > 0;
end;
$$;
comment on function credits.plans_refilling(timestamptz) is
  'The plans whose monthly credits the schedule brings, and the month that all their accounts are in at a time and '
  'when it ends; both null where each account has its own day.';

create function credits.refills_due(p_account_ids uuid[], p_month date, p_at timestamptz)
returns table (
  account_id uuid, credits bigint, priority smallint, is_capped boolean, expires_at timestamptz, reason text
)
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  with plans as materialized (
    select r.plan, r.name, r.month, (p_month - interval '1 month')::date as month_before,
      (r.plan).scheduled_credits as credits, (r.plan).refill_priority as priority,
      (r.plan).roll_over = 'none' as ends, r.ends_at, (r.plan).roll_over = 'capped' as is_capped,
      (r.plan).roll_over_cap as cap, format('plan %s, %s', r.name, to_char(p_month, 'YYYY-MM')) as reason
    from credits.plans_refilling(p_at) as r where coalesce(r.month, p_month) = p_month
  )
  select a.id, p.credits, p.priority, p.is_capped,
    case when p.ends then coalesce(p.ends_at, credits.refill_ends(p.plan, a, p_month)) end, p.reason
  from public.credit_accounts as a join plans as p on p.name = a.plan
  where a.id = any (p_account_ids) and a.closed_at is null and a.overdraft_used = 0 and a.debt = 0
    and coalesce(p.month, credits.refill_month(p.plan, a, p_at)) = p_month
    -- Nearly always without a call: the first month, or the one after the last.
    and (a.refilled_for is null or a.refilled_for = p.month_before
      or credits.refill_first(p.plan, a, p_month) = p_month)
    and (not p.is_capped or p.cap >= (
      select coalesce(sum(g.remaining), 0) from public.credit_grants as g
      where g.account_id = a.id and g.is_open and g.kind = 'refill'));
end;
$$;
comment on function credits.refills_due(uuid[], date, timestamptz) is
  'Which of the accounts need this month''s credits and nothing else: no earlier month, nothing to trim, no overdraft '
  'or debt to pay. The caller holds the accounts'' locks.';

create function credits.accounts_refill(p_account_ids uuid[], p_month date, p_at timestamptz)
returns uuid[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- The external_ref of nobody, in which each account's id takes the place of theirs: cheaper than a call for each.
  nobody constant text := '00000000-0000-0000-0000-000000000000';
  nobodys_ref constant text := credits.refill_ref(nobody::uuid, p_month);
  free_ids uuid[];
  movements credits.movement[];
begin
  free_ids := array(select id from public.credit_accounts where id = any (p_account_ids)
    order by id for update skip locked);
  -- A statement of its own, so that it sees what the last holder of a lock has committed.
  with granted as (
    insert into public.credit_grants as g (account_id, kind, amount, remaining, is_open, is_capped, priority,
      expires_at, external_ref, reason)
    select d.account_id, 'refill', d.credits, d.credits, true, d.is_capped, d.priority, d.expires_at,
      replace(nobodys_ref, nobody, d.account_id::text), d.reason
    from credits.refills_due(free_ids, p_month, p_at) as d
    -- A month that was granted but not noted conflicts: its account is then refilled by itself.
    on conflict (external_ref) where external_ref is not null do nothing
    returning g.account_id, g.id, g.amount, g.reason
  )
  select array_agg(row(account_id, 1, amount, 'refill', id, null, reason)::credits.movement) into movements
  from granted;
  if movements is null then
    return '{}'::uuid[];
  end if;
  perform from credits.movements_book(movements, p_month);
  perform credits.refills_cap(array(select m.account_id from unnest(movements) as m));
  return array(select m.account_id from unnest(movements) as m);
end;
$$;
comment on function credits.accounts_refill(uuid[], date, timestamptz) is
  'Grants this month''s credits, all together, to the accounts that need nothing else and are not busy; returns their '
  'ids.';

create function credits.batch_refill(p_account_ids uuid[], p_at timestamptz)
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  refilled uuid[] := '{}'::uuid[];
  others integer := 0;
  due_month date;
  due_account uuid;
begin
  begin
    -- Usually one month; two if some accounts' own day is still to come.
    for due_month in
      select p.month from credits.plans_refilling(p_at) as p where p.month is not null
      union
      select credits.refill_month(p.plan, a, p_at) from public.credit_accounts as a
      join credits.plans_refilling(p_at) as p on p.name = a.plan and p.month is null where a.id = any (p_account_ids)
      order by 1
    loop
      refilled := refilled || credits.accounts_refill(p_account_ids, due_month, p_at);
    end loop;
  exception when others then
    refilled := '{}'::uuid[];
    raise notice 'accounts are refilled one by one: %', sqlerrm;
  end;
  for due_account in select a.id from unnest(p_account_ids) as a (id) where a.id not in (select unnest(refilled))
    order by a.id loop
    begin
      others := others + credits.account_refill(due_account, p_at);
    exception when others then
      raise warning 'account % cannot be refilled: %', due_account, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return cardinality(refilled) + others;
end;
$$;
comment on function credits.batch_refill(uuid[], timestamptz) is
  'Grants the months that accounts have not had: together to accounts that lack only this month, to the others one by '
  'one, so that one bad account holds up no other.';

create function credits.refills_next(p_after uuid, p_limit integer, p_at timestamptz)
returns uuid[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- The latest month that has begun anywhere. An account that has had it is skipped without computing its own day.
  latest date := date_trunc('month', (p_at + interval '14 hours') at time zone 'utc')::date;
begin
  return array(
    select a.id from public.credit_accounts as a
    join credits.plans_refilling(p_at) as p on p.name = a.plan
    where a.id > p_after and a.closed_at is null
      and (a.refilled_for is null or a.refilled_for < latest
        and a.refilled_for < coalesce(p.month, credits.refill_month(p.plan, a, p_at)))
    order by a.id limit p_limit);
end;
$$;
comment on function credits.refills_next(uuid, integer, timestamptz) is
  'The next accounts, by id, that are due monthly credits.';

create function public.refill_plans(p_limit integer default 10000)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  most integer := least(greatest(p_limit, 0), 100000);
  account_ids uuid[];
  last_id uuid := uuid '00000000-0000-0000-0000-000000000000';
  refilled integer := 0;
begin
  perform credits.caller_check('refill_plans');
  -- Accounts that cannot be refilled, or are busy, do not count towards p_limit, so they never keep the others waiting.
  while refilled < most loop
    account_ids := credits.refills_next(last_id, least(1000, most - refilled), now());
    exit when cardinality(account_ids) = 0;
    last_id := account_ids[cardinality(account_ids)];
    refilled := refilled + credits.batch_refill(account_ids, now());
  end loop;
  return refilled;
end;
$$;
comment on function public.refill_plans(integer) is
  'Grants the monthly credits that are due, to accounts in the order of their ids, until p_limit grants are made; '
  'returns how many. Exactly once per account and month, also after a downtime of several months and when two runs '
  'overlap. An account that cannot be refilled is skipped with a warning. A charge does not wait for this: it books '
  'what is due to its account itself. Meant to run every minute.';

-- supabase/schemas/09_plans/50_plan_change.sql
-- Gives: set_account_plan: what an upgrade gives at once, what a roll-over cap leaves, and when monthly credits begin.
-- Keeps: no month is granted twice or without its plan, however plans change; no credits outlive the cap of the plan
-- that gave them.
-- Needs: jobs, granting, refill periods, refill.

create function credits.refill_month_before(p_plan public.credit_plans, p_account public.credit_accounts)
returns date
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (credits.refill_month(p_plan, p_account, now()) - interval '1 month')::date;
end;
$$;
comment on function credits.refill_month_before(public.credit_plans, public.credit_accounts) is
  'The month before the account''s current one. It counts as refilled where monthly credits begin with the current '
  'month.';

-- Months without monthly credits, or on a closed account, are not made up for later. Security definer, because roles
-- that may change a plan or reopen an account may not set refilled_for.
create function credits.refills_start_now()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  new_plans text[] := array(
    select n.name from plans_now as n join plans_before as b on b.name = n.name
    where n.scheduled_credits > 0 and (b.scheduled_credits = 0 or n.refill_day <> b.refill_day));
  -- Lower ids are locked first, as everywhere, also when several plans change at once.
  account_ids uuid[] := array(
    select id from public.credit_accounts where plan = any (new_plans) and refilled_for is not null
    order by id for update);
begin
  -- An account that was refilled by the calendar keeps that day: on another day it would wait for up to two months.
  update public.credit_accounts as a set refill_anchor = a.refilled_for
  from plans_now as n join plans_before as b on b.name = n.name
  where n.name = a.plan and a.id = any (account_ids)
    and n.refill_day = 'account' and b.refill_day = 'calendar_month' and b.scheduled_credits > 0;
  update public.credit_accounts as a set refilled_for = greatest(a.refilled_for, credits.refill_month_before(p, a))
  from plans_before as b join public.credit_plans as p on p.name = b.name
  where b.name = a.plan and a.id = any (account_ids) and b.scheduled_credits = 0
    and a.refilled_for < credits.refill_month_before(p, a);
  return null;
end;
$$;
comment on function credits.refills_start_now() is
  'Plans that get monthly credits grant them from this month on; accounts whose plan changes from the calendar to '
  'their own day keep the 1st.';
create trigger refills_start_now after update on public.credit_plans
  referencing old table as plans_before new table as plans_now
  for each statement execute function credits.refills_start_now();

create function credits.account_reopened()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  select greatest(new.refilled_for, credits.refill_month_before(p, new)) into strict new.refilled_for
  from public.credit_plans as p where p.name = new.plan;
  return new;
end;
$$;
comment on function credits.account_reopened() is 'An account that is opened again is refilled from this month on.';
create trigger account_reopened before update of closed_at on public.credit_accounts
  for each row when (old.closed_at is not null and new.closed_at is null and new.refilled_for is not null)
  execute function credits.account_reopened();

create function credits.refill_anchor_on(
  p_before public.credit_plans, p_plan public.credit_plans, p_account public.credit_accounts, p_at timestamptz
)
returns date
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  anchor date := credits.refill_anchor(p_plan, p_account);
  today date := (p_at at time zone p_plan.refill_time_zone)::date;
begin
  if p_plan.refill_day <> 'account' or p_plan.scheduled_credits = 0 then
    return p_account.refill_anchor;
  elsif p_account.refilled_for >= credits.refill_month(p_plan, p_account, p_at) then
    -- This month was granted already. If that was by the calendar, before the account's own day, months go on from
    -- there.
    return case when credits.refill_begins(anchor, p_account.refilled_for) > today then p_account.refilled_for
      else anchor end;
  elsif p_before.refill_day = 'account' and p_before.scheduled_credits > 0 then
    return anchor;
  end if;
  return today;
end;
$$;
comment on function credits.refill_anchor_on(
  public.credit_plans, public.credit_plans, public.credit_accounts, timestamptz) is
  'The date from which an account''s own months count on another plan: as before while monthly credits go on, else '
  'from today.';

create function credits.upgrade_credits(p_plan public.credit_plans, p_account public.credit_accounts, p_at timestamptz)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  ref text := credits.refill_ref(p_account.id, p_account.refilled_for);
  begun timestamptz := credits.refill_ends(p_plan, p_account, (p_account.refilled_for - interval '1 month')::date);
  ends timestamptz := credits.refill_ends(p_plan, p_account, p_account.refilled_for);
  -- Compared with the largest plan of this month, so switching back and forth grants the difference once.
  difference bigint := p_plan.scheduled_credits - (
    select max(case when external_ref = ref then amount else split_part(external_ref, ':', 4)::bigint end)
    from public.credit_grants
    where account_id = p_account.id and kind = 'refill'
      and (external_ref = ref or starts_with(external_ref, ref || ':')));
begin
  return case
    when (p_account.refilled_for >= credits.refill_month(p_plan, p_account, p_at)) is not true
      or p_account.closed_at is not null then 0
    when p_plan.upgrade_gives = 'difference' then difference
    when p_plan.upgrade_gives = 'difference_by_time_left' then
      trunc(difference * extract(epoch from ends - greatest(p_at, begun)) / extract(epoch from ends - begun))
    else 0 end;
end;
$$;
comment on function credits.upgrade_credits(public.credit_plans, public.credit_accounts, timestamptz) is
  'The credits that an upgrade to a plan grants an account at once; 0 while this month''s credits are still due, as '
  'they are then granted in full.';

create function credits.cap_end(p_grant public.credit_grants, p_expires_at timestamptz)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- A grant whose terms were changed by hand keeps its broken seal.
  is_sealed boolean := p_grant.seal = credits.grant_seal(p_grant);
begin
  p_grant.expires_at := p_expires_at;
  p_grant.is_capped := false;
  update public.credit_grants
  set expires_at = p_expires_at, is_capped = false,
    seal = case when is_sealed then credits.grant_seal(p_grant) else seal end
  where account_id = p_grant.account_id and id = p_grant.id;
end;
$$;
comment on function credits.cap_end(public.credit_grants, timestamptz) is
  'Makes a grant under a roll-over cap expire at p_expires_at. The caller holds the account''s lock.';

create function credits.rolled_over(p_account_id uuid)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  with kept as (
    select id, remaining from public.credit_grants
    where account_id = p_account_id and kind = 'refill' and makes_good is not null and not is_capped
      and expires_at is null
  )
  select coalesce((select sum(remaining) from kept), 0)::bigint - coalesce((
    select sum(l.delta) from public.generation_jobs as j
    join public.credit_ledger as l on l.account_id = j.account_id and l.job_id = j.id
    where j.account_id = p_account_id and j.status in ('pending', 'running') and l.grant_id in (select id from kept)),
    0)::bigint;
$$;
comment on function credits.rolled_over(uuid) is
  'Credits that stayed under a roll-over cap when the account left a plan, including those that its open jobs hold and '
  'may give back.';

create function credits.roll_over_end(p_account public.credit_accounts, p_plan public.credit_plans)
returns public.credit_accounts
language plpgsql
set search_path = '', pg_temp
as $$
declare
  month_ends timestamptz := credits.refill_ends(p_plan, p_account, p_account.refilled_for);
  why text := format('rolls over from plan %s, whose other credits expire with their month', p_plan.name);
  -- Credits that a cap let stay earlier count, so switching back and forth keeps no more.
  left_over bigint := greatest(p_plan.roll_over_cap - credits.rolled_over(p_account.id), 0);
  given record;
  kept bigint;
begin
  -- The newest credits stay and the oldest expire, as when a month ends.
  for given in
    select id, remaining as part, priority, coalesce(makes_good, id) as makes_good from public.credit_grants
    where account_id = p_account.id and is_capped and is_open order by id desc
  loop
    given.part := least(given.part, left_over);
    exit when given.part = 0;
    left_over := left_over - given.part;
    insert into public.credit_grants (account_id, kind, amount, priority, makes_good, reason)
    values (p_account.id, 'refill', given.part, given.priority, given.makes_good, why)
    returning id into kept;
    p_account := credits.entry_append(p_account.id, -given.part, 'adjustment', given.id, null, why, null);
    p_account := credits.entry_append(p_account.id, given.part, 'adjustment', kept, null, why, null);
  end loop;
  -- Empty grants too: a job that was charged earlier may still be refunded to them.
  perform credits.cap_end(g, month_ends) from public.credit_grants as g
    where g.account_id = p_account.id and g.is_capped;
  return p_account;
end;
$$;
comment on function credits.roll_over_end(public.credit_accounts, public.credit_plans) is
  'Applies the roll-over cap of the plan that an account leaves, as the plan''s next month would have done: credits '
  'within the cap move to new grants, and the rest expires when its month ends. Takes and returns the locked account.';

create function public.set_account_plan(p_account_id uuid, p_plan text)
returns public.credit_accounts
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan_before public.credit_plans;
  plan public.credit_plans;
  upgrade bigint := 0;
begin
  perform credits.caller_check('set_account_plan');
  account := credits.account_lock(p_account_id);
  select * into plan from public.credit_plans where name = p_plan;
  if not found then
    perform credits.raise_misuse('PT404', 'no such plan', 'The table credit_plans lists the plans.');
  end if;
  select * into strict plan_before from public.credit_plans where name = account.plan;
  -- Months before this one belong to the old plan: their credits are neither lost nor granted by the new plan.
  if plan_before.scheduled_credits > 0 and plan_before.roll_over <> 'none' and account.refilled_for is not null
    and p_plan <> account.plan then
    perform credits.account_refill(account.id,
      credits.refill_ends(plan_before, account, credits.refill_month_before(plan_before, account))
        - interval '1 second');
    account := credits.account_lock(account.id);
  end if;
  if plan_before.roll_over = 'capped' and p_plan <> account.plan then
    account := credits.roll_over_end(account, plan_before);
  end if;
  account.refill_anchor := credits.refill_anchor_on(plan_before, plan, account, now());
  if plan_before.scheduled_credits = 0 then
    account.refilled_for := greatest(account.refilled_for, credits.refill_month_before(plan, account));
  end if;
  update public.credit_accounts set plan = p_plan, refill_anchor = account.refill_anchor,
    refilled_for = account.refilled_for
  where id = account.id;
  if p_plan <> plan_before.name then
    upgrade := credits.upgrade_credits(plan, account, now());
  end if;
  if upgrade > 0 then
    perform public.grant_credits(account.id, upgrade,
      format('upgrade to plan %s, %s', plan.name, to_char(account.refilled_for, 'YYYY-MM')),
      'refill', case when plan.roll_over = 'none' then credits.refill_ends(plan, account, account.refilled_for) end,
      format('%s:%s', credits.refill_ref(account.id, account.refilled_for), plan.scheduled_credits),
      plan.refill_priority);
    update public.credit_grants set is_capped = true, seal = credits.cap_seal(seal)
    where account_id = account.id and plan.roll_over = 'capped'
      and external_ref = format('%s:%s', credits.refill_ref(account.id, account.refilled_for), plan.scheduled_credits);
  end if;
  return credits.credit_limit_reduce(account.id, plan.credit_limit);
end;
$$;
comment on function public.set_account_plan(uuid, text) is
  'Puts an account on a plan and gives it the plan''s overdraft. Idempotent. An overdraft of the old plan that is in '
  'use stays until it is repaid, or until somebody sets credit_limit. The plan''s monthly credits come with the next '
  'charge or refill_plans; months before this one that are still due are booked by the old plan. A month that was '
  'refilled already stays as it is, except for what an upgrade gives (credit_plans.upgrade_gives). If the old plan '
  'caps its roll-over, credits beyond the cap expire with their month, and those within it move to new grants (entries '
  'of kind adjustment, which sum to zero). Raises 22023 without an account, PT404 for an unknown plan.';

-- supabase/schemas/09_plans/60_due.sql
-- Gives: what is due to an account (its month's credits, the expiry of expired grants): booked at once, or shown as if
-- it were.
-- Keeps: no charge is denied for lack of credits that are due; credit_accounts.balance stays the ledger's.
-- Needs: accounts, grants, refill periods, expiry, refill.

create function credits.account_expire(p_account_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expired bigint[] := array(
    select id from public.credit_grants where account_id = p_account_id and is_open and expires_at <= now());
begin
  return cardinality(expired) > 0
    and credits.batch_expire(array_fill(p_account_id, array[cardinality(expired)]), expired) > 0;
end;
$$;
comment on function credits.account_expire(uuid) is
  'Books what is left of an account''s expired grants as breakage; returns whether there were any. The caller holds '
  'the account''s lock.';

create function credits.account_refill_due(p_account_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  has_expired boolean;
begin
  if not credits.refill_is_due(p_account_id) then
    return false;
  end if;
  has_expired := credits.account_expire(p_account_id);
  return credits.batch_refill(array[p_account_id], clock_timestamp()) > 0 or has_expired;
end;
$$;
comment on function credits.account_refill_due(uuid) is
  'Books the monthly credits that are due to an account, and before them its expired credits; returns whether anything '
  'was booked. Never raises: a failure is a warning, and the caller goes by the balance as it is. The caller holds the '
  'account''s lock.';

create function credits.balance_with_due(p_account public.credit_accounts)
returns bigint
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  plan public.credit_plans;
  due date;
  month date;
  held bigint;
  breakage bigint;
  debt bigint := p_account.debt;
  income bigint;
begin
  select coalesce(sum(remaining) filter (where expires_at <= clock_timestamp()), 0),
    coalesce(sum(remaining) filter (where kind = 'refill' and (expires_at <= clock_timestamp()) is not true), 0)
  into strict breakage, held from public.credit_grants where account_id = p_account.id and is_open;
  p_account.balance := p_account.balance - breakage;
  select * into strict plan from public.credit_plans where name = p_account.plan;
  if plan.scheduled_credits = 0 or p_account.closed_at is not null then
    return p_account.balance;
  end if;
  month := credits.refill_month(plan, p_account, clock_timestamp());
  due := credits.refill_first(plan, p_account, month);
  while due <= month loop
    if plan.roll_over = 'capped' then
      p_account.balance := p_account.balance - greatest(held - plan.roll_over_cap, 0);
      held := least(held, plan.roll_over_cap);
    end if;
    -- They repay the overdraft, then the debt; the rest can be spent.
    income := greatest(plan.scheduled_credits - p_account.overdraft_used, 0);
    p_account.overdraft_used := greatest(p_account.overdraft_used - plan.scheduled_credits, 0);
    p_account.balance := p_account.balance + plan.scheduled_credits - least(debt, income);
    held := held + income - least(debt, income);
    debt := debt - least(debt, income);
    due := (due + interval '1 month')::date;
  end loop;
  return p_account.balance;
end;
$$;
comment on function credits.balance_with_due(public.credit_accounts) is
  'The balance as if everything due were booked. Writes nothing. Security definer, for the view account_balances: it '
  'only gets rows that row level security has let through.';

create view public.account_balances
with (security_invoker = true)
as
select id as account_id, credits.balance_with_due(a) as balance, a.balance as booked_balance, credit_limit, plan
from public.credit_accounts as a;
comment on view public.account_balances is
  'Each account''s balance as if everything due were booked: this month''s credits, and the expiry of expired grants. '
  'booked_balance is the ledger''s, which follows with the next charge or scheduled task. A user sees their own '
  'accounts.';

-- supabase/schemas/10_teams/10_transfer.sql
-- Gives: transfer_credits between accounts, and transfer_credits_batch for several at once.
-- Keeps: credits that leave one account arrive in the other, with their expiry; one transfer per p_external_ref.
-- Needs: granting, events, burn down, refill periods, due.

create table public.credit_transfers (
  external_ref text primary key check (length(external_ref) between 1 and 255),
  from_account_id uuid not null,
  to_account_id uuid not null check (to_account_id <> from_account_id),
  amount bigint not null check (amount > 0),
  reason text check (length(reason) <= 500),
  created_at timestamptz not null default now()
);
comment on table public.credit_transfers is
  'Transfers between accounts, by the caller''s external_ref: each counts once.';

alter table public.credit_transfers enable row level security;

create type public.credit_transfer_result as (
  from_account_id uuid,
  to_account_id uuid,
  amount bigint,
  from_balance bigint,
  to_balance bigint,
  replayed boolean
);
comment on type public.credit_transfer_result is
  'A transfer and both balances after it, in whole credits. replayed: this external_ref was transferred before, so '
  'nothing moved.';

create function credits.transfer_plan(p_from public.credit_accounts, p_to public.credit_accounts, p_amount bigint)
returns credits.burn_plan
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  plan credits.burn_plan;
begin
  if p_from.closed_at is not null or p_to.closed_at is not null then
    perform credits.raise_misuse('PT403', 'an account of this transfer is closed',
      'Clear credit_accounts.closed_at to open it again.');
  end if;
  if p_from.debt > 0 then
    perform credits.raise_misuse('PT402', format('the account owes %s credits of a revoked grant', p_from.debt),
      'The next credits that come in pay them.');
  end if;
  plan := credits.burn_plan(p_from.id, p_amount);
  if plan.shortfall > 0 then
    perform credits.raise_misuse('PT402', format('%s credits are missing for this transfer', plan.shortfall),
      'An overdraft cannot be transferred.');
  end if;
  return plan;
end;
$$;
comment on function credits.transfer_plan(public.credit_accounts, public.credit_accounts, bigint) is
  'Which grants a transfer takes. Raises PT403 when an account is closed, PT402 when credits are missing or the '
  'sender is in debt.';

create function credits.transfer_expiry(p_account public.credit_accounts, p_source public.credit_grants)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  plan public.credit_plans;
begin
  if p_source.kind = 'refill' and p_source.expires_at is null then
    select * into strict plan from public.credit_plans where name = p_account.plan;
    -- Credits under a roll-over cap roll over only in their own account: elsewhere the cap could not reach them. The
    -- same goes for credits that a cap let stay.
    if plan.roll_over = 'capped' or p_source.makes_good is not null then
      return credits.refill_ends(plan, p_account, credits.refill_month(plan, p_account, clock_timestamp()));
    end if;
  end if;
  return p_source.expires_at;
end;
$$;
comment on function credits.transfer_expiry(public.credit_accounts, public.credit_grants) is
  'When transferred credits expire: as before; monthly credits under a roll-over cap, also of a plan that the account '
  'has left, at the end of the month.';

create function credits.transfer_book(
  p_from public.credit_accounts, p_to public.credit_accounts, p_amount bigint, p_reason text, p_external_ref text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  plan credits.burn_plan := credits.transfer_plan(p_from, p_to, p_amount);
  sender public.credit_accounts := credits.burn(p_from, plan, 'transfer', null, p_reason);
  source public.credit_grants;
  arrival bigint;
begin
  perform credits.balance_announce(p_from.id, p_from.balance, sender.balance);
  for i in 1 .. cardinality(plan.grant_ids) loop
    select * into strict source from public.credit_grants where account_id = p_from.id and id = plan.grant_ids[i];
    insert into public.credit_grants (account_id, kind, amount, priority, expires_at, grace_ends_at, reason)
    values (p_to.id, 'transfer', plan.amounts[i], source.priority, credits.transfer_expiry(p_from, source),
      source.grace_ends_at, p_reason)
    returning id into arrival;
    p_to := credits.grant_fill(p_to, arrival, plan.amounts[i], 'transfer', null, p_reason,
      jsonb_build_object('from_account_id', p_from.id, 'from_grant_id', source.id, 'external_ref', p_external_ref));
  end loop;
end;
$$;
comment on function credits.transfer_book(public.credit_accounts, public.credit_accounts, bigint, text, text) is
  'Books a transfer: the recipient gets one grant per grant that the credits came from. Their entries name its '
  'external_ref. The caller holds both accounts'' locks.';

create type credits.transfer_order as (
  from_account_id uuid, to_account_id uuid, amount bigint, external_ref text, reason text
);
comment on type credits.transfer_order is 'A requested transfer.';

create function credits.transfer_check(p_transfer credits.transfer_order)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_transfer.amount is null or p_transfer.amount < 1
    or (p_transfer.from_account_id = p_transfer.to_account_id) is not false
    or coalesce(length(p_transfer.external_ref), 0) not between 1 and 255 then
    perform credits.raise_misuse('22023',
      'a transfer needs two accounts, an amount of at least 1 and an external_ref of 1 to 255 characters',
      'The external_ref makes a repeated transfer count once: use an id of your own.');
  end if;
  perform credits.check_length('reason', p_transfer.reason, 0, 500);
end;
$$;
comment on function credits.transfer_check(credits.transfer_order) is 'Raises 22023 for an invalid transfer.';

create function credits.transfers_note(p_transfers credits.transfer_order[])
returns text[]
language plpgsql
set search_path = '', pg_temp
as $$
declare
  new_refs text[];
begin
  -- In the order of their references: the insert waits, as for a lock, for a transaction that uses the same reference.
  with noted as (
    insert into public.credit_transfers (external_ref, from_account_id, to_account_id, amount, reason)
    select t.external_ref, t.from_account_id, t.to_account_id, t.amount, t.reason
    from unnest(p_transfers) with ordinality as t order by t.external_ref, t.ordinality
    on conflict do nothing
    returning external_ref
  )
  select array_agg(external_ref) into new_refs from noted;
  if exists (
    select from unnest(p_transfers) as t join public.credit_transfers as c on c.external_ref = t.external_ref
    where (c.from_account_id, c.to_account_id, c.amount) <> (t.from_account_id, t.to_account_id, t.amount)
  ) then
    perform credits.raise_misuse('PT409',
      'this external_ref was transferred before, between other accounts or with another amount',
      'Repeat a transfer only with the same accounts and amount.');
  end if;
  return coalesce(new_refs, '{}');
end;
$$;
comment on function credits.transfers_note(credits.transfer_order[]) is
  'Records transfers by their external_ref and returns the new references. Raises PT409 if a reference belongs to '
  'another transfer.';

create function credits.transfers_make(p_transfers credits.transfer_order[])
returns setof public.credit_transfer_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  transfer credits.transfer_order;
  sender public.credit_accounts;
  recipient public.credit_accounts;
  new_refs text[];
begin
  perform credits.transfer_check(t) from unnest(p_transfers) as t;
  -- All accounts are locked before anything moves, lower ids first whichever way the credits go, so two calls never
  -- deadlock.
  perform credits.accounts_lock(array(select unnest(array[t.from_account_id, t.to_account_id])
    from unnest(p_transfers) as t));
  perform credits.account_refill_due(t.from_account_id) from unnest(p_transfers) as t;
  new_refs := credits.transfers_note(p_transfers);
  foreach transfer in array p_transfers loop
    if transfer.external_ref = any (new_refs) then
      select * into strict sender from public.credit_accounts where id = transfer.from_account_id;
      select * into strict recipient from public.credit_accounts where id = transfer.to_account_id;
      perform credits.transfer_book(sender, recipient, transfer.amount, transfer.reason, transfer.external_ref);
    end if;
    return query select s.id, r.id, transfer.amount, s.balance, r.balance, transfer.external_ref <> all (new_refs)
      from public.credit_accounts as s, public.credit_accounts as r
      where s.id = transfer.from_account_id and r.id = transfer.to_account_id;
    new_refs := array_remove(new_refs, transfer.external_ref);
  end loop;
end;
$$;
comment on function credits.transfers_make(credits.transfer_order[]) is
  'Makes transfers in their order, with all their accounts locked. Shared by transfer_credits and its batch.';

create function public.transfer_credits(
  p_from_account_id uuid, p_to_account_id uuid, p_amount bigint, p_external_ref text, p_reason text default null
)
returns public.credit_transfer_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  result public.credit_transfer_result;
begin
  perform credits.caller_check('transfer_credits');
  select * into strict result from credits.transfers_make(
    array[row(p_from_account_id, p_to_account_id, p_amount, p_external_ref, p_reason)::credits.transfer_order]);
  return result;
end;
$$;
comment on function public.transfer_credits(uuid, uuid, bigint, text, text) is
  'Moves whole credits between accounts; they keep their expiry and priority, and whether they had their grace period. '
  'Monthly credits under a roll-over cap, also of a plan that the account has left, expire at the end of the month. An '
  'overdraft cannot be transferred. A repeated call with the same external_ref moves nothing (replayed). The recipient '
  'can read external_ref and reason in their entries. Both accounts stay locked until the transaction ends: several '
  'transfers in one transaction can deadlock (40P01) with a transaction that makes them in another order; make them '
  'with transfer_credits_batch. Raises 22023 for a bad argument, PT402 when credits are missing or the sender owes '
  'credits of a revoked grant, PT403 for a closed account, PT409 when the external_ref was another transfer.';

create function credits.transfers_read(p_transfers jsonb)
returns credits.transfer_order[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  transfers credits.transfer_order[];
begin
  if jsonb_typeof(p_transfers) is distinct from 'array' or jsonb_array_length(p_transfers) not between 1 and 1000 then
    perform credits.raise_misuse('22023', 'a batch is a JSON array of 1 to 1000 transfers',
      'Each is {"from_account_id", "to_account_id", "amount", "external_ref"} and, if wanted, "reason".');
  end if;
  begin
    transfers := array(
      select row(t.from_account_id, t.to_account_id, t.amount, t.external_ref, t.reason)::credits.transfer_order
      from jsonb_array_elements(p_transfers) with ordinality as r (value, place),
        jsonb_populate_record(null::credits.transfer_order, r.value) as t
      order by r.place);
  exception when data_exception then
    perform credits.raise_misuse('22023',
      'a transfer of this batch is not an object of two UUIDs, a whole amount, an external_ref and a reason', sqlerrm);
  end;
  return transfers;
end;
$$;
comment on function credits.transfers_read(jsonb) is
  'The transfers of a batch in their order. Raises 22023 for an invalid batch.';

create function public.transfer_credits_batch(p_transfers jsonb)
returns setof public.credit_transfer_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('transfer_credits_batch');
  return query select * from credits.transfers_make(credits.transfers_read(p_transfers));
end;
$$;
comment on function public.transfer_credits_batch(jsonb) is
  'Makes up to 1000 transfers in one call, all or nothing, in their order, each as transfer_credits would; returns one '
  'result per transfer. p_transfers: [{"from_account_id", "to_account_id", "amount", "external_ref", "reason"}]. It '
  'locks every account before it moves a credit, the lower id first, so that it never deadlocks with another batch or '
  'transfer: call it once in a transaction. Raises 22023 for a batch that is not an array of 1 to 1000 transfers, and '
  'otherwise what transfer_credits raises.';

-- supabase/schemas/11_payments/10_products.sql
-- Gives: what is sold, in versions: packs of credits, and plans that are paid by the period.
-- Keeps: the server alone maps a provider's price to credits; a version that was sold never changes.
-- Needs: foundation, plans; when called: payments.

create table public.credit_products (
  provider text not null check (provider ~ '^[a-z][a-z0-9_]{0,30}$'),
  livemode boolean not null,
  name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  effective_from timestamptz not null default now(),
  provider_price_id text not null check (length(provider_price_id) between 1 and 255),
  kind text not null check (kind in ('pack', 'plan')),
  credits bigint not null check (credits between 0 and 1000000000000),
  plan text references public.credit_plans (name),
  expires_after_seconds bigint check (expires_after_seconds between 60 and 3155760000),
  priority smallint not null default 100,
  unit_amount bigint not null check (unit_amount between 0 and 1000000000000000),
  currency text not null check (currency ~ '^[a-z]{3}$'),
  max_quantity integer not null default 100 check (max_quantity between 1 and 1000000),
  upgrade_gives text not null default 'difference'
    check (upgrade_gives in ('nothing', 'difference', 'difference_by_time_left')),
  trial_credits bigint not null default 0 check (trial_credits between 0 and 1000000000000),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  primary key (provider, livemode, name, effective_from),
  constraint plan_is_named check ((kind = 'plan') = (plan is not null))
);
-- The product of a payment's line: credits.product_of_price.
create index credit_products_by_price
  on public.credit_products (provider, livemode, provider_price_id, effective_from);

comment on table public.credit_products is
  'What is sold: one row per product and version, for each provider and mode (test or live) of its own. The version in '
  'force is the latest whose effective_from has come; users read it while it is enabled. A client names a product, '
  'never a price or a number of credits. set_product writes a version.';
comment on column public.credit_products.livemode is 'Whether it is sold for real money; false: the provider''s test.';
comment on column public.credit_products.provider_price_id is
  'The provider''s id of the price. It belongs to one product of this provider and mode.';
comment on column public.credit_products.kind is
  'pack: bought once. plan: a subscription, paid by the period, that puts the account on a plan.';
comment on column public.credit_products.credits is
  'Whole credits for a quantity of 1: of a pack, or of each period of a plan. 0: the price brings no credits (a set-up '
  'fee, or a plan that the schedule refills).';
comment on column public.credit_products.plan is 'The plan of the account while the subscription lasts; null: a pack.';
comment on column public.credit_products.expires_after_seconds is
  'Of a pack: how long its credits last from the time at which they are granted; null: for ever. Of a plan: how long '
  'they last beyond the end of their period; null: not beyond it.';
comment on column public.credit_products.priority is
  'Priority of the credits; lower burns first. set_product begins a plan with 90, so that its credits are spent before '
  'packs.';
comment on column public.credit_products.unit_amount is
  'The price of one, in minor units of the currency, to show it. What is granted and taken back goes by what was '
  'really paid.';
comment on column public.credit_products.currency is 'ISO 4217 code in lower case.';
comment on column public.credit_products.max_quantity is 'How many one checkout may ask for. A plan is bought once.';
comment on column public.credit_products.upgrade_gives is
  'What a paid change to this plan in the middle of a period grants: the difference of the periods'' credits, the '
  'difference in proportion to the time left, or nothing.';
comment on column public.credit_products.trial_credits is 'Credits that a trial of the plan grants.';
comment on column public.credit_products.enabled is
  'Whether it is shown and can be bought. What was bought before is still booked.';

create function credits.is_product_in_force(
  p_provider text, p_livemode boolean, p_name text, p_effective_from timestamptz
)
returns boolean
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select p_effective_from = (select max(effective_from) from public.credit_products
    where provider = p_provider and livemode = p_livemode and name = p_name and effective_from <= now());
$$;
comment on function credits.is_product_in_force(text, boolean, text, timestamptz) is
  'Whether a product''s version is the one in force now, enabled or not. For the policy of credit_products, which '
  'cannot read its own table.';

alter table public.credit_products enable row level security;
-- A future price is not public: a user who reads it could buy before it rises.
create policy credit_products_read_enabled on public.credit_products
  for select to authenticated
  using (enabled and credits.is_product_in_force(provider, livemode, name, effective_from));

create function credits.product_of_price(
  p_provider text, p_livemode boolean, p_price_id text, p_at timestamptz
)
returns public.credit_products
language sql
stable
set search_path = '', pg_temp
as $$
  -- A price that was sold before its product was written is that of the first version.
  select p from public.credit_products as p
  where p.provider = p_provider and p.livemode = p_livemode and p.provider_price_id = p_price_id
  order by p.effective_from <= p_at desc, abs(extract(epoch from p.effective_from - p_at)) limit 1;
$$;
comment on function credits.product_of_price(text, boolean, text, timestamptz) is
  'The version of the product that a price was sold as at a time, enabled or not; null: the price is not ours.';

create function credits.product_is_kept()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if tg_op = 'UPDATE' then
    -- These two say what may be bought, not what was.
    old.enabled := new.enabled;
    old.max_quantity := new.max_quantity;
    if old is not distinct from new then
      return new;
    end if;
  end if;
  -- Bookings in flight hold a share lock on the version, for which this statement has waited.
  if exists (select from public.payments as p cross join lateral jsonb_array_elements(p.lines) as l
    where p.provider = old.provider and p.livemode = old.livemode and p.status = 'paid'
      and l ->> 'price_id' = old.provider_price_id) then
    perform credits.raise_misuse('PT409', 'this version of the product was sold',
      'Write a new version: select set_product(…). Set enabled to false to sell it no more.');
  end if;
  return case tg_op when 'UPDATE' then new else old end;
end;
$$;
comment on function credits.product_is_kept() is
  'Refuses to change or delete a version that was sold, because later states of its payments are booked by it.';
create trigger product_is_kept before update or delete on public.credit_products
  for each row execute function credits.product_is_kept();

create function credits.refill_source_is_free()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if exists (
    select from public.credit_products as p
    where p.plan = new.name and p.enabled and p.credits > 0 and (p.effective_from > now()
      or credits.is_product_in_force(p.provider, p.livemode, p.name, p.effective_from))) then
    perform credits.raise_misuse('PT409', 'payments refill this plan: a product of it brings credits',
      'First sell it with 0 credits, or no more: select set_product(…).');
  end if;
  return new;
end;
$$;
comment on function credits.refill_source_is_free() is
  'Refuses to let the schedule refill a plan whose paid periods bring credits: exactly one source refills a plan.';
create trigger refill_source_is_free before update on public.credit_plans
  for each row when (old.refilled_by = 'payment' and new.refilled_by = 'schedule')
  execute function credits.refill_source_is_free();

create function credits.product_settings(p_product public.credit_products, p_settings jsonb)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  keys constant text[] := array['provider', 'livemode', 'name', 'effective_from', 'created_at'];
  unknown text;
begin
  select s.name into unknown from jsonb_object_keys(p_settings) as s (name)
  where s.name = any (keys) or not exists (
    select from pg_catalog.pg_attribute as a
    where a.attrelid = 'public.credit_products'::regclass and a.attname = s.name and a.attnum > 0
      and not a.attisdropped) limit 1;
  if unknown is not null then
    perform credits.raise_misuse('22023', format('%s is not a setting of a product', unknown),
      'Settings are columns of credit_products.');
  end if;
  if p_product.name is null then
    return case p_settings ->> 'kind' when 'plan' then '{"priority": 90}'::jsonb else '{}'::jsonb end || p_settings;
  end if;
  return (to_jsonb(p_product) - keys) || p_settings;
end;
$$;
comment on function credits.product_settings(public.credit_products, jsonb) is
  'The columns of a product''s next version: those of the version before (a null row: none), with p_settings on '
  'top. Raises 22023 for what is not a column.';

create function credits.product_check(p_provider text, p_livemode boolean, p_product text, p_settings jsonb)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_settings ->> 'provider_price_id' is null or p_settings ->> 'kind' is null or p_settings ->> 'credits' is null
    or p_settings ->> 'unit_amount' is null or p_settings ->> 'currency' is null then
    perform credits.raise_misuse('22023',
      'a product needs provider_price_id, kind, credits, unit_amount and currency',
      'Pass p_settings => {"provider_price_id": "price_…", "kind": "pack", "credits": 10000, "unit_amount": 1000, '
      '"currency": "usd"}.');
  end if;
  if exists (select from public.credit_products
    where provider = p_provider and livemode = p_livemode and name <> p_product
      and provider_price_id = p_settings ->> 'provider_price_id') then
    perform credits.raise_misuse('PT409', 'this price belongs to another product',
      'A price is sold as one product. Make a new price at the provider.');
  end if;
  if (p_settings ->> 'credits')::bigint > 0 and exists (select from public.credit_plans
    where name = p_settings ->> 'plan' and refilled_by = 'schedule') then
    perform credits.raise_misuse('22023', 'the schedule refills this plan, so its payments bring no credits',
      'Set credit_plans.refilled_by to payment, or sell the plan with 0 credits.');
  end if;
end;
$$;
comment on function credits.product_check(text, boolean, text, jsonb) is
  'Raises 22023 for a product that lacks something or whose plan gets its credits by the schedule, PT409 for a price '
  'of another product.';

create function public.set_product(
  p_provider text, p_livemode boolean, p_product text, p_settings jsonb default '{}',
  p_effective_from timestamptz default now()
)
returns timestamptz
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  before public.credit_products;
  settings jsonb;
begin
  perform credits.caller_check('set_product');
  if p_provider is null or p_livemode is null or p_product is null or p_effective_from is null
    or jsonb_typeof(p_settings) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'a product needs a provider, a mode, a name, a time and settings',
      'Leave out the time to count from now on; settings are a JSON object.');
  end if;
  -- One change at a time, so that a retry finds the version that it wrote.
  lock table public.credit_products in share row exclusive mode;
  select * into before from public.credit_products
  where provider = p_provider and livemode = p_livemode and name = p_product and effective_from <= p_effective_from
  order by effective_from desc limit 1;
  settings := credits.product_settings(before, p_settings);
  if before.name is not null and settings = credits.product_settings(before, '{}') then
    return before.effective_from;
  elsif before.effective_from = p_effective_from then
    perform credits.raise_misuse('PT409', 'the product has another version from that time on already',
      'Pass another time, or delete that version first.');
  elsif p_effective_from < now() and exists (select from public.credit_products
    where provider = p_provider and livemode = p_livemode and name = p_product) then
    perform credits.raise_misuse('22023', 'a new version cannot count from a time that has passed',
      'Leave p_effective_from out: it counts from now on.');
  end if;
  perform credits.product_check(p_provider, p_livemode, p_product, settings);
  settings := settings || jsonb_build_object('provider', p_provider, 'livemode', p_livemode, 'name', p_product,
    'effective_from', p_effective_from);
  -- Only the named columns: the others get their defaults.
  execute format('insert into public.credit_products (%1$s)
    select %1$s from jsonb_populate_record(null::public.credit_products, $1)',
    (select string_agg(quote_ident(s.name), ', ') from jsonb_object_keys(settings) as s (name)))
  using settings;
  return p_effective_from;
end;
$$;
comment on function public.set_product(text, boolean, text, jsonb, timestamptz) is
  'Writes a new version of a product, or its first, for a provider and mode. p_settings: columns of credit_products, '
  'such as {"credits": 12000} or {"enabled": false}; columns that are not named stay as before; the first version '
  'needs provider_price_id, kind, credits, unit_amount and currency, and a plan its plan. Returns when the version '
  'comes into force. Idempotent. Raises 22023 for a bad form or a past time, 23514 for a value out of bounds, PT409 '
  'for a price of another product, or another version from that very time on.';

-- supabase/schemas/11_payments/20_payments.sql
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

-- supabase/schemas/11_payments/30_neutral_form.sql
-- Gives: how the fields of the neutral form are read, to which a provider's objects are translated
--   (docs/payment_states.md).
-- Keeps: what has another type or form is refused (22023), and what is not asked for is left out.
-- Needs: foundation.

create function credits.neutral_text(p_state jsonb, p_field text, p_pattern text default '^.{1,255}$')
returns text
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_state -> p_field is null or p_state -> p_field = 'null' then
    return null;
  elsif jsonb_typeof(p_state -> p_field) <> 'string' or p_state ->> p_field !~ p_pattern then
    perform credits.raise_misuse('22023', format('%s has a form that is not expected', p_field),
      'docs/payment_states.md describes the form of a payment''s state.');
  end if;
  return p_state ->> p_field;
end;
$$;
comment on function credits.neutral_text(jsonb, text, text) is
  'A text of a state, null where it is missing. Raises 22023 for another type, or one that does not match the pattern.';

create function credits.neutral_number(p_state jsonb, p_field text, p_least bigint default 0)
returns bigint
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  value numeric;
begin
  if p_state -> p_field is null or p_state -> p_field = 'null' then
    return null;
  elsif jsonb_typeof(p_state -> p_field) = 'number' then
    value := (p_state -> p_field)::numeric;
  end if;
  if (value between p_least and 1000000000000000 and value = trunc(value)) is not true then
    perform credits.raise_misuse('22023', format('%s must be a whole number from %s on', p_field, p_least),
      'Amounts are in minor units of the currency.');
  end if;
  return value;
end;
$$;
comment on function credits.neutral_number(jsonb, text, bigint) is
  'A whole number of a state, null where it is missing. Raises 22023 for anything else.';

create function credits.neutral_time(p_state jsonb, p_field text)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return credits.neutral_text(p_state, p_field, '^.{1,40}$')::timestamptz;
exception when data_exception then
  perform credits.raise_misuse('22023', format('%s must be a time', p_field),
    'As ISO 8601, such as 2026-01-31T12:00Z.');
  return null;
end;
$$;
comment on function credits.neutral_time(jsonb, text) is
  'A time of a state, null where it is missing. Raises 22023 for anything else.';

create function credits.neutral_flag(p_state jsonb, p_field text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if coalesce(p_state -> p_field, 'null') <> 'null' and jsonb_typeof(p_state -> p_field) <> 'boolean' then
    perform credits.raise_misuse('22023', format('%s must be true or false', p_field),
      'docs/payment_states.md describes the form of a state.');
  end if;
  return (p_state ->> p_field)::boolean;
end;
$$;
comment on function credits.neutral_flag(jsonb, text) is
  'Yes or no of a state, null where it is missing. Raises 22023 for anything else.';

create function credits.neutral_account(p_state jsonb)
returns uuid
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return credits.neutral_text(p_state, 'account_id', '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')::uuid;
end;
$$;
comment on function credits.neutral_account(jsonb) is
  'The account that a state''s metadata names, null where it names none. Raises 22023 for what is no id.';

create function credits.neutral_list(p_state jsonb, p_field text)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if coalesce(p_state -> p_field, 'null') = 'null' then
    return '[]'::jsonb;
  elsif jsonb_typeof(p_state -> p_field) <> 'array' or jsonb_array_length(p_state -> p_field) > 1000
    or exists (select from jsonb_array_elements(p_state -> p_field) as e where jsonb_typeof(e) <> 'object') then
    perform credits.raise_misuse('22023', format('%s must be a list of at most 1000 objects', p_field),
      'docs/payment_states.md describes the form of a payment''s state.');
  end if;
  return p_state -> p_field;
end;
$$;
comment on function credits.neutral_list(jsonb, text) is
  'A list of objects of a state, empty where it is missing. Raises 22023 for anything else.';

create function credits.required(p_name text, p_value anyelement)
returns anyelement
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_value is null then
    perform credits.raise_misuse('22023', format('%s is needed', p_name),
      'docs/payment_states.md describes the form of a state.');
  end if;
  return p_value;
end;
$$;
comment on function credits.required(text, anyelement) is 'The value, if it is there. Raises 22023 if not.';

-- supabase/schemas/11_payments/35_payment_states.sql
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

-- supabase/schemas/11_payments/40_payment_terms.sql
-- Gives: what a paid payment grants: to which account, how many credits, until when; or why it has to wait.
-- Keeps: the credits of a period are granted once, across all upgrades, and in any order of payments.
-- Needs: settings, plans, grants, products, payments.

create type credits.payment_terms as (
  product public.credit_products,
  quantity bigint,
  credits bigint,
  period_start timestamptz,
  period_end timestamptz
);
comment on type credits.payment_terms is
  'What a payment grants; product and quantity are those of its main line.';

create function credits.payment_lines(p_payment public.payments)
returns table (
  place bigint, quantity numeric, amount bigint, is_proration boolean, period_start timestamptz,
  period_end timestamptz, product public.credit_products, credits numeric
)
language sql
stable
set search_path = '', pg_temp
as $$
  select l.place, (l.line ->> 'quantity')::numeric, (l.line ->> 'amount')::bigint,
    (l.line ->> 'is_proration')::boolean, (l.line ->> 'period_start')::timestamptz,
    (l.line ->> 'period_end')::timestamptz, p,
    -- The price of a trial is 0, not the product's. Time that was not used is a line below 0.
    case when (l.line ->> 'amount')::bigint < 0 then -p.credits
      when p.kind = 'plan' and l.line ->> 'amount' = '0' and p.unit_amount > 0 and l.line ->> 'is_proration' = 'false'
        then p.trial_credits
      else p.credits end * (l.line ->> 'quantity')::numeric
  from jsonb_array_elements(p_payment.lines) with ordinality as l (line, place)
  left join lateral credits.product_of_price(
    p_payment.provider, p_payment.livemode, l.line ->> 'price_id', p_payment.created_at) as p on true;
$$;
comment on function credits.payment_lines(public.payments) is
  'The lines of a payment with the products that they were sold as, and the credits that each brings (below 0: that it '
  'takes away, of the plan before an upgrade).';

create function credits.payment_levels(p_payment public.payments)
returns table (period_end timestamptz, period_start timestamptz, is_proration boolean, levels int8multirange)
language sql
stable
set search_path = '', pg_temp
as $$
  with lines as (
    select l.*, min(l.period_start) over part as first, max(l.period_start) over part as last
    from credits.payment_lines(p_payment) as l window part as (partition by l.period_end, l.is_proration)
  ),
  -- Of several changes before one invoice: from what was there before the first to what is there after the last.
  totals as (
    select n.period_end, min(n.period_start) as begins, n.is_proration,
      coalesce(-sum(n.credits) filter (where n.credits < 0
        and (not n.is_proration or n.period_start is not distinct from n.first)), 0) as below,
      coalesce(sum(n.credits) filter (where n.credits > 0
        and (not n.is_proration or n.period_start is not distinct from n.last)), 0) as above
    from lines as n group by n.period_end, n.is_proration
  )
  select t.period_end, t.begins, t.is_proration,
    case when t.above > t.below then int8multirange(int8range(t.below::bigint, t.above::bigint))
      else '{}'::int8multirange end
  from totals as t;
$$;
comment on function credits.payment_levels(public.payments) is
  'Which credits of a period a payment is for: 0 to what its plan brings, or from the old plan''s to the new one''s '
  'where it is for an upgrade.';

create function credits.period_share(p_payment public.payments, p_start timestamptz, p_end timestamptz)
returns numeric
language sql
stable
set search_path = '', pg_temp
as $$
  with period as (
    select min(o.period_start) as begins from public.payments as o
    where o.account_id = p_payment.account_id and o.subscription_id = p_payment.subscription_id
      and o.period_end = p_end and o.state = 'booked' and o.period_start < p_start
    union all
    select s.current_period_start from public.payment_subscriptions as s
    where s.provider = p_payment.provider and s.subscription_id = p_payment.subscription_id
      and s.current_period_end = p_end and s.current_period_start < p_start
  )
  select coalesce(extract(epoch from p_end - p_start) / extract(epoch from p_end - min(begins)), 1) from period;
$$;
comment on function credits.period_share(public.payments, timestamptz, timestamptz) is
  'Which part of a subscription''s period is from p_start to its end; 1 where the period is not known.';

create function credits.payment_credits(p_payment public.payments)
returns numeric
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  part record;
  covered int8multirange;
  total numeric := 0;
  gives text;
begin
  if p_payment.kind = 'pack' then
    return (select coalesce(sum(l.credits), 0) from credits.payment_lines(p_payment) as l);
  end if;
  for part in select * from credits.payment_levels(p_payment) as v where not isempty(v.levels) loop
    -- What other payments of this period have granted is granted once.
    select coalesce(range_agg(v.levels), '{}') into strict covered
    from public.payments as o cross join lateral credits.payment_levels(o) as v
    where o.account_id = p_payment.account_id and o.subscription_id = p_payment.subscription_id
      and o.key <> p_payment.key and o.state = 'booked' and o.grant_id is not null
      and o.reversed_credits < o.credits and v.period_end = part.period_end;
    gives := 'difference';
    if part.is_proration then
      select (l.product).upgrade_gives into strict gives from credits.payment_lines(p_payment) as l
      where l.is_proration and l.credits > 0 order by l.credits desc, l.place limit 1;
    end if;
    total := total + case gives when 'nothing' then 0 else trunc(
      (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(part.levels - covered) as r)
      * case gives when 'difference' then 1
        else credits.period_share(p_payment, part.period_start, part.period_end) end) end;
  end loop;
  return total;
end;
$$;
comment on function credits.payment_credits(public.payments) is
  'The credits that a payment grants. A plan''s: those of its period, or of an upgrade''s difference, that no other '
  'payment of the subscription has granted for this period. The caller holds the account''s lock.';

create function credits.payment_account(p_provider text, p_livemode boolean, p_customer_id text)
returns uuid
language sql
stable
set search_path = '', pg_temp
as $$
  select account_id from public.payment_customers
  where provider = p_provider and livemode = p_livemode and customer_id = p_customer_id;
$$;
comment on function credits.payment_account(text, boolean, text) is
  'The account of a provider''s customer; null: the customer is not ours.';

create function credits.price_cause(p_provider text, p_livemode boolean, p_price_id text)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select case when bool_or(livemode = p_livemode) then null when count(*) > 0 then 'livemode_mixed'
    else 'unknown_price' end
  from public.credit_products
  where provider = p_provider and provider_price_id = p_price_id;
$$;
comment on function credits.price_cause(text, boolean, text) is
  'Why a price cannot be booked: unknown_price, or livemode_mixed where only the other mode has it; null if it can.';

create function credits.payment_cause(p_payment public.payments)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  account constant uuid := credits.payment_account(p_payment.provider, p_payment.livemode, p_payment.customer_id);
  cause text;
  lines record;
begin
  if account is null then
    return 'unknown_customer';
  elsif p_payment.claimed_account_id <> account then
    return 'account_differs';
  end if;
  select min(credits.price_cause(p_payment.provider, p_payment.livemode, l ->> 'price_id')) into cause
  from jsonb_array_elements(p_payment.lines) as l;
  if cause is not null or p_payment.lines = '[]' then
    return coalesce(cause, 'unknown_price');
  end if;
  select bool_and((l.product).kind = p_payment.kind or (l.product).credits = 0) as fit,
    min(l.quantity) filter (where (l.product).credits > 0) as least, sum(abs(l.credits)) as credits into strict lines
  from credits.payment_lines(p_payment) as l;
  if not lines.fit then
    return 'kind_differs';
  elsif lines.least < 1 or lines.credits > 1000000000000 then
    return 'quantity';
  elsif exists (select from public.credit_grants where external_ref = p_payment.key and account_id <> account) then
    return 'granted_elsewhere';
  elsif exists (select from public.credit_accounts where id = account and closed_at is not null) then
    return 'account_closed';
  end if;
  return null;
end;
$$;
comment on function credits.payment_cause(public.payments) is
  'Why a paid payment cannot be booked; null if it can. The first that applies.';

create function credits.payment_terms(p_payment public.payments)
returns credits.payment_terms
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  terms credits.payment_terms;
begin
  select l.product, l.quantity into terms.product, terms.quantity from credits.payment_lines(p_payment) as l
  order by l.is_proration, l.credits desc nulls last, l.place limit 1;
  select min(l.period_start) filter (where l.period_end = e.latest), e.latest
    into terms.period_start, terms.period_end
  from credits.payment_lines(p_payment) as l
  cross join (select max(m.period_end) as latest from credits.payment_lines(p_payment) as m) as e group by e.latest;
  terms.credits := credits.payment_credits(p_payment);
  -- Exactly one source refills a plan.
  if exists (select from public.credit_plans where name = (terms.product).plan and refilled_by = 'schedule') then
    terms.credits := 0;
  end if;
  return terms;
end;
$$;
comment on function credits.payment_terms(public.payments) is
  'What a payment grants that has no cause to wait. The caller holds the account''s lock.';

create function credits.payment_expires_at(p_terms credits.payment_terms)
returns timestamptz
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  lasts constant interval := make_interval(secs => (p_terms.product).expires_after_seconds);
  expires_at timestamptz;
begin
  if (p_terms.product).kind = 'pack' then
    return now() + lasts;
  end if;
  expires_at := p_terms.period_end + coalesce(lasts, interval '0');
  -- A payment that is booked after its period: the credits can still be used.
  return case when expires_at <= now() then
    now() + make_interval(secs => (select refund_grace_seconds from public.credit_settings)) else expires_at end;
end;
$$;
comment on function credits.payment_expires_at(credits.payment_terms) is
  'When a payment''s credits expire. If a plan''s are booked after their time, they get the grace period of a refund.';

-- supabase/schemas/11_payments/45_payment_events.sql
-- Gives: what came of each event of a provider.
-- Keeps: an event's row is written in the transaction of its booking: if that fails, nothing of it stays.
-- Needs: payments, neutral form.

create function credits.payment_event_note(
  p_event jsonb, p_provider text, p_livemode boolean, p_key text, p_account_id uuid, p_outcome text, p_cause text
)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_event is not null then
    insert into public.payment_events as e (provider, event_id, livemode, type, object_id, payment_key, account_id,
      outcome, cause, created_at)
    values (p_provider, credits.required('an event''s id', credits.neutral_text(p_event, 'id')), p_livemode,
      credits.required('an event''s type', credits.neutral_text(p_event, 'type', '^.{1,127}$')),
      credits.neutral_text(p_event, 'object'), p_key, p_account_id, p_outcome, p_cause,
      credits.neutral_time(p_event, 'created_at'))
    on conflict (provider, event_id) do update
    -- What an event has booked stays its outcome, also when it is sent again.
    set outcome = case when e.outcome = 'booked' then e.outcome else excluded.outcome end,
      cause = case when e.outcome = 'booked' then e.cause else excluded.cause end,
      payment_key = coalesce(excluded.payment_key, e.payment_key),
      account_id = coalesce(excluded.account_id, e.account_id), tries = e.tries + 1, updated_at = now();
  end if;
  if p_outcome in ('booked', 'nothing_to_do') then
    -- What it waited for has been booked.
    update public.payment_events set outcome = 'booked', cause = null, account_id = p_account_id, updated_at = now()
    where payment_key = p_key and outcome = 'waiting';
  end if;
end;
$$;
comment on function credits.payment_event_note(jsonb, text, boolean, text, uuid, text, text) is
  'Keeps what came of an event (null: the state was read without one), and ends the waiting of earlier events of a '
  'payment that is booked. In the transaction of the booking: if that fails, nothing of the event stays.';

create function public.note_payment_event(p_event jsonb, p_outcome text, p_cause text default null)
returns void
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('note_payment_event');
  if p_outcome is null or p_outcome not in ('nothing_to_do', 'waiting', 'refused') then
    perform credits.raise_misuse('22023', 'outcome must be nothing_to_do, waiting or refused',
      'What is booked is noted by book_payment.');
  end if;
  perform credits.payment_event_note(credits.required('event', p_event),
    credits.required('provider', credits.neutral_text(p_event, 'provider', '^[a-z][a-z0-9_]{0,30}$')),
    credits.required('livemode', credits.neutral_flag(p_event, 'livemode')), null, null, p_outcome, left(p_cause, 127));
end;
$$;
comment on function public.note_payment_event(jsonb, text, text) is
  'Keeps an event that is not about a payment or subscription of ours, or that could not be looked up: {provider, '
  'livemode, id, type, object, created_at}. p_outcome: nothing_to_do, refused or waiting (an operator has to look at '
  'it). Idempotent. Raises 22023 for a bad form.';

-- supabase/schemas/11_payments/50_book_payment.sql
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

-- supabase/schemas/11_payments/55_payment_retries.sql
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

-- supabase/schemas/11_payments/60_subscriptions.sql
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

-- supabase/schemas/11_payments/70_checkout.sql
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

-- supabase/schemas/12_books/10_journal.sql
-- Gives: the ledger as double entry, for finance.
-- Keeps: every transaction sums to zero over its books.
-- Needs: ledger, debts, jobs.

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
  greatest(side.amount, 0) as debit, greatest(-side.amount, 0) as credit, side.amount, null::bigint as debt_seq
from public.credit_ledger as l
cross join lateral (values
  (case when l.grant_id is null then 'overdraft' else 'customer credits' end, -l.delta),
  (credits.book_of(l.kind), l.delta)
) as side (book, amount)
union all
select d.account_id, null, d.created_at, 'revocation', null, d.grant_id, side.book,
  greatest(side.amount, 0), greatest(-side.amount, 0), side.amount, d.seq
from public.credit_debts as d
cross join lateral (values ('debts', d.delta), ('clearing', -d.delta)) as side (book, amount)
where d.delta <> 0;
comment on view public.credit_journal is
  'Every ledger entry as a debit and a credit, in whole credits: two rows per transaction (account_id, seq), amount '
  '= debit - credit, and every change of a debt (debt_seq instead of seq), summing to zero by transaction, by day '
  'and overall. Customer credits are a liability: a credit there is owed to the customer. Debts are an asset, too: '
  'what is owed of grants that were taken back. Overdraft is an asset: a debit there is owed by the customer, who '
  'spent beyond their grants.';

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
  sum(lent) over (order by day)::bigint as overdrawn
from (
  select (created_at at time zone 'utc')::date as day,
    coalesce(sum(credit - debit) filter (where book = 'customer credits'), 0)::bigint as change,
    coalesce(sum(debit - credit) filter (where book = 'overdraft'), 0)::bigint as lent
  from public.credit_journal where book in ('customer credits', 'overdraft') group by 1
) as days;
comment on view public.credit_liability_daily is
  'Credits owed to customers at the end of each day (UTC) on which something moved: change of the day, and '
  'outstanding. overdrawn: what customers owe at that time, having spent beyond their grants; outstanding - '
  'overdrawn is the sum of all balances.';

-- supabase/schemas/12_books/15_payment_books.sql
-- Gives: payments for finance: revenue, refunds and fees by product, and what is paid for and not used yet.
-- Keeps: money in minor units of its currency, never added up over currencies, modes or providers.
-- Needs: grants, payments.

create view public.payment_revenue_daily
with (security_invoker = true)
as
select (p.paid_at at time zone 'utc')::date as day, p.provider, p.livemode, p.currency, p.kind, p.product,
  count(*) as payments, sum(p.amount)::bigint as gross, sum(least(p.refunded, p.amount))::bigint as refunded,
  sum(least(p.disputed, p.amount))::bigint as disputed, sum(coalesce(p.fee, 0) + d.fee)::bigint as fees,
  sum(p.amount - least(p.refunded + p.disputed, p.amount) - coalesce(p.fee, 0) - d.fee)::bigint as net,
  count(*) filter (where p.fee is null and p.amount > 0) as without_fee,
  sum(p.credits)::bigint as credits, sum(p.reversed_credits)::bigint as reversed_credits
from public.payments as p
cross join lateral (
  select coalesce(sum(c.fee), 0) as fee from public.payment_disputes as c where c.payment_key = p.key) as d
where p.status = 'paid'
group by 1, 2, 3, 4, 5, 6;
comment on view public.payment_revenue_daily is
  'What was paid, by the day (UTC) of the payment and by product, as it stands now: gross, less what was refunded and '
  'disputed and the provider''s fees (those of disputes, too), is net. In minor units of the currency. without_fee: '
  'payments whose fee is not known. product null: payments that wait. credits and reversed_credits: granted and taken '
  'back for them.';

create view public.payment_deferred_revenue
with (security_invoker = true)
as
select p.provider, p.livemode, p.currency, p.kind, p.product,
  sum(g.remaining)::bigint as credits_outstanding,
  round(sum((p.amount - least(p.refunded + p.disputed, p.amount))
    * least(g.remaining / nullif(p.credits - p.reversed_credits, 0)::numeric, 1)))::bigint as deferred,
  sum(p.amount - least(p.refunded + p.disputed, p.amount))::bigint as kept
from public.payments as p
cross join lateral (
  select coalesce(sum(c.remaining), 0) as remaining from public.credit_grants as c
  where c.account_id = p.account_id and (c.id = p.grant_id or c.makes_good = p.grant_id)) as g
where p.state = 'booked'
group by 1, 2, 3, 4, 5;
comment on view public.payment_deferred_revenue is
  'What is paid for and not used yet, by product: credits of payments that are left (also those that came back after '
  'their expiry), and the money that they stand for, in minor units of the currency: of each payment the part that its '
  'credits left are of those that were not taken back. kept: what was paid and not refunded or disputed. Credits that '
  'were transferred to another account are no longer told by their payment.';

-- supabase/schemas/12_books/20_verify.sql
-- Gives: verify_ledger, which recomputes an account's hash chain and names the first broken entry.
-- Keeps: nothing; finds changes that got past rules, triggers and privileges. With checkpoints it reads new entries
-- only.
-- Needs: ledger.

create table public.credit_ledger_checkpoints (
  account_id uuid primary key,
  seq bigint not null check (seq > 0),
  hash bytea not null check (octet_length(hash) = 32),
  balance bigint not null,
  verified_at timestamptz not null default now()
);
comment on table public.credit_ledger_checkpoints is
  'How far each account''s chain has been verified. Entries before a checkpoint are verified again only by a check '
  'from the start.';

alter table public.credit_ledger_checkpoints enable row level security;

create type public.credit_ledger_result as (
  account_id uuid,
  sound boolean,
  checked bigint,
  broken_seq bigint,
  problem text
);
comment on type public.credit_ledger_result is
  'The result of verify_ledger: whether the chain is sound, how many entries were checked, and otherwise the first '
  'broken entry and its problem: checkpoint (the last verified entry has changed or is gone), gap, hash, balance, or '
  'end (the chain ends before or beyond what the account says).';

create view credits.chain_links
with (security_invoker = true)
as
select e.account_id, e.seq, e.delta, e.job_id, e.hash, p.hash as previous_hash, p.balance_after as previous_balance,
  -- credits.entry_hash inlined: a call per entry would cost twice as much.
  coalesce(e.hash = sha256(coalesce(p.hash, case when e.seq = 1 then decode(repeat('00', 32), 'hex') end)
    || record_send(row(
    e.account_id, e.seq, e.delta, e.balance_after, e.kind::text, e.grant_id,
    e.job_id, e.created_at, convert_to(e.reason, 'UTF8'), convert_to(e.metadata::text, 'UTF8'))))
    -- Amounts whose sum overflows a bigint were never booked.
    and case when e.delta between -4e18::bigint and 4e18::bigint
      and coalesce(p.balance_after, 0) between -4e18::bigint and 4e18::bigint
      then e.balance_after = coalesce(p.balance_after, 0) + e.delta end, false) as follows,
  e.created_at
from public.credit_ledger as e
left join public.credit_ledger as p on p.account_id = e.account_id and p.seq = case when e.seq > 1 then e.seq - 1 end;
comment on view credits.chain_links is
  'Whether each entry follows from the one before it, in hash and balance. Postgres plans the join for one account or '
  'for all.';

create function credits.chain_break(p_account_id uuid, p_after_seq bigint, out seq bigint, out problem text,
  out checked bigint)
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  entry public.credit_ledger;
  previous public.credit_ledger;
begin
  select min(l.seq) filter (where not l.follows), count(*) into chain_break.seq, chain_break.checked
  from credits.chain_links as l where l.account_id = p_account_id and (l.seq > p_after_seq or p_after_seq = 0);
  if chain_break.seq is null then
    -- A duplicate, in the ledger and in its archive, passes the check above.
    select min(d.seq) into chain_break.seq from (
      select l.seq from public.credit_ledger as l where l.account_id = p_account_id and l.seq > p_after_seq
      group by l.seq having count(*) > 1) as d;
    chain_break.problem := case when chain_break.seq is not null then 'gap' end;
    return;
  end if;
  select * into entry from public.credit_ledger as l where l.account_id = p_account_id and l.seq = chain_break.seq;
  select * into previous from public.credit_ledger as l
  where l.account_id = p_account_id and l.seq < chain_break.seq order by l.seq desc limit 1;
  if chain_break.seq <> coalesce(previous.seq, 0) + 1 then
    chain_break.seq := coalesce(previous.seq, 0) + 1;
    chain_break.problem := 'gap';
  else
    chain_break.problem := case
      when entry.hash <> credits.entry_hash(coalesce(previous.hash, decode(repeat('00', 32), 'hex')), entry.account_id,
        entry.seq, entry.delta,
          entry.balance_after, entry.kind, entry.grant_id, entry.job_id, entry.reason, entry.metadata,
          entry.created_at) then 'hash' else 'balance' end;
  end if;
end;
$$;
comment on function credits.chain_break(uuid, bigint) is
  'The first entry after a checkpoint that does not follow from the one before it; null when all do.';

create function credits.checkpoint_is_kept(p_account_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return not exists (
    select from public.credit_ledger_checkpoints as c
    where c.account_id = p_account_id and not exists (
      select from public.credit_ledger as l
      where l.account_id = c.account_id and l.seq = c.seq and l.hash = c.hash and l.balance_after = c.balance));
end;
$$;
comment on function credits.checkpoint_is_kept(uuid) is
  'Whether the last verified entry is unchanged. This finds history that was rewritten with all its hashes.';

create function credits.checkpoint_zero(p_account_id uuid)
returns public.credit_ledger_checkpoints
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  checkpoint public.credit_ledger_checkpoints;
begin
  checkpoint.account_id := p_account_id;
  checkpoint.seq := 0;
  checkpoint.hash := decode(repeat('00', 32), 'hex');
  checkpoint.balance := 0;
  checkpoint.verified_at := '-infinity';
  return checkpoint;
end;
$$;
comment on function credits.checkpoint_zero(uuid) is 'The checkpoint before an account''s first entry.';

create function credits.account_chain(p_account public.credit_accounts, p_after public.credit_ledger_checkpoints)
returns public.credit_ledger_result
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  last_entry public.credit_ledger;
  result public.credit_ledger_result := row(p_account.id, true, 0, null, null);
  kept boolean := credits.checkpoint_is_kept(p_account.id);
begin
  if not kept and p_after.seq > 0 then
    result.broken_seq := p_after.seq;
    result.problem := 'checkpoint';
  else
    select seq, problem, checked into result.broken_seq, result.problem, result.checked
    from credits.chain_break(p_account.id, p_after.seq);
  end if;
  select * into last_entry from public.credit_ledger where account_id = p_account.id order by seq desc limit 1;
  if result.problem is null and (p_account.last_seq <> coalesce(last_entry.seq, 0)
    or p_account.balance <> coalesce(last_entry.balance_after, 0)
    or p_account.last_hash <> coalesce(last_entry.hash, p_after.hash)) then
    result.broken_seq := least(p_account.last_seq, coalesce(last_entry.seq, 0), 9223372036854775806) + 1;
    result.problem := 'end';
  end if;
  if result.problem is null and not kept then
    select c.seq, 'checkpoint' into result.broken_seq, result.problem
    from public.credit_ledger_checkpoints as c where c.account_id = p_account.id;
  end if;
  result.sound := result.problem is null;
  return result;
end;
$$;
comment on function credits.account_chain(public.credit_accounts, public.credit_ledger_checkpoints) is
  'Whether an account''s entries after a checkpoint (its own, or zero) follow from each other and end where the '
  'account says, and whether its own checkpoint still holds. Reads in the caller''s snapshot and locks nothing.';

create function credits.checkpoint_set(p_account public.credit_accounts)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_ledger_checkpoints as c (account_id, seq, hash, balance)
  select p_account.id, p_account.last_seq, p_account.last_hash, p_account.balance where p_account.last_seq > 0
  on conflict (account_id) do update
  set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, verified_at = now()
  where c.seq <= excluded.seq;
$$;
comment on function credits.checkpoint_set(public.credit_accounts) is
  'Records that an account''s chain is sound up to its last entry as the caller read it. Never moves a checkpoint '
  'back.';

create function public.verify_ledger(p_account_id uuid, p_from_start boolean default false)
returns public.credit_ledger_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  checked record;
begin
  perform credits.caller_check('verify_ledger');
  -- One statement, one snapshot: no half-booked entry is seen, and no charge waits for a long chain.
  select a as account, v as result into checked
  from public.credit_accounts as a
  left join public.credit_ledger_checkpoints as c on c.account_id = a.id and not coalesce(p_from_start, false)
  cross join lateral credits.account_chain(a,
    case when c.account_id is null then credits.checkpoint_zero(a.id) else c end) as v
  where a.id = p_account_id;
  if not found then
    perform credits.raise_misuse('PT404', 'no such account', 'Pass an account''s id.');
  end if;
  if (checked.result).sound then
    perform credits.checkpoint_set(checked.account);
  end if;
  return checked.result;
end;
$$;
comment on function public.verify_ledger(uuid, boolean) is
  'Recomputes an account''s hash chain since its last checkpoint, or from its first entry (p_from_start), names the '
  'first broken entry, and sets the checkpoint when all is sound. Its cost depends on the number of new entries; it '
  'locks nothing. Raises PT404 for an unknown account.';

-- supabase/schemas/12_books/30_archive.sql
-- Gives: archive_ledger, which moves verified history out of the hot table, and the anchors that prove what was moved.
-- Keeps: one chain over archive and ledger (invariant 1); every reader of credit_ledger sees both.
-- Needs: jobs, verify.
--
-- The archive inherits from the ledger: a query of credit_ledger reads both, so no reader has to know of it, and a
-- refund finds a charge of any age. Partitions would need the time in the primary key, which then could not keep
-- (account_id, seq) unique; and they would split every account at one date, in the middle of open jobs.

create table public.credit_ledger_archive (
  primary key (account_id, seq)
) inherits (public.credit_ledger);

-- Like credit_ledger_job, for archived entries.
create index credit_ledger_archive_job on public.credit_ledger_archive (account_id, job_id) where job_id is not null;
-- Archived entries are old: a query for the last day skips their page ranges.
create index credit_ledger_archive_by_time
  on public.credit_ledger_archive using brin (created_at) with (autosummarize = on);

comment on table public.credit_ledger_archive is
  'The beginning of each account''s ledger, up to its anchor: the same columns, append-only too, part of the same hash '
  'chain. Read credit_ledger, which shows archived entries and all others.';

create rule credit_ledger_archive_no_update as on update to public.credit_ledger_archive
  do instead select credits.ledger_is_append_only();
create rule credit_ledger_archive_no_delete as on delete to public.credit_ledger_archive
  do instead select credits.ledger_is_append_only();
create trigger credit_ledger_archive_refuse_change before update or delete on public.credit_ledger_archive
  for each row execute function credits.ledger_refuse_change();
create trigger credit_ledger_archive_refuse_truncate before truncate on public.credit_ledger_archive
  for each statement execute function credits.ledger_refuse_change();
alter table public.credit_ledger_archive enable always trigger credit_ledger_archive_refuse_change;
alter table public.credit_ledger_archive enable always trigger credit_ledger_archive_refuse_truncate;

alter table public.credit_ledger_archive enable row level security;
create policy credit_ledger_archive_read_own on public.credit_ledger_archive
  for select to authenticated
  using (account_id = any (array(select credits.my_account_ids())));

create table public.credit_ledger_anchors (
  account_id uuid primary key,
  seq bigint not null check (seq > 0),
  hash bytea not null check (octet_length(hash) = 32),
  balance bigint not null,
  archived_at timestamptz not null default now()
);
comment on table public.credit_ledger_anchors is
  'Where each account''s archive ends and its hot ledger goes on. Chains begin at 1 and balances at 0, so seq is also '
  'how many entries are archived, and balance their sum.';
comment on column public.credit_ledger_anchors.seq is 'The last archived entry, and how many there are.';
comment on column public.credit_ledger_anchors.hash is
  'Hash of the last archived entry, from which the next one follows.';
comment on column public.credit_ledger_anchors.balance is
  'Balance after the last archived entry, in whole credits: the sum of the archive.';

alter table public.credit_ledger_anchors enable row level security;

create type public.credit_archive_result as (
  accounts bigint,
  entries bigint,
  finished boolean
);
comment on type public.credit_archive_result is
  'What archive_ledger did: accounts touched, entries moved, and whether nothing is left to move (else call it again).';

create function credits.archive_end(p_account_id uuid, p_before timestamptz, p_anchor_seq bigint, p_limit bigint)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  -- Entries of an open job stay, and all after them: settling and failing the job read them.
  select max(e.seq)
  from (
    select l.seq, l.created_at from only public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > p_anchor_seq order by l.seq limit p_limit
  ) as e
  where e.created_at < p_before
    and e.seq <= (select c.seq from public.credit_ledger_checkpoints as c where c.account_id = p_account_id)
    and e.seq < coalesce((
      select min(l.seq) from public.generation_jobs as j
      join public.credit_ledger as l on l.account_id = j.account_id and l.job_id = j.id
      where j.account_id = p_account_id and j.status in ('pending', 'running')), 9223372036854775807);
$$;
comment on function credits.archive_end(uuid, timestamptz, bigint, bigint) is
  'The last of an account''s next p_limit entries that may be archived: older than p_before, verified (not beyond the '
  'checkpoint), and before the first entry of any open job; null when there is none.';

create function credits.archive_account(p_account_id uuid, p_after_seq bigint, p_last_seq bigint)
returns bigint
language plpgsql
set search_path = '', pg_temp
as $$
declare
  moved bigint;
begin
  insert into public.credit_ledger_archive
  select * from only public.credit_ledger
  where account_id = p_account_id and seq > p_after_seq and seq <= p_last_seq order by seq;
  get diagnostics moved = row_count;
  delete from only public.credit_ledger
  where account_id = p_account_id and seq > p_after_seq and seq <= p_last_seq;
  insert into public.credit_ledger_anchors as n (account_id, seq, hash, balance)
  select l.account_id, l.seq, l.hash, l.balance_after
  from only public.credit_ledger_archive as l where l.account_id = p_account_id and l.seq = p_last_seq
  on conflict (account_id) do update
  set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, archived_at = now();
  return moved;
end;
$$;
comment on function credits.archive_account(uuid, bigint, bigint) is
  'Moves an account''s entries after p_after_seq, up to p_last_seq, to the archive and sets the anchor; returns how '
  'many.';

create function public.archive_ledger(p_before timestamptz, p_limit bigint default 100000)
returns public.credit_archive_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  run public.credit_archive_result := row(0, 0, true);
  next record;
begin
  perform credits.caller_check('archive_ledger');
  if p_before is null or p_before > clock_timestamp() or p_limit is null or p_limit < 1 then
    perform credits.raise_misuse('22023', 'before must be a time in the past, and limit at least 1',
      'Archive entries that nobody reads any more, for example before now() - interval ''13 months''.');
  end if;
  -- One run at a time, and no account is locked: entries never change, so this and charges never wait for each other.
  lock table public.credit_ledger_anchors in share row exclusive mode;
  for next in
    select a.id, coalesce(n.seq, 0) as anchor_seq, e.seq as last_seq
    from public.credit_accounts as a
    left join public.credit_ledger_anchors as n on n.account_id = a.id
    cross join lateral credits.archive_end(a.id, p_before, coalesce(n.seq, 0), p_limit) as e (seq)
    where e.seq is not null
    order by a.id
  loop
    -- Whole accounts within the limit, or a part of the first one, so a batch needs no cursor.
    if run.entries > 0 and run.entries + next.last_seq - next.anchor_seq > p_limit then
      run.finished := false;
      exit;
    end if;
    run.entries := run.entries + credits.archive_account(next.id, next.anchor_seq, next.last_seq);
    run.accounts := run.accounts + 1;
    run.finished := run.finished and next.last_seq - next.anchor_seq < p_limit;
  end loop;
  return run;
end;
$$;
comment on function public.archive_ledger(timestamptz, bigint) is
  'Moves history to credit_ledger_archive: each account''s entries that are older than p_before, verified '
  '(reconcile_credit_ledger or verify_ledger has passed them) and before the first entry of any open job. At most '
  'p_limit entries per call: call it again until finished. Idempotent. Neither it nor charges wait for the other; a '
  'second run waits for the first. Every reader of credit_ledger still sees the entries. Raises 22023 for a time in '
  'the future or a limit below 1.';

-- supabase/schemas/13_people/10_erasure.sql
-- Gives: erase_account, which removes a person from the data and keeps the amounts.
-- Keeps: every entry, amount and hash; erased data is in no hash. An erasure that has begun is finished. All accounts
-- of a person are locked first, in the order of their ids.
-- Needs: uploads, moving outputs, request events, events, app keys, provider jobs, generation; when called: operators.

create table public.account_erasures (
  account_id uuid primary key,
  requested_at timestamptz not null default now(),
  finished_at timestamptz,
  erases boolean not null default true,
  was_closed boolean not null default false,
  returned_at timestamptz,
  of_team boolean not null default false
);
-- The erasures that finish_erasures continues.
create index account_erasures_unfinished on public.account_erasures (account_id)
  where finished_at is null or returned_at is not null;
comment on table public.account_erasures is
  'Accounts that were or will be erased, and accounts of deleted users that will be closed. finish_erasures continues '
  'the unfinished ones.';
comment on column public.account_erasures.finished_at is
  'When nothing was left to erase; null: many jobs are left, one cannot be refunded, an account was busy, or the '
  'first try failed.';
comment on column public.account_erasures.erases is
  'false: a deleted user''s account is only closed and taken out of its teams; the row is deleted when that is done.';
comment on column public.account_erasures.was_closed is
  'Whether an operator had closed the account before its user was deleted: then it stays closed when they come back.';
comment on column public.account_erasures.returned_at is
  'When the person came back: their account is reopened when nothing is left to erase, and the row is deleted.';
comment on column public.account_erasures.of_team is
  'Whether erase_account was called for a team. Deleting a user whose id is a team''s does not erase the team.';
alter table public.account_erasures enable row level security;

-- Only erasure searches for a person across accounts: without these indexes it would read every job and every event.
create index generation_jobs_by_member on public.generation_jobs (member_id) where member_id is not null;
create index credit_events_refunds on public.credit_events (account_id) where type = 'job.refunded';

create function credits.person_accounts(p_person_ids uuid[], p_with_jobs boolean)
returns setof uuid
language sql
stable
set search_path = '', pg_temp
as $$
  select id from public.credit_accounts where id = any (p_person_ids)
  union
  select account_id from public.account_members where user_id = any (p_person_ids)
  union
  select account_id from public.generation_jobs where p_with_jobs and member_id = any (p_person_ids)
  order by 1;
$$;
comment on function credits.person_accounts(uuid[], boolean) is
  'The accounts of persons, and the teams that they are in or, with p_with_jobs, have jobs in.';

create function credits.person_jobs_end(p_account_id uuid, p_person_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  for job in
    select * from public.generation_jobs
    where account_id = p_account_id and status in ('pending', 'running')
      and (p_account_id = p_person_id or member_id = p_person_id)
    -- Settling a job as charged locks only the job: whichever comes first decides.
    for update
  loop
    begin
      perform credits.job_end_refunded(job.id, 'canceled', '{"code": "canceled"}', 'account erased');
    exception when others then
      -- The job's books are wrong: it stays open, where alerts and reconciliation see it, and the erasure stays
      -- unfinished.
      raise warning 'job % cannot be refunded: %', job.id, sqlerrm using errcode = sqlstate;
    end;
  end loop;
end;
$$;
comment on function credits.person_jobs_end(uuid, uuid) is
  'Cancels and refunds a person''s open jobs on an account: nobody may fetch their output any more. The caller holds '
  'the account''s lock.';

create function credits.team_successor(p_account_id uuid)
returns public.account_members
language sql
stable
set search_path = '', pg_temp
as $$
  select m from public.account_members as m
  where m.account_id = p_account_id and m.role in ('admin', 'member') and m.monthly_cap is distinct from 0
    -- A member who is being deleted at the same time is no successor.
    and not exists (select from public.account_erasures as e where e.account_id = m.user_id and e.finished_at is null)
  order by m.role, m.created_at, m.user_id limit 1;
$$;
comment on function credits.team_successor(uuid) is
  'The next owner of a team: the oldest admin, else the oldest member; null if there is neither. Members who may not '
  'spend (a viewer, a cap of 0) are left out.';

create function credits.team_pass_on(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  team public.credit_accounts;
  successor public.account_members;
begin
  select * into team from public.credit_accounts where id = p_account_id and is_team;
  if not found or exists (select from public.account_members where account_id = p_account_id and role = 'owner') then
    return;
  end if;
  successor := credits.team_successor(p_account_id);
  if successor.user_id is null then
    -- A team that is closed already stays closed, and account_teams_without_owner shows it.
    update public.credit_accounts set closed_at = clock_timestamp() where id = p_account_id and closed_at is null;
    if found then
      perform credits.event_emit(p_account_id, 'team.frozen', jsonb_build_object('balance', team.balance));
    end if;
  else
    update public.account_members set role = 'owner' where account_id = p_account_id and user_id = successor.user_id;
    -- Without the owner's id: account_members has it, and an event outlives an erasure.
    perform credits.event_emit(p_account_id, 'team.owner_changed', jsonb_build_object('was', successor.role));
  end if;
end;
$$;
comment on function credits.team_pass_on(uuid) is
  'Gives a team that has lost its last owner the next one (team_successor; event team.owner_changed), or closes it '
  'with its credits until an operator acts (event team.frozen). The caller holds the account''s lock.';

create function credits.person_files_delete(p_account_id uuid, p_person_id uuid, p_job_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  uploaded text[];
begin
  with gone as (
    delete from public.generation_uploads
    where account_id = p_account_id and (p_account_id = p_person_id or member_id = p_person_id)
    returning path
  )
  select array_agg(path) into uploaded from gone;
  delete from credits.outputs_to_move where account_id = p_account_id and job_id = any (p_job_ids);
  perform credits.deletions_add(p_account_id, uploaded || credits.job_files(p_account_id, p_job_ids) || case
    when p_account_id = p_person_id then array(select credits.files_below(p_account_id::text)) end, 'erased');
end;
$$;
comment on function credits.person_files_delete(uuid, uuid, uuid[]) is
  'Queues files of a person on an account to be deleted: their uploads, those of the jobs, and of their own account '
  'all there are. The caller holds the account''s lock.';

create function credits.person_erase(p_account_id uuid, p_person_id uuid, p_limit integer)
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ids uuid[];
  erased integer;
begin
  perform credits.person_jobs_end(p_account_id, p_person_id);
  ids := array(
    select id from public.generation_jobs
    where account_id = p_account_id and erased_at is null and (p_account_id = p_person_id or member_id = p_person_id)
    limit p_limit);
  perform credits.person_files_delete(p_account_id, p_person_id, ids);
  with emptied as (
    update public.generation_jobs as j
    set input = credits.job_provenance(j.input), output = case when j.output is not null then '{}'::jsonb end,
      error = null, idempotency_key = null, request_hash = '', provider_job_id = null,
      -- A job that could not be ended keeps these for the operator who repairs it and for the next run: it may still
      -- get an output.
      request_id = case when j.ended_at is null then j.request_id end,
      member_id = case when j.ended_at is null then j.member_id end,
      erased_at = case when j.ended_at is not null then clock_timestamp() end
    where j.account_id = p_account_id and j.id = any (ids)
    returning j.id, j.erased_at
  ),
  emptied_provider_jobs as (
    delete from public.generation_provider_jobs as p
    using emptied as e where p.account_id = p_account_id and p.job_id = e.id and e.erased_at is not null
  ),
  emptied_events as (
    update public.credit_events as e set payload = e.payload - 'reason'
    where e.account_id = p_account_id and e.type = 'job.refunded' and e.payload ? 'reason'
      and (p_account_id = p_person_id or e.payload ->> 'job_id' in (select id::text from emptied))
  )
  select count(erased_at) into strict erased from emptied;
  delete from public.account_members
  where account_id = p_account_id and (p_account_id = p_person_id or user_id = p_person_id);
  if p_account_id <> p_person_id then
    perform credits.team_pass_on(p_account_id);
  else
    update public.credit_accounts set user_id = null, closed_at = coalesce(closed_at, clock_timestamp())
      where id = p_account_id;
  end if;
  return erased;
end;
$$;
comment on function credits.person_erase(uuid, uuid, integer) is
  'Erases a person from one account: everything from their own, their membership and jobs from a team''s. At most '
  'p_limit jobs; returns how many. The caller holds the account''s lock.';

create function credits.person_erase_from(p_account_id uuid, p_account_ids uuid[])
returns integer
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- Takes about a second, with the accounts locked.
  most constant integer := 10000;
  erased integer := 0;
  wallet uuid;
  is_closed constant boolean := exists (
    select from public.credit_accounts where id = p_account_id and user_id is not null and closed_at is not null);
begin
  foreach wallet in array p_account_ids loop
    erased := erased + credits.person_erase(wallet, p_account_id, most - erased);
  end loop;
  update public.credit_request_events set request_id = null, model = null, member_id = null
  where (account_id = p_account_id or member_id = p_account_id)
    and (request_id is not null or model is not null or member_id is not null);
  delete from public.credit_app_keys where account_id = p_account_id or member_id = p_account_id;
  insert into public.account_erasures as e (account_id, was_closed, of_team, finished_at)
  select p_account_id, is_closed, exists (select from public.credit_accounts where id = p_account_id and is_team),
    case when erased < most
      and not exists (select from public.generation_jobs as j
        where j.account_id = p_account_id and j.status in ('pending', 'running'))
      -- Also on an account that became theirs after the others were locked.
      and not exists (select from public.generation_jobs as j where j.member_id = p_account_id)
      and not exists (select from public.account_members as m where m.user_id = p_account_id) then clock_timestamp() end
  on conflict (account_id) do update
  set erases = true, of_team = excluded.of_team, was_closed = e.was_closed or excluded.was_closed,
    finished_at = case when excluded.finished_at is not null then coalesce(e.finished_at, excluded.finished_at) end;
  return erased;
end;
$$;
comment on function credits.person_erase_from(uuid, uuid[]) is
  'Erases a person from accounts whose locks the caller holds, and notes whether that was all; returns how many jobs '
  'were erased.';

create function public.erase_account(p_account_id uuid)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  account_ids uuid[];
begin
  perform credits.caller_check('erase_account');
  perform credits.operators_forget(array[p_account_id], false);
  account_ids := array(select credits.person_accounts(array[p_account_id], true));
  if cardinality(account_ids) = 0 then
    return 0;
  end if;
  -- A member may have no account yet: the lock opens it, so that it can be closed.
  return credits.person_erase_from(p_account_id, credits.accounts_lock(p_account_id || account_ids));
end;
$$;
comment on function public.erase_account(uuid) is
  'Erases the prompts, inputs, outputs, errors, keys and request ids of an account''s jobs, the reasons in its '
  'events, the models of its denied requests, its app keys, its members and the link to its person; queues its files '
  'in Storage to be deleted; cancels and refunds open jobs, and closes the account. A person is also removed from '
  'their teams, with the jobs that they asked for there; a key that they used there stays spent (422). Up to 10,000 '
  'jobs per call; finish_erasures does the rest. Returns how many jobs were erased. Idempotent; 0 for an unknown '
  'account. Entries, amounts and the hash chain stay, and the account''s id as a pseudonym: delete the auth user as '
  'well. Reasons and metadata of entries, grants and transfers and their external_ref stay, as books must be kept: '
  'put no personal data there. '
  'So do hashes of their addresses, keyed with a secret that only the owner can read, so that each address gets '
  'the sign-up grant once.';

-- supabase/schemas/13_people/20_departure.sql
-- Gives: what a user's deletion and return do to their account and teams; finish_erasures, which does the rest.
-- Keeps: neither a busy account nor a failure holds up Auth; a user who comes back has the ledger's balance, without
-- erased data.
-- Needs: erasure, book payment; when called: operators.

create function credits.person_close(p_account_id uuid, p_locked_ids uuid[])
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  team_ids uuid[];
  team_id uuid;
begin
  update public.account_erasures set was_closed = true
  where account_id = p_account_id and exists (
    select from public.credit_accounts where id = p_account_id and id = any (p_locked_ids) and user_id is not null
      and closed_at is not null);
  update public.credit_accounts set user_id = null, closed_at = coalesce(closed_at, clock_timestamp())
  where id = p_account_id and id = any (p_locked_ids) and not is_team;
  with left_teams as (
    delete from public.account_members where user_id = p_account_id and account_id = any (p_locked_ids)
    returning account_id
  )
  select array_agg(account_id order by account_id) into team_ids from left_teams;
  foreach team_id in array coalesce(team_ids, '{}') loop
    perform credits.team_pass_on(team_id);
  end loop;
  return exists (
      select from public.credit_accounts where id = p_account_id
        and (is_team or user_id is null and closed_at is not null))
    and not exists (select from public.account_members where user_id = p_account_id);
end;
$$;
comment on function credits.person_close(uuid, uuid[]) is
  'Closes and unlinks a person''s own account and removes them from their teams, which get their next owner. Touches '
  'only accounts that the caller has locked; returns whether those were all.';

create function credits.closing_note(p_account_id uuid)
returns void
language sql
set search_path = '', pg_temp
as $$
  delete from public.account_erasures where account_id = p_account_id and not erases and not was_closed;
  update public.account_erasures set finished_at = clock_timestamp() where account_id = p_account_id and not erases;
$$;
comment on function credits.closing_note(uuid) is
  'Records that a deleted user''s account is closed, if no erasure was asked for.';

create function credits.team_spare(p_account_id uuid)
returns void
language sql
set search_path = '', pg_temp
as $$
  update public.account_erasures as e set erases = false from public.credit_accounts as a
  where e.account_id = p_account_id and e.erases and not e.of_team and a.id = e.account_id and a.is_team;
$$;
comment on function credits.team_spare(uuid) is
  'Cancels the erasure of a team that was noted because a user with its id was deleted. Called with the account '
  'locked: the deletion is noted before it waits for locks.';

create function credits.person_leave(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  with_erasure boolean := (select erase_on_user_deletion from public.credit_settings);
  account_ids uuid[];
  locked_ids uuid[];
begin
  begin
    account_ids := array(select credits.person_accounts(array[p_account_id], with_erasure));
    -- The accounts that the caller has locked, and those that are free. Nothing waits here, so the lock order cannot be
    -- broken.
    locked_ids := array(select id from public.credit_accounts where id = any (account_ids)
      order by id for update skip locked);
    perform credits.team_spare(p_account_id);
    if credits.person_close(p_account_id, locked_ids) then
      perform credits.closing_note(p_account_id);
    end if;
  exception when others then
    raise warning 'the account of deleted user % is closed later: % (%)', p_account_id, sqlerrm, sqlstate;
    return;
  end;
  -- A block of its own: an erasure that fails leaves the account closed.
  begin
    if with_erasure and p_account_id = any (locked_ids) and locked_ids = account_ids
      and not exists (select from public.credit_accounts where id = p_account_id and is_team) then
      perform credits.person_erase_from(p_account_id, locked_ids);
    end if;
  exception when others then
    raise warning 'the account of deleted user % is erased later: % (%)', p_account_id, sqlerrm, sqlstate;
  end;
end;
$$;
comment on function credits.person_leave(uuid) is
  'Does what a user''s deletion asks for, on accounts that are not busy; the rest stays noted for finish_erasures. '
  'Warns instead of failing.';

create function credits.people_leave(p_person_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  person uuid;
begin
  -- Noted before any wait, and in a block of its own: finish_erasures does what fails below.
  begin
    insert into public.account_erasures as e (account_id, erases)
    select p.id, s.erase_on_user_deletion from unnest(p_person_ids) as p (id), public.credit_settings as s
    on conflict (account_id) do update
    set erases = e.erases or excluded.erases, finished_at = case when e.of_team then e.finished_at end,
      returned_at = null;
  exception when others then
    raise warning 'the deletion of users is not noted: % (%)', sqlerrm, sqlstate;
  end;
  -- Before any account, as operators are locked first.
  begin
    perform credits.operators_forget(p_person_ids, true);
  exception when others then
    raise warning 'deleted users stay operators: % (%)', sqlerrm, sqlstate;
  end;
  begin
    perform credits.accounts_lock(p_person_ids || array(
      select credits.person_accounts(p_person_ids, erase_on_user_deletion) from public.credit_settings));
  exception when lock_not_available or deadlock_detected then
    raise notice 'some accounts of deleted users are busy, and are closed by finish_erasures: %', sqlerrm;
  when others then
    raise warning 'accounts of deleted users are closed by finish_erasures: % (%)', sqlerrm, sqlstate;
    return;
  end;
  foreach person in array p_person_ids loop
    perform credits.person_leave(person);
  end loop;
end;
$$;
comment on function credits.people_leave(uuid[]) is
  'Does what the deletion of users asks for: at once, or by finish_erasures where an account is busy for longer than '
  'lock_timeout or something fails. p_person_ids in order. Warns instead of failing.';

create function credits.person_reopen(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- An erasure that has begun is finished first.
  if exists (select from public.account_erasures where account_id = p_account_id and finished_at is null) then
    return;
  end if;
  if exists (select from public.credit_accounts where id = p_account_id and is_team) then
    update public.account_erasures set returned_at = null where account_id = p_account_id;
    perform credits.closing_note(p_account_id);
    return;
  end if;
  update public.credit_accounts set user_id = id, closed_at = case
    when exists (select from public.account_erasures where account_id = p_account_id and was_closed) then closed_at end
  where id = p_account_id;
  delete from public.account_erasures where account_id = p_account_id;
  -- Disputes that were opened, or have ended, while nobody was there.
  perform credits.account_freeze(p_account_id);
end;
$$;
comment on function credits.person_reopen(uuid) is
  'Reopens the account of a person who came back, if nothing of it is left to erase; it stays closed if an operator '
  'had closed it, or while a dispute freezes it. The caller holds the account''s lock.';

create function credits.person_return(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  begin
    if exists (select from public.credit_accounts where id = p_account_id and is_team)
      or not exists (select from public.credit_accounts where id = p_account_id and user_id is null)
      and not exists (select from public.account_erasures where account_id = p_account_id) then
      return;
    end if;
  exception when others then
    raise notice 'finish_erasures finds out whether user % is back: %', p_account_id, sqlerrm;
  end;
  -- Noted in a block of its own, as a deletion is. A deletion that has not closed the account yet, and erases nothing,
  -- is canceled by this.
  begin
    insert into public.account_erasures as e (account_id, erases, finished_at, returned_at)
    values (p_account_id, false, clock_timestamp(), clock_timestamp())
    on conflict (account_id) do update
    set returned_at = excluded.returned_at,
      finished_at = case when e.erases then e.finished_at else excluded.finished_at end;
  exception when others then
    raise warning 'the return of user % is not noted: % (%)', p_account_id, sqlerrm, sqlstate;
  end;
  begin
    perform credits.account_lock(p_account_id);
    perform credits.person_reopen(p_account_id);
  exception when others then
    raise warning 'the account of user % is opened again by finish_erasures: % (%)', p_account_id, sqlerrm, sqlstate;
  end;
end;
$$;
comment on function credits.person_return(uuid) is
  'Gives a deleted user who is back under the same id their account again: at once, or by finish_erasures where it is '
  'busy or not erased yet. Warns instead of failing.';

create function credits.departure_finish(p_due public.account_erasures)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account_ids uuid[];
  is_closed boolean;
begin
  if p_due.finished_at is null then
    -- If there is no account to close, a closed one is made, so that none can be opened.
    insert into public.credit_accounts (id, closed_at)
      values (p_due.account_id, clock_timestamp()) on conflict do nothing;
  end if;
  -- A task never waits for a busy account: the next run takes it.
  account_ids := array(
    select id from public.credit_accounts
    where id in (select credits.person_accounts(array[p_due.account_id], p_due.erases))
    order by id for update nowait);
  perform credits.team_spare(p_due.account_id);
  -- Under the locks: the person may have come back or left since the list was made.
  select * into p_due from public.account_erasures where account_id = p_due.account_id;
  if not found then
    return;
  end if;
  if p_due.finished_at is null then
    is_closed := credits.person_close(p_due.account_id, account_ids);
    if p_due.erases then
      perform credits.person_erase_from(p_due.account_id, account_ids);
    elsif is_closed then
      perform credits.closing_note(p_due.account_id);
    end if;
  end if;
  if p_due.returned_at is not null then
    perform credits.person_reopen(p_due.account_id);
  end if;
end;
$$;
comment on function credits.departure_finish(public.account_erasures) is
  'Continues one unfinished erasure, closing or return. Raises 55P03 where an account is busy.';

create function public.finish_erasures(p_limit integer default 10)
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- For rows other than accounts that may be busy: a job that is being settled.
set lock_timeout = '2s'
as $$
declare
  due public.account_erasures;
begin
  perform credits.caller_check('finish_erasures');
  for due in
    -- In random order, so that those that cannot be finished do not hold up the others.
    select * from public.account_erasures where finished_at is null or returned_at is not null
    order by random() limit least(greatest(p_limit, 0), 1000)
  loop
    begin
      perform credits.departure_finish(due);
    exception when others then
      raise warning 'account % is not erased yet: %', due.account_id, sqlerrm using errcode = sqlstate;
    end;
  end loop;
  return (select count(*) from public.account_erasures where finished_at is null or returned_at is not null);
end;
$$;
comment on function public.finish_erasures(integer) is
  'Continues up to p_limit unfinished erasures, and closings and reopenings of accounts whose users were deleted or '
  'came back (account_erasures); returns how many are left. Idempotent, and never waits for a busy account. Meant to '
  'run every few minutes.';

create view public.account_teams_without_owner
with (security_invoker = true)
as
select a.id as account_id, a.balance, a.closed_at as frozen_at,
  (select count(*) from public.account_members as m where m.account_id = a.id) as members
from public.credit_accounts as a
where a.is_team
  and not exists (select from public.account_members as m where m.account_id = a.id and m.role = 'owner')
  and not exists (select from public.account_erasures as e where e.account_id = a.id and e.erases);
comment on view public.account_teams_without_owner is
  'Teams that lost their last owner and have neither an admin nor a member to take over: frozen with their credits '
  'until an operator opens them and names an owner, or erases them.';

-- supabase/schemas/13_people/30_job_erasure.sql
-- Gives: erase_job, which erases the content of one job.
-- Keeps: amounts, entries and outcome; a key stays spent. Only the member who asked for a job, or the account's user,
-- owner or admin, may erase it.
-- Needs: foundation, jobs, provider jobs, files, uploads, moving outputs, events.

create function credits.may_erase_job(p_job public.generation_jobs, p_member_id uuid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select exists (select from public.credit_accounts where id = p_job.account_id and user_id = p_member_id)
    or exists (
      select from public.account_members
      where account_id = p_job.account_id and user_id = p_member_id
        and (role in ('owner', 'admin') or user_id = p_job.member_id));
$$;
comment on function credits.may_erase_job(public.generation_jobs, uuid) is
  'Whether a user may erase a job: the account''s own user, the member who asked for it, or the team''s owner or '
  'admin.';

create function credits.input_delete(p_account_id uuid, p_path text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.generation_uploads as u set deleted_at = clock_timestamp()
  where u.account_id = p_account_id and u.path = p_path and u.deleted_at is null
    and not credits.upload_is_named(u.account_id, u.path, u.created_at);
  if found then
    perform credits.deletions_add(p_account_id, array[p_path], 'erased');
  end if;
end;
$$;
comment on function credits.input_delete(uuid, text) is
  'Queues an upload to be deleted, unless a job still names it.';

create function credits.job_to_erase(p_job_id uuid, p_member_id uuid)
returns public.generation_jobs
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  job := credits.job_lock(p_job_id);
  if p_member_id is not null and not credits.may_erase_job(job, p_member_id) then
    perform credits.raise_misuse('PT403', 'this user may not delete the job''s content',
      'The member who asked for it can, and the account''s owner or an admin.');
  end if;
  if job.status in ('pending', 'running') then
    perform credits.raise_misuse('PT409', 'the job has not ended', 'Cancel it first, or wait for its end.');
  end if;
  return job;
end;
$$;
comment on function credits.job_to_erase(uuid, uuid) is
  'Locks a job that a user wants to erase. Raises PT404 for an unknown job, PT403 for a user who may not, PT409 while '
  'it has not ended.';

create function public.erase_job(p_job_id uuid, p_member_id uuid default null)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  perform credits.caller_check('erase_job');
  job := credits.job_to_erase(p_job_id, p_member_id);
  if job.erased_at is not null then
    return false;
  end if;
  perform credits.deletions_add(job.account_id, credits.job_files(job.account_id, array[job.id]), 'erased');
  delete from credits.outputs_to_move where account_id = job.account_id and job_id = job.id;
  update public.generation_jobs
  set input = credits.job_provenance(input), output = case when output is not null then '{}'::jsonb end,
      -- A message may quote the prompt.
      error = case when error is not null then jsonb_strip_nulls(jsonb_build_object('code', error -> 'code')) end,
      idempotency_key = null, request_hash = '', provider_job_id = null, erased_at = clock_timestamp()
  where id = job.id and account_id = job.account_id;
  delete from public.generation_provider_jobs where account_id = job.account_id and job_id = job.id;
  perform credits.input_delete(job.account_id, job.input ->> 'image');
  -- A refund's reason may quote the prompt.
  update public.credit_events set payload = payload - 'reason'
  where account_id = job.account_id and type = 'job.refunded' and payload ->> 'job_id' = job.id::text;
  return true;
end;
$$;
comment on function public.erase_job(uuid, uuid) is
  'Erases the prompt, input, output, error message and key of a job that has ended, and queues its files to be '
  'deleted, with the upload that it alone names; amounts, entries, model and outcome stay, and its key stays spent '
  '(422). p_member_id: the user who asks; null: no check. Idempotent: false when '
  'it was erased before. Raises PT404 for an unknown job, PT403 when the member neither asked for it nor is owner or '
  'admin of the account, PT409 while it has not ended.';

-- supabase/schemas/13_people/40_output_deletion.sql
-- Gives: delete_output, which deletes the files of one job and keeps its prompt; how an erasure reaches files.
-- Keeps: who may erase a job may delete its output; paths are queued in the transaction that makes them unreadable.
-- Needs: foundation, jobs, files, moving outputs, job erasure.

create function credits.output_emptied(p_output jsonb)
returns jsonb
language sql
immutable
set search_path = '', pg_temp
as $$
  select case
    when jsonb_typeof(p_output -> 'outputs') = 'array' then jsonb_build_object('outputs', (
      select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('path', o.file -> 'path',
        'media_type', o.file -> 'media_type', 'bytes', o.file -> 'bytes', 'width', o.file -> 'width',
        'height', o.file -> 'height', 'seconds', o.file -> 'seconds')) order by o.place), '[]')
      from jsonb_array_elements(p_output -> 'outputs') with ordinality as o (file, place)))
    -- Of a text: what it used stays.
    when p_output ? 'usage_source' then p_output - 'response'
    else '{}' end;
$$;
comment on function credits.output_emptied(jsonb) is
  'What stays of an output that is deleted: what its files were, or what a text used.';

create function public.delete_output(p_job_id uuid, p_member_id uuid default null)
returns setof text
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  files text[];
begin
  perform credits.caller_check('delete_output');
  job := credits.job_to_erase(p_job_id, p_member_id);
  files := credits.job_files(job.account_id, array[job.id]);
  perform credits.deletions_add(job.account_id, files, 'deleted');
  if job.output is not null and job.output_deleted_at is null and job.erased_at is null then
    update public.generation_jobs
    set output = credits.output_emptied(output), output_deleted_at = clock_timestamp()
    where id = job.id and account_id = job.account_id;
    delete from credits.outputs_to_move where account_id = job.account_id and job_id = job.id;
  end if;
  -- The caller has claimed them: the task comes later.
  return query
  update credits.storage_deletions as d
  set attempts = d.attempts + 1, next_attempt_at = clock_timestamp() + interval '5 minutes'
  where d.path in (
    select o.path from credits.storage_deletions as o where o.path = any (files) order by o.path for update)
  returning d.path;
end;
$$;
comment on function public.delete_output(uuid, uuid) is
  'Deletes the output of a job that has ended: marks it (output_deleted_at), and returns the paths of its files, which '
  'the caller deletes through Storage and reports to finish_storage_deletions; the task delete-objects does what the '
  'caller leaves. Prompt, amounts and what the files were stay. p_member_id: the user who asks; null: no check. '
  'Idempotent. Raises PT404, PT403 and PT409 as erase_job does.';

-- supabase/schemas/14_reconciliation/10_counts.sql
-- Gives: the counts that grants, members, transfers and withdrawals keep, next to the sums of entries and jobs that
-- they must equal.
-- Keeps: nothing; a count (told) differs from its sum (booked) only if somebody wrote by hand.
-- Needs: jobs, transfer, withdrawal.

create view credits.transfers_booked
with (security_invoker = true)
as
select m.account_id, m.external_ref, m.from_account_id, min(m.seq) as seq, sum(m.told) as told, sum(m.booked) as booked
from (
  select to_account_id as account_id, external_ref, from_account_id::text as from_account_id, null::bigint as seq,
    amount as told, 0 as booked
  from public.credit_transfers
  union all
  -- Sent transfers are compared in total: the sender's entries do not name the recipient.
  select from_account_id, null, null, null, amount, 0 from public.credit_transfers
  union all
  -- Imported transfers have no row in credit_transfers.
  select l.account_id, l.metadata ->> 'external_ref', l.metadata ->> 'from_account_id',
    case when l.delta > 0 then l.seq end, 0, abs(l.delta::numeric)
  from public.credit_ledger as l where l.kind = 'transfer' and (l.metadata is null or l.metadata ? 'from_account_id')
) as m
group by m.account_id, m.external_ref, m.from_account_id;
comment on view credits.transfers_booked is
  'Each transfer that an account received, and the total that it sent (external_ref null), by credit_transfers (told) '
  'and by its entries (booked; seq is the first).';

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

-- supabase/schemas/14_reconciliation/20_suspect_chains.sql
-- Gives: the accounts whose chain of entries, live or archived, needs a closer check.
-- Keeps: nothing; a chain that does not hold makes its account a suspect.
-- Needs: archive.
--
-- Each pass, here and in the next chapter, reads a whole table and groups it: with millions of entries that is 20 times
-- as fast as account by account. So nested loops are off, JIT is off (it takes longer than it saves), and a table from
-- half a megabyte on gets a second process, as a row costs far more here than Postgres estimates. Hash tables beyond
-- work_mem go to disk, so memory stays flat.

create function credits.clock_bound()
returns timestamptz
language sql
volatile
set search_path = '', pg_temp
as $$
  -- A replica's clock may be a little behind that of the server that booked.
  select clock_timestamp() + interval '1 minute';
$$;
comment on function credits.clock_bound() is 'The latest time that an entry may have: a minute from now.';

create function credits.suspect_chains()
returns setof uuid
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
set enable_mergejoin = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  return query
  with tally as (
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total,
      bool_and(l.follows) as follows
    from credits.chain_links as l group by l.account_id
  )
  select coalesce(a.id, t.account_id)
  from public.credit_accounts as a full join tally as t on t.account_id = a.id
  where (coalesce(t.follows, true) and a.last_seq = coalesce(t.entries, 0) and a.last_seq = coalesce(t.last_seq, 0)
    and a.balance = coalesce(t.total, 0)) is not true;
end;
$$;
comment on function credits.suspect_chains() is
  'Accounts with an entry that does not follow from the one before it, or whose entries differ in number or sum from '
  'the account.';

create function credits.suspect_ends()
returns setof uuid
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
-- A second process takes longer to start than a thousand accounts take.
set parallel_setup_cost = 20000
as $$
declare
  bound timestamptz := credits.clock_bound();
begin
  return query
  -- A few entries per account, by the primary key. Entries ascend in time, so the last one shows whether any is in the
  -- future.
  select a.id from public.credit_accounts as a
  where a.last_seq > 0 and not exists (
    select from public.credit_ledger as l
    where l.account_id = a.id and l.seq = a.last_seq and l.hash = a.last_hash and l.balance_after = a.balance
      and l.created_at <= bound)
  union all
  select a.id from public.credit_accounts as a where a.last_seq = 0 and a.last_hash <> decode(repeat('00', 32), 'hex')
  union all
  -- A checkpoint at the account's end has just been looked at.
  select c.account_id
  from public.credit_ledger_checkpoints as c left join public.credit_accounts as a on a.id = c.account_id
  where (c.seq, c.hash, c.balance) is distinct from (a.last_seq, a.last_hash, a.balance)
    and not exists (
      select from public.credit_ledger as l
      where l.account_id = c.account_id and l.seq = c.seq and l.hash = c.hash and l.balance_after = c.balance)
  union all
  select n.account_id from public.credit_ledger_anchors as n
  where not exists (
    select from only public.credit_ledger_archive as l
    where l.account_id = n.account_id and l.seq = n.seq and l.hash = n.hash and l.balance_after = n.balance);
end;
$$;
comment on function credits.suspect_ends() is
  'Accounts whose last, last verified or last archived entry is not as the account, its checkpoint or its anchor '
  'says, or is dated in the future.';

create function credits.suspect_archives()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
as $$
begin
  return query
  select coalesce(n.account_id, e.account_id)
  from public.credit_ledger_anchors as n
  full join (
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total
    from only public.credit_ledger_archive as l group by l.account_id
  ) as e on e.account_id = n.account_id
  where (n.seq = e.entries and n.seq = e.last_seq and n.balance = e.total) is not true;
end;
$$;
comment on function credits.suspect_archives() is
  'Accounts whose archived entries differ in number or sum from their anchor.';

-- supabase/schemas/14_reconciliation/30_suspects.sql
-- Gives: the accounts that need a closer check, found in a few passes over all tables.
-- Keeps: nothing; a row that breaks an invariant makes its account a suspect. Discrepancies are named account by
-- account.
-- Needs: debts, counts, suspect chains.

create function credits.suspect_sums(p_seed bigint)
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
set enable_mergejoin = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  -- Checks that each job's entries equal its cost and refunds, without one group per job. Each run gives every job two
  -- random factors of 21 bits; an account's entries and its jobs, multiplied by them, must have the same two sums. A
  -- wrong job goes unseen once in 2^42 runs (2^21 if cost and refunded are wrong by the same amount). This takes a
  -- fifth of the time of one group per job.
  return query
  with moved as (
    select l.account_id, l.grant_id, sum(l.delta) as total,
      sum(l.delta) filter (where l.kind = 'expiry' and l.metadata is null) as breakage,
      sum(m.delta * (h.bits & 2097151)) as sum1,
      -- A charge counts twice, so that cost and refunded changed by the same amount are found too.
      sum(m.delta * case l.kind when 'charge' then 2 else 1 end * (h.bits >> 21 & 2097151)) as sum2,
      bool_or(l.job_id is not null and m.delta is null) as odd
    from public.credit_ledger as l
    cross join lateral (select uuid_hash_extended(l.job_id, p_seed)) as h (bits)
    cross join lateral (select case when l.delta between -2199023255552 and 2199023255552 then l.delta end) as m (delta)
    group by l.account_id, l.grant_id
  ),
  entries as (
    select m.account_id, coalesce(sum(m.sum1), 0) as sum1, coalesce(sum(m.sum2), 0) as sum2,
      bool_or(m.odd) as odd, coalesce(sum(m.total) filter (where m.grant_id is null), 0) as without_grant
    from moved as m group by m.account_id
  ),
  jobs as (
    select j.account_id, sum(j.net * (h.bits & 2097151)) as sum1,
      sum((j.net + j.cost) * (h.bits >> 21 & 2097151)) as sum2, bool_or(j.net is null or j.odd) as odd
    from (
      select o.account_id, o.id, o.cost,
        case when o.cost between 0 and 2199023255552 and o.refunded between 0 and o.cost
          and (o.refunded = o.cost or o.status not in ('failed', 'canceled', 'expired'))
          and (o.output is not null or o.status <> 'succeeded') then o.cost - o.refunded end as net,
        (o.status = 'succeeded') <> (o.actual_cost is not null)
          or o.seal is distinct from case
            when o.actual_cost <> o.cost then credits.job_seal(o.account_id, o.id, o.actual_cost) end as odd
      from public.generation_jobs as o
      -- Otherwise net is computed again for each of its uses.
      offset 0
    ) as j
    cross join lateral (select uuid_hash_extended(j.id, p_seed)) as h (bits)
    group by j.account_id
  ),
  grants as (
    select coalesce(g.account_id, m.account_id) as account_id, sum(g.remaining) as remaining,
      -- Only a grant whose credits all repaid an overdraft has no entry; without a grant, one was deleted.
      bool_and(g.id is not null and (m.grant_id is not null or g.repaid = g.amount)
        and g.remaining = coalesce(m.total, 0) and g.breakage = -coalesce(m.breakage, 0)
        and g.remaining between 0 and g.amount and g.is_open = (g.remaining > 0)
        and g.seal is not distinct from credits.grant_seal(g)) as sound
    from public.credit_grants as g
    full join (select * from moved where grant_id is not null) as m on m.account_id = g.account_id and m.grant_id = g.id
    group by 1
  )
  select coalesce(a.id, e.account_id, j.account_id, g.account_id)
  from public.credit_accounts as a
  full join entries as e on e.account_id = a.id
  full join jobs as j on j.account_id = coalesce(a.id, e.account_id)
  full join grants as g on g.account_id = coalesce(a.id, e.account_id, j.account_id)
  where (a.balance::numeric + a.credit_limit >= 0 and a.overdraft_used = -coalesce(e.without_grant, 0)
    and a.balance = coalesce(g.remaining, 0) - a.overdraft_used and coalesce(g.sound, true)
    and not coalesce(e.odd, false) and not coalesce(j.odd, false) and coalesce(e.sum1, 0) = -coalesce(j.sum1, 0)
    and coalesce(e.sum2, 0) = -coalesce(j.sum2, 0)) is not true;
end;
$$;
comment on function credits.suspect_sums(bigint) is
  'Accounts whose grants, overdraft or jobs differ from their entries, or are beyond their bounds. p_seed: an '
  'unpredictable number.';

create function credits.index_is_intact(p_definition text)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from pg_catalog.pg_index as i
    where i.indexrelid = to_regclass('public.' || split_part(p_definition, ' ', 4))
      and i.indisvalid and pg_catalog.pg_get_indexdef(i.indexrelid) = p_definition);
end;
$$;
comment on function credits.index_is_intact(text) is
  'Whether an index of schema public exists, is valid, and has this definition.';

create function credits.suspect_keys()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  -- A fully refunded job that is gone leaves entries that sum to zero, which suspect_sums cannot see.
  select l.account_id from public.credit_ledger as l
  where l.delta > 0 and l.job_id is not null
    and not exists (select from public.generation_jobs as j where j.id = l.job_id and j.account_id = l.account_id);
  -- A valid unique index rules duplicates out.
  if not credits.index_is_intact('CREATE UNIQUE INDEX credit_grants_external_ref ON public.credit_grants '
    'USING btree (external_ref) WHERE (external_ref IS NOT NULL)') then
    return query
    select unnest(array_agg(g.account_id)) from public.credit_grants as g where g.external_ref is not null
    group by g.external_ref having count(*) > 1;
  end if;
end;
$$;
comment on function credits.suspect_keys() is
  'Accounts with entries of a job that is gone, or with a grant whose external_ref is used twice.';

create function credits.suspect_repeats()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  -- A server's key may equal a user's: the closer check finds the real duplicates.
  select j.account_id from public.generation_jobs as j where j.idempotency_key is not null
  group by j.account_id, j.member_id, j.idempotency_key having count(*) > 1;
end;
$$;
comment on function credits.suspect_repeats() is 'Accounts with two jobs under one idempotency key.';

create function credits.suspect_counts()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
declare
  this_month date := date_trunc('month', credits.clock_bound() at time zone 'utc');
begin
  return query
  select t.account_id from credits.transfers_booked as t where t.told <> t.booked
  union all
  select w.account_id from credits.withdrawals_booked as w where w.told <> w.booked
  union all
  select r.account_id from credits.grants_repaid as r where r.told <> r.booked
  union all
  select m.account_id from credits.members_counted as m
  where m.told not between m.least and m.most or m.spent_month > this_month;
end;
$$;
comment on function credits.suspect_counts() is
  'Accounts whose transfers, withdrawals, repaid overdrafts or members'' spending differ from their entries or jobs.';

create function credits.suspect_debts()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  with tally as (
    select d.account_id, count(*) as entries, max(d.seq) as last_seq, sum(d.delta) as total,
      bool_and(d.hash = credits.debt_hash(p.hash, d) and d.debt_after = coalesce(p.debt_after, 0) + d.delta) as follows
    from public.credit_debts as d left join public.credit_debts as p on p.account_id = d.account_id
      and p.seq = d.seq - 1
    group by d.account_id
  ),
  owing as (
    select * from public.credit_accounts as a where a.debt <> 0 or a.debt_seq <> 0
  )
  select coalesce(a.id, t.account_id)
  from owing as a full join tally as t on t.account_id = a.id
  where (t.follows and a.debt = t.total and a.debt_seq = t.entries and a.debt_seq = t.last_seq) is not true
  union all
  select coalesce(g.account_id, t.account_id)
  from (select * from public.credit_grants as c where c.reversed <> 0) as g
  full join (
    select distinct on (d.account_id, d.grant_id) d.account_id, d.grant_id, d.target
    from public.credit_debts as d where d.target is not null order by d.account_id, d.grant_id, d.seq desc
  ) as t on t.account_id = g.account_id and t.grant_id = g.id
  where coalesce(g.reversed, 0) <> coalesce(t.target, 0);
end;
$$;
comment on function credits.suspect_debts() is
  'Accounts whose debt or reversed grants differ from credit_debts, or whose rows there do not follow from each other.';

create function credits.suspects_of_any_age()
returns setof uuid
language sql
stable
rows 10
set search_path = '', pg_temp
as $$
  select account_id from credits.suspect_ends() as s (account_id)
  union select account_id from credits.suspect_sums(uuid_hash_extended(gen_random_uuid(), 0)) as s (account_id)
  union select account_id from credits.suspect_keys() as s (account_id)
  union select account_id from credits.suspect_archives() as s (account_id)
  union select account_id from credits.suspect_debts() as s (account_id)
  union select account_id from credits.suspect_counts() as s (account_id);
$$;
comment on function credits.suspects_of_any_age() is
  'Suspects by every check that reads all rows wherever it is asked: all but those of chains and repeated keys.';

create function credits.suspects()
returns setof uuid
language sql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
  select account_id from credits.suspect_chains() as s (account_id)
  union select account_id from credits.suspect_repeats() as s (account_id)
  union select account_id from credits.suspects_of_any_age() as s (account_id);
$$;
comment on function credits.suspects() is
  'Accounts, known or not, in which an invariant may be broken: no false negatives, rare false positives.';

create function credits.changed_accounts()
returns table (account public.credit_accounts, checkpoint public.credit_ledger_checkpoints)
language plpgsql
stable
set search_path = '', pg_temp
set enable_hashjoin = on
as $$
begin
  return query
  select a, case when c.account_id is null then credits.checkpoint_zero(a.id) else c end
  from public.credit_accounts as a left join public.credit_ledger_checkpoints as c on c.account_id = a.id
  where (a.last_seq, a.balance) is distinct from (coalesce(c.seq, 0), coalesce(c.balance, 0)) or a.last_hash <> c.hash;
end;
$$;
comment on function credits.changed_accounts() is
  'Accounts that have changed since their last checkpoint, with that checkpoint.';

-- By index, account by account: Postgres cannot know how few entries are new, and would read them all.
create function credits.suspects_among_changed()
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  bound timestamptz := credits.clock_bound();
begin
  return query
  with tally as materialized (
    select a.*, t.*, n.checkpoint as old
    from credits.changed_accounts() as n
    cross join lateral (select (n.account).*) as a
    cross join lateral (
      select count(*) as entries, max(l.seq) as newest, sum(l.delta) as total, bool_and(l.follows)
          and bool_or(l.seq = a.last_seq and l.hash = a.last_hash)
          and bool_or(l.seq = (n.checkpoint).seq + 1 and ((n.checkpoint).seq = 0
            or l.previous_hash = (n.checkpoint).hash and l.previous_balance = (n.checkpoint).balance)) as follows,
        array_agg(l.job_id) filter (where l.job_id is not null) as jobs, max(l.created_at) as latest
      from credits.chain_links as l where l.account_id = a.id and l.seq > (n.checkpoint).seq
    ) as t
  )
  select t.id from tally as t
  cross join lateral (select coalesce(sum(g.remaining), 0) as remaining from public.credit_grants as g
    where g.account_id = t.id) as g
  where (t.follows and t.last_seq = (t.old).seq + t.entries and t.last_seq = t.newest
    and t.balance = (t.old).balance + t.total and t.balance = g.remaining - t.overdraft_used
    and t.balance::numeric + t.credit_limit >= 0 and t.latest <= bound) is not true
  union
  select f.account_id from (select distinct t.id as account_id, unnest(t.jobs) as job_id from tally as t) as f
  left join public.generation_jobs as j on j.id = f.job_id and j.account_id = f.account_id
  cross join lateral (select sum(l.delta) as total from public.credit_ledger as l
    where l.account_id = f.account_id and l.job_id = f.job_id) as t
  where (t.total = j.refunded::numeric - j.cost and j.refunded between 0 and j.cost
    and (j.refunded = j.cost or j.status not in ('failed', 'canceled', 'expired'))
    and (j.output is not null or j.status <> 'succeeded')) is not true;
end;
$$;
comment on function credits.suspects_among_changed() is
  'Changed accounts in which new entries may have broken an invariant: no false negatives, rare false positives.';

-- supabase/schemas/14_reconciliation/40_book_discrepancies.sql
-- Gives: the type of a discrepancy, and the checks of an account's jobs, grants and archive against its entries.
-- Keeps: nothing; reports what is wrong and what was expected. No value, however impossible, stops a check.
-- Needs: archive.

create type credits.discrepancy as (
  invariant text,
  account_id uuid,
  job_id uuid,
  grant_id bigint,
  seq bigint,
  expected bigint,
  actual bigint,
  since timestamptz
);

create function credits.to_bigint(p_value numeric)
returns bigint
language sql
immutable
set search_path = '', pg_temp
as $$
  select least(greatest(p_value, -9223372036854775808), 9223372036854775807)::bigint;
$$;
comment on function credits.to_bigint(numeric) is
  'A sum as a bigint, clamped to its range: forged amounts may exceed it.';

create function credits.discrepancy(
  p_invariant text, p_account_id uuid, p_expected numeric, p_actual numeric, p_since timestamptz,
  p_job_id uuid default null, p_grant_id bigint default null, p_seq bigint default null
)
returns credits.discrepancy
language sql
immutable
set search_path = '', pg_temp
as $$
  select row(p_invariant, p_account_id, p_job_id, p_grant_id, p_seq,
    credits.to_bigint(p_expected), credits.to_bigint(p_actual), p_since)::credits.discrepancy;
$$;
comment on function credits.discrepancy(text, uuid, numeric, numeric, timestamptz, uuid, bigint, bigint) is
  'One discrepancy as a row.';

create function credits.job_discrepancies(p_account_id uuid, p_after_seq bigint)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- PL/pgSQL keeps the plan; a function in SQL would be planned again for each account.
  return query
  with touched as (
    select distinct l.job_id from public.credit_ledger as l
    where l.account_id = p_account_id and l.seq > p_after_seq and l.job_id is not null
    union
    select j.id from public.generation_jobs as j where j.account_id = p_account_id and p_after_seq = 0
  ),
  totals as (
    select t.job_id, j.id is not null as known, j.cost::numeric as cost, j.refunded::numeric as refunded, j.status,
      j.output is not null as has_output, coalesce(j.ended_at, j.created_at) as since,
      (j.status = 'succeeded') = (j.actual_cost is not null)
        and j.seal is not distinct from case
          when j.actual_cost <> j.cost then credits.job_seal(j.account_id, j.id, j.actual_cost) end as is_as_settled,
      s.total, s.charged
    from touched as t
    cross join lateral (
      select coalesce(sum(l.delta), 0) as total, -coalesce(sum(l.delta) filter (where l.kind = 'charge'), 0) as charged
      from public.credit_ledger as l where l.account_id = p_account_id and l.job_id = t.job_id) as s
    left join public.generation_jobs as j on j.id = t.job_id and j.account_id = p_account_id
  )
  select (credits.discrepancy('job', p_account_id, refunded - cost, total, since, job_id)).*
  from totals where known and total <> refunded - cost
  union all
  select (credits.discrepancy('job cost', p_account_id, charged, cost, since, job_id)).*
  from totals where known and charged <> cost
  union all
  select (credits.discrepancy('job refund', p_account_id, cost, refunded, since, job_id)).*
  from totals where known
    and (refunded not between 0 and cost or (status in ('failed', 'canceled', 'expired') and refunded <> cost))
  union all
  select (credits.discrepancy('job output', p_account_id, 1, 0, since, job_id)).*
  from totals where known and status = 'succeeded' and not has_output
  union all
  select (credits.discrepancy('job actual cost', p_account_id, 1, 0, since, job_id)).*
  from totals where known and not is_as_settled
  union all
  select (credits.discrepancy('entry without job', p_account_id, 0, total, since, job_id)).*
  from totals where not known;
end;
$$;
comment on function credits.job_discrepancies(uuid, bigint) is
  'The broken invariants of an account''s jobs: of all, or of those with entries after p_after_seq.';

create function credits.grant_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- PL/pgSQL keeps the plan; a function in SQL would be planned again for each account.
  return query
  with totals as (
    select l.grant_id, sum(l.delta) as total,
      -coalesce(sum(l.delta) filter (where l.kind = 'expiry' and l.metadata is null), 0) as gone
    from public.credit_ledger as l where l.account_id = p_account.id group by l.grant_id
  ),
  grants as (
    select g.*, coalesce(t.total, 0) as total, coalesce(t.gone, 0) as gone, t.grant_id is not null as has_entry
    from public.credit_grants as g left join totals as t on t.grant_id = g.id where g.account_id = p_account.id
  )
  select (credits.discrepancy('grant', p_account.id, total, remaining, created_at, p_grant_id => id)).*
  from grants where remaining <> total
  union all
  select (credits.discrepancy('grant terms', p_account.id, 1, 0, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g where g.account_id = p_account.id and g.seal is distinct from credits.grant_seal(g)
  union all
  select (credits.discrepancy('grant breakage', p_account.id, gone, breakage, created_at, p_grant_id => id)).*
  from grants where breakage <> gone
  union all
  select (credits.discrepancy('grant bounds', p_account.id, amount, remaining, created_at, p_grant_id => id)).*
  from grants where remaining not between 0 and amount
  union all
  select (credits.discrepancy('grant open', p_account.id, (remaining > 0)::integer, is_open::integer, created_at,
    p_grant_id => id)).*
  from grants where is_open <> (remaining > 0)
  union all
  -- A grant that repaid an overdraft with all of its credits is named by the entries that say so.
  select (credits.discrepancy('grant without entry', p_account.id, 0, amount, created_at, p_grant_id => id)).*
  from grants as g
  where not g.has_entry and not exists (
    select from public.credit_ledger as l
    where l.account_id = p_account.id and l.metadata ->> 'repaid_from_grant_id' = g.id::text)
  union all
  select (credits.discrepancy('entry without grant', p_account.id, 0, t.total, p_account.last_entry_at,
    p_grant_id => t.grant_id)).*
  from totals as t
  where t.grant_id is not null
    and not exists (select from public.credit_grants as g where g.account_id = p_account.id and g.id = t.grant_id)
  union all
  select (credits.discrepancy('overdraft', p_account.id, -o.total, p_account.overdraft_used, p_account.last_entry_at)).*
  from (select coalesce(sum(total), 0) as total from totals where grant_id is null) as o
  where p_account.overdraft_used <> -o.total;
end;
$$;
comment on function credits.grant_discrepancies(public.credit_accounts) is
  'The broken invariants of an account''s grants and overdraft, by the sums of their entries.';

create function credits.archive_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  -- PL/pgSQL keeps the plan; a function in SQL would be planned again for each account.
  return query
  with anchor as (
    select * from public.credit_ledger_anchors where account_id = p_account.id
  ),
  archived as (
    select count(*) as entries, coalesce(max(seq), 0) as last_seq, coalesce(sum(delta), 0) as total
    from only public.credit_ledger_archive where account_id = p_account.id
  )
  select (credits.discrepancy('archive', p_account.id, coalesce(n.seq, 0), a.entries, n.archived_at,
    p_seq => a.last_seq)).*
  from archived as a left join anchor as n on true
  where (a.entries, a.last_seq, a.total)
      is distinct from (coalesce(n.seq, 0), coalesce(n.seq, 0), coalesce(n.balance, 0)::numeric)
    or (n.seq > 0 and not exists (
      select from only public.credit_ledger_archive as l
      where l.account_id = p_account.id and l.seq = n.seq and l.hash = n.hash and l.balance_after = n.balance));
end;
$$;
comment on function credits.archive_discrepancies(public.credit_accounts) is
  'Whether an account''s archive matches its anchor: number of entries without a gap, sum and last hash.';

-- supabase/schemas/14_reconciliation/50_discrepancies.sql
-- Gives: the broken invariants of one account, one row each.
-- Keeps: nothing; reports what is wrong and what was expected. No value, however impossible, stops a check.
-- Needs: debts, counts, suspect chains, book discrepancies.

create function credits.account_discrepancies(
  p_account public.credit_accounts, p_after public.credit_ledger_checkpoints
)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
declare
  chain public.credit_ledger_result := credits.account_chain(p_account, p_after);
  bound timestamptz := credits.clock_bound();
  entries record;
  remaining numeric;
begin
  select count(*) + p_after.seq as count, coalesce(max(seq), p_after.seq) as last_seq,
    coalesce(sum(delta), 0) + p_after.balance as total,
    count(*) filter (where created_at > bound) as ahead,
    min(seq) filter (where created_at > bound) as first_ahead into entries
  from public.credit_ledger where account_id = p_account.id and (seq > p_after.seq or p_after.seq = 0);
  select coalesce(sum(g.remaining), 0) into remaining from public.credit_grants as g where account_id = p_account.id;

  if not chain.sound then
    return next credits.discrepancy('chain', p_account.id, p_account.last_seq, chain.broken_seq - 1,
      p_account.last_entry_at, p_seq => chain.broken_seq);
  end if;
  if p_account.balance <> entries.total then
    return next credits.discrepancy('balance', p_account.id, entries.total, p_account.balance, p_account.last_entry_at);
  end if;
  if p_account.last_seq <> entries.count or p_account.last_seq <> entries.last_seq then
    return next credits.discrepancy('sequence', p_account.id, entries.count, p_account.last_seq,
      p_account.last_entry_at);
  end if;
  if p_account.balance <> remaining - p_account.overdraft_used then
    return next credits.discrepancy('grants', p_account.id, p_account.balance, remaining - p_account.overdraft_used,
      p_account.last_entry_at);
  end if;
  if p_account.balance < -p_account.credit_limit::numeric then
    return next credits.discrepancy('credit limit', p_account.id, -p_account.credit_limit::numeric, p_account.balance,
      p_account.last_entry_at);
  end if;
  if entries.ahead > 0 then
    return next credits.discrepancy('entry in the future', p_account.id, 0, entries.ahead, p_account.last_entry_at,
      p_seq => entries.first_ahead);
  end if;
  return query select d.* from credits.job_discrepancies(p_account.id, p_after.seq) as d;
  if p_after.seq = 0 then
    return query select d.* from credits.grant_discrepancies(p_account) as d;
    return query select d.* from credits.archive_discrepancies(p_account) as d;
    return query select d.* from credits.key_discrepancies(p_account.id) as d;
    return query select d.* from credits.debt_discrepancies(p_account) as d;
    return query select d.* from credits.count_discrepancies(p_account) as d;
  end if;
end;
$$;
comment on function credits.account_discrepancies(public.credit_accounts, public.credit_ledger_checkpoints) is
  'The broken invariants of one account: from its beginning all of them; from a checkpoint those that later entries '
  'can have broken. Reads in the caller''s snapshot and locks nothing.';

create function credits.debt_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with debts as (
    select d.seq, d.delta, d.grant_id, d.target,
      coalesce(d.hash = credits.debt_hash(p.hash, d) and d.debt_after = coalesce(p.debt_after, 0) + d.delta,
        false) as follows
    from public.credit_debts as d left join public.credit_debts as p on p.account_id = d.account_id
      and p.seq = d.seq - 1
    where d.account_id = p_account.id
  ),
  tally as (
    select count(*) as entries, coalesce(max(seq), 0) as last_seq, coalesce(sum(delta), 0) as total,
      min(seq) filter (where not follows) as broken_seq
    from debts
  )
  select (credits.discrepancy('debt', p_account.id, total, p_account.debt, p_account.last_entry_at,
    p_seq => broken_seq)).*
  from tally where broken_seq is not null or p_account.debt <> total or p_account.debt_seq <> entries
    or p_account.debt_seq <> last_seq
  union all
  select (credits.discrepancy('grant reversed', p_account.id, coalesce(t.target, 0), g.reversed, g.created_at,
    p_grant_id => g.id)).*
  from public.credit_grants as g
  left join lateral (select d.target from debts as d where d.grant_id = g.id and d.target is not null
    order by d.seq desc limit 1) as t on true
  where g.account_id = p_account.id and g.reversed <> coalesce(t.target, 0);
end;
$$;
comment on function credits.debt_discrepancies(public.credit_accounts) is
  'Whether an account''s debt and reversed grants match credit_debts, and whether its rows form one chain.';

create function credits.count_discrepancies(p_account public.credit_accounts)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
declare
  this_month date := date_trunc('month', credits.clock_bound() at time zone 'utc');
begin
  return query
  select (credits.discrepancy('transfers', p_account.id, t.booked, t.told, p_account.last_entry_at, p_seq => t.seq)).*
  from credits.transfers_booked as t where t.account_id = p_account.id and t.told <> t.booked
  union all
  select (credits.discrepancy('withdrawals', p_account.id, w.booked, w.told, p_account.last_entry_at, p_seq => w.seq)).*
  from credits.withdrawals_booked as w where w.account_id = p_account.id and w.told <> w.booked
  union all
  select (credits.discrepancy('grant repaid', p_account.id, r.booked, r.told,
    coalesce(g.created_at, p_account.last_entry_at), p_grant_id => g.id)).*
  from credits.grants_repaid as r left join public.credit_grants as g on g.account_id = r.account_id
    and g.id::text = r.grant_id
  where r.account_id = p_account.id and r.told <> r.booked
  union all
  select (credits.discrepancy('member', p_account.id, m.least, m.told, m.created_at)).*
  from credits.members_counted as m
  where m.account_id = p_account.id and (m.told not between m.least and m.most or m.spent_month > this_month);
end;
$$;
comment on function credits.count_discrepancies(public.credit_accounts) is
  'Whether an account''s received transfers (each) and sent transfers (in total) match credit_transfers, its '
  'withdrawals credit_withdrawals, its grants'' repayments its entries, and its members'' spending their jobs.';

create function credits.key_discrepancies(p_account_id uuid)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  select (credits.discrepancy('duplicate job', p_account_id, 1, d.jobs, d.since, d.newest)).*
  from (
    select count(*) as jobs, max(created_at) as since, (array_agg(id order by created_at desc, id desc))[1] as newest
    from public.generation_jobs where account_id = p_account_id and idempotency_key is not null
    -- Keys of a server are separate from keys of users. Its jobs are known by their ids, also after an erasure: without
    -- the first 4 digits, as earlier ids have no slot there.
    group by member_id, idempotency_key,
      right(id::text, 32)
        = right((credits.job_ids(p_account_id, member_id, idempotency_key, '{"asked_by": "server"}'))[2]::text, 32)
    having count(*) > 1
  ) as d
  union all
  select (credits.discrepancy('duplicate grant', p_account_id, 1, d.grants, g.created_at, p_grant_id => g.id)).*
  from public.credit_grants as g
  cross join lateral (select count(*) as grants from public.credit_grants as o
    where o.external_ref = g.external_ref) as d
  where g.account_id = p_account_id and d.grants > 1;
end;
$$;
comment on function credits.key_discrepancies(uuid) is
  'The newest of several jobs under one idempotency key, and grants whose external_ref another grant has too.';

create function credits.orphan_discrepancies(p_account_id uuid)
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
begin
  return query
  select (credits.discrepancy('entry without account', p_account_id, 0, sum(delta), max(created_at),
    p_seq => max(seq))).*
  from public.credit_ledger where account_id = p_account_id having count(*) > 0
  union all
  select (credits.discrepancy('job without account', p_account_id, 0, cost::numeric - refunded, created_at, id)).*
  from public.generation_jobs where account_id = p_account_id
  union all
  select (credits.discrepancy('grant without account', p_account_id, 0, remaining, created_at, p_grant_id => id)).*
  from public.credit_grants where account_id = p_account_id
  union all
  select (credits.discrepancy('transfers', p_account_id, t.booked, t.told, null, p_seq => t.seq)).*
  from credits.transfers_booked as t where t.account_id = p_account_id and t.told <> t.booked
  union all
  select (credits.discrepancy('withdrawals', p_account_id, w.booked, w.told, null, p_seq => w.seq)).*
  from credits.withdrawals_booked as w where w.account_id = p_account_id and w.told <> w.booked;
end;
$$;
comment on function credits.orphan_discrepancies(uuid) is
  'Entries, jobs, grants, transfers and withdrawals of an account that does not exist.';

-- supabase/schemas/14_reconciliation/55_payment_discrepancies.sql
-- Gives: the checks of payments against grants, events and plans.
-- Keeps: nothing; reports what differs and what was expected.
-- Needs: grants, payments, payment states, subscriptions.

create type credits.payment_discrepancy as (
  discrepancy text,
  payment_key text,
  account_id uuid,
  grant_id bigint,
  expected bigint,
  actual bigint,
  since timestamptz
);

create function credits.payment_target_now(p_payment public.payments)
returns bigint
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- By the cases and refunds themselves, not by their sums in the row.
  p_payment.disputed := credits.payment_disputed(p_payment.key);
  p_payment.refunded := (
    select coalesce(sum((value ->> 'amount')::bigint), 0) from jsonb_each(p_payment.refunds)
    where value ->> 'status' = 'succeeded');
  return credits.payment_target(p_payment);
end;
$$;
comment on function credits.payment_target_now(public.payments) is
  'Credits that are to be taken back of a payment in all, by its refunds and cases.';

create function credits.payment_book_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  with booked as (
    select p.*, g.id as found_id, g.amount as granted, g.reversed, p as payment,
      case when g.id is not null then credits.payment_target_now(p) end as target
    from public.payments as p
    left join public.credit_grants as g on g.account_id = p.account_id and g.id = p.grant_id
    where p.status = 'paid'
  )
  select 'paid_without_grant', key, account_id, grant_id, case state when 'booked' then credits end, 0::bigint,
    coalesce(paid_at, created_at)
  from booked
  where state <> 'booked' and not (state = 'noted' and credits.is_given_back(payment))
    or (credits > 0 and found_id is null)
  union all
  select 'credits_differ', key, account_id, grant_id, credits, granted, booked_at
  from booked where granted <> credits
  union all
  select 'reversal_differs', key, account_id, grant_id, target, reversed, updated_at
  from booked where target <> reversed or target <> reversed_credits
  union all
  select 'payment_changed', p.key, p.account_id, p.grant_id, 1, 0, p.updated_at
  from public.payments as p where p.seal is distinct from credits.payment_seal(p)
  union all
  select 'grant_without_payment', g.external_ref, g.account_id, g.id, 0, g.amount, g.created_at
  from public.credit_grants as g
  where g.kind = 'purchase' and g.external_ref ~ '^[a-z][a-z0-9_]*:(cs|in):.'
    -- An app's own references may look alike.
    and split_part(g.external_ref, ':', 1) in (
      select provider from public.payments union select provider from public.credit_products union select 'stripe')
    and not exists (select from public.payments as p
      where p.key = g.external_ref and p.account_id = g.account_id and p.grant_id = g.id);
$$;
comment on function credits.payment_book_discrepancies() is
  'Payments whose grant is missing or another, or whose credits are taken back otherwise than their refunds and '
  'disputes say; rows that were written by hand; and grants that name a payment which is not there.';

create function credits.payment_waiting_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  select 'event_waiting', payment_key, account_id, null::bigint, 0::bigint, tries::bigint, received_at
  from public.payment_events where outcome = 'waiting'
  union all
  select 'customer_of_two_accounts', key, account_id, null, 1, 2, coalesce(paid_at, created_at)
  from public.payments where cause = 'account_differs'
  union all
  select 'customer_of_two_accounts', subscription_id, account_id, null, 1, 2, created_at
  from public.payment_subscriptions where cause = 'account_differs'
  union all
  -- A valid unique index rules it out.
  select 'customer_of_two_accounts', customer_id, account_id, null, 1, n, created_at
  from (select *, count(*) over (partition by provider, livemode, customer_id) as n
    from public.payment_customers) as c
  where n > 1;
$$;
comment on function credits.payment_waiting_discrepancies() is
  'Events that wait, and customers whom payments or subscriptions ascribe to another account.';

create function credits.subscription_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  with plans as (
    select s.*, a.plan as account_plan, coalesce(credits.subscription_ends_at(s), '-infinity') as ends_at
    from public.payment_subscriptions as s left join public.credit_accounts as a on a.id = s.account_id
  )
  select 'subscription_without_plan', p.subscription_id, p.account_id, null::bigint, 1::bigint, 0::bigint, p.updated_at
  from plans as p
  where (p.cause is not null and p.status in ('active', 'trialing', 'past_due'))
    or (p.ends_at > now() and not exists (select from plans as o
      where o.account_id = p.account_id and o.plan = p.account_plan and o.ends_at > now()))
  union all
  -- The schedule ends it within minutes.
  select 'subscription_without_plan', p.subscription_id, p.account_id, null, 0, 1, greatest(p.ends_at, p.updated_at)
  from plans as p
  where p.has_plan and greatest(p.ends_at, p.updated_at) < now() - interval '30 minutes';
$$;
comment on function credits.subscription_discrepancies() is
  'Subscriptions whose account is not on their plan (expected 1), or still counts as on it after their time (expected '
  '0).';

create type credits.witness_object as (
  object jsonb,
  account_id uuid,
  made_at timestamptz
);

create function credits.witness_objects(p_table text)
returns setof credits.witness_object
language plpgsql
stable
set search_path = '', pg_temp
-- A policy of a table that is not ours would run with our rights: then nothing is read.
set row_security = off
as $$
begin
  -- A table: a view would run with our rights, too.
  if not exists (select from pg_catalog.pg_class
    where oid = to_regclass('stripe.' || p_table) and relkind in ('r', 'p')) then
    return;
  end if;
  -- By jsonb, as the columns differ between versions of the integration. What is younger than an hour may be on its
  -- way.
  return query execute format($query$
    select o.object, c.account_id, to_timestamp((o.object ->> 'created')::bigint)
    from (select coalesce(r.row -> '_raw_data', r.row) as object from (
      select to_jsonb(t) as row from stripe.%I as t) as r) as o
    left join public.payment_customers as c on c.provider = 'stripe' and c.customer_id = o.object ->> 'customer'
      and c.livemode = (o.object ->> 'livemode')::boolean
    where (o.object ->> 'created')::bigint between extract(epoch from now() - interval '30 days')
      and extract(epoch from now() - interval '1 hour')$query$, p_table);
exception when others then
  raise warning 'stripe.% cannot be read: %', p_table, sqlerrm using errcode = sqlstate;
end;
$$;
comment on function credits.witness_objects(text) is
  'The last 30 days of a table that Supabase''s Stripe integration keeps, as Stripe''s objects, with the account of '
  'their customer; nothing where that is not installed. A witness: nothing is booked from it.';

create function credits.witness_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
set search_path = '', pg_temp
as $$
  with paid as (
    select 'stripe:cs:' || (w.object ->> 'id') as key, w.account_id, w.made_at
    from credits.witness_objects('checkout_sessions') as w
    where w.object ->> 'mode' = 'payment' and w.object ->> 'status' = 'complete'
      and w.object ->> 'payment_status' in ('paid', 'no_payment_required')
    union all
    select 'stripe:in:' || (w.object ->> 'id'), w.account_id, w.made_at
    from credits.witness_objects('invoices') as w
    where w.object ->> 'status' = 'paid' and coalesce(w.object ->> 'subscription',
      w.object #>> '{parent,subscription_details,subscription}') is not null
  ),
  refunded as (
    select w.object ->> 'payment_intent' as intent_id, sum((w.object ->> 'amount')::bigint)::bigint as amount,
      max(w.made_at) as made_at
    from credits.witness_objects('refunds') as w where w.object ->> 'status' = 'succeeded' group by 1
  )
  select 'paid_without_grant', w.key, w.account_id, null::bigint, null::bigint, 0::bigint, w.made_at
  from paid as w
  where w.account_id is not null
    and not exists (select from public.payments as p where p.key = w.key and p.status = 'paid')
  union all
  select 'reversal_differs', p.key, p.account_id, p.grant_id,
    round(p.credits::numeric * least(p.amount, w.amount + p.disputed) / p.amount)::bigint, p.reversed_credits, w.made_at
  from refunded as w join public.payments as p on p.intent_id = w.intent_id and p.provider = 'stripe'
  where p.state = 'booked' and p.amount > 0 and w.amount > p.refunded;
$$;
comment on function credits.witness_discrepancies() is
  'What the tables of Supabase''s Stripe integration have, where they are, and payments have not: a customer''s paid '
  'checkout or invoice, or a refund.';

create function credits.payment_discrepancies()
returns setof credits.payment_discrepancy
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from credits.payment_book_discrepancies()
  union all select * from credits.payment_waiting_discrepancies()
  union all select * from credits.subscription_discrepancies()
  union all select * from credits.witness_discrepancies();
$$;
comment on function credits.payment_discrepancies() is 'Everything in which payments, grants and plans do not agree.';

-- supabase/schemas/14_reconciliation/57_file_discrepancies.sql
-- Gives: where jobs and the files in Storage do not agree.
-- Keeps: nothing; reports. Without Storage there is nothing to compare.
-- Needs: jobs, outputs, files, book discrepancies; when called: file deletion.

create function credits.file_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
as $$
begin
  if not credits.has_storage() then
    return;
  end if;
  return query
  select (credits.discrepancy('output without object', j.account_id, f.listed, f.there, j.ended_at, j.id)).*
  from public.generation_jobs as j
  cross join lateral (
    select count(*) as listed, count(o.id) as there
    from credits.output_files(j.output) as p
    left join storage.objects as o on o.bucket_id = 'generations' and o.name = p.path
  ) as f
  where j.output ? 'outputs' and j.output_deleted_at is null and f.there < f.listed
  union all
  select (credits.discrepancy('object without job', f.account_id, 0, count(*), min(f.created_at),
    credits.job_of_file(f.path))).*
  from credits.files_judged('', null) as f
  where f.verdict in ('orphan', 'foreign') and f.created_at < now() - interval '1 day'
  group by f.account_id, credits.job_of_file(f.path);
end;
$$;
comment on function credits.file_discrepancies() is
  'Jobs that list files which are not in Storage, and files older than a day that no job and no upload lists. expected '
  'and actual are numbers of files; account and job are those in whose folder the files are.';

-- supabase/schemas/14_reconciliation/58_operator_discrepancies.sql
-- Gives: where operators' actions, their chains and the ledger do not agree.
-- Keeps: nothing; reports.
-- Needs: ledger, book discrepancies; when called: operators, operator actions.

create function credits.operator_action_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with tally as (
    select l.operator_id, count(*) as actions, max(l.seq) as last_seq, bool_and(l.follows) as follows,
      (max(array[lpad(l.seq::text, 19, '0'), encode(l.hash, 'hex')]))[2] as last_hash
    from credits.action_links as l group by l.operator_id
  ),
  suspects as (
    select coalesce(o.user_id, t.operator_id) as operator_id
    from public.credit_operators as o full join tally as t on t.operator_id = o.user_id
    where (coalesce(t.follows, true) and o.last_seq = coalesce(t.last_seq, 0) and o.last_seq = coalesce(t.actions, 0)
      and encode(o.last_hash, 'hex') = coalesce(t.last_hash, repeat('00', 32))) is not true
    offset 0
  )
  select (credits.discrepancy('operator chain', v.operator_id, o.last_seq, v.broken_seq - 1,
    (select max(created_at) from public.operator_actions as a where a.operator_id = v.operator_id),
    p_seq => v.broken_seq)).*
  from suspects as s
  cross join lateral credits.action_chain(s.operator_id) as v
  left join public.credit_operators as o on o.user_id = s.operator_id
  where not v.sound;
  return query
  select (credits.discrepancy('operator action', a.account_id, e.named, e.found, a.created_at,
    p_seq => a.first_seq)).*
  from public.operator_actions as a
  cross join lateral (
    select count(*) as named, count(*) filter (
      where l.metadata ->> 'operator_action' = format('%s:%s', a.operator_id, a.seq)) as found
    from (values (a.first_seq), (a.last_seq)) as s (seq)
    left join public.credit_ledger as l on l.account_id = a.account_id and l.seq = s.seq
  ) as e
  where a.first_seq is not null and e.found < e.named;
end;
$$;
comment on function credits.operator_action_discrepancies() is
  'Operators whose chain is broken, and actions whose first or last ledger entry is gone or does not name them.';

create function credits.operator_entry_discrepancies()
returns setof credits.discrepancy
language plpgsql
stable
rows 10
set search_path = '', pg_temp
as $$
begin
  return query
  with named as (
    select l.account_id, l.seq, l.created_at, l.metadata ->> 'operator_action' as name
    from public.credit_ledger as l where l.metadata ? 'operator_action'
  )
  select (credits.discrepancy('operator entry', n.account_id, 1, 0, n.created_at, p_seq => n.seq)).*
  from named as n
  left join public.operator_actions as a
    -- Of another text nothing is cast: it names nobody.
    on a.operator_id = case when n.name ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}:\d{1,18}$'
      then split_part(n.name, ':', 1)::uuid end
    and a.seq = case when n.name ~ ':\d{1,18}$' then substring(n.name from '\d{1,18}$')::bigint end
    -- An erasure also ends the person's jobs in their teams.
    and (a.account_id is distinct from n.account_id and a.action = 'erase_account'
      or a.account_id = n.account_id and n.seq between a.first_seq and a.last_seq)
  where a.operator_id is null;
end;
$$;
comment on function credits.operator_entry_discrepancies() is
  'Ledger entries that name an operator''s action which is not there, or which does not name them.';

create function credits.operator_discrepancies(p_with_entries boolean)
returns setof credits.discrepancy
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select * from credits.operator_action_discrepancies()
  union all select * from credits.operator_entry_discrepancies() where p_with_entries;
$$;
comment on function credits.operator_discrepancies(boolean) is
  'Everything in which operators'' actions and the ledger do not agree; p_with_entries also reads the whole ledger.';

-- supabase/schemas/14_reconciliation/60_reconciliation.sql
-- Gives: the views in which a DBA sees that every credit is accounted for.
-- Keeps: nothing; shows where an invariant does not hold.
-- Needs: suspects, discrepancies and every chapter before.

create view public.credit_unsettled_jobs
with (security_invoker = true)
as
select account_id, id as job_id, status, model, provider, credits.to_bigint(cost::numeric - refunded) as credits,
  created_at, deadline_at, deadline_at <= now() as overdue
from public.generation_jobs
where status in ('pending', 'running');
comment on view public.credit_unsettled_jobs is
  'Jobs that are charged and have not ended. overdue: past the deadline; the next sweep refunds it. credits: charged '
  'and not refunded.';

create view public.credit_ledger_chain_breaks
with (security_invoker = true)
as
select s.account_id, v.broken_seq as seq, v.problem, v.checked, s.last_seq, s.last_entry_at
from (
  select a.id as account_id, a.last_seq, a.last_entry_at, a as account
  from (select credits.suspect_chains() union select credits.suspect_ends()) as u (account_id)
  join public.credit_accounts as a on a.id = u.account_id
  -- Otherwise Postgres checks the chain of every account first, and filters the suspects afterwards.
  offset 0
) as s
cross join lateral credits.account_chain(s.account, credits.checkpoint_zero(s.account_id)) as v
where not v.sound;
comment on view public.credit_ledger_chain_breaks is
  'The first broken entry of every account whose hash chain does not hold (problem: see type credit_ledger_result). '
  'Recomputes every chain from its first entry: verify_ledger asks for one account, and reconcile_credit_ledger is '
  'the cheap way.';

create table public.reconciliation_classes (
  invariant text primary key,
  meaning text not null,
  likely_cause text not null,
  remedy text not null
);
comment on table public.reconciliation_classes is
  'What each class of discrepancy means, what usually causes it, and what to do.';
insert into public.reconciliation_classes (invariant, meaning, likely_cause, remedy) values
  ('balance', 'The account''s balance differs from the sum of its entries.',
    'credit_accounts was written by hand, or an entry was removed or added by hand.',
    'Find the manual change (verify_ledger names a broken entry). If the ledger is right, set the balance to the sum '
    'of the ledger.'),
  ('sequence', 'The account''s last_seq differs from how many entries there are.',
    'An entry was deleted, or credit_accounts restored from another time than credit_ledger.',
    'Restore the missing entries from a backup; verify_ledger says where the gap is.'),
  ('chain', 'An entry does not follow from the one before it.',
    'An entry was changed, deleted, inserted or swapped by somebody who had turned rules and triggers off.',
    'Compare the entry with a backup and restore it. Until then trust neither it nor later entries.'),
  ('archive', 'The account''s archived entries differ from what its anchor says was archived.',
    'Entries of credit_ledger_archive, or credit_ledger_anchors, were removed or changed by somebody who had turned '
    'rules and triggers off.',
    'Restore the account''s rows of credit_ledger_archive and credit_ledger_anchors from a backup; verify_ledger '
    '(from the start) names the first broken entry.'),
  ('grants', 'What remains in the grants, less the overdraft, differs from the balance.',
    'credit_grants or credit_accounts was written by hand.',
    'See the rows grant and overdraft of the same account: they name the one that is off.'),
  ('grant', 'What remains in a grant differs from the sum of its entries.',
    'credit_grants.remaining was written by hand.',
    'Set remaining to the expected value, and is_open to whether that is above 0.'),
  ('grant terms',
    'A grant''s amount, expiry, priority, external_ref, grace period, roll-over cap or another of its terms is not as '
    'it was granted.',
    'credit_grants was written by hand.',
    'Restore the row from a backup. If the change was meant: update credit_grants as g set seal = '
    'credits.grant_seal(g), for this grant alone.'),
  ('grant breakage', 'A grant''s breakage differs from its entries of kind expiry.',
    'credit_grants.breakage was written by hand.', 'Set breakage to the expected value.'),
  ('grant repaid', 'The overdraft that a grant says it repaid differs from the entries.',
    'credit_grants.repaid was written by hand.',
    'Set repaid to the expected value: refunds of overdrawn credits depend on it.'),
  ('grant reversed', 'A grant''s reversed differs from credit_debts.',
    'credit_grants.reversed was written by hand.',
    'Set reversed to the expected value; to take more or less back, call reverse_grant.'),
  ('debt',
    'The account''s debt differs from its rows of credit_debts, or one of these does not follow '
    'from the one before it (seq).',
    'credit_accounts.debt or debt_seq was written by hand, or credit_debts changed by somebody who had turned rules '
    'and triggers off.',
    'Without a seq set debt to the expected value and debt_seq to how many rows there are; else compare the row with '
    'a backup and restore it.'),
  ('transfers', 'A transfer that an account received (seq), or what it sent in all, differs from credit_transfers.',
    'A row of credit_transfers was written, changed or deleted by hand.',
    'Restore the row from a backup: the metadata of the recipient''s entries name external_ref and sender '
    '(from_account_id), their sum is the amount.'),
  ('withdrawals', 'What was taken from an account under an external_ref (seq) differs from credit_withdrawals.',
    'A row of credit_withdrawals was written, changed or deleted by hand: a repeated call may take the credits again.',
    'Restore the row from a backup: the metadata of the account''s entries name external_ref (withdrawal_ref), their '
    'sum is what was withdrawn.'),
  ('member',
    'A member''s spending in the month of their latest charge differs from the cost of their jobs, '
    'or spent_month is ahead.',
    'account_members.spent or spent_month was written by hand.',
    'credits.members_counted names the member (user_id) and the month (UTC): set spent_month to that month, or to '
    'this one if it is ahead, and spent to the expected value.'),
  ('grant bounds', 'A grant holds less than 0 or more than its amount.',
    'Its constraint was dropped, and the row written by hand.',
    'Restore the constraint grant_is_sound; set remaining to the sum of the grant''s entries.'),
  ('grant open',
    'A grant is marked as open with nothing left, or as closed with credits in it, which then cannot be spent.',
    'Its constraint was dropped, and the row written by hand.',
    'Set is_open to whether remaining is above 0; restore the constraint grant_is_sound.'),
  ('duplicate grant', 'Two grants have one external_ref: one outside event may have been credited twice.',
    'The index credit_grants_external_ref was dropped.',
    'Decide which grant is right and take the other back with reverse_grant, clear its external_ref, then restore the '
    'unique index.'),
  ('overdraft', 'The overdraft in use differs from the sum of the entries without a grant.',
    'credit_accounts.overdraft_used was written by hand.', 'Set overdraft_used to the expected value.'),
  ('credit limit', 'The balance is below what the credit limit allows.',
    'The constraint account_is_sound was dropped or the limit lowered by hand.',
    'Raise credit_limit to the overdraft in use, or grant credits; restore the constraint.'),
  ('job', 'A job''s entries differ from what it was charged and refunded.',
    'A charge, release or refund was booked or undone by hand.',
    'Decide which is right, the job or its entries, then correct_job(job, reason) brings the other in line.'),
  ('job cost', 'A job''s cost differs from the entries of its charge.',
    'generation_jobs.cost was written by hand, with refunded or without.',
    'Set cost to the expected value, and refunded so that cost - refunded is what its entries come to.'),
  ('job actual cost', 'A job''s actual_cost is not what it was settled with.',
    'generation_jobs.actual_cost, or the status of the job, was written by hand.',
    'Restore actual_cost from a backup: a job that was settled as charged has its cost there and no seal, one without '
    'a result has neither. If the change was meant: set seal to case when actual_cost <> cost then '
    'credits.job_seal(account_id, id, actual_cost) end, for this job alone.'),
  ('job refund', 'A job that ended without a result keeps credits, or was refunded more than it cost.',
    'Its constraints were dropped, and the row written by hand.',
    'Call refund_credits for the missing credits; restore the constraints.'),
  ('job output', 'A job succeeded without an output: its user paid for nothing.',
    'Its constraint was dropped, and the row written by hand.',
    'Restore the output from a backup, or refund_credits; then restore the constraint job_is_sound.'),
  ('duplicate job', 'Two jobs of an account have one idempotency key: one request may have been charged twice.',
    'generation_jobs.idempotency_key was written by hand, or the primary key dropped.',
    'Call refund_credits for the surplus job, clear its idempotency_key; restore the primary key if it is gone.'),
  ('overdue job', 'A job is open more than five minutes after its deadline.',
    'sweep_overdue_jobs does not run.', 'Look at the task in credit_task_runs; run select sweep_overdue_jobs().'),
  ('entry in the future', 'An entry is dated more than a minute ahead of the database''s clock.',
    'The clock jumped ahead and was set back, or entries were restored on a server whose clock is behind.',
    'Correct the server''s clock. Until it reaches that date, new entries of the account repeat it. Change nothing in '
    'the ledger.'),
  ('entry without account', 'Entries belong to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('entry without job', 'Entries belong to a job that does not exist.',
    'The job''s row was deleted by hand.',
    'Restore the job''s row from a backup. To remove personal data, use erase_account.'),
  ('entry without grant', 'Entries name a grant that does not exist: what was granted under its external_ref could be '
    'granted again.',
    'The grant''s row was deleted by hand.', 'Restore the grant''s row from a backup.'),
  ('grant without entry', 'A grant has no entry: nothing was ever granted by it.',
    'A row of credit_grants was added by hand. The event of its external_ref would count as granted.',
    'Delete the row, and call grant_credits if the credits are due.'),
  ('job without account', 'A job belongs to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('grant without account', 'A grant belongs to an account that does not exist.',
    'The account''s row was deleted by hand.', 'Restore the account''s row from a backup.'),
  ('output without object', 'A job lists files that are not in Storage: its user has paid and sees nothing.',
    'Somebody deleted them in the dashboard or by SQL, or the database was restored from a time before their deletion.',
    'Restore the files from a backup of Storage under the paths of generation_jobs.output; or refund_credits, then '
    'delete_output.'),
  ('object without job', 'Files older than a day are in the bucket that no job and no upload lists.',
    'The task delete-objects does not run or fails, or somebody put files into the bucket by hand.',
    'Look at the task in credit_task_runs and at the logs of the function tasks. Without an account they are in no '
    'folder of a job: move or delete them in the dashboard.'),
  ('paid_without_grant', 'A payment was paid, and its credits were not granted.',
    'It waits: payments.cause says for what. Or its grant was deleted by hand.',
    'unknown_customer: link_payment_customer(…). unknown_price: set_product(…). account_closed: open the account, or '
    'refund the payment at the provider. account_differs, kind_differs, quantity, livemode_mixed: correct or refund it '
    'at the provider. granted_elsewhere: reverse_grant the wrong grant and clear its external_ref. Then '
    'retry_payment(key); the schedule does it, too. A grant that is gone: restore it from a backup.'),
  ('grant_without_payment', 'A grant names a payment that is not there, or is booked otherwise.',
    'Code of your own granted it under the payment''s key, or the payment''s row was deleted by hand.',
    'npm run payments -- reconcile reads the payment from the provider and takes the grant as its own. If there is no '
    'such payment: reverse_grant.'),
  ('credits_differ', 'A payment''s grant has another amount than was booked for it.',
    'The grant or the payment was written by hand.',
    'See grant terms and payment_changed of the same account: restore the row that was changed.'),
  ('reversal_differs', 'Of a payment''s grant more or less is taken back than was refunded and disputed.',
    'The grant was reversed by hand, or a booking of the payment is still to come.',
    'retry_payment(key) takes back or gives back the difference. To keep what was done by hand, refund the payment at '
    'the provider accordingly.'),
  ('payment_changed', 'A payment''s row is not as it was booked.',
    'payments was written by hand.',
    'Restore the row from a backup, then npm run payments -- reconcile.'),
  ('event_waiting', 'An event of the provider could not be booked.',
    'Its payment or subscription waits, or could not be looked up: payment_events.cause.',
    'See paid_without_grant and subscription_without_plan. Otherwise npm run payments -- reconcile, and if it is no '
    'business of yours set its outcome to nothing_to_do.'),
  ('subscription_without_plan', 'A subscription gives its account a plan that the account is not on, or no longer.',
    'Its customer or price is not known (payment_subscriptions.cause), or somebody set another plan.',
    'Link the customer or set the product up; follow_subscriptions then books it. If the plan was set by hand: '
    'set_account_plan, or end the subscription at the provider.'),
  ('customer_of_two_accounts', 'A customer of the provider is one account, and a payment of theirs names another.',
    'Somebody wrote another account''s id into a payment''s metadata, or the index of payment_customers was dropped.',
    'Find out who has paid. Correct the metadata at the provider, or refund the payment; then npm run payments -- '
    'reconcile.'),
  ('operator chain', 'An operator''s actions do not follow from each other (seq); account_id is the operator''s.',
    'operator_actions or the end of the chain in credit_operators was changed by somebody who had turned rules and '
    'triggers off.',
    'verify_operator_actions(operator) names the problem. Compare the row with a backup and restore it. Until then '
    'trust neither it nor later actions of this operator.'),
  ('operator action', 'The ledger entries that an operator''s action names (seq is the first) are not there, or do not '
    'name it.',
    'Entries were deleted or changed, or the ledger restored from another time than operator_actions.',
    'See the rows chain and sequence of the same account, and restore its entries from a backup.'),
  ('operator entry', 'An entry (seq) names an operator''s action that is not there, or that does not name it.',
    'Somebody booked it by hand in an operator''s name, or operator_actions was restored from another time than the '
    'ledger.',
    'Find out who booked it; correct it by grant_credits or withdraw_credits. Or restore operator_actions from a '
    'backup.');

alter table public.reconciliation_classes enable row level security;

create function credits.discrepancies_of(p_account_ids uuid[])
returns setof credits.discrepancy
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
as $$
begin
  return query
  with suspects as (
    select s.account_id, a as account, a.id is not null as known
    from unnest(p_account_ids) as s (account_id) left join public.credit_accounts as a on a.id = s.account_id
    offset 0
  )
  select d.* from suspects as s
  cross join lateral credits.account_discrepancies(s.account, credits.checkpoint_zero(s.account_id)) as d where s.known
  union all
  select d.* from suspects as s cross join lateral credits.orphan_discrepancies(s.account_id) as d where not s.known
  union all
  select 'overdue job', u.account_id, u.job_id, null, null, 0, u.credits, u.deadline_at
  from public.credit_unsettled_jobs as u where u.deadline_at < now() - credits.sweep_grace();
end;
$$;
comment on function credits.discrepancies_of(uuid[]) is
  'The broken invariants of suspects, known or not, and every overdue job.';

create view public.reconciliation_discrepancies
with (security_invoker = true)
as
select f.invariant, f.account_id, f.job_id, f.grant_id, f.seq, f.expected, f.actual, f.since, c.likely_cause, c.remedy,
  f.payment_key
from (
  select d.*, null::text as payment_key from credits.discrepancies_of(array(select credits.suspects())) as d
  union all
  select p.discrepancy, p.account_id, null, p.grant_id, null, p.expected, p.actual, p.since, p.payment_key
  from credits.payment_discrepancies() as p
  union all
  select o.*, null from credits.file_discrepancies() as o
  union all
  select a.*, null from credits.operator_discrepancies(true) as a
) as f
join public.reconciliation_classes as c on c.invariant = f.invariant;

comment on view public.reconciliation_discrepancies is
  'One row per broken invariant, with the account, job, grant or entry (seq) that it is about; no row on a sound '
  'system. expected and actual are whole credits, numbers of entries (sequence, entry in the future) or files, or the '
  'last entry and the last sound one (chain). since: the last regular change of the broken row. payment_key: the '
  'payment or subscription that it is about. reconciliation_classes says what each invariant means. Reads everything: '
  'reconcile_credit_ledger is the cheap way.';

create view public.payment_discrepancies
with (security_invoker = true)
as
select d.discrepancy, d.payment_key, d.account_id, d.grant_id, d.expected, d.actual, d.since, c.likely_cause, c.remedy
from credits.payment_discrepancies() as d join public.reconciliation_classes as c on c.invariant = d.discrepancy;
comment on view public.payment_discrepancies is
  'Where payments, grants and plans do not agree: no row on a sound system. Part of reconciliation_discrepancies. '
  'payment_key: the payment, or the subscription''s or customer''s id. expected and actual: credits, or 1 and 0 for '
  'yes and no, or how often an event was tried. account_id null: the payment is nobody''s yet.';

-- supabase/schemas/14_reconciliation/70_reconciliation_runs.sql
-- Gives: reconcile_credit_ledger, which checks the books and keeps what it found as evidence.
-- Keeps: an incremental run reads only what is new; one snapshot per run, so traffic is never mistaken for damage.
-- Needs: reconciliation.

create table public.reconciliation_runs (
  id bigint generated always as identity primary key,
  deep boolean not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz not null default clock_timestamp(),
  accounts_checked bigint not null default 0,
  entries_checked bigint not null default 0,
  accounts_broken bigint not null default 0,
  discrepancies bigint not null default 0,
  unseen_from bigint
);
-- The last runs: reconciliation_latest, alerts, metrics.
create index reconciliation_runs_newest on public.reconciliation_runs (started_at desc);

comment on table public.reconciliation_runs is 'Every run of reconcile_credit_ledger and its outcome.';
comment on column public.reconciliation_runs.deep is
  'true: everything was checked; false: what was new since each account''s checkpoint.';
comment on column public.reconciliation_runs.accounts_checked is
  'Accounts looked at: all in a deep run, those with something new in an incremental one.';
comment on column public.reconciliation_runs.accounts_broken is 'Accounts with at least one discrepancy.';
comment on column public.reconciliation_runs.unseen_from is
  'Of a deep run: the number of the oldest transaction (xid8) that it may not have seen. What an earlier one wrote was '
  'checked.';

create table public.reconciliation_findings (
  id bigint generated always as identity,
  run_id bigint not null references public.reconciliation_runs (id) on delete cascade,
  invariant text not null references public.reconciliation_classes (invariant),
  account_id uuid not null,
  job_id uuid,
  grant_id bigint,
  seq bigint,
  expected bigint,
  actual bigint,
  since timestamptz,
  payment_key text,
  -- Without a primary key, a publication for all tables would block deletes.
  primary key (account_id, id)
);
-- What a run found.
create index reconciliation_findings_by_run on public.reconciliation_findings (run_id);

comment on table public.reconciliation_findings is
  'What each run found, as reconciliation_discrepancies shows it: the first 10,000 of a run. Cause and remedy: '
  'reconciliation_classes.';
comment on column public.reconciliation_findings.account_id is
  'The account; 00000000-0000-0000-0000-000000000000 for a payment that is nobody''s yet.';

alter table public.reconciliation_runs enable row level security;
alter table public.reconciliation_findings enable row level security;
create view public.reconciliation_latest
with (security_invoker = true)
as
(select * from public.reconciliation_runs where deep order by started_at desc limit 1)
union all
(select * from public.reconciliation_runs
 where not deep
   and started_at > coalesce((select max(started_at) from public.reconciliation_runs where deep), '-infinity')
 order by started_at desc limit 1);
comment on view public.reconciliation_latest is
  'The runs that count now: the latest deep one, and the latest incremental one after it. Findings of a deep run stand '
  'until the next deep run, those of an incremental run until any later run.';

create function credits.reconcile_all(
  p_run_id bigint, out accounts_checked bigint, out entries_checked bigint, out accounts_broken bigint,
  out discrepancies bigint
)
language sql
set search_path = '', pg_temp
-- JIT takes longer than it saves.
set jit = off
as $$
  with found as (select * from public.reconciliation_discrepancies),
  kept as (
    insert into public.reconciliation_findings (run_id, invariant, account_id, job_id, grant_id, seq, expected,
      actual, since, payment_key)
    select p_run_id, invariant, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), job_id, grant_id, seq,
      expected, actual, since, payment_key
    from found limit 10000
  )
  select (select count(*) from public.credit_accounts),
    (select credits.to_bigint(coalesce(sum(last_seq), 0)) from public.credit_accounts),
    (select count(distinct account_id) from found), (select count(*) from found);
$$;
comment on function credits.reconcile_all(bigint) is 'Checks everything in one snapshot, and keeps the findings.';

create function credits.reconcile_new(
  p_run_id bigint, out accounts_checked bigint, out entries_checked bigint, out accounts_broken bigint,
  out discrepancies bigint
)
language sql
set search_path = '', pg_temp
-- JIT takes longer than it saves.
set jit = off
as $$
  with changed as materialized (
    select * from credits.changed_accounts()
  ),
  broken as materialized (
    select d.* from (
      select n.account, n.checkpoint from credits.suspects_among_changed() as s (account_id)
      join changed as n on (n.account).id = s.account_id
      offset 0
    ) as n
    cross join lateral credits.account_discrepancies(n.account, n.checkpoint) as d
  ),
  overdue as (
    select 'overdue job' as invariant, u.account_id, u.job_id, null::bigint as grant_id, null::bigint as seq,
      0::bigint as expected, u.credits as actual, u.deadline_at as since
    from public.credit_unsettled_jobs as u where u.deadline_at < now() - credits.sweep_grace()
  ),
  found as materialized (
    select b.*, null::text as payment_key from broken as b
    union all select o.*, null from overdue as o
    union all
    select p.discrepancy, p.account_id, null, p.grant_id, null, p.expected, p.actual, p.since, p.payment_key
    from credits.payment_discrepancies() as p
    union all
    select a.*, null from credits.operator_discrepancies(false) as a
  ),
  kept as (
    insert into public.reconciliation_findings (run_id, invariant, account_id, job_id, grant_id, seq, expected,
      actual, since, payment_key)
    select p_run_id, invariant, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), job_id, grant_id, seq,
      expected, actual, since, payment_key
    from found limit 10000
  ),
  moved as (
    insert into public.credit_ledger_checkpoints as c (account_id, seq, hash, balance)
    select (n.account).id, (n.account).last_seq, (n.account).last_hash, (n.account).balance
    from changed as n
    where (n.account).last_seq > 0 and not exists (select from broken as b where b.account_id = (n.account).id)
    order by 1
    on conflict (account_id) do update
    set seq = excluded.seq, hash = excluded.hash, balance = excluded.balance, verified_at = now()
    where c.seq <= excluded.seq
  )
  select (select count(*) from changed),
    (select credits.to_bigint(coalesce(sum((n.account).last_seq::numeric - (n.checkpoint).seq), 0)) from changed as n),
    (select count(distinct account_id) from found), (select count(*) from found);
$$;
comment on function credits.reconcile_new(bigint) is
  'Checks in one snapshot what is new since each account''s checkpoint, keeps the findings, and moves the checkpoints '
  'of sound accounts.';

create function public.reconcile_credit_ledger(p_deep boolean default false)
returns public.reconciliation_runs
language plpgsql
security definer
set search_path = '', pg_temp
-- The most that the Data API allows; elsewhere the caller's own limit applies.
set statement_timeout = '60s'
as $$
declare
  run public.reconciliation_runs;
  checked record;
begin
  perform credits.caller_check('reconcile_credit_ledger');
  insert into public.reconciliation_runs (deep, unseen_from)
  values (coalesce(p_deep, false), case when p_deep then pg_snapshot_xmin(pg_current_snapshot())::text::bigint end)
  returning * into run;
  if run.deep then
    select * into checked from credits.reconcile_all(run.id);
  else
    select * into checked from credits.reconcile_new(run.id);
  end if;
  update public.reconciliation_runs
  set finished_at = clock_timestamp(), accounts_checked = checked.accounts_checked,
    entries_checked = checked.entries_checked,
      accounts_broken = checked.accounts_broken, discrepancies = checked.discrepancies
  where id = run.id
  returning * into run;
  return run;
end;
$$;
comment on function public.reconcile_credit_ledger(boolean) is
  'Checks that every credit is accounted for and stores the run and its findings. By default it checks what is new '
  'since each account''s checkpoint: its entries and chain, the jobs they touch, its grants in total, jobs left open '
  'past their deadline, and all payments. p_deep: everything, as reconciliation_discrepancies. Locks no account; '
  'in-flight transactions are not seen. Meant to run daily, deep weekly.';

-- supabase/schemas/14_reconciliation/80_reconciliation_summary.sql
-- Gives: the books in one row, live, in half the time of a deep reconciliation.
-- Keeps: nothing; counts what reconciliation_discrepancies would show.
-- Needs: reconciliation runs.
--
-- Every row names the transaction that wrote it (xmin). The last deep run noted the oldest transaction that it may not
-- have seen: a row of that one or of a later one is new, or was changed by hand; every other row is as that run saw
-- it, so its hash and its key need not be checked again.

create type credits.run_horizon as (
  run_id bigint,
  newest bigint,
  reach bigint
);
comment on type credits.run_horizon is
  'What the last deep run has not seen: rows whose transaction is at most reach before newest, modulo 2^32, as rows '
  'keep only the low 32 bits: ((newest - xmin::text::bigint) & 4294967295) <= reach.';

create function credits.deep_horizon()
returns credits.run_horizon
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Beyond every transaction that may be seen here, this one's own included.
  newest constant bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 16777216;
begin
  return (
    select row(r.id, newest, newest - r.unseen_from)::credits.run_horizon
    from (select *, xmin from public.reconciliation_runs where deep order by started_at desc limit 1) as r
    -- Of this server (a restored row was written by another transaction), not too long ago, its findings kept whole.
    where newest - r.unseen_from between 0 and 1073741824
      and ((newest - r.xmin::text::bigint) & 4294967295) <= newest - r.unseen_from and r.discrepancies < 10000);
end;
$$;
comment on function credits.deep_horizon() is
  'What the last deep run has not seen; null where there is no run to go by.';

create function credits.suspect_entries_since(p_since credits.run_horizon)
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_mergejoin = off
set min_parallel_table_scan_size = '512kB'
as $$
begin
  return query
  with tally as (
    select l.account_id, count(*) as entries, max(l.seq) as last_seq, sum(l.delta) as total
    from public.credit_ledger as l group by l.account_id
  )
  select coalesce(a.id, t.account_id)
  from public.credit_accounts as a full join tally as t on t.account_id = a.id
  where (a.last_seq = coalesce(t.entries, 0) and a.last_seq = coalesce(t.last_seq, 0)
    and a.balance = coalesce(t.total, 0)) is not true;
  -- Its own link, the next one's, and that there is only one of it: then an account with as many entries as its last
  -- number has every number once.
  return query
  select n.account_id
  from (
    select l.account_id, l.seq, case when l.seq < 9223372036854775807 then l.seq + 1 else l.seq end as next_seq
    from public.credit_ledger as l
    where ((p_since.newest - l.xmin::text::bigint) & 4294967295) <= p_since.reach
    offset 0
  ) as n
  cross join lateral (
    select bool_and(k.follows) and count(*) filter (where k.seq = n.seq) = 1 as follows from credits.chain_links as k
    where k.account_id = n.account_id and k.seq between n.seq and n.next_seq
  ) as k
  where not k.follows;
end;
$$;
comment on function credits.suspect_entries_since(credits.run_horizon) is
  'What suspect_chains finds and the last deep run has not seen.';

create function credits.suspect_repeats_since(p_since credits.run_horizon)
returns setof uuid
language plpgsql
stable
rows 10
set search_path = '', pg_temp
set jit = off
set enable_nestloop = off
set min_parallel_table_scan_size = '512kB'
as $$
declare
  -- As arrays, whose number is known where the join is planned.
  account_ids uuid[];
  ids uuid[];
  keys text[];
begin
  select array_agg(j.account_id), array_agg(j.id), array_agg(j.idempotency_key) into account_ids, ids, keys
  from public.generation_jobs as j
  where ((p_since.newest - j.xmin::text::bigint) & 4294967295) <= p_since.reach and j.idempotency_key is not null;
  if ids is null then
    return;
  end if;
  -- Of any member: the closer check finds the real duplicates.
  return query
  select j.account_id
  from unnest(account_ids, ids, keys) as n (account_id, id, idempotency_key)
  join public.generation_jobs as j on j.account_id = n.account_id and j.idempotency_key = n.idempotency_key
    and j.id <> n.id;
end;
$$;
comment on function credits.suspect_repeats_since(credits.run_horizon) is
  'What suspect_repeats finds and the last deep run has not seen.';

create function credits.suspects_now()
returns setof uuid
language plpgsql
stable
rows 10
security definer
set search_path = '', pg_temp
set jit = off
as $$
declare
  since credits.run_horizon := credits.deep_horizon();
begin
  -- Entry by entry is the slower way where more than one in twenty are new.
  if since.run_id is null or (
    select count(*) from public.credit_ledger as l
    where ((since.newest - l.xmin::text::bigint) & 4294967295) <= since.reach
  ) > (select greatest(sum(last_seq) / 20, 10000) from public.credit_accounts) then
    return query select * from credits.suspects();
  else
    return query
    select account_id from public.reconciliation_findings where run_id = since.run_id
    union select account_id from credits.suspect_entries_since(since) as s (account_id)
    union select account_id from credits.suspect_repeats_since(since) as s (account_id)
    union select account_id from credits.suspects_of_any_age() as s (account_id);
  end if;
end;
$$;
comment on function credits.suspects_now() is
  'The same as suspects(), by what the last deep run found and what has been written since.';

create view public.reconciliation_summary
with (security_invoker = true)
as
select a.accounts, l.entries, a.balance_total, l.ledger_total, l.credits_in, j.charged, j.refunded, u.open_jobs,
  u.overdue_jobs,
  (select count(*) from credits.discrepancies_of(array(select credits.suspects_now())))
    + (select count(*) from credits.payment_discrepancies())
    + (select count(*) from credits.operator_discrepancies(false)) as discrepancies
from (
  select count(*) as accounts, credits.to_bigint(coalesce(sum(balance), 0)) as balance_total
  from public.credit_accounts
) as a,
(
  select count(*) as entries, credits.to_bigint(coalesce(sum(delta), 0)) as ledger_total,
    credits.to_bigint(coalesce(sum(delta) filter (where delta > 0 and job_id is null), 0)) as credits_in
  from public.credit_ledger
) as l,
(
  select credits.to_bigint(coalesce(sum(cost), 0)) as charged, credits.to_bigint(coalesce(sum(refunded), 0)) as refunded
  from public.generation_jobs
) as j,
(
  select count(*) as open_jobs, count(*) filter (where overdue) as overdue_jobs from public.credit_unsettled_jobs
) as u;

comment on view public.reconciliation_summary is
  'Everything in one row: totals in whole credits (refunded: what jobs gave back in all, released and refunded), '
  'and how many discrepancies there are (0 on a sound system). The number is live: the last deep run''s findings are '
  'looked at again, all sums are compared, and hashes and keys are checked of the rows that were written since that '
  'run, also by hand; of all rows where there is no such run. Files in Storage, and entries that name an operator''s '
  'action, are compared by deep runs alone.';

-- supabase/schemas/15_operations/10_statistics.sql
-- Gives: how generations go by the hour, who is denied, and the trail of one request.
-- Keeps: nothing; reads a bounded span of time by its index.
-- Needs: ledger, jobs, request events.

create view public.generation_stats_hourly
with (security_invoker = true)
as
select date_trunc('hour', created_at, 'utc') as hour, model, provider,
  count(*) as jobs,
  count(*) filter (where status = 'succeeded') as succeeded,
  count(*) filter (where status in ('failed', 'expired')) as failed,
  count(*) filter (where status = 'canceled') as canceled,
  count(*) filter (where status in ('pending', 'running')) as open,
  round(count(*) filter (where status = 'succeeded')::numeric
    / nullif(count(*) filter (where status in ('succeeded', 'failed', 'expired')), 0), 4) as success_rate,
  percentile_disc(0.5) within group (order by round(extract(epoch from ended_at - created_at), 3))
    filter (where status = 'succeeded') as p50_seconds,
  percentile_disc(0.95) within group (order by round(extract(epoch from ended_at - created_at), 3))
    filter (where status = 'succeeded') as p95_seconds,
  percentile_disc(0.99) within group (order by round(extract(epoch from ended_at - created_at), 3))
    filter (where status = 'succeeded') as p99_seconds,
  sum(cost)::bigint as credits_charged,
  sum(refunded)::bigint as credits_refunded
from public.generation_jobs
group by 1, 2, 3;
comment on view public.generation_stats_hourly is
  'Generations by the hour (UTC) that they were charged in, by model and provider. success_rate: succeeded / '
  '(succeeded + failed), null before any has ended; canceled ones count neither way. Percentiles: seconds from '
  'charge to success. Amounts in whole credits; credits_refunded: what came back in all, released and refunded.';

create view public.credit_rate_limit_hits
with (security_invoker = true)
as
select date_trunc('hour', created_at, 'utc') as hour, account_id, code, count(*) as hits
from public.credit_request_events
where status = 429
group by 1, 2, 3;
comment on view public.credit_rate_limit_hits is
  'Requests that were denied with 429, by hour (UTC), account and code (rate_limited, too_many_jobs).';

create function credits.failure_code(p_job_id uuid)
returns text
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select error ->> 'code' from public.generation_jobs where id = p_job_id;
$$;
comment on function credits.failure_code(uuid) is
  'Why a job failed, as a code: what an auditor may read of its error, whose message may quote a prompt.';

create function credits.job_asker(p_job_id uuid)
returns text
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select ', asked by server' from public.generation_jobs where id = p_job_id and input ->> 'asked_by' = 'server';
$$;
comment on function credits.job_asker(uuid) is
  'Says of a job that the app''s own server asked for it; null where a user did. An auditor may know that, and not '
  'read the input.';

create view public.credit_request_trail
with (security_invoker = true)
as
select request_id, created_at as at, account_id, case when status < 400 then 'answered' else 'denied' end as step,
  status::text || ' ' || code as detail, job_id, null::bigint as credits
from public.credit_request_events
union all
select request_id, created_at, account_id, 'charged', model || coalesce(credits.job_asker(id), ''), id, -cost
from public.generation_jobs
union all
select request_id, ended_at, account_id, status::text, coalesce(credits.failure_code(id), provider), id, null
from public.generation_jobs where ended_at is not null
union all
select j.request_id, l.created_at, l.account_id, 'entry ' || l.seq, l.kind || coalesce(': ' || l.reason, ''),
  l.job_id, l.delta
from public.generation_jobs as j
join public.credit_ledger as l on l.account_id = j.account_id and l.job_id = j.id;
comment on view public.credit_request_trail is
  'What became of a request, by the x-request-id of its answer: denial or repeated answer, or charge, end and ledger '
  'entries (credits: what came in or went out). Ask for one: where request_id = ''…'' order by at. A trail without '
  'an end is of a job that still runs.';

-- supabase/schemas/15_operations/15_margins.sql
-- Gives: what is left of a price once its provider is paid, by price and by what was used.
-- Keeps: an auditor learns amounts, and nothing of a request.
-- Needs: price book, provider costs, jobs, usage, metering.

create view public.generation_margins
with (security_invoker = true)
as
select c.model, c.effective_from, r.meter, r.per, r.price as credits, r.price / c.credits_per_usd as price_usd,
  c.usd * r.per / c.per as cost_usd, c.credits_per_usd,
  round(100 * (1 - c.usd * r.per / c.per / nullif(r.price / c.credits_per_usd, 0)), 2) as margin_percent
from public.generation_model_costs as c
join public.generation_model_rates as r on r.model = c.model and r.effective_from = c.effective_from
  and r.meter = c.meter;
comment on view public.generation_margins is
  'For each price version whose cost is known, by meter: the price in credits and dollars, what the provider asks for '
  'as many units (cost_usd), and what part of the price is left (margin_percent; negative: sold below cost).';

create function credits.job_provider_cost(p_account_id uuid, p_job_id uuid)
returns numeric
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  -- In billionths of a dollar, so that the one function that counts usage can round up to a whole number.
  select credits.usage_cost(c.meters, c.costs, j.input - array['cache_read_tokens', 'cache_write_tokens']
    || coalesce(u.usage, '{}')) / 1000000000.0
  from public.generation_jobs as j
  left join public.generation_usage as u on u.account_id = j.account_id and u.job_id = j.id
  cross join lateral (
    select array_agg(c.meter) as meters, array_agg(c.usd * 1000000000 * (9000000 / c.per)) as costs
    from public.generation_model_costs as c
    where c.model = j.model and c.effective_from = j.price_effective_from) as c
  where j.account_id = p_account_id and j.id = p_job_id and c.costs is not null;
$$;
comment on function credits.job_provider_cost(uuid, uuid) is
  'What a job''s provider asks for it, in dollars: for its usage, or as it was asked for where none was reported; '
  'null where no cost is known. An auditor may know that, and not read the input.';

create view public.generation_margins_daily
with (security_invoker = true)
as
select d.day, d.model, count(*) as jobs, sum(d.charged) as credits, count(d.cost_usd) as jobs_with_cost,
  round(sum(d.charged / d.credits_per_usd) filter (where d.cost_usd is not null), 6) as revenue_usd,
  round(sum(d.cost_usd), 6) as cost_usd,
  round(sum(d.charged / d.credits_per_usd) filter (where d.cost_usd is not null) - sum(d.cost_usd), 6) as margin_usd
from (
  select (j.created_at at time zone 'utc')::date as day, j.model, j.cost - j.refunded as charged,
    (select min(c.credits_per_usd) from public.generation_model_costs as c
      where c.model = j.model and c.effective_from = j.price_effective_from) as credits_per_usd,
    credits.job_provider_cost(j.account_id, j.id) as cost_usd
  from public.generation_jobs as j where j.status = 'succeeded'
) as d
group by d.day, d.model;
comment on view public.generation_margins_daily is
  'For each day (UTC) and model: the jobs that succeeded, the credits that they were charged, and of those whose cost '
  'is known revenue, cost and margin in dollars.';

-- supabase/schemas/15_operations/20_anomalies.sql
-- Gives: detect_anomalies, which shows accounts that behave as no honest user does.
-- Keeps: nothing; every rule has its threshold in a table and says what it means.
-- Needs: ledger, jobs, request events.

create table public.credit_anomaly_rules (
  name text primary key,
  threshold numeric not null check (threshold >= 0),
  enabled boolean not null default true,
  description text not null
);
comment on table public.credit_anomaly_rules is 'Rules of detect_anomalies: each reports what is above its threshold.';

alter table public.credit_anomaly_rules enable row level security;

create type public.credit_anomaly as (
  rule text,
  account_id uuid,
  observed numeric,
  threshold numeric,
  detail text,
  since timestamptz
);
comment on type public.credit_anomaly is
  'What a rule found: what was observed, against which threshold, and when it began. account_id: null when it is '
  'about several accounts.';

create function credits.anomaly_denials(p_rule text, p_status integer, p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select p_rule, e.account_id, count(*), p_threshold, format('%s answers with %s', count(*), p_status),
    min(e.created_at)
  from public.credit_request_events as e
  where e.status = p_status and e.created_at >= p_since
  group by e.account_id having count(*) > p_threshold;
$$;
comment on function credits.anomaly_denials(text, integer, numeric, timestamptz) is
  'Accounts with more denials of one status than the threshold: somebody probes, or a client retries without end.';

create function credits.anomaly_refund_farming(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  with jobs as (
    select j.account_id, j.model, date_trunc('hour', j.created_at) as hour, j.created_at, j.cost - b.released as cost,
      b.refunded as returned
    from public.generation_jobs as j
    cross join lateral (
      select coalesce(sum(l.delta) filter (where l.kind = 'release'), 0) as released,
        coalesce(sum(l.delta) filter (where l.kind = 'refund'), 0) as refunded
      from public.credit_ledger as l
      -- Most jobs gave nothing back: theirs need not be read.
      where j.refunded > 0 and l.account_id = j.account_id and l.job_id = j.id) as b
    where j.created_at >= p_since and j.ended_at is not null
  ),
  hours as (
    select account_id, model, hour, count(*) as jobs, sum(cost) as cost, sum(returned) as returned,
      min(created_at) as since
    from jobs group by account_id, model, hour
  ),
  compared as (
    -- What would have come back as it did for the others: a provider that failed, failed for them too.
    select h.*, coalesce(h.cost * (sum(h.returned) over same - h.returned) / nullif(sum(h.cost) over same - h.cost, 0),
      0) as usual
    from hours as h window same as (partition by h.model, h.hour)
  )
  select 'refund_farming', account_id, round(sum(returned) / sum(cost), 4), p_threshold,
    format('%s of %s credits refunded in %s jobs', sum(returned), sum(cost), sum(jobs)), min(since)
  from compared
  group by account_id
  -- Below ten jobs a bad day looks the same.
  having sum(jobs) >= 10 and sum(returned) > greatest(p_threshold * sum(cost), 2 * sum(usual));
$$;
comment on function credits.anomaly_refund_farming(numeric, timestamptz) is
  'Accounts that got back more than this share of what they were charged, and more than twice what others got back '
  'in the same hours by the same models, over at least ten ended jobs: outputs may be taken and then refunded. What '
  'was released is left out.';

create function credits.anomaly_account_pattern(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  -- throwaway17+x@example.com counts as throwaway#@example.com.
  -- Some providers name every mailbox by numbers alone.
  select 'accounts_of_one_pattern', null::uuid, count(*), p_threshold,
    format('%s accounts opened at %s (pattern %s)', count(*), u.domain,
      left(encode(sha256(convert_to(u.name, 'UTF8')), 'hex'), 8)),
    min(u.created_at)
  from (
    select a.created_at, split_part(lower(p.email), '@', 2) as domain,
      regexp_replace(regexp_replace(split_part(lower(p.email), '@', 1), '\+.*$', ''), '[0-9._-]+', '#', 'g') as name
    from public.credit_accounts as a join auth.users as p on p.id = a.user_id
    where a.created_at >= p_since and p.email is not null
  ) as u
  where u.name ~ '[^#]'
  group by u.domain, u.name having count(*) > p_threshold;
$$;
comment on function credits.anomaly_account_pattern(numeric, timestamptz) is
  'More new users than the threshold whose e-mail addresses differ only in digits, dots or a tag: sign-up credits '
  'are being farmed. Tells the domain and a hash of the pattern, no address.';

create function credits.anomaly_unrequested(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select 'charges_without_request', j.account_id, count(*), p_threshold,
    format('%s charges without a request id', count(*)), min(j.created_at)
  from public.generation_jobs as j
  where j.created_at >= p_since and j.request_id is null and j.erased_at is null
    -- Where nothing comes through the functions, none of it is suspicious.
    and exists (select from public.generation_jobs as g where g.created_at >= p_since and g.request_id is not null)
  group by j.account_id having count(*) > p_threshold;
$$;
comment on function credits.anomaly_unrequested(numeric, timestamptz) is
  'Accounts with more charges than the threshold that came through no edge function, on a system where others do: '
  'somebody has the secret key or the database.';

create function credits.anomaly_impossible_rate(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select 'impossible_rate', r.account_id, max(r.share), p_threshold,
    format('%s charges within %s seconds, %s times the plan''s limit', max(r.jobs), max(r.size), max(r.share)),
    min(r.since)
  from (
    select j.account_id, count(*) as jobs, p.rate_limit_window_seconds as size, min(j.created_at) as since,
      round(count(*)::numeric / p.rate_limit_requests, 2) as share
    from public.generation_jobs as j
    join public.credit_accounts as a on a.id = j.account_id
    join public.credit_plans as p on p.name = a.plan
    where j.created_at >= p_since
    group by j.account_id, p.name, floor(extract(epoch from j.created_at) / p.rate_limit_window_seconds)
  ) as r
  where r.share > p_threshold
  group by r.account_id;
$$;
comment on function credits.anomaly_impossible_rate(numeric, timestamptz) is
  'Accounts with more charges in one window than the threshold times their plan''s limit. The limiter lets at most '
  'twice the limit pass in a window, so more means that it was passed by.';

create function credits.anomaly_negative_balance(p_threshold numeric)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select 'negative_balance', a.id, -a.balance, p_threshold,
    format('balance %s with a credit limit of %s', a.balance, a.credit_limit), a.last_entry_at
  from public.credit_accounts as a
  where -a.balance > a.credit_limit + p_threshold;
$$;
comment on function credits.anomaly_negative_balance(numeric) is
  'Accounts that owe more than their credit limit and the threshold: nothing of this project does that.';

create function public.detect_anomalies(p_hours integer default 24)
returns setof public.credit_anomaly
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  since timestamptz := credits.hours_ago(p_hours);
  rule public.credit_anomaly_rules;
begin
  perform credits.caller_check('detect_anomalies');
  for rule in select * from public.credit_anomaly_rules where enabled order by name loop
    case rule.name
      when 'spike_of_402' then return query select a.*
      from credits.anomaly_denials(rule.name, 402, rule.threshold, since) as a;
      when 'spike_of_429' then return query select a.*
        from credits.anomaly_denials(rule.name, 429, rule.threshold, since) as a;
      when 'refund_farming' then return query select a.*
        from credits.anomaly_refund_farming(rule.threshold, since) as a;
      when 'accounts_of_one_pattern' then return query select a.*
        from credits.anomaly_account_pattern(rule.threshold, since) as a;
      when 'charges_without_request' then return query select a.*
        from credits.anomaly_unrequested(rule.threshold, since) as a;
      when 'impossible_rate' then return query select a.*
        from credits.anomaly_impossible_rate(rule.threshold, since) as a;
      when 'negative_balance' then return query select a.* from credits.anomaly_negative_balance(rule.threshold) as a;
    end case;
  end loop;
end;
$$;
comment on function public.detect_anomalies(integer) is
  'Suspicious activity of the last p_hours (1 to 8760), by the enabled rules of credit_anomaly_rules: one row per '
  'rule and account. Raises 22023 for other hours.';

insert into public.credit_anomaly_rules (name, threshold, description) values
  ('spike_of_402', 50, 'Denials for want of credits, an account, in the hours looked at.'),
  ('spike_of_429', 200, 'Denials by the rate limit, an account, in the hours looked at.'),
  ('refund_farming', 0.5,
    'Share of an account''s charges that were refunded, without what was released, over at least ten ended jobs, '
    'where it is twice the others''.'),
  ('accounts_of_one_pattern', 5, 'New users whose e-mail addresses differ only in digits, dots or a tag.'),
  ('charges_without_request', 0, 'Charges of an account that came through no edge function, where others do.'),
  ('impossible_rate', 2,
    'Charges of an account in one window, in multiples of its plan''s limit; the limiter lets 2 pass.'),
  ('negative_balance', 0, 'Credits that an account owes beyond its credit limit.');

create view public.credit_anomalies
with (security_invoker = true)
as
select * from public.detect_anomalies(24);
comment on view public.credit_anomalies is 'Suspicious activity of the last 24 hours: detect_anomalies(24).';

create table public.credit_anomaly_findings (
  id bigint generated always as identity primary key,
  rule text not null,
  account_id uuid,
  observed numeric not null,
  threshold numeric not null,
  detail text not null,
  since timestamptz not null,
  found_at timestamptz not null
);
-- The latest findings.
create index credit_anomaly_findings_newest on public.credit_anomaly_findings (found_at desc);
comment on table public.credit_anomaly_findings is
  'What each run of record_anomalies found; all rows of a run have the same found_at.';
alter table public.credit_anomaly_findings enable row level security;

create function public.record_anomalies()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  recorded integer;
begin
  perform credits.caller_check('record_anomalies');
  insert into public.credit_anomaly_findings (rule, account_id, observed, threshold, detail, since, found_at)
  select a.rule, a.account_id, a.observed, a.threshold, a.detail, a.since, now() from public.detect_anomalies(24) as a;
  get diagnostics recorded = row_count;
  return recorded;
end;
$$;
comment on function public.record_anomalies() is
  'Keeps what detect_anomalies(24) finds now, for alerts and as evidence; returns how many. Meant to run every hour.';

-- supabase/schemas/15_operations/30_tasks.sql
-- Gives: the table of scheduled tasks, how one is run, and how pg_cron learns of them.
-- Keeps: every run records its outcome; a changed schedule leaves no duplicate.
-- Needs: departure, reconciliation runs, anomalies, subscriptions; when called: function calls, alerts, retention.

create table public.credit_scheduled_tasks (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  schedule text not null check (length(schedule) <= 100 and schedule ~ '^([-0-9*,/]+ ){4}[-0-9*,/]+$'),
  command text not null,
  max_age interval not null check (max_age >= interval '1 minute'),
  repeats boolean not null default false,
  enabled boolean not null default true,
  description text not null,
  created_at timestamptz not null default now()
);
comment on table public.credit_scheduled_tasks is
  'What runs on a schedule. pg_cron follows this table where the server has it; else npm start''s scheduler does.';
comment on column public.credit_scheduled_tasks.schedule is 'Cron expression of five fields, in UTC.';
comment on column public.credit_scheduled_tasks.command is
  'SQL statement. Only the owner may change it: it runs with the owner''s rights.';
comment on column public.credit_scheduled_tasks.repeats is
  'Whether it runs again, each time in a transaction of its own, until its command returns 0 or 50 seconds have '
  'passed.';
comment on column public.credit_scheduled_tasks.max_age is
  'How long ago the last good run may be; beyond that the alert task_not_running fires.';

create table public.credit_task_runs (
  id bigint generated always as identity primary key,
  task text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  ok boolean not null,
  detail text,
  done bigint
);
-- A task's last runs: alerts, metrics, retention.
create index credit_task_runs_newest on public.credit_task_runs (task, started_at desc);
comment on table public.credit_task_runs is
  'Every run of a scheduled task. detail: the SQLSTATE and message of the error, when it was not ok.';

comment on column public.credit_task_runs.done is 'How much a repeating task did: the value that its command returned.';

alter table public.credit_scheduled_tasks enable row level security;
alter table public.credit_task_runs enable row level security;

create function public.run_task(p_name text)
returns public.credit_task_runs
language plpgsql
security definer
set search_path = '', pg_temp
set statement_timeout = '60s'
as $$
declare
  task public.credit_scheduled_tasks;
  run public.credit_task_runs;
begin
  perform credits.caller_check('run_task');
  select * into task from public.credit_scheduled_tasks where name = p_name;
  if not found then
    perform credits.raise_misuse('PT404', 'no such task', 'The table credit_scheduled_tasks lists the tasks.');
  end if;
  run.task := task.name;
  run.started_at := clock_timestamp();
  begin
    if task.repeats then
      execute task.command into run.done;
    else
      execute task.command;
    end if;
    run.ok := true;
  -- "others" does not include a statement's timeout, and a task that always times out must be recorded too.
  exception when query_canceled or others then
    run.ok := false;
    run.detail := left(sqlstate || ' ' || sqlerrm, 500);
  end;
  insert into public.credit_task_runs (task, started_at, finished_at, ok, detail, done)
  values (run.task, run.started_at, clock_timestamp(), run.ok, run.detail, run.done)
  returning * into run;
  return run;
end;
$$;
comment on function public.run_task(text) is
  'Runs a scheduled task now and records the outcome; an error or a timeout is recorded (ok false), not raised. Over '
  'the Data API it may take 60 seconds. Run a task that repeats again while done is above 0. Raises PT404 for an '
  'unknown task.';

create function credits.cron_command(p_task public.credit_scheduled_tasks)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  -- One statement, which commits after each run: a refilled account is unlocked at once, not after all the others.
  select format('do $task$ begin loop exit when (select ok and done > 0 '
    'and clock_timestamp() < statement_timestamp() + interval ''50 seconds'' from public.run_task(%L)) '
    'is not true; commit; end loop; end $task$', p_task.name)
  where p_task.repeats
  union all
  -- A role's timeout (2 minutes on a hosted project) would cancel every long check; beyond max_age its alert fires
  -- anyway.
  select format('set statement_timeout = %s; select from public.run_task(%L)',
    least(extract(epoch from p_task.max_age) * 1000, 2147483647)::integer, p_task.name)
  where not p_task.repeats;
$$;
comment on function credits.cron_command(public.credit_scheduled_tasks) is
  'The command that pg_cron executes for a task. It may take as long as the task''s max_age; a task that repeats, as '
  'long as the role''s statement_timeout, which should exceed its 50 seconds.';

create function public.apply_schedule()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  -- Looked up by name, as pg_cron may be missing.
  cron_jobs regclass := to_regclass('cron.job');
  job_name text;
  task public.credit_scheduled_tasks;
  applied integer := 0;
begin
  perform credits.caller_check('apply_schedule');
  if cron_jobs is null then
    return null;
  end if;
  for job_name in execute format('select jobname from %s where jobname like %L', cron_jobs, 'atomic-credits:%') loop
    if not exists (select from public.credit_scheduled_tasks
      where enabled and 'atomic-credits:' || name = job_name) then
      execute format('select cron.unschedule(%L)', job_name);
    end if;
  end loop;
  for task in select * from public.credit_scheduled_tasks where enabled order by name loop
    -- By name: pg_cron replaces a job of the same name.
    execute format('select cron.schedule(%L, %L, %L)', 'atomic-credits:' || task.name, task.schedule,
      credits.cron_command(task));
    applied := applied + 1;
  end loop;
  return applied;
end;
$$;
comment on function public.apply_schedule() is
  'Makes pg_cron''s jobs (atomic-credits:<task>) match credit_scheduled_tasks, and returns how many there are; null '
  'without pg_cron. Idempotent. A trigger calls it when the table changes; call it yourself after you have enabled '
  'pg_cron. A job may take as long as its task''s max_age; where pg_cron runs in background workers, as long as its '
  'role''s statement_timeout.';

create function credits.schedule_changed()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform public.apply_schedule();
  return null;
end;
$$;
comment on function credits.schedule_changed() is 'Hands a changed schedule to pg_cron.';

create trigger credit_scheduled_tasks_apply after insert or update or delete or truncate
  on public.credit_scheduled_tasks
  for each statement execute function credits.schedule_changed();

insert into public.credit_scheduled_tasks (name, schedule, max_age, repeats, command, description) values
  ('expire-grants', '* * * * *', '30 minutes', true, 'select public.expire_grants(2000)',
    'Books grants that have expired.'),
  ('refill-plans', '* * * * *', '3 hours', true, 'select public.refill_plans(2000)', 'Grants monthly credits.');
insert into public.credit_scheduled_tasks (name, schedule, max_age, command, description) values
  ('sweep-overdue-jobs', '* * * * *', '10 minutes', 'select public.sweep_overdue_jobs()',
    'Refunds jobs that have not ended by their deadline.'),
  ('evaluate-alerts', '*/2 * * * *', '20 minutes', 'select public.evaluate_alerts()', 'Fires and resolves alerts.'),
  ('announce-expiring-grants', '17 * * * *', '3 hours', 'select public.announce_expiring_grants()',
    'Announces grants that expire soon.'),
  ('detect-anomalies', '27 * * * *', '3 hours', 'select public.record_anomalies()', 'Looks for suspicious activity.'),
  ('reconcile', '37 3 * * *', '26 hours', 'select public.reconcile_credit_ledger()',
    'Checks what is new in the books.'),
  ('reconcile-deep', '47 4 * * 0', '8 days', 'select public.reconcile_credit_ledger(true)', 'Checks all of the books.'),
  ('deliver-events', '* * * * *', '20 minutes', 'select public.request_function(''deliver-events'')',
    'Calls the edge function that delivers events.'),
  ('ask-providers', '* * * * *', '20 minutes', 'select public.request_function(''tasks/ask-providers'')',
    'Calls the edge function that asks providers about jobs without a word.'),
  ('delete-objects', '*/5 * * * *', '1 hour', 'select public.request_function(''tasks/delete-objects'')',
    'Calls the edge function that deletes files that nobody needs.'),
  ('move-outputs', '* * * * *', '1 hour', 'select public.request_function(''tasks/move-outputs'')',
    'Calls the edge function that moves outputs from the database to Storage.'),
  ('finish-erasures', '*/5 * * * *', '1 hour', 'select public.finish_erasures()',
    'Continues unfinished erasures.'),
  ('grant-due-sign-ups', '* * * * *', '1 hour', 'select public.grant_due_sign_ups()',
    'Gives the sign-up grant to users who came beyond the hour''s limit.'),
  ('retry-payments', '*/5 * * * *', '1 hour', 'select public.retry_payments()',
    'Books payments that wait, once their cause is gone.'),
  ('follow-subscriptions', '*/5 * * * *', '1 hour', 'select public.follow_subscriptions()',
    'Ends the plans of subscriptions whose time is over.'),
  ('retention', '57 2 * * *', '26 hours', 'select public.apply_retention()',
    'Drops old months of credit_request_events and old history.');

-- supabase/schemas/15_operations/32_file_deletion.sql
-- Gives: claim_storage_deletions and finish_storage_deletions, with which a function deletes files that nobody needs;
--   and the sweep that finds them.
-- Keeps: a path is handed out to one worker at a time, until its file is gone; each call reads a bounded part of the
--   bucket.
-- Needs: foundation, plans, accounts, jobs, outputs, files, uploads, moving outputs, output deletion.

create table credits.file_sweep (
  only_row boolean primary key default true check (only_row),
  reached text not null default '',
  swept_at timestamptz not null default '-infinity',
  files bigint not null default 0,
  bytes numeric not null default 0,
  oldest_at timestamptz,
  unneeded bigint not null default 0,
  measured_at timestamptz,
  all_files bigint not null default 0,
  all_bytes numeric not null default 0,
  all_oldest_at timestamptz,
  all_unneeded bigint not null default 0
);
comment on table credits.file_sweep is
  'How far the sweep through the bucket generations has come, in the order of names, and what it has counted: one row. '
  'The columns all_… are the last whole round.';
comment on column credits.file_sweep.reached is 'The last path that was looked at; empty at the beginning of a round.';
comment on column credits.file_sweep.unneeded is 'Files that were queued to be deleted, or that are nobody''s.';
alter table credits.file_sweep enable row level security;
insert into credits.file_sweep default values;

create function credits.file_account(p_path text)
returns uuid
language sql
immutable
set search_path = '', pg_temp
as $$
  select case when p_path ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/'
    and (credits.job_of_file(p_path) is not null or p_path ~ '^[^/]+/uploads/[^/]+$') then left(p_path, 36)::uuid end;
$$;
comment on function credits.file_account(text) is
  'The account in whose folder a file is; null where it is in no folder of a job or of uploads.';

create type credits.judged_file as (
  path text,
  account_id uuid,
  bytes numeric,
  created_at timestamptz,
  verdict text
);
comment on type credits.judged_file is
  'A file in the bucket, and what is to be done. verdict: kept; foreign (in no folder of ours: left alone); orphan (no '
  'job and no upload lists it); unused (an upload that no job names); wrong (an upload that is not what was '
  'announced); expired (older than its plan keeps outputs).';

create function credits.job_file_verdict(
  p_job public.generation_jobs, p_path text, p_is_moving boolean, p_keep_days integer
)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select case
    when p_job.id is null then 'orphan'
    when p_job.ended_at is null or p_is_moving then 'kept'
    when p_job.output_deleted_at is not null
      or p_path not in (select o.path from credits.output_files(p_job.output) as o) then 'orphan'
    when p_job.ended_at < now() - make_interval(days => p_keep_days) then 'expired'
    else 'kept' end;
$$;
comment on function credits.job_file_verdict(public.generation_jobs, text, boolean, integer) is
  'What is to be done with a file in a job''s folder: see type judged_file.';

create function credits.upload_verdict(p_upload public.generation_uploads, p_size numeric, p_keep_days integer)
returns text
language sql
stable
set search_path = '', pg_temp
as $$
  select case
    when p_upload.id is null or p_upload.deleted_at is not null then 'orphan'
    -- Storage takes any size at a signed address, and any type of the bucket. Without a size it is not there yet.
    when p_size > 0 and credits.file_differs(p_upload.path, p_upload.media_type, p_upload.bytes) <> 'ok' then 'wrong'
    when p_upload.created_at > now() - interval '1 day' or p_upload.used_at > now() - interval '1 hour'
      or credits.upload_is_named(p_upload.account_id, p_upload.path,
        greatest(p_upload.created_at, now() - make_interval(days => p_keep_days + 1))) then 'kept'
    else 'unused' end;
$$;
comment on function credits.upload_verdict(public.generation_uploads, numeric, integer) is
  'What is to be done with an upload of this size in Storage: see type judged_file. One that a job names is kept as '
  'long as outputs are.';

create function credits.files_judged(p_after text, p_limit integer)
returns setof credits.judged_file
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return query
  with slice as materialized (
    select o.name, credits.file_account(o.name) as account_id, credits.job_of_file(o.name) as job_id, o.created_at,
      greatest(o.created_at, o.updated_at) as written_at,
      case when o.metadata ->> 'size' ~ '^\d{1,15}$' then (o.metadata ->> 'size')::numeric else 0 end as bytes
    from storage.objects as o where o.bucket_id = 'generations' and o.name > p_after order by o.name limit p_limit
  )
  select s.name, s.account_id, s.bytes, s.created_at, case
    when s.account_id is null then 'foreign'
    -- An output is in Storage before its job is settled. What was deleted may be sent once more, and is deleted again.
    when v.verdict = 'orphan' and u.id is null and coalesce(j.output_deleted_at, j.erased_at) is null
      and s.written_at > now() - interval '1 hour' then 'kept'
    else v.verdict end
  from slice as s
  left join public.credit_accounts as a on a.id = s.account_id
  left join public.credit_plans as p on p.name = a.plan
  left join public.generation_jobs as j on j.id = s.job_id and j.account_id = s.account_id
  left join credits.outputs_to_move as m on m.job_id = s.job_id and m.account_id = s.account_id
  left join public.generation_uploads as u on u.account_id = s.account_id and u.path = s.name
  cross join lateral (select case when s.job_id is null then credits.upload_verdict(u, s.bytes, p.keep_outputs_days)
    else credits.job_file_verdict(j, s.name, m.job_id is not null, p.keep_outputs_days) end as verdict) as v
  order by s.name;
end;
$$;
comment on function credits.files_judged(text, integer) is
  'The next files of the bucket in the order of their names, and what is to be done with each. Only where Storage is.';

create function credits.outputs_expire(p_paths text[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  expired record;
begin
  for expired in
    with due as (
      -- The rest is for the next round: nothing here waits for a job.
      select j.account_id, j.id from public.generation_jobs as j
      where (j.id, j.account_id) in (
          select credits.job_of_file(p.path), credits.file_account(p.path) from unnest(p_paths) as p (path))
        and j.output_deleted_at is null
      order by j.account_id, j.id for update skip locked
    )
    select d.account_id, array_agg(d.id) as ids from due as d group by d.account_id
  loop
    perform credits.deletions_add(expired.account_id, credits.job_files(expired.account_id, expired.ids), 'expired');
    update public.generation_jobs set output = credits.output_emptied(output), output_deleted_at = clock_timestamp()
    where account_id = expired.account_id and id = any (expired.ids);
  end loop;
end;
$$;
comment on function credits.outputs_expire(text[]) is
  'Deletes the outputs of the jobs that have these files, as delete_output does. Skips a job that is locked.';

create function credits.uploads_expire(p_paths text[], p_reason text)
returns void
language sql
set search_path = '', pg_temp
as $$
  with due as (
    select u.account_id, u.id from public.generation_uploads as u
    where (u.account_id, u.path) in (
        select credits.file_account(p.path), p.path from unnest(p_paths) as p (path))
      and u.deleted_at is null and coalesce(u.used_at, '-infinity') <= now() - interval '1 hour'
    for update skip locked
  ),
  gone as (
    update public.generation_uploads as u set deleted_at = clock_timestamp() from due as d
    where u.account_id = d.account_id and u.id = d.id returning u.account_id, u.path
  )
  select credits.deletions_add(g.account_id, array_agg(g.path), p_reason) from gone as g group by g.account_id;
$$;
comment on function credits.uploads_expire(text[], text) is
  'Deletes uploads that no job names, or that are not what was announced. One that a request has named in the '
  'last hour, or that is locked, is left.';

create function credits.files_sweep(p_limit integer)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  sweep credits.file_sweep;
  slice credits.judged_file[];
  file credits.judged_file;
begin
  select * into sweep from credits.file_sweep for update skip locked;
  if not found or not credits.has_storage() then
    return;
  end if;
  slice := array(select f from credits.files_judged(sweep.reached, p_limit) as f);
  foreach file in array slice loop
    sweep.files := sweep.files + 1;
    sweep.bytes := sweep.bytes + file.bytes;
    sweep.oldest_at := least(sweep.oldest_at, file.created_at);
    sweep.unneeded := sweep.unneeded + (file.verdict <> 'kept')::integer;
  end loop;
  insert into credits.storage_deletions (path, account_id, reason)
  select f.path, f.account_id, 'orphan' from unnest(slice) as f where f.verdict = 'orphan' order by f.path
  on conflict do nothing;
  perform credits.outputs_expire(array(select f.path from unnest(slice) as f where f.verdict = 'expired'));
  perform credits.uploads_expire(array(select f.path from unnest(slice) as f where f.verdict = v.verdict), v.verdict)
  from unnest(array['unused', 'wrong']) as v (verdict);
  if cardinality(slice) < p_limit then
    update credits.file_sweep set reached = '', swept_at = now(), files = 0, bytes = 0, oldest_at = null, unneeded = 0,
      measured_at = now(), all_files = sweep.files, all_bytes = sweep.bytes, all_oldest_at = sweep.oldest_at,
      all_unneeded = sweep.unneeded;
  else
    update credits.file_sweep set reached = file.path, swept_at = now(), files = sweep.files, bytes = sweep.bytes,
      oldest_at = sweep.oldest_at, unneeded = sweep.unneeded;
  end if;
end;
$$;
comment on function credits.files_sweep(integer) is
  'Looks at the next p_limit files of the bucket, queues those that nobody needs, and counts all. Nothing while '
  'another does so.';

create function credits.file_deletion_is_due()
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from credits.storage_deletions where next_attempt_at <= now()) then
    return true;
  end if;
  return credits.has_storage()
    and exists (select from credits.file_sweep where swept_at < now() - interval '4 minutes')
    and exists (select from storage.objects where bucket_id = 'generations');
end;
$$;
comment on function credits.file_deletion_is_due() is
  'Whether claim_storage_deletions has something to do: files to delete, or files that were not looked at for minutes.';

create function public.claim_storage_deletions(p_limit integer default 100)
returns setof text
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  most constant integer := least(greatest(p_limit, 0), 1000);
  paths text[];
begin
  perform credits.caller_check('claim_storage_deletions');
  if (select count(*) from credits.storage_deletions where next_attempt_at <= now()) < most then
    -- As many as are looked at within a fraction of a second.
    perform credits.files_sweep(10000);
  end if;
  paths := array(
    select d.path from credits.storage_deletions as d where d.next_attempt_at <= now()
    order by d.next_attempt_at, d.path limit most for update skip locked);
  -- What a job lists again: its row was restored from a backup, or an account's erasure has more jobs to do.
  delete from credits.storage_deletions as d where d.path = any (paths) and credits.file_is_kept(d.account_id, d.path);
  return query
  update credits.storage_deletions as d
  set attempts = d.attempts + 1,
    next_attempt_at = now() + least(interval '5 minutes' * power(2, least(d.attempts, 10)), interval '12 hours')
  where d.path = any (paths)
  returning d.path;
end;
$$;
comment on function public.claim_storage_deletions(integer) is
  'Hands out up to p_limit paths of the bucket generations to delete, to one worker each; where fewer are queued, it '
  'first looks at the next 10,000 files of the bucket: outputs older than their plan keeps them, uploads that are not '
  'what was announced, those of a day ago that no job names, files older than an hour that no job lists. Delete them '
  'through Storage, then call finish_storage_deletions. What is not finished is handed out again after 5 minutes, '
  'then after twice as long each time, 12 hours at most. Call it until it returns nothing.';

create function public.finish_storage_deletions(p_paths text[])
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  still_there text[] := '{}'::text[];
  finished integer;
begin
  perform credits.caller_check('finish_storage_deletions');
  if credits.has_storage() then
    still_there := array(
      select o.name from storage.objects as o where o.bucket_id = 'generations' and o.name = any (p_paths));
  end if;
  delete from credits.storage_deletions where path in (
    select d.path from credits.storage_deletions as d
    where d.path = any (p_paths) and d.path <> all (still_there) order by d.path for update);
  get diagnostics finished = row_count;
  return finished;
end;
$$;
comment on function public.finish_storage_deletions(text[]) is
  'Takes paths whose files are gone out of the queue; returns how many. A file that is still in storage.objects stays '
  'queued. Idempotent.';

-- supabase/schemas/15_operations/34_file_counts.sql
-- Gives: how many files are kept, how large and how old they are, and how many wait to be deleted or moved.
-- Keeps: nothing is counted when somebody looks: the sweep has counted.
-- Needs: files, moving outputs, file deletion.

create function credits.file_counts()
returns table (
  files bigint, bytes numeric, oldest_at timestamptz, unneeded bigint, measured_at timestamptz, to_delete bigint,
  to_delete_since timestamptz, to_move bigint
)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select s.all_files, s.all_bytes, s.all_oldest_at, s.all_unneeded, s.measured_at, d.files, d.since,
    (select count(*) from credits.outputs_to_move)
  from credits.file_sweep as s,
    (select count(*) as files, min(created_at) as since from credits.storage_deletions) as d;
$$;
comment on function credits.file_counts() is 'The row of view generation_files.';

create view public.generation_files
with (security_invoker = true)
as
select files, bytes, oldest_at, unneeded, measured_at, to_delete, to_delete_since, to_move from credits.file_counts();
comment on view public.generation_files is
  'The files of outputs and uploads in Storage, one row: how many, how many bytes, the oldest, and how many nobody '
  'needed, at measured_at (null before the first round of the task delete-objects); how many are queued to be deleted, '
  'since when, and how many outputs are queued to be moved to Storage, now.';

-- supabase/schemas/15_operations/40_function_calls.sql
-- Gives: request_function, with which the schedule calls the edge functions that have something to do.
-- Keeps: no key of the project is sent: the request is signed, and can only begin what is due.
-- Needs: foundation, events, moving outputs, asking, file deletion; pg_net and Vault where there are such.

create function credits.vault_secret(p_name text)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  secrets regclass := to_regclass('vault.decrypted_secrets');
  secret text;
begin
  if secrets is not null then
    execute format('select decrypted_secret from %s where name = %L', secrets, p_name) into secret;
  end if;
  return secret;
end;
$$;
comment on function credits.vault_secret(text) is 'A secret of Supabase Vault; null when there is none.';

create function credits.can_request_functions()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.vault_secret('atomic_credits_functions_url') is not null
    and credits.vault_secret('atomic_credits_delivery_secret') is not null and to_regproc('net.http_post') is not null;
$$;
comment on function credits.can_request_functions() is
  'Whether pg_net and both secrets of request_function are there.';

create function public.function_calls_due()
returns setof text
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select credits.caller_check('function_calls_due');
  select 'deliver-events' where exists (select from public.credit_events where next_attempt_at <= now())
  union all
  select 'tasks/ask-providers' where credits.provider_asks_due()
  union all
  select 'tasks/delete-objects' where credits.file_deletion_is_due()
  union all
  select 'tasks/move-outputs' where exists (select from credits.outputs_to_move where next_attempt_at <= now());
$$;
comment on function public.function_calls_due() is
  'The edge functions that have something to do now: deliver-events, tasks/ask-providers, tasks/delete-objects, '
  'tasks/move-outputs. request_function calls them where pg_net is; elsewhere post to them with the secret key.';

create function public.request_function(p_name text)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  url text := credits.vault_secret('atomic_credits_functions_url');
  secret text := credits.vault_secret('atomic_credits_delivery_secret');
  message_id text := 'call_' || gen_random_uuid();
  sent_at text := extract(epoch from now())::bigint;
  signature text;
begin
  perform credits.caller_check('request_function');
  if p_name is null or p_name not in ('deliver-events', 'tasks/ask-providers', 'tasks/delete-objects',
    'tasks/move-outputs') then
    perform credits.raise_misuse('22023', 'the schedule calls no such function',
      'It calls deliver-events, tasks/ask-providers, tasks/delete-objects and tasks/move-outputs.');
  end if;
  if not credits.can_request_functions() or p_name not in (select public.function_calls_due()) then
    return false;
  end if;
  signature := encode(credits.hmac_sha256(
    decode(replace(secret, 'whsec_', ''), 'base64'), convert_to(concat_ws('.', message_id, sent_at, '{}'), 'UTF8')),
    'base64');
  -- A function begins nothing after 35 seconds. It goes on with what it has begun, such as a large file, by itself.
  execute format('select net.http_post(url := %L, body := %L, headers := %L, timeout_milliseconds := 60000)',
    -- A prefix of the functions' names ends the URL, with its hyphen.
    regexp_replace(rtrim(url, '/'), '([^-])$', '\1/') || p_name, '{}',
    jsonb_build_object('content-type', 'application/json', 'webhook-id', message_id, 'webhook-timestamp', sent_at,
      'webhook-signature', 'v1,' || signature));
  return true;
end;
$$;
comment on function public.request_function(text) is
  'If an edge function of function_calls_due has something to do, calls it through pg_net, with a request signed as in '
  'Standard Webhooks. Secrets of Vault: atomic_credits_functions_url (https://<ref>.supabase.co/functions/v1, then '
  '/<prefix> where the functions'' names have one, such as credits-) and atomic_credits_delivery_secret (whsec_…, '
  'the functions'' DELIVERY_SECRET). False if nothing is due, or a secret or pg_net is missing. Raises 22023 for '
  'another name. Meant to run every minute.';

-- supabase/schemas/15_operations/43_alert_rules.sql
-- Gives: the alert rules, and the alerts that they fire.
-- Keeps: one open alert per rule and subject.
-- Needs: foundation.

create table public.credit_alert_rules (
  name text primary key,
  severity text not null check (severity in ('warning', 'critical')),
  threshold numeric not null check (threshold >= 0),
  minimum numeric not null default 0 check (minimum >= 0),
  enabled boolean not null default true,
  muted_until timestamptz,
  description text not null
);
comment on table public.credit_alert_rules is 'When to wake somebody. evaluate_alerts looks at every enabled rule.';
comment on column public.credit_alert_rules.minimum is
  'Fewest observations before the rule can fire: jobs ended, denials.';
comment on column public.credit_alert_rules.muted_until is
  'Until then its alerts are kept but not announced; mute_alert_rule sets it.';

create table public.credit_alerts (
  id uuid primary key default gen_random_uuid(),
  rule text not null references public.credit_alert_rules (name),
  severity text not null,
  subject text not null default '',
  value numeric not null,
  threshold numeric not null,
  detail text not null,
  fired_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  resolved_at timestamptz,
  announced_at timestamptz,
  announced_value numeric,
  acknowledged_at timestamptz,
  acknowledged_by text check (length(acknowledged_by) between 1 and 200)
);
-- One open alert per rule and subject.
create unique index credit_alerts_open on public.credit_alerts (rule, subject) where resolved_at is null;
-- The latest alerts, as the dashboard shows them.
create index credit_alerts_newest on public.credit_alerts (fired_at desc);

comment on table public.credit_alerts is
  'Alerts: firing while resolved_at is null. A cause that returns is a new alert.';
comment on column public.credit_alerts.subject is
  'What the alert is about, if its rule has several subjects: a task, an anomaly''s rule.';
comment on column public.credit_alerts.announced_at is
  'When the event alert.fired was last put into the outbox; null while its rule is muted.';
comment on column public.credit_alerts.announced_value is
  'The value announced then; a value twice as bad is announced again.';

alter table public.credit_alert_rules enable row level security;
alter table public.credit_alerts enable row level security;

insert into public.credit_alert_rules (name, severity, threshold, minimum, description) values
  ('discrepancies', 'warning', 0, 0, 'Discrepancies that the latest reconciliations found.'),
  ('discrepancy_share', 'critical', 0.01, 0,
    'Share of the accounts checked that the latest reconciliations found broken.'),
  ('success_rate', 'critical', 0.9, 20,
    'Share of the jobs ended in the last hour that succeeded; fires below the threshold.'),
  ('rate_limit_spike', 'warning', 5, 100,
    'Denials with 429 in the last hour, in multiples of the hourly mean of the week before.'),
  ('suspicious_activity', 'warning', 0, 0, 'Findings of detect_anomalies in the last 90 minutes, by its rules.'),
  ('overdue_jobs', 'critical', 0, 0, 'Jobs that are open more than five minutes after their deadline.'),
  ('provider_unreachable', 'critical', 0, 0,
    'Jobs beyond their time limit of which it is not known how they stand: their provider does not answer, is not '
    'asked, or its result cannot be fetched. They are refunded at their hard timeout.'),
  ('task_not_running', 'critical', 0, 0,
    'Tasks whose last good run is longer ago than their max_age; seconds since then.'),
  ('task_failed', 'warning', 0, 0, 'Tasks whose latest run failed.'),
  ('payments_waiting', 'critical', 0, 0,
    'Payments that were paid and wait to be booked, subscriptions that wait, and events that could not be booked.'),
  ('files_waiting', 'warning', 0, 0,
    'Files that should have been deleted a day ago, and outputs that could not be moved to Storage in six tries.'),
  ('teams_without_owner', 'warning', 0, 0,
    'Teams that are frozen: they lost their last owner and nobody can take over.'),
  ('events_undelivered', 'warning', 0, 0,
    'Events that were given up in the last six days (17 tries over three days, or 410), and events that wait for an '
    'address that answered 410, asked for a pause, or has failed for an hour.'),
  ('alerts_undelivered', 'critical', 900, 0,
    'Seconds that an alert has waited for deliver-events, which is called each minute and does not run.');

-- supabase/schemas/15_operations/45_alert_findings.sql
-- Gives: what is to be alerted now, in groups: books, traffic, providers, operation, payments, files,
-- delivery.
-- Keeps: a finding goes by facts alone; thresholds are the alert rules'.
-- Needs: provider jobs, files, moving outputs, payments, departure, tasks, function calls, alert rules.

create type credits.alert_finding as (rule text, subject text, value numeric, detail text);

create function credits.reconciliation_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  with worst as (
    select max(discrepancies) as discrepancies,
      max(accounts_broken::numeric / greatest(accounts_checked, 1)) as share, max(accounts_broken) as broken
    from public.reconciliation_latest
  )
  select 'discrepancies', '', discrepancies::numeric,
    format('%s discrepancies: select * from reconciliation_discrepancies', discrepancies) from worst
  union all
  select 'discrepancy_share', '', round(share, 4), format('%s accounts are broken', broken) from worst;
$$;
comment on function credits.reconciliation_findings_now() is 'What the latest reconciliations say, by alert rule.';

create function credits.traffic_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  with ended as (
    select count(*) filter (where status = 'succeeded') as succeeded, count(*) as total
    from public.generation_jobs
    where created_at > now() - interval '1 day' and ended_at > now() - interval '1 hour'
      and status in ('succeeded', 'failed', 'expired')
  ),
  denials as (
    select count(*) filter (where created_at > now() - interval '1 hour') as latest,
      count(*) filter (where created_at <= now() - interval '1 hour') / 168.0 as usual
    from public.credit_request_events where status = 429 and created_at > now() - interval '169 hours'
  ),
  overdue as (
    select count(*) as jobs from public.credit_unsettled_jobs where deadline_at < now() - credits.sweep_grace()
  )
  -- Truncated, not rounded: a value below the threshold must not round up to it.
  select 'success_rate', '', trunc(e.succeeded::numeric / e.total, 4),
    format('%s of %s jobs succeeded in the last hour', e.succeeded, e.total)
  from ended as e join public.credit_alert_rules as r on r.name = 'success_rate' where e.total >= greatest(r.minimum, 1)
  union all
  select 'rate_limit_spike', '', round(d.latest / greatest(d.usual, 1), 2),
    format('%s denials with 429 in the last hour, usually %s', d.latest, round(d.usual, 1))
  from denials as d join public.credit_alert_rules as r on r.name = 'rate_limit_spike' where d.latest >= r.minimum
  union all
  select 'overdue_jobs', '', o.jobs,
    format('%s jobs are open after their deadline: select * from credit_unsettled_jobs where overdue', o.jobs)
  from overdue as o;
$$;
comment on function credits.traffic_findings_now() is 'What the last hour''s jobs and denials say, by alert rule.';

create function credits.provider_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'provider_unreachable', j.provider, count(*)::numeric,
    format('%s jobs at %s, the first of them charged at %s, have passed their time limit and it is not known how they '
      'stand, or their result cannot be fetched: select * from generation_provider_jobs', count(*), j.provider,
      to_char(min(j.created_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from public.generation_provider_jobs as p
  join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
  where p.expected_by < now() - interval '2 minutes' and j.status in ('pending', 'running')
    -- What has succeeded is fetched within a minute. A job that is due for long is not asked about.
    and (p.last_answer is distinct from 'running' or p.next_ask_at < now() - interval '5 minutes')
  group by j.provider;
$$;
comment on function credits.provider_findings_now() is
  'Which providers that call back cannot be asked, or are not, by alert rule.';

create function credits.operation_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'suspicious_activity', f.rule, count(*)::numeric,
    left(format('%s: %s', f.rule, string_agg(coalesce(f.account_id::text || ' ', '') || f.detail, '; ')), 1000)
  from (
    select * from public.credit_anomaly_findings
    where found_at = (select max(found_at) from public.credit_anomaly_findings)
      and found_at > now() - interval '90 minutes'
  ) as f
  group by f.rule
  union all
  select 'task_not_running', t.name, round(extract(epoch from now() - greatest(t.created_at, good.latest))),
    format('last good run of %s: %s', t.name,
      coalesce(to_char(good.latest at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'never'))
  from public.credit_scheduled_tasks as t
  left join lateral (select max(started_at) as latest from public.credit_task_runs where task = t.name and ok) as good
    on true
  where t.enabled and now() - greatest(t.created_at, good.latest) > t.max_age
  union all
  select 'task_failed', t.name, 1, format('%s: %s', t.name, latest.detail)
  from public.credit_scheduled_tasks as t
  cross join lateral (select * from public.credit_task_runs where task = t.name order by started_at desc
    limit 1) as latest
  where t.enabled and not latest.ok
  union all
  select 'teams_without_owner', '', count(*),
    format('%s teams are frozen with %s credits: select * from account_teams_without_owner', count(*), sum(balance))
  from public.account_teams_without_owner
  having count(*) > 0;
$$;
comment on function credits.operation_findings_now() is 'What anomalies, tasks and teams say, by alert rule.';

create function credits.payment_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'payments_waiting', '', count(*)::numeric,
    format('%s wait (%s): select * from payment_discrepancies', count(*), string_agg(distinct cause, ', '))
  from (
    select cause from public.payments where state = 'waiting'
    union all
    select cause from public.payment_subscriptions
    where cause is not null and status in ('active', 'trialing', 'past_due')
    union all
    -- One that waits for its payment or subscription is counted there.
    select coalesce(cause, 'event') from public.payment_events where outcome = 'waiting' and payment_key is null
  ) as waiting
  having count(*) > 0;
$$;
comment on function credits.payment_findings_now() is 'What payments say, by alert rule.';

create function credits.file_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'files_waiting', 'delete', count(*)::numeric,
    format('%s files should have been deleted since %s: does the task delete-objects reach the function tasks?',
      count(*), to_char(min(created_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from credits.storage_deletions where created_at < now() - interval '1 day'
  having count(*) > 0
  union all
  select 'files_waiting', 'move', count(*),
    format('%s outputs could not be moved to Storage: does the task move-outputs reach the function tasks?', count(*))
  from credits.outputs_to_move where attempts >= 6
  having count(*) > 0;
$$;
comment on function credits.file_findings_now() is 'What the queues of files say, by alert rule.';

create function credits.delivery_findings_now()
returns setof credits.alert_finding
language sql
stable
set search_path = '', pg_temp
as $$
  select 'events_undelivered', 'given_up', count(*)::numeric,
    format('%s events were given up: select * from credit_events '
      'where next_attempt_at is null and delivered_at is null', count(*))
  from public.credit_events
  where next_attempt_at is null and delivered_at is null and created_at > now() - interval '6 days'
  having count(*) > 0
  union all
  -- An address counts while deliver-events asks for it: one that was replaced or removed holds nothing up. Seven tries
  -- take an hour.
  select 'events_undelivered', 'waiting', count(*),
    format('%s events wait for an address that answered 410, asked for a pause or fails: '
      'select * from credit_event_endpoints; select * from credit_events where next_attempt_at is not null', count(*))
  from public.credit_events as e
  where e.next_attempt_at is not null
    and (e.attempts >= 7 or e.next_attempt_at < now() - interval '15 minutes' and exists (
      select from public.credit_event_endpoints as n
      where (n.ended_at is not null or n.not_before > now())
        and case when e.type like 'alert.%' then n.alerts_asked_at
          else n.others_asked_at end > now() - interval '15 minutes'))
  having count(*) > 0
  union all
  -- Only alerts: if they go to a chat and there is no webhook, other events are never fetched.
  select 'alerts_undelivered', '', round(extract(epoch from now() - min(next_attempt_at))),
    format('%s alerts wait since %s: does deliver-events answer? net._http_response has what pg_net got from it',
      count(*), to_char(min(next_attempt_at) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
  from public.credit_events
  where next_attempt_at <= now() and type like 'alert.%' and credits.can_request_functions()
  having count(*) > 0;
$$;
comment on function credits.delivery_findings_now() is 'What the outbox says, by alert rule.';

-- supabase/schemas/15_operations/50_alerts.sql
-- Gives: alerts, which fire once, follow their cause and resolve by themselves.
-- Keeps: one open alert per rule and subject; each is announced at least once, and again when it becomes twice as bad,
-- unless its rule is muted.
-- Needs: alert findings, events.

create function credits.alert_announce(p_type text, p_alert public.credit_alerts)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_events (type, payload)
  values (p_type, jsonb_build_object('alert_id', p_alert.id, 'rule', p_alert.rule, 'severity', p_alert.severity,
    'subject', p_alert.subject, 'value', p_alert.value, 'threshold', p_alert.threshold, 'detail', p_alert.detail,
    'fired_at', p_alert.fired_at, 'resolved_at', p_alert.resolved_at));
$$;
comment on function credits.alert_announce(text, public.credit_alerts) is 'Puts an alert into the outbox.';

create function public.evaluate_alerts()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  started timestamptz := clock_timestamp();
  alert public.credit_alerts;
begin
  perform credits.caller_check('evaluate_alerts');
  -- One evaluation at a time: two would announce twice.
  lock table public.credit_alert_rules in share row exclusive mode;
  insert into public.credit_alerts as a (rule, severity, subject, value, threshold, detail, fired_at, updated_at)
  select r.name, r.severity, f.subject, f.value, r.threshold, f.detail, started, started
  from (
    select * from credits.reconciliation_findings_now()
    union all select * from credits.traffic_findings_now()
    union all select * from credits.provider_findings_now()
    union all select * from credits.operation_findings_now()
    union all select * from credits.payment_findings_now()
    union all select * from credits.file_findings_now()
    union all select * from credits.delivery_findings_now()
  ) as f
  join public.credit_alert_rules as r on r.name = f.rule and r.enabled
  where case r.name when 'success_rate' then f.value < r.threshold else f.value > r.threshold end
  on conflict (rule, subject) where resolved_at is null do update
  set severity = excluded.severity, value = excluded.value, threshold = excluded.threshold, detail = excluded.detail,
      updated_at = excluded.updated_at;

  for alert in
    update public.credit_alerts as a set announced_at = started, announced_value = a.value
    from public.credit_alert_rules as r
    where r.name = a.rule and a.resolved_at is null and a.updated_at = started
      and coalesce(r.muted_until, '-infinity') <= now()
      and (a.announced_at is null
        or case a.rule when 'success_rate' then a.value < a.announced_value / 2
          else a.value >= a.announced_value * 2 end)
    returning a.*
  loop
    perform credits.alert_announce('alert.fired', alert);
  end loop;
  for alert in
    update public.credit_alerts set resolved_at = started where resolved_at is null and updated_at < started returning *
  loop
    if alert.announced_at is not null then
      perform credits.alert_announce('alert.resolved', alert);
    end if;
  end loop;
  return (select count(*) from public.credit_alerts where resolved_at is null);
end;
$$;
comment on function public.evaluate_alerts() is
  'Evaluates every enabled rule: opens an alert where a value is beyond the threshold, updates open alerts, resolves '
  'those whose cause is gone, and puts alert.fired and alert.resolved into the outbox: each once, and alert.fired '
  'again when the value becomes twice as bad. Returns how many are firing. Meant to run every two minutes.';

create function public.acknowledge_alert(p_alert_id uuid, p_by text)
returns public.credit_alerts
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  alert public.credit_alerts;
begin
  perform credits.caller_check('acknowledge_alert');
  perform credits.check_length('by', coalesce(p_by, ''), 1, 200);
  update public.credit_alerts
  set acknowledged_at = coalesce(acknowledged_at, now()), acknowledged_by = coalesce(acknowledged_by, p_by)
  where id = p_alert_id
  returning * into alert;
  if not found then
    perform credits.raise_misuse('PT404', 'no such alert', 'The table credit_alerts lists them.');
  end if;
  return alert;
end;
$$;
comment on function public.acknowledge_alert(uuid, text) is
  'Records who handles an alert; the first one counts. The alert stays open until its cause is gone. Raises 22023 for '
  'a p_by of other than 1 to 200 characters and PT404 for an unknown alert.';

create function public.mute_alert_rule(p_rule text, p_until timestamptz)
returns public.credit_alert_rules
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  rule public.credit_alert_rules;
begin
  perform credits.caller_check('mute_alert_rule');
  update public.credit_alert_rules set muted_until = p_until where name = p_rule returning * into rule;
  if not found then
    perform credits.raise_misuse('PT404', 'no such alert rule', 'The table credit_alert_rules lists them.');
  end if;
  return rule;
end;
$$;
comment on function public.mute_alert_rule(text, timestamptz) is
  'Keeps a rule''s alerts unannounced until p_until (null: unmutes it); alerts that still fire then are announced. '
  'Raises PT404 for an unknown rule.';

-- supabase/schemas/15_operations/60_generation_health.sql
-- Gives: get_generation_stats, whether generations went well over a span of hours.
-- Keeps: nothing; the alert rule success_rate alone says how many must succeed.
-- Needs: jobs, request events, alert rules.

create type public.generation_stats as (
  hours integer,
  total_jobs bigint,
  completed_jobs bigint,
  failed_jobs bigint,
  canceled_jobs bigint,
  open_jobs bigint,
  success_rate numeric,
  p50_seconds numeric,
  p95_seconds numeric,
  p99_seconds numeric,
  credits_charged bigint,
  credits_refunded bigint,
  denials bigint,
  rate_limit_hits bigint,
  healthy boolean
);
comment on type public.generation_stats is
  'Generations of the last hours. completed: succeeded; failed: failed or expired. success_rate: completed / '
  '(completed + failed), null when none has ended. Percentiles: seconds from charge to success. Amounts in whole '
  'credits; credits_refunded: what came back in all, released and refunded. healthy: the alert rule success_rate '
  'would not fire (it fires below its threshold, if at least its minimum has ended).';

create function public.get_generation_stats(p_hours integer default 24)
returns public.generation_stats
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  stats public.generation_stats;
  since timestamptz := credits.hours_ago(p_hours);
begin
  perform credits.caller_check('get_generation_stats');
  select p_hours, count(*),
    count(*) filter (where status = 'succeeded'),
    count(*) filter (where status in ('failed', 'expired')),
    count(*) filter (where status = 'canceled'),
    count(*) filter (where status in ('pending', 'running')),
    round(count(*) filter (where status = 'succeeded')::numeric
      / nullif(count(*) filter (where status in ('succeeded', 'failed', 'expired')), 0), 4),
    percentile_disc(0.5) within group (order by seconds) filter (where status = 'succeeded'),
    percentile_disc(0.95) within group (order by seconds) filter (where status = 'succeeded'),
    percentile_disc(0.99) within group (order by seconds) filter (where status = 'succeeded'),
    coalesce(sum(cost), 0), coalesce(sum(refunded), 0)
  into strict stats.hours, stats.total_jobs, stats.completed_jobs, stats.failed_jobs, stats.canceled_jobs,
    stats.open_jobs, stats.success_rate, stats.p50_seconds, stats.p95_seconds, stats.p99_seconds,
    stats.credits_charged, stats.credits_refunded
  from (select status, cost, refunded, round(extract(epoch from ended_at - created_at), 3) as seconds
    from public.generation_jobs where created_at >= since) as jobs;
  select count(*) filter (where status >= 400), count(*) filter (where status = 429)
  into strict stats.denials, stats.rate_limit_hits
  from public.credit_request_events where created_at >= since;
  stats.healthy := not exists (
    select from public.credit_alert_rules
    where name = 'success_rate' and stats.completed_jobs + stats.failed_jobs >= greatest(minimum, 1)
      and stats.completed_jobs < threshold * (stats.completed_jobs + stats.failed_jobs));
  return stats;
end;
$$;
comment on function public.get_generation_stats(integer) is
  'How generations went in the last p_hours (1 to 8760). Raises 22023 outside of that.';

-- supabase/schemas/15_operations/70_retention.sql
-- Gives: apply_retention, which deletes operational history past its retention.
-- Keeps: accounts, grants, entries, jobs and payments are never touched.
-- Needs: payments, alert rules, tasks; when called: operator approvals.

create function public.apply_retention()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  cron_runs regclass := to_regclass('cron.job_run_details');
  oldest timestamptz;
  removed integer := 0;
  removed_now integer;
begin
  perform credits.caller_check('apply_retention');
  select now() - make_interval(days => history_days) into strict oldest from public.credit_settings;
  -- A task's last run and last good run show its state, so they stay however old they are.
  delete from public.credit_task_runs as r
  where r.started_at < oldest
    and exists (select from public.credit_task_runs as later
      where later.task = r.task and later.started_at > r.started_at)
    and (not r.ok or exists (
      select from public.credit_task_runs as later
      where later.task = r.task and later.started_at > r.started_at and later.ok));
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Runs that found something are evidence, and stay; so does the last run of each depth, which may show that the
  -- damage is repaired.
  delete from public.reconciliation_runs as r
  where r.started_at < oldest and r.discrepancies = 0 and exists (
    select from public.reconciliation_runs as later
    where later.deep = r.deep and later.started_at > r.started_at);
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.credit_anomaly_findings where found_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  delete from public.credit_alerts where resolved_at < oldest;
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Also events that were given up or never fetched.
  delete from public.credit_events where delivered_at < oldest or (delivered_at is null and created_at < oldest);
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- A payment's state counts, not its events: one that is sent again after its row has gone is handled anew.
  delete from public.payment_events where updated_at < oldest and outcome <> 'waiting';
  get diagnostics removed_now = row_count;
  removed := removed + removed_now;
  -- Kept: who asked for what is part of the trail.
  update public.operator_approvals set state = 'expired' where state = 'waiting' and expires_at <= now();
  if cron_runs is not null then
    -- The server's other jobs may share this history.
    execute format('delete from %s where end_time < %L and database = current_database() and command ~ %L',
      cron_runs, now() - interval '7 days',
      '^(set statement_timeout = \d+; )?select from public\.run_task\(|^do \$task\$ begin loop exit when \([^;]* from '
      'public\.run_task\(');
  end if;
  perform public.maintain_request_events();
  return removed;
end;
$$;
comment on function public.apply_retention() is
  'Deletes task runs, clean reconciliation runs, anomaly findings, resolved alerts, events (delivered, or never) and '
  'payment events that do not wait, older than credit_settings.history_days, pg_cron''s own history of this schedule '
  'after 7 days, and drops old partitions of credit_request_events; returns how many rows went. Marks operators'' '
  'requests that nobody decided on in time as expired. Each task''s last run '
  'and last good run stay, and the last reconciliation of each depth. Never touches accounts, grants, entries, jobs '
  'or payments. Meant to run daily.';

-- supabase/schemas/15_operations/80_metrics.sql
-- Gives: operational_metrics, what the edge function `metrics` hands to Prometheus.
-- Keeps: a scrape reads accounts, open jobs and events, and the last 24 hours, never the whole ledger.
-- Needs: every chapter before.

create function credits.metrics_of_accounts()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with totals as (
    select count(*) as accounts, coalesce(sum(balance), 0) as outstanding,
      coalesce(sum(overdraft_used), 0) as overdraft, coalesce(sum(debt), 0) as debt,
      coalesce(sum(last_seq), 0) as entries
    from public.credit_accounts
  )
  select line.name, '{}'::jsonb, line.value from totals as t
  cross join lateral (values
    ('accounts', t.accounts::numeric),
    ('outstanding_credits', t.outstanding),
    ('overdraft_credits', t.overdraft),
    ('debt_credits', t.debt),
    ('ledger_entries_total', t.entries)
  ) as line (name, value);
$$;
comment on function credits.metrics_of_accounts() is
  'Metrics of the accounts: how many, and what they hold and owe, in whole credits.';

create function credits.metrics_of_ledger()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select 'moved_credits', jsonb_build_object('kind', kind, 'direction', direction, 'window', '24h'), sum(abs(delta))
  from (
    select kind, case when delta > 0 then 'in' else 'out' end as direction, delta
    from public.credit_ledger where created_at > now() - interval '24 hours'
  ) as entries
  group by kind, direction;
$$;
comment on function credits.metrics_of_ledger() is
  'Metrics of the ledger: whole credits that moved in the last 24 hours, by kind and direction.';

create function credits.metrics_of_open_jobs()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with totals as (
    select count(*) as jobs, count(*) filter (where deadline_at < now() - credits.sweep_grace()) as overdue,
      coalesce(greatest(extract(epoch from now() - min(created_at)), 0), 0) as oldest_age
    from public.generation_jobs where status in ('pending', 'running')
  )
  select line.name, '{}'::jsonb, line.value from totals as t
  cross join lateral (values
    ('open_jobs', t.jobs::numeric),
    ('overdue_jobs', t.overdue),
    ('oldest_open_job_age_seconds', t.oldest_age)
  ) as line (name, value)
  union all
  select 'late_provider_jobs', jsonb_build_object('provider', j.provider), count(*)
  from public.generation_provider_jobs as p
  join public.generation_jobs as j on j.id = p.job_id and j.account_id = p.account_id
  where p.expected_by < now() and j.status in ('pending', 'running')
  group by j.provider;
$$;
comment on function credits.metrics_of_open_jobs() is
  'Metrics of the jobs that have not ended: how many, how many for five minutes beyond their deadline, the oldest '
  'one''s age, and how many a provider that calls back has beyond their time limit.';

create function credits.metrics_of_recent_jobs()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with recent as materialized (
    select status, model, provider, ended_at > now() - interval '1 hour' as just_ended
    from public.generation_jobs where created_at > now() - interval '24 hours'
  )
  select 'jobs', jsonb_build_object('status', status, 'model', model, 'window', '24h'), count(*)::numeric
  from recent group by status, model
  union all
  select 'ended_jobs', jsonb_build_object('status', status, 'provider', provider, 'window', '1h'), count(*)
  from recent where just_ended group by status, provider
  union all
  -- Without jobs there is no ratio: a quiet hour is neither good nor bad. Truncated, not rounded, as in the alert.
  select 'success_ratio', jsonb_build_object('window', '1h'),
    trunc(avg(case when status = 'succeeded' then 1 else 0 end), 4)
  from recent where just_ended and status <> 'canceled' having count(*) > 0;
$$;
comment on function credits.metrics_of_recent_jobs() is
  'Metrics of the jobs of the last 24 hours, those that ended within the last hour, and how many of these succeeded '
  '(0 to 1; canceled ones left out).';

create function credits.metrics_of_requests()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with recent as materialized (
    select code, status, created_at from public.credit_request_events where created_at > now() - interval '24 hours'
  )
  select 'denials', jsonb_build_object('code', code, 'window', '24h'), count(*)::numeric from recent where status >= 400
  group by code
  union all
  select 'rate_limit_hits', '{"window": "1h"}'::jsonb, count(*) from recent
  where status = 429 and created_at > now() - interval '1 hour';
$$;
comment on function credits.metrics_of_requests() is
  'Metrics of the requests that were denied: by code in the last 24 hours, and by a limit (429) in the last hour.';

create function credits.metrics_of_events()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with pending as (
    select count(*) as events, coalesce(greatest(extract(epoch from now() - min(created_at)), 0), 0) as oldest_age
    from public.credit_events where next_attempt_at is not null
  )
  select line.name, '{}'::jsonb, line.value from pending as p
  cross join lateral (values
    ('events_pending', p.events::numeric),
    ('oldest_pending_event_age_seconds', p.oldest_age)
  ) as line (name, value)
  union all
  select 'events_given_up', '{"window": "144h"}', count(*) from public.credit_events
  where next_attempt_at is null and delivered_at is null and created_at > now() - interval '144 hours';
$$;
comment on function credits.metrics_of_events() is
  'Metrics of the outbox: events that wait, the oldest one''s age, and events of the last 144 hours whose delivery '
  'was given up.';

create function credits.metrics_of_payments()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  with waiting as (
    select count(*) as payments,
      coalesce(greatest(extract(epoch from now() - min(coalesce(paid_at, created_at))), 0), 0) as oldest_age
    from public.payments where state = 'waiting'
  )
  select line.name, '{}'::jsonb, line.value from waiting as w
  cross join lateral (values
    ('payments_waiting', w.payments::numeric),
    ('oldest_waiting_payment_age_seconds', w.oldest_age),
    ('open_disputes', (select count(*) from public.payment_disputes where ended_at is null))
  ) as line (name, value)
  union all
  select 'paid_minor_units', jsonb_build_object('currency', currency, 'livemode', livemode::text, 'window', '24h'),
    sum(amount)
  from public.payments where status = 'paid' and paid_at > now() - interval '24 hours' group by currency, livemode;
$$;
comment on function credits.metrics_of_payments() is
  'Metrics of payments: how many wait to be booked and for how long, open disputes, and what was paid in the last 24 '
  'hours, in minor units by currency.';

create function credits.metrics_of_files()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, '{}'::jsonb, line.value
  from credits.file_counts() as c
  cross join lateral (values
    ('stored_files', c.files::numeric, c.measured_at),
    ('stored_bytes', c.bytes, c.measured_at),
    ('oldest_stored_file_age_seconds', coalesce(greatest(extract(epoch from now() - c.oldest_at), 0), 0),
      c.measured_at),
    ('unneeded_files', c.unneeded, c.measured_at),
    ('files_measured_age_seconds', greatest(extract(epoch from now() - c.measured_at), 0), c.measured_at),
    ('files_to_delete', c.to_delete, now()),
    ('oldest_file_to_delete_age_seconds',
      coalesce(greatest(extract(epoch from now() - c.to_delete_since), 0), 0), now()),
    ('outputs_to_move', c.to_move, now())
  ) as line (name, value, known_at)
  where line.known_at is not null;
$$;
comment on function credits.metrics_of_files() is
  'Metrics of the files in Storage: how many, how large and how old they are and how many nobody needs, as the sweep '
  'counted them last, and how long ago that was (none before its first round); and the queues of files to delete and '
  'of outputs to move.';

create function credits.metrics_of_reconciliation()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, jsonb_build_object('deep', r.deep::text), line.value from public.reconciliation_latest as r
  cross join lateral (values
    ('reconciliation_discrepancies', r.discrepancies::numeric),
    ('reconciliation_broken_accounts', r.accounts_broken)
  ) as line (name, value)
  union all
  select 'reconciliation_age_seconds', jsonb_build_object('deep', deep::text),
    greatest(extract(epoch from now() - max(finished_at)), 0)
  from public.reconciliation_runs group by deep;
$$;
comment on function credits.metrics_of_reconciliation() is
  'Metrics of reconciliation: what the runs that count now found (reconciliation_latest), and how long ago the last '
  'of each depth was.';

create function credits.metrics_of_alerts()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  -- Starts from the rules, so that a severity without alerts shows 0.
  select 'alerts_firing', jsonb_build_object('severity', r.severity), count(a.id)::numeric
  from public.credit_alert_rules as r
  left join public.credit_alerts as a on a.rule = r.name and a.resolved_at is null
    and coalesce(r.muted_until, '-infinity') <= now()
  group by r.severity;
$$;
comment on function credits.metrics_of_alerts() is
  'Metrics of the alerts that are not resolved, by the severity of their rules; those of muted rules are left out.';

create function credits.metrics_of_tasks()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
set search_path = '', pg_temp
as $$
  select line.name, jsonb_build_object('task', t.name), line.value
  from public.credit_scheduled_tasks as t
  cross join lateral (
    select greatest(extract(epoch from now() - coalesce(max(finished_at), t.created_at)), 0) as age
    from public.credit_task_runs where task = t.name and ok
  ) as success
  cross join lateral (values
    ('task_last_success_age_seconds', success.age),
    ('task_max_age_seconds', extract(epoch from t.max_age))
  ) as line (name, value)
  where t.enabled;
$$;
comment on function credits.metrics_of_tasks() is
  'Metrics of the enabled scheduled tasks: seconds since the last success (before the first one, since the task was '
  'created), and the most that these may be.';

create function public.operational_metrics()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select credits.caller_check('operational_metrics');
  select 'atomic_credits_' || m.metric, m.labels, m.value
  from (
    select * from credits.metrics_of_accounts()
    union all select * from credits.metrics_of_ledger()
    union all select * from credits.metrics_of_open_jobs()
    union all select * from credits.metrics_of_recent_jobs()
    union all select * from credits.metrics_of_requests()
    union all select * from credits.metrics_of_events()
    union all select * from credits.metrics_of_payments()
    union all select * from credits.metrics_of_files()
    union all select * from credits.metrics_of_reconciliation()
    union all select * from credits.metrics_of_alerts()
    union all select * from credits.metrics_of_tasks()
  ) as m;
$$;
comment on function public.operational_metrics() is
  'What Prometheus scrapes: one row per value, with the metric''s name (its unit is in the name: credits, seconds, '
  'ratio 0 to 1, else a count) and its labels. The label window names the span of time, up to now, that is counted. '
  'Reads accounts, open jobs and events, and the last 24 hours, so it may be called every minute.';

-- supabase/schemas/16_operators/10_operators.sql
-- Gives: operators, the people who help customers, what each role may do, and their limits.
-- Keeps: who may do what stands here once; SQL and the console read the same list.
-- Needs: foundation; table auth.users.

create type public.credit_operator_role as enum ('viewer', 'support', 'finance', 'admin');
comment on type public.credit_operator_role is
  'What an operator may do; each role may do what the ones before it may. viewer: reads. support: grants, withdraws '
  'and refunds within limits. finance: takes back, sets plans and overdrafts, books payments. admin: closes and '
  'erases accounts, and says who is an operator.';

create table public.credit_operators (
  user_id uuid primary key,
  role public.credit_operator_role not null,
  max_per_action bigint check (max_per_action between 0 and 1000000000000),
  max_per_day bigint check (max_per_day between 0 and 1000000000000000),
  note text check (length(note) <= 500),
  created_at timestamptz not null default now(),
  disabled_at timestamptz,
  last_seq bigint not null default 0,
  last_hash bytea not null default decode(repeat('00', 32), 'hex') check (octet_length(last_hash) = 32)
);
comment on table public.credit_operators is
  'Who may help customers. The first is inserted by SQL; then operator_set and operator_remove. The row is a lock: '
  'every operator function locks its operator''s row first.';
comment on column public.credit_operators.user_id is
  'The auth user. No foreign key: what an operator did outlives the user.';
comment on column public.credit_operators.max_per_action is
  'Most credits that one action may give or take; beyond it the action waits for a second operator. null: no limit. '
  '0: moves no credits at all.';
comment on column public.credit_operators.max_per_day is
  'Most credits that the actions of a day (UTC) may give and take in all, without those that were approved. null: no '
  'limit. 0: moves no credits at all.';
comment on column public.credit_operators.note is 'Who this is, for the other operators; deleted with the user.';
comment on column public.credit_operators.disabled_at is
  'Since when this operator may do and read nothing; the row stays, as operator_actions names it.';
comment on column public.credit_operators.last_seq is 'Number of the operator''s latest row of operator_actions.';
comment on column public.credit_operators.last_hash is 'Hash of that row; 32 zero bytes before the first.';
alter table public.credit_operators enable row level security;

create function credits.operator_rights()
returns table (action text, least_role public.credit_operator_role, moves_credits boolean)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  ('grant', 'support'::public.credit_operator_role, true),
  ('withdraw', 'support', true),
  ('refund_job', 'support', true),
  ('cancel_job', 'support', true),
  ('acknowledge_alert', 'support', false),
  ('retry_event', 'support', false),
  ('approve', 'support', false),
  ('reject', 'support', false),
  ('reverse_grant', 'finance', true),
  ('set_plan', 'finance', true),
  ('set_overdraft', 'finance', true),
  ('fix_discrepancy', 'finance', true),
  ('book_payment', 'finance', false),
  ('mute_alert', 'admin', false),
  ('close_account', 'admin', false),
  ('reopen_account', 'admin', false),
  ('erase_account', 'admin', false),
  ('set', 'admin', false),
  ('remove', 'admin', false);
$$;
comment on function credits.operator_rights() is
  'Which role an action needs at least; action x is function operator_x. moves_credits: the limits apply to it.';

create function credits.operators_forget(p_user_ids uuid[], p_disable boolean)
returns void
language sql
set search_path = '', pg_temp
as $$
  update public.credit_operators
  set note = null, disabled_at = case when p_disable then coalesce(disabled_at, clock_timestamp()) else disabled_at end
  where user_id = any (p_user_ids) and (note is not null or p_disable and disabled_at is null);
$$;
comment on function credits.operators_forget(uuid[], boolean) is
  'Deletes what is noted of operators, and with p_disable ends what they may do: their user is deleted. Called before '
  'accounts are locked.';

-- supabase/schemas/16_operators/20_operator_actions.sql
-- Gives: operator_actions, who did what, why, and what was before and after; the check of its chains.
-- Keeps: append-only, gapless and hash-chained per operator, as the ledger is per account. A ledger entry that an
--   action caused names it (metadata operator_action), and the action names its entries.
-- Needs: operators.

create table public.operator_actions (
  operator_id uuid not null,
  seq bigint not null,
  action text not null,
  account_id uuid,
  subject text,
  arguments jsonb not null,
  credits bigint,
  first_seq bigint,
  last_seq bigint,
  before jsonb,
  after jsonb,
  reason text not null check (length(reason) between 10 and 1000),
  idempotency_key text not null check (length(idempotency_key) between 1 and 255),
  approval_id uuid,
  created_at timestamptz not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (operator_id, seq)
);
-- A repeated call finds its action (credits.operator_replay).
create unique index operator_actions_key on public.operator_actions (operator_id, idempotency_key);
-- What was done to an account: its timeline.
create index operator_actions_by_account on public.operator_actions (account_id, created_at)
  where account_id is not null;
-- The operator's day, which the limit counts.
create index operator_actions_by_time on public.operator_actions (operator_id, created_at);

comment on table public.operator_actions is
  'What operators did. Append-only and hash-chained per operator: UPDATE, DELETE and TRUNCATE raise; a change that '
  'gets past them breaks the chain (verify_operator_actions) and shows in reconciliation.';
comment on column public.operator_actions.seq is 'Number of the action within its operator: 1, 2, 3 … without a gap.';
comment on column public.operator_actions.action is 'The function operator_… without that prefix.';
comment on column public.operator_actions.account_id is 'The account that it was about; null: none.';
comment on column public.operator_actions.subject is
  'What it was about, if that is not the account: the id of a job, grant, event, alert, approval or operator, the key '
  'of a payment, the name of a rule.';
comment on column public.operator_actions.credits is
  'Credits given (> 0) or taken (< 0), or a higher overdraft; the limits count them. null: the action moves none.';
comment on column public.operator_actions.first_seq is
  'The account''s first ledger entry that it caused, and last_seq the last; null: none.';
comment on column public.operator_actions.before is 'What the action changed, as it was; equal to after: nothing.';
comment on column public.operator_actions.reason is
  'Why. Ledger entries repeat it (500 characters), where the account''s people read it; it stays when they are erased, '
  'so no personal data.';
comment on column public.operator_actions.approval_id is
  'Of an action above a limit: the row of operator_approvals by which a second operator approved it. Such an action '
  'does not count towards the day''s limit.';
comment on column public.operator_actions.hash is
  'SHA-256 over the hash of the operator''s previous row and every field of this one.';

create function credits.actions_are_append_only()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.raise_misuse('PT405', 'operator_actions is append-only',
    'What was done stays written: undo it by another action.');
end;
$$;
comment on function credits.actions_are_append_only() is 'Refuses a change of operator_actions; called by its rules.';

create rule operator_actions_no_update as
  on update to public.operator_actions do instead select credits.actions_are_append_only();
create rule operator_actions_no_delete as
  on delete to public.operator_actions do instead select credits.actions_are_append_only();

create function credits.actions_refuse_change()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.actions_are_append_only();
  return null;
end;
$$;
comment on function credits.actions_refuse_change() is 'Refuses a change of operator_actions; called by its triggers.';
create trigger operator_actions_refuse_change before update or delete on public.operator_actions
  for each row execute function credits.actions_refuse_change();
create trigger operator_actions_refuse_truncate before truncate on public.operator_actions
  for each statement execute function credits.actions_refuse_change();
alter table public.operator_actions enable always trigger operator_actions_refuse_change;
alter table public.operator_actions enable always trigger operator_actions_refuse_truncate;

alter table public.operator_actions enable row level security;

create function credits.action_hash(p_previous bytea, p_action public.operator_actions)
returns bytea
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  -- As credits.entry_hash: record_send, and text as bytes.
  return sha256(coalesce(p_previous, decode(repeat('00', 32), 'hex')) || record_send(row(
    p_action.operator_id, p_action.seq, convert_to(p_action.action, 'UTF8'), p_action.account_id,
    convert_to(p_action.subject, 'UTF8'), convert_to(p_action.arguments::text, 'UTF8'), p_action.credits,
    p_action.first_seq, p_action.last_seq, convert_to(p_action.before::text, 'UTF8'),
    convert_to(p_action.after::text, 'UTF8'), convert_to(p_action.reason, 'UTF8'),
    convert_to(p_action.idempotency_key, 'UTF8'), p_action.approval_id, p_action.created_at)));
end;
$$;
comment on function credits.action_hash(bytea, public.operator_actions) is
  'The hash that an action must have after one with hash p_previous (null: the first).';

create function credits.action_append(p_action public.operator_actions)
returns public.operator_actions
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
begin
  select * into strict operator from public.credit_operators where user_id = p_action.operator_id for update;
  p_action.seq := operator.last_seq + 1;
  p_action.created_at := clock_timestamp();
  p_action.hash := credits.action_hash(operator.last_hash, p_action);
  insert into public.operator_actions (operator_id, seq, action, account_id, subject, arguments, credits, first_seq,
    last_seq, before, after, reason, idempotency_key, approval_id, created_at, hash)
  values (p_action.operator_id, p_action.seq, p_action.action, p_action.account_id, p_action.subject,
    p_action.arguments, p_action.credits, p_action.first_seq, p_action.last_seq, p_action.before, p_action.after,
    p_action.reason, p_action.idempotency_key, p_action.approval_id, p_action.created_at, p_action.hash);
  update public.credit_operators set last_seq = p_action.seq, last_hash = p_action.hash
  where user_id = p_action.operator_id;
  return p_action;
end;
$$;
comment on function credits.action_append(public.operator_actions) is
  'Appends an action to its operator''s chain, and returns it with number, time and hash.';

create type public.operator_chain_result as (
  operator_id uuid,
  sound boolean,
  checked bigint,
  broken_seq bigint,
  problem text
);
comment on type public.operator_chain_result is
  'The result of verify_operator_actions: whether the chain is sound, how many actions were checked, and otherwise the '
  'first broken one and its problem: gap, hash, or end (the chain ends before or beyond what credit_operators says).';

create view credits.action_links
with (security_invoker = true)
as
select a.operator_id, a.seq, a.hash,
  -- credits.action_hash inlined: a call per action would cost ten times as much.
  coalesce(a.hash = sha256(coalesce(p.hash, case when a.seq = 1 then decode(repeat('00', 32), 'hex') end)
    || record_send(row(
    a.operator_id, a.seq, convert_to(a.action, 'UTF8'), a.account_id, convert_to(a.subject, 'UTF8'),
    convert_to(a.arguments::text, 'UTF8'), a.credits, a.first_seq, a.last_seq, convert_to(a.before::text, 'UTF8'),
    convert_to(a.after::text, 'UTF8'), convert_to(a.reason, 'UTF8'), convert_to(a.idempotency_key, 'UTF8'),
    a.approval_id, a.created_at))), false) as follows
from public.operator_actions as a
left join public.operator_actions as p on p.operator_id = a.operator_id and p.seq = a.seq - 1;
comment on view credits.action_links is 'Whether each action follows from the one before it.';

create function credits.action_chain(p_operator_id uuid)
returns public.operator_chain_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
  last_action public.operator_actions;
  result public.operator_chain_result := row(p_operator_id, true, 0, null, null);
begin
  select min(l.seq) filter (where not l.follows), count(*) into result.broken_seq, result.checked
  from credits.action_links as l where l.operator_id = p_operator_id;
  select * into last_action from public.operator_actions
  where operator_id = p_operator_id and (result.broken_seq is null or seq < result.broken_seq)
  order by seq desc limit 1;
  select * into operator from public.credit_operators where user_id = p_operator_id;
  if result.broken_seq is not null then
    result.problem := case when result.broken_seq = coalesce(last_action.seq, 0) + 1 then 'hash' else 'gap' end;
    result.broken_seq := coalesce(last_action.seq, 0) + 1;
    result.checked := coalesce(last_action.seq, 0);
  elsif (operator.last_seq, operator.last_hash) is distinct from
    (coalesce(last_action.seq, 0), coalesce(last_action.hash, decode(repeat('00', 32), 'hex'))) then
    result.broken_seq := least(coalesce(operator.last_seq, result.checked), result.checked) + 1;
    result.problem := 'end';
  end if;
  result.sound := result.problem is null;
  return result;
end;
$$;
comment on function credits.action_chain(uuid) is
  'Whether an operator''s actions follow from each other and end where credit_operators says. Locks nothing.';

create function public.verify_operator_actions(p_operator_id uuid)
returns public.operator_chain_result
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('verify_operator_actions');
  if not exists (select from public.credit_operators where user_id = p_operator_id)
    and not exists (select from public.operator_actions where operator_id = p_operator_id) then
    perform credits.raise_misuse('PT404', 'no such operator', 'The table credit_operators lists them.');
  end if;
  return credits.action_chain(p_operator_id);
end;
$$;
comment on function public.verify_operator_actions(uuid) is
  'Recomputes an operator''s hash chain and names the first broken action. Raises PT404 for an unknown operator.';

-- supabase/schemas/16_operators/30_operator_gate.sql
-- Gives: the gate that every operator function passes: role, second factor, reason, key, own accounts, limits.
-- Keeps: role and limits are read live, under the lock of the operator's row, so two windows at once keep a limit. No
--   support or finance operator moves credits to an account of their own.
-- Needs: operator actions, accounts; function auth.jwt.

create function credits.operator_role()
returns public.credit_operator_role
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select role from public.credit_operators where user_id = (select auth.uid()) and disabled_at is null;
$$;
comment on function credits.operator_role() is 'The role of the calling user as an operator; null: none.';

create function credits.operator_refuse(p_code text, p_message text, p_detail text, p_hint text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  raise exception using errcode = p_code, message = p_message, detail = p_detail, hint = p_hint;
end;
$$;
comment on function credits.operator_refuse(text, text, text, text) is
  'Raises what an operator may not do; p_detail is a stable word that the console goes by.';

create function credits.operator_enter(p_action text, p_reason text, p_key text, p_others uuid[] default '{}')
returns public.credit_operators
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators;
  least_role public.credit_operator_role := (
    select r.least_role from credits.operator_rights() as r where r.action = p_action);
begin
  perform from public.credit_operators where user_id = any (p_others || auth.uid()) order by user_id for update;
  select * into operator from public.credit_operators where user_id = auth.uid() and disabled_at is null;
  if operator.user_id is null then
    perform credits.operator_refuse('42501', 'this user is not an operator', 'not_an_operator',
      'An admin makes operators: operator_set.');
  elsif least_role is null or operator.role < least_role then
    perform credits.operator_refuse('42501', format('%s needs the role %s, and this operator''s is %s', p_action,
      least_role, operator.role), 'role_too_low', 'Ask an operator with that role.');
  elsif auth.jwt() ->> 'aal' is distinct from 'aal2' then
    perform credits.operator_refuse('PT403', 'a second factor is needed', 'aal2_required',
      'Set up or confirm the second factor, then call again with the new token.');
  elsif p_reason is null or length(btrim(p_reason, E' \t\n\r')) < 10 or length(p_reason) > 1000 then
    perform credits.operator_refuse('22023', 'a reason of 10 to 1000 characters is needed', 'reason',
      'Say why: the account''s people and other operators read it.');
  elsif p_key is null or length(p_key) not between 1 and 255 then
    perform credits.operator_refuse('22023', 'an idempotency key of 1 to 255 characters is needed', 'idempotency_key',
      'Make one (a UUID) for each action, and repeat a call with the same one.');
  end if;
  return operator;
end;
$$;
comment on function credits.operator_enter(text, text, text, uuid[]) is
  'Locks the calling operator''s row, and those of p_others, the lower id first. Returns it where the operator may do '
  'p_action, else raises: 42501, PT403 without aal2, 22023 for reason or key.';

create function credits.operator_check_own(p_operator public.credit_operators, p_account_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_operator.role < 'admin' and (p_operator.user_id = p_account_id
    or exists (select from public.credit_accounts where id = p_account_id and user_id = p_operator.user_id)
    or exists (select from public.account_members
      where account_id = p_account_id and user_id = p_operator.user_id)) then
    perform credits.operator_refuse('42501', 'this account is the operator''s own', 'own_account',
      'Ask an operator who has no part in it.');
  end if;
end;
$$;
comment on function credits.operator_check_own(public.credit_operators, uuid) is
  'Raises 42501 for an account that an operator below admin owns or is a member of.';

create function credits.operator_used_today(p_operator_id uuid)
returns bigint
language sql
stable
set search_path = '', pg_temp
as $$
  select coalesce(sum(abs(credits)), 0)::bigint from public.operator_actions
  where operator_id = p_operator_id and approval_id is null
    and created_at >= date_trunc('day', clock_timestamp() at time zone 'utc') at time zone 'utc';
$$;
comment on function credits.operator_used_today(uuid) is
  'Credits that an operator has given and taken since midnight (UTC), without what was approved.';

create function credits.operator_within_limits(p_operator public.credit_operators, p_credits bigint)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if coalesce(p_credits, 0) = 0 then
    return true;
  elsif p_operator.max_per_action = 0 or p_operator.max_per_day = 0 then
    perform credits.operator_refuse('PT403', 'this operator moves no credits', 'limit_exceeded',
      'An admin sets the limits: operator_set.');
  end if;
  return coalesce(abs(p_credits) <= p_operator.max_per_action, true)
    and coalesce(abs(p_credits) <= p_operator.max_per_day - credits.operator_used_today(p_operator.user_id), true);
end;
$$;
comment on function credits.operator_within_limits(public.credit_operators, bigint) is
  'Whether credits are within the operator''s limits an action and a day; false: a second operator has to approve. '
  'Raises PT403 where a limit is 0. The caller holds the operator''s lock.';

-- supabase/schemas/16_operators/40_operator_approvals.sql
-- Gives: operator_approvals, the actions above a limit that wait for a second operator; what an action answers.
-- Keeps: one idempotency key of an operator is one action or one request, whatever is sent again.
-- Needs: operator gate.

create table public.operator_approvals (
  id uuid primary key default gen_random_uuid(),
  operator_id uuid not null,
  action text not null,
  account_id uuid,
  subject text,
  arguments jsonb not null,
  credits bigint not null,
  reason text not null,
  idempotency_key text not null,
  state text not null default 'waiting' check (state in ('waiting', 'approved', 'rejected', 'expired')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '7 days',
  decided_by uuid,
  decided_at timestamptz,
  decision_reason text,
  constraint approval_is_decided check ((state in ('approved', 'rejected')) = (decided_by is not null)),
  unique (operator_id, idempotency_key)
);
-- What waits: the console, and apply_retention.
create index operator_approvals_waiting on public.operator_approvals (expires_at) where state = 'waiting';
comment on table public.operator_approvals is
  'Actions above their operator''s limit. A second operator of the same role or higher approves (then the action is '
  'done, under the first one''s name) or rejects.';
comment on column public.operator_approvals.operator_id is 'Who asked for it.';
comment on column public.operator_approvals.credits is
  'Credits that it would have given (> 0) or taken (< 0) when it was asked for.';
comment on column public.operator_approvals.state is
  'waiting beyond expires_at counts as expired; the retention task writes it.';
alter table public.operator_approvals enable row level security;

create type public.operator_result as (
  code text,
  operator_id uuid,
  action_seq bigint,
  approval_id uuid,
  replayed boolean,
  account_id uuid,
  balance bigint,
  details jsonb
);
comment on type public.operator_result is
  'What an operator function answers. code: done; unchanged (it was so already); waiting_for_approval (above a limit: '
  'approval_id). action_seq: the row of operator_actions. replayed: the same call was answered before, and nothing was '
  'done. balance: the account''s now. details: credits, before, after, first_seq and last_seq of that row.';

create type credits.operator_request as (
  action text,
  account_id uuid,
  subject text,
  arguments jsonb,
  reason text,
  idempotency_key text,
  approval_id uuid
);
comment on type credits.operator_request is 'What an operator asks for. approval_id: it was approved.';

create function credits.operator_answer(p_action public.operator_actions, p_replayed boolean)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.operator_result;
begin
  result.code := case when p_action.before is not distinct from p_action.after then 'unchanged' else 'done' end;
  result.operator_id := p_action.operator_id;
  result.action_seq := p_action.seq;
  result.approval_id := p_action.approval_id;
  result.replayed := p_replayed;
  result.account_id := p_action.account_id;
  result.balance := (select balance from public.credit_accounts where id = p_action.account_id);
  result.details := jsonb_build_object('credits', p_action.credits, 'before', p_action.before, 'after',
    p_action.after, 'first_seq', p_action.first_seq, 'last_seq', p_action.last_seq);
  return result;
end;
$$;
comment on function credits.operator_answer(public.operator_actions, boolean) is 'The answer for an action.';

create function credits.approval_answer(p_approval public.operator_approvals, p_replayed boolean)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.operator_result;
begin
  if p_approval.state <> 'waiting' or p_approval.expires_at <= clock_timestamp() then
    perform credits.operator_refuse('PT409', 'this request was rejected or has expired',
      case p_approval.state when 'waiting' then 'expired' else p_approval.state end,
      'Ask again, with another idempotency key.');
  end if;
  result.code := 'waiting_for_approval';
  result.operator_id := p_approval.operator_id;
  result.approval_id := p_approval.id;
  result.replayed := p_replayed;
  result.account_id := p_approval.account_id;
  result.balance := (select balance from public.credit_accounts where id = p_approval.account_id);
  result.details := jsonb_build_object('credits', p_approval.credits, 'expires_at', p_approval.expires_at);
  return result;
end;
$$;
comment on function credits.approval_answer(public.operator_approvals, boolean) is
  'The answer for a request that waits. Raises PT409 for one that was rejected or has expired.';

create function credits.operator_replay(p_operator_id uuid, p_request credits.operator_request)
returns public.operator_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  done public.operator_actions;
  asked public.operator_approvals;
begin
  select * into done from public.operator_actions
  where operator_id = p_operator_id and idempotency_key = p_request.idempotency_key;
  select * into asked from public.operator_approvals
  where operator_id = p_operator_id and idempotency_key = p_request.idempotency_key;
  if done.operator_id is null and asked.id is null then
    return null;
  end if;
  if (coalesce(done.action, asked.action), coalesce(done.arguments, asked.arguments),
      coalesce(done.reason, asked.reason))
    is distinct from (p_request.action, p_request.arguments, p_request.reason) then
    perform credits.operator_refuse('PT409', 'this idempotency key was used for another action', 'key_reused',
      'Make a new key for each action.');
  elsif done.operator_id is not null then
    return credits.operator_answer(done, true);
  end if;
  return credits.approval_answer(asked, true);
end;
$$;
comment on function credits.operator_replay(uuid, credits.operator_request) is
  'The answer that an operator''s idempotency key already has, or null. Raises PT409 where it stands for another '
  'action, or for a request that was rejected or has expired. The caller holds the operator''s lock.';

create function credits.operator_ask(
  p_operator public.credit_operators, p_request credits.operator_request, p_credits bigint
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  approval public.operator_approvals;
begin
  insert into public.operator_approvals (operator_id, action, account_id, subject, arguments, credits, reason,
    idempotency_key)
  values (p_operator.user_id, p_request.action, p_request.account_id, p_request.subject, p_request.arguments,
    p_credits, p_request.reason, p_request.idempotency_key)
  returning * into approval;
  return credits.approval_answer(approval, false);
end;
$$;
comment on function credits.operator_ask(public.credit_operators, credits.operator_request, bigint) is
  'Lets an action that is above its operator''s limit wait for a second operator.';

-- supabase/schemas/16_operators/50_operator_movements.sql
-- Gives: what operators' actions that move credits do: grant, withdraw, reverse a grant, refund and cancel a job.
-- Keeps: each calls the service's own function, and says what changed.
-- Needs: operator approvals, cancel, revocation, withdrawal; table auth.users.

create type credits.operator_effect as (
  credits bigint,
  before jsonb,
  after jsonb
);
comment on type credits.operator_effect is
  'What an action did. credits: given (> 0) or taken (< 0); null: it moves none. before and after are equal where '
  'nothing changed.';

create function credits.account_state(p_account_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('balance', balance, 'debt', debt, 'credit_limit', credit_limit,
    'lowered_credit_limit', lowered_credit_limit, 'plan', plan, 'closed_at', closed_at)
  from public.credit_accounts where id = p_account_id;
$$;
comment on function credits.account_state(uuid) is 'What operators'' actions change of an account.';

create function credits.operator_account_lock(p_account_id uuid)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- A user without an account gets one; an id that is nobody's does not.
  if not exists (select from public.credit_accounts where id = p_account_id)
    and not exists (select from auth.users where id = p_account_id) then
    perform credits.operator_refuse('PT404', 'no such account', 'unknown_account',
      'Pass the account''s id; for a person, the auth user''s id.');
  end if;
  perform credits.account_lock(p_account_id);
end;
$$;
comment on function credits.operator_account_lock(uuid) is
  'Locks the account of an action. Raises PT404 for an id that is neither an account''s nor a user''s.';

create function credits.operator_does_grant(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  granted public.credit_grant_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  granted := public.grant_credits(p_request.account_id, (p_request.arguments ->> 'credits')::bigint,
    left(p_request.reason, 500), p_expires_at => (p_request.arguments ->> 'expires_at')::timestamptz,
    p_external_ref => 'operator:' || p_ref);
  effect.after := credits.account_state(p_request.account_id) || jsonb_build_object('grant_id', granted.grant_id);
  effect.credits := granted.amount;
  return effect;
end;
$$;
comment on function credits.operator_does_grant(credits.operator_request, text) is
  'grant_credits; its external_ref names the action.';

create function credits.operator_does_withdraw(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  taken public.credit_withdrawal_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  taken := public.withdraw_credits(p_request.account_id, (p_request.arguments ->> 'credits')::bigint,
    p_reason => left(p_request.reason, 500), p_external_ref => 'operator:' || p_ref);
  effect.after := credits.account_state(p_request.account_id);
  effect.credits := -taken.withdrawn;
  return effect;
end;
$$;
comment on function credits.operator_does_withdraw(credits.operator_request, text) is
  'withdraw_credits: what is there, at most; its external_ref names the action.';

create function credits.operator_does_reverse_grant(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  grant_id constant bigint := (p_request.arguments ->> 'grant_id')::bigint;
  reversed bigint;
  result public.credit_reversal_result;
begin
  perform credits.operator_account_lock(p_request.account_id);
  select g.reversed into reversed from public.credit_grants as g
  where g.account_id = p_request.account_id and g.id = grant_id;
  effect.before := credits.account_state(p_request.account_id) || jsonb_build_object('reversed', reversed);
  result := public.reverse_grant(p_request.account_id, grant_id, (p_request.arguments ->> 'target')::bigint,
    left(p_request.reason, 500));
  effect.after := credits.account_state(p_request.account_id) || jsonb_build_object('reversed', result.reversed);
  effect.credits := reversed - result.reversed;
  return effect;
end;
$$;
comment on function credits.operator_does_reverse_grant(credits.operator_request) is
  'reverse_grant. credits: by how much the target moved; a part of it may be a debt.';

create function credits.job_state(p_job_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.account_state(j.account_id) || jsonb_build_object('status', j.status, 'cost', j.cost, 'refunded',
    j.refunded)
  from public.generation_jobs as j where j.id = p_job_id;
$$;
comment on function credits.job_state(uuid) is 'What operators'' actions change of a job and its account.';

create function credits.operator_does_refund_job(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  job public.generation_jobs := credits.job_lock((p_request.arguments ->> 'job_id')::uuid);
begin
  effect.before := credits.job_state(job.id);
  perform public.refund_credits(job.id, (p_request.arguments ->> 'credits')::bigint, left(p_request.reason, 500));
  effect.after := credits.job_state(job.id);
  effect.credits := (effect.after ->> 'refunded')::bigint - job.refunded;
  return effect;
end;
$$;
comment on function credits.operator_does_refund_job(credits.operator_request) is
  'refund_credits. A part with the same amount and reason as one before it is unchanged.';

create function credits.operator_does_cancel_job(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  job public.generation_jobs := credits.job_lock((p_request.arguments ->> 'job_id')::uuid);
  answer public.generation_job_result;
begin
  effect.before := credits.job_state(job.id);
  answer := public.cancel_generation(job.id);
  if answer.code in ('job_running', 'cancels_used_up') then
    perform credits.operator_refuse('PT409', 'this job cannot be canceled now', answer.code,
      'operator_refund_job ends and refunds it all the same.');
  end if;
  effect.after := credits.job_state(job.id) || case when answer.code = 'cancel_requested'
    then jsonb_build_object('cancel_requested', true) else '{}' end;
  effect.credits := (effect.after ->> 'refunded')::bigint - job.refunded;
  return effect;
end;
$$;
comment on function credits.operator_does_cancel_job(credits.operator_request) is
  'cancel_generation. Raises PT409 for a job that cannot be canceled (detail: job_running, cancels_used_up).';

-- supabase/schemas/16_operators/52_operator_accounts.sql
-- Gives: what operators' actions on accounts do: plan, overdraft, close, reopen, erase.
-- Keeps: an account that was erased, whose person was deleted or that a dispute freezes is not reopened by hand.
-- Needs: operator movements, plan change, payments, erasure.

create function credits.operator_does_set_plan(p_request credits.operator_request, p_ref text)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  upgrade bigint;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  perform public.set_account_plan(p_request.account_id, p_request.arguments ->> 'plan');
  effect.after := credits.account_state(p_request.account_id);
  select coalesce(sum(delta), 0) into upgrade from public.credit_ledger
  where account_id = p_request.account_id and kind = 'refill' and metadata ->> 'operator_action' = p_ref;
  -- What it gives at once, or else each month from now on.
  effect.credits := greatest(0, upgrade, (
    select n.scheduled_credits - b.scheduled_credits from public.credit_plans as n, public.credit_plans as b
    where n.name = effect.after ->> 'plan' and b.name = effect.before ->> 'plan'))
    + greatest(0, (effect.after ->> 'credit_limit')::bigint - (effect.before ->> 'credit_limit')::bigint);
  return effect;
end;
$$;
comment on function credits.operator_does_set_plan(credits.operator_request, text) is
  'set_account_plan. credits: what the plan gives more, at once or a month, and its higher overdraft.';

create function credits.operator_does_set_overdraft(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  credit_limit constant bigint := (p_request.arguments ->> 'credit_limit')::bigint;
begin
  if credit_limit is null or credit_limit not between 0 and 1000000000000 then
    perform credits.operator_refuse('22023', 'an overdraft is 0 to 1000000000000 credits', 'credit_limit',
      'Pass how far below zero the balance may go.');
  end if;
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  perform credits.credit_limit_reduce(p_request.account_id, credit_limit);
  effect.after := credits.account_state(p_request.account_id);
  effect.credits := greatest(0, (effect.after ->> 'credit_limit')::bigint
    - (effect.before ->> 'credit_limit')::bigint);
  return effect;
end;
$$;
comment on function credits.operator_does_set_overdraft(credits.operator_request) is
  'Sets credit_limit; while more overdraft is in use than that, it falls as the overdraft is filled up. credits: what '
  'can be spent more.';

create function credits.operator_does_close_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  perform credits.operator_account_lock(p_request.account_id);
  effect.before := credits.account_state(p_request.account_id);
  -- One that a dispute froze is closed anew, so that it stays closed when the dispute ends.
  update public.credit_accounts as a set closed_at = clock_timestamp()
  where a.id = p_request.account_id and (a.closed_at is null or exists (
    select from public.payment_disputes as d where d.account_id = a.id and d.froze_at = a.closed_at));
  effect.after := credits.account_state(p_request.account_id);
  return effect;
end;
$$;
comment on function credits.operator_does_close_account(credits.operator_request) is
  'Closes an account: nothing is charged or granted; its credits stay.';

create function credits.operator_check_reopen(p_account public.credit_accounts)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from public.account_erasures where account_id = p_account.id)
    or not p_account.is_team and p_account.user_id is null then
    perform credits.operator_refuse('PT409', 'the account was erased, or its person was deleted', 'person_gone',
      'A person who signs up again under the same id gets the account again by itself.');
  elsif exists (select from public.payment_disputes
    where account_id = p_account.id and status = 'open' and response = 'freeze') then
    perform credits.operator_refuse('PT409', 'an open dispute freezes the account', 'dispute_open',
      'It opens by itself when the dispute ends.');
  end if;
end;
$$;
comment on function credits.operator_check_reopen(public.credit_accounts) is
  'Raises PT409 for an account that nobody may reopen by hand.';

create function credits.operator_does_reopen_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  account public.credit_accounts;
begin
  perform credits.operator_account_lock(p_request.account_id);
  select * into strict account from public.credit_accounts where id = p_request.account_id;
  effect.before := credits.account_state(account.id);
  if account.closed_at is not null then
    perform credits.operator_check_reopen(account);
    update public.credit_accounts set closed_at = null where id = account.id;
  end if;
  effect.after := credits.account_state(account.id);
  return effect;
end;
$$;
comment on function credits.operator_does_reopen_account(credits.operator_request) is
  'Opens a closed account again; months in which it was closed are not refilled.';

create function credits.operator_does_erase_account(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  account_ids constant uuid[] := array(select credits.person_accounts(array[p_request.account_id], true));
  erased integer;
begin
  if cardinality(account_ids) = 0 then
    perform credits.operator_refuse('PT404', 'no such account', 'unknown_account', 'Pass the account''s id.');
  end if;
  -- In the order in which erase_account takes them; it makes the account of a person who had none.
  perform credits.accounts_lock(p_request.account_id || account_ids);
  effect.before := credits.account_state(p_request.account_id);
  erased := public.erase_account(p_request.account_id);
  effect.after := credits.account_state(p_request.account_id)
    || case when erased > 0 then jsonb_build_object('jobs_erased', erased) else '{}' end;
  return effect;
end;
$$;
comment on function credits.operator_does_erase_account(credits.operator_request) is
  'erase_account. Jobs beyond the first 10,000 follow by finish_erasures.';

-- supabase/schemas/16_operators/54_operator_operation.sql
-- Gives: what operators' other actions do: retry an event, mute and acknowledge alerts, book a waiting payment, fix a
--   discrepancy.
-- Keeps: each calls the service's own function.
-- Needs: operator movements, correction, payment retries, alerts, reconciliation.

create function credits.operator_does_retry_event(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  event public.credit_events;
begin
  select * into event from public.credit_events where id = p_request.subject::uuid for update;
  if not found then
    perform credits.operator_refuse('PT404', 'no such event', 'unknown_event', 'The table credit_events lists them.');
  end if;
  effect.before := jsonb_build_object('delivered_at', event.delivered_at, 'given_up',
    event.next_attempt_at is null and event.delivered_at is null);
  perform credits.events_retry(array[event.id]);
  effect.after := (select jsonb_build_object('delivered_at', e.delivered_at, 'given_up',
    e.next_attempt_at is null and e.delivered_at is null) from public.credit_events as e where e.id = event.id);
  return effect;
end;
$$;
comment on function credits.operator_does_retry_event(credits.operator_request) is
  'Offers an event again that was given up; one that waits or was delivered is unchanged.';

create function credits.operator_does_mute_alert(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  effect.before := (select jsonb_build_object('muted_until', muted_until) from public.credit_alert_rules
    where name = p_request.subject for update);
  effect.after := jsonb_build_object('muted_until', (
    public.mute_alert_rule(p_request.subject, (p_request.arguments ->> 'until')::timestamptz)).muted_until);
  return effect;
end;
$$;
comment on function credits.operator_does_mute_alert(credits.operator_request) is 'mute_alert_rule.';

create function credits.operator_does_acknowledge_alert(p_request credits.operator_request, p_operator_id uuid)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  alert public.credit_alerts;
begin
  effect.before := (select jsonb_build_object('acknowledged_by', acknowledged_by) from public.credit_alerts
    where id = p_request.subject::uuid for update);
  alert := public.acknowledge_alert(p_request.subject::uuid, 'operator ' || p_operator_id);
  effect.after := jsonb_build_object('acknowledged_by', alert.acknowledged_by);
  return effect;
end;
$$;
comment on function credits.operator_does_acknowledge_alert(credits.operator_request, uuid) is
  'acknowledge_alert by "operator <id>"; the first one counts.';

create function credits.payment_state(p_key text)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('state', state, 'cause', cause, 'grant_id', grant_id, 'reversed_credits', reversed_credits)
  from public.payments where key = p_key;
$$;
comment on function credits.payment_state(text) is 'What operators'' actions change of a payment.';

create function credits.operator_does_book_payment(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
begin
  perform from public.payments where key = p_request.subject for update;
  effect.before := credits.payment_state(p_request.subject);
  perform public.retry_payment(p_request.subject);
  effect.after := credits.payment_state(p_request.subject);
  return effect;
end;
$$;
comment on function credits.operator_does_book_payment(credits.operator_request) is
  'retry_payment. Its credits are those that were paid for, so they count towards no limit.';

create function credits.operator_fixes()
returns table (invariant text, fix text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values ('job', 'correct_job'), ('job refund', 'refund_credits'), ('paid_without_grant', 'retry_payment'),
    ('reversal_differs', 'retry_payment');
$$;
comment on function credits.operator_fixes() is
  'The classes of discrepancies that operator_fix_discrepancy can fix, and the function that it calls. Its subject is '
  'the job''s id or the payment''s key.';

create function credits.operator_does_fix_discrepancy(p_request credits.operator_request)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
declare
  effect credits.operator_effect;
  fix constant text := (select f.fix from credits.operator_fixes() as f
    where f.invariant = p_request.arguments ->> 'class');
  job public.generation_jobs;
begin
  if fix = 'retry_payment' then
    return credits.operator_does_book_payment(p_request);
  elsif fix is null then
    perform credits.operator_refuse('22023', 'no function fixes this class of discrepancy', 'no_fix',
      coalesce((select c.remedy from public.reconciliation_classes as c
        where c.invariant = p_request.arguments ->> 'class'), 'The table reconciliation_classes lists the classes.'));
  end if;
  job := credits.job_lock(p_request.subject::uuid);
  effect.before := credits.job_state(job.id);
  if fix = 'correct_job' then
    perform public.correct_job(job.id, left(p_request.reason, 500));
  else
    perform public.refund_credits(job.id, null, left(p_request.reason, 500));
  end if;
  effect.after := credits.job_state(job.id);
  effect.credits := (effect.after ->> 'balance')::bigint - (effect.before ->> 'balance')::bigint;
  return effect;
end;
$$;
comment on function credits.operator_does_fix_discrepancy(credits.operator_request) is
  'Calls the function that fixes a class of discrepancy (operator_fixes). Raises 22023 with the remedy for another.';

-- supabase/schemas/16_operators/60_operator_act.sql
-- Gives: the one way in which an operator's action is done: gate, replay, movement, limit, trail.
-- Keeps: the limit goes by what the action really did; beyond it nothing of it stays, and it waits for approval.
-- Needs: operator accounts, operator operation.

create function credits.operator_perform(
  p_operator_id uuid, p_request credits.operator_request, p_ref text
)
returns credits.operator_effect
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return case p_request.action
    when 'grant' then credits.operator_does_grant(p_request, p_ref)
    when 'withdraw' then credits.operator_does_withdraw(p_request, p_ref)
    when 'reverse_grant' then credits.operator_does_reverse_grant(p_request)
    when 'refund_job' then credits.operator_does_refund_job(p_request)
    when 'cancel_job' then credits.operator_does_cancel_job(p_request)
    when 'set_plan' then credits.operator_does_set_plan(p_request, p_ref)
    when 'set_overdraft' then credits.operator_does_set_overdraft(p_request)
    when 'close_account' then credits.operator_does_close_account(p_request)
    when 'reopen_account' then credits.operator_does_reopen_account(p_request)
    when 'erase_account' then credits.operator_does_erase_account(p_request)
    when 'retry_event' then credits.operator_does_retry_event(p_request)
    when 'mute_alert' then credits.operator_does_mute_alert(p_request)
    when 'acknowledge_alert' then credits.operator_does_acknowledge_alert(p_request, p_operator_id)
    when 'book_payment' then credits.operator_does_book_payment(p_request)
    when 'fix_discrepancy' then credits.operator_does_fix_discrepancy(p_request)
  end;
end;
$$;
comment on function credits.operator_perform(uuid, credits.operator_request, text) is
  'Does what an operator asks for. p_ref: the action''s name in entries and grants, <operator>:<seq>.';

create function credits.operator_note(
  p_operator_id uuid, p_request credits.operator_request, p_effect credits.operator_effect, p_first_seq bigint,
  p_last_seq bigint
)
returns public.operator_actions
language plpgsql
set search_path = '', pg_temp
as $$
declare
  action public.operator_actions;
begin
  action.operator_id := p_operator_id;
  action.action := p_request.action;
  action.account_id := p_request.account_id;
  action.subject := p_request.subject;
  action.arguments := p_request.arguments;
  action.credits := p_effect.credits;
  action.first_seq := p_first_seq;
  action.last_seq := p_last_seq;
  action.before := p_effect.before;
  action.after := p_effect.after;
  action.reason := p_request.reason;
  action.idempotency_key := p_request.idempotency_key;
  action.approval_id := p_request.approval_id;
  return credits.action_append(action);
end;
$$;
comment on function credits.operator_note(uuid, credits.operator_request, credits.operator_effect, bigint, bigint) is
  'Writes an action into its operator''s trail.';

create function credits.operator_do(p_operator public.credit_operators, p_request credits.operator_request)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ref constant text := format('%s:%s', p_operator.user_id, p_operator.last_seq + 1);
  effect credits.operator_effect;
  since constant bigint := coalesce((
    select last_seq from public.credit_accounts where id = p_request.account_id), 0);
  entries record;
begin
  begin
    perform set_config('credits.operator_action', ref, true);
    effect := credits.operator_perform(p_operator.user_id, p_request, ref);
    if p_request.approval_id is null and not credits.operator_within_limits(p_operator, effect.credits) then
      raise exception using errcode = 'LIMIT';
    end if;
    perform set_config('credits.operator_action', '', true);
    -- A payment may have been nobody's until it was booked.
    p_request.account_id := coalesce(p_request.account_id, (
      select account_id from public.payments where key = p_request.subject));
    perform credits.operator_check_own(p_operator, p_request.account_id);
  exception when sqlstate 'LIMIT' then
    return credits.operator_ask(p_operator, p_request, effect.credits);
  end;
  select min(seq) as first_seq, max(seq) as last_seq into entries from public.credit_ledger
  where account_id = p_request.account_id and seq > since and metadata ->> 'operator_action' = ref;
  return credits.operator_answer(
    credits.operator_note(p_operator.user_id, p_request, effect, entries.first_seq, entries.last_seq), false);
end;
$$;
comment on function credits.operator_do(public.credit_operators, credits.operator_request) is
  'Does an action and writes it down. Above the operator''s limit, and not approved, it is undone and waits in '
  'operator_approvals. The caller holds the operator''s lock.';

create function credits.operator_act(
  p_action text, p_account_id uuid, p_subject text, p_arguments jsonb, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter(p_action, p_reason, p_idempotency_key);
  request credits.operator_request := row(p_action, p_account_id, p_subject, p_arguments, p_reason,
    p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_own(operator, p_account_id);
  return credits.operator_do(operator, request);
end;
$$;
comment on function credits.operator_act(text, uuid, text, jsonb, text, text) is
  'An operator''s action, from the gate to the trail. p_arguments: what the caller passed; a repeated key must come '
  'with the same.';

-- supabase/schemas/16_operators/65_operator_functions.sql
-- Gives: the functions by which the console writes, one per action.
-- Keeps: nothing is done here: each names its account and arguments, and the one way does the rest.
-- Needs: operator act.

create function public.operator_grant(
  p_account_id uuid, p_credits bigint, p_expires_at timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- Times stand in the arguments, which a repeated call is compared by.
set timezone = 'UTC'
as $$
begin
  return credits.operator_act('grant', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credits', p_credits, 'expires_at', p_expires_at),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_grant(uuid, bigint, timestamptz, text, text) is
  'Grants credits to an account (grant_credits). p_expires_at null: they never expire.';

create function public.operator_withdraw(
  p_account_id uuid, p_credits bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('withdraw', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credits', p_credits),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_withdraw(uuid, bigint, text, text) is
  'Takes credits out of an account, at most what is there (withdraw_credits).';

create function public.operator_reverse_grant(
  p_account_id uuid, p_grant_id bigint, p_target bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('reverse_grant', p_account_id,
    p_grant_id::text, jsonb_build_object('account_id', p_account_id, 'grant_id', p_grant_id, 'target', p_target),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_reverse_grant(uuid, bigint, bigint, text, text) is
  'Takes a grant back, up to p_target credits in all; null: all of it (reverse_grant).';

create function public.operator_refund_job(
  p_job_id uuid, p_credits bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('refund_job',
    (select j.account_id from public.generation_jobs as j where j.id = p_job_id), p_job_id::text,
    jsonb_build_object('job_id', p_job_id, 'credits', p_credits),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_refund_job(uuid, bigint, text, text) is
  'Refunds a job; p_credits null: all that is left (refund_credits).';

create function public.operator_cancel_job(
  p_job_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('cancel_job',
    (select j.account_id from public.generation_jobs as j where j.id = p_job_id), p_job_id::text,
    jsonb_build_object('job_id', p_job_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_cancel_job(uuid, text, text) is
  'Cancels a job (cancel_generation). Raises PT409 where it runs and cannot be stopped.';

create function public.operator_set_plan(
  p_account_id uuid, p_plan text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('set_plan', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'plan', p_plan),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_set_plan(uuid, text, text, text) is
  'Puts an account on a plan (set_account_plan).';

create function public.operator_set_overdraft(
  p_account_id uuid, p_credit_limit bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('set_overdraft', p_account_id,
    null, jsonb_build_object('account_id', p_account_id, 'credit_limit', p_credit_limit),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_set_overdraft(uuid, bigint, text, text) is
  'Sets how far below zero an account''s balance may go.';

create function public.operator_close_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('close_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_close_account(uuid, text, text) is
  'Closes an account: nothing is charged or granted; its credits stay.';

create function public.operator_reopen_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('reopen_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_reopen_account(uuid, text, text) is
  'Opens a closed account again. Raises PT409 for one that was erased, whose person was deleted or that a dispute '
  'freezes.';

create function public.operator_erase_account(
  p_account_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('erase_account', p_account_id,
    null, jsonb_build_object('account_id', p_account_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_erase_account(uuid, text, text) is
  'Erases a person''s or a team''s data, and closes the account (erase_account).';

create function public.operator_retry_event(
  p_event_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('retry_event',
    (select e.account_id from public.credit_events as e where e.id = p_event_id), p_event_id::text,
    jsonb_build_object('event_id', p_event_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_retry_event(uuid, text, text) is
  'Offers an event again that was given up.';

create function public.operator_mute_alert(
  p_rule text, p_until timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
-- Times stand in the arguments, which a repeated call is compared by.
set timezone = 'UTC'
as $$
begin
  return credits.operator_act('mute_alert', null,
    p_rule, jsonb_build_object('rule', p_rule, 'until', p_until),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_mute_alert(text, timestamptz, text, text) is
  'Keeps a rule''s alerts unannounced until p_until; null: unmutes it (mute_alert_rule).';

create function public.operator_acknowledge_alert(
  p_alert_id uuid, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('acknowledge_alert', null,
    p_alert_id::text, jsonb_build_object('alert_id', p_alert_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_acknowledge_alert(uuid, text, text) is
  'Notes that the operator handles an alert (acknowledge_alert).';

create function public.operator_book_payment(
  p_payment_id text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('book_payment',
    (select p.account_id from public.payments as p where p.key = p_payment_id), p_payment_id,
    jsonb_build_object('payment_id', p_payment_id),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_book_payment(text, text, text) is
  'Books a waiting payment (retry_payment). p_payment_id: payments.key.';

create function credits.discrepancy_account(p_class text, p_subject text)
returns uuid
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_class in ('job', 'job refund') then
    return (select account_id from public.generation_jobs where id = p_subject::uuid);
  end if;
  return (select account_id from public.payments where key = p_subject);
end;
$$;
comment on function credits.discrepancy_account(text, text) is 'The account of a discrepancy that can be fixed.';

create function public.operator_fix_discrepancy(
  p_class text, p_subject text, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  return credits.operator_act('fix_discrepancy', credits.discrepancy_account(p_class, p_subject),
    p_subject, jsonb_build_object('class', p_class, 'subject', p_subject),
    p_reason, p_idempotency_key);
end;
$$;
comment on function public.operator_fix_discrepancy(text, text, text, text) is
  'Fixes a discrepancy where a function can (operator_fixes), by its class (invariant) and the job''s id or the '
  'payment''s key. Raises 22023 with the remedy for another class.';

-- supabase/schemas/16_operators/68_operator_decisions.sql
-- Gives: operator_approve and operator_reject, by which a second operator decides on an action above a limit.
-- Keeps: an approved action is done once, under the first one's name, by the rules of the moment; nobody approves their
--   own, nor one on an account of their own.
-- Needs: operator act.

create function credits.approval_lock(p_approval_id uuid, p_operator public.credit_operators)
returns public.operator_approvals
language plpgsql
set search_path = '', pg_temp
as $$
declare
  approval public.operator_approvals;
begin
  select * into approval from public.operator_approvals where id = p_approval_id for update;
  if not found then
    perform credits.operator_refuse('PT404', 'no such request', 'unknown_approval',
      'The table operator_approvals lists them.');
  elsif approval.state <> 'waiting' or approval.expires_at <= clock_timestamp() then
    perform credits.operator_refuse('PT409', 'this request waits no more',
      case approval.state when 'waiting' then 'expired' else approval.state end, 'Ask again for the action.');
  elsif p_operator.user_id <> approval.operator_id and p_operator.role < (
    select role from public.credit_operators where user_id = approval.operator_id) then
    perform credits.operator_refuse('42501', 'who decides needs the role of the one who asks, or a higher one',
      'role_too_low', 'Ask another operator.');
  end if;
  return approval;
end;
$$;
comment on function credits.approval_lock(uuid, public.credit_operators) is
  'Locks a request that waits. Raises PT404, PT409 where it waits no more, 42501 for an operator of a lower role than '
  'its own. The caller holds the locks of both operators.';

create function credits.approval_asker(p_approval public.operator_approvals, p_approver public.credit_operators)
returns public.credit_operators
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  asker public.credit_operators;
begin
  if p_approval.operator_id = p_approver.user_id then
    perform credits.operator_refuse('42501', 'nobody approves their own request', 'own_request',
      'Ask a second operator.');
  end if;
  perform credits.operator_check_own(p_approver, p_approval.account_id);
  -- Beyond its own limits an approver may go: two have answered for it. Not one whose limit is 0.
  perform credits.operator_within_limits(p_approver, p_approval.credits);
  select * into asker from public.credit_operators where user_id = p_approval.operator_id and disabled_at is null;
  if not found or asker.role < (select least_role from credits.operator_rights() where action = p_approval.action) then
    perform credits.operator_refuse('PT409', 'who asked for this may not do it any more', 'asker_disabled',
      'Reject it.');
  end if;
  perform credits.operator_check_own(asker, p_approval.account_id);
  return asker;
end;
$$;
comment on function credits.approval_asker(public.operator_approvals, public.credit_operators) is
  'Who asked for an action, where the approver may approve it and the asker still may do it.';

create function credits.approval_decide(
  p_approval public.operator_approvals, p_operator_id uuid, p_state text, p_request credits.operator_request,
  p_details jsonb
)
returns public.operator_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.operator_approvals
  set state = p_state, decided_by = p_operator_id, decided_at = clock_timestamp(), decision_reason = p_request.reason
  where id = p_approval.id;
  p_request.account_id := p_approval.account_id;
  p_request.approval_id := p_approval.id;
  return credits.operator_answer(credits.operator_note(p_operator_id, p_request,
    row(null, jsonb_build_object('state', 'waiting'), jsonb_build_object('state', p_state) || p_details), null, null),
    false);
end;
$$;
comment on function credits.approval_decide(public.operator_approvals, uuid, text, credits.operator_request, jsonb) is
  'Notes a decision in the request and in the trail of the operator who decided.';

create function public.operator_approve(p_approval_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  approver public.credit_operators := credits.operator_enter('approve', p_reason, p_idempotency_key,
    array(select operator_id from public.operator_approvals where id = p_approval_id));
  request credits.operator_request := row('approve', null, p_approval_id::text,
    jsonb_build_object('approval_id', p_approval_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(approver.user_id, request);
  approval public.operator_approvals;
  done public.operator_result;
begin
  if result.replayed then
    return result;
  end if;
  approval := credits.approval_lock(p_approval_id, approver);
  done := credits.operator_do(credits.approval_asker(approval, approver), row(approval.action, approval.account_id,
    approval.subject, approval.arguments, approval.reason, approval.idempotency_key, approval.id));
  return credits.approval_decide(approval, approver.user_id, 'approved', request, jsonb_build_object(
    'code', done.code, 'operator_id', done.operator_id, 'action_seq', done.action_seq, 'credits',
    done.details -> 'credits'));
end;
$$;
comment on function public.operator_approve(uuid, text, text) is
  'Approves another operator''s action above their limit, which is done at once under their name. details.after names '
  'it. Raises what the action raises now (an account closed meanwhile), and then it goes on waiting; PT409 for a '
  'request that waits no more; 42501 for one''s own request or account.';

create function public.operator_reject(p_approval_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('reject', p_reason, p_idempotency_key,
    array(select operator_id from public.operator_approvals where id = p_approval_id));
  request credits.operator_request := row('reject', null, p_approval_id::text,
    jsonb_build_object('approval_id', p_approval_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
begin
  if result.replayed then
    return result;
  end if;
  return credits.approval_decide(credits.approval_lock(p_approval_id, operator), operator.user_id, 'rejected',
    request, '{}');
end;
$$;
comment on function public.operator_reject(uuid, text, text) is
  'Rejects an action that waits for approval; who asked for it may take it back by this. Raises PT409 for a request '
  'that waits no more.';

-- supabase/schemas/16_operators/70_operator_team.sql
-- Gives: operator_set and operator_remove, by which an admin says who is an operator; what one may do.
-- Keeps: nobody changes their own row, so there is always an admin left.
-- Needs: operator act; table auth.users.

create function credits.operator_row(p_user_id uuid)
returns jsonb
language sql
stable
set search_path = '', pg_temp
as $$
  select jsonb_build_object('role', role, 'max_per_action', max_per_action, 'max_per_day', max_per_day,
    'disabled', disabled_at is not null)
  from public.credit_operators where user_id = p_user_id;
$$;
comment on function credits.operator_row(uuid) is 'What an admin sets of an operator; null: none.';

create function credits.operator_check_other(p_operator public.credit_operators, p_user_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if p_user_id = p_operator.user_id then
    perform credits.operator_refuse('42501', 'nobody changes their own role or limits', 'own_row',
      'Ask another admin.');
  end if;
end;
$$;
comment on function credits.operator_check_other(public.credit_operators, uuid) is
  'Raises 42501 for an operator''s own row.';

create function public.operator_set(
  p_user_id uuid, p_role text, p_max_per_action bigint, p_max_per_day bigint, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('set', p_reason, p_idempotency_key, array[p_user_id]);
  request credits.operator_request := row('set', null, p_user_id::text, jsonb_build_object('user_id', p_user_id,
    'role', p_role, 'max_per_action', p_max_per_action, 'max_per_day', p_max_per_day), p_reason, p_idempotency_key,
    null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  before constant jsonb := credits.operator_row(p_user_id);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_other(operator, p_user_id);
  if p_role is null or p_role <> all (enum_range(null::public.credit_operator_role)::text[])
    or p_max_per_action not between 0 and 1000000000000 or p_max_per_day not between 0 and 1000000000000000 then
    perform credits.operator_refuse('22023', 'a role is viewer, support, finance or admin, and a limit at least 0',
      'operator', 'Limits are whole credits; leave one out for no limit.');
  elsif not exists (select from auth.users where id = p_user_id) then
    perform credits.operator_refuse('PT404', 'no such user', 'unknown_user', 'Pass the id of a user who signs in.');
  end if;
  insert into public.credit_operators as o (user_id, role, max_per_action, max_per_day)
  values (p_user_id, p_role::public.credit_operator_role, p_max_per_action, p_max_per_day)
  on conflict (user_id) do update set role = excluded.role, max_per_action = excluded.max_per_action,
    max_per_day = excluded.max_per_day, disabled_at = null;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, before, credits.operator_row(p_user_id)), null, null), false);
end;
$$;
comment on function public.operator_set(uuid, text, bigint, bigint, text, text) is
  'Makes a user an operator, or gives an operator another role or other limits; also one who was removed. Limits: '
  'null, none; 0, moves no credits. Raises 42501 for the caller''s own row.';

create function public.operator_remove(p_user_id uuid, p_reason text, p_idempotency_key text)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  operator public.credit_operators := credits.operator_enter('remove', p_reason, p_idempotency_key, array[p_user_id]);
  request credits.operator_request := row('remove', null, p_user_id::text,
    jsonb_build_object('user_id', p_user_id), p_reason, p_idempotency_key, null);
  result public.operator_result := credits.operator_replay(operator.user_id, request);
  before constant jsonb := credits.operator_row(p_user_id);
begin
  if result.replayed then
    return result;
  end if;
  perform credits.operator_check_other(operator, p_user_id);
  update public.credit_operators set disabled_at = coalesce(disabled_at, clock_timestamp())
  where user_id = p_user_id;
  if not found then
    perform credits.operator_refuse('PT404', 'no such operator', 'unknown_operator',
      'The table credit_operators lists them.');
  end if;
  return credits.operator_answer(credits.operator_note(operator.user_id, request,
    row(null, before, credits.operator_row(p_user_id)), null, null), false);
end;
$$;
comment on function public.operator_remove(uuid, text, text) is
  'Ends what an operator may do and read, at once; what they did stays written. Raises 42501 for the caller''s own '
  'row, PT404 for a user who is no operator.';

create function public.operator_abilities()
returns table (action text, least_role public.credit_operator_role, moves_credits boolean, allowed boolean)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select r.action, r.least_role, r.moves_credits, r.least_role <= me.role
  from credits.operator_rights() as r cross join (select credits.operator_role() as role) as me
  where me.role is not null;
$$;
comment on function public.operator_abilities() is
  'What an operator may do: one row per action (function operator_<action>), with the least role, and whether the '
  'calling operator may. No row for who is no operator.';

-- supabase/schemas/17_deployment/10_auditor.sql
-- Gives: the role credits_auditor, for DBAs, on-call and dashboards.
-- Keeps: it reads amounts and outcomes of all accounts, never a prompt, an output or an error message, and writes
-- nothing.
-- Needs: every table and view before.

-- scripts/rollback.sql reads the comments on role and function, so that it removes nothing that was there before.
create function credits.auditor_create()
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'credits_auditor') then
    create role credits_auditor nologin;
    comment on role credits_auditor is
      'Reads the books of Atomic Credits: every table and view but prompts, outputs, errors, the hashes of requests '
      'and addresses and the events'' payloads. Grant it to a login.';
    -- So that the role that applies this can see what the auditor sees (set role); it owns everything anyway.
    execute format('grant credits_auditor to %I', current_user);
  end if;
  if not exists (
    select from pg_catalog.pg_namespace as n cross join lateral aclexplode(n.nspacl) as p
    where n.nspname = 'public' and p.grantee = 'credits_auditor'::regrole and p.privilege_type = 'USAGE') then
    grant usage on schema public to credits_auditor;
    comment on function credits.auditor_create() is
      'Makes the role credits_auditor where it is missing. Its usage of schema public came with this function.';
  end if;
end;
$$;
comment on function credits.auditor_create() is
  'Makes the role credits_auditor if it is missing: roles belong to the server, so a dump of a database has none.';

do $$
begin
  perform credits.auditor_create();
end;
$$;

-- All rows; the interface says which columns.
do $$
declare
  read text;
begin
  foreach read in array array[
    'credit_settings', 'credit_plans', 'credit_accounts', 'account_members', 'credit_grants', 'credit_ledger',
    'credit_ledger_archive', 'credit_debts', 'credit_ledger_anchors', 'credit_transfers', 'credit_withdrawals',
    'generation_models', 'generation_model_rates', 'generation_model_costs', 'generation_jobs',
    'generation_usage', 'generation_provider_jobs', 'generation_uploads', 'credit_app_keys', 'account_erasures',
    'credit_sign_up_grants',
    'credit_request_events', 'credit_events', 'credit_event_endpoints', 'credit_ledger_checkpoints',
    'reconciliation_classes', 'reconciliation_runs', 'reconciliation_findings', 'credit_anomaly_rules',
    'credit_anomaly_findings', 'credit_scheduled_tasks', 'credit_task_runs', 'credit_alert_rules', 'credit_alerts',
    'credit_products', 'payment_customers', 'payments', 'payment_disputes', 'payment_subscriptions', 'payment_events',
    'credit_operators', 'operator_actions', 'operator_approvals'
  ] loop
    execute format('create policy %I on public.%I for select to credits_auditor using (true)',
      read || '_read_auditor', read);
  end loop;
end;
$$;

-- supabase/schemas/17_deployment/20_restore.sql
-- Gives: a way to restore the data of another installation onto migrations that have just been applied.
-- Keeps: outside of a restore nothing changes: these triggers fire only in session_replication_role replica.
-- Needs: settings, plans, price book, reconciliation runs, anomalies, tasks, file deletion and alert rules.

create function credits.restored_row_wins()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
declare
  same_key constant text := (
    select string_agg(format('seeded.%1$I = ($1).%1$I', a.attname), ' and ')
    from pg_catalog.pg_index as i
    join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = tg_relid and i.indisprimary);
begin
  execute format('delete from %s as seeded where %s', tg_relid::regclass, same_key) using new;
  if tg_relid = 'public.generation_model_rates'::regclass then
    -- A restored version has its own meters alone: those that the migrations gave it go.
    delete from public.generation_model_rates as seeded
    where seeded.model = new.model and seeded.effective_from = new.effective_from
      and seeded.xmin <> pg_current_xact_id()::xid;
  end if;
  return new;
end;
$$;
comment on function credits.restored_row_wins() is
  'A restored or replicated row replaces the row that the migrations inserted under the same key.';

-- Every table that the migrations fill, and those that scheduled tasks may have written to before the restore.
do $$
declare
  filled text;
begin
  foreach filled in array array['credits.installation', 'credits.secrets', 'credits.file_sweep',
    'public.credit_alert_rules', 'public.credit_anomaly_rules', 'public.credit_plans', 'public.credit_settings',
    'public.reconciliation_classes', 'public.generation_models', 'public.generation_model_rates',
    'public.reconciliation_runs', 'public.credit_scheduled_tasks', 'public.credit_task_runs']
  loop
    execute format('create trigger restored_row_wins before insert on %s '
      'for each row execute function credits.restored_row_wins()', filled);
    execute format('alter table %s enable replica trigger restored_row_wins', filled);
  end loop;
end;
$$;

-- supabase/schemas/17_deployment/30_delivered.sql
-- Gives: what is delivered, by name: tables, views, functions, types, policies, triggers.
-- Keeps: written by npm run regenerate out of what the other chapters make; they alone decide it.
-- Needs: every chapter before; when called: deployed, repair, trial, checks, verify deployment, privileges.

create function credits.delivered_objects()
returns table (kind text, identity text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select v.kind, replace(o.identity, E'\n', '') from (values
('function', $list$
credits.account_chain(public.credit_accounts,public.credit_ledger_checkpoints);
credits.account_discrepancies(public.credit_accounts,public.credit_ledger_checkpoints);
credits.account_expire(uuid); credits.account_freeze(uuid); credits.account_lock(uuid);
credits.account_refill(uuid,timestamp with time zone); credits.account_refill_due(uuid);
credits.account_rejoined(); credits.account_reopened(); credits.account_state(uuid);
credits.account_version_raise(); credits.account_version_touch(); credits.accounts_lock(uuid[]);
credits.accounts_refill(uuid[],date,timestamp with time zone); credits.action_append(public.operator_actions);
credits.action_chain(uuid); credits.action_hash(bytea,public.operator_actions);
credits.actions_are_append_only(); credits.actions_refuse_change(); credits.address_hash(text);
credits.addresses_note(jsonb); credits.alert_announce(text,public.credit_alerts);
credits.anomaly_account_pattern(numeric,timestamp with time zone);
credits.anomaly_denials(text,integer,numeric,timestamp with time zone);
credits.anomaly_impossible_rate(numeric,timestamp with time zone); credits.anomaly_negative_balance(numeric);
credits.anomaly_refund_farming(numeric,timestamp with time zone);
credits.anomaly_unrequested(numeric,timestamp with time zone);
credits.app_key_denial(public.credit_app_keys,text,bigint);
credits.app_key_spend(uuid,uuid,bigint,timestamp with time zone); credits.app_key_state(public.credit_app_keys);
credits.app_keys_check(uuid,uuid); credits.approval_answer(public.operator_approvals,boolean);
credits.approval_asker(public.operator_approvals,public.credit_operators);
credits.approval_decide(public.operator_approvals,uuid,text,credits.operator_request,jsonb);
credits.approval_lock(uuid,public.credit_operators); credits.archive_account(uuid,bigint,bigint);
credits.archive_discrepancies(public.credit_accounts);
credits.archive_end(uuid,timestamp with time zone,bigint,bigint);
credits.ask_after(integer,timestamp with time zone,timestamp with time zone); credits.auditor_create();
credits.balance_announce(uuid,bigint,bigint,bigint); credits.balance_event(bigint,bigint,bigint);
credits.balance_with_due(public.credit_accounts); credits.batch_check(jsonb);
credits.batch_expire(uuid[],bigint[]); credits.batch_refill(uuid[],timestamp with time zone);
credits.batch_undone(public.credit_charge_result,uuid,text,text); credits.book_of(public.credit_entry_kind);
credits.burn(public.credit_accounts,credits.burn_plan,public.credit_entry_kind,uuid,text);
credits.burn_plan(uuid,bigint); credits.callback_result(public.generation_jobs,text);
credits.caller_check(name); credits.can_request_functions();
credits.cancel_at_provider(public.generation_jobs,boolean); credits.cancel_count(uuid);
credits.cap_end(public.credit_grants,timestamp with time zone); credits.cap_seal(bytea);
credits.chain_break(uuid,bigint); credits.chain_extend(credits.movement[]); credits.changed_accounts();
credits.charge_denied(
text,public.credit_charge_result,credits.priced_request,bigint,bigint,integer,uuid,text,text);
credits.charge_overage(public.generation_jobs,bigint);
credits.charge_replayed(public.credit_charge_result,uuid,bytea,uuid,text,text);
credits.charge_with_key(uuid,uuid,uuid,text,jsonb,text,text,boolean,boolean); credits.check_books();
credits.check_defaults(); credits.check_equal(text,text,text,text); credits.check_functions();
credits.check_installation(); credits.check_ledger(); credits.check_length(text,text,integer,integer);
credits.check_models(); credits.check_none(text,text[],text); credits.check_schedule(); credits.check_storage();
credits.check_success_rate(); credits.check_tables(); credits.check_trial();
credits.checkout_denied(public.payment_checkout,text); credits.checkpoint_is_kept(uuid);
credits.checkpoint_set(public.credit_accounts); credits.checkpoint_zero(uuid);
credits.choice_error(jsonb,text[]); credits.clock_bound(); credits.closing_note(uuid);
credits.count_discrepancies(public.credit_accounts); credits.credit_limit_changed();
credits.credit_limit_lower(public.credit_accounts); credits.credit_limit_reduce(uuid,bigint);
credits.cron_command(public.credit_scheduled_tasks); credits.cron_jobs(); credits.cron_silence();
credits.deadline_exceeded();
credits.debt_append(public.credit_accounts,bigint,bigint,bigint,bigint,bigint,text);
credits.debt_collect(public.credit_accounts,bigint); credits.debt_discrepancies(public.credit_accounts);
credits.debt_hash(bytea,public.credit_debts); credits.deep_horizon(); credits.deletions_add(uuid,text[],text);
credits.delivered_objects(); credits.delivered_parts(); credits.delivered_privileges();
credits.delivery_findings_now(); credits.departure_finish(public.account_erasures);
credits.deployed_functions(); credits.deployed_objects(); credits.deployed_parts();
credits.deployed_privileges(); credits.deployed_relations(); credits.discrepancies_of(uuid[]);
credits.discrepancy(text,uuid,numeric,numeric,timestamp with time zone,uuid,bigint,bigint);
credits.discrepancy_account(text,text); credits.disputes_note(public.payments,jsonb);
credits.ended_files_delete(uuid,uuid[]); credits.endpoint_hold(text,integer,boolean);
credits.entry_append(uuid,bigint,public.credit_entry_kind,bigint,uuid,text,jsonb);
credits.entry_hash(
bytea,uuid,bigint,bigint,bigint,public.credit_entry_kind,bigint,uuid,text,jsonb,timestamp with time zone);
credits.entry_is_archived(public.credit_ledger); credits.entry_origin(); credits.event_emit(uuid,text,jsonb);
credits.event_pause(integer); credits.events_retry(uuid[]);
credits.expiries_next(credits.expiry_position,integer); credits.failure_code(uuid);
credits.failure_shown(jsonb); credits.file_account(text); credits.file_counts(); credits.file_deletion_is_due();
credits.file_differs(text,text,bigint); credits.file_discrepancies(); credits.file_findings_now();
credits.file_is_kept(uuid,text); credits.file_types(); credits.files_below(text);
credits.files_judged(text,integer); credits.files_sweep(integer); credits.foreign_storage_policies();
credits.grace_end(public.credit_grants);
credits.grace_grant(public.credit_grants,bigint,timestamp with time zone);
credits.grace_seal(bytea,timestamp with time zone); credits.grant_discrepancies(public.credit_accounts);
credits.grant_expire(public.credit_accounts,bigint,bigint,public.credit_entry_kind,text);
credits.grant_fill(public.credit_accounts,bigint,bigint,public.credit_entry_kind,uuid,text,jsonb);
credits.grant_give_back(public.credit_accounts,public.credit_grants,bigint,bigint,text);
credits.grant_replay(public.credit_accounts,bigint,text); credits.grant_seal(public.credit_grants);
credits.grant_sealed();
credits.grant_take(public.credit_accounts,public.credit_grants,bigint,bigint,bigint,text);
credits.grant_take_back(public.credit_accounts,public.credit_grants,bigint,bigint,text);
credits.grant_taken(public.credit_grants); credits.grants_expire(uuid[],bigint[]);
credits.had_sign_up_grant(uuid); credits.has_identity_to_come(jsonb); credits.has_no_address(jsonb);
credits.has_storage(); credits.hmac_sha256(bytea,bytea); credits.hours_ago(integer);
credits.index_is_intact(text); credits.input_delete(uuid,text); credits.input_of_key(uuid,uuid,text,jsonb);
credits.integer_field(jsonb,integer,integer); credits.interface(); credits.is_confirmed(jsonb);
credits.is_given_back(public.payments); credits.is_price_in_force(text,timestamp with time zone);
credits.is_product_in_force(text,boolean,text,timestamp with time zone); credits.is_time_zone(text);
credits.is_users_own_end(public.generation_job_status,jsonb);
credits.job_actual_cost(public.generation_jobs,bigint,jsonb); credits.job_asker(uuid);
credits.job_discrepancies(uuid,bigint); credits.job_end_refunded(uuid,public.generation_job_status,jsonb,text);
credits.job_file_verdict(public.generation_jobs,text,boolean,integer); credits.job_files(uuid,uuid[]);
credits.job_ids(uuid,uuid,text,jsonb); credits.job_lock(uuid); credits.job_of_file(text);
credits.job_provenance(jsonb); credits.job_provider_cost(uuid,uuid);
credits.job_result(public.generation_jobs,text); credits.job_seal(uuid,uuid,bigint);
credits.job_settle_ended(public.generation_jobs); credits.job_state(uuid); credits.job_sweep(uuid,uuid);
credits.job_take_back(public.generation_jobs,bigint,text); credits.job_to_erase(uuid,uuid);
credits.jobs_overdue(integer); credits.jobs_sweep(uuid[],uuid[]); credits.key_discrepancies(uuid);
credits.ledger_is_append_only(); credits.ledger_refuse_change(); credits.lines_read(jsonb);
credits.mailbox(text); credits.may_cancel(public.generation_jobs,uuid);
credits.may_erase_job(public.generation_jobs,uuid); credits.may_have_sign_up_grant(jsonb);
credits.may_keep_late(public.generation_jobs); credits.member_correct(public.generation_jobs,bigint);
credits.member_denial(uuid,uuid,bigint,boolean);
credits.member_month_charged(uuid,uuid,timestamp with time zone);
credits.member_spend(uuid,uuid,bigint,timestamp with time zone); credits.metrics_of_accounts();
credits.metrics_of_alerts(); credits.metrics_of_events(); credits.metrics_of_files();
credits.metrics_of_ledger(); credits.metrics_of_open_jobs(); credits.metrics_of_payments();
credits.metrics_of_recent_jobs(); credits.metrics_of_reconciliation(); credits.metrics_of_requests();
credits.metrics_of_tasks(); credits.movements_book(credits.movement[],date); credits.my_account_ids();
credits.my_paying_account_ids(); credits.neutral_account(jsonb); credits.neutral_flag(jsonb,text);
credits.neutral_list(jsonb,text); credits.neutral_number(jsonb,text,bigint);
credits.neutral_text(jsonb,text,text); credits.neutral_time(jsonb,text); credits.operation_findings_now();
credits.operator_account_lock(uuid); credits.operator_act(text,uuid,text,jsonb,text,text);
credits.operator_action_discrepancies(); credits.operator_answer(public.operator_actions,boolean);
credits.operator_ask(public.credit_operators,credits.operator_request,bigint);
credits.operator_check_other(public.credit_operators,uuid);
credits.operator_check_own(public.credit_operators,uuid); credits.operator_check_reopen(public.credit_accounts);
credits.operator_discrepancies(boolean); credits.operator_do(public.credit_operators,credits.operator_request);
credits.operator_does_acknowledge_alert(credits.operator_request,uuid);
credits.operator_does_book_payment(credits.operator_request);
credits.operator_does_cancel_job(credits.operator_request);
credits.operator_does_close_account(credits.operator_request);
credits.operator_does_erase_account(credits.operator_request);
credits.operator_does_fix_discrepancy(credits.operator_request);
credits.operator_does_grant(credits.operator_request,text);
credits.operator_does_mute_alert(credits.operator_request);
credits.operator_does_refund_job(credits.operator_request);
credits.operator_does_reopen_account(credits.operator_request);
credits.operator_does_retry_event(credits.operator_request);
credits.operator_does_reverse_grant(credits.operator_request);
credits.operator_does_set_overdraft(credits.operator_request);
credits.operator_does_set_plan(credits.operator_request,text);
credits.operator_does_withdraw(credits.operator_request,text); credits.operator_enter(text,text,text,uuid[]);
credits.operator_entry_discrepancies(); credits.operator_fixes();
credits.operator_note(uuid,credits.operator_request,credits.operator_effect,bigint,bigint);
credits.operator_perform(uuid,credits.operator_request,text); credits.operator_refuse(text,text,text,text);
credits.operator_replay(uuid,credits.operator_request); credits.operator_rights(); credits.operator_role();
credits.operator_row(uuid); credits.operator_used_today(uuid);
credits.operator_within_limits(public.credit_operators,bigint); credits.operators_forget(uuid[],boolean);
credits.orphan_discrepancies(uuid); credits.output_check(uuid,uuid,jsonb); credits.output_emptied(jsonb);
credits.output_files(jsonb); credits.output_has_data(jsonb); credits.output_hash(jsonb);
credits.output_limit(text,timestamp with time zone); credits.output_policy(); credits.outputs_due(integer);
credits.outputs_expire(text[]);
credits.overdraft_fill(public.credit_accounts,bigint,bigint,public.credit_entry_kind,uuid,text,jsonb);
credits.part_differences(text); credits.payer_denial(uuid,uuid); credits.payer_read(uuid,uuid,text,boolean);
credits.payment_account(text,boolean,text); credits.payment_book(public.payments,jsonb,boolean);
credits.payment_book_discrepancies(); credits.payment_cause(public.payments);
credits.payment_credits(public.payments); credits.payment_discrepancies(); credits.payment_disputed(text);
credits.payment_event_note(jsonb,text,boolean,text,uuid,text,text);
credits.payment_expires_at(credits.payment_terms); credits.payment_findings_now();
credits.payment_grant(public.payments); credits.payment_levels(public.payments);
credits.payment_lines(public.payments); credits.payment_lock(public.payments);
credits.payment_merge(public.payments,public.payments); credits.payment_read(jsonb);
credits.payment_reverse(public.payments,boolean); credits.payment_seal(public.payments);
credits.payment_state(text); credits.payment_subscription(public.payments);
credits.payment_target(public.payments); credits.payment_target_now(public.payments);
credits.payment_terms(public.payments); credits.payment_waiting_discrepancies();
credits.payment_write(public.payments); credits.people_leave(uuid[]);
credits.period_share(public.payments,timestamp with time zone,timestamp with time zone);
credits.person_accounts(uuid[],boolean); credits.person_addresses(jsonb); credits.person_close(uuid,uuid[]);
credits.person_erase(uuid,uuid,integer); credits.person_erase_from(uuid,uuid[]);
credits.person_files_delete(uuid,uuid,uuid[]); credits.person_hashes(jsonb); credits.person_identities(uuid);
credits.person_jobs_end(uuid,uuid); credits.person_leave(uuid); credits.person_reopen(uuid);
credits.person_return(uuid); credits.person_sign_up(jsonb); credits.plans_refilling(timestamp with time zone);
credits.price_cause(text,boolean,text); credits.price_change_check(text,timestamp with time zone,text);
credits.price_is_complete(); credits.price_is_kept();
credits.price_version(text,timestamp with time zone,jsonb,jsonb);
credits.price_version_insert(text,timestamp with time zone,jsonb); credits.privilege_differences();
credits.privileges_apply(); credits.product_check(text,boolean,text,jsonb); credits.product_is_kept();
credits.product_of_price(text,boolean,text,timestamp with time zone);
credits.product_settings(public.credit_products,jsonb); credits.provider_asks_due();
credits.provider_findings_now(); credits.provider_job_note(public.generation_jobs,text,jsonb);
credits.provider_jobs_clear(integer); credits.provider_word(public.generation_jobs,text,jsonb);
credits.provider_word_late(public.generation_jobs,text); credits.raise_misuse(text,text,text);
credits.raise_no_such_job(); credits.rate_is_kept(); credits.rates_change_version(); credits.rates_read(jsonb);
credits.reconcile_all(bigint); credits.reconcile_new(bigint); credits.reconciliation_findings_now();
credits.refill_anchor(public.credit_plans,public.credit_accounts);
credits.refill_anchor_on(
public.credit_plans,public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.refill_begins(date,date); credits.refill_ends(public.credit_plans,public.credit_accounts,date);
credits.refill_first(public.credit_plans,public.credit_accounts,date); credits.refill_is_due(uuid);
credits.refill_month(public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.refill_month_before(public.credit_plans,public.credit_accounts); credits.refill_ref(uuid,date);
credits.refill_source_is_free(); credits.refills_cap(uuid[]);
credits.refills_due(uuid[],date,timestamp with time zone);
credits.refills_next(uuid,integer,timestamp with time zone); credits.refills_start_now();
credits.refund_book(uuid,public.credit_entry_kind,uuid,bigint,text,text,boolean,uuid,timestamp with time zone);
credits.refund_overdrawn(public.credit_accounts,public.credit_entry_kind,uuid,bigint,text,jsonb,boolean);
credits.refund_return(
public.credit_accounts,public.credit_entry_kind,uuid,public.credit_grants,bigint,text,jsonb,boolean);
credits.refund_was_booked(public.generation_jobs,text); credits.refunds_merge(jsonb,jsonb);
credits.refunds_read(jsonb); credits.repair_statements(text);
credits.repeats_are_many(uuid,integer,timestamp with time zone); credits.request_events_month(date);
credits.request_price(text,jsonb); credits.request_record(public.credit_charge_result,uuid,text,text);
credits.request_refused(text,jsonb,text); credits.required(text,anyelement); credits.restored_row_wins();
credits.roll_over_end(public.credit_accounts,public.credit_plans);
credits.roll_over_excess(public.credit_accounts,public.credit_grants,bigint,uuid);
credits.roll_over_trim(public.credit_accounts,bigint); credits.rolled_over(uuid); credits.schedule_changed();
credits.sign_up_finish(uuid,bigint); credits.sign_up_give(uuid,bytea[],bigint); credits.sign_up_grants_left();
credits.sign_up_later(uuid); credits.slot(uuid); credits.speech_asked(public.generation_models,jsonb);
credits.spending_month(date); credits.spent_this_month(bigint,date); credits.storage_set_up();
credits.storage_statements(); credits.subscription_book(public.payment_subscriptions,text);
credits.subscription_discrepancies(); credits.subscription_ends_at(public.payment_subscriptions);
credits.subscription_follow(public.payment_subscriptions,text); credits.subscription_read(jsonb);
credits.subscription_terms(public.payment_subscriptions); credits.suspect_archives(); credits.suspect_chains();
credits.suspect_counts(); credits.suspect_debts(); credits.suspect_ends();
credits.suspect_entries_since(credits.run_horizon); credits.suspect_keys(); credits.suspect_repeats();
credits.suspect_repeats_since(credits.run_horizon); credits.suspect_sums(bigint); credits.suspects();
credits.suspects_among_changed(); credits.suspects_now(); credits.suspects_of_any_age(); credits.sweep_grace();
credits.team_keeps_owner(uuid); credits.team_lock(uuid); credits.team_pass_on(uuid); credits.team_spare(uuid);
credits.team_successor(uuid);
credits.text_answer(public.credit_charge_result,credits.text_model,jsonb,uuid,uuid);
credits.text_available(uuid,uuid,uuid); credits.text_hold(credits.text_model,jsonb,bigint);
credits.text_input(jsonb,credits.text_hold,jsonb,boolean,text); credits.text_model_in_force(text);
credits.text_request(jsonb); credits.text_settle_by_progress(uuid,uuid,text);
credits.text_used(public.generation_jobs,jsonb,text); credits.to_bigint(numeric);
credits.traffic_findings_now();
credits.transfer_book(public.credit_accounts,public.credit_accounts,bigint,text,text);
credits.transfer_check(credits.transfer_order);
credits.transfer_expiry(public.credit_accounts,public.credit_grants);
credits.transfer_plan(public.credit_accounts,public.credit_accounts,bigint);
credits.transfers_make(credits.transfer_order[]); credits.transfers_note(credits.transfer_order[]);
credits.transfers_read(jsonb); credits.trial_charge(uuid,text,jsonb); credits.trial_delete(uuid);
credits.trial_prepare(uuid,text); credits.trial_refund(uuid); credits.trial_run(uuid);
credits.trial_update(uuid); credits.type_of_meters(text[]); credits.unused_uploads(uuid);
credits.upgrade_credits(public.credit_plans,public.credit_accounts,timestamp with time zone);
credits.upload_denied(text,jsonb); credits.upload_errors(text,bigint);
credits.upload_is_named(uuid,text,timestamp with time zone);
credits.upload_verdict(public.generation_uploads,numeric,integer); credits.uploads_expire(text[],text);
credits.usage_cost(text[],numeric[],jsonb); credits.usage_most(text[],numeric[],jsonb,integer,integer,integer);
credits.usage_reported(jsonb); credits.user_changed(jsonb,jsonb); credits.user_created();
credits.user_deleted(); credits.user_facts(jsonb); credits.user_updated(); credits.vault_secret(text);
credits.version_takes_rates(); credits.video_asked(public.generation_models,jsonb); credits.watched_roles();
credits.withdrawal_plan(uuid,bigint,bigint);
credits.withdrawal_replay(public.credit_accounts,bigint,bigint,text); credits.witness_discrepancies();
credits.witness_objects(text); public.abandon_text(uuid); public.account_expiring_grants(uuid);
public.account_models(uuid,uuid);
public.account_statement(uuid,timestamp with time zone,timestamp with time zone);
public.account_statement_json(uuid,timestamp with time zone,timestamp with time zone);
public.acknowledge_alert(uuid,text); public.announce_expiring_grants(integer); public.apply_retention();
public.apply_schedule(); public.archive_ledger(timestamp with time zone,bigint);
public.atomic_charge_credits(uuid,text,jsonb,text,text,uuid,boolean);
public.atomic_charge_credits_batch(uuid,jsonb,boolean); public.balance_as_of(uuid,timestamp with time zone);
public.book_payment(jsonb,jsonb); public.book_subscription(jsonb,jsonb);
public.cancel_generation(uuid,uuid,boolean); public.charge_by_app_key(uuid,uuid,text,jsonb,text,text,boolean);
public.charge_text(uuid,uuid,uuid,text,jsonb,text,text); public.check_input_object(uuid,text);
public.claim_events(integer,boolean,text); public.claim_outputs_to_move(integer);
public.claim_provider_asks(integer); public.claim_storage_deletions(integer); public.correct_job(uuid,text);
public.create_app_key(uuid,uuid,text,text[],bigint,timestamp with time zone);
public.create_team_account(uuid,uuid); public.create_upload(uuid,uuid,text,bigint);
public.delete_output(uuid,uuid); public.detect_anomalies(integer); public.erase_account(uuid);
public.erase_job(uuid,uuid); public.evaluate_alerts(); public.expire_grants(integer);
public.fail_generation(uuid,jsonb); public.find_outputs_to_move(); public.find_payment(text,text);
public.finish_erasures(integer); public.finish_event(uuid,text,text,integer,boolean);
public.finish_output_move(uuid,jsonb); public.finish_storage_deletions(text[]);
public.follow_subscriptions(integer); public.function_calls_due(); public.get_generation_stats(integer);
public.grant_credits(uuid,bigint,text,public.credit_entry_kind,timestamp with time zone,text,smallint,jsonb);
public.grant_due_sign_ups(integer); public.import_model_price(text,jsonb,jsonb,numeric,jsonb);
public.keep_late_output(uuid,jsonb); public.ledger_seq_as_of(uuid,timestamp with time zone);
public.link_payment_customer(uuid,text,boolean,text); public.list_app_keys(uuid,uuid);
public.maintain_request_events(); public.mute_alert_rule(text,timestamp with time zone);
public.note_generation_progress(uuid,jsonb); public.note_payment_event(jsonb,text,text);
public.operational_metrics(); public.operator_abilities(); public.operator_acknowledge_alert(uuid,text,text);
public.operator_approve(uuid,text,text); public.operator_book_payment(text,text,text);
public.operator_cancel_job(uuid,text,text); public.operator_close_account(uuid,text,text);
public.operator_erase_account(uuid,text,text); public.operator_fix_discrepancy(text,text,text,text);
public.operator_grant(uuid,bigint,timestamp with time zone,text,text);
public.operator_mute_alert(text,timestamp with time zone,text,text);
public.operator_refund_job(uuid,bigint,text,text); public.operator_reject(uuid,text,text);
public.operator_remove(uuid,text,text); public.operator_reopen_account(uuid,text,text);
public.operator_retry_event(uuid,text,text); public.operator_reverse_grant(uuid,bigint,bigint,text,text);
public.operator_set(uuid,text,bigint,bigint,text,text); public.operator_set_overdraft(uuid,bigint,text,text);
public.operator_set_plan(uuid,text,text,text); public.operator_withdraw(uuid,bigint,text,text);
public.payment_status(uuid,text); public.prepare_checkout(uuid,uuid,text,integer,text,boolean);
public.prepare_portal(uuid,uuid,text,boolean); public.preview_payment(jsonb);
public.preview_subscription(jsonb); public.provider_answered(uuid,text,text,text,jsonb);
public.quote_generation(text,jsonb); public.quote_text(text,jsonb);
public.receive_callback(uuid,text,text,text,jsonb); public.reconcile_credit_ledger(boolean);
public.record_anomalies(); public.refill_plans(integer); public.refund_credits(uuid,bigint,text);
public.remove_account_member(uuid,uuid); public.repair_deployment(); public.request_function(text);
public.retry_events(timestamp with time zone,integer); public.retry_payment(text);
public.retry_payments(integer); public.reverse_grant(uuid,bigint,bigint,text);
public.revoke_app_key(uuid,uuid,uuid); public.run_task(text); public.set_account_member(uuid,uuid,text,bigint);
public.set_account_plan(uuid,text); public.set_model_price(text,jsonb,timestamp with time zone,jsonb);
public.set_product(text,boolean,text,jsonb,timestamp with time zone);
public.settle_generation(uuid,jsonb,bigint,jsonb); public.settle_text(uuid,jsonb,text,jsonb);
public.start_generation(uuid,text,jsonb); public.sweep_overdue_jobs(integer);
public.text_terms(text,uuid,uuid,text); public.transfer_credits(uuid,uuid,bigint,text,text);
public.transfer_credits_batch(jsonb); public.verify_deployment(); public.verify_ledger(uuid,boolean);
public.verify_operator_actions(uuid); public.withdraw_credits(uuid,bigint,bigint,text,text)$list$),
('table', $list$
credits.file_sweep; credits.installation; credits.outputs_to_move; credits.request_events_rest; credits.secrets;
credits.sign_up_addresses; credits.sign_ups_due; credits.storage_deletions; public.account_erasures;
public.account_members; public.credit_accounts; public.credit_alert_rules; public.credit_alerts;
public.credit_anomaly_findings; public.credit_anomaly_rules; public.credit_app_keys; public.credit_debts;
public.credit_event_endpoints; public.credit_events; public.credit_grants; public.credit_ledger;
public.credit_ledger_anchors; public.credit_ledger_archive; public.credit_ledger_checkpoints;
public.credit_operators; public.credit_plans; public.credit_products; public.credit_request_events;
public.credit_scheduled_tasks; public.credit_settings; public.credit_sign_up_grants; public.credit_task_runs;
public.credit_transfers; public.credit_withdrawals; public.generation_jobs; public.generation_model_costs;
public.generation_model_rates; public.generation_models; public.generation_provider_jobs;
public.generation_uploads; public.generation_usage; public.operator_actions; public.operator_approvals;
public.payment_customers; public.payment_disputes; public.payment_events; public.payment_subscriptions;
public.payments; public.reconciliation_classes; public.reconciliation_findings; public.reconciliation_runs$list$),
('type', $list$
credits.alert_finding; credits.burn_plan; credits.deployment_check; credits.discrepancy;
credits.expiry_position; credits.judged_file; credits.movement; credits.operator_effect;
credits.operator_request; credits.payment_discrepancy; credits.payment_terms; credits.priced_request;
credits.run_horizon; credits.text_hold; credits.text_model; credits.transfer_order; credits.witness_object;
public.credit_anomaly; public.credit_archive_result; public.credit_charge_result; public.credit_entry_kind;
public.credit_grant_result; public.credit_ledger_result; public.credit_operator_role;
public.credit_reversal_result; public.credit_transfer_result; public.credit_withdrawal_result;
public.generation_callback_result; public.generation_job_result; public.generation_job_status;
public.generation_output_to_move; public.generation_provider_ask; public.generation_quote;
public.generation_stats; public.generation_text_charge; public.generation_text_quote;
public.generation_text_terms; public.generation_upload; public.operator_chain_result; public.operator_result;
public.payment_checkout; public.payment_result; public.payment_status_result$list$),
('view', $list$
credits.action_links; credits.chain_links; credits.charge_terms; credits.debts_owed; credits.denials;
credits.grants_repaid; credits.members_counted; credits.spendable_grants; credits.transfers_booked;
credits.withdrawals_booked; public.account_balances; public.account_teams_without_owner;
public.credit_anomalies; public.credit_journal; public.credit_ledger_chain_breaks;
public.credit_liability_daily; public.credit_rate_limit_hits; public.credit_request_trail;
public.credit_revenue_daily; public.credit_unsettled_jobs; public.generation_files; public.generation_margins;
public.generation_margins_daily; public.generation_stats_hourly; public.payment_deferred_revenue;
public.payment_discrepancies; public.payment_revenue_daily; public.reconciliation_discrepancies;
public.reconciliation_latest; public.reconciliation_summary$list$)
  ) as v (kind, list)
  cross join lateral regexp_split_to_table(trim(v.list, E'\n'), ';\s') as o (identity);
$$;
comment on function credits.delivered_objects() is
  'Every delivered table, view, function (with its arguments) and type.';

create function credits.delivered_parts()
returns table (kind text, table_name text, part_name text, definition text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select v.kind, v.table_name, v.part_name, regexp_replace(ltrim(v.definition, E'\n'), '\n', ' ', 'g') from (values
('policy', 'public.account_erasures', 'account_erasures_read_auditor', $sql$
CREATE POLICY account_erasures_read_auditor ON public.account_erasures AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.account_members', 'account_members_read_auditor', $sql$
CREATE POLICY account_members_read_auditor ON public.account_members AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.account_members', 'account_members_read_own_accounts', $sql$
CREATE POLICY account_members_read_own_accounts ON public.account_members AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_accounts', 'credit_accounts_read_auditor', $sql$
CREATE POLICY credit_accounts_read_auditor ON public.credit_accounts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_accounts', 'credit_accounts_read_own', $sql$
CREATE POLICY credit_accounts_read_own ON public.credit_accounts AS PERMISSIVE FOR SELECT TO authenticated
USING ((id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_alert_rules', 'credit_alert_rules_read_auditor', $sql$
CREATE POLICY credit_alert_rules_read_auditor ON public.credit_alert_rules AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_alerts', 'credit_alerts_read_auditor', $sql$
CREATE POLICY credit_alerts_read_auditor ON public.credit_alerts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_anomaly_findings', 'credit_anomaly_findings_read_auditor', $sql$
CREATE POLICY credit_anomaly_findings_read_auditor ON public.credit_anomaly_findings AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_anomaly_rules', 'credit_anomaly_rules_read_auditor', $sql$
CREATE POLICY credit_anomaly_rules_read_auditor ON public.credit_anomaly_rules AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_app_keys', 'credit_app_keys_read_auditor', $sql$
CREATE POLICY credit_app_keys_read_auditor ON public.credit_app_keys AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_debts', 'credit_debts_read_auditor', $sql$
CREATE POLICY credit_debts_read_auditor ON public.credit_debts AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_debts', 'credit_debts_read_own', $sql$
CREATE POLICY credit_debts_read_own ON public.credit_debts AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_event_endpoints', 'credit_event_endpoints_read_auditor', $sql$
CREATE POLICY credit_event_endpoints_read_auditor ON public.credit_event_endpoints AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_events', 'credit_events_read_auditor', $sql$
CREATE POLICY credit_events_read_auditor ON public.credit_events AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_grants', 'credit_grants_read_auditor', $sql$
CREATE POLICY credit_grants_read_auditor ON public.credit_grants AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_grants', 'credit_grants_read_own', $sql$
CREATE POLICY credit_grants_read_own ON public.credit_grants AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger', 'credit_ledger_read_auditor', $sql$
CREATE POLICY credit_ledger_read_auditor ON public.credit_ledger AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger', 'credit_ledger_read_own', $sql$
CREATE POLICY credit_ledger_read_own ON public.credit_ledger AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger_anchors', 'credit_ledger_anchors_read_auditor', $sql$
CREATE POLICY credit_ledger_anchors_read_auditor ON public.credit_ledger_anchors AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger_archive', 'credit_ledger_archive_read_auditor', $sql$
CREATE POLICY credit_ledger_archive_read_auditor ON public.credit_ledger_archive AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_ledger_archive', 'credit_ledger_archive_read_own', $sql$
CREATE POLICY credit_ledger_archive_read_own ON public.credit_ledger_archive AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.credit_ledger_checkpoints', 'credit_ledger_checkpoints_read_auditor', $sql$
CREATE POLICY credit_ledger_checkpoints_read_auditor ON public.credit_ledger_checkpoints AS PERMISSIVE FOR
SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_operators', 'credit_operators_read_auditor', $sql$
CREATE POLICY credit_operators_read_auditor ON public.credit_operators AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_plans', 'credit_plans_read', $sql$
CREATE POLICY credit_plans_read ON public.credit_plans AS PERMISSIVE FOR SELECT TO authenticated
USING (true)$sql$),
('policy', 'public.credit_plans', 'credit_plans_read_auditor', $sql$
CREATE POLICY credit_plans_read_auditor ON public.credit_plans AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_products', 'credit_products_read_auditor', $sql$
CREATE POLICY credit_products_read_auditor ON public.credit_products AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_products', 'credit_products_read_enabled', $sql$
CREATE POLICY credit_products_read_enabled ON public.credit_products AS PERMISSIVE FOR SELECT TO authenticated
USING ((enabled AND credits.is_product_in_force(provider, livemode, name, effective_from)))$sql$),
('policy', 'public.credit_request_events', 'credit_request_events_read_auditor', $sql$
CREATE POLICY credit_request_events_read_auditor ON public.credit_request_events AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_scheduled_tasks', 'credit_scheduled_tasks_read_auditor', $sql$
CREATE POLICY credit_scheduled_tasks_read_auditor ON public.credit_scheduled_tasks AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_settings', 'credit_settings_read_auditor', $sql$
CREATE POLICY credit_settings_read_auditor ON public.credit_settings AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.credit_sign_up_grants', 'credit_sign_up_grants_read_auditor', $sql$
CREATE POLICY credit_sign_up_grants_read_auditor ON public.credit_sign_up_grants AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_task_runs', 'credit_task_runs_read_auditor', $sql$
CREATE POLICY credit_task_runs_read_auditor ON public.credit_task_runs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_transfers', 'credit_transfers_read_auditor', $sql$
CREATE POLICY credit_transfers_read_auditor ON public.credit_transfers AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.credit_withdrawals', 'credit_withdrawals_read_auditor', $sql$
CREATE POLICY credit_withdrawals_read_auditor ON public.credit_withdrawals AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_jobs', 'generation_jobs_read_auditor', $sql$
CREATE POLICY generation_jobs_read_auditor ON public.generation_jobs AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.generation_jobs', 'generation_jobs_read_own', $sql$
CREATE POLICY generation_jobs_read_own ON public.generation_jobs AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.generation_model_costs', 'generation_model_costs_read_auditor', $sql$
CREATE POLICY generation_model_costs_read_auditor ON public.generation_model_costs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_model_rates', 'generation_model_rates_read_auditor', $sql$
CREATE POLICY generation_model_rates_read_auditor ON public.generation_model_rates AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_model_rates', 'generation_model_rates_read_enabled', $sql$
CREATE POLICY generation_model_rates_read_enabled ON public.generation_model_rates AS PERMISSIVE FOR SELECT TO
anon, authenticated
USING ((EXISTS ( SELECT
   FROM public.generation_models m
  WHERE ((m.name = generation_model_rates.model) AND
(m.effective_from = generation_model_rates.effective_from)))))$sql$),
('policy', 'public.generation_models', 'generation_models_read_auditor', $sql$
CREATE POLICY generation_models_read_auditor ON public.generation_models AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_models', 'generation_models_read_enabled', $sql$
CREATE POLICY generation_models_read_enabled ON public.generation_models AS PERMISSIVE FOR SELECT TO anon,
authenticated
USING ((enabled AND credits.is_price_in_force(name, effective_from)))$sql$),
('policy', 'public.generation_provider_jobs', 'generation_provider_jobs_read_auditor', $sql$
CREATE POLICY generation_provider_jobs_read_auditor ON public.generation_provider_jobs AS PERMISSIVE FOR SELECT
TO credits_auditor
USING (true)$sql$),
('policy', 'public.generation_uploads', 'generation_uploads_read_auditor', $sql$
CREATE POLICY generation_uploads_read_auditor ON public.generation_uploads AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_uploads', 'generation_uploads_read_own', $sql$
CREATE POLICY generation_uploads_read_own ON public.generation_uploads AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.generation_usage', 'generation_usage_read_auditor', $sql$
CREATE POLICY generation_usage_read_auditor ON public.generation_usage AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.generation_usage', 'generation_usage_read_own', $sql$
CREATE POLICY generation_usage_read_own ON public.generation_usage AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_account_ids() AS my_account_ids))))$sql$),
('policy', 'public.operator_actions', 'operator_actions_read_auditor', $sql$
CREATE POLICY operator_actions_read_auditor ON public.operator_actions AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.operator_approvals', 'operator_approvals_read_auditor', $sql$
CREATE POLICY operator_approvals_read_auditor ON public.operator_approvals AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_customers', 'payment_customers_read_auditor', $sql$
CREATE POLICY payment_customers_read_auditor ON public.payment_customers AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_disputes', 'payment_disputes_read_auditor', $sql$
CREATE POLICY payment_disputes_read_auditor ON public.payment_disputes AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_events', 'payment_events_read_auditor', $sql$
CREATE POLICY payment_events_read_auditor ON public.payment_events AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.payment_subscriptions', 'payment_subscriptions_read_auditor', $sql$
CREATE POLICY payment_subscriptions_read_auditor ON public.payment_subscriptions AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.payment_subscriptions', 'payment_subscriptions_read_own', $sql$
CREATE POLICY payment_subscriptions_read_own ON public.payment_subscriptions AS PERMISSIVE FOR SELECT TO
authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_paying_account_ids() AS my_paying_account_ids))))$sql$),
('policy', 'public.payments', 'payments_read_auditor', $sql$
CREATE POLICY payments_read_auditor ON public.payments AS PERMISSIVE FOR SELECT TO credits_auditor
USING (true)$sql$),
('policy', 'public.payments', 'payments_read_own', $sql$
CREATE POLICY payments_read_own ON public.payments AS PERMISSIVE FOR SELECT TO authenticated
USING ((account_id = ANY (ARRAY( SELECT credits.my_paying_account_ids() AS my_paying_account_ids))))$sql$),
('policy', 'public.reconciliation_classes', 'reconciliation_classes_read_auditor', $sql$
CREATE POLICY reconciliation_classes_read_auditor ON public.reconciliation_classes AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.reconciliation_findings', 'reconciliation_findings_read_auditor', $sql$
CREATE POLICY reconciliation_findings_read_auditor ON public.reconciliation_findings AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('policy', 'public.reconciliation_runs', 'reconciliation_runs_read_auditor', $sql$
CREATE POLICY reconciliation_runs_read_auditor ON public.reconciliation_runs AS PERMISSIVE FOR SELECT TO
credits_auditor
USING (true)$sql$),
('trigger', 'auth.users', 'atomic_credits_user_created', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_created AFTER INSERT ON auth.users
FOR EACH ROW
EXECUTE FUNCTION credits.user_created()$sql$),
('trigger', 'auth.users', 'atomic_credits_user_deleted', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_deleted AFTER DELETE ON auth.users REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT
EXECUTE FUNCTION credits.user_deleted()$sql$),
('trigger', 'auth.users', 'atomic_credits_user_updated', $sql$
CREATE OR REPLACE TRIGGER atomic_credits_user_updated AFTER UPDATE ON auth.users REFERENCING OLD TABLE AS
users_before NEW TABLE AS users_now
FOR EACH STATEMENT
EXECUTE FUNCTION credits.user_updated()$sql$),
('trigger', 'credits.file_sweep', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.file_sweep
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.file_sweep ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'credits.installation', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.installation
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.installation ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'credits.secrets', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON credits.secrets
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE credits.secrets ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.account_members', 'account_version_touch', $sql$
CREATE OR REPLACE TRIGGER account_version_touch AFTER INSERT OR DELETE OR UPDATE OF role, monthly_cap ON
public.account_members
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_touch()$sql$),
('trigger', 'public.credit_accounts', 'account_rejoined', $sql$
CREATE OR REPLACE TRIGGER account_rejoined BEFORE UPDATE OF closed_at ON public.credit_accounts
FOR EACH ROW WHEN (((old.closed_at IS NOT NULL) AND (new.closed_at IS NULL) AND (new.user_id IS NULL) AND (NOT
new.is_team)))
EXECUTE FUNCTION credits.account_rejoined()$sql$),
('trigger', 'public.credit_accounts', 'account_reopened', $sql$
CREATE OR REPLACE TRIGGER account_reopened BEFORE UPDATE OF closed_at ON public.credit_accounts
FOR EACH ROW WHEN (((old.closed_at IS NOT NULL) AND (new.closed_at IS NULL) AND (new.refilled_for IS NOT NULL)))
EXECUTE FUNCTION credits.account_reopened()$sql$),
('trigger', 'public.credit_accounts', 'account_version_raise', $sql$
CREATE OR REPLACE TRIGGER account_version_raise BEFORE UPDATE OF id, user_id, plan, credit_limit,
lowered_credit_limit, debt, debt_seq, refilled_for, cancels, cancels_on, refill_anchor, closed_at, created_at,
is_team ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_raise()$sql$),
('trigger', 'public.credit_accounts', 'credit_limit_changed', $sql$
CREATE OR REPLACE TRIGGER credit_limit_changed BEFORE INSERT OR UPDATE OF credit_limit ON public.credit_accounts
FOR EACH ROW
EXECUTE FUNCTION credits.credit_limit_changed()$sql$),
('trigger', 'public.credit_alert_rules', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_alert_rules
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_alert_rules ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_anomaly_rules', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_anomaly_rules
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_anomaly_rules ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_debts', 'credit_debts_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_debts_refuse_change BEFORE DELETE OR UPDATE ON public.credit_debts
FOR EACH ROW
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_debts ENABLE ALWAYS TRIGGER credit_debts_refuse_change$sql$),
('trigger', 'public.credit_debts', 'credit_debts_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_debts_refuse_truncate BEFORE TRUNCATE ON public.credit_debts
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_debts ENABLE ALWAYS TRIGGER credit_debts_refuse_truncate$sql$),
('trigger', 'public.credit_grants', 'account_version_touch', $sql$
CREATE OR REPLACE TRIGGER account_version_touch AFTER UPDATE OF priority, expires_at ON public.credit_grants
FOR EACH ROW
EXECUTE FUNCTION credits.account_version_touch()$sql$),
('trigger', 'public.credit_grants', 'grant_sealed', $sql$
CREATE OR REPLACE TRIGGER grant_sealed BEFORE INSERT ON public.credit_grants
FOR EACH ROW
EXECUTE FUNCTION credits.grant_sealed()$sql$),
('trigger', 'public.credit_ledger', 'credit_ledger_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_refuse_change BEFORE DELETE OR UPDATE ON public.credit_ledger
FOR EACH ROW WHEN ((NOT credits.entry_is_archived(old.*)))
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger ENABLE ALWAYS TRIGGER credit_ledger_refuse_change$sql$),
('trigger', 'public.credit_ledger', 'credit_ledger_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_refuse_truncate BEFORE TRUNCATE ON public.credit_ledger
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger ENABLE ALWAYS TRIGGER credit_ledger_refuse_truncate$sql$),
('trigger', 'public.credit_ledger_archive', 'credit_ledger_archive_refuse_change', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_archive_refuse_change BEFORE DELETE OR UPDATE ON
public.credit_ledger_archive
FOR EACH ROW
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger_archive ENABLE ALWAYS TRIGGER credit_ledger_archive_refuse_change$sql$),
('trigger', 'public.credit_ledger_archive', 'credit_ledger_archive_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER credit_ledger_archive_refuse_truncate BEFORE TRUNCATE ON public.credit_ledger_archive
FOR EACH STATEMENT
EXECUTE FUNCTION credits.ledger_refuse_change();
ALTER TABLE public.credit_ledger_archive ENABLE ALWAYS TRIGGER credit_ledger_archive_refuse_truncate$sql$),
('trigger', 'public.credit_plans', 'refill_source_is_free', $sql$
CREATE OR REPLACE TRIGGER refill_source_is_free BEFORE UPDATE ON public.credit_plans
FOR EACH ROW WHEN (((old.refilled_by = 'payment'::text) AND (new.refilled_by = 'schedule'::text)))
EXECUTE FUNCTION credits.refill_source_is_free()$sql$),
('trigger', 'public.credit_plans', 'refills_start_now', $sql$
CREATE OR REPLACE TRIGGER refills_start_now AFTER UPDATE ON public.credit_plans REFERENCING OLD TABLE AS
plans_before NEW TABLE AS plans_now
FOR EACH STATEMENT
EXECUTE FUNCTION credits.refills_start_now()$sql$),
('trigger', 'public.credit_plans', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_plans
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_plans ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_products', 'product_is_kept', $sql$
CREATE OR REPLACE TRIGGER product_is_kept BEFORE DELETE OR UPDATE ON public.credit_products
FOR EACH ROW
EXECUTE FUNCTION credits.product_is_kept()$sql$),
('trigger', 'public.credit_scheduled_tasks', 'credit_scheduled_tasks_apply', $sql$
CREATE OR REPLACE TRIGGER credit_scheduled_tasks_apply AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON
public.credit_scheduled_tasks
FOR EACH STATEMENT
EXECUTE FUNCTION credits.schedule_changed()$sql$),
('trigger', 'public.credit_scheduled_tasks', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_scheduled_tasks
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_scheduled_tasks ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_settings', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_settings
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_settings ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.credit_task_runs', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.credit_task_runs
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.credit_task_runs ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_model_rates', 'rate_is_kept', $sql$
CREATE OR REPLACE TRIGGER rate_is_kept BEFORE INSERT OR DELETE OR UPDATE ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.rate_is_kept()$sql$),
('trigger', 'public.generation_model_rates', 'rates_change_version', $sql$
CREATE OR REPLACE TRIGGER rates_change_version AFTER INSERT OR DELETE OR UPDATE ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.rates_change_version()$sql$),
('trigger', 'public.generation_model_rates', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.generation_model_rates
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.generation_model_rates ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_models', 'price_is_complete', $sql$
CREATE CONSTRAINT TRIGGER price_is_complete AFTER INSERT OR UPDATE ON public.generation_models DEFERRABLE
INITIALLY DEFERRED
FOR EACH ROW
EXECUTE FUNCTION credits.price_is_complete()$sql$),
('trigger', 'public.generation_models', 'price_is_kept', $sql$
CREATE OR REPLACE TRIGGER price_is_kept BEFORE DELETE ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.price_is_kept()$sql$),
('trigger', 'public.generation_models', 'price_is_unchanged', $sql$
CREATE OR REPLACE TRIGGER price_is_unchanged BEFORE UPDATE ON public.generation_models
FOR EACH ROW WHEN (((((old.name IS DISTINCT FROM new.name) OR (old.effective_from IS DISTINCT FROM
new.effective_from)) OR (old.overage IS DISTINCT FROM new.overage)) OR (old.created_at IS DISTINCT FROM
new.created_at)))
EXECUTE FUNCTION credits.price_is_kept()$sql$),
('trigger', 'public.generation_models', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.generation_models ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.generation_models', 'version_takes_rates', $sql$
CREATE OR REPLACE TRIGGER version_takes_rates BEFORE INSERT OR UPDATE ON public.generation_models
FOR EACH ROW
EXECUTE FUNCTION credits.version_takes_rates()$sql$),
('trigger', 'public.operator_actions', 'operator_actions_refuse_change', $sql$
CREATE OR REPLACE TRIGGER operator_actions_refuse_change BEFORE DELETE OR UPDATE ON public.operator_actions
FOR EACH ROW
EXECUTE FUNCTION credits.actions_refuse_change();
ALTER TABLE public.operator_actions ENABLE ALWAYS TRIGGER operator_actions_refuse_change$sql$),
('trigger', 'public.operator_actions', 'operator_actions_refuse_truncate', $sql$
CREATE OR REPLACE TRIGGER operator_actions_refuse_truncate BEFORE TRUNCATE ON public.operator_actions
FOR EACH STATEMENT
EXECUTE FUNCTION credits.actions_refuse_change();
ALTER TABLE public.operator_actions ENABLE ALWAYS TRIGGER operator_actions_refuse_truncate$sql$),
('trigger', 'public.reconciliation_classes', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.reconciliation_classes
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.reconciliation_classes ENABLE REPLICA TRIGGER restored_row_wins$sql$),
('trigger', 'public.reconciliation_runs', 'restored_row_wins', $sql$
CREATE OR REPLACE TRIGGER restored_row_wins BEFORE INSERT ON public.reconciliation_runs
FOR EACH ROW
EXECUTE FUNCTION credits.restored_row_wins();
ALTER TABLE public.reconciliation_runs ENABLE REPLICA TRIGGER restored_row_wins$sql$)
  ) as v (kind, table_name, part_name, definition);
$$;
comment on function credits.delivered_parts() is
  'Every delivered policy and trigger, also those on auth.users, with the statement that makes it.';

-- supabase/schemas/17_deployment/40_deployed.sql
-- Gives: which of the delivered objects exist, how their triggers and policies differ, and the type of a check.
-- Keeps: nothing depends on the migration history, which a restore may leave out.
-- Needs: delivered.

create type credits.deployment_check as (
  check_name text,
  ok boolean,
  detail text,
  remedy text
);

create function credits.deployed_objects()
returns table (kind text, schema_name text, object_name text)
language sql
immutable
set search_path = '', pg_temp
as $$
  select o.kind, split_part(o.identity, '.', 1), substring(o.identity from '^\w+\.(\w+)')
    from credits.delivered_objects() as o;
$$;
comment on function credits.deployed_objects() is
  'Every delivered table, view, function and type by its name, whether it exists or not.';

create function credits.deployed_relations()
returns setof pg_catalog.pg_class
language sql
stable
set search_path = '', pg_temp
as $$
  with made as (
    select c.oid from credits.deployed_objects() as o
    join pg_catalog.pg_namespace as n on n.nspname = o.schema_name
    join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = o.object_name
    where o.kind in ('table', 'view')
  )
  select c from pg_catalog.pg_class as c
  where c.oid in (
    select m.oid from made as m
    union all
    select p.relid from made as m cross join lateral pg_partition_tree(m.oid) as p);
$$;
comment on function credits.deployed_relations() is
  'The delivered tables and views that exist, with every partition, as it can be queried by its own name.';

create function credits.deployed_functions()
returns setof pg_catalog.pg_proc
language sql
stable
set search_path = '', pg_temp
as $$
  select p from credits.deployed_objects() as o
  join pg_catalog.pg_namespace as n on n.nspname = o.schema_name
  join pg_catalog.pg_proc as p on p.pronamespace = n.oid and p.proname = o.object_name
  where o.kind = 'function';
$$;
comment on function credits.deployed_functions() is
  'The delivered functions that exist, with every function that shares a name with one: an overload would be a second '
  'way in.';

create function credits.deployed_parts()
returns table (kind text, table_name text, part_name text, definition text)
language sql
stable
set search_path = '', pg_temp
as $$
  select 'trigger', t.tgrelid::regclass::text, t.tgname::text,
    replace(pg_get_triggerdef(t.oid), 'CREATE TRIGGER', 'CREATE OR REPLACE TRIGGER') || case t.tgenabled
      when 'O' then '' else format('; ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass,
        case t.tgenabled when 'A' then 'ENABLE ALWAYS' when 'R' then 'ENABLE REPLICA' else 'DISABLE' end, t.tgname) end
  from pg_catalog.pg_trigger as t where not t.tgisinternal
  union all
  select 'policy', p.polrelid::regclass::text, p.polname::text,
    format('CREATE POLICY %I ON %s AS %s FOR %s TO %s USING (%s)', p.polname, p.polrelid::regclass,
      case when p.polpermissive then 'PERMISSIVE' else 'RESTRICTIVE' end,
      case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE'
        else 'ALL' end,
      (select string_agg(coalesce(quote_ident(r.rolname), 'public'), ', ' order by r.rolname)
       from unnest(p.polroles) as u (id) left join pg_catalog.pg_roles as r on r.oid = u.id),
      pg_get_expr(p.polqual, p.polrelid))
      || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
  from pg_catalog.pg_policy as p;
$$;
comment on function credits.deployed_parts() is
  'Every trigger and policy of this database, as a statement that makes it.';

create function credits.part_differences(p_kind text)
returns table (table_name text, part_name text, definition text)
language sql
stable
set search_path = '', pg_temp
as $$
  select w.table_name, w.part_name, w.definition from credits.delivered_parts() as w
  where w.kind = p_kind and not exists (
    select from credits.deployed_parts() as f
    where f.kind = w.kind and f.table_name = w.table_name and f.part_name = w.part_name
      -- Without the conditions: Postgres versions and dumps print them differently.
      and regexp_replace(f.definition, ' USING .*| WHEN .*(?= EXECUTE )', '')
        = regexp_replace(w.definition, ' USING .*| WHEN .*(?= EXECUTE )', ''));
$$;
comment on function credits.part_differences(text) is
  'The delivered triggers, or policies, that are missing or differ; their conditions (WHEN, USING) are not compared.';

create function credits.check_none(p_check text, p_found text[], p_remedy text)
returns credits.deployment_check
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return row(
    p_check, p_found is null, coalesce(left(array_to_string(p_found, ', '), 2000), 'as it should be'),
    case when p_found is not null then p_remedy end)::credits.deployment_check;
end;
$$;
comment on function credits.check_none(text, text[], text) is 'A check that holds when nothing was found (null).';

create function credits.check_equal(p_check text, p_expected text, p_actual text, p_remedy text)
returns credits.deployment_check
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  if p_actual = p_expected then
    return row(p_check, true, p_actual, null)::credits.deployment_check;
  end if;
  return row(p_check, false, format('%s, where %s is right', coalesce(p_actual, 'nothing'), p_expected),
    p_remedy)::credits.deployment_check;
end;
$$;
comment on function credits.check_equal(text, text, text, text) is
  'A check that holds when a text is the expected one.';

-- supabase/schemas/17_deployment/50_repair.sql
-- Gives: repair_deployment, which repairs what a restore loses: privileges, policies, triggers, the publication, the
-- bucket of outputs, the auditor's role.
-- Keeps: only the owner may call it; it changes no row but the bucket's, no column or function body, and nothing that
--   is right already.
-- Needs: outputs, auditor, deployed; when called: privileges.

create function credits.repair_statements(p_step text)
returns setof text
language sql
stable
set search_path = '', pg_temp
as $$
  select format('alter table %s enable row level security', oid::regclass) from credits.deployed_relations()
  where p_step = 'tables' and relkind in ('r', 'p') and not relrowsecurity
  union all
  select format('alter view %s set (security_invoker = true)', oid::regclass) from credits.deployed_relations()
  where p_step = 'tables' and relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
  union all
  select format('drop policy if exists %I on %s; %s', part_name, table_name, definition)
  from credits.part_differences('policy')
  where p_step = 'policies' and to_regclass(table_name) is not null
  union all
  select definition from credits.part_differences('trigger')
  where p_step = 'triggers' and to_regclass(table_name) is not null
  union all
  select 'alter publication supabase_realtime add table public.generation_jobs' from pg_catalog.pg_publication
  where p_step = 'publication' and pubname = 'supabase_realtime' and not exists (
    select from pg_catalog.pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'generation_jobs');
$$;
comment on function credits.repair_statements(text) is
  'The statements of a step of repair_deployment: tables, policies, triggers or publication. No rows if nothing needs '
  'repair.';

create function public.repair_deployment()
returns setof text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  step text;
  statement text;
begin
  if not (select pg_has_role(current_user, nspowner, 'usage') from pg_catalog.pg_namespace
    where nspname = 'credits') then
    perform credits.raise_misuse('42501', 'only the owner of schema credits may repair the deployment',
      'Call it in the SQL editor, or with psql as postgres.');
  end if;
  perform credits.auditor_create();
  return query select * from credits.privileges_apply();
  return query select * from credits.storage_set_up();
  -- Each step sees what the one before it has done.
  foreach step in array array['tables', 'policies', 'triggers', 'publication'] loop
    foreach statement in array array(select credits.repair_statements(step)) loop
      execute statement;
      return next statement;
    end loop;
  end loop;
end;
$$;
comment on function public.repair_deployment() is
  'Repairs what a restore into another project loses or opens: row level security, the privileges of tables, columns, '
  'functions, sequences and schema credits, policies, triggers (also those on auth.users), the place in the '
  'publication supabase_realtime, the bucket generations and its policy, the role credits_auditor. One row per '
  'statement that it ran; none if all was right, also when called again. For the owner only (the SQL editor, psql as '
  'postgres); privileges that you gave to roles of your own stay.';

-- supabase/schemas/17_deployment/60_trial.sql
-- Gives: a trial run of the charge on an account of its own, which leaves no rows.
-- Keeps: every row as it was; only numbers of the grants' sequence are used up.
-- Needs: charge, generation, plan change, verify, deployed.

create function credits.trial_prepare(p_account_id uuid, p_name text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  insert into public.credit_plans (name, rate_limit_requests, rate_limit_window_seconds) values (p_name, 4, 3600);
  insert into public.generation_models (name, provider, provider_model) values (p_name, 'none', 'none');
  insert into public.generation_model_rates (model, effective_from, meter, price) values (p_name, now(), 'image', 500);
  perform public.grant_credits(p_account_id, 700, 'trial');
  perform public.set_account_plan(p_account_id, p_name);
end;
$$;
comment on function credits.trial_prepare(uuid, text) is
  'Opens an account with 700 credits, a plan of 4 requests an hour and a model of 500 credits, so that the trial '
  'depends on no price or plan of the installation.';

create function credits.trial_charge(p_account_id uuid, p_model text, p_input jsonb)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  result public.credit_charge_result := public.atomic_charge_credits(p_account_id, p_model, p_input);
begin
  return format('%s %s, balance %s', result.status, result.code,
    (select balance from public.credit_accounts where id = p_account_id));
end;
$$;
comment on function credits.trial_charge(uuid, text, jsonb) is
  'Charges, and returns the outcome: "201 charged, balance 200".';

create function credits.trial_refund(p_account_id uuid)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  result public.generation_job_result;
begin
  select f.* into result from public.generation_jobs as j cross join public.fail_generation(j.id) as f
  where j.account_id = p_account_id;
  return format('%s, refunded %s, balance %s', result.status, result.refunded, result.balance);
end;
$$;
comment on function credits.trial_refund(uuid) is 'Fails the trial''s only job, and returns what was refunded.';

create function credits.trial_update(p_account_id uuid)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
begin
  update public.credit_ledger set delta = delta + 1 where account_id = p_account_id;
  return 'no error';
exception when others then
  return 'error ' || sqlstate;
end;
$$;
comment on function credits.trial_update(uuid) is 'Tries to update entries, and returns the error.';

create function credits.trial_delete(p_account_id uuid)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
begin
  delete from public.credit_ledger where account_id = p_account_id;
  return 'no error';
exception when others then
  return 'error ' || sqlstate;
end;
$$;
comment on function credits.trial_delete(uuid) is 'Tries to delete entries, and returns the error.';

create function credits.trial_run(p_account_id uuid)
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  name text := 'trial-' || p_account_id;
  again constant text := 'Install this version again: scripts/rollback.sql, then the bundle. '
    'Then look for what else changes these tables.';
begin
  perform credits.trial_prepare(p_account_id, name);
  return next credits.check_equal('an entry cannot be updated', 'error PT405',
    credits.trial_update(p_account_id), again);
  return next credits.check_equal('an entry cannot be deleted', 'error PT405',
    credits.trial_delete(p_account_id), again);
  return next credits.check_equal('a charge is booked', '201 charged, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial"}'), again);
  return next credits.check_equal('without enough credits nothing is charged', '402 insufficient_credits, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial"}'), again);
  return next credits.check_equal('bad dimensions are refused', '400 invalid_request, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial", "width": 1}'), again);
  return next credits.check_equal('an unknown model is refused', '400 invalid_model, balance 200',
    credits.trial_charge(p_account_id, name || '-none', '{"prompt": "a trial"}'), again);
  return next credits.check_equal('requests beyond the plan are refused', '429 rate_limited, balance 200',
    credits.trial_charge(p_account_id, name, '{"prompt": "a trial"}'), again);
  return next credits.check_equal('a failed job is refunded', 'failed, refunded 500, balance 700',
    credits.trial_refund(p_account_id), again);
  return next credits.check_equal('the hash chain verifies', 'sound',
    (select case when v.sound then 'sound' else v.problem end from public.verify_ledger(p_account_id) as v), again);
end;
$$;
comment on function credits.trial_run(uuid) is
  'The trial, one check per step, each in the terms that a caller would see. Its rows stay.';

create function credits.check_trial()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  results credits.deployment_check[];
begin
  begin
    results := array(select r from credits.trial_run(gen_random_uuid()) as r);
    raise exception using errcode = 'UNDO0', message = 'the trial is undone';
  exception when sqlstate 'UNDO0' then
    -- The variable keeps the results; the subtransaction's rows are gone.
    return query select * from unnest(results);
  end;
end;
$$;
comment on function credits.check_trial() is
  'Checks that charge, refusals, rate limit, refund and ledger work, in a subtransaction that is undone.';

-- supabase/schemas/17_deployment/65_checks.sql
-- Gives: the checks of the schedule, whether pg_cron has every task and has begun to run them; and of the bucket that
-- outputs are in.
-- Keeps: nothing that it reads changes.
-- Needs: outputs, tasks, deployed, repair.

create function credits.cron_jobs()
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  jobs regclass := to_regclass('cron.job');
begin
  if jobs is not null then
    return query execute format('select jobname || '' '' || schedule from %s where active and jobname is not null',
      jobs);
  end if;
end;
$$;
comment on function credits.cron_jobs() is
  'The active jobs of pg_cron, each as its name and its schedule; none where there is no pg_cron.';

create function credits.cron_silence()
returns text[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  silence text[];
begin
  -- Without a record of the runs nothing can be said.
  if exists (select from pg_catalog.pg_settings where name = 'cron.log_run' and setting = 'off') then
    return null;
  end if;
  -- By the job's id: what ran before a roll back had another.
  execute $runs$
    select array[coalesce(
      max(format('every run failed, of %s: %s', j.jobname, d.return_message)) filter (where d.status = 'failed'),
      format('none of its %s jobs has run yet', count(*)))]
    from cron.job as j left join cron.job_run_details as d on d.jobid = j.jobid
    where j.active and j.jobname like 'atomic-credits:%' and j.database = pg_catalog.current_database()
    having count(*) > 0 and coalesce(bool_and(d.status = 'failed'), true)
  $runs$ into silence;
  return silence;
end;
$$;
comment on function credits.cron_silence() is
  'What shows that pg_cron has run none of its jobs since they were scheduled; null where it has run one, or has none.';

create function credits.check_schedule()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Without pg_cron the schedule runs elsewhere, and only its runs can be seen: this check is left out.
  if exists (select from pg_catalog.pg_available_extensions where name = 'pg_cron') then
    return next credits.check_none('pg_cron runs every task',
      (select array_agg(t.name order by t.name) from public.credit_scheduled_tasks as t
       where t.enabled and format('atomic-credits:%s %s', t.name, t.schedule) not in (select credits.cron_jobs())),
      'create extension if not exists pg_cron; then: select public.apply_schedule();');
  end if;
  if to_regclass('cron.job') is not null then
    return next credits.check_none('pg_cron has begun', credits.cron_silence(),
      'It begins with the next full minute: check again then. If it has not: select public.apply_schedule(); Why runs '
      'fail: select * from cron.job_run_details order by start_time desc;');
  end if;
  return next credits.check_none('every task has run when it was due',
    (select array_agg(f.detail order by f.subject) from credits.operation_findings_now() as f
      where f.rule = 'task_not_running'),
    'Something must run the tasks of credit_scheduled_tasks: pg_cron (select public.apply_schedule()), or select '
    'public.run_task(name) from outside.');
end;
$$;
comment on function credits.check_schedule() is
  'Checks that pg_cron has every task and has begun, if it is available, and that each has run within its max_age.';

create function credits.foreign_storage_policies()
returns setof text
language sql
stable
set search_path = '', pg_temp
as $$
  select p.polname::text
  from pg_catalog.pg_policy as p
  cross join lateral (
    select concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) as text
  ) as condition
  where p.polrelid = to_regclass('storage.objects') and p.polpermissive and p.polname <> 'generations_read_own'
    and p.polroles && array(select 0::oid union all select oid from pg_catalog.pg_roles
      where rolname in ('anon', 'authenticated'))
    and (condition.text ~ '\mgenerations\M' or condition.text !~ '\mbucket_id\M');
$$;
comment on function credits.foreign_storage_policies() is
  'Policies of storage.objects other than ours that let users into the bucket generations: they name it, or no bucket '
  'at all.';

create function credits.check_storage()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Where there is no Storage nothing can be kept in it.
  if not credits.has_storage() then
    return;
  end if;
  return next credits.check_none('outputs are in a private bucket with one policy',
    nullif(array(select credits.storage_statements()), '{}'), 'As the owner: select public.repair_deployment();');
  return next credits.check_none('no other policy lets users into that bucket',
    nullif(array(select credits.foreign_storage_policies()), '{}'),
    'drop policy … on storage.objects; or let its condition name another bucket: bucket_id = ''…''.');
  return next credits.check_none('files in Storage can be seen',
    case when row_security_active('storage.objects') then array['row level security hides them'] end,
    'The owner of the functions needs BYPASSRLS, as postgres has it on Supabase.');
end;
$$;
comment on function credits.check_storage() is
  'Checks the bucket generations: that it is there and private, who may read it, and that our functions see all of it.';

-- supabase/schemas/17_deployment/70_verify_deployment.sql
-- Gives: verify_deployment, the checklist after a deployment: one row per check, with a remedy.
-- Keeps: nothing that it reads changes; the trial is undone.
-- Needs: every chapter before; when called: privileges.

create function credits.check_installation()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  again constant text := 'As the owner: select public.repair_deployment();';
begin
  return next credits.check_none('tables, views, functions and types exist',
    (select array_agg(format('%s %s', o.kind, o.identity) order by o.identity) from credits.delivered_objects() as o
     where case o.kind when 'type' then to_regtype(o.identity)::oid
       when 'function' then to_regprocedure(o.identity)::oid
       else to_regclass(o.identity)::oid end is null),
    'These are missing. Restore them from a dump of the schema; or run scripts/rollback.sql, which keeps the data '
    'apart, and apply again.');
  return next credits.check_none('every trigger is there, also on auth.users',
    (select array_agg(format('%s on %s', part_name, table_name)) from credits.part_differences('trigger')), again);
  return next credits.check_none('every policy is there',
    (select array_agg(format('%s on %s', part_name, table_name)) from credits.part_differences('policy')), again);
  return next credits.check_none('no policy lets through more',
    (select array_agg(format('%s on %s', f.part_name, f.table_name)) from credits.deployed_parts() as f
     where f.kind = 'policy' and f.table_name in (select r.oid::regclass::text from credits.deployed_relations() as r)
       and not exists (
         select from credits.delivered_parts() as w
         where w.kind = f.kind and w.table_name = f.table_name and w.part_name = f.part_name
           and regexp_replace(w.definition, '[\s()]| AS \w+', '', 'g')
             = regexp_replace(f.definition, '[\s()]| AS \w+', '', 'g'))),
    'These are not delivered, or have another condition: drop policy … on …; then as the owner: select '
    'public.repair_deployment();');
  return next credits.check_none('users see their jobs change',
    case when not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime')
      then array['there is no publication supabase_realtime']
      else nullif(array(select credits.repair_statements('publication')), '{}') end,
    'If there is no such publication: create publication supabase_realtime; then as the owner: select '
    'public.repair_deployment();');
  return next credits.check_none('privileges are the delivered ones',
    (select array_agg(format('%s %s %s%s on %s', grantee, case when too_much then 'has' else 'lacks' end, privilege,
       ' (' || column_name || ')', identity) order by too_much desc, grantee, identity)
       from credits.privilege_differences()), again);
end;
$$;
comment on function credits.check_installation() is
  'Checks that everything delivered exists, and is open to nobody else.';

create function credits.check_functions()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('every function has one signature',
    (select array_agg(twice.name) from (
      select format('%s.%s', pronamespace::regnamespace, proname) as name from credits.deployed_functions()
      group by pronamespace, proname having count(*) > 1) as twice),
    'An overload can bypass the guards of the other: drop the function that is not delivered.');
  return next credits.check_none('security definer functions have an empty search_path',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where prosecdef and not coalesce(proconfig @> array['search_path="", pg_temp'], false)),
    'alter function … set search_path = '''', pg_temp;');
  -- Except the function that the price book's policy calls, in a schema that anon cannot use.
  return next credits.check_none('no function is executable by PUBLIC or anon',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where oid is distinct from to_regprocedure('credits.is_price_in_force(text, timestamptz)')
       and has_function_privilege('anon', oid, 'execute')),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('users execute only functions that read',
    (select array_agg(oid::regprocedure::text) from credits.deployed_functions()
     where provolatile = 'v' and has_function_privilege('authenticated', oid, 'execute')
       -- These ask first whether the user is an operator.
       and oid::regprocedure::text !~ format('^(public\.)?operator_(%s)\(',
         (select string_agg(action, '|') from credits.operator_rights()))),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('schema credits is closed',
    (select array_agg(r.name) from unnest(array['anon', 'authenticated', 'service_role']) as r (name)
     where has_schema_privilege(r.name, 'credits', 'usage, create')),
    'As the owner: select public.repair_deployment();');
end;
$$;
comment on function credits.check_functions() is 'Checks signatures, search paths and execute privileges.';

create function credits.check_tables()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('every table has row level security',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
      where relkind in ('r', 'p') and not relrowsecurity),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('every view runs with its reader''s rights',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('anon reads the price book and nothing else',
    (select array_agg(oid::regclass::text) from credits.deployed_relations()
     where oid is distinct from to_regclass('public.generation_models')
       and oid is distinct from to_regclass('public.generation_model_rates')
       and has_any_column_privilege('anon', oid, 'select')),
    'As the owner: select public.repair_deployment();');
  return next credits.check_none('users write no table',
    (select array_agg(distinct oid::regclass::text)
      from credits.deployed_relations(), unnest(array['anon', 'authenticated']) as r (name)
     where has_any_column_privilege(r.name, oid, 'insert, update, references')
       or has_table_privilege(r.name, oid, 'delete, truncate, trigger')),
    'As the owner: select public.repair_deployment();');
end;
$$;
comment on function credits.check_tables() is 'Checks row level security and privileges of tables and views.';

create function credits.check_ledger()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ledger constant regclass := to_regclass('public.credit_ledger');
  archive constant regclass := to_regclass('public.credit_ledger_archive');
  again constant text := 'Create it again as its chapter does (supabase/schemas, 03_ledger and 12_books).';
begin
  return next credits.check_none('credit_ledger.delta is not null',
    case when not exists (select from pg_catalog.pg_attribute
      where attrelid = ledger and attname = 'delta' and attnotnull)
      then array['delta may be null'] end,
    'alter table public.credit_ledger alter column delta set not null;');
  return next credits.check_none('the ledger''s rules are in place and loud',
    (select array_agg(wanted.name)
     from unnest(array['credit_ledger_no_update', 'credit_ledger_no_delete', 'credit_ledger_archive_no_update',
       'credit_ledger_archive_no_delete']) as wanted (name)
     where not exists (select from pg_catalog.pg_rewrite where ev_class in (ledger, archive) and rulename = wanted.name
       and ev_enabled in ('O', 'A') and pg_get_ruledef(oid) ~ 'INSTEAD +SELECT credits\.ledger_is_append_only')),
    again);
  return next credits.check_none('the ledger''s triggers are always enabled',
    (select array_agg(wanted.name)
     from unnest(array['credit_ledger_refuse_change', 'credit_ledger_refuse_truncate',
       'credit_ledger_archive_refuse_change', 'credit_ledger_archive_refuse_truncate']) as wanted (name)
     where not exists (select from pg_catalog.pg_trigger
       where tgrelid in (ledger, archive) and tgname = wanted.name and tgenabled = 'A')),
    again || ' Then: alter table … enable always trigger …;');
end;
$$;
comment on function credits.check_ledger() is
  'Checks in the catalog what keeps the ledger append-only; the trial tries it.';

create function credits.check_books()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return next credits.check_none('no job is overdue',
    (select array_agg(id::text) from (
      select id from public.generation_jobs
      where status in ('pending', 'running') and deadline_at < now() - credits.sweep_grace() limit 10) as overdue),
    'The sweep does not run, or fails: select public.sweep_overdue_jobs(); then repair its schedule.');
  return next credits.check_none('every credit is accounted for',
    (select array_agg(format('%s of %s', invariant, coalesce('account ' || account_id, payment_key))) from (
      select * from public.reconciliation_discrepancies limit 10) as discrepancies),
    'select * from reconciliation_discrepancies; and public.verify_ledger(account) name what is wrong.');
end;
$$;
comment on function credits.check_books() is 'Checks that the books balance and that the sweep is not behind.';

create function credits.check_success_rate()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  stats public.generation_stats := public.get_generation_stats(24);
begin
  return next row('generations succeed', stats.healthy,
    format('%s of %s that ended in the last 24 hours', stats.completed_jobs, stats.completed_jobs + stats.failed_jobs),
    case when not stats.healthy then 'Which provider, and why: '
      'select * from generation_stats_hourly order by hour desc; and the functions'' logs.'
    end)::credits.deployment_check;
end;
$$;
comment on function credits.check_success_rate() is 'Checks the last day''s jobs by the alert rule success_rate.';

create function credits.check_models()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  settings public.credit_settings := (select s from public.credit_settings as s);
begin
  return next credits.check_none('models that answer in the request do so in time',
    (select array_agg(format('%s: %s s', m.name, m.timeout_seconds) order by m.name)
     from public.generation_models as m
     where m.enabled and (m.effective_from > now() or credits.is_price_in_force(m.name, m.effective_from))
       and m.provider <> all (settings.callback_providers)
       and m.timeout_seconds > settings.request_timeout_seconds),
    format('The platform may end such a request before its provider has answered; the job is refunded at its deadline. '
      'select set_model_price(…, p_settings => ''{"timeout_seconds": %s}''); or, where the platform''s plan allows '
      'more, update credit_settings set request_timeout_seconds = …;', settings.request_timeout_seconds));
  return next credits.check_none('providers that call back say how their jobs stand',
    (select array_agg(f.detail order by f.subject) from credits.provider_findings_now() as f),
    'select job_id, asks, asked_at, last_answer, last_error from generation_provider_jobs; does the task ask-providers '
      'run, and do the functions reach the provider? The jobs are refunded at their model''s hard_timeout_seconds.');
end;
$$;
comment on function credits.check_models() is
  'Checks that no model on sale whose provider answers within the request may take longer than such a request, and '
  'that providers which call back say how their jobs stand.';

create function credits.check_defaults()
returns setof credits.deployment_check
language plpgsql
set search_path = '', pg_temp
as $$
declare
  current_price text := (
    select string_agg(format('%s a %s', trim_scale(r.price / r.per), r.meter), ', ' order by r.meter)
    from public.generation_model_rates as r
    where r.model = 'standard-image' and r.effective_from = (
      select max(effective_from) from public.generation_models
      where name = 'standard-image' and effective_from <= now()));
begin
  return next credits.check_none('standard-image was delivered at 500 credits',
    case when not exists (
      select from public.generation_model_rates
      where model = 'standard-image' and effective_from = '2026-01-01' and meter = 'image' and price = 500 and per = 1)
    then array[format('its first price version is not 500 any more; the current price is %s',
      coalesce(current_price, 'none'))] end,
    'A new price is a new version, by set_model_price; set the rate of 2026-01-01 back to 500.');
  return query
    select 'the default plan has a rate limit', true,
      format('%s requests in %s s (delivered: 10 in 60 s)', rate_limit_requests, rate_limit_window_seconds), null::text
    from public.credit_plans where name = 'default';
end;
$$;
comment on function credits.check_defaults() is
  'Checks the delivered price version, which later prices must not overwrite, and reports the default plan''s limit, '
  'which may be changed.';

create function public.verify_deployment()
returns table (check_name text, ok boolean, detail text, remedy text)
language plpgsql
security definer
set search_path = '', pg_temp
-- The most that the Data API allows, instead of its 8 seconds.
set statement_timeout = '60s'
as $$
begin
  perform credits.caller_check('verify_deployment');
  return query select * from credits.check_installation();
  return query select * from credits.check_functions();
  return query select * from credits.check_tables();
  return query select * from credits.check_ledger();
  begin
    return query select * from credits.check_storage();
    return query select * from credits.check_schedule();
    return query select * from credits.check_books();
    return query select * from credits.check_success_rate();
    return query select * from credits.check_models();
    return query select * from credits.check_defaults();
    return query select * from credits.check_trial();
  exception when others then
    return query select 'every check can run', false, format('%s (%s)', sqlerrm, sqlstate),
      'A failed check above is usually the cause: repair that first.';
  end;
end;
$$;
comment on function public.verify_deployment() is
  'The checklist after a deployment, one row per check: ok, what was found, and the remedy where it is not ok. Reads '
  'the catalog and the books, then charges and refunds a trial account in a subtransaction that is undone. Safe during '
  'traffic; reads the whole ledger once.';

-- supabase/schemas/17_deployment/80_privileges.sql
-- Gives: who may do what: one list, and the call that makes it so.
-- Keeps: schema credits is closed as a whole; only the owner may use what is not in the list.
-- Needs: every chapter before.

create function credits.interface()
returns table (roles text, privilege text, kind text, columns text, names text)
language sql
immutable
set search_path = '', pg_temp
as $$
  values
  -- Everybody reads the prices in force, but not provider_model, the model behind a price. The policy calls
  -- is_price_in_force.
  ('anon authenticated', 'select', 'table', '
    allowed_sizes created_at default_height default_output_tokens default_seconds default_width effective_from enabled
    formats hard_timeout_seconds image_tokens max_height max_input_tokens
    max_n max_output_bytes max_output_tokens max_prompt_length max_seconds max_width min_height min_width name overage
    provider reasons timeout_seconds type voices', '
    generation_models'),
  ('anon authenticated', 'select', 'table', null, '
    generation_model_rates'),
  ('anon authenticated', 'execute', 'function', null, '
    credits.is_price_in_force'),
  -- Users read their own rows: the policies say which.
  ('authenticated', 'select', 'table', null, '
    account_balances account_members credit_accounts credit_debts credit_grants credit_ledger
    credit_ledger_archive credit_plans credit_products'),
  -- Without the provider's ids, but for a subscription's: a team's owners must not learn who among them pays as what.
  ('authenticated', 'select', 'table', '
    account_id amount created_at credits currency disputed key kind livemode paid_at period_end period_start
    product provider quantity refunded reversed_credits state status subscription_id', '
    payments'),
  ('authenticated', 'select', 'table', '
    account_id cancel_at_period_end created_at current_period_end current_period_start livemode plan product
    provider quantity status subscription_id trial_end', '
    payment_subscriptions'),
  -- Without the request's key, hash and id and the provider's id: team members must not learn each other's.
  ('authenticated', 'select', 'table', '
    account_id actual_cost cost created_at deadline_at ended_at erased_at error id input late_settled_at
    member_id model output output_deleted_at price_effective_from provider refunded started_at status', '
    generation_jobs'),
  ('authenticated', 'select', 'table', '
    account_id job_id noted_at usage usage_source', '
    generation_usage'),
  ('authenticated', 'select', 'table', null, '
    generation_uploads'),
  ('authenticated', 'execute', 'function', null, '
    account_expiring_grants account_statement account_statement_json balance_as_of ledger_seq_as_of
    quote_generation quote_text'),
  -- Functions that policies and views call run as their reader. Without usage of schema credits nobody can call them
  -- directly.
  -- Operators: the gate inside decides.
  ('authenticated', 'execute', 'function', null, '
    operator_abilities operator_acknowledge_alert operator_approve operator_book_payment operator_cancel_job
    operator_close_account operator_erase_account operator_fix_discrepancy operator_grant operator_mute_alert
    operator_refund_job operator_reject operator_remove operator_reopen_account operator_retry_event
    operator_reverse_grant operator_set operator_set_overdraft operator_set_plan operator_withdraw
    credits.operator_role'),
  ('authenticated', 'execute', 'function', null, '
    credits.balance_with_due credits.is_product_in_force credits.my_account_ids credits.my_paying_account_ids'),
  -- Auditors read the books of all accounts, but no prompt, no output, no error message and no event's payload.
  ('credits_auditor', 'select', 'table', null, '
    account_balances account_erasures account_members account_teams_without_owner credit_alert_rules
    credit_alerts credit_anomalies credit_anomaly_findings credit_anomaly_rules credit_accounts credit_debts
    credit_event_endpoints credit_grants credit_journal credit_ledger credit_ledger_archive credit_plans
    credit_settings credit_transfers credit_withdrawals reconciliation_classes generation_models
    generation_files generation_margins generation_margins_daily generation_model_costs generation_model_rates
    generation_stats_hourly credit_ledger_anchors credit_ledger_chain_breaks
    credit_ledger_checkpoints credit_liability_daily credit_rate_limit_hits reconciliation_discrepancies
    reconciliation_findings reconciliation_latest reconciliation_runs reconciliation_summary
    credit_request_events credit_request_trail credit_revenue_daily credit_scheduled_tasks credit_task_runs
    credit_unsettled_jobs credit_sign_up_grants credit_products payment_customers payment_deferred_revenue
    payment_discrepancies payment_disputes payment_events payment_revenue_daily payment_subscriptions payments
    credit_operators operator_actions operator_approvals'),
  ('credits_auditor', 'select', 'table', '
    account_id attempts created_at delivered_at id last_error next_attempt_at type', '
    credit_events'),
  ('credits_auditor', 'select', 'table', '
    account_id actual_cost cost created_at deadline_at ended_at erased_at id late_settled_at member_id model
    output_deleted_at price_effective_from provider provider_job_id refunded request_id seal started_at status', '
    generation_jobs'),
  -- Without a key's hash and its name.
  ('credits_auditor', 'select', 'table', '
    account_id created_at expires_at hint id last_used_at member_id models monthly_cap revoked_at spent
    spent_month', '
    credit_app_keys'),
  ('credits_auditor', 'select', 'table', null, '
    generation_uploads generation_usage'),
  -- Without addresses at the provider and its words.
  ('credits_auditor', 'select', 'table', '
    account_id asked_at asks cancel_requested_at expected_by job_id last_answer next_ask_at', '
    generation_provider_jobs'),
  ('credits_auditor', 'execute', 'function', null, '
    account_statement account_statement_json balance_as_of detect_anomalies get_generation_stats
    ledger_seq_as_of'),
  -- Functions that the views call, which run as their reader.
  ('credits_auditor service_role', 'execute', 'function', null, '
    credits.account_chain credits.balance_with_due credits.book_of credits.checkpoint_zero credits.discrepancies_of
    credits.file_counts credits.file_discrepancies credits.failure_code credits.job_asker credits.job_provider_cost
    credits.operator_discrepancies credits.payment_discrepancies
    credits.suspect_chains credits.suspect_ends credits.suspects credits.suspects_now credits.to_bigint'),
  -- The service reads everything, and changes what operators set.
  ('service_role', 'select', 'table', null, '
    account_balances account_erasures account_members account_teams_without_owner credit_alert_rules
    credit_alerts credit_anomalies credit_anomaly_findings credit_anomaly_rules credit_accounts credit_debts
    credit_event_endpoints credit_events credit_grants credit_journal credit_ledger credit_ledger_archive
    credit_plans credit_settings credit_transfers credit_withdrawals reconciliation_classes generation_jobs
    generation_files generation_margins generation_margins_daily generation_model_costs generation_model_rates
    generation_models
    generation_stats_hourly credit_ledger_anchors
    credit_ledger_chain_breaks credit_ledger_checkpoints credit_liability_daily credit_rate_limit_hits
    reconciliation_discrepancies reconciliation_findings reconciliation_latest reconciliation_runs
    reconciliation_summary credit_request_events credit_request_trail credit_revenue_daily
    credit_scheduled_tasks credit_task_runs credit_unsettled_jobs credit_sign_up_grants credit_products
    payment_customers payment_deferred_revenue payment_discrepancies payment_disputes payment_events
    payment_revenue_daily payment_subscriptions payments generation_usage generation_provider_jobs
    generation_uploads credit_operators operator_actions operator_approvals'),
  -- Not the hash of an app key: nothing outside needs it.
  ('service_role', 'select', 'table', '
    account_id created_at expires_at hint id last_used_at member_id models monthly_cap name revoked_at spent
    spent_month', '
    credit_app_keys'),
  ('service_role', 'insert', 'table', null, '
    credit_plans generation_models generation_model_rates'),
  ('service_role', 'update', 'table', '
    enabled minimum severity threshold', '
    credit_alert_rules'),
  ('service_role', 'update', 'table', '
    enabled threshold', '
    credit_anomaly_rules'),
  ('service_role', 'update', 'table', '
    closed_at credit_limit refill_anchor', '
    credit_accounts'),
  ('service_role', 'update', 'table', null, '
    credit_plans credit_settings generation_models generation_model_rates'),
  ('service_role', 'update', 'table', '
    enabled max_age schedule', '
    credit_scheduled_tasks'),
  ('service_role', 'delete', 'table', null, '
    credit_plans generation_models generation_model_rates credit_sign_up_grants'),
  -- The functions that move credits, and those that run the operation.
  ('service_role', 'execute', 'function', null, '
    abandon_text account_expiring_grants account_models account_statement account_statement_json acknowledge_alert
    announce_expiring_grants
    apply_retention apply_schedule archive_ledger atomic_charge_credits atomic_charge_credits_batch
    balance_as_of book_payment book_subscription cancel_generation charge_by_app_key charge_text
    check_input_object claim_events claim_outputs_to_move claim_provider_asks claim_storage_deletions
    correct_job create_app_key create_team_account create_upload delete_output detect_anomalies erase_account erase_job
    evaluate_alerts
    expire_grants fail_generation find_outputs_to_move find_payment finish_erasures finish_event
    finish_output_move finish_storage_deletions follow_subscriptions function_calls_due
    get_generation_stats grant_credits grant_due_sign_ups import_model_price keep_late_output
    ledger_seq_as_of link_payment_customer
    list_app_keys maintain_request_events mute_alert_rule note_generation_progress note_payment_event
    operational_metrics payment_status prepare_checkout prepare_portal preview_payment preview_subscription
    provider_answered
    quote_generation quote_text receive_callback reconcile_credit_ledger record_anomalies refill_plans
    refund_credits remove_account_member request_function retry_events retry_payment retry_payments reverse_grant
    revoke_app_key run_task set_account_member set_account_plan set_model_price set_product settle_generation
    settle_text start_generation sweep_overdue_jobs text_terms transfer_credits transfer_credits_batch
    verify_deployment verify_ledger verify_operator_actions withdraw_credits'),
  -- A constraint is checked with the rights of the role that writes.
  ('service_role', 'execute', 'function', null, '
    credits.is_time_zone');
$$;
comment on function credits.interface() is
  'What roles other than the owner may do: roles, a privilege, and tables, views and functions (in schema public '
  'unless another is named). columns: only these.';

create function credits.delivered_privileges()
returns table (kind text, identity text, column_name text, grantee text, privilege text)
language sql
stable
set search_path = '', pg_temp
as $$
  with listed as (
    select i.kind, i.privilege, i.columns, r.name as grantee,
      case when n.name like '%.%' then '' else 'public.' end || n.name as name
    from credits.interface() as i
    cross join lateral regexp_split_to_table(trim(i.roles, E' \n'), '\s+') as r (name)
    cross join lateral regexp_split_to_table(trim(i.names, E' \n'), '\s+') as n (name)
  )
  select l.kind, l.name, c.name, l.grantee, l.privilege
  from listed as l left join lateral regexp_split_to_table(trim(l.columns, E' \n'), '\s+') as c (name) on true
  where l.kind = 'table'
  union all
  select l.kind, o.identity, null, l.grantee, l.privilege
  from listed as l join credits.delivered_objects() as o on o.kind = 'function'
    and split_part(o.identity, '(', 1) = l.name
  where l.kind = 'function';
$$;
comment on function credits.delivered_privileges() is
  'The interface, one row per object and role, or per column; a function by its arguments.';

create function credits.watched_roles()
returns table (id oid, name text)
language sql
stable
set search_path = '', pg_temp
as $$
  select 0::oid, 'public'
  union all
  select oid, rolname::text from pg_catalog.pg_roles
  where rolname in ('anon', 'authenticated', 'service_role', 'credits_auditor')
    or pg_has_role(to_regrole('authenticator')::oid, oid, 'member');
$$;
comment on function credits.watched_roles() is
  'The roles whose privileges are delivered, and every other role that the Data API can use. The owner decides on the '
  'privileges of roles of their own.';

create function credits.deployed_privileges()
returns table (kind text, identity text, column_name text, grantee text, privilege text)
language sql
stable
set search_path = '', pg_temp
as $$
  with relations as (
    select r.oid, r.relkind, r.relowner, r.relacl from credits.deployed_relations() as r
    union all
    select s.oid, s.relkind, s.relowner, s.relacl from credits.deployed_relations() as r
    join pg_catalog.pg_depend as d on d.refobjid = r.oid and d.refclassid = 'pg_class'::regclass
      and d.classid = 'pg_class'::regclass
    join pg_catalog.pg_class as s on s.oid = d.objid and s.relkind = 'S'
  ),
  lists as (
    select case relkind when 'S' then 'sequence' else 'table' end as kind, oid::regclass::text as identity,
      null::text as column_name,
      relowner as owner,
      coalesce(relacl, acldefault((case relkind when 'S' then 's' else 'r' end)::"char", relowner)) as privileges
    from relations
    union all
    select 'table', r.oid::regclass::text, a.attname::text, r.relowner, a.attacl
    from relations as r join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attacl is not null
      and not a.attisdropped
    union all
    select 'function', f.oid::regprocedure::text, null, f.proowner, coalesce(f.proacl, acldefault('f', f.proowner))
    from credits.delivered_objects() as o
    join pg_catalog.pg_proc as f on o.kind = 'function' and f.oid = to_regprocedure(o.identity)
    union all
    select 'schema', nspname::text, null, nspowner, coalesce(nspacl, acldefault('n', nspowner))
    from pg_catalog.pg_namespace where nspname = 'credits'
  )
  select l.kind, l.identity, l.column_name, w.name, g.name || lower(p.privilege_type)
  from lists as l
  cross join lateral aclexplode(l.privileges) as p
  -- The right to pass it on is a privilege of its own, and delivered to nobody.
  join (values ('', false), ('grant option for ', true)) as g (name, passes_on) on p.is_grantable or not g.passes_on
  join credits.watched_roles() as w on w.id = p.grantee
  where p.grantee <> l.owner;
$$;
comment on function credits.deployed_privileges() is
  'What the watched roles may do with the delivered objects that exist, their partitions and sequences, and schema '
  'credits.';

create function credits.privilege_differences()
returns table (too_much boolean, kind text, identity text, column_name text, grantee text, privilege text)
language sql
stable
set search_path = '', pg_temp
as $$
  (select true, f.* from credits.deployed_privileges() as f
    except select true, w.* from credits.delivered_privileges() as w)
  union all
  (select false, w.* from credits.delivered_privileges() as w
    except select false, f.* from credits.deployed_privileges() as f);
$$;
comment on function credits.privilege_differences() is
  'Privileges that differ from the delivered ones: too much, or missing.';

create function credits.privileges_apply()
returns setof text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  step text;
  statement text;
begin
  -- Two steps, so that grants see what was revoked: a revoke from a table also revokes from its columns.
  foreach step in array array['revokes', 'grants'] loop
    for statement in
      select format(case when d.too_much then 'revoke %s%s on %s %s from %s' else 'grant %s%s on %s %s to %s' end,
        d.privilege, ' (' || quote_ident(d.column_name) || ')', d.kind, d.identity, quote_ident(d.grantee))
      from credits.privilege_differences() as d
      where d.too_much = (step = 'revokes')
        and (d.too_much or to_regclass(case d.kind when 'table' then d.identity end) is not null
          or to_regprocedure(case d.kind when 'function' then d.identity end) is not null)
    loop
      execute statement;
      return next statement;
    end loop;
  end loop;
end;
$$;
comment on function credits.privileges_apply() is
  'Makes all delivered privileges those of the interface. One row per statement that it ran; none if all was right.';

do $$
begin
  perform credits.privileges_apply();
end;
$$;

-- supabase/schemas/17_deployment/90_set_up.sql
-- Gives: the bucket of outputs, made when everything else is there.
-- Keeps: Storage waits for a policy, so its table is locked for the end of the migration alone.
-- Needs: outputs.

do $$
begin
  perform credits.storage_set_up();
end;
$$;

insert into credits.installation (release, file, checksum)
values ('0.1.0', '20260101000100_atomic_credits.sql', 'de020c7da4b72240473440f4f647304fb0678c66dfab8b2bc915ab685543acb7');
