-- Gives: a batch of charges of one account in one call.
-- Keeps: all or nothing, or each by itself, as requested; every rule is that of a single charge.
-- Needs: charge; when called: due.

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
    perform credits.raise_misuse('22023', 'a member_id of this batch is no UUID',
      'Pass the id of the auth user who asks, or leave it out.');
  end if;
  perform credits.check_length('request_id', r.value ->> 'request_id', 0, 128)
  from jsonb_array_elements(p_requests) as r (value);
end;
$$;
comment on function credits.batch_check(jsonb) is 'Raises 22023 unless p_requests is a valid batch.';

create function credits.batch_undone(
  p_result public.credit_charge_result, p_member_id uuid, p_request_id text, p_model text
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
begin
  -- Balance and job as they are without the batch, which may have opened the account. A stranger is told no balance.
  if p_result.balance is not null then
    perform credits.account_lock(p_result.account_id);
    perform credits.account_refill_due(p_result.account_id);
    perform credits.account_expire(p_result.account_id) where p_result.code = 'insufficient_credits';
    select balance into strict p_result.balance from public.credit_accounts where id = p_result.account_id;
  end if;
  p_result.job_id := (select id from public.generation_jobs
    where id = p_result.job_id and account_id = p_result.account_id);
  if p_result.code = 'insufficient_credits' and p_result.debt is null then
    p_result.message := format('The batch costs more than the %s credits that are there. Nothing was charged.',
      p_result.balance);
  end if;
  perform credits.request_record(p_result, p_member_id, p_request_id, p_model);
  return p_result;
end;
$$;
comment on function credits.batch_undone(public.credit_charge_result, uuid, text, text) is
  'Describes and records the denial that ends an all-or-nothing batch, after the batch is undone.';

create function public.atomic_charge_credits_batch(
  p_account_id uuid, p_requests jsonb, p_all_or_nothing boolean default true
)
returns setof public.credit_charge_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  request record;
  result public.credit_charge_result;
  results public.credit_charge_result[] := array[]::public.credit_charge_result[];
begin
  if current_setting('role') not in ('none', 'service_role') then
    perform credits.caller_check('atomic_charge_credits_batch');
  end if;
  perform credits.batch_check(p_requests);
  -- Locked first, so that nothing comes between the requests. A due refill stays booked, even if the batch is undone.
  perform from public.credit_accounts where id = p_account_id for update;
  perform credits.account_refill_due(p_account_id);
  begin
    for request in
      select r.value ->> 'model' as model, r.value -> 'input' as input, r.value ->> 'request_id' as request_id,
        r.value ->> 'idempotency_key' as idempotency_key, (r.value ->> 'member_id')::uuid as member_id
      from jsonb_array_elements(p_requests) with ordinality as r (value, place) order by r.place
    loop
      result := public.atomic_charge_credits(p_account_id, request.model, request.input, request.idempotency_key,
        request.request_id, request.member_id);
      if p_all_or_nothing is not false and result.status >= 400 then
        raise exception using errcode = 'XXBTC', message = 'the batch is undone';
      end if;
      results := results || result;
    end loop;
  exception when sqlstate 'XXBTC' then
    return next credits.batch_undone(result, request.member_id, request.request_id, request.model);
    return;
  end;
  return query select * from unnest(results);
end;
$$;
comment on function public.atomic_charge_credits_batch(uuid, jsonb, boolean) is
  'Charges up to 1000 jobs of one account in one call. p_requests: [{"model", "input", "idempotency_key", '
  '"request_id", "member_id"}]. p_all_or_nothing (null: true): the first denial undoes the whole batch and is the '
  'only result returned; otherwise each request has its own result, in the order of the requests. Every request '
  'counts towards the rate limit, unless the batch is undone. Raises 22023 for a batch that is not an array of 1 to '
  '1000 requests, a member_id that is not a UUID or a request_id of more than 128 characters.';
