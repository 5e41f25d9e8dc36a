begin;
select plan(4);

select from create_team_account('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000c3');
select from grant_credits('00000000-0000-4000-8000-0000000000c3', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000c3', 'standard-image', '{"prompt": "a"}',
  p_member_id => '00000000-0000-4000-8000-0000000000b2');
-- Somebody else, with a team of their own.
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a"}');
select from create_team_account('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000d4');
set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000b2", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000b2', true);
select is((select array_agg(id) from credit_accounts), array['00000000-0000-4000-8000-0000000000c3'::uuid],
  'the account');
select is((select array_agg(distinct account_id) from credit_ledger),
  array['00000000-0000-4000-8000-0000000000c3'::uuid], 'its entries');
select is((select array_agg(distinct account_id) from generation_jobs),
  array['00000000-0000-4000-8000-0000000000c3'::uuid], 'its jobs');
select is((select array_agg(user_id) from account_members), array['00000000-0000-4000-8000-0000000000b2'::uuid],
  'its members');

select * from finish();
rollback;
