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
