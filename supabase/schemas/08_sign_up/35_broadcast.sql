-- Gives: balances as they change, sent by Supabase Realtime on a private channel per account, by a setting.
-- Keeps: only who may read an account hears of it; a message that cannot be sent fails no movement; while the setting
--   is off a movement pays nothing for it.
-- Needs: accounts, settings; when called: deployed.

create function credits.has_broadcast()
returns boolean
language sql
stable
set search_path = '', pg_temp
as $$
  select to_regclass('realtime.messages') is not null and to_regprocedure('realtime.topic()') is not null
    and to_regprocedure('realtime.send(jsonb,text,text,boolean)') is not null;
$$;
comment on function credits.has_broadcast() is
  'Whether Supabase Realtime of this project can send messages from the database.';

create function credits.balance_broadcast()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
as $$
begin
  -- As text: a project need not have Realtime.
  execute 'select realtime.send($1, $2, $3, true)'
  using jsonb_build_object('balance', new.balance, 'seq', new.last_seq), 'balance', 'credits:' || new.id;
  return null;
exception when others then
  raise warning 'the balance of account % was not broadcast: %', new.id, sqlerrm;
  return null;
end;
$$;
comment on function credits.balance_broadcast() is
  'Sends {balance, seq} as event balance on the private channel credits:<account>, when the transaction commits.';

-- Its condition is what broadcast_statements makes of it: one that is always false costs a movement nothing.
create trigger balance_broadcast after update of balance on public.credit_accounts
  for each row when (false) execute function credits.balance_broadcast();

create function credits.broadcast_policy()
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select 'CREATE POLICY credits_hear_own ON realtime.messages AS PERMISSIVE FOR SELECT TO authenticated USING '
    '(((extension = ''broadcast''::text) AND (( SELECT realtime.topic() AS topic) = ANY (ARRAY( SELECT '
    '(''credits:''::text || a.id) FROM credits.my_account_ids() a(id))))))';
$$;
comment on function credits.broadcast_policy() is
  'The one policy for the channels credits:<account>: users hear of their own accounts, and nobody sends.';

create function credits.broadcast_statements()
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  is_on constant boolean := credits.has_broadcast() and (select broadcast_balance from public.credit_settings);
  policy constant text := (select p.definition from credits.deployed_parts() as p
    where p.kind = 'policy' and p.table_name = 'realtime.messages' and p.part_name = 'credits_hear_own');
  -- Postgres versions print it differently.
  is_ours constant boolean := regexp_replace(policy, '[\s()]| AS \w+', '', 'g')
    = regexp_replace(credits.broadcast_policy(), '[\s()]| AS \w+', '', 'g');
  is_sent constant boolean := exists (select from pg_catalog.pg_trigger
    where tgrelid = 'public.credit_accounts'::regclass and tgname = 'balance_broadcast'
      and pg_get_triggerdef(oid) not like '%WHEN (false)%');
begin
  if policy is not null and not (is_on and is_ours) then
    return next 'drop policy credits_hear_own on realtime.messages';
  end if;
  if is_on and is_ours is not true then
    return next credits.broadcast_policy();
  end if;
  if is_on <> is_sent then
    return next format('create or replace trigger balance_broadcast after update of balance on public.credit_accounts '
      'for each row when (%s) execute function credits.balance_broadcast()',
      case when is_on then 'new.balance <> old.balance' else 'false' end);
  end if;
end;
$$;
comment on function credits.broadcast_statements() is
  'The statements that begin or end the broadcasts as credit_settings.broadcast_balance says; none if they are right. '
  'Without Realtime there are no broadcasts.';

create function credits.broadcast_set_up()
returns setof text
language plpgsql
set search_path = '', pg_temp
as $$
declare
  statement text;
begin
  foreach statement in array array(select credits.broadcast_statements()) loop
    execute statement;
    return next statement;
  end loop;
end;
$$;
comment on function credits.broadcast_set_up() is
  'Begins or ends the broadcasts of balances as the setting says. One row per statement that it ran.';

create function credits.broadcast_follows()
returns trigger
language plpgsql
security definer
set search_path = '', pg_temp
-- Replacing the trigger waits for the movements under way, and others wait for it.
set lock_timeout = '5s'
as $$
begin
  if new.broadcast_balance and not credits.has_broadcast() then
    perform credits.raise_misuse('55000', 'balances cannot be broadcast: this project has no Supabase Realtime that '
      'sends from the database', 'Leave broadcast_balance off; the client asks for the balance itself.');
  end if;
  perform from credits.broadcast_set_up();
  return null;
end;
$$;
comment on function credits.broadcast_follows() is 'Begins or ends the broadcasts when their setting changes.';

create trigger broadcast_follows after update of broadcast_balance on public.credit_settings
  for each row when (new.broadcast_balance <> old.broadcast_balance) execute function credits.broadcast_follows();
