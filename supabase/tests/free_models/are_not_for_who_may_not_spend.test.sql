begin;
select plan(4);

select from set_model_price('gratis', '{"image": 0}',
  p_settings => '{"provider": "placeholder", "provider_model": "placeholder"}');
select create_team_account('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000c3');
select set_account_member('00000000-0000-4000-8000-0000000000c3', '00000000-0000-4000-8000-0000000000e2', 'member', 0);
select grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
create temp table asked as
  select c.code from generate_series(1, 10) as i,
    lateral (select *
      from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'gratis', jsonb_build_object('prompt', i),
      p_member_id => '00000000-0000-4000-8000-0000000000e2')) as c;
select results_eq('select distinct code from asked', array['member_cap_reached'],
  'a member with cap 0 makes nothing, though it is free');
select is((select code
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a"}',
  p_member_id => '00000000-0000-4000-8000-0000000000b1')), 'charged', 'and uses up none of the team''s requests');

create temp table open_job as
  select * from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'gratis', '{"prompt": "a"}',
    p_start => true);
select is((select status from refund_credits((select job_id from open_job))), 'canceled'::generation_job_status,
  'an operator ends an open free job by refund_credits');
select is((select count(*) from reconciliation_discrepancies), 0::bigint, 'the books are right');

select * from finish();
rollback;
