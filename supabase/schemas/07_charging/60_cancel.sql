-- Gives: cancel_generation, and the rules of who may cancel which job, and how often.
-- Keeps: beyond the free cancels of a day no provider works unpaid; a job that cannot be stopped counts as open to its
--   end.
-- Needs: settings, plans, accounts, provider jobs, asking, generation.

create function credits.may_cancel(p_job public.generation_jobs, p_member_id uuid)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select p_member_id is null
    or exists (select from public.credit_accounts where id = p_job.account_id and user_id = p_member_id)
    or exists (
      select from public.account_members as m
      where m.account_id = p_job.account_id and m.user_id = p_member_id
        and (m.role in ('owner', 'admin')
          or (m.role = 'member' and m.monthly_cap is distinct from 0 and p_job.member_id = p_member_id)));
$$;
comment on function credits.may_cancel(public.generation_jobs, uuid) is
  'Whether a user may cancel a job: on their own account any job; in a team an owner or admin any job, a member who '
  'may spend their own.';

create function credits.cancel_count(p_account_id uuid)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  -- The wall clock's day: the transaction may have begun on the day before.
  today constant date := (clock_timestamp() at time zone 'utc')::date;
begin
  update public.credit_accounts as a
  set cancels = case when a.cancels_on >= today then a.cancels else 0 end + 1,
      cancels_on = greatest(a.cancels_on, today)
  from public.credit_plans as p
  where a.id = p_account_id and p.name = a.plan
    and case when a.cancels_on >= today then a.cancels else 0 end < p.free_cancels_per_day;
  return found;
end;
$$;
comment on function credits.cancel_count(uuid) is
  'Uses one of the account''s free cancels of this day (UTC); false when none is left. The caller holds the '
  'account''s lock.';

create function credits.cancel_at_provider(p_job public.generation_jobs, p_acknowledged boolean)
returns text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  asked_at timestamptz := (select cancel_requested_at from public.generation_provider_jobs
    where account_id = p_job.account_id and job_id = p_job.id);
begin
  if asked_at is null and not credits.cancel_count(p_job.account_id) then
    return 'cancels_used_up';
  elsif p_acknowledged then
    return 'canceled';
  elsif asked_at is null then
    perform credits.provider_job_note(p_job, p_job.provider_job_id);
    update public.generation_provider_jobs
    set cancel_requested_at = clock_timestamp(),
      next_ask_at = least(next_ask_at, clock_timestamp() + interval '60 seconds')
    where account_id = p_job.account_id and job_id = p_job.id;
  end if;
  return 'cancel_requested';
end;
$$;
comment on function credits.cancel_at_provider(public.generation_jobs, boolean) is
  'Whether a job that a provider has is canceled: only once the provider has acknowledged it. The first request uses a '
  'free cancel and is noted. The caller holds the locks of account and job.';

create function public.cancel_generation(
  p_job_id uuid, p_member_id uuid default null, p_acknowledged boolean default false
)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  asked text;
begin
  perform credits.caller_check('cancel_generation');
  job := credits.job_lock(p_job_id);
  if not credits.may_cancel(job, p_member_id) then
    perform credits.raise_misuse('PT403', 'this user may not cancel the job',
      'A member who may spend can cancel their own jobs, an owner or admin of the team all jobs.');
  end if;
  if job.status = 'running' then
    -- Refunds of jobs that go on at their provider would be free work without limit.
    if job.provider <> all ((select callback_providers from public.credit_settings)::text[]) then
      return credits.job_result(job, 'job_running');
    elsif job.provider_job_id is not null then
      asked := credits.cancel_at_provider(job, p_acknowledged is true);
      if asked <> 'canceled' then
        return credits.job_result(job, asked);
      end if;
    elsif not credits.cancel_count(job.account_id) then
      return credits.job_result(job, 'cancels_used_up');
    end if;
  end if;
  return credits.job_end_refunded(job.id, 'canceled', '{"code": "canceled"}', 'generation canceled');
end;
$$;
comment on function public.cancel_generation(uuid, uuid, boolean) is
  'Ends a job as canceled and refunds it in full if it has not started. A job that runs at a provider that calls back '
  '(credit_settings.callback_providers) can be canceled as often per day as the plan''s free_cancels_per_day; beyond '
  'that: cancels_used_up. Once that provider has it, it goes on, and the answer is cancel_requested: ask the provider '
  'to stop it, and call again with p_acknowledged where it says that it has, or let receive_callback or '
  'provider_answered end it. It is refunded when it failed or was canceled there, and charged if it succeeds all the '
  'same. A job that another provider runs ends charged or refunded: job_running. p_member_id: who '
  'asks (on their own account any job; in a team an owner or admin any job, a member who may spend their own); null: '
  'no check of the person. Idempotent; a job that has ended is unchanged. To end any open job as an operator: '
  'refund_credits. Raises PT404 for an unknown job, PT403 when the member may not cancel it.';
