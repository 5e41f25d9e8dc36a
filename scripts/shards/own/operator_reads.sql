-- What operators read of all shards: who they are, trails, timelines, users by mail; and which shard has a discrepancy.

create or replace function credits.operator_role()
returns public.credit_operator_role
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  shard text;
  role public.credit_operator_role;
begin
  if auth.uid() is null or credits_router.is_removed(auth.uid()) then
    return null;
  end if;
  for shard in select s.shard from credits_router.shards as s order by s.slot loop
    begin
      execute format('select role from credits_router.%I where user_id = $1 and disabled_at is null',
        shard || '_credit_operators') into role using auth.uid();
      return role;
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
    end;
  end loop;
  perform credits_router.raise_outage();
  return null;
end;
$$;

create function credits_router.operators_of_shards()
returns table (
  slot integer, user_id uuid, role public.credit_operator_role, max_per_action bigint, max_per_day bigint, note text,
  created_at timestamptz, disabled_at timestamptz, used bigint
)
language plpgsql
stable
as $$
#variable_conflict use_column
declare
  shard text;
  place integer;
begin
  for shard, place in select s.shard, s.slot from credits_router.shards as s order by s.slot loop
    begin
      return query execute format('select %s, o.user_id, o.role, o.max_per_action, o.max_per_day, o.note,
          o.created_at, o.disabled_at, (select coalesce(sum(abs(a.credits)), 0)::bigint
            from credits_router.%I as a where a.operator_id = o.user_id and a.approval_id is null
              and a.created_at >= date_trunc(''day'', clock_timestamp() at time zone ''utc'') at time zone ''utc'')
        from credits_router.%I as o', place, shard || '_operator_actions', shard || '_credit_operators');
    exception when others then
      if not credits_router.is_outage(sqlstate, sqlerrm) then
        raise;
      end if;
    end;
  end loop;
end;
$$;
comment on function credits_router.operators_of_shards() is
  'The copies of operators on the shards that answer, and what each moved there today.';

create or replace function credits.operators_now()
returns table (
  user_id uuid, role public.credit_operator_role, max_per_action bigint, max_per_day bigint, used_today bigint,
  note text, created_at timestamptz, disabled_at timestamptz
)
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select distinct on (s.user_id) s.user_id, s.role, s.max_per_action, s.max_per_day,
    (sum(s.used) over (partition by s.user_id))::bigint, s.note, s.created_at,
    coalesce(s.disabled_at, case when credits_router.is_removed(s.user_id) then clock_timestamp() end)
  from credits_router.operators_of_shards() as s
  where (select credits.operator_role()) is not null
  order by s.user_id, s.slot;
$$;

create or replace function public.verify_operator_actions(p_operator_id uuid)
returns public.operator_chain_result
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
#variable_conflict use_variable
declare
  shard text;
  slot integer;
  chain public.operator_chain_result;
  result public.operator_chain_result;
  silent text[] := '{}';
  router_message text;
  router_detail text;
  router_hint text;
begin
  for shard, slot in select s.shard, s.slot from credits_router.shards as s order by s.slot loop
    begin
      chain := credits_router.verify_operator_actions(slot, p_operator_id);
      if result is null or result.sound and not chain.sound then
        chain.checked := chain.checked + coalesce(result.checked, 0);
        result := chain;
      else
        result.checked := result.checked + chain.checked;
      end if;
    exception when others then
      get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
        router_hint = pg_exception_hint;
      if credits_router.is_outage(sqlstate, router_message) then
        silent := silent || shard;
      elsif sqlstate <> 'PT404' then
        perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
      end if;
    end;
  end loop;
  perform credits_router.raise_silent(silent, to_jsonb(result));
  if result.operator_id is null then
    perform credits.raise_misuse('PT404', 'no such operator', 'The table credit_operators lists them.');
  end if;
  return result;
end;
$$;

create function credits_router.discrepancy_slot(p_class text, p_subject text)
returns integer
language plpgsql
as $$
begin
  if p_class not in ('job', 'job refund') then
    return credits_router.slot_of_row('payments', 'key', p_subject);
  elsif p_subject ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return credits_router.job_slot(p_subject::uuid);
  end if;
  return 0;
end;
$$;
comment on function credits_router.discrepancy_slot(text, text) is
  'The slot of a discrepancy that can be fixed: of its job, else of its payment.';

create function credits_router.find_by_mail(p_text text, p_limit integer)
returns setof public.operator_find
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  mail constant text := lower(btrim(p_text, E' \t\n\r'));
  pattern constant text := replace(replace(replace(mail, '\', '\\'), '%', '\%'), '_', '\_') || '%';
begin
  if credits.operator_role() is null then
    return;
  end if;
  -- A user's own account has their id.
  return query
  select 'user', u.id::text, u.id, u.email::text, 'user', u.created_at from auth.users as u where u.email = mail;
  if not found then
    return query
    select 'user', u.id::text, u.id, u.email::text, 'user', u.created_at from auth.users as u
    where u.email like pattern order by u.email limit least(p_limit, 50);
  end if;
end;
$$;
comment on function credits_router.find_by_mail(text, integer) is
  'Users by their address or its beginning, for operators: users are here, and no shard knows them.';

create or replace function public.operator_timeline(
  p_account_id uuid, p_before_at timestamptz default null, p_before_key text default null, p_limit integer default 50
)
returns setof public.operator_timeline_row
language plpgsql
stable
security definer
set search_path = '', pg_temp
as $$
declare
  router_message text;
  router_detail text;
  router_hint text;
begin
  perform credits_router.operator_check();
  perform credits_router.tell_first(p_account_id, auth.uid());
  -- Shards know of users nothing but their ids.
  return query select r.at, r.key, r.kind, r.title, r.credits, r.balance, r.job_id, r.grant_id, r.payment_id,
    r.request_id, r.operator_id, r.action_seq, r.detail || coalesce((select jsonb_build_object('operator', u.email)
      from auth.users as u where u.id = r.operator_id and r.detail ? 'operator' and u.email is not null), '{}')
  from credits_router.operator_timeline(credits_router.account_slot(p_account_id), current_setting('role'),
    current_setting('request.jwt.claim.sub', true), current_setting('request.jwt.claims', true), p_account_id,
    p_before_at, p_before_key, p_limit) as r;
exception when query_canceled or others then
  get stacked diagnostics router_message = message_text, router_detail = pg_exception_detail,
    router_hint = pg_exception_hint;
  perform credits_router.raise_again(sqlstate, router_message, router_detail, router_hint);
end;
$$;

alter function public.operator_timeline owner to credits_router;
alter function credits_router.find_by_mail owner to credits_router;
alter function credits_router.operators_of_shards owner to credits_router;
alter function credits.operator_role() owner to credits_router;
alter function credits.operators_now() owner to credits_router;
alter function public.verify_operator_actions owner to credits_router;
