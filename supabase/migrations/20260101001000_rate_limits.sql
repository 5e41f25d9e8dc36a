-- Gives: the rate limit (GCRA: a leaky bucket kept as one timestamp an account).
-- Keeps: a burst of the plan's limit passes, the next waits its turn, to the microsecond.
-- Needs: foundation.
--
-- The timestamp is credit_accounts.rate_full_at: a charge holds that row's lock and writes it anyway, so that counting
-- costs no statement of its own (27 µs as an upsert into a table of its own), and a crash forgets no count.

create type credits.rate_decision as (
  allowed boolean,
  remaining integer,
  retry_after_seconds integer,
  reset_seconds integer,
  full_at timestamptz
);

create function credits.rate_limit_take(p_full_at timestamptz, p_requests integer, p_window_seconds integer)
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
  -- A count that does not fit the window is of an earlier, longer window: it does not count against this one.
  full_at timestamptz := case when p_full_at > arrival + size then arrival else greatest(p_full_at, arrival) end + step;
begin
  if full_at <= arrival + size then
    return row(true, floor(extract(epoch from arrival + size - full_at) / extract(epoch from step))::integer, null::integer,
      ceil(extract(epoch from full_at - arrival))::integer, full_at)::credits.rate_decision;
  end if;
  return row(false, 0, greatest(1, ceil(extract(epoch from full_at - size - arrival)))::integer,
    greatest(0, ceil(extract(epoch from p_full_at - arrival)))::integer, p_full_at)::credits.rate_decision;
end;
$$;
comment on function credits.rate_limit_take(timestamptz, integer, integer) is
  'Takes one request out of a limit that is whole again at p_full_at. full_at: when it is whole again after that; '
  'retry_after_seconds: until the next would pass; reset_seconds: until the whole burst is back.';
revoke all on function credits.rate_limit_take(timestamptz, integer, integer) from public, anon, authenticated, service_role;
