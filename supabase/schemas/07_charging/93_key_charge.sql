-- Gives: charges by an app key.
-- Keeps: every rule is that of atomic_charge_credits, which is called; a key spends no more than its monthly cap.
-- Needs: charge, text terms, app keys, usage.

create function credits.input_of_key(
  p_account_id uuid, p_member_id uuid, p_idempotency_key text, p_input jsonb
)
returns jsonb
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  job_ids constant uuid[] := credits.job_ids(p_account_id, p_member_id, p_idempotency_key,
    case when p_member_id is null then p_input end);
begin
  if p_idempotency_key is null then
    return null;
  end if;
  return (select j.input from public.generation_jobs as j
    where j.id in (job_ids[1], job_ids[2]) and j.account_id = p_account_id limit 1);
end;
$$;
comment on function credits.input_of_key(uuid, uuid, text, jsonb) is
  'The input of the job that an idempotency key has already; null if it is new.';

create function credits.charge_with_key(
  p_account_id uuid, p_member_id uuid, p_app_key_id uuid, p_model text, p_input jsonb, p_idempotency_key text,
  p_request_id text, p_start boolean, p_is_text boolean
)
returns public.credit_charge_result
language plpgsql
set search_path = '', pg_temp
as $$
declare
  app_key public.credit_app_keys;
  result public.credit_charge_result;
begin
  if p_account_id is null then
    perform credits.raise_misuse('22023', 'an account is needed', 'Pass the account_id that text_terms returned.');
  end if;
  if p_app_key_id is not null then
    -- The account before the key, and only where what it has spent is judged.
    perform from public.credit_accounts as a where a.id = p_account_id and exists (
      select from public.credit_app_keys
      where account_id = p_account_id and id = p_app_key_id and monthly_cap is not null) for update;
    select * into app_key from public.credit_app_keys where account_id = p_account_id and id = p_app_key_id;
    p_member_id := app_key.member_id;
    result.code := credits.app_key_denial(app_key, p_model, case
      when app_key.monthly_cap is not null
        and credits.input_of_key(p_account_id, p_member_id, p_idempotency_key, p_input) is null
        then coalesce((credits.request_price(p_model, p_input)).cost, 1) end);
    if result.code is not null then
      select d.status, d.message into strict result.status, result.message
      from credits.denials as d where d.code = result.code;
      result.account_id := p_account_id;
      perform credits.request_record(result, p_member_id, p_request_id, p_model);
      return result;
    end if;
  end if;
  result := public.atomic_charge_credits(p_account_id, p_model, p_input, p_idempotency_key, p_request_id, p_member_id,
    p_start);
  if result.status = 201 and (p_is_text or p_app_key_id is not null) then
    insert into public.generation_usage (account_id, job_id, app_key_id)
    values (p_account_id, result.job_id, p_app_key_id) on conflict do nothing;
    -- Not for a charge that is answered again.
    if found and p_app_key_id is not null then
      perform credits.app_key_spend(p_account_id, result.job_id, result.cost, 'infinity');
    end if;
  end if;
  return result;
end;
$$;
comment on function credits.charge_with_key(uuid, uuid, uuid, text, jsonb, text, text, boolean, boolean) is
  'Charges as atomic_charge_credits does, by an app key if one is named: then its member asks, and its models and cap '
  'are judged first. Notes the key with the job, and that the job is a text.';


create function public.charge_by_app_key(
  p_account_id uuid, p_app_key_id uuid, p_model text, p_input jsonb, p_idempotency_key text default null,
  p_request_id text default null, p_start boolean default false
)
returns public.credit_charge_result
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  perform credits.caller_check('charge_by_app_key');
  if p_app_key_id is null or jsonb_typeof(p_input) is distinct from 'object' then
    perform credits.raise_misuse('22023', 'a key and an input as a JSON object are needed',
      'Pass the app_key_id that text_terms returned.');
  end if;
  perform credits.check_length('request_id', p_request_id, 0, 128);
  return credits.charge_with_key(p_account_id, null, p_app_key_id, p_model, p_input - 'asked_by', p_idempotency_key,
    p_request_id, p_start, false);
end;
$$;
comment on function public.charge_by_app_key(uuid, uuid, text, jsonb, text, text, boolean) is
  'Charges a generation that is no text by an app key: as atomic_charge_credits, after the key''s own checks, '
  'which deny with 401 invalid_app_key, 402 key_cap_reached or 403 model_not_in_key. Raises 22023 without a key or '
  'an input.';
