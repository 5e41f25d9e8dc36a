-- Tasks and the archive of all shards in one answer. One that does not answer is said, once the others are done.

create function credits_router.merge_tasks(p_answers jsonb)
returns jsonb
language sql
stable
as $$
  select jsonb_build_object('id', 0, 'task', min(r.run ->> 'task'),
    'started_at', min((r.run ->> 'started_at')::timestamptz),
    'finished_at', max((r.run ->> 'finished_at')::timestamptz), 'ok', bool_and((r.run ->> 'ok')::boolean),
    'detail', string_agg(format('%s: %s', r.shard, r.run ->> 'detail'), '; ' order by r.n)
      filter (where r.run ->> 'detail' is not null),
    'done', sum((r.run ->> 'done')::bigint))
  from jsonb_array_elements(p_answers) with ordinality as a (pair, n)
  cross join lateral (select a.pair ->> 'shard' as shard, a.pair -> 'run' as run, a.n) as r
$$;
comment on function credits_router.merge_tasks(jsonb) is
  'One run of a task from those of all shards: ok where it is on each, detail names those where it is not, done is the '
  'sum. Its number is 0: each shard has its own.';

create or replace function public.run_task(p_name text)
returns public.credit_task_runs
language plpgsql
security definer
set search_path = '', pg_temp
set statement_timeout = '60s'
as $$
#variable_conflict use_variable
declare
  shard text;
  slot integer;
  runs jsonb := '[]';
  silent text[] := '{}';
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('run_task');
  for shard, slot in select s.shard, s.slot from credits_router.shards as s order by s.slot loop
    begin
      runs := runs || jsonb_build_object('shard', shard, 'run', to_jsonb(credits_router.run_task(slot, p_name)));
    exception when others then
      get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
        router_hint = pg_exception_hint;
      if not credits_router.is_outage(sqlstate, router_message) then
        perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
      end if;
      silent := silent || shard;
    end;
  end loop;
  perform credits_router.raise_silent(silent, credits_router.merge_tasks(runs) - 'id');
  return jsonb_populate_record(null::public.credit_task_runs, credits_router.merge_tasks(runs));
end;
$$;

create or replace function public.archive_ledger(p_before timestamptz, p_limit bigint default 100000)
returns public.credit_archive_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
#variable_conflict use_variable
declare
  shard text;
  slot integer;
  answer public.credit_archive_result;
  run public.credit_archive_result := row(0, 0, true);
  silent text[] := '{}';
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('archive_ledger');
  for shard, slot in select s.shard, s.slot from credits_router.shards as s order by s.slot loop
    -- The limit holds over all: the next call goes on here.
    if run.entries > 0 and run.entries >= p_limit then
      run.finished := false;
      exit;
    end if;
    begin
      answer := credits_router.archive_ledger(slot, p_before, p_limit - run.entries);
      run.accounts := run.accounts + answer.accounts;
      run.entries := run.entries + answer.entries;
      run.finished := run.finished and answer.finished;
    exception when others then
      get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
        router_hint = pg_exception_hint;
      if not credits_router.is_outage(sqlstate, router_message) then
        perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
      end if;
      silent := silent || shard;
    end;
  end loop;
  perform credits_router.raise_silent(silent, to_jsonb(run));
  return run;
end;
$$;

-- Here it would undo what makes this database a router.
create or replace function public.repair_deployment()
returns setof text
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = '0A000', message = 'repair_deployment cannot be called through the router',
    hint = 'It needs the rights of each shard''s owner: call it on each shard, and make the router anew.';
end;
$$;

alter function credits_router.merge_tasks owner to credits_router;
alter function public.run_task owner to credits_router;
alter function public.archive_ledger owner to credits_router;
