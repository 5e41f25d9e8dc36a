-- Gives: detect_anomalies, which shows accounts that behave as no honest user does.
-- Keeps: nothing; every rule has its threshold in a table and says what it means.
-- Needs: ledger, jobs, request events.

create table public.credit_anomaly_rules (
  name text primary key,
  threshold numeric not null check (threshold >= 0),
  enabled boolean not null default true,
  description text not null
);
comment on table public.credit_anomaly_rules is 'Rules of detect_anomalies: each reports what is above its threshold.';

alter table public.credit_anomaly_rules enable row level security;

create type public.credit_anomaly as (
  rule text,
  account_id uuid,
  observed numeric,
  threshold numeric,
  detail text,
  since timestamptz
);
comment on type public.credit_anomaly is
  'What a rule found: what was observed, against which threshold, and when it began. account_id: null when it is '
  'about several accounts.';

create function credits.anomaly_denials(p_rule text, p_status integer, p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select p_rule, e.account_id, count(*), p_threshold, format('%s answers with %s', count(*), p_status),
    min(e.created_at)
  from public.credit_request_events as e
  where e.status = p_status and e.created_at >= p_since
  group by e.account_id having count(*) > p_threshold;
$$;
comment on function credits.anomaly_denials(text, integer, numeric, timestamptz) is
  'Accounts with more denials of one status than the threshold: somebody probes, or a client retries without end.';

create function credits.anomaly_refund_farming(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  with jobs as (
    select j.account_id, j.model, date_trunc('hour', j.created_at) as hour, j.created_at, j.cost - b.released as cost,
      b.refunded as returned
    from public.generation_jobs as j
    cross join lateral (
      select coalesce(sum(l.delta) filter (where l.kind = 'release'), 0) as released,
        coalesce(sum(l.delta) filter (where l.kind = 'refund'), 0) as refunded
      from public.credit_ledger as l
      -- Most jobs gave nothing back: theirs need not be read.
      where j.refunded > 0 and l.account_id = j.account_id and l.job_id = j.id) as b
    where j.created_at >= p_since and j.ended_at is not null
  ),
  hours as (
    select account_id, model, hour, count(*) as jobs, sum(cost) as cost, sum(returned) as returned,
      min(created_at) as since
    from jobs group by account_id, model, hour
  ),
  compared as (
    -- What would have come back as it did for the others: a provider that failed, failed for them too.
    select h.*, coalesce(h.cost * (sum(h.returned) over same - h.returned) / nullif(sum(h.cost) over same - h.cost, 0),
      0) as usual
    from hours as h window same as (partition by h.model, h.hour)
  )
  select 'refund_farming', account_id, round(sum(returned) / sum(cost), 4), p_threshold,
    format('%s of %s credits refunded in %s jobs', sum(returned), sum(cost), sum(jobs)), min(since)
  from compared
  group by account_id
  -- Below ten jobs a bad day looks the same.
  having sum(jobs) >= 10 and sum(returned) > greatest(p_threshold * sum(cost), 2 * sum(usual));
$$;
comment on function credits.anomaly_refund_farming(numeric, timestamptz) is
  'Accounts that got back more than this share of what they were charged, and more than twice what others got back '
  'in the same hours by the same models, over at least ten ended jobs: outputs may be taken and then refunded. What '
  'was released is left out.';

create function credits.anomaly_account_pattern(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  -- throwaway17+x@example.com counts as throwaway#@example.com.
  -- Some providers name every mailbox by numbers alone.
  select 'accounts_of_one_pattern', null::uuid, count(*), p_threshold,
    format('%s accounts opened at %s (pattern %s)', count(*), u.domain,
      left(encode(sha256(convert_to(u.name, 'UTF8')), 'hex'), 8)),
    min(u.created_at)
  from (
    select a.created_at, split_part(lower(p.email), '@', 2) as domain,
      regexp_replace(regexp_replace(split_part(lower(p.email), '@', 1), '\+.*$', ''), '[0-9._-]+', '#', 'g') as name
    from public.credit_accounts as a join auth.users as p on p.id = a.user_id
    where a.created_at >= p_since and p.email is not null
  ) as u
  where u.name ~ '[^#]'
  group by u.domain, u.name having count(*) > p_threshold;
$$;
comment on function credits.anomaly_account_pattern(numeric, timestamptz) is
  'More new users than the threshold whose e-mail addresses differ only in digits, dots or a tag: sign-up credits '
  'are being farmed. Tells the domain and a hash of the pattern, no address.';

create function credits.anomaly_unrequested(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select 'charges_without_request', j.account_id, count(*), p_threshold,
    format('%s charges without a request id', count(*)), min(j.created_at)
  from public.generation_jobs as j
  where j.created_at >= p_since and j.request_id is null and j.erased_at is null
    -- Where nothing comes through the functions, none of it is suspicious.
    and exists (select from public.generation_jobs as g where g.created_at >= p_since and g.request_id is not null)
  group by j.account_id having count(*) > p_threshold;
$$;
comment on function credits.anomaly_unrequested(numeric, timestamptz) is
  'Accounts with more charges than the threshold that came through no edge function, on a system where others do: '
  'somebody has the secret key or the database.';

create function credits.anomaly_impossible_rate(p_threshold numeric, p_since timestamptz)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select 'impossible_rate', r.account_id, max(r.share), p_threshold,
    format('%s charges within %s seconds, %s times the plan''s limit', max(r.jobs), max(r.size), max(r.share)),
    min(r.since)
  from (
    select j.account_id, count(*) as jobs, p.rate_limit_window_seconds as size, min(j.created_at) as since,
      round(count(*)::numeric / p.rate_limit_requests, 2) as share
    from public.generation_jobs as j
    join public.credit_accounts as a on a.id = j.account_id
    join public.credit_plans as p on p.name = a.plan
    where j.created_at >= p_since
    group by j.account_id, p.name, floor(extract(epoch from j.created_at) / p.rate_limit_window_seconds)
  ) as r
  where r.share > p_threshold
  group by r.account_id;
$$;
comment on function credits.anomaly_impossible_rate(numeric, timestamptz) is
  'Accounts with more charges in one window than the threshold times their plan''s limit. The limiter lets at most '
  'twice the limit pass in a window, so more means that it was passed by.';

create function credits.anomaly_negative_balance(p_threshold numeric)
returns setof public.credit_anomaly
language sql
stable
set search_path = '', pg_temp
as $$
  select 'negative_balance', a.id, -a.balance, p_threshold,
    format('balance %s with a credit limit of %s', a.balance, a.credit_limit), a.last_entry_at
  from public.credit_accounts as a
  where -a.balance > a.credit_limit + p_threshold;
$$;
comment on function credits.anomaly_negative_balance(numeric) is
  'Accounts that owe more than their credit limit and the threshold: nothing of this project does that.';

create function public.detect_anomalies(p_hours integer default 24)
returns setof public.credit_anomaly
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  since timestamptz := credits.hours_ago(p_hours);
  rule public.credit_anomaly_rules;
begin
  perform credits.caller_check('detect_anomalies');
  for rule in select * from public.credit_anomaly_rules where enabled order by name loop
    case rule.name
      when 'spike_of_402' then return query select a.*
      from credits.anomaly_denials(rule.name, 402, rule.threshold, since) as a;
      when 'spike_of_429' then return query select a.*
        from credits.anomaly_denials(rule.name, 429, rule.threshold, since) as a;
      when 'refund_farming' then return query select a.*
        from credits.anomaly_refund_farming(rule.threshold, since) as a;
      when 'accounts_of_one_pattern' then return query select a.*
        from credits.anomaly_account_pattern(rule.threshold, since) as a;
      when 'charges_without_request' then return query select a.*
        from credits.anomaly_unrequested(rule.threshold, since) as a;
      when 'impossible_rate' then return query select a.*
        from credits.anomaly_impossible_rate(rule.threshold, since) as a;
      when 'negative_balance' then return query select a.* from credits.anomaly_negative_balance(rule.threshold) as a;
    end case;
  end loop;
end;
$$;
comment on function public.detect_anomalies(integer) is
  'Suspicious activity of the last p_hours (1 to 8760), by the enabled rules of credit_anomaly_rules: one row per '
  'rule and account. Raises 22023 for other hours.';

insert into public.credit_anomaly_rules (name, threshold, description) values
  ('spike_of_402', 50, 'Denials for want of credits, an account, in the hours looked at.'),
  ('spike_of_429', 200, 'Denials by the rate limit, an account, in the hours looked at.'),
  ('refund_farming', 0.5,
    'Share of an account''s charges that were refunded, without what was released, over at least ten ended jobs, '
    'where it is twice the others''.'),
  ('accounts_of_one_pattern', 5, 'New users whose e-mail addresses differ only in digits, dots or a tag.'),
  ('charges_without_request', 0, 'Charges of an account that came through no edge function, where others do.'),
  ('impossible_rate', 2,
    'Charges of an account in one window, in multiples of its plan''s limit; the limiter lets 2 pass.'),
  ('negative_balance', 0, 'Credits that an account owes beyond its credit limit.');

create view public.credit_anomalies
with (security_invoker = true)
as
select * from public.detect_anomalies(24);
comment on view public.credit_anomalies is 'Suspicious activity of the last 24 hours: detect_anomalies(24).';

create table public.credit_anomaly_findings (
  id bigint generated always as identity primary key,
  rule text not null,
  account_id uuid,
  observed numeric not null,
  threshold numeric not null,
  detail text not null,
  since timestamptz not null,
  found_at timestamptz not null
);
-- The latest findings.
create index credit_anomaly_findings_newest on public.credit_anomaly_findings (found_at desc);
comment on table public.credit_anomaly_findings is
  'What each run of record_anomalies found; all rows of a run have the same found_at.';
alter table public.credit_anomaly_findings enable row level security;

create function public.record_anomalies()
returns integer
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  recorded integer;
begin
  perform credits.caller_check('record_anomalies');
  insert into public.credit_anomaly_findings (rule, account_id, observed, threshold, detail, since, found_at)
  select a.rule, a.account_id, a.observed, a.threshold, a.detail, a.since, now() from public.detect_anomalies(24) as a;
  get diagnostics recorded = row_count;
  return recorded;
end;
$$;
comment on function public.record_anomalies() is
  'Keeps what detect_anomalies(24) finds now, for alerts and as evidence; returns how many. Meant to run every hour.';
