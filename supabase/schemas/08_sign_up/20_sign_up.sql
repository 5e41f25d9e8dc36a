-- Gives: the triggers on auth.users: a new user gets an account and a sign-up grant, a deleted user's account is
--   closed, and reopened when they return.
-- Keeps: credits never block a sign-up, a change or a deletion of a user; the ledger outlives the user.
-- Needs: sign up grants, handovers; when called: departure, operators; table auth.users.

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
      perform credits.sign_up_account(new.id);
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
  'credit_settings (on another shard: by credits.handovers) if the address is confirmed or needs no confirmation. A '
  'user who does not get it leaves a row in '
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

create function credits.users_leave(p_user_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- In blocks of their own: what fails for the other shards happens here all the same.
  begin
    perform credits.handover_add('leave', u.id) from unnest(p_user_ids) as u (id);
  exception when others then
    raise warning 'the deletion of users is not noted for the other shards: % (%)', sqlerrm, sqlstate;
  end;
  if not credits.is_router() then
    perform credits.people_leave(p_user_ids);
    return;
  end if;
  begin
    perform credits.operators_forget(p_user_ids, true);
  exception when others then
    raise warning 'deleted users stay operators: % (%)', sqlerrm, sqlstate;
  end;
end;
$$;
comment on function credits.users_leave(uuid[]) is
  'Does what the deletion of users asks for: here, and by credits.handovers on the other shards. Warns instead of '
  'failing. p_user_ids in order.';

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
  perform credits.users_leave(array(select id from gone order by id));
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
    perform credits.users_leave(gone);
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
