-- What operators do that one shard cannot judge alone: credits within the limit of a day, and rules, which are here.

create function credits_router.operator_day(p_slot integer, p_operator_id uuid)
returns table (max_per_day bigint, used bigint) language plproxy as $$
  cluster 'credits';
  run on p_slot;
  select d.max_per_day, d.used from credits.operator_day(p_operator_id) as d;
$$;

create function credits_router.operator_used_elsewhere(p_slot integer)
returns bigint
language plpgsql
as $$
#variable_conflict use_variable
declare
  operator constant uuid := auth.uid();
  place constant text := (select g.shard from credits_router.groups as g where g.number = p_slot & 15);
  shard text;
  slot integer;
  used bigint := 0;
  silent text[] := '{}';
begin
  if operator is null then
    return null;
  end if;
  -- One action of an operator at a time: two at once would both find the day as it was before them.
  perform pg_advisory_xact_lock(hashtextextended('credits_router.operator_day ' || operator, 0));
  if (select d.max_per_day from credits_router.operator_day(p_slot, operator) as d) is null then
    return null;
  end if;
  for shard, slot in select s.shard, s.slot from credits_router.shards as s where s.shard <> place order by s.slot loop
    begin
      if not credits_router.answers(shard) then
        perform credits_router.raise_outage();
      end if;
      used := used + (select d.used from credits_router.operator_day(slot, operator) as d);
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
      silent := silent || shard;
    end;
  end loop;
  if cardinality(silent) > 0 then
    raise exception using errcode = '08006', message = format('no answer from %s', array_to_string(silent, ', ')),
      detail = 'What this operator moved there today counts towards max_per_day.',
      hint = 'Repeat the call with the same arguments once it is up, or ask an operator without max_per_day.';
  end if;
  return used;
end;
$$;
comment on function credits_router.operator_used_elsewhere(integer) is
  'What the calling operator moved today on the shards but that of a slot, which counts it towards max_per_day; null '
  'for who has no such limit. Others of their actions wait until this one has ended. Raises 08006 where a shard does '
  'not answer: nobody knows what they moved there.';

create table credits_router.operator_mutes (
  operator_id uuid not null,
  idempotency_key text not null,
  primary key (operator_id, idempotency_key)
);
comment on table credits_router.operator_mutes is
  'Calls of operator_mute_alert that changed the rule: one may stand in the trail of its shard, and break off.';

create function credits_router.operator_muted(
  p_slot integer, caller_sub text, caller_claims text, p_rule text, p_before timestamptz, p_until timestamptz,
  p_reason text, p_idempotency_key text
)
returns public.operator_result language plproxy as $$
  cluster 'credits';
  run on p_slot;
  select r.* from (select set_config('request.jwt.claim.sub', coalesce(caller_sub, ''), true) as a,
      set_config('request.jwt.claims', coalesce(caller_claims, ''), true) as b offset 0) as s,
    lateral (select * from credits.operator_muted(p_rule, p_before, p_until, p_reason, p_idempotency_key) as r
      offset length(s.a || s.b) * 0) as r;
$$;

create or replace function public.operator_mute_alert(
  p_rule text, p_until timestamptz, p_reason text, p_idempotency_key text
)
returns public.operator_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  was_until timestamptz;
  result public.operator_result;
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.write_check('operator_mute_alert');
  perform credits_router.operator_check_writes();
  -- Who is no operator makes nobody wait; their shard refuses them.
  if credits.operator_role() is not null then
    select r.muted_until into was_until from public.credit_alert_rules as r where r.name = p_rule for update;
  end if;
  result := credits_router.operator_muted(credits_router.account_slot(auth.uid()),
    current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true), p_rule, was_until,
    p_until, p_reason, p_idempotency_key);
  insert into credits_router.operator_mutes (operator_id, idempotency_key)
  values (result.operator_id, p_idempotency_key) on conflict do nothing;
  -- A call that broke off after it was written down is done now, unless another one has been made since.
  if found and (not result.replayed
    or was_until is not distinct from (result.details -> 'before' ->> 'muted_until')::timestamptz) then
    update public.credit_alert_rules set muted_until = p_until where name = p_rule;
  end if;
  return result;
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
  return null;
end;
$$;

alter function credits_router.operator_day owner to credits_router;
alter function credits_router.operator_used_elsewhere owner to credits_router;
alter function credits_router.operator_muted owner to credits_router;
alter function public.operator_mute_alert owner to credits_router;
