-- Gives: person_joins and person_leaves, by which a shard hears of the sign-up and deletion of users, who are in
--   auth.users of the router.
-- Keeps: called again, nothing is done twice; an account on another shard is neither opened nor closed here.
-- Needs: departure; table auth.users.

create function credits.sign_up_note_denial(p_account_id uuid, p_code text)
returns void
language sql
set search_path = '', pg_temp
as $$
  insert into public.credit_request_events (account_id, status, code)
  select p_account_id, 403, p_code where p_code is not null and not exists (
    select from public.credit_request_events where account_id = p_account_id and code = p_code);
$$;
comment on function credits.sign_up_note_denial(uuid, text) is
  'Leaves a row in credit_request_events: why a user has no sign-up grant; none for null, nor a second one.';

create function public.person_joins(p_person_id uuid, p_amount bigint default null, p_code text default null)
returns bigint
language plpgsql
security definer
set search_path = '', pg_temp
set lock_timeout = '2s'
as $$
declare
  account public.credit_accounts;
begin
  perform credits.caller_check('person_joins');
  if p_person_id is null then
    perform credits.raise_misuse('22023', 'a person is needed', 'Pass the auth user''s id.');
  end if;
  if p_code is not null and p_code not in ('sign_up_granted_before', 'sign_up_grants_exhausted') then
    perform credits.raise_misuse('22023', 'this code says nothing of a sign-up grant',
      'sign_up_granted_before and sign_up_grants_exhausted do.');
  end if;
  perform credits.own_account_check(p_person_id);
  perform credits.person_return(p_person_id);
  account := credits.account_lock(p_person_id);
  perform credits.sign_up_note_denial(p_person_id, p_code);
  -- As on one database: no grant for an account that is closed, or a team's.
  if p_amount is not null and account.closed_at is null and not account.is_team then
    return (public.grant_credits(p_person_id, p_amount, 'sign-up grant',
      p_external_ref => 'sign-up:' || p_person_id)).balance;
  end if;
  return account.balance;
end;
$$;
comment on function public.person_joins(uuid, bigint, text) is
  'Does on the shard of a user''s account what their sign-up or return does on one database: opens it, or opens it '
  'again, and grants the sign-up credits that were decided where they signed up (null: none; p_code: why). '
  'Idempotent; returns the balance. Raises 22023 for a bad argument, PT421 on another shard, PT409 for another amount '
  'than before.';

create function credits.person_is_gone_check(p_person_id uuid)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if exists (select from auth.users where id = p_person_id and to_jsonb(users) ->> 'deleted_at' is null) then
    perform credits.raise_misuse('PT409', 'this user is not deleted',
      'Delete them in Auth: the rest follows from that.');
  end if;
end;
$$;
comment on function credits.person_is_gone_check(uuid) is
  'Raises PT409 for a user who is signed up here and not deleted.';

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
  -- Who is signed up here leaves by Auth. A shard knows nobody: its own users were copied when the router was made.
  if not exists (select from credits.shard where slot_groups <> '{}') then
    perform credits.person_is_gone_check(p_person_id);
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
