-- What the database sees of Supabase's pg_net and Vault, which no package brings. As pg_net's, this http_post takes these
-- arguments by these names, refuses another content type, and queues for its worker the bytes that are to be sent.
create schema net;
create unlogged table net.http_request_queue (
  id bigserial,
  method text not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);
create unlogged table net._http_response (
  id bigint,
  status_code integer,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
create function net.http_post(
  url text, body jsonb default '{}'::jsonb, params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb, timeout_milliseconds integer default 5000)
returns bigint language plpgsql as $$
declare
  request bigint;
begin
  if exists (select from jsonb_each_text(headers) as h where lower(h.key) = 'content-type' and h.value <> 'application/json') then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  if params <> '{}' then
    raise exception 'this stand-in appends no parameters';
  end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
  returning id into request;
  return request;
end $$;
create schema vault;
create table vault.decrypted_secrets (name text primary key, decrypted_secret text);
