-- Gives: the progress of a text while it runs, and its end: settled by what was used, or given up.
-- Keeps: a text that was delivered is charged once, by the provider's numbers or by an estimate, also if the process
--   that ran it has died.
-- Needs: jobs, usage, settings, actual cost, generation.

create function public.note_generation_progress(p_job_id uuid, p_usage jsonb)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  noted jsonb;
begin
  perform credits.caller_check('note_generation_progress');
  if jsonb_typeof(p_usage) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'progress is a JSON object',
      'Such as {"input_tokens": 9, "output_tokens": 4}.');
  end if;
  noted := credits.usage_reported(p_usage);
  -- The row's own source is looked at again under its lock, so that no late note undoes a settlement.
  update public.generation_usage as u
  set usage = noted, usage_source = 'progress', noted_at = clock_timestamp()
  from public.generation_jobs as j
  where j.id = p_job_id and j.status in ('pending', 'running') and u.account_id = j.account_id and u.job_id = j.id
    and (u.usage_source is null
      or (u.usage_source = 'progress' and u.noted_at < clock_timestamp() - interval '1 second'));
  return found or exists (
    select from public.generation_jobs where id = p_job_id and status in ('pending', 'running'));
end;
$$;
comment on function public.note_generation_progress(uuid, jsonb) is
  'Notes what a text has used so far, by an estimate of what was delivered, so that the sweep can settle by it if '
  'the caller dies: call it every two seconds from the first token on. More than once a second is ignored. Returns '
  'whether the job is open: if not, stop the provider. Locks neither account nor job. Raises 22023 for a bad usage.';

create function credits.text_used(p_job public.generation_jobs, p_usage jsonb, p_usage_source text)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  used jsonb := credits.usage_reported(p_usage);
begin
  if p_usage_source = 'reported' then
    return used;
  end if;
  -- Delivered text is never free: an estimate counts a token at least of what the job was charged for.
  return used
    || jsonb_build_object('input_tokens', greatest((used ->> 'input_tokens')::numeric, 1))
    || case when p_job.input ? 'output_tokens'
      then jsonb_build_object('output_tokens', greatest((used ->> 'output_tokens')::numeric, 1)) else '{}' end;
end;
$$;
comment on function credits.text_used(public.generation_jobs, jsonb, text) is
  'The usage that a text is settled by. Reported: as it is, 0 included. Estimated: at least one token of each.';

create function public.settle_text(p_job_id uuid, p_usage jsonb, p_usage_source text, p_output jsonb default '{}')
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  used jsonb;
  result public.generation_job_result;
begin
  perform credits.caller_check('settle_text');
  if (jsonb_typeof(p_usage) = 'object' and jsonb_typeof(p_output) = 'object'
    and p_usage_source in ('reported', 'estimated')) is not true then
    perform credits.raise_misuse('22023', 'a text is settled by a usage and an output, both JSON objects',
      'p_usage_source is reported (the provider''s own numbers) or estimated.');
  end if;
  -- No lock yet: the settlement takes the account's first.
  select * into job from public.generation_jobs where id = p_job_id;
  used := credits.text_used(job, p_usage, p_usage_source);
  if p_output ? 'response' and (select text_store from public.credit_settings) <> 'full' then
    p_output := p_output - 'response';
  end if;
  result := public.settle_generation(p_job_id,
    p_output || jsonb_build_object('usage', used, 'usage_source', p_usage_source), null, used);
  if result.code = 'settled' then
    update public.generation_usage set usage = used, usage_source = p_usage_source, noted_at = clock_timestamp()
    where account_id = result.account_id and job_id = p_job_id;
  end if;
  return result;
end;
$$;
comment on function public.settle_text(uuid, jsonb, text, jsonb) is
  'Ends a text with what it used, as settle_generation does. p_usage_source: reported (the provider''s numbers: a '
  '0 is 0, a field that is missing counts as it was held) or estimated (of prompt and delivered text: at least one '
  'token each). p_output: small facts such as the finish reason; its response, the whole answer, is kept only with '
  'credit_settings.text_store full. Idempotent: unchanged the second time, late after a refund. Raises PT404 for '
  'an unknown job, 22023 for a bad usage, source or output.';

create function credits.text_settle_by_progress(p_account_id uuid, p_job_id uuid, p_finish_reason text)
returns public.generation_job_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  noted jsonb;
begin
  select usage into noted from public.generation_usage
  where account_id = p_account_id and job_id = p_job_id and usage_source = 'progress';
  if noted is null then
    return null;
  end if;
  return public.settle_text(p_job_id, noted, 'estimated', jsonb_build_object('finish_reason', p_finish_reason));
end;
$$;
comment on function credits.text_settle_by_progress(uuid, uuid, text) is
  'Settles a text by the progress that was noted last; null if none was: nothing was delivered. The caller holds the '
  'locks.';

create function public.abandon_text(p_job_id uuid)
returns public.generation_job_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  result public.generation_job_result;
begin
  perform credits.caller_check('abandon_text');
  job := credits.job_lock(p_job_id);
  if job.status in ('pending', 'running') then
    result := credits.text_settle_by_progress(job.account_id, job.id, 'canceled');
    if result.job_id is not null then
      return result;
    end if;
  end if;
  return credits.job_end_refunded(p_job_id, 'canceled',
    '{"code": "canceled", "message": "The client left before the first token."}', 'client left');
end;
$$;
comment on function public.abandon_text(uuid) is
  'Ends a text whose client left before anything was delivered: canceled and refunded whole, without a grace period. '
  'If progress was noted, something was delivered, and it is settled by that. Idempotent. Raises PT404 for an unknown '
  'job.';
