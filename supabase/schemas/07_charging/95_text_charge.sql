-- Gives: charge_text, the charge of a text.
-- Keeps: every rule is that of atomic_charge_credits, which is called; no word of a conversation is kept, unless the
-- settings say so.
-- Needs: key charge, text hold, settings; when called: due.

create type public.generation_text_charge as (
  status integer,
  code text,
  message text,
  account_id uuid,
  job_id uuid,
  cost bigint,
  balance bigint,
  required bigint,
  debt bigint,
  errors jsonb,
  retry_after_seconds integer,
  rate_limit integer,
  rate_window_seconds integer,
  rate_remaining integer,
  rate_reset_seconds integer,
  job jsonb,
  output_tokens integer,
  affordable_output_tokens bigint
);
comment on type public.generation_text_charge is
  'Answer of charge_text: that of a charge (credit_charge_result), and output_tokens: the most that each choice '
  'may have, to be sent to the provider (null: nothing to limit); with a 402 affordable_output_tokens: the most '
  'that could be paid per choice. Beside the codes of a charge: 401 invalid_app_key, 402 key_cap_reached, 403 '
  'model_not_in_key, 409 answer_not_kept.';

create function credits.text_answer(
  p_result public.credit_charge_result, p_model credits.text_model, p_request jsonb, p_member_id uuid,
  p_app_key_id uuid
)
returns public.generation_text_charge
language plpgsql
set search_path = '', pg_temp
as $$
declare
  answer public.generation_text_charge;
begin
  answer := jsonb_populate_record(answer, to_jsonb(p_result));
  if p_result.status = 402 then
    answer.affordable_output_tokens := (credits.text_hold(p_model, p_request,
      coalesce((credits.text_available(p_result.account_id, p_member_id, p_app_key_id)).available, 0))).affordable;
  elsif p_result.status = 201 and not (p_request ->> 'embedding')::boolean
    and 'output_token' = any (p_model.meters) then
    answer.output_tokens := (p_result.job -> 'input' ->> 'output_tokens')::bigint
      / (p_result.job -> 'input' ->> 'n')::bigint;
  elsif p_result.code = 'replayed' and p_result.job ->> 'status' = 'succeeded'
    and not coalesce(p_result.job -> 'output' ? 'response', false) then
    select d.status, d.code, d.message into strict answer.status, answer.code, answer.message
    from credits.denials as d where d.code = 'answer_not_kept';
  end if;
  return answer;
end;
$$;
comment on function credits.text_answer(public.credit_charge_result, credits.text_model, jsonb, uuid, uuid) is
  'The answer to a text''s charge, with the output that it may have or that could be paid.';

create function public.charge_text(
  p_account_id uuid, p_member_id uuid, p_app_key_id uuid, p_model text, p_request jsonb,
  p_idempotency_key text default null, p_request_id text default null
)
returns public.generation_text_charge
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  request jsonb;
  model credits.text_model;
  store text;
  known jsonb;
  there record;
  hold credits.text_hold;
  result public.credit_charge_result;
begin
  perform credits.caller_check('charge_text');
  request := credits.text_request(p_request);
  perform credits.check_length('request_id', p_request_id, 0, 128);
  if p_app_key_id is not null then
    p_member_id := (select member_id from public.credit_app_keys
      where account_id = p_account_id and id = p_app_key_id);
    request := request - 'asked_by';
  end if;
  model := credits.text_model_in_force(p_model);
  select text_store into strict store from public.credit_settings;
  known := credits.input_of_key(p_account_id, p_member_id, p_idempotency_key, request);
  if known is null and model.name is not null then
    there := credits.text_available(p_account_id, p_member_id, p_app_key_id);
    hold := credits.text_hold(model, request, there.available);
    -- Only what does not fit waits for the account, to book the month's credits.
    if not hold.is_whole and there.refill_is_due
      and (p_member_id is null or credits.member_denial(p_account_id, p_member_id, 0, false) is null) then
      perform credits.account_lock(p_account_id);
      perform credits.account_refill_due(p_account_id);
      there := credits.text_available(p_account_id, p_member_id, p_app_key_id);
      hold := credits.text_hold(model, request, there.available);
    end if;
  end if;
  -- A model that makes no text is priced by nobody: the charge denies it.
  result := credits.charge_with_key(p_account_id, p_member_id, p_app_key_id,
    case when known is not null or model.name is not null then p_model else '' end,
    credits.text_input(request, hold, known, p_member_id is null, store), p_idempotency_key, p_request_id, true, true);
  if result.status = 201 and store = 'full' and p_request ? 'body' then
    update public.generation_jobs set input = input || jsonb_build_object('request', p_request -> 'body')
    where id = result.job_id and account_id = p_account_id and not input ? 'request';
  end if;
  return credits.text_answer(result, model, request, p_member_id, p_app_key_id);
end;
$$;
comment on function public.charge_text(uuid, uuid, uuid, text, jsonb, text, text) is
  'Charges a text and creates its job, which is running at once. p_request: input_tokens (the most that the input '
  'can count), input_estimate (what it probably counts), and if named output_tokens (the maximum per choice), n, '
  'max_cost, sha256 (of the body), body, embedding. Holds the most that this can cost; where that is not there but '
  'the estimate is, what is there. Without a named maximum a choice gets the model''s default_output_tokens, or '
  'what can be afforded. p_app_key_id: the app key that asks, of p_account_id. Otherwise as atomic_charge_credits. '
  'Raises 22023 for a bad request.';
