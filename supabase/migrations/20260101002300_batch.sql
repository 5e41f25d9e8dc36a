-- Gives: a batch of charges of one account in one call.
-- Keeps: all or nothing, or each by itself, as asked; every rule is that of a single charge.
-- Needs: charge.

create function credits.batch_requests(p_requests jsonb)
returns setof credits.charge_request
language sql
stable
set search_path = '', pg_temp
as $$
  select row(r.value ->> 'model', r.value -> 'input', r.value ->> 'idempotency_key',
    r.value ->> 'request_id', (r.value ->> 'member_id')::uuid, false)::credits.charge_request
  from jsonb_array_elements(p_requests) with ordinality as r (value, position)
  order by r.position;
$$;
comment on function credits.batch_requests(jsonb) is 'The requests of a batch in their order.';
revoke all on function credits.batch_requests(jsonb) from public, anon, authenticated, service_role;

create function credits.batch_check(p_requests jsonb)
returns void
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  if jsonb_typeof(p_requests) is distinct from 'array' or jsonb_array_length(p_requests) not between 1 and 1000 then
    perform credits.raise_misuse('22023', 'a batch is a JSON array of 1 to 1000 requests',
      'Each is {"model", "input"} and, if wanted, "idempotency_key", "request_id", "member_id".');
  end if;
  if exists (
    select from jsonb_array_elements(p_requests) as r (value)
    where r.value ->> 'member_id' !~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'
  ) then
    perform credits.raise_misuse('22023', 'a member_id of this batch is no UUID', 'Pass the id of the auth user who asks, or leave it out.');
  end if;
  perform credits.check_length('request_id', r.value ->> 'request_id', 0, 128) from jsonb_array_elements(p_requests) as r (value);
end;
$$;
comment on function credits.batch_check(jsonb) is 'Raises 22023 for what is no batch.';
revoke all on function credits.batch_check(jsonb) from public, anon, authenticated, service_role;

create function public.atomic_charge_credits_batch(p_account_id uuid, p_requests jsonb, p_all_or_nothing boolean default true)
returns setof public.charge_verdict
language plpgsql
security definer
set search_path = '', pg_temp
set jit = off
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  requests credits.charge_request[];
  request credits.charge_request;
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('atomic_charge_credits_batch');
  end if;
  perform credits.batch_check(p_requests);
  requests := array(select credits.batch_requests(p_requests));
  -- Of strangers alone: before the lock, as a single charge.
  if not exists (select from unnest(requests) as r where credits.is_stranger(p_account_id, r.member_id) is not true) then
    foreach request in array requests loop
      return next credits.charge_stranger(p_account_id, request);
      exit when p_all_or_nothing is not false;
    end loop;
    return;
  end if;
  return query select * from unnest(credits.charge(
    p_account_id,
    array(select credits.job_id(p_account_id, r.member_id, r.idempotency_key, r.input) from unnest(requests) with ordinality as r order by r.ordinality),
    requests, p_all_or_nothing is not false));
end;
$$;
comment on function public.atomic_charge_credits_batch(uuid, jsonb, boolean) is
  'Charges up to 1000 jobs of one account in one call. p_requests: [{"model", "input", "idempotency_key", "request_id", '
  '"member_id"}]. p_all_or_nothing (null: true): the first denial undoes the whole batch and is the only verdict returned; otherwise each '
  'request has its own verdict, in their order. Every request counts towards the rate limit, unless the batch is undone. Raises '
  '22023 for a batch that is no array of 1 to 1000 requests, a member_id that is no UUID or a request_id of more than 128 characters.';
revoke all on function public.atomic_charge_credits_batch(uuid, jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function public.atomic_charge_credits_batch(uuid, jsonb, boolean) to service_role;
