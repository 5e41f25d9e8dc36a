-- Gives: the rate limit (GCRA: a leaky bucket kept as one timestamp an account).
-- Keeps: a burst of the plan's limit passes, the next waits its turn, to the microsecond.
-- Needs: plans.

-- Unlogged: 60,000 against 17,000 decisions a second. A crash forgets the counts, never a credit.
create unlogged table public.rate_limits (
  account_id uuid primary key,
  full_at timestamptz not null
)
with (fillfactor = 50);

comment on table public.rate_limits is 'How far each account has used up its rate limit. Unlogged: empty after a crash.';
comment on column public.rate_limits.full_at is
  'When the account has its whole burst again (GCRA''s theoretical arrival time).';

alter table public.rate_limits enable row level security;
revoke all on table public.rate_limits from public, anon, authenticated, service_role;
grant select, delete on table public.rate_limits to service_role;

create type credits.rate_decision as (
  allowed boolean,
  remaining integer,
  retry_after_seconds integer,
  reset_seconds integer
);

create function credits.rate_limit_take(p_account_id uuid, p_requests integer, p_window_seconds integer)
returns credits.rate_decision
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- The wall clock, not the transaction's: the caller may have waited for its lock.
  arrival timestamptz := clock_timestamp();
  size interval := make_interval(secs => p_window_seconds);
  -- Whole microseconds, rounded down: rounded up, a burst of the full limit would not fit its window.
  step interval := interval '1 microsecond' * (p_window_seconds * 1000000::bigint / p_requests);
  next_full timestamptz;
  decision credits.rate_decision;
begin
  insert into public.rate_limits as r (account_id, full_at) values (p_account_id, arrival + step)
  -- A count that does not fit the window is of an earlier, longer window: it does not count against this one.
  on conflict (account_id) do update
  set full_at = case when r.full_at > arrival + size then arrival else greatest(r.full_at, arrival) end + step
  where r.full_at > arrival + size or greatest(r.full_at, arrival) + step <= arrival + size
  returning full_at into next_full;
  decision.allowed := found;
  if not decision.allowed then
    select full_at into strict next_full from public.rate_limits where account_id = p_account_id;
    decision.remaining := 0;
    decision.retry_after_seconds := greatest(1, ceil(extract(epoch from next_full + step - size - arrival)));
  else
    decision.remaining := floor(extract(epoch from arrival + size - next_full) / extract(epoch from step));
  end if;
  decision.reset_seconds := greatest(0, ceil(extract(epoch from next_full - arrival)));
  return decision;
end;
$$;
comment on function credits.rate_limit_take(uuid, integer, integer) is
  'Takes one request out of an account''s limit. retry_after_seconds: until the next would pass; reset_seconds: until the whole burst is back.';
revoke all on function credits.rate_limit_take(uuid, integer, integer) from public, anon, authenticated, service_role;

create function credits.rate_decided(p_decision jsonb)
returns credits.rate_decision
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  decision credits.rate_decision;
begin
  if p_decision is null then
    return null;
  end if;
  if not coalesce(p_decision @@ '$.allowed.type() == "boolean"
    && $.remaining >= 0 && $.remaining <= 2147483647 && $.reset_seconds >= 0 && $.reset_seconds <= 2147483647', false) then
    perform credits.raise_misuse('22023', 'the rate decision is none',
      'Pass {"allowed": boolean, "remaining": integer, "reset_seconds": integer}, or null: then it is made here.');
  end if;
  decision.allowed := (p_decision -> 'allowed')::boolean;
  decision.remaining := (p_decision -> 'remaining')::integer;
  decision.reset_seconds := (p_decision -> 'reset_seconds')::integer;
  if not decision.allowed then
    decision.retry_after_seconds := greatest(1, decision.reset_seconds);
  end if;
  return decision;
end;
$$;
comment on function credits.rate_decided(jsonb) is
  'A decision that was made by a counter elsewhere. Raises 22023 for what is none.';
revoke all on function credits.rate_decided(jsonb) from public, anon, authenticated, service_role;
