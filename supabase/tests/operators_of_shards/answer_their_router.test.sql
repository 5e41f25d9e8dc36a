begin;
select plan(19);

-- As a router's call: no role of the Data API, and the claims of who calls.
create function pg_temp.sign_in(p_last text, p_aal text default 'aal2') returns void language sql as $$
  select set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000' || p_last, true),
    set_config('request.jwt.claims', jsonb_build_object('sub', '00000000-0000-4000-8000-0000000000' || p_last,
      'aal', p_aal)::text, true) $$;
create function pg_temp.joins(p_last text, p_role text, p_day bigint default null) returns boolean language sql as $$
  select credits.operator_joins(('00000000-0000-4000-8000-0000000000' || p_last)::uuid, p_role, null, p_day, 'n') $$;
select is(pg_temp.joins('e1', 'admin'), true, 'an operator is inserted');
select is(pg_temp.joins('e1', 'admin'), false, 'once');
select throws_ok($$select pg_temp.joins('e1', 'viewer')$$, '23505', null, 'not with another role');
update credit_operators set disabled_at = now();
select throws_ok($$select pg_temp.joins('e1', 'admin')$$, '23505', null, 'nor who was removed');
update credit_operators set disabled_at = null;
select throws_ok($$select pg_temp.joins('e2', 'viewer', -1)$$, '23514', null, 'nor with a limit that is none');
select pg_temp.joins('e2', 'support', 100);

create function pg_temp.muted(p_key text, p_before timestamptz, p_until timestamptz, p_rule text default 'success_rate')
  returns text language sql as $$
  select code || case when replayed then ' again' else '' end
  from credits.operator_muted(p_rule, p_before, p_until, 'we know of it, case 7', p_key) $$;
select pg_temp.sign_in('e1');
select is(pg_temp.muted('a', null, '2099-01-01'), 'done', 'what the router mutes is written down');
select is(pg_temp.muted('a', null, '2099-01-01'), 'done again', 'once');
select is(pg_temp.muted('b', '2099-01-01', '2099-01-01'), 'unchanged', 'as it was');
select throws_ok($$select pg_temp.muted('a', null, null)$$, 'PT409', null, 'a key is one action''s');
select throws_ok($$select pg_temp.muted('c', null, null, 'no such rule')$$, 'PT404', 'no such alert rule',
  'a rule that is not there');
select is((operator_mute_alert('success_rate', '2099-01-01', 'we know of it, case 7', 'a')).replayed, true,
  'it is the same action as on one database');
select is((select muted_until from credit_alert_rules where name = 'success_rate'), null, 'the rule is the router''s');
select pg_temp.sign_in('e2');
select throws_ok($$select pg_temp.muted('d', null, null)$$, '42501', null, 'support mutes nothing');
select pg_temp.sign_in('e1', 'aal1');
select throws_ok($$select pg_temp.muted('d', null, null)$$, 'PT403', null, 'nor one without a second factor');

select grant_credits('00000000-0000-4000-8000-0000000000a1', 1);
create function pg_temp.give(p_credits bigint) returns text language sql as $$
  select code from operator_grant('00000000-0000-4000-8000-0000000000a1', p_credits, null, 'as it was promised',
    gen_random_uuid()::text) $$;
select pg_temp.sign_in('e2');
select is(pg_temp.give(40), 'done', 'within the day''s limit');
select is((select (max_per_day, used)::text from credits.operator_day('00000000-0000-4000-8000-0000000000e2')),
  '(100,40)', 'the router hears what they have used here');
select set_config('credits.operator_used_elsewhere', '-1000', true);
select is(pg_temp.give(61), 'waiting_for_approval', 'nothing that the router says widens it');
select set_config('credits.operator_used_elsewhere', '50', true);
select is(pg_temp.give(11), 'waiting_for_approval', 'what they used elsewhere counts');
select is(pg_temp.give(10), 'done', 'up to the limit');

select * from finish();
rollback;
