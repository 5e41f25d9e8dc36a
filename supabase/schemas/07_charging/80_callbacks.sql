-- Gives: receive_callback, which applies a provider's callback to its job.
-- Keeps: a charge ends once (invariant 4), also if callbacks come late, repeatedly or out of order.
-- Needs: generation.

create type public.generation_callback_result as (
  job_id uuid,
  code text,
  status public.generation_job_status,
  input jsonb
);
comment on type public.generation_callback_result is
  'What a callback did. code: running (the job is open; input: its request), failed (refunded now), unchanged (it had '
  'ended before, as status says), late (a result that came after the refund: recorded, not charged).';

create function public.receive_callback(
  p_job_id uuid, p_provider text, p_provider_job_id text, p_outcome text, p_error jsonb default null
)
returns public.generation_callback_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  ended public.generation_job_result;
begin
  perform credits.caller_check('receive_callback');
  if (p_outcome in ('running', 'succeeded', 'failed')) is not true
    or (length(p_provider_job_id) between 1 and 255) is not true then
    perform credits.raise_misuse('22023',
      'a callback needs the provider''s job id, of 1 to 255 characters, and an outcome',
      'The outcome is running, succeeded or failed.');
  end if;
  job := credits.job_lock(p_job_id);
  if job.provider is distinct from p_provider or job.provider_job_id <> p_provider_job_id then
    -- The same error as for an unknown id: the caller learns nothing about the jobs of others.
    perform credits.raise_misuse('PT404', 'no such job',
      'A callback must name a job of its own provider, by the id that the provider gave it first.');
  end if;
  if job.status not in ('pending', 'running') then
    if p_outcome = 'succeeded' then
      -- For an ended job, a settlement only records the time of a late result.
      ended := public.settle_generation(job.id, 'true');
    end if;
    return row(job.id, coalesce(ended.code, 'unchanged'), job.status, null)::public.generation_callback_result;
  end if;
  -- Also if the callback arrives before the submission is recorded, or if that record was lost.
  update public.generation_jobs
  set status = 'running', started_at = coalesce(started_at, clock_timestamp()), provider_job_id = p_provider_job_id
  where id = job.id and account_id = job.account_id and (status = 'pending' or provider_job_id is null);
  if p_outcome = 'failed' then
    ended := public.fail_generation(job.id, p_error);
    return row(job.id, ended.code, ended.status, null)::public.generation_callback_result;
  end if;
  return row(job.id, 'running', 'running', job.input)::public.generation_callback_result;
end;
$$;
comment on function public.receive_callback(uuid, text, text, text, jsonb) is
  'Applies a provider''s report on a job: p_outcome running, succeeded or failed (p_error: {"code", "message"}, shown '
  'to the user). Stores the provider''s own id of the job if it is not known yet. failed ends and refunds the job; '
  'after succeeded, call settle_generation with the output if the result is running. Idempotent; the first end stays. '
  'Raises PT404 for an unknown job, or one of another provider or under another of its ids; 22023 for an unknown '
  'outcome, or an id that is missing or too long.';
