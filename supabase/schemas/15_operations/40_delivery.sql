-- Gives: request_delivery, with which the schedule calls the edge function deliver-events.
-- Keeps: no key of the project is sent: the request is signed, and can only trigger a delivery.
-- Needs: events; pg_net and Vault where there are such.

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

create function credits.can_request_delivery()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select credits.vault_secret('atomic_credits_functions_url') is not null
    and credits.vault_secret('atomic_credits_delivery_secret') is not null and to_regproc('net.http_post') is not null;
$$;
comment on function credits.can_request_delivery() is 'Whether pg_net and both secrets of request_delivery are there.';

create function public.request_delivery()
returns boolean
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  url text := credits.vault_secret('atomic_credits_functions_url');
  secret text := credits.vault_secret('atomic_credits_delivery_secret');
  message_id text := 'delivery_' || gen_random_uuid();
  sent_at text := extract(epoch from now())::bigint;
  signature text;
begin
  perform credits.caller_check('request_delivery');
  if not credits.can_request_delivery()
    or not exists (select from public.credit_events where next_attempt_at <= now()) then
    return false;
  end if;
  signature := encode(credits.hmac_sha256(
    decode(replace(secret, 'whsec_', ''), 'base64'), convert_to(concat_ws('.', message_id, sent_at, '{}'), 'UTF8')),
    'base64');
  -- deliver-events takes up to 35 seconds, and 20 more for its last requests.
  execute format('select net.http_post(url := %L, body := %L, headers := %L, timeout_milliseconds := 60000)',
    rtrim(url, '/') || '/deliver-events', '{}',
    jsonb_build_object('content-type', 'application/json', 'webhook-id', message_id, 'webhook-timestamp', sent_at,
      'webhook-signature', 'v1,' || signature));
  return true;
end;
$$;
comment on function public.request_delivery() is
  'If events are due, asks the edge function deliver-events through pg_net to deliver them, with a request signed as '
  'in Standard Webhooks. Secrets of Vault: atomic_credits_functions_url (https://<ref>.supabase.co/functions/v1) and '
  'atomic_credits_delivery_secret (whsec_…, the functions'' DELIVERY_SECRET). False if nothing is due, or a secret or '
  'pg_net is missing. Meant to run every minute.';
