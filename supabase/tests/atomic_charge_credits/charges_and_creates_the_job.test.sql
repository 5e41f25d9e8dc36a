begin;
select plan(9);

select from grant_credits('00000000-0000-4000-8000-0000000000a1', 1200);
create temp table verdict as select *
  from atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}',
    'key-1', 'request-1');

select results_eq('select status, code, cost, balance from verdict',
  $$values (201, 'charged', 500::bigint, 700::bigint)$$, 'the verdict says what was charged');
select is((select balance from credit_accounts where id = '00000000-0000-4000-8000-0000000000a1'), 700::bigint,
  'the balance has moved');
select results_eq(
  'select seq, delta, balance_after, kind::text from credit_ledger
    where account_id = ''00000000-0000-4000-8000-0000000000a1'' order by seq',
  $$values (1::bigint, 1200::bigint, 1200::bigint, 'grant'), (2, -500, 700, 'charge')$$, 'the ledger has both entries');
select is((select job_id from credit_ledger where account_id = '00000000-0000-4000-8000-0000000000a1' and seq = 2),
  (select job_id from verdict), 'the entry names the job');
select is((select remaining from credit_grants where account_id = '00000000-0000-4000-8000-0000000000a1'), 700::bigint,
  'the grant was burned down');
select results_eq($$select status::text, cost, refunded, request_id from generation_jobs
  where account_id = '00000000-0000-4000-8000-0000000000a1'$$,
  $$values ('pending', 500::bigint, 0::bigint, 'request-1')$$, 'the job is there');
select is((select input from generation_jobs where account_id = '00000000-0000-4000-8000-0000000000a1'),
  '{"prompt": "a cat", "n": 1, "width": 1024, "height": 1024}'::jsonb, 'with its defaults filled in');
select ok((select deadline_at > now() + interval '120 seconds' from generation_jobs
  where account_id = '00000000-0000-4000-8000-0000000000a1'), 'and a deadline beyond the provider''s limit');
select is((select job ->> 'provider' from verdict), 'placeholder', 'the verdict says whom to call');

select * from finish();
rollback;
