-- Gives: person_leaves, by which a shard hears of the deletion of a user who is in auth.users of another database.
-- Keeps: called again, nothing is done twice; an account on another shard is neither opened nor closed here.
-- Needs: departure; table auth.users.

create function public.person_leaves(p_person_id uuid)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
begin
  perform credits.caller_check('person_leaves');
  if p_person_id is null then
    perform credits.raise_misuse('22023', 'a person is needed', 'Pass the auth user''s id.');
  end if;
  -- Who is signed up here leaves by Auth.
  if exists (select from auth.users where id = p_person_id and to_jsonb(users) ->> 'deleted_at' is null) then
    perform credits.raise_misuse('PT409', 'this user is not deleted',
      'Delete them in Auth: the rest follows from that.');
  end if;
  perform credits.people_leave(array[p_person_id]);
  if exists (select from public.account_erasures where account_id = p_person_id and finished_at is null) then
    return false;
  end if;
  if exists (select from public.account_members where user_id = p_person_id)
    or exists (select from public.credit_accounts
      where id = p_person_id and not is_team and (user_id is not null or closed_at is null)) then
    perform credits.raise_misuse('55P03', 'the person could not leave, nor be noted', 'Repeat the call.');
  end if;
  return true;
end;
$$;
comment on function public.person_leaves(uuid) is
  'Does on this shard what the deletion of a user does where they signed up: closes and unlinks their account, if it '
  'lives here, takes them out of the teams that live here, and erases them if credit_settings says so. Call it on '
  'every shard. Idempotent; returns whether all is done: finish_erasures does what is left. Raises 22023 without a '
  'person, PT409 for one whom Auth has here and has not deleted, 55P03 where not even a note of it could be made.';
