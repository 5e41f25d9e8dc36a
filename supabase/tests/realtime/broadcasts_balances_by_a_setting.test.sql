begin;
select plan(21);

-- pg_cron's first minute may not be over.
create temp view not_ok as select check_name, detail, remedy from verify_deployment()
  where not ok and check_name <> 'pg_cron has begun';
update credit_scheduled_tasks set created_at = now();
select sweep_overdue_jobs();

-- A project whose Realtime cannot send.
drop schema if exists realtime cascade;
select throws_ok('update credit_settings set broadcast_balance = true', '55000', null,
  'without Realtime the setting is refused');
select is_empty('select credits.broadcast_statements()', 'and nothing is to do');

-- What Realtime has of its own, as far as it is used.
create schema realtime;
create table realtime.messages (topic text not null, extension text not null, payload jsonb, event text,
  private boolean default false);
alter table realtime.messages enable row level security;
create function realtime.topic() returns text language sql stable as
  $$ select nullif(current_setting('realtime.topic', true), '') $$;
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language sql as $$ insert into realtime.messages values (topic, 'broadcast', payload, event, private) $$;
grant usage on schema realtime to authenticated;
grant select on realtime.messages to authenticated;

insert into auth.users (id, email, email_confirmed_at) values
  ('00000000-0000-4000-8000-000000000001', 'hears@example.test', now()),
  ('00000000-0000-4000-8000-000000000002', 'stranger@example.test', now());
create temp table account as select id from credit_accounts where user_id = '00000000-0000-4000-8000-000000000001';

select is((select broadcast_balance from credit_settings), false, 'it is off');
select grant_credits((select id from account), 5);
select is_empty('select from realtime.messages', 'and nothing is sent');
select is_empty($$ select from pg_policies where schemaname = 'realtime' $$, 'or open');
select is_empty('select check_name from not_ok', 'as verify_deployment confirms');

set local role service_role;
update credit_settings set broadcast_balance = true;
reset role;
select is_empty('select check_name from not_ok', 'the service turns it on');
select grant_credits((select id from account), 7);
select results_eq('select topic, extension, payload, event, private from realtime.messages',
  $$ select 'credits:' || id, 'broadcast', jsonb_build_object('balance', balance, 'seq', last_seq), 'balance', true
     from credit_accounts where id = (select id from account) $$,
  'a movement sends the balance and its seq on the account''s private channel');
delete from realtime.messages;
update credit_accounts set plan = plan;
select is_empty('select from realtime.messages', 'what leaves the balance alone sends nothing');

select grant_credits((select id from account), 1);
create function pg_temp.hears(p_user uuid, p_topic text) returns bigint language plpgsql as $$
declare
  heard bigint;
begin
  perform set_config('request.jwt.claims', json_build_object('sub', p_user, 'role', 'authenticated')::text, true);
  perform set_config('request.jwt.claim.sub', p_user::text, true), set_config('realtime.topic', p_topic, true);
  set local role authenticated;
  select count(*) into heard from realtime.messages;
  reset role;
  return heard;
end;
$$;
select is(pg_temp.hears('00000000-0000-4000-8000-000000000001', 'credits:' || (select id from account)), 1::bigint,
  'its user may join the channel');
select is(pg_temp.hears('00000000-0000-4000-8000-000000000002', 'credits:' || (select id from account)), 0::bigint,
  'a stranger may not');
select is(pg_temp.hears('00000000-0000-4000-8000-000000000001', 'rooms:1'), 0::bigint, 'nor anybody another channel');
set local role authenticated;
select throws_ok($$ insert into realtime.messages values ('credits:x', 'broadcast') $$, '42501', null,
  'users send nothing');
reset role;

create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language plpgsql as $$ begin raise exception 'no partition for today'; end $$;
select lives_ok(format('select grant_credits(%L, 1)', (select id from account)),
  'a message that cannot be sent fails no movement');
select is_empty(format('select check_name from verify_ledger(%L) as v (check_name) where false',
  (select id from account)), 'and the books are right');

drop policy credits_hear_own on realtime.messages;
create policy credits_hear_own on realtime.messages for select to authenticated using (true);
select set_eq('select check_name from not_ok',
  array['balances are broadcast to those who may see them, by the setting'],
  'a policy that lets others hear is found');
select isnt_empty('select repair_deployment()', 'and repaired');
select is(pg_temp.hears('00000000-0000-4000-8000-000000000002', 'credits:' || (select id from account)), 0::bigint,
  'so that a stranger hears nothing');

update credit_settings set broadcast_balance = false;
select is_empty($$ select from pg_policies where schemaname = 'realtime' $$, 'turned off, the channel is closed');
delete from realtime.messages;
select grant_credits((select id from account), 1);
select is_empty('select from realtime.messages', 'and nothing is sent');
select is_empty('select check_name from not_ok', 'as verify_deployment confirms');

select * from finish();
rollback;
