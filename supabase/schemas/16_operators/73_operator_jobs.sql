-- Gives: jobs and the trail of a request, for operators.
-- Keeps: no prompt, no output and no address of a file; an error's words as the provider said them.
-- Needs: jobs, usage, statistics, operator gate, operator reads.

create view public.operator_jobs
with (security_barrier = true)
as
select j.id as job_id, j.account_id, j.member_id, j.status, j.model, j.provider, j.price_effective_from, j.cost,
  j.refunded, j.cost - j.refunded as paid, j.actual_cost,
  (select coalesce(jsonb_object_agg(f.key, f.value), '{}')
    from jsonb_each(case when jsonb_typeof(j.input) = 'object' then j.input end) as f
    where f.key in ('n', 'width', 'height', 'seconds', 'aspect_ratio', 'format', 'input_tokens', 'output_tokens',
      'characters', 'max_cost')) as request,
  case when j.input ->> 'asked_by' = 'server' then 'server' else 'user' end as asked_by,
  u.usage, u.usage_source, o.outputs, o.output_bytes,
  j.error ->> 'code' as error_code, j.error ->> 'message' as error_message, j.request_id, j.provider_job_id,
  j.created_at, j.started_at, j.ended_at, j.deadline_at, j.late_settled_at, j.erased_at, j.output_deleted_at
from public.generation_jobs as j
left join public.generation_usage as u on u.account_id = j.account_id and u.job_id = j.id
cross join lateral (
  select count(*) as outputs, sum(case when jsonb_typeof(f.value -> 'bytes') = 'number'
    then (f.value -> 'bytes')::numeric end) as output_bytes
  from jsonb_array_elements(case when jsonb_typeof(j.output -> 'outputs') = 'array' then j.output -> 'outputs' end)
    as f (value)
) as o
where (select credits.operator_role()) is not null;
comment on view public.operator_jobs is
  'Jobs, for operators: what was asked for in numbers (request), what it cost, how it ended, and what the provider '
  'said where it failed (error_message is text from outside). No prompt and no output. Ask by job_id, account_id or '
  'request_id; operator_jobs_page lists the newest.';

create function credits.newest_jobs(
  p_status text, p_before_at timestamptz, p_before_id uuid, p_since timestamptz, p_limit integer
)
returns setof public.generation_jobs
language sql
stable
set search_path = '', pg_temp
as $$
  select j.* from public.generation_jobs as j
  where j.created_at > p_since and j.created_at <= p_before_at and (j.created_at, j.id) < (p_before_at, p_before_id)
    and (p_status is null or j.status::text = p_status)
  order by j.created_at desc, j.id desc limit p_limit;
$$;
comment on function credits.newest_jobs(text, timestamptz, uuid, timestamptz, integer) is
  'The newest jobs of all accounts before one, and after p_since. The index by time is one of ranges of pages, so the '
  'shorter the span the faster.';

create function credits.newest_jobs_of_all(
  p_status text, p_before_at timestamptz, p_before_id uuid, p_limit integer
)
returns setof public.generation_jobs
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  reach interval := '1 minute'::interval;
  since timestamptz;
  page public.generation_jobs[];
begin
  -- Back in spans, each eight times as long as the last, until there are enough jobs in it: a busy installation has a
  -- page of them in a minute, and a quiet one is small.
  loop
    since := case when reach < interval '1 year' then least(p_before_at, now()) - reach else '-infinity' end;
    page := array(select j from credits.newest_jobs(p_status, p_before_at, p_before_id, since, p_limit) as j);
    exit when cardinality(page) = p_limit or since = '-infinity';
    reach := reach * 8;
  end loop;
  return query select * from unnest(page);
end;
$$;
comment on function credits.newest_jobs_of_all(text, timestamptz, uuid, integer) is
  'The newest jobs of all accounts before one.';

create function credits.newest_jobs_of_account(
  p_account_id uuid, p_status text, p_before_at timestamptz, p_before_id uuid, p_limit integer
)
returns setof public.generation_jobs
language sql
stable
set search_path = '', pg_temp
as $$
  select j.* from public.generation_jobs as j
  where j.account_id = p_account_id and j.created_at <= p_before_at
    and (j.created_at, j.id) < (p_before_at, p_before_id) and (p_status is null or j.status::text = p_status)
  order by j.created_at desc, j.id desc limit p_limit;
$$;
comment on function credits.newest_jobs_of_account(uuid, text, timestamptz, uuid, integer) is
  'The newest jobs of an account before one.';

create function credits.newest_open_jobs(
  p_account_id uuid, p_before_at timestamptz, p_before_id uuid, p_limit integer
)
returns setof public.generation_jobs
language sql
stable
set search_path = '', pg_temp
as $$
  select j.* from public.generation_jobs as j
  where j.status in ('pending', 'running') and (p_account_id is null or j.account_id = p_account_id)
    and (j.created_at, j.id) < (p_before_at, p_before_id)
  order by j.created_at desc, j.id desc limit p_limit;
$$;
comment on function credits.newest_open_jobs(uuid, timestamptz, uuid, integer) is
  'The newest open jobs before one, of an account or of all: there are few, and they have an index.';

create function public.operator_jobs_page(
  p_account_id uuid default null, p_status text default null, p_before_at timestamptz default null,
  p_before_id uuid default null, p_limit integer default 50
)
returns setof public.operator_jobs
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  before_at constant timestamptz := coalesce(p_before_at, 'infinity');
  before_id constant uuid := coalesce(p_before_id, '00000000-0000-0000-0000-000000000000');
  page public.generation_jobs[];
begin
  perform credits.operator_reads();
  if p_status = 'open' then
    page := array(select j from credits.newest_open_jobs(p_account_id, before_at, before_id,
      credits.page_size(p_limit)) as j);
  elsif p_account_id is null then
    page := array(select j from credits.newest_jobs_of_all(p_status, before_at, before_id,
      credits.page_size(p_limit)) as j);
  else
    page := array(select j from credits.newest_jobs_of_account(p_account_id, p_status, before_at, before_id,
      credits.page_size(p_limit)) as j);
  end if;
  return query
  select v.* from unnest(page) as p
  cross join lateral (
    select * from public.operator_jobs as o where o.job_id = p.id and o.account_id = p.account_id offset 0
  ) as v
  order by v.created_at desc, v.job_id desc;
end;
$$;
comment on function public.operator_jobs_page(uuid, text, timestamptz, uuid, integer) is
  'The newest jobs of an account, or of all accounts (p_account_id null), for operators: up to p_limit (1 to 200), as '
  'operator_jobs shows them. p_status: open (pending or running), or a status. The next page comes before the last '
  'row''s created_at and job_id. Raises 42501 for who is no operator, 22023 for another limit.';

create function public.operator_request_trail(p_request_id text)
returns table (at timestamptz, step text, detail text, account_id uuid, job_id uuid, credits bigint)
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.operator_reads();
  return query
  select t.at, t.step, t.detail, t.account_id, t.job_id, t.credits
  from public.credit_request_trail as t where t.request_id = p_request_id order by t.at, t.step limit 500;
end;
$$;
comment on function public.operator_request_trail(text) is
  'What became of a request, by the x-request-id of its answer, for operators, the oldest step first: see '
  'credit_request_trail. Raises 42501 for who is no operator.';
