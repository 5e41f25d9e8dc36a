-- Gives: receive_callback and provider_answered, which apply what a provider says to its job, and keep_late_output.
-- Keeps: a charge ends once (invariant 4), also if callbacks and answers come late, repeatedly or out of order.
-- Needs: files, uploads, generation, provider jobs, asking.

create type public.generation_callback_result as (
  job_id uuid,
  code text,
  status public.generation_job_status,
  input jsonb,
  account_id uuid,
  max_output_bytes bigint
);
comment on type public.generation_callback_result is
  'What a provider''s word did. code: running (the job is open), failed or canceled (refunded now), unchanged (it had '
  'ended before, as status says), late (a result that came after the refund: recorded, not charged) or late_keep '
  '(keep it by keep_late_output). With running and late_keep: input, the job''s request, and max_output_bytes, how '
  'large one of its files may be.';

create function credits.callback_result(p_job public.generation_jobs, p_code text)
returns public.generation_callback_result
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  result public.generation_callback_result;
begin
  result.job_id := p_job.id;
  result.code := p_code;
  result.status := p_job.status;
  result.account_id := p_job.account_id;
  if p_code in ('running', 'late_keep') then
    result.input := p_job.input;
    result.max_output_bytes := credits.output_limit(p_job.model, p_job.price_effective_from);
  end if;
  return result;
end;
$$;
comment on function credits.callback_result(public.generation_jobs, text) is 'A job as a provider''s word left it.';

create function credits.provider_word_late(p_job public.generation_jobs, p_word text)
returns public.generation_callback_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  if p_word <> 'succeeded' or p_job.status = 'succeeded' then
    return credits.callback_result(p_job, 'unchanged');
  end if;
  perform credits.job_settle_ended(p_job);
  return credits.callback_result(p_job, case when credits.may_keep_late(p_job) then 'late_keep' else 'late' end);
end;
$$;
comment on function credits.provider_word_late(public.generation_jobs, text) is
  'What a provider''s word does to a job that has ended: it notes a result after the refund. Moves no credit.';

create function credits.provider_word(p_job public.generation_jobs, p_word text, p_error jsonb)
returns public.generation_callback_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  noted public.generation_provider_jobs;
  ended public.generation_job_result;
begin
  update public.generation_provider_jobs
  set last_answer = p_word, last_error = case p_word when 'unknown' then credits.failure_shown(p_error) end
  where account_id = p_job.account_id and job_id = p_job.id
  returning * into noted;
  if p_word = 'canceled' or (p_word = 'failed' and noted.cancel_requested_at is not null) then
    if noted.cancel_requested_at is not null then
      ended := credits.job_end_refunded(p_job.id, 'canceled', '{"code": "canceled"}', 'generation canceled');
    else
      ended := public.fail_generation(p_job.id, p_error);
    end if;
  elsif p_word = 'failed' then
    ended := public.fail_generation(p_job.id, p_error);
  end if;
  p_job.status := coalesce(ended.status, p_job.status);
  return credits.callback_result(p_job, coalesce(ended.code, 'running'));
end;
$$;
comment on function credits.provider_word(public.generation_jobs, text, jsonb) is
  'What a provider''s word does to an open job that it has: failed and canceled refund it, as its user''s own doing '
  'where the user had asked to cancel it. The caller holds the job''s lock.';

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
begin
  perform credits.caller_check('receive_callback');
  if (p_outcome in ('running', 'succeeded', 'failed', 'canceled')) is not true
    or (length(p_provider_job_id) between 1 and 255) is not true then
    perform credits.raise_misuse('22023',
      'a callback needs the provider''s job id, of 1 to 255 characters, and an outcome',
      'The outcome is running, succeeded, failed or canceled.');
  end if;
  job := credits.job_lock(p_job_id);
  if job.provider is distinct from p_provider or job.provider_job_id <> p_provider_job_id then
    -- The same error as for an unknown id: the caller learns nothing about the jobs of others.
    perform credits.raise_misuse('PT404', 'no such job',
      'A callback must name a job of its own provider, by the id that the provider gave it first.');
  end if;
  if job.status not in ('pending', 'running') then
    return credits.provider_word_late(job, p_outcome);
  end if;
  -- Also if the callback arrives before the submission is recorded, or if that record was lost.
  if job.status = 'pending' or job.provider_job_id is null then
    job := credits.provider_job_note(job, p_provider_job_id);
  end if;
  -- It need not be asked about for a while: after succeeded it is being fetched.
  update public.generation_provider_jobs
  set next_ask_at = greatest(next_ask_at, credits.ask_after(0, expected_by, job.deadline_at))
  where account_id = job.account_id and job_id = job.id;
  return credits.provider_word(job, p_outcome, p_error);
end;
$$;
comment on function public.receive_callback(uuid, text, text, text, jsonb) is
  'Applies a provider''s report on a job: p_outcome running, succeeded, failed or canceled (p_error: {"code", '
  '"message"}, shown to the user). Stores the provider''s own id of the job if it is not known yet. failed and '
  'canceled end and refund the job; after succeeded, call settle_generation with the output if the result is running, '
  'and keep_late_output if it is late_keep. Idempotent; the first end stays. Raises PT404 for an unknown job, or one '
  'of another provider or under another of its ids; 22023 for an unknown outcome, or an id that is missing or too '
  'long.';

create function public.provider_answered(
  p_job_id uuid, p_provider text, p_provider_job_id text, p_answer text, p_error jsonb default null
)
returns public.generation_callback_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  perform credits.caller_check('provider_answered');
  if (p_answer in ('running', 'unknown', 'succeeded', 'failed', 'canceled')) is not true then
    perform credits.raise_misuse('22023', 'an answer is running, unknown, succeeded, failed or canceled',
      'unknown is what cannot be told: the provider did not answer, or does not know the job.');
  end if;
  job := credits.job_lock(p_job_id);
  if (job.provider = p_provider and job.provider_job_id = p_provider_job_id) is not true then
    perform credits.raise_misuse('PT404', 'no such job', 'Name a job that claim_provider_asks gave, as it gave it.');
  end if;
  if job.status not in ('pending', 'running') then
    return credits.provider_word_late(job, p_answer);
  end if;
  -- Its provider still works on it: the deadline is the hard one, also where somebody had set an earlier one.
  if p_answer = 'running' and job.deadline_at <= clock_timestamp() then
    job := credits.provider_job_note(job, p_provider_job_id);
  end if;
  return credits.provider_word(job, p_answer, p_error);
end;
$$;
comment on function public.provider_answered(uuid, text, text, text, jsonb) is
  'Applies a provider''s answer about a job that claim_provider_asks gave. failed and canceled refund it; after '
  'succeeded, call settle_generation with the output if the result is running, and keep_late_output if it is '
  'late_keep. running and unknown wait: the job is refunded when hard_timeout_seconds of its model are over; p_error '
  'says why it is unknown. Idempotent; the first end stays. Raises PT404 for an unknown job, one of another '
  'provider or under another id; 22023 for an unknown answer.';

create function public.keep_late_output(p_job_id uuid, p_output jsonb)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  perform credits.caller_check('keep_late_output');
  if jsonb_typeof(p_output) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'an output is a JSON object', 'Put files in Storage and pass their paths.');
  end if;
  job := credits.job_lock(p_job_id);
  perform credits.output_check(job.account_id, job.id, p_output);
  -- A file that is queued to be deleted is gone, or may be in a moment.
  if not credits.may_keep_late(job) or exists (
    select from credits.output_files(p_output) as f
    where exists (select from credits.storage_deletions as d where d.path = f.path)
      or credits.has_storage() and credits.file_differs(f.path, null, null) = 'not_found') then
    return false;
  end if;
  update public.generation_jobs
  set output = p_output, late_settled_at = coalesce(late_settled_at, clock_timestamp())
  where id = job.id and account_id = job.account_id;
  return true;
end;
$$;
comment on function public.keep_late_output(uuid, jsonb) is
  'Gives a refunded job the result that came late; its status and refund stay. False where it may not have one: it is '
  'open, has succeeded, was canceled or refused for its content, was erased, has an output already, '
  'credit_settings.late_outputs is drop, or a file is not in Storage or is queued to be deleted. Raises '
  'PT404 for an unknown job, 22023 for an output that is no object or too large.';
