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
