-- Gives: the way of outputs that are in the database into Storage: which ones, one batch at a time, and their end.
-- Keeps: an output stays until its files are in Storage; one that was erased or deleted meanwhile stays gone.
-- Needs: foundation, jobs, files.

create table credits.outputs_to_move (
  account_id uuid not null,
  job_id uuid not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  claimed_hash bytea,
  primary key (account_id, job_id)
);
-- The outputs to move next: claim_outputs_to_move.
create index outputs_to_move_due on credits.outputs_to_move (next_attempt_at);
comment on table credits.outputs_to_move is 'Jobs whose output has bytes in the database that belong into Storage.';
comment on column credits.outputs_to_move.claimed_hash is
  'SHA-256 of the output that was handed out last: another one is not overwritten.';
alter table credits.outputs_to_move enable row level security;

create type public.generation_output_to_move as (
  job_id uuid,
  account_id uuid,
  output jsonb
);
comment on type public.generation_output_to_move is 'A job''s output with files to move to Storage.';

create function credits.output_has_data(p_output jsonb)
returns boolean
language sql
immutable
set search_path = '', pg_temp
as $$
  -- Strictly a list: what SQL alone settled may have any form, and one that the function cannot read would stop all.
  select coalesce(jsonb_typeof(p_output -> 'outputs') = 'array'
    and p_output @? '$.outputs[*] ? (exists (@.data) || @.url starts with "data:")', false);
$$;
comment on function credits.output_has_data(jsonb) is
  'Whether an output has a file''s bytes in itself: as data, or as an address that begins with data:.';

create function credits.output_hash(p_output jsonb)
returns bytea
language sql
stable
set search_path = '', pg_temp
as $$
  select sha256(convert_to(p_output::text, 'UTF8'));
$$;
comment on function credits.output_hash(jsonb) is 'SHA-256 of an output.';

create function public.find_outputs_to_move()
returns bigint
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  queued bigint;
begin
  perform credits.caller_check('find_outputs_to_move');
  insert into credits.outputs_to_move (account_id, job_id)
  select account_id, id from public.generation_jobs
  where status = 'succeeded' and erased_at is null and output_deleted_at is null and credits.output_has_data(output)
  on conflict do nothing;
  get diagnostics queued = row_count;
  return queued;
end;
$$;
comment on function public.find_outputs_to_move() is
  'Queues every output whose bytes are in the database to be moved to Storage; returns how many are new. Reads every '
  'job: call it once, in psql, after such data was brought in. The task move-outputs does the rest. Idempotent.';

create function credits.outputs_due(p_limit integer)
returns table (account_id uuid, job_id uuid, output jsonb)
language plpgsql
set search_path = '', pg_temp
as $$
begin
  return query
  with due as materialized (
    select m.account_id, m.job_id, m.next_attempt_at from credits.outputs_to_move as m
    where m.next_attempt_at <= now()
    order by m.next_attempt_at limit least(greatest(p_limit, 0), 1000)
    for update skip locked
  ),
  sized as (
    select d.account_id, d.job_id, j.output,
      coalesce(sum(octet_length(j.output::text))
        over (order by d.next_attempt_at, d.job_id rows between unbounded preceding and 1 preceding), 0) as before
    from due as d join public.generation_jobs as j on j.id = d.job_id and j.account_id = d.account_id
  )
  -- What a function takes into its memory at once; the first one is handed out in any case.
  select s.account_id, s.job_id, s.output from sized as s where s.before < 8388608;
end;
$$;
comment on function credits.outputs_due(integer) is
  'Locks the outputs to move next, and returns them: p_limit at most, and no more once they have 8 MiB.';

create function public.claim_outputs_to_move(p_limit integer default 10)
returns setof public.generation_output_to_move
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('claim_outputs_to_move');
  return query
  with due as materialized (
    select d.account_id, d.job_id, d.output, credits.output_has_data(d.output) as has_data
    from credits.outputs_due(p_limit) as d
  ),
  moved_already as (
    delete from credits.outputs_to_move as m using due as d
    where m.account_id = d.account_id and m.job_id = d.job_id and not d.has_data
  ),
  claimed as (
    update credits.outputs_to_move as m
    set attempts = m.attempts + 1, claimed_hash = credits.output_hash(d.output),
      next_attempt_at = now() + least(interval '5 minutes' * power(2, least(m.attempts, 10)), interval '12 hours')
    from due as d
    where m.account_id = d.account_id and m.job_id = d.job_id and d.has_data
    returning m.job_id, m.account_id, d.output
  )
  select c.job_id, c.account_id, c.output from claimed as c;
end;
$$;
comment on function public.claim_outputs_to_move(integer) is
  'Hands out up to p_limit outputs to move to Storage, to one worker each: about 8 MiB at a time. Upload each file to '
  '<account>/<job>/<n>.<extension>, then call finish_output_move. What is not finished is handed out again after 5 '
  'minutes, then after twice as long each time, 12 hours at most.';

create function public.finish_output_move(p_job_id uuid, p_output jsonb)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  job public.generation_jobs;
  claimed bytea;
begin
  perform credits.caller_check('finish_output_move');
  select * into job from public.generation_jobs where id = p_job_id for update;
  if not found then
    perform credits.raise_no_such_job();
  end if;
  perform credits.output_check(job.account_id, job.id, p_output);
  if p_output is null or credits.output_has_data(p_output) then
    perform credits.raise_misuse('22023', 'this output has its bytes still in itself',
      'Pass the output with path, media_type and bytes of each file in place of its data.');
  end if;
  delete from credits.outputs_to_move where account_id = job.account_id and job_id = job.id
  returning claimed_hash into claimed;
  if job.output = p_output then
    return true;
  elsif claimed is null or job.output_deleted_at is not null or claimed <> credits.output_hash(job.output) then
    return false;
  end if;
  update public.generation_jobs set output = p_output where id = job.id and account_id = job.account_id;
  return true;
end;
$$;
comment on function public.finish_output_move(uuid, jsonb) is
  'Puts the output with its paths in the place of the one that was handed out, whose files are in Storage now. false '
  'where it is another by now, such as one that was erased: then nothing changes, and the files that were uploaded are '
  'deleted by the task delete-objects, never by the caller. Idempotent. Raises PT404 for an unknown job, 22023 for a '
  'path outside of its folder or an output that still has bytes.';
