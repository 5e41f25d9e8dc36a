begin;
select plan(8);

-- Stand-ins for Supabase's extensions, which this server has not.
create schema if not exists vault;
create schema if not exists net;
create temp table sent (url text, body jsonb, headers jsonb, timeout_milliseconds integer);
select is(encode(credits.hmac_sha256('key', 'The quick brown fox jumps over the lazy dog'), 'hex'),
  'f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8', 'HMAC-SHA256 as everybody computes it');
select is(encode(credits.hmac_sha256(convert_to(repeat('k', 100), 'UTF8'), 'x'), 'hex'),
  encode(credits.hmac_sha256(sha256(convert_to(repeat('k', 100), 'UTF8')), 'x'), 'hex'), 'also with a long key');
select is(request_delivery(), false, 'nothing without Vault and pg_net');

create function net.http_post(url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000)
returns bigint language sql as $$ insert into sent values (url, body, headers, timeout_milliseconds) returning 1::bigint $$;
create table vault.decrypted_secrets (name text, decrypted_secret text);
insert into vault.decrypted_secrets values ('atomic_credits_functions_url', 'https://ref.example.com/functions/v1/'),
  ('atomic_credits_delivery_secret', 'whsec_c2VjcmV0');
delete from credit_events;
select is(request_delivery(), false, 'nothing when nothing is due');
insert into credit_events (type, payload) values ('alert.fired', '{}');
select is(request_delivery(), true, 'a request when something is');
select is(row(url, body), row('https://ref.example.com/functions/v1/deliver-events'::text, '{}'::jsonb), 'to the function') from sent;
select is(timeout_milliseconds, 60000, 'which gets the time it takes') from sent;
select is(headers ->> 'webhook-signature', 'v1,' || encode(credits.hmac_sha256('secret',
  convert_to(format('%s.%s.{}', headers ->> 'webhook-id', headers ->> 'webhook-timestamp'), 'UTF8')), 'base64'), 'signed')
from sent;

select * from finish();
rollback;
