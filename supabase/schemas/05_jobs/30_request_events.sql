-- Gives: a record of every request that was not charged, and why.
-- Keeps: a denial leaves a record although it moves nothing; old months are deleted by dropping their partition.
-- Needs: settings.

create table public.credit_request_events (
  id uuid not null default gen_random_uuid(),
  account_id uuid not null,
  member_id uuid,
  request_id text,
  status integer not null,
  code text not null,
  model text,
  job_id uuid,
  created_at timestamptz not null default now(),
  -- Also finds an account's requests, the newest first: support, and erasure.
  primary key (account_id, created_at, id)
)
partition by range (created_at);
-- For the count of repeats (credits.repeats_are_many), however many denials there are between them.
create index credit_request_events_repeats on public.credit_request_events (account_id, created_at desc)
  where job_id is not null;
-- For erasure.
create index credit_request_events_by_member on public.credit_request_events (member_id) where member_id is not null;
-- A request, by its id.
create index credit_request_events_request on public.credit_request_events (request_id) where request_id is not null;
-- Recent requests: a small index by time, like the ledger's.
create index credit_request_events_recent
  on public.credit_request_events using brin (created_at) with (autosummarize = on);

comment on table public.credit_request_events is
  'Requests that were denied (400, 402, 403, 409, 422, 429) or that repeat one that has ended (200). Charged requests '
  'are in generation_jobs; credit_request_trail shows both. One partition per calendar month (UTC), in schema credits.';
comment on column public.credit_request_events.account_id is
  'The account that the request named. With not_a_member, the account of the user who asked: a stranger''s requests '
  'do not count for the account that they named.';
comment on column public.credit_request_events.member_id is
  'The member of a team''s account who asked; null for the account''s own user.';
comment on column public.credit_request_events.code is 'The stable code of the answer, such as rate_limited.';
comment on column public.credit_request_events.job_id is 'The job that an idempotency key pointed to (200, 409, 422).';

alter table public.credit_request_events enable row level security;

-- Takes the rows of months without a partition, so that a denial never fails because a partition is missing.
create table credits.request_events_rest partition of public.credit_request_events default;
alter table credits.request_events_rest enable row level security;

create function credits.request_events_month(p_month date)
returns boolean
language plpgsql
set search_path = '', pg_temp
as $$
declare
  partition_name text := 'request_events_' || to_char(p_month, 'YYYY_MM');
  bounds text[] := array[(p_month::timestamp at time zone 'utc')::text,
    ((p_month + interval '1 month')::timestamp at time zone 'utc')::text];
begin
  if to_regclass('credits.' || partition_name) is not null then
    return false;
  end if;
  execute format('create table credits.%I (like public.credit_request_events including defaults including constraints)',
    partition_name);
  execute format('alter table credits.%I enable row level security', partition_name);
  execute format('revoke all on table credits.%I from public, anon, authenticated, service_role', partition_name);
  -- The default partition may hold rows of this month. Move them first: with them there Postgres refuses to attach.
  execute format(
    'with moved as (delete from credits.request_events_rest where created_at >= %L and created_at < %L returning *)
     insert into credits.%I select * from moved', bounds[1], bounds[2], partition_name);
  execute format('alter table public.credit_request_events attach partition credits.%I for values from (%L) to (%L)',
    partition_name, bounds[1], bounds[2]);
  return true;
end;
$$;
comment on function credits.request_events_month(date) is
  'Makes the partition for the month that begins on p_month (UTC); false when there is one already.';

create function public.maintain_request_events()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
-- Give up soon and leave it to the next run: denials would wait behind this while it waits for a long query.
set lock_timeout = '2s'
as $$
declare
  this_month date := date_trunc('month', now() at time zone 'utc')::date;
  kept integer;
  oldest_kept date;
  old_partition text;
  changes integer := 0;
begin
  perform credits.caller_check('maintain_request_events');
  select request_events_months into strict kept from public.credit_settings;
  oldest_kept := this_month - make_interval(months => kept);
  -- Past months too: a restore may bring back their rows.
  for month in -kept .. 2 loop
    changes := changes + credits.request_events_month((this_month + make_interval(months => month))::date)::integer;
  end loop;
  for old_partition in
    select c.relname from pg_catalog.pg_inherits as i join pg_catalog.pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'public.credit_request_events'::regclass and c.relname ~ '^request_events_\d{4}_\d{2}$'
      and to_date(right(c.relname, 7), 'YYYY_MM') < oldest_kept
  loop
    execute format('drop table credits.%I', old_partition);
    changes := changes + 1;
  end loop;
  return changes;
end;
$$;
comment on function public.maintain_request_events() is
  'Makes the partitions of credit_request_events for the months that are kept '
  '(credit_settings.request_events_months), the current month and the next two, and drops older ones. Returns how '
  'many it made and dropped. Idempotent. Raises 55P03 when the table is busy for 2 seconds: the next run does it. '
  'Meant to run daily.';

do $$
begin
  perform public.maintain_request_events();
end;
$$;
