-- Gives: correct_job, which fixes a job whose entries do not add up.
-- Keeps: entries are added, never changed; a correction is booked once, and only as far as the credits are there.
-- Needs: burn down, refund; when called: due, counts.

create function credits.job_take_back(p_job public.generation_jobs, p_amount bigint, p_reason text)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  account public.credit_accounts;
  plan credits.burn_plan;
begin
  perform credits.account_refill_due(p_job.account_id);
  select * into strict account from public.credit_accounts where id = p_job.account_id;
  plan := credits.burn_plan(account.id, p_amount);
  if plan.shortfall > account.credit_limit - account.overdraft_used then
    perform credits.raise_misuse('PT402',
      format('the account lacks %s of the credits to take back', plan.shortfall),
      'Wait for the next credits, or call grant_credits with kind adjustment first.');
  end if;
  perform credits.burn(account, plan, 'adjustment', p_job.id, p_reason);
end;
$$;
comment on function credits.job_take_back(public.generation_jobs, bigint, text) is
  'Takes credits that a job refunded too often out of the account, as a charge would. The caller holds the locks.';

create function credits.member_correct(p_job public.generation_jobs, p_most bigint)
returns void
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- From the jobs of the month: nothing else says whether a movement that was undone or booked by hand had been
  -- counted.
  update public.account_members as m
  set spent = m.spent + greatest(least(least(greatest(c.told, c.least), c.most) - c.told, p_most), -p_most)
  from credits.members_counted as c
  where m.account_id = p_job.account_id and m.user_id = p_job.member_id
    and c.account_id = m.account_id and c.user_id = m.user_id and c.month = m.spent_month;
end;
$$;
comment on function credits.member_correct(public.generation_jobs, bigint) is
  'Brings what a job''s member has spent in line with their jobs, by up to p_most credits: the correction of one job '
  'cannot explain more. The caller holds the account''s lock.';

create function public.correct_job(p_job_id uuid, p_reason text)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  missing bigint;
begin
  perform credits.caller_check('correct_job');
  job := credits.job_lock(p_job_id);
  perform credits.check_length('reason', coalesce(p_reason, ''), 1, 500);
  select job.refunded - job.cost - coalesce(sum(delta), 0) into strict missing
  from public.credit_ledger where account_id = job.account_id and job_id = job.id;
  if missing > 0 then
    perform credits.refund_book(job.account_id, 'refund', job.id, missing, p_reason, null, true, job.member_id,
      job.created_at);
  elsif missing < 0 then
    perform credits.job_take_back(job, -missing, p_reason);
  end if;
  perform credits.member_correct(job, abs(missing));
  return credits.job_result(job, case when missing = 0 then 'unchanged' else 'corrected' end);
end;
$$;
comment on function public.correct_job(uuid, text) is
  'Fixes a discrepancy of class job, where the job''s cost and refunded are right. Books what its entries lack (as a '
  'refund, to where the credits came from) or have too much (as an adjustment, out of the account''s grants), so that '
  'they add up to refunded - cost, and counts it towards the month of the member who asked for the job. Idempotent: '
  'if they add up already, nothing moves (unchanged). Raises PT404 for an unknown job, 22023 for a reason of other '
  'than 1 to 500 characters, PT402 when the account lacks the credits to take back.';
