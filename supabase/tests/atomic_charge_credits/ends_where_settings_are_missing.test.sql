begin;
select plan(5);

set local statement_timeout = '10s';
create function pg_temp.ask(p_member_id uuid default null, p_input jsonb default '{"prompt": "a cat"}')
  returns credit_charge_result language sql as $$
  select atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', p_input,
    p_member_id => p_member_id)
$$;
select from grant_credits('00000000-0000-4000-8000-0000000000a1', 5000);
create temp table before as select a from credit_accounts as a where id = '00000000-0000-4000-8000-0000000000a1';
delete from credit_settings;

select throws_ok($$select pg_temp.ask()$$, '23502', null,
  'without settings, by which a job''s deadline is set, a charge ends with an error');
select throws_ok($$select pg_temp.ask(p_member_id => '00000000-0000-4000-8000-0000000000a1')$$, '23502', null,
  'also the account''s own user''s');
select throws_ok($$select atomic_charge_credits_batch('00000000-0000-4000-8000-0000000000a1',
  '[{"model": "standard-image", "input": {"prompt": "a"}}]')$$,
  '23502', null, 'and a batch''s');
select is((select a from credit_accounts as a where id = '00000000-0000-4000-8000-0000000000a1'),
  (select a from before), 'the account is as it was');
select is((select count(*) from generation_jobs), 0::bigint, 'and has no job');

select * from finish();
rollback;
