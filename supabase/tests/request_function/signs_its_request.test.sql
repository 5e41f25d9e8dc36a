begin;
select plan(11);

-- Stand-ins for Supabase's extensions, which this server has not. pg_net's takes these arguments by these names,
-- refuses another content type, and queues for its worker the bytes that it will send.
create schema if not exists vault;
create schema if not exists net;
create table net.http_request_queue (
  id bigserial, method text not null, url text not null, headers jsonb, body bytea,
  timeout_milliseconds integer not null);
select is(encode(credits.hmac_sha256('key', 'The quick brown fox jumps over the lazy dog'), 'hex'),
  'f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8', 'HMAC-SHA256 as everybody computes it');
select is(encode(credits.hmac_sha256(convert_to(repeat('k', 100), 'UTF8'), 'x'), 'hex'),
  encode(credits.hmac_sha256(sha256(convert_to(repeat('k', 100), 'UTF8')), 'x'), 'hex'), 'also with a long key');
select is(request_function('deliver-events'), false, 'nothing without Vault and pg_net');

create function net.http_post(
  url text, body jsonb default '{}'::jsonb, params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb, timeout_milliseconds integer default 5000)
returns bigint language plpgsql as $$
declare
  request bigint;
begin
  if exists (select from jsonb_each_text(headers) as h
    where lower(h.key) = 'content-type' and h.value <> 'application/json') then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('POST',
    url || (select coalesce('?' || string_agg(p.key || '=' || p.value, '&'), '') from jsonb_each_text(params) as p),
    headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
  returning id into request;
  return request;
end $$;
create table vault.decrypted_secrets (name text, decrypted_secret text);
insert into vault.decrypted_secrets values ('atomic_credits_functions_url', 'https://ref.example.com/functions/v1/'),
  ('atomic_credits_delivery_secret', 'whsec_c2VjcmV0');
delete from credit_events;
select is(request_function('deliver-events'), false, 'nothing when nothing is due');
insert into credit_events (type, payload) values ('alert.fired', '{}');
select is(request_function('deliver-events'), true, 'a request when something is');
select is(count(*), 1::bigint, 'and just one') from net.http_request_queue;
select is(row(method, url), row('POST'::text, 'https://ref.example.com/functions/v1/deliver-events'::text),
  'to the function')
from net.http_request_queue;
select is(timeout_milliseconds, 60000, 'which gets the time it takes') from net.http_request_queue;
select is(headers ->> 'webhook-signature', 'v1,' || encode(credits.hmac_sha256('secret',
  convert_to(format('%s.%s.', headers ->> 'webhook-id', headers ->> 'webhook-timestamp'), 'UTF8') || body), 'base64'),
  'signed, over the bytes that are sent')
from net.http_request_queue;
select is(array(select jsonb_object_keys(headers) order by 1),
  array['content-type', 'webhook-id', 'webhook-signature', 'webhook-timestamp'],
  'with these headers')
from net.http_request_queue;
select unalike(q::text || convert_from(q.body, 'UTF8'), '%c2VjcmV0%', 'and no secret') from net.http_request_queue as q;

select * from finish();
rollback;
