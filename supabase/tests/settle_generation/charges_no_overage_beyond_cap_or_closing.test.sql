begin;
select plan(5);

select from set_model_price('open', '{"second": 100}',
  p_settings => '{"provider": "placeholder", "provider_model": "p", "overage": "overdraft", "max_seconds": 5}');
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000f6');
select from set_account_member('00000000-0000-4000-8000-0000000000f6', '00000000-0000-4000-8000-0000000000b2',
  'member', 600);
select from grant_credits('00000000-0000-4000-8000-0000000000f6', 1000);
create temp table capped as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000f6', 'open', '{"prompt": "a"}',
    p_member_id => '00000000-0000-4000-8000-0000000000b2');
select is((select row(cost, balance)
  from settle_generation((select job_id from capped), '{}', p_actual_usage => '{"seconds": 20}')),
  row(600::bigint, 400::bigint), 'a member''s cap holds');
select is((select spent from account_members where user_id = '00000000-0000-4000-8000-0000000000b2'), 600::bigint,
  'and is used up');

create temp table owned as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000f6', 'open', '{"prompt": "a", "seconds": 1}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1');
select from settle_generation((select job_id from owned), '{}', p_actual_usage => '{"seconds": 20}');
select is((select count(*) from credit_events where type = 'balance.exhausted'), 1::bigint,
  'an overage that takes the last credit is announced');

select from grant_credits('00000000-0000-4000-8000-0000000000f6', 1000);
create temp table closed as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000f6', 'open', '{"prompt": "b", "seconds": 1}',
    p_member_id => '00000000-0000-4000-8000-0000000000a1');
update credit_accounts set closed_at = now() where id = '00000000-0000-4000-8000-0000000000f6';
select is((select row(cost, balance)
  from settle_generation((select job_id from closed), '{}', p_actual_usage => '{"seconds": 20}')),
  row(100::bigint, 900::bigint), 'a closed account pays what was charged');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
