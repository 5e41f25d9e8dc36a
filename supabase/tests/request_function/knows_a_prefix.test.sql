begin;
select plan(3);

-- Stand-ins for Supabase's extensions, which this server has not.
create schema if not exists vault;
create schema if not exists net;
create temp table sent (url text);
create table vault.decrypted_secrets (name text primary key, decrypted_secret text);
create function net.http_post(
  url text, body jsonb default '{}'::jsonb, params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb, timeout_milliseconds integer default 5000)
returns bigint language sql as $$ insert into sent values (url) returning 1::bigint $$;
delete from credit_events;
insert into credit_events (type, payload) values ('alert.fired', '{}');
insert into vault.decrypted_secrets values
  ('atomic_credits_delivery_secret', 'whsec_c2VjcmV0'),
  ('atomic_credits_functions_url', 'https://ref.example.com/functions/v1/credits-');

select request_function('deliver-events');
select results_eq('select url from sent', array['https://ref.example.com/functions/v1/credits-deliver-events'],
  'a prefix is what the function''s name begins with');

update vault.decrypted_secrets set decrypted_secret = 'https://ref.example.com/functions/v1'
where name = 'atomic_credits_functions_url';
delete from sent;
select request_function('deliver-events');
select results_eq('select url from sent', array['https://ref.example.com/functions/v1/deliver-events'],
  'without one a slash parts them');

update vault.decrypted_secrets set decrypted_secret = 'https://ref.example.com/functions/v1/'
where name = 'atomic_credits_functions_url';
delete from sent;
select request_function('deliver-events');
select results_eq('select url from sent', array['https://ref.example.com/functions/v1/deliver-events'],
  'and only one');

select * from finish();
rollback;
