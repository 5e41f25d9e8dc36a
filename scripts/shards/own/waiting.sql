-- What waits on the router for shards, as metrics and as checks of verify_deployment: it evaluates no alerts itself.

create function credits_router.metrics()
returns table (metric text, labels jsonb, value numeric)
language sql
stable
as $$
  select h.metric, h.labels, h.value from credits.metrics_of_handovers() as h
  union all
  select m.metric, '{}', m.value
  from (
    select count(*)::numeric as waiting,
      coalesce(round(extract(epoch from clock_timestamp() - min(noted_at)), 3), 0) as age
    from credits_router.operator_changes
  ) as c
  cross join lateral (values ('operator_changes_waiting', c.waiting), ('operator_change_age_seconds', c.age))
    as m (metric, value)
$$;
comment on function credits_router.metrics() is
  'How many calls wait on the router for shards, and for how long the oldest: of users, and of operators.';

create function credits_router.check_waiting()
returns setof credits.deployment_check
language sql
stable
as $$
  with waiting as (
    select 'users' as subject, slot_group, requested_at as since, last_error from credits.handovers
    union all
    select 'operators', slot_group, noted_at, last_error from credits_router.operator_changes
  )
  select format('shards have heard of %s (router)', s.subject),
    coalesce(min(w.since) > clock_timestamp() - interval '15 minutes', true),
    format('%s calls wait', count(w.since)) || coalesce(', the first since '
      || to_char(min(w.since) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"')
      || format(', for slot groups %s', string_agg(distinct w.slot_group::text, ', '))
      || coalesce(': ' || max(w.last_error), ''), ''),
    case when min(w.since) <= clock_timestamp() - interval '15 minutes' then
      format('Start the shard. If it is up: does the router run credits_router.run_tasks() each minute? Each call: '
        'select * from %s', s.place) end
  from (values ('users', 'credits.handovers'), ('operators', 'credits_router.operator_changes')) as s (subject, place)
  left join waiting as w on w.subject = s.subject
  group by s.subject, s.place
  order by s.subject desc
$$;
comment on function credits_router.check_waiting() is
  'Whether shards have been told of users and operators within 15 minutes, for verify_deployment.';

alter function credits_router.metrics owner to credits_router;
alter function credits_router.check_waiting owner to credits_router;
