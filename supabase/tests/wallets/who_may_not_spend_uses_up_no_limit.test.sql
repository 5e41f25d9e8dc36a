begin;
select plan(5);

select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000c3');
select from set_account_member('00000000-0000-4000-8000-0000000000c3',
  '00000000-0000-4000-8000-0000000000b2', 'viewer');
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000d4',
  'member', 400);
select from set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000e5',
  'member', 0);
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 50000);
create function pg_temp.ask(p_member text, p_model text default 'standard-image') returns text language sql as $$
  select code from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', p_model, '{"prompt": "a"}',
    p_member_id => ('00000000-0000-4000-8000-0000000000' || p_member)::uuid) $$;

select is((select array_agg(distinct pg_temp.ask('b2')) from generate_series(1, 12)), array['not_allowed_to_spend'],
  'who may only look is told so, always');
select is((select array_agg(distinct pg_temp.ask('d4')) from generate_series(1, 12)), array['member_cap_reached'],
  'and whose cap is too low');
select is((select array_agg(distinct pg_temp.ask('e5', 'no-such-model')) from generate_series(1, 12)),
  array['member_cap_reached'], 'or used up, for any request');
select is((select array_agg(distinct pg_temp.ask('a1')) from generate_series(1, 10)), array['charged'],
  'the owner has the whole limit left');
select is((select pg_temp.ask('a1')), 'rate_limited', 'which holds');

select * from finish();
rollback;
