-- Gives: what a user's deletion and return do to their account and teams; finish_erasures, which does the rest.
-- Keeps: neither a busy account nor a failure holds up Auth; a user who comes back has the ledger's balance, without
-- erased data.
-- Needs: shards, handovers, erasure, book payment; when called: operators.

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
  return (exists (
      select from public.credit_accounts where id = p_account_id
        and (is_team or user_id is null and closed_at is not null))
    -- Theirs is on another shard, which closes it.
    or not credits.is_own_account(p_account_id))
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
    if with_erasure and locked_ids = account_ids
      and (p_account_id = any (locked_ids) or not credits.is_own_account(p_account_id))
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
    perform credits.accounts_lock(credits.own_accounts(p_person_ids) || array(
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
  if not credits.is_own_account(p_account_id) then
    perform credits.handover_add('join', p_account_id);
    return;
  end if;
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
      select p_due.account_id, clock_timestamp() where credits.is_own_account(p_due.account_id) on conflict do nothing;
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
