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

create function credits.has_left_traces(p_person_id uuid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select not credits.is_own_account(p_person_id) and (
    exists (select from public.credit_request_events where account_id = p_person_id or member_id = p_person_id)
    or exists (select from public.credit_app_keys where member_id = p_person_id));
$$;
comment on function credits.has_left_traces(uuid) is
  'Whether a person whose account is on another shard has denied requests or keys here, in no team any more.';

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
  if cardinality(account_ids) = 0 and not credits.has_left_traces(p_account_id) then
    return 0;
  end if;
  -- A member may have no account yet: the lock opens it, so that it can be closed. One of another shard has none here.
  return credits.person_erase_from(p_account_id,
    credits.accounts_lock(credits.own_accounts(array[p_account_id]) || account_ids));
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
