-- Books and generations of all shards in one answer. One that does not answer is said, after the others have done theirs.

create function credits_router.raise_silent(p_shards text[], p_others jsonb)
returns void
language plpgsql
as $$
begin
  if cardinality(p_shards) > 0 then
    raise exception using errcode = '08006', message = format('no answer from %s', array_to_string(p_shards, ', ')),
      detail = format('of the others: %s', coalesce(p_others::text, 'nothing')),
      hint = 'Repeat the call once it is up. npm run shards -- check says what is wrong with it.';
  end if;
end;
$$;
comment on function credits_router.raise_silent(text[], jsonb) is
  'Raises 08006 where shards did not answer: with their names, and what the others answered.';

create function credits_router.merge_runs(p_answers jsonb)
returns jsonb
language sql
stable
as $$
  select jsonb_build_object('id', 0, 'run_id', 0, 'is_latest', true, 'deep', bool_or((r ->> 'deep')::boolean),
    'started_at', min((r ->> 'started_at')::timestamptz), 'finished_at', max((r ->> 'finished_at')::timestamptz),
    'accounts_checked', sum((r ->> 'accounts_checked')::bigint),
    'entries_checked', sum((r ->> 'entries_checked')::bigint),
    'accounts_broken', sum((r ->> 'accounts_broken')::bigint), 'discrepancies', sum((r ->> 'discrepancies')::bigint))
  from jsonb_array_elements(p_answers) as r
$$;
comment on function credits_router.merge_runs(jsonb) is
  'One run from those of all shards: sums, from the first start to the last end. Its number is 0: each shard has its own.';

create function credits_router.reconcile_shards(p_deep boolean, p_by_operator boolean)
returns jsonb
language plpgsql
as $$
#variable_conflict use_variable
declare
  shard text;
  slot integer;
  answer jsonb;
  answers jsonb := '[]';
  silent text[] := '{}';
  router_message text;
  router_detail text;
  router_hint text;
begin
  for shard, slot in select s.shard, s.slot from credits_router.shards as s order by s.slot loop
    begin
      if p_by_operator then
        select to_jsonb(r) into answer from credits_router.operator_reconcile(slot, current_setting('role'),
          current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true)) as r;
      else
        answer := to_jsonb(credits_router.reconcile_credit_ledger(slot, p_deep));
      end if;
      answers := answers || answer;
    exception when others then
      get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
        router_hint = pg_exception_hint;
      if not credits_router.is_outage(sqlstate, router_message) then
        perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
      end if;
      silent := silent || shard;
    end;
  end loop;
  perform credits_router.raise_silent(silent, credits_router.merge_runs(answers) - 'id' - 'run_id' - 'is_latest');
  return credits_router.merge_runs(answers);
end;
$$;
comment on function credits_router.reconcile_shards(boolean, boolean) is
  'Has each shard check its books, as the service or as the calling operator, and merges the runs.';

create or replace function public.reconcile_credit_ledger(p_deep boolean default false)
returns public.reconciliation_runs
language plpgsql
security definer
set search_path = '', pg_temp
set statement_timeout = '60s'
as $$
begin
  perform credits_router.write_check('reconcile_credit_ledger');
  return jsonb_populate_record(null::public.reconciliation_runs, credits_router.reconcile_shards(p_deep, false));
end;
$$;

create or replace function public.operator_reconcile()
returns setof public.operator_reconciliations
language plpgsql
security definer
set search_path = '', pg_temp
set statement_timeout = '60s'
as $$
begin
  perform credits_router.write_check('operator_reconcile');
  perform credits_router.operator_check_writes();
  return next jsonb_populate_record(null::public.operator_reconciliations,
    credits_router.reconcile_shards(false, true));
end;
$$;

create or replace function public.get_generation_stats(p_hours integer default 24)
returns public.generation_stats
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
#variable_conflict use_variable
declare
  stats public.generation_stats;
  answer public.generation_stats;
  shard text;
  slot integer;
  silent text[] := '{}';
  router_message text;
  router_detail text;
  router_hint text;
begin
  for shard, slot in select s.shard, s.slot from credits_router.shards as s order by s.slot loop
    begin
      answer := credits_router.get_generation_stats(slot, current_setting('role'),
        current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true), p_hours);
      stats.hours := p_hours;
      stats.total_jobs := coalesce(stats.total_jobs, 0) + answer.total_jobs;
      stats.completed_jobs := coalesce(stats.completed_jobs, 0) + answer.completed_jobs;
      stats.failed_jobs := coalesce(stats.failed_jobs, 0) + answer.failed_jobs;
      stats.canceled_jobs := coalesce(stats.canceled_jobs, 0) + answer.canceled_jobs;
      stats.open_jobs := coalesce(stats.open_jobs, 0) + answer.open_jobs;
      stats.credits_charged := coalesce(stats.credits_charged, 0) + answer.credits_charged;
      stats.credits_refunded := coalesce(stats.credits_refunded, 0) + answer.credits_refunded;
      stats.denials := coalesce(stats.denials, 0) + answer.denials;
      stats.rate_limit_hits := coalesce(stats.rate_limit_hits, 0) + answer.rate_limit_hits;
    exception when others then
      get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
        router_hint = pg_exception_hint;
      if not credits_router.is_outage(sqlstate, router_message) then
        perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
      end if;
      silent := silent || shard;
    end;
  end loop;
  perform credits_router.raise_silent(silent, to_jsonb(stats));
  stats.success_rate := round(stats.completed_jobs::numeric / nullif(stats.completed_jobs + stats.failed_jobs, 0), 4);
  -- No shard's percentile says that of all: only the seconds themselves do.
  select percentile_disc(0.5) within group (order by j.seconds), percentile_disc(0.95) within group (order by j.seconds),
    percentile_disc(0.99) within group (order by j.seconds)
  into stats.p50_seconds, stats.p95_seconds, stats.p99_seconds
  from (select round(extract(epoch from ended_at - created_at), 3) as seconds from public.generation_jobs
    where status = 'succeeded' and created_at >= credits.hours_ago(p_hours)) as j;
  stats.healthy := not exists (
    select from public.credit_alert_rules
    where name = 'success_rate' and stats.completed_jobs + stats.failed_jobs >= greatest(minimum, 1)
      and stats.completed_jobs < threshold * (stats.completed_jobs + stats.failed_jobs));
  return stats;
end;
$$;

alter function public.reconcile_credit_ledger owner to credits_router;
alter function public.operator_reconcile owner to credits_router;
alter function public.get_generation_stats owner to credits_router;
