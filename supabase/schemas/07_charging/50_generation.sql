-- Gives: the ways a job goes on and ends: start, settle, fail.
-- Keeps: a charge ends once, settled or refunded (invariant 4); a late result is never charged.
-- Needs: settings, files, refund, actual cost, asking.

create function credits.is_users_own_end(p_status public.generation_job_status, p_error jsonb)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  -- A prompt that its provider refuses is the user's doing as a cancel is: any number of them could be sent.
  return p_status = 'canceled'
    or coalesce('content_policy' in (p_error ->> 'code', p_error ->> 'reason'), false);
end;
$$;
comment on function credits.is_users_own_end(public.generation_job_status, jsonb) is
  'Whether a job ended without a result by its user''s doing: canceled, or refused for its content. Then expired '
  'credits get no grace period.';

create function credits.may_keep_late(p_job public.generation_jobs)
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  -- Not of a job that its user ended: cancels would be a way to get results for nothing.
  select p_job.status in ('failed', 'expired') and p_job.output is null and p_job.erased_at is null
    and not credits.is_users_own_end(p_job.status, p_job.error)
    and (select late_outputs from public.credit_settings) = 'keep';
$$;
comment on function credits.may_keep_late(public.generation_jobs) is
  'Whether a result that comes after the refund goes to the user.';

create function credits.ended_files_delete(p_account_id uuid, p_job_ids uuid[])
returns void
language plpgsql
set search_path = '', pg_temp
as $$
declare
  ended public.generation_jobs;
begin
  if not credits.has_storage() then
    return;
  end if;
  for ended in
    select j.* from public.generation_jobs as j
    where j.account_id = p_account_id and j.id = any (p_job_ids)
      and exists (select from credits.files_below(j.account_id || '/' || j.id))
  loop
    if not credits.may_keep_late(ended) then
      perform credits.deletions_add(p_account_id, array(
        select f.path from credits.files_below(ended.account_id || '/' || ended.id) as f (path)
        where not credits.file_is_kept(p_account_id, f.path)), 'orphan');
    end if;
  end loop;
end;
$$;
comment on function credits.ended_files_delete(uuid, uuid[]) is
  'Queues what is in the folders of jobs that have ended, and that they do not list, to be deleted: files that were '
  'kept before a refund, or after it, or after they were deleted. Their user can read them there. Not where a late '
  'result goes to the user.';

create function credits.job_end_refunded(p_job_id uuid, p_status public.generation_job_status,
  p_error jsonb, p_reason text)
returns public.generation_job_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  job record;
  result public.generation_job_result;
begin
  select j.account_id, j.member_id, j.status, j.cost, j.cost - j.refunded as outstanding, j.refunded, j.created_at,
    a.balance into job
  from public.credit_accounts as a join public.generation_jobs as j on j.account_id = a.id
  where j.id = p_job_id for update of a, j;
  if not found then
    perform credits.raise_no_such_job();
  end if;
  if job.status not in ('pending', 'running') then
    result.job_id := p_job_id;
    result.account_id := job.account_id;
    result.code := 'unchanged';
    result.status := job.status;
    result.cost := job.cost;
    result.refunded := job.refunded;
    result.balance := job.balance;
    return result;
  end if;
  if job.outstanding > 0 then
    perform credits.refund_book(job.account_id, 'refund', p_job_id, job.outstanding, p_reason, null,
      not credits.is_users_own_end(p_status, p_error), job.member_id, job.created_at);
    perform credits.event_emit(job.account_id, 'job.refunded',
      jsonb_build_object('job_id', p_job_id, 'credits', job.outstanding, 'reason', p_reason));
  end if;
  update public.generation_jobs
  set status = p_status, refunded = cost, error = p_error, ended_at = clock_timestamp()
  where id = p_job_id and account_id = job.account_id
  returning id, account_id, status, status, cost, refunded
  into result.job_id, result.account_id, result.code, result.status, result.cost, result.refunded;
  perform credits.ended_files_delete(job.account_id, array[p_job_id]);
  select balance into strict result.balance from public.credit_accounts where id = job.account_id;
  return result;
end;
$$;
comment on function credits.job_end_refunded(uuid, public.generation_job_status, jsonb, text) is
  'Ends an open job without a result and refunds what is left of its cost, in one; for the grace period what has '
  'expired meanwhile, unless it was canceled or its prompt refused. A job that has ended stays as it is. Locks the '
  'account, then the job. Raises PT404 for an unknown job.';

create function public.start_generation(
  p_job_id uuid, p_provider_job_id text default null, p_provider_urls jsonb default null
)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('start_generation');
  end if;
  job := credits.job_lock(p_job_id);
  if length(p_provider_job_id) not between 1 and 255 then
    perform credits.raise_misuse('22023', 'the provider''s job id must have 1 to 255 characters',
      'Leave it out if the provider has none.');
  end if;
  if jsonb_typeof(p_provider_urls) <> 'object' or octet_length(p_provider_urls::text) > 8192
    or p_provider_urls @? '$.* ? (@.type() != "string")' then
    perform credits.raise_misuse('22023', 'the provider''s addresses must be an object of texts of at most 8 KiB',
      'Such as {"status": "https://…"}.');
  end if;
  -- What was started with its charge has no provider's id yet.
  if job.status <> 'pending'
    and (job.status <> 'running' or job.provider_job_id is not null or p_provider_job_id is null) then
    if job.status = 'running' and job.provider_job_id = p_provider_job_id and p_provider_urls is not null then
      perform credits.provider_job_note(job, p_provider_job_id, p_provider_urls); -- a callback was faster
    end if;
    return credits.job_result(job, 'unchanged');
  end if;
  return credits.job_result(credits.provider_job_note(job, p_provider_job_id, p_provider_urls), 'started');
end;
$$;
comment on function public.start_generation(uuid, text, jsonb) is
  'Marks a pending job as running at its provider, under the provider''s own id if it has one, and notes that id of '
  'a job that was started without. p_provider_urls: the provider''s own addresses of the job, by name. Once a provider '
  'that calls back has the job, it can be asked about it (claim_provider_asks), and the deadline is that of '
  'hard_timeout_seconds. Idempotent. Not needed before settle_generation. Raises PT404 for an unknown job, 22023 for a '
  'provider''s job id that is empty or too long, or addresses that are not texts.';

create function credits.job_settle_ended(p_job public.generation_jobs)
returns public.generation_job_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  perform credits.ended_files_delete(p_job.account_id, array[p_job.id]);
  if p_job.status = 'succeeded' then
    return credits.job_result(p_job, 'unchanged');
  end if;
  update public.generation_jobs set late_settled_at = coalesce(late_settled_at, clock_timestamp())
  where id = p_job.id and account_id = p_job.account_id
  returning * into strict p_job;
  return credits.job_result(p_job, 'late');
end;
$$;
comment on function credits.job_settle_ended(public.generation_jobs) is
  'What a settlement does to a job that has ended: it queues files that the job does not list to be deleted, and '
  'notes that a result came after the refund. No credit moves.';

create function public.settle_generation(
  p_job_id uuid, p_output jsonb, p_actual_cost bigint default null, p_actual_usage jsonb default null
)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  result public.generation_job_result;
  actual bigint;
  extra bigint := 0;
  unused bigint := 0;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('settle_generation');
  end if;
  if p_output is null or p_output = 'null' then
    perform credits.raise_misuse('22023', 'a settled job needs an output',
      'Call fail_generation for a job without a result.');
  end if;
  if p_actual_cost is null and p_actual_usage is null then
    -- As charged, so that no credit moves: the job's own lock is enough, and the account's next charge need not wait.
    -- Nor does this ask for the account's lock where the job has ended meanwhile: it may have the job's, which comes
    -- after it.
    update public.generation_jobs
    set status = 'succeeded', output = p_output, actual_cost = cost, ended_at = clock_timestamp()
    where id = p_job_id and status in ('pending', 'running')
    returning id, account_id, 'settled', status, cost, refunded
    into result.job_id, result.account_id, result.code, result.status, result.cost, result.refunded;
    if found then
      perform credits.output_check(result.account_id, p_job_id, p_output);
      -- In a statement of its own: the one above may have waited for a refund of the job, and would tell the balance of
      -- before.
      select balance into result.balance from public.credit_accounts where id = result.account_id;
      return result;
    end if;
    select * into job from public.generation_jobs where id = p_job_id and status not in ('pending', 'running');
    if found then
      return credits.job_settle_ended(job);
    end if;
  end if;
  job := credits.job_lock(p_job_id);
  if job.status not in ('pending', 'running') then
    return credits.job_settle_ended(job);
  end if;
  perform credits.output_check(job.account_id, job.id, p_output);
  actual := credits.job_actual_cost(job, p_actual_cost, p_actual_usage);
  if actual > job.cost then
    extra := credits.charge_overage(job, actual);
  elsif job.cost - actual > job.refunded then
    unused := job.cost - actual - job.refunded;
    perform credits.refund_book(job.account_id, 'release', job.id, unused, 'actual cost below the charge', null, false,
      job.member_id, job.created_at);
  end if;
  update public.generation_jobs
  set status = 'succeeded', output = p_output, actual_cost = actual, cost = cost + extra,
      refunded = refunded + unused, ended_at = clock_timestamp(),
      seal = case when actual <> job.cost + extra then credits.job_seal(account_id, id, actual) end
  where id = job.id and account_id = job.account_id
  returning * into strict job;
  return credits.job_result(job, 'settled');
end;
$$;
comment on function public.settle_generation(uuid, jsonb, bigint, jsonb) is
  'Ends a job with its output. p_actual_cost (whole credits), or p_actual_usage in the fields that the model is '
  'priced by (n, width, height, seconds, input_tokens, of them cache_read_tokens and cache_write_tokens, '
  'output_tokens, characters), says what it really came to: what is below the charge is released at once (an entry '
  'of kind release; to a grant that has expired meanwhile: it expires); what is above is capped, or charged as far '
  'as credits and overdraft go, by the model''s overage. Idempotent: a second settle is unchanged; a settle after '
  'the refund is late: recorded, never charged. Raises PT404 for an unknown job, 22023 without an output, for one '
  'above 256 KiB or with a file of another job, or for a bad cost or usage.';

create function credits.failure_shown(p_error jsonb)
returns jsonb
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  given jsonb := case jsonb_typeof(p_error) when 'object' then p_error
    when 'string' then jsonb_build_object('message', p_error) else '{}' end;
  code text := coalesce(nullif(given ->> 'code', ''), 'provider_failed');
  failure jsonb := given
    || jsonb_build_object('code', code, 'message', given ->> 'message', 'reason', given ->> 'reason');
begin
  -- A provider's own words have no bound; refusing them would refuse the refund.
  if octet_length(failure::text) > 8192 then
    failure := jsonb_build_object(
      'code', left(code, 100), 'message', left(given ->> 'message', 1000), 'reason', left(given ->> 'reason', 100));
  end if;
  return jsonb_strip_nulls(failure);
end;
$$;
comment on function credits.failure_shown(jsonb) is
  'An error as it is kept and shown: an object without nulls, whose code is text, and its message and reason where '
  'there are any; a text becomes the message, any other form says nothing. Above 8 KiB these three are kept, cut.';

create function public.fail_generation(p_job_id uuid, p_error jsonb default null)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('fail_generation');
  end if;
  return credits.job_end_refunded(p_job_id, 'failed', credits.failure_shown(p_error), 'generation failed');
end;
$$;
comment on function public.fail_generation(uuid, jsonb) is
  'Ends a job as failed and refunds it whole, for the grace period what has expired meanwhile. p_error: {"code", '
  '"message", "reason"}, shown to the user: without a code it is provider_failed, a text alone is the message, and '
  'above 8 KiB it is cut. With content_policy as its code or reason (the provider refused the prompt) there is no '
  'grace period. Idempotent; a job that has ended is unchanged. Raises PT404 for an unknown job.';
