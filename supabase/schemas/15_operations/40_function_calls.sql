-- Gives: request_function, with which the schedule calls the edge functions that have something to do.
-- Keeps: no key of the project is sent: the request is signed, and can only begin what is due.
-- Needs: foundation, events, moving outputs, asking, file deletion; pg_net and Vault where there are such.

create function credits.vault_secret(p_name text)
returns text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  secrets regclass := to_regclass('vault.decrypted_secrets');
  secret text;
begin
  if secrets is not null then
    execute format('select decrypted_secret from %s where name = %L', secrets, p_name) into secret;
  end if;
  return secret;
end;
$$;
comment on function credits.vault_secret(text) is 'A secret of Supabase Vault; null when there is none.';

create function credits.can_request_functions()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.vault_secret('atomic_credits_functions_url') is not null
    and credits.vault_secret('atomic_credits_delivery_secret') is not null and to_regproc('net.http_post') is not null;
$$;
comment on function credits.can_request_functions() is
  'Whether pg_net and both secrets of request_function are there.';

create function public.function_calls_due()
returns setof text
language sql
stable
security definer
set search_path = '', pg_temp
as $$
  select credits.caller_check('function_calls_due');
  select 'deliver-events' where exists (select from public.credit_events where next_attempt_at <= now())
  union all
  select 'tasks/ask-providers' where credits.provider_asks_due()
  union all
  select 'tasks/delete-objects' where credits.file_deletion_is_due()
  union all
  select 'tasks/move-outputs' where exists (select from credits.outputs_to_move where next_attempt_at <= now());
$$;
comment on function public.function_calls_due() is
  'The edge functions that have something to do now: deliver-events, tasks/ask-providers, tasks/delete-objects, '
  'tasks/move-outputs. request_function calls them where pg_net is; elsewhere post to them with the secret key.';

create function public.request_function(p_name text)
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  url text := credits.vault_secret('atomic_credits_functions_url');
  secret text := credits.vault_secret('atomic_credits_delivery_secret');
  message_id text := 'call_' || gen_random_uuid();
  sent_at text := extract(epoch from now())::bigint;
  signature text;
begin
  perform credits.caller_check('request_function');
  if p_name is null or p_name not in ('deliver-events', 'tasks/ask-providers', 'tasks/delete-objects',
    'tasks/move-outputs') then
    perform credits.raise_misuse('22023', 'the schedule calls no such function',
      'It calls deliver-events, tasks/ask-providers, tasks/delete-objects and tasks/move-outputs.');
  end if;
  if not credits.can_request_functions() or p_name not in (select public.function_calls_due()) then
    return false;
  end if;
  signature := encode(credits.hmac_sha256(
    decode(replace(secret, 'whsec_', ''), 'base64'), convert_to(concat_ws('.', message_id, sent_at, '{}'), 'UTF8')),
    'base64');
  -- A function begins nothing after 35 seconds. It goes on with what it has begun, such as a large file, by itself.
  execute format('select net.http_post(url := %L, body := %L, headers := %L, timeout_milliseconds := 60000)',
    -- A prefix of the functions' names ends the URL, with its hyphen.
    regexp_replace(rtrim(url, '/'), '([^-])$', '\1/') || p_name, '{}',
    jsonb_build_object('content-type', 'application/json', 'webhook-id', message_id, 'webhook-timestamp', sent_at,
      'webhook-signature', 'v1,' || signature));
  return true;
end;
$$;
comment on function public.request_function(text) is
  'If an edge function of function_calls_due has something to do, calls it through pg_net, with a request signed as in '
  'Standard Webhooks. Secrets of Vault: atomic_credits_functions_url (https://<ref>.supabase.co/functions/v1, then '
  '/<prefix> where the functions'' names have one, such as credits-) and atomic_credits_delivery_secret (whsec_…, '
  'the functions'' DELIVERY_SECRET). False if nothing is due, or a secret or pg_net is missing. Raises 22023 for '
  'another name. Meant to run every minute.';
