begin;
select plan(12);

insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'a@example.com'),
  ('00000000-0000-4000-8000-0000000000b2', 'b@example.com');
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
select from grant_credits('00000000-0000-4000-8000-0000000000b2', 5000);
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
select from atomic_charge_credits('00000000-0000-4000-8000-0000000000b2', 'standard-image', '{"prompt": "a cat"}');
set local role authenticated;
select set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-0000000000a1", "role": "authenticated"}',
  true), set_config('request.jwt.claim.sub', '00000000-0000-4000-8000-0000000000a1', true);
select is((select array_agg(id) from credit_accounts), array['00000000-0000-4000-8000-0000000000a1'::uuid], 'accounts');
select is((select array_agg(distinct account_id) from credit_ledger),
  array['00000000-0000-4000-8000-0000000000a1'::uuid], 'entries');
select is((select array_agg(distinct account_id) from credit_grants),
  array['00000000-0000-4000-8000-0000000000a1'::uuid], 'grants');
select is((select array_agg(distinct account_id) from generation_jobs),
  array['00000000-0000-4000-8000-0000000000a1'::uuid], 'jobs');
select ok((select bool_and(enabled) from generation_models), 'models that are enabled');
select is((select cost from quote_generation('standard-image', '{"prompt": "a"}')), 500::bigint, 'a quote');
select throws_ok('select from grant_credits(''00000000-0000-4000-8000-0000000000a1'', 1)', '42501');
select throws_ok('update credit_accounts set balance = 1', '42501');
select throws_ok('insert into generation_jobs default values', '42501');
set local role anon;
select throws_ok('select from credit_accounts', '42501');
select throws_ok('select from quote_generation(''standard-image'', ''{}'')', '42501');
select is((select array_agg(distinct name) from generation_models),
  array['standard-image', 'standard-speech', 'standard-text', 'standard-video'], 'anon reads the enabled price book');

select * from finish();
rollback;
