-- Whose accounts a user reads and pays from: the router keeps which shards to ask, and each shard decides.

create function credits_router.can_read(p_shard text)
returns boolean
language plpgsql
as $$
begin
  execute format('select from credits_router.%I limit 1', p_shard || '_account_members');
  return true;
exception when others then
  if not credits_router.is_outage(sqlstate, sqlerrm) then
    raise;
  end if;
  return false;
end;
$$;
comment on function credits_router.can_read(text) is 'Whether a shard answers reads, which have connections of their own.';

create function credits_router.accounts_of(p_user_id uuid, p_may_pay boolean)
returns setof uuid
language plpgsql
as $$
declare
  shard text;
  slot integer;
begin
  if p_user_id is null or credits_router.has_left(p_user_id) then
    return;
  end if;
  for shard, slot in
    select s.shard, s.slot from credits_router.shards as s
    where s.shard in (select credits_router.shard_of(a.id)
      from (select p_user_id union all select account_id from credits_router.memberships
        where user_id = p_user_id) as a (id))
  loop
    begin
      if shard = credits_router.shard_of(p_user_id) then
        perform credits_router.tell_first(p_user_id);
      end if;
      if p_may_pay then
        return query select * from credits_router.credits_my_paying_account_ids(slot, current_setting('role'),
          current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true));
      else
        return query select * from credits_router.credits_my_account_ids(slot, current_setting('role'),
          current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true));
      end if;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      -- Where calls alone fail, nobody can say who belongs to a team now.
      if credits_router.can_read(shard) then
        perform credits_router.raise_outage();
      end if;
      -- Nothing can be read of them; but who asks for them must hear of the outage instead of seeing no rows.
      return query select case when a.id = p_user_id then a.id else credits_router.nobody_on(shard) end
        from (select p_user_id union all select account_id from credits_router.memberships
          where user_id = p_user_id) as a (id)
        where credits_router.shard_of(a.id) = shard;
    end;
  end loop;
end;
$$;
comment on function credits_router.accounts_of(uuid, boolean) is
  'The accounts that a user may read, or pay for: asks the shards alone on which they have any. Of one that answers '
  'neither calls nor reads: their own, and in place of each team an id that is nobody''s.';

create or replace function credits.my_account_ids()
returns setof uuid
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  return query select * from credits_router.accounts_of(auth.uid(), false);
end;
$$;

create or replace function credits.my_paying_account_ids()
returns setof uuid
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  return query select * from credits_router.accounts_of(auth.uid(), true);
end;
$$;

create function credits_router.refresh_memberships()
returns bigint
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  shard text;
  changes bigint;
  total bigint := 0;
begin
  for shard in select s.shard from credits_router.shards as s order by s.slot loop
    begin
      execute format('insert into credits_router.memberships (user_id, account_id)
        select user_id, account_id from credits_router.%I on conflict do nothing', shard || '_account_members');
      get diagnostics changes = row_count;
      total := total + changes;
      execute format('delete from credits_router.memberships as m where credits_router.shard_of(m.account_id) = %L
        and not exists (select from credits_router.%I as a where (a.user_id, a.account_id) = (m.user_id, m.account_id))',
        shard, shard || '_account_members');
      get diagnostics changes = row_count;
      total := total + changes;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
    end;
  end loop;
  return total;
end;
$$;
comment on function credits_router.refresh_memberships() is
  'Reads all members again, where a shard was told of one without the router; returns how many rows changed. A shard that '
  'does not answer keeps its rows.';

alter function credits_router.can_read owner to credits_router;
alter function credits_router.accounts_of owner to credits_router;
alter function credits.my_account_ids() owner to credits_router;
alter function credits.my_paying_account_ids() owner to credits_router;
alter function credits_router.refresh_memberships owner to credits_router;
