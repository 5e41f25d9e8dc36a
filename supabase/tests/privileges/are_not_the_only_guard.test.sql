begin;
select plan(15);

-- Every function of public that only the service may execute; what reads by its caller's own rights needs no guard.
create temp view guarded as select p.oid, p.proname, p.prosrc from pg_proc as p
  where p.pronamespace = 'public'::regnamespace and p.prosecdef
    and not has_function_privilege('authenticated', p.oid, 'execute')
    and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e');
select is_empty($$select proname from guarded
  where prosrc !~ ('^(\s*(declare.*)?\sbegin\s+(--[^\n]*\n\s*)?'
    || '(if current_setting\(''role''\) not in \(''none'', ''service_role''\) then\s+)?perform'
    || '|\s*select) credits\.caller_check\(''' || proname || '''\);')$$,
  'every function that is for the service alone checks its caller first');
select is_empty($$select p.proname from pg_proc as p
  where p.pronamespace = 'public'::regnamespace and p.provolatile = 'v'
  and has_function_privilege('service_role', p.oid, 'execute') and p.oid not in (select oid from guarded)$$,
  'no function that writes goes without');
select is_empty($$select proname from guarded
  where substring(prosrc from '^\s*declare.*?\sbegin\s') ~ ':=[^;]*_lock\('$$, 'nor waits for a lock before');

-- What a restore into a project with generous default privileges leaves.
grant execute on all functions in schema public to anon, authenticated;
create role kiosk;
grant kiosk to authenticator;
grant kiosk to current_user;
grant execute on function grant_credits to kiosk;
create role backend;
grant backend to current_user;
grant execute on function grant_credits to backend;

prepare mint as select grant_credits('00000000-0000-4000-8000-0000000000d1', 1000000000);
set local role anon;
select throws_ok('mint', '42501', 'grant_credits is not for role anon, which may execute it', 'anon cannot mint');
select throws_ok($$select atomic_charge_credits('00000000-0000-4000-8000-0000000000d1', 'standard-image',
  '{"prompt": "a cat"}')$$, '42501', null, 'nor charge');
select throws_ok($$select claim_events(1)$$, '42501', null, 'nor read events, also in a function of plain SQL');
select throws_ok($$select get_generation_stats(1)$$, '42501', null, 'nor read the statistics');
set local role authenticated;
select throws_ok('mint', '42501', null, 'a user cannot mint');
set local role kiosk;
select throws_ok('mint', '42501', null, 'nor another role of the Data API');
reset role;

set local role backend;
select lives_ok('mint', 'a role that does not come over the Data API is its owner''s to trust');
set local role service_role;
select lives_ok('mint', 'the service goes on');
reset role;
select lives_ok('mint', 'and so do the owner, pg_cron and Auth, who log in by themselves');

-- As an app may wrap it.
create function public.daily_gift() returns bigint language sql security definer set search_path = '' as
  $$ select balance from public.grant_credits('00000000-0000-4000-8000-0000000000d1', 5) $$;
set local role authenticated;
select throws_ok('select daily_gift()', '42501', null, 'an app''s own function fails while its users could go past it');
reset role;
revoke execute on all functions in schema public from authenticated;
grant execute on function daily_gift to authenticated;
set local role authenticated;
select lives_ok('select daily_gift()', 'and works when they cannot');
reset role;
select results_eq($$select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000d1'$$,
  array[3000000005::bigint], 'what was refused moved nothing');

select * from finish();
rollback;
